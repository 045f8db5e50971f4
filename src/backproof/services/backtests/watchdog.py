"""Watchdog: a thread that ends the process when the claim was not renewed in time.

Another worker may own the run by then; a process that cannot know must not go on writing.
"""

import threading
import time
from collections.abc import Callable
from types import TracebackType


class Watchdog:
    def __init__(self, limit_seconds: float, end_process: Callable[[str], None]) -> None:
        self._limit = limit_seconds
        self._end_process = end_process
        self._last = time.monotonic()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="claim-watchdog", daemon=True)

    def renewed(self) -> None:
        self._last = time.monotonic()

    def __enter__(self) -> "Watchdog":
        self.renewed()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()

    def _watch(self) -> None:
        while not self._stopped.wait(self._limit / 10):
            if (silent := time.monotonic() - self._last) > self._limit:
                self._end_process(f"the claim was not renewed for {silent:.1f} s")
                return
