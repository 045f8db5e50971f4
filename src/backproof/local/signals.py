"""Signals as something to wait for: the supervisor sleeps until a child ended or somebody asked it to stop."""

import select
import signal
import socket
from collections.abc import Sequence
from types import FrameType
from typing import Protocol

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class HasFileno(Protocol):
    def fileno(self) -> int: ...


class SignalWaiter:
    """stops: how often one of STOP_SIGNALS arrived. Main thread only."""

    def __init__(self) -> None:
        self.stops = 0
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in STOP_SIGNALS:
            signal.signal(number, self._asked_to_stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # only to wake the wait

    def _asked_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stops += 1

    def wait(self, seconds: float, also: Sequence[HasFileno] = ()) -> None:
        """Until a signal arrives, something in `also` is readable, or the time is over."""
        watched: list[HasFileno] = [self._reader, *also]
        readable, _, _ = select.select(watched, [], [], max(0.0, seconds))
        if self._reader in readable:
            while self._drain():
                pass

    def _drain(self) -> bool:
        try:
            return bool(self._reader.recv(4096))
        except BlockingIOError:
            return False
