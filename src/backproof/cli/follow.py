"""Following one run over its WebSocket until it is final; a lost connection resumes after the last event seen."""

import json
import time
from collections.abc import Callable
from typing import Any, Protocol

from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import ClientConnection, connect

from backproof.cli.api import ApiError
from backproof.errors import NotFound

FINAL = frozenset({"completed", "failed", "cancelled"})
LOST_SECONDS = 30.0
LOOK_SECONDS = 0.1
UNKNOWN_RUN = 4404  # the server's close code for a run it does not have

Plain = dict[str, Any]


class Viewer(Protocol):
    """What shows a run while it goes on."""

    def status(self, status: str, data: Plain) -> None: ...

    def progress(self, data: Plain) -> None: ...

    def log(self, level: str, message: str) -> None: ...


class Follower:
    """One run's events. `interrupted` is asked ten times a second; `on_interrupt` is then called once."""

    def __init__(self, url: str, run_id: str, viewer: Viewer) -> None:
        self._address = f"{url.replace('http', 'ws', 1)}/ws/backtest/{run_id}"
        self._run_id = run_id
        self._viewer = viewer
        self._seq = 0
        self._awaited_seq = 0
        self._status = ""

    def until_final(self, interrupted: Callable[[], bool], on_interrupt: Callable[[], None]) -> str:
        """The final status. Raises ApiError when the server stays away."""
        lost_since: float | None = None
        asked = False
        pause = 0.05
        while True:
            try:
                address = f"{self._address}?after={self._seq}"
                with connect(address, proxy=None, compression=None, open_timeout=5, close_timeout=1) as connection:
                    lost_since, pause = None, 0.05
                    while not self._finished():
                        if interrupted() and not asked:
                            asked = True
                            on_interrupt()
                        self._receive(connection)
                    return self._status
            except ConnectionClosed as error:
                if error.rcvd is not None and error.rcvd.code == UNKNOWN_RUN:
                    raise NotFound(f"there is no backtest {self._run_id!r} any more") from None
            except (InvalidHandshake, OSError, EOFError, TimeoutError):
                pass
            now = time.monotonic()
            lost_since = lost_since or now
            if now - lost_since > LOST_SECONDS or (interrupted() and asked):
                raise ApiError(
                    f"the server does not answer any more; `backproof show {self._run_id}` tells what became of the run"
                )
            time.sleep(pause)
            pause = min(pause * 2, 1.0)

    def _finished(self) -> bool:
        return self._status in FINAL and self._seq >= self._awaited_seq

    def _receive(self, connection: ClientConnection) -> None:
        try:
            frame = json.loads(connection.recv(timeout=LOOK_SECONDS))
        except TimeoutError:
            return
        kind, seq, data = str(frame["type"]), int(frame["seq"]), frame["data"]
        if kind in ("initial_status", "progress"):
            if kind == "initial_status":
                # the events up to here follow; a run that is final already is shown completely before it ends
                self._awaited_seq = max(self._awaited_seq, int(data.get("seq") or 0))
                self._change(str(data["status"]), data)
            self._viewer.progress(data)
        elif seq > self._seq and kind in ("status_change", "log", "checkpoint", "notice"):
            self._seq = seq
            if kind == "status_change":
                self._change(str(data["status"]), data)
            elif kind == "log":
                self._viewer.log(str(data.get("level", "info")), str(data.get("message", "")))

    def _change(self, status: str, data: Plain) -> None:
        if self._status in FINAL or status == self._status:
            return
        self._status = status
        self._viewer.status(status, data)
