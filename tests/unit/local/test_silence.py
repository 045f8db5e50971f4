"""A child that lives but does not answer is found, and a slow machine is not mistaken for one."""

import socket
from collections.abc import Iterator

import pytest

from backproof.local.silence import LOOK_SECONDS, SILENT_SECONDS, SilenceWatch


@pytest.fixture
def deaf_server() -> Iterator[tuple[str, int]]:
    """Takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()


def looks(watch: SilenceWatch, now: list[float], seconds: float, step: float = LOOK_SECONDS + 0.1) -> list[str]:
    found: list[str] = []
    end = now[0] + seconds
    while now[0] < end and not found:
        now[0] += step
        found = watch.look(["web"], "web", "valkey", ())
    return found


def test_a_web_process_that_never_answers_is_named_after_a_while(deaf_server: tuple[str, int]) -> None:
    now = [0.0]
    watch = SilenceWatch(deaf_server, None, lambda: now[0])
    assert looks(watch, now, SILENT_SECONDS - LOOK_SECONDS) == []
    assert looks(watch, now, 3 * LOOK_SECONDS) == ["web"]
    watch.close()


def test_after_the_supervisor_itself_stood_still_nobody_is_blamed(deaf_server: tuple[str, int]) -> None:
    now = [0.0]
    watch = SilenceWatch(deaf_server, None, lambda: now[0])
    assert looks(watch, now, SILENT_SECONDS - LOOK_SECONDS) == []
    now[0] += 3600.0
    assert watch.look(["web"], "web", "valkey", ()) == []
    assert looks(watch, now, SILENT_SECONDS - 2 * LOOK_SECONDS) == []
    watch.close()
