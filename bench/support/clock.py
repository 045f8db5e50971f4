"""Repeated timings: CPU seconds and wall seconds of single calls."""

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Times:
    """cpu, wall: seconds of each call; value: what the last call returned"""

    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    value: Any = None

    @property
    def cpu_min(self) -> float:
        return min(self.cpu)

    @property
    def wall_min(self) -> float:
        return min(self.wall)

    @property
    def wall_median(self) -> float:
        return statistics.median(self.wall)


def measure(
    run: Callable[..., Any], seconds: float, into: Times | None = None, before: Callable[[], Any] | None = None
) -> Times:
    """Call `run` for about `seconds`, once at least; `before` makes its argument outside the measurement."""
    times = Times() if into is None else into
    gc.collect()
    until = time.perf_counter() + seconds
    while True:
        arguments = () if before is None else (before(),)
        wall, cpu = time.perf_counter(), time.process_time()
        times.value = run(*arguments)
        times.cpu.append(time.process_time() - cpu)
        times.wall.append(time.perf_counter() - wall)
        if time.perf_counter() >= until:
            return times
