"""Reaper: gives runs of dead workers back, without ever comparing two machines' clocks."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from backproof.domain.backtest import Backtest
from backproof.domain.documents import Repository, is_in
from backproof.domain.lifecycle import CLAIMED
from backproof.services.backtests.host import is_alive, this_host
from backproof.services.backtests.orchestrator import BacktestOrchestrator

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Sighting:
    heartbeat: int
    fence: int
    since: float


class Reaper:
    """A run whose heartbeat counter stands still for the lease, on the reaper's own clock, has lost its worker.

    A worker of this very host is also known to be dead when its process is gone, which needs no waiting.
    """

    def __init__(
        self,
        repository: Repository,
        orchestrator: BacktestOrchestrator,
        lease_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._repository = repository
        self._orchestrator = orchestrator
        self._lease_seconds = lease_seconds
        self._clock = clock
        self._seen: dict[str, _Sighting] = {}

    async def look(self) -> int:
        """One round over all claimed runs; how many were given back."""
        claimed = await self._repository.find(
            Backtest, (is_in("status", tuple(str(s) for s in CLAIMED)),), limit=10_000
        )
        self._seen = {run.id: self._sighted(run) for run in claimed}
        given = 0
        for run in claimed:
            if (reason := self._dead(run)) is not None:
                log.warning("run_given_back", backtest_id=run.id, attempt=run.attempt, reason=reason)
                given += await self._orchestrator.give_back(run, reason) is not None
        return given

    def _sighted(self, run: Backtest) -> _Sighting:
        known = self._seen.get(run.id)
        if known is not None and (known.heartbeat, known.fence) == (run.heartbeat, run.fence):
            return known
        return _Sighting(run.heartbeat, run.fence, self._clock())

    def _dead(self, run: Backtest) -> str | None:
        if run.worker is not None and run.worker.host == this_host() and not is_alive(run.worker.pid):
            return "worker_died"
        if self._clock() - self._seen[run.id].since >= self._lease_seconds:
            return "heartbeat_lost"
        return None
