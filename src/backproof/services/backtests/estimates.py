"""How long a run will take, learned from runs that finished here."""

import statistics
import time

from backproof.domain.backtest import Backtest
from backproof.domain.documents import Condition, Op, Order, Repository, eq
from backproof.domain.lifecycle import Status
from backproof.services.backtests.models import Estimate

_SAMPLE = 20
_FRESH_SECONDS = 5.0


class Estimator:
    """Seconds = overhead + rate x work units, from the newest completed runs of the same strategy.

    With few runs of similar size the two cannot be told apart, so the median duration of those nearest in size is
    scaled only upwards: a run is never expected to take less than the smallest one seen.
    """

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._samples: dict[str, tuple[float, list[tuple[int, float]]]] = {}

    async def seconds(self, strategy_type: str, work_units: int) -> float | None:
        """Expected seconds of computing; None until a run of this strategy has finished."""
        read_at, samples = self._samples.get(strategy_type, (-_FRESH_SECONDS, []))
        if time.monotonic() - read_at >= _FRESH_SECONDS:
            runs = await self._repository.find(
                Backtest,
                (eq("config.strategy_type", strategy_type), eq("status", Status.COMPLETED)),
                Order("created_at", descending=True),
                limit=_SAMPLE,
            )
            samples = [(run.work_units, run.duration_seconds) for run in runs if run.duration_seconds is not None]
            if samples:
                self._samples[strategy_type] = (time.monotonic(), samples)
        if not samples:
            return None
        nearest = sorted(samples, key=lambda sample: abs(sample[0] - work_units))[:5]
        scale = max(1.0, work_units / max(1, statistics.median(units for units, _ in nearest)))
        return round(statistics.median(seconds for _, seconds in nearest) * scale, 3)

    async def estimate(self, strategy_type: str, work_units: int) -> Estimate:
        return Estimate(
            seconds=await self.seconds(strategy_type, work_units),
            queue_position=await self.queue_length() + 1,
            work_units=work_units,
        )

    async def queue_length(self) -> int:
        return await self._repository.count(Backtest, (eq("status", Status.QUEUED),))

    async def queue_position(self, run: Backtest) -> int | None:
        """1 for the run that starts next; None for a run that does not wait."""
        if run.status != Status.QUEUED or run.queued_at is None:
            return None
        ahead = (eq("status", Status.QUEUED), Condition("queued_at", Op.LT, run.queued_at))
        return await self._repository.count(Backtest, ahead) + 1
