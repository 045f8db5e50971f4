"""Following a run: every event once, whatever the connection does, and an end that is the run's end."""

import json
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from websockets.sync.server import ServerConnection, serve

from backproof.cli import follow
from backproof.cli.api import Api, ApiError
from backproof.cli.follow import Follower
from backproof.cli.screen import Silent
from backproof.cli.server import Interrupted
from backproof.errors import NotFound

RUN = "bt-000000000000"
AT = "2026-01-01T00:00:00Z"
Script = list[dict[str, Any] | int]


def initial(status: str, seq: int) -> dict[str, Any]:
    return {"type": "initial_status", "seq": 0, "timestamp": AT, "data": {"status": status, "seq": seq}}


def changed(seq: int, status: str, **data: Any) -> dict[str, Any]:
    return {"type": "status_change", "seq": seq, "timestamp": AT, "data": {"status": status, **data}}


def log(seq: int, message: str) -> dict[str, Any]:
    return {"type": "log", "seq": seq, "timestamp": AT, "data": {"level": "info", "message": message}}


class Seen(Silent):
    """What a screen would have shown."""

    def __init__(self) -> None:
        self.statuses: list[str] = []
        self.lines: list[str] = []
        self.frames: list[str] = []
        self.times_lost = 0

    def frame(self, frame: dict[str, Any]) -> None:
        self.frames.append(frame["type"])

    def status(self, status: str, data: dict[str, Any]) -> None:
        self.statuses.append(status)

    def log(self, level: str, message: str) -> None:
        self.lines.append(message)

    def lost(self) -> None:
        self.times_lost += 1


class Server:
    """Answers each connection by the next script: frames to send, at last perhaps the code to close with.

    A connection whose script ends without a code breaks off, as that of a killed process does.
    """

    def __init__(self, scripts: list[Script]) -> None:
        self._scripts = iter(scripts)
        self.asked_after: list[int] = []
        self._server = serve(self._answer, "127.0.0.1", 0, compression=None)
        self.url = f"http://127.0.0.1:{self._server.socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def _answer(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        after = int(connection.request.path.rpartition("=")[2])
        self.asked_after.append(after)
        for step in next(self._scripts):
            if isinstance(step, int):
                connection.close(step, "as the script says")
                return
            if step["seq"] == 0 or step["seq"] > after:  # as the real one: only what is news
                connection.send(json.dumps(step))
        connection.socket.close()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()


@contextmanager
def scripted(*scripts: Script) -> Iterator[Server]:
    server = Server(list(scripts))
    try:
        yield server
    finally:
        server.stop()


def never() -> bool:
    return False


def nothing() -> None:
    raise AssertionError("nobody pressed Ctrl-C")


def followed(server: Server, **options: Any) -> tuple[str, Seen]:
    seen = Seen()
    with closing(Api(server.url)) as api:
        return Follower(api, RUN, seen, **options).until_final(never, nothing), seen


def test_a_run_is_followed_from_its_first_event_to_its_end() -> None:
    frames = [initial("queued", 1), changed(1, "queued"), changed(2, "running"), log(3, "a"), changed(4, "completed")]
    with scripted([*frames, 1000]) as server:
        status, seen = followed(server)
    assert status == "completed"
    assert seen.statuses == ["queued", "running", "completed"]
    assert seen.lines == ["a"]


def test_a_lost_connection_goes_on_behind_the_last_event_and_shows_none_twice() -> None:
    first = [initial("running", 2), changed(1, "queued"), changed(2, "running"), log(3, "a")]
    again = [initial("running", 4), changed(2, "running"), log(3, "a"), log(4, "b"), changed(5, "completed")]
    with scripted(first, [*again, 1000]) as server:
        status, seen = followed(server)
    assert server.asked_after == [0, 3]
    assert (status, seen.lines) == ("completed", ["a", "b"])
    assert seen.frames.count("initial_status") == 1


def test_an_earlier_end_of_a_resumed_run_is_not_its_end() -> None:
    """The server may even close there: all that is history."""
    history = [changed(1, "queued"), changed(2, "running"), changed(3, "cancelled"), changed(4, "queued")]
    with scripted(
        [initial("queued", 4), *history, 1000], [initial("running", 5), changed(5, "running"), changed(6, "completed")]
    ) as server:
        status, seen = followed(server)
    assert status == "completed"
    assert seen.statuses == ["queued", "running", "completed"]


def test_a_run_that_was_final_from_the_start_is_told_completely() -> None:
    with scripted([initial("failed", 3), changed(1, "queued"), log(2, "why"), changed(3, "failed"), 1000]) as server:
        status, seen = followed(server)
    assert (status, seen.statuses, seen.lines) == ("failed", ["failed"], ["why"])


def test_a_final_run_whose_log_is_not_kept_any_more_ends_with_its_connection() -> None:
    with scripted([initial("completed", 9), changed(1, "queued"), 1000]) as server:
        assert followed(server)[0] == "completed"


def test_the_status_that_was_told_already_is_not_told_again() -> None:
    frames = [initial("queued", 1), changed(1, "queued"), changed(2, "running"), changed(3, "completed")]
    with scripted([*frames, 1000]) as server:
        _, seen = followed(server, known="queued")
    assert seen.statuses == ["running", "completed"]


def test_only_what_comes_behind_a_given_event_is_shown() -> None:
    frames = [initial("running", 3), log(2, "old"), log(3, "new"), changed(4, "completed")]
    with scripted([*frames, 1000]) as server:
        _, seen = followed(server, after=2)
    assert (server.asked_after, seen.lines) == ([2], ["new"])


def test_a_run_that_is_deleted_meanwhile_is_not_found_any_more() -> None:
    with scripted([initial("running", 1)], [4404]) as server, pytest.raises(NotFound, match=RUN):
        followed(server)


def test_a_server_that_comes_back_elsewhere_is_found() -> None:
    with (
        scripted([initial("running", 1), changed(2, "completed"), 1000]) as back,
        scripted([initial("running", 1), log(1, "a")]) as first,
        closing(Api(first.url)) as api,
    ):
        found = iter([first.url, back.url])
        follower = Follower(api, RUN, Seen(), find=lambda: next(found, back.url))
        first.stop()
        assert follower.until_final(never, nothing) == "completed"
        assert api.url == back.url


class Clock:
    """Time that passes only where somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(follow, "time", made)
    return made


def test_a_server_that_stays_away_is_given_up_in_one_sentence(clock: Clock) -> None:
    seen = Seen()
    with scripted([initial("running", 1)]) as server:
        url = server.url
    with closing(Api(url)) as api, pytest.raises(ApiError, match=f"backproof show {RUN}") as raised:
        Follower(api, RUN, seen).until_final(never, nothing)
    assert "\n" not in raised.value.message
    assert seen.times_lost
    assert follow.LOST_SECONDS < clock.now <= follow.LOST_SECONDS + 1.0


@pytest.mark.usefixtures("clock")
def test_a_server_that_refuses_every_connection_is_given_up_with_its_reason() -> None:
    scripts: list[Script] = [[4429] for _ in range(100)]
    with scripted(*scripts) as server, pytest.raises(ApiError, match="as the script says"):
        followed(server)
    assert len(server.asked_after) < 2 * follow.LOST_SECONDS  # it waits longer each time


def test_who_stops_watching_is_let_go_although_the_server_is_away() -> None:
    with scripted([initial("running", 1)]) as server:
        url = server.url
    asked = iter([False, True])

    def stop() -> None:
        raise Interrupted

    with closing(Api(url)) as api, pytest.raises(Interrupted):
        Follower(api, RUN, Seen()).until_final(lambda: next(asked, True), stop)


def test_a_cancel_is_asked_for_once_and_the_run_followed_to_its_end() -> None:
    cancels = []
    frames = [initial("running", 1), changed(2, "cancelling"), changed(3, "cancelled")]
    with scripted([*frames, 1000]) as server, closing(Api(server.url)) as api:
        status = Follower(api, RUN, Seen()).until_final(lambda: True, lambda: cancels.append(1))
    assert (status, cancels) == ("cancelled", [1])
