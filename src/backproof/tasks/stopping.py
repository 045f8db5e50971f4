"""How a worker stops on SIGTERM: it takes no more work, and no run is lost with it.

Each pool process finishes its run or hands it over (BacktestRunner.drain), and ends; the parent waits for them. Asked
a second time, they give their runs back at once.
"""

import contextlib
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import Any

from backproof.services.backtests.runner import HAND_OVER_SECONDS, BacktestRunner
from backproof.services.backtests.transitions import WORKER_STOPPED
from backproof.tasks.loop_thread import LoopThread

STOP = signal.SIGUSR2  # what the parent sends to its pool processes: Celery has handlers of its own for SIGTERM
GIVE_BACK_SECONDS = 1.5
LATE_SECONDS = HAND_OVER_SECONDS + 1.0  # after the drain, until a run that is handed over must be in the store


class PoolProcessStop:
    """The handler of STOP and SIGTERM in a pool process."""

    def __init__(self, loop: LoopThread, runner: BacktestRunner, drain_seconds: float) -> None:
        self._loop = loop
        self._runner = runner
        self._drain_seconds = drain_seconds
        self._asked: Counter[int] = Counter()

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        # a supervisor may send SIGTERM to every process of a group: that is not yet being asked twice
        self._asked[number] += 1
        if self._asked[number] == 1:
            if self._asked.total() > 1:
                return
            with contextlib.suppress(Exception):
                self._loop.run(self._runner.drain(self._drain_seconds), self._drain_seconds + LATE_SECONDS)
        with contextlib.suppress(Exception):
            self._loop.run(self._runner.give_back_current(WORKER_STOPPED), GIVE_BACK_SECONDS)
        os._exit(0)


class ParentStop:
    """The handler of SIGTERM and SIGINT in the parent. Blocking here keeps Celery from taking more messages.

    A message that is lost with it is only a hint. Both of Celery's own ways would be wrong: the warm one waits for the
    end of every run, the cold one kills the children before they could give theirs back.
    """

    def __init__(
        self, pool: Any, drain_seconds: float, leave: Callable[[], threading.Thread | None], touch: Callable[[], None]
    ) -> None:
        self._pool = pool
        self._drain_seconds = drain_seconds
        self._leave = leave
        self._touch = touch
        self._asked = 0

    def install(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self)

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        self._asked += 1
        announcer = self._leave()
        seconds = GIVE_BACK_SECONDS + 0.5
        if self._asked == 1:
            seconds += self._drain_seconds + LATE_SECONDS
        deadline = time.monotonic() + seconds
        children = self._children()
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, STOP)
        while (children := [pid for pid in children if not _has_ended(pid)]) and time.monotonic() < deadline:
            self._touch()  # still waiting is not hanging
            time.sleep(0.01)
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if announcer is not None:
            announcer.join(0.5)
        os._exit(0)

    def _children(self) -> list[int]:
        return [process.pid for process in getattr(getattr(self._pool, "_pool", None), "_pool", None) or ()]


def _has_ended(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True
