"""Watchdog: a thread that ends the process when the claim was not renewed in time.

Another worker may own the run by then; a process that cannot know must not go on writing.
"""

import signal
import threading
import time
from collections.abc import Callable
from types import TracebackType

ALARM_FACTOR = 1.25


class Watchdog:
    """alarm: where even this thread cannot run, because compiled code keeps the interpreter's lock, the kernel ends the
    process a little later (SIGALRM, which must have its default action)."""

    def __init__(self, limit_seconds: float, end_process: Callable[[str], None], *, alarm: bool = False) -> None:
        self._limit = limit_seconds
        self._alarm = alarm
        self._end_process = end_process
        self._last = time.monotonic()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="claim-watchdog", daemon=True)

    def renewed(self) -> None:
        self._last = time.monotonic()
        if self._alarm and not self._stopped.is_set():
            signal.setitimer(signal.ITIMER_REAL, self._limit * ALARM_FACTOR)

    def stop(self) -> None:
        """There is no claim any more that could be lost."""
        self._stopped.set()
        if self._alarm:
            signal.setitimer(signal.ITIMER_REAL, 0.0)

    def __enter__(self) -> "Watchdog":
        self.renewed()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _watch(self) -> None:
        while not self._stopped.wait(self._limit / 10):
            if (silent := time.monotonic() - self._last) > self._limit:
                self._end_process(f"the claim was not renewed for {silent:.1f} s")
                return
