"""How long a run will take and how much memory it will need, learned from runs that finished here."""

import datetime as dt
import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from backproof.domain.backtest import Backtest
from backproof.domain.config import BacktestConfig
from backproof.domain.documents import Condition, Op, Order, Repository, eq, utc_now
from backproof.domain.lifecycle import Status
from backproof.engine.strategies import is_built_in
from backproof.errors import InvalidInput
from backproof.services.backtests.limits import MemoryLimit
from backproof.services.backtests.models import Estimate
from backproof.services.datasets import Coverage

_SAMPLE = 60
_LOOKED_AT = 12  # runs before this one whose own estimates count; more are taken to be like them
_FRESH_SECONDS = 5.0
BYTES_PER_BAR = (
    400  # of one symbol, as measured: read, aligned, adjusted, indicators, decisions; trading daily twice that
)
BASE_BYTES = 200 << 20  # a worker process with everything loaded
_MB = 1 << 20


@dataclass(frozen=True, slots=True)
class Sample:
    """A run that finished: bars x symbols, and the seconds it took."""

    units: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Line:
    """seconds = overhead + rate x units. low, high: factors within which four of five samples lie."""

    overhead: float
    rate: float
    low: float
    high: float

    def seconds(self, units: int) -> float:
        return self.overhead + self.rate * units


def fitted(samples: Sequence[Sample]) -> Line:
    """The line with the least squared relative error, neither part of it below zero.

    Relative, because a guess is judged by its ratio: 1 s for a run of 20 ms is as bad as 50 s for one of 1 s.
    """
    rows = [(1.0 / s.seconds, s.units / s.seconds) for s in samples]
    aa, ab, bb = (sum(r[i] * r[j] for r in rows) for i, j in ((0, 0), (0, 1), (1, 1)))
    a, b = sum(r[0] for r in rows), sum(r[1] for r in rows)
    determinant = aa * bb - ab * ab
    overhead = rate = -1.0
    if determinant > 1e-9 * aa * bb:
        overhead, rate = (a * bb - b * ab) / determinant, (b * aa - a * ab) / determinant
    if overhead < 0.0 or rate < 0.0:  # sizes too much alike, or one part explains nothing
        only_overhead, only_rate = a / aa, b / bb if bb else 0.0
        errors = (
            sum((only_overhead * r[0] - 1.0) ** 2 for r in rows),
            sum((only_rate * r[1] - 1.0) ** 2 for r in rows),
        )
        overhead, rate = (0.0, only_rate) if only_rate and errors[1] < errors[0] else (only_overhead, 0.0)
    line = Line(overhead, rate, 1.0, 1.0)
    ratios = sorted(s.seconds / line.seconds(s.units) for s in samples)
    return Line(overhead, rate, min(1.0, _quantile(ratios, 0.1)), max(1.0, _quantile(ratios, 0.9)))


def _quantile(ordered: Sequence[float], share: float) -> float:
    at = share * (len(ordered) - 1)
    low, high = ordered[math.floor(at)], ordered[math.ceil(at)]
    return low + (high - low) * (at - math.floor(at))


class Estimator:
    """A line through the newest undisturbed runs of the same strategy; of any strategy while there are none of it.

    A plug-in's first run is not estimated: its own code may take a thousand times as long as what is built in.

    slots: runs at once; reserve: more of them for owners who have none running
    """

    def __init__(self, repository: Repository, memory: MemoryLimit, slots: int, reserve: int) -> None:
        self._repository = repository
        self._memory = memory
        self._slots = slots
        self._reserve = reserve
        self._samples: dict[str | None, tuple[float, list[Sample]]] = {}

    async def seconds(self, strategy_type: str, work_units: int) -> float | None:
        """Expected seconds of computing; None until a run has finished here."""
        samples = await self._known(strategy_type)
        return round(fitted(samples).seconds(work_units), 3) if samples else None

    async def estimate(self, config: BacktestConfig, coverage: Sequence[Coverage], work_units: int) -> Estimate:
        samples = await self._known(config.strategy_type)
        line = fitted(samples) if samples else None
        waiting = await self.waiting()
        seconds = line.seconds(work_units) if line else None
        return Estimate(
            seconds=None if seconds is None else round(seconds, 3),
            low=None if seconds is None or line is None else round(seconds * line.low, 3),
            high=None if seconds is None or line is None else round(seconds * line.high, 3),
            learned_from=len(samples),
            queue_position=waiting + 1,
            wait_seconds=await self.wait_seconds(waiting + 1),
            work_units=work_units,
            memory_bytes=memory_needed(coverage),
        )

    async def waiting(self) -> int:
        return await self._repository.count(Backtest, (eq("status", Status.QUEUED),))

    async def wait_seconds(self, position: int, owner: str | None = None) -> float | None:
        """Until the run at this place of the queue starts: what those before it are expected to take, over the slots.

        None where nothing is known of how long runs take; 0 when a slot is free, or a process in reserve for an owner
        who has none running.
        """
        most = self._slots + self._reserve
        running = await self._repository.find(Backtest, (eq("status", Status.RUNNING),), limit=most)
        newcomer = owner is not None and owner not in {run.owner_id for run in running}
        if position - 1 + len(running) < (most if newcomer else self._slots):
            return 0.0
        typical = await self._typical_seconds()
        if typical is None:
            return None
        now = utc_now()
        left = sum(_left(run, typical, now) for run in running)
        before = min(position - 1, _LOOKED_AT)
        waiting = await self._first_in_line(before)
        ahead = sum(run.estimated_seconds or typical for run in waiting) * ((position - 1) / before if before else 0.0)
        return round((left + ahead) / self._slots, 3)

    async def _first_in_line(self, count: int) -> list[Backtest]:
        where = (eq("status", Status.QUEUED),)
        return await self._repository.find(Backtest, where, Order("queued_at"), limit=count) if count else []

    async def seconds_until_free(self, places: int) -> int:
        """After which so many of the waiting runs will have started: for Retry-After, 1 to 60."""
        typical = await self._typical_seconds()
        return 10 if typical is None else max(1, min(60, math.ceil(typical * places / self._slots)))

    async def refuse_too_large(self, config: BacktestConfig, coverage: Sequence[Coverage]) -> None:
        """InvalidInput for a run that could not be held in the memory it may have."""
        needed = memory_needed(coverage)
        if needed > self._memory.bytes:
            bars = sum(series.bars for series in coverage)
            message = (
                f"{len(config.symbols)} symbols with {bars:,} bars need about {needed // _MB:,} MB: {self._memory.text}"
            )
            raise InvalidInput.at("/symbols", "too_large", message)

    async def _typical_seconds(self) -> float | None:
        samples = await self._known(None)
        return statistics.median(sample.seconds for sample in samples) if samples else None

    async def _known(self, strategy_type: str | None) -> list[Sample]:
        """Samples of a strategy, of any while a built-in one has none; None: of all."""
        read_at, samples = self._samples.get(strategy_type, (-_FRESH_SECONDS, []))
        if samples and time.monotonic() - read_at < _FRESH_SECONDS:
            return samples
        samples = await self._read(strategy_type)
        if strategy_type is not None and not samples and is_built_in(strategy_type):
            samples = await self._known(None)
        if samples:
            self._samples[strategy_type] = (time.monotonic(), samples)
        return samples

    async def _read(self, strategy_type: str | None) -> list[Sample]:
        where = [eq("status", Status.COMPLETED), eq("attempt", 1), Condition("execution_seconds", Op.GT, 0.0)]
        if strategy_type is not None:
            where.append(eq("config.strategy_type", strategy_type))
        runs = await self._repository.find(Backtest, where, Order("created_at", descending=True), limit=_SAMPLE)
        return [Sample(run.work_units, run.execution_seconds) for run in runs if run.execution_seconds]


def _left(run: Backtest, typical: float, now: dt.datetime) -> float:
    """Seconds that a running backtest is expected to go on: as it measures itself, else as it was estimated."""
    if run.progress.eta_seconds is not None:
        return run.progress.eta_seconds
    so_far = (now - (run.started_at or now)).total_seconds()
    return max(0.0, (run.estimated_seconds or typical) - so_far)


def memory_needed(coverage: Sequence[Coverage]) -> int:
    """Bytes that a worker process is expected to hold while it computes such a run."""
    return BASE_BYTES + BYTES_PER_BAR * sum(series.bars for series in coverage)
