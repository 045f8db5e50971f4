"""A wall clock that is wrong: with CHAOS_CLOCK=1 it is off by the seconds in `clock/<role>` of the control directory,
read anew 20 times a second. Monotonic clocks are right, as they are when an administrator or NTP sets the time."""

import datetime as dt
import os
import time
from collections.abc import Callable
from types import ModuleType

import chaos_inject

_true_time, _true_time_ns = time.time, time.time_ns
_offset, _read_at = 0.0, -1.0


def patches(_role: str) -> dict[str, Callable[[ModuleType], None]]:
    if os.environ.get("CHAOS_CLOCK") != "1":
        return {}
    time.time = lambda: _true_time() + offset()
    time.time_ns = lambda: _true_time_ns() + int(offset() * 1e9)
    return {"backproof.domain.documents": _documents}


def offset() -> float:
    """Seconds by which this process's wall clock is wrong."""
    global _offset, _read_at
    if (now := time.monotonic()) - _read_at > 0.05:
        _read_at = now
        try:
            with open(f"{chaos_inject.CONTROL}/clock/{chaos_inject.role}") as file:  # noqa: PTH123
                _offset = float(file.read() or 0)
        except (FileNotFoundError, ValueError):
            _offset = 0.0
    return _offset


def _documents(module: ModuleType) -> None:
    original = module.utc_now

    def utc_now() -> dt.datetime:
        moment: dt.datetime = original()
        return moment + dt.timedelta(seconds=offset())

    module.utc_now = utc_now
