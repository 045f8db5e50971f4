"""Following one run over its WebSocket until it is final; a lost connection resumes after the last event seen."""

import json
import time
from collections.abc import Callable
from typing import Any, Protocol

from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import ClientConnection, connect

from backproof.cli.api import Api, ApiError
from backproof.errors import BackproofError, NotFound

FINAL = frozenset({"completed", "failed", "cancelled"})
WAITING = frozenset({"pending", "queued"})
DURABLE = frozenset({"status_change", "log", "checkpoint", "notice"})
LOST_SECONDS = 30.0
LOOK_SECONDS = 0.1
ASK_SECONDS = 1.0  # nobody sends where a run stands in the queue: it is asked for
NORMAL, UNKNOWN_RUN = 1000, 4404  # the server's close codes: all is told; it has no such run

Plain = dict[str, Any]
NOWHERE: Callable[[], str | None] = lambda: None  # noqa: E731


class Viewer(Protocol):
    """What shows a run while it goes on. asks: it wants to know where a waiting run stands."""

    asks: bool

    def frame(self, frame: Plain) -> None: ...

    def status(self, status: str, data: Plain) -> None: ...

    def progress(self, data: Plain) -> None: ...

    def log(self, level: str, message: str) -> None: ...

    def lost(self) -> None: ...


class Follower:
    """One run's events, from the one behind `after`.

    known: the status that the viewer has been told already
    find:  where the server is now; asked while it does not answer
    """

    def __init__(
        self,
        api: Api,
        run_id: str,
        viewer: Viewer,
        *,
        known: str = "",
        after: int = 0,
        find: Callable[[], str | None] = NOWHERE,
    ) -> None:
        self._api = api
        self._run_id = run_id
        self._viewer = viewer
        self._find = find
        self._status = known
        self._seq = after
        self._told_seq = 0  # up to here the events are history: the status that followed from them is known
        self._started = False
        self._reached = False
        self._ask_at = time.monotonic() + ASK_SECONDS

    def until_final(self, interrupted: Callable[[], bool], on_interrupt: Callable[[], None]) -> str:
        """The final status. `interrupted` is asked ten times a second; `on_interrupt` is then called once.

        Raises ApiError when the server stays away.
        """
        lost_since: float | None = None
        asked = False
        pause, why = 0.05, "no answer"
        while True:
            self._reached = False
            try:
                address = f"{self._api.url.replace('http', 'ws', 1)}/ws/backtest/{self._run_id}?after={self._seq}"
                with connect(address, proxy=None, compression=None, open_timeout=5, close_timeout=1) as connection:
                    while not self._finished():
                        if interrupted() and not asked:
                            asked = True
                            on_interrupt()
                        self._receive(connection)
                        self._ask()
                    return self._status
            except ConnectionClosed as error:
                if error.rcvd is not None and error.rcvd.code == UNKNOWN_RUN:
                    raise NotFound(f"there is no backtest {self._run_id!r} (any more)") from None
                if error.rcvd is not None and error.rcvd.code == NORMAL and self._status in FINAL:
                    return self._status
                why = (error.rcvd.reason if error.rcvd is not None else "") or "no answer"
            except (InvalidHandshake, OSError, EOFError, TimeoutError):
                why = "no answer"
            now = time.monotonic()
            if self._reached or lost_since is None:
                lost_since, pause = now, 0.05
            elif pause > 0.5:
                self._viewer.lost()
            if interrupted() and not asked:
                asked = True
                on_interrupt()
            if now - lost_since > LOST_SECONDS or (interrupted() and asked):
                raise ApiError(
                    f"the server does not tell about {self._run_id} any more ({why}); "
                    f"`backproof show {self._run_id}` says what became of it"
                )
            time.sleep(pause)
            pause = min(pause * 2, 1.0)
            if (url := self._find()) is not None:
                self._api.move_to(url)

    def _finished(self) -> bool:
        """A run that was final from the start is told completely first."""
        return self._started and self._status in FINAL and self._seq >= self._told_seq

    def _receive(self, connection: ClientConnection) -> None:
        try:
            frame = json.loads(connection.recv(timeout=LOOK_SECONDS))
        except TimeoutError:
            return
        kind, seq, data = str(frame["type"]), int(frame["seq"]), frame["data"]
        self._reached = True
        if kind == "initial_status":
            if not self._started:
                self._viewer.frame(frame)
            self._started = True
            self._told_seq = max(self._told_seq, int(data.get("seq") or 0))
            self._change(str(data["status"]), data)
            self._viewer.progress(data)
        elif kind == "progress":
            self._viewer.frame(frame)
            self._viewer.progress(data)
        elif kind not in DURABLE:
            self._viewer.frame(frame)
        elif seq > self._seq:
            self._seq = seq
            self._viewer.frame(frame)
            if kind == "log":
                self._viewer.log(str(data.get("level", "info")), str(data.get("message", "")))
            elif kind == "status_change" and seq > self._told_seq:
                self._change(str(data["status"]), data)

    def _change(self, status: str, data: Plain) -> None:
        if status != self._status:
            self._status = status
            self._viewer.status(status, data)

    def _ask(self) -> None:
        now = time.monotonic()
        if not self._viewer.asks or self._status not in WAITING or now < self._ask_at:
            return
        self._ask_at = now + ASK_SECONDS
        try:
            self._viewer.progress(self._api.get(f"/backtests/{self._run_id}/status"))
        except BackproofError:  # the socket will tell
            return
