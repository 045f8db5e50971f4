"""web, worker, scheduler and health: what they refuse, and how little a probe costs."""

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from backproof.cli.health import answers
from backproof.cli.processes import run_web, run_worker
from backproof.errors import InvalidSettings
from backproof.settings import load_settings

ENTRY = (sys.executable, "-P", "-m", "backproof.cli.entry")


def said(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*ENTRY, *arguments], capture_output=True, text=True, check=False, timeout=60, env=environment
    )


@pytest.mark.parametrize("queues", ["backtest_exection", "backtest_execution,mail", " , "])
def test_an_unknown_queue_is_refused_with_the_list(queues: str) -> None:
    with pytest.raises(InvalidSettings, match="backtest_execution, data_collection, calculation, notifications"):
        run_worker(load_settings(redis_url="redis://127.0.0.1:1"), queues)


def test_the_refusal_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    done = said("worker", "--queues", "mail", DATA_DIR=str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: there is no queue 'mail': the queues are ")
    assert len(done.stderr.splitlines()) == 1


def test_a_web_process_beyond_loopback_is_refused_and_told_what_to_do(tmp_path: Path) -> None:
    done = said("web", "--host", "0.0.0.0", DATA_DIR=str(tmp_path), REDIS_URL="redis://127.0.0.1:1")
    assert (done.returncode, done.stdout) == (2, "")
    assert "authenticating proxy" in done.stderr
    assert "WEB_ALLOWED_HOSTS=" in done.stderr


def test_a_web_process_without_a_redis_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backproof.cli.processes._end_on_sigterm", lambda: None)  # of this very process
    with pytest.raises(InvalidSettings, match="REDIS_URL is not set"):
        run_web(load_settings())


def test_health_without_a_process_is_1(tmp_path: Path) -> None:
    done = said("health", "worker", XDG_RUNTIME_DIR=str(tmp_path))
    assert (done.returncode, done.stdout, done.stderr) == (1, "unhealthy: no worker process runs here\n", "")


def test_an_unknown_role_is_a_mistake_of_the_command(tmp_path: Path) -> None:
    done = said("health", "database", XDG_RUNTIME_DIR=str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert "'database'" in done.stderr


def test_a_probe_loads_next_to_nothing(tmp_path: Path) -> None:
    """It is asked every few seconds in every container."""
    program = (
        "import sys; sys.argv = ['backproof', 'health']\n"
        "from backproof.cli.entry import main\n"
        "try: main()\n"
        "except SystemExit: print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={"XDG_RUNTIME_DIR": str(tmp_path)},
    )
    loaded = set(done.stdout.split())
    assert {name for name in loaded if name.startswith("backproof")} == {
        "backproof",
        "backproof.cli",
        "backproof.cli.entry",
        "backproof.cli.health",
        "backproof.telemetry",
        "backproof.telemetry.beats",
    }
    assert not loaded & {"typer", "pydantic", "asyncio", "subprocess", "dataclasses", "json", "redis", "psutil"}


@contextmanager
def answering(text: bytes | None) -> Iterator[str]:
    """A server that says this to the first who asks, or nothing for ever."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        if text is None:
            yield url
            return

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(text)

        thread = threading.Thread(target=answer)
        thread.start()
        yield url
        thread.join(10)


def test_a_web_process_must_answer_with_200(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backproof.cli.health.ANSWER_SECONDS", 30.0)
    with answering(b"HTTP/1.1 200 OK\r\n\r\n") as url:
        assert answers(url)
    with answering(b"HTTP/1.1 500 Internal Server Error\r\n\r\n") as url:
        assert not answers(url)
    with answering(b"") as url:
        assert not answers(url)


def test_one_that_takes_the_connection_and_says_nothing_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backproof.cli.health.ANSWER_SECONDS", 0.2)
    with answering(None) as url:
        assert not answers(url)
    assert not answers(url), "nobody listens there any more"
