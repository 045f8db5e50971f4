"""Memory and descriptors of every process of a stack over hours, and the sizes of its growing files."""

import contextlib
import statistics
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from chaos.load_machine import Sample, samples
from chaos.world import World

YOUNG_SECONDS = 120.0  # a process grows while it loads what it needs
LEAST_SECONDS = 300.0  # that a process must have lived for its growth to say anything
FILES = ("backproof.sqlite3", "backproof.sqlite3-wal", "valkey", "logs")


@dataclass(frozen=True, slots=True)
class Look:
    """at: seconds since the first one; age: seconds since the process was first seen"""

    at: float
    age: float
    sample: Sample


class Sizes:
    def __init__(self, world: World) -> None:
        self._world = world
        self._began = time.monotonic()
        self._seen: dict[int, float] = {}
        self._looks: list[Look] = []
        self._files: list[dict[str, float]] = []

    @contextlib.contextmanager
    def sampled(self, every: float) -> Iterator[None]:
        """Look so often on a thread meanwhile."""
        stopping = threading.Event()

        def watch() -> None:
            while not stopping.wait(every):
                self.look()

        thread = threading.Thread(target=watch, name="sizes", daemon=True)
        self.look()
        thread.start()
        try:
            yield
        finally:
            stopping.set()
            thread.join(30)

    def look(self) -> None:
        at = time.monotonic() - self._began
        for sample in samples(self._world.supervisor):
            first = self._seen.setdefault(sample.pid, at)
            self._looks.append(Look(at, at - first, sample))
        self._files.append({"at": round(at, 1), **{name: self._megabytes(name) for name in FILES}})

    def line(self) -> str:
        """The newest sizes of all, short."""
        if not self._looks:
            return ""
        newest = self._looks[-1].at
        rss: defaultdict[str, float] = defaultdict(float)
        for look in self._looks[-50:]:
            if look.at == newest:
                rss[look.sample.role] += look.sample.rss / 2**20
        return ", ".join(f"{role} {size:.0f} MB" for role, size in sorted(rss.items()))

    def _megabytes(self, name: str) -> float:
        path = self._world.data / name
        files = path.rglob("*") if path.is_dir() else [path]
        total = 0
        for file in files:
            with contextlib.suppress(OSError):
                total += file.stat().st_size if file.is_file() else 0
        return round(total / 2**20, 2)

    def judged(self) -> dict[str, Any]:
        """By role: the first and the last third of the time, and the growth of processes that lived long enough."""
        roles = sorted({look.sample.role for look in self._looks})
        return {
            "looks": len(self._files),
            "processes": {role: self._role([x for x in self._looks if x.sample.role == role]) for role in roles},
            "files_mb": {
                "first": self._files[0],
                "middle": self._files[len(self._files) // 2],
                "last": self._files[-1],
            },
        }

    def _role(self, looks: list[Look]) -> dict[str, Any]:
        end = max(look.at for look in self._looks)
        old = [look for look in looks if look.age >= YOUNG_SECONDS] or looks
        first = [look.sample for look in old if look.at <= end / 3]
        last = [look.sample for look in old if look.at >= end * 2 / 3]
        growth = [slope for slope in map(_growth, _by_process(old)) if slope is not None]
        found: dict[str, Any] = {"lives": len({look.sample.pid for look in looks})}
        if first and last:
            found["rss_mb"] = [round(_median_rss(first), 1), round(_median_rss(last), 1)]
            found["rss_change"] = round(_median_rss(last) / _median_rss(first) - 1, 4)
            found["descriptors"] = [statistics.median(s.descriptors for s in part) for part in (first, last)]
        if growth:
            found["growth_mb_per_hour"] = {"median": round(statistics.median(growth), 1), "max": round(max(growth), 1)}
        found["most_descriptors"] = max(look.sample.descriptors for look in looks)
        found["most_rss_mb"] = round(max(look.sample.rss for look in looks) / 2**20, 1)
        return found


def _median_rss(found: list[Sample]) -> float:
    return statistics.median(sample.rss for sample in found) / 2**20


def _by_process(looks: list[Look]) -> list[list[Look]]:
    lives: defaultdict[int, list[Look]] = defaultdict(list)
    for look in looks:
        lives[look.sample.pid].append(look)
    return list(lives.values())


def _growth(life: list[Look]) -> float | None:
    """Megabytes per hour, by the slope of a line through the sizes of one process; None for a short life."""
    if life[-1].at - life[0].at < LEAST_SECONDS:
        return None
    times, sizes = [look.at / 3600 for look in life], [look.sample.rss / 2**20 for look in life]
    return statistics.linear_regression(times, sizes).slope
