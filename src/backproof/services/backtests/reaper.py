"""Reaper: gives runs and slots of dead workers back, without ever comparing two machines' clocks."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from backproof.domain.backtest import Backtest, Worker
from backproof.domain.documents import Repository, is_in
from backproof.domain.lifecycle import CLAIMED
from backproof.services.backtests.host import gone
from backproof.services.backtests.orchestrator import BacktestOrchestrator
from backproof.services.backtests.slots import Slots

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Sighting:
    beat: tuple[int, int | str]  # what its holder raises, and whose it is
    since: float


class Reaper:
    """A run or slot whose heartbeat counter stands still for the lease, on the reaper's own clock, has lost its worker.

    A worker of this very host is also known to be dead when its process is gone, which needs no waiting.
    """

    def __init__(
        self,
        repository: Repository,
        orchestrator: BacktestOrchestrator,
        slots: Slots,
        lease_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._repository = repository
        self._orchestrator = orchestrator
        self._slots = slots
        self._lease_seconds = lease_seconds
        self._clock = clock
        self._seen: dict[str, _Sighting] = {}

    async def look(self) -> int:
        """One round over all claimed runs, then over all slots; how many runs were given back."""
        asked = self._clock()  # this process may stand still before it sees the answer, which is old by then
        claimed = await self._claimed()
        slots = await self._slots.taken()
        beats = {run.id: (run.heartbeat, run.fence) for run in claimed}
        self._see({**beats, **{slot.id: (slot.beat, slot.holder) for slot in slots}})
        given = await self._give_back({run.id: (run, self._dead(run.id, run.worker, asked)) for run in claimed})
        for slot in slots:
            if (reason := self._dead(slot.id, slot.worker, asked)) is not None:
                log.warning("slot_freed", slot=slot.id, holder=slot.holder, reason=reason)
                await self._slots.give_up(slot)
        return given

    async def look_here(self) -> int:
        """Only for processes of this very host that have ended, which needs no waiting."""
        given = await self._give_back({run.id: (run, _gone(run.worker)) for run in await self._claimed()})
        for slot in await self._slots.taken():
            if _gone(slot.worker) is not None:
                await self._slots.give_up(slot)
        return given

    async def _claimed(self) -> list[Backtest]:
        held = (is_in("status", tuple(str(status) for status in sorted(CLAIMED))),)
        return await self._repository.find(Backtest, held, limit=10_000)

    async def _give_back(self, found: Mapping[str, tuple[Backtest, str | None]]) -> int:
        given = 0
        for run, reason in found.values():
            if reason is not None:
                log.warning("run_given_back", backtest_id=run.id, attempt=run.attempt, reason=reason)
                given += await self._orchestrator.give_back(run, reason) is not None
        return given

    def _see(self, beats: Mapping[str, tuple[int, int | str]]) -> None:
        now, known = self._clock(), self._seen
        self._seen = {
            name: known[name] if name in known and known[name].beat == beat else _Sighting(beat, now)
            for name, beat in beats.items()
        }

    def _dead(self, name: str, worker: Worker | None, asked: float) -> str | None:
        if (reason := _gone(worker)) is not None:
            return reason
        return "heartbeat_lost" if asked - self._seen[name].since >= self._lease_seconds else None


def _gone(worker: Worker | None) -> str | None:
    return "worker_died" if gone(worker) else None
