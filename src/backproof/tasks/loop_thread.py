"""An event loop on a thread of its own, made after the fork, so that clients live as long as the worker process."""

import asyncio
import os
import sys
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")

NICENESS = 10  # on a machine shared with the web process, people waiting for an answer go before computing


class LoopThread:
    """What the loop hands to threads is computing. It gives way to everything else of the machine, and to the loop
    itself above all: heartbeats that come too late would cost the run its claim."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(ThreadPoolExecutor(thread_name_prefix="computing", initializer=_give_way))
        self._thread = threading.Thread(target=self._loop.run_forever, name="event-loop", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
        """Run on the loop and wait here. The waiting thread still handles signals."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Let it run there for as long as the loop does."""
        asyncio.run_coroutine_threadsafe(work, self._loop)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(2.0)


def _give_way() -> None:
    if sys.platform == "linux":  # elsewhere priorities are those of whole processes
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
