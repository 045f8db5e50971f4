"""Slots: how many backtests run at once, and who leads, as documents that exist or not.

Counting first and claiming then would let six run under a limit of five.
"""

import secrets
import time

from backproof.domain.backtest import Slot, Worker
from backproof.domain.documents import Change, Condition, Op, Repository, eq

ALL = "slot"


class Slots:
    """Numbered documents `<kind>:0` to `<kind>:<limit - 1>`; who could add one holds it."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    async def take(self, kind: str, limit: int, worker: Worker) -> Slot | None:
        """One that is free now; None: all are taken."""
        holder = f"{worker.name}:{secrets.token_hex(6)}"
        taken = {slot.id for slot in await self.taken(kind)}
        for number in range(limit):
            slot = Slot(id=f"{kind}:{number}", holder=holder, worker=worker)
            if slot.id not in taken and await self._repository.add(slot):
                return slot
        return None

    async def keep(self, slot: Slot) -> bool:
        """Say that it is still in use; False when it was taken away."""
        beat = Change(inc={"beat": 1})
        return await self._repository.update(Slot, slot.id, (eq("holder", slot.holder),), beat) is not None

    async def give_up(self, slot: Slot) -> bool:
        return bool(await self._repository.remove(Slot, (eq("id", slot.id), eq("holder", slot.holder))))

    async def taken(self, kind: str | None = None) -> list[Slot]:
        """Those held now, of one kind or all."""
        where = () if kind is None else (Condition("id", Op.PREFIX, kind + ":"),)
        return await self._repository.find(Slot, where, limit=10_000)


class Seat:
    """The slots that one runner holds: one of all while it works, and one of the owner whose run it has.

    limit: most runs at once; owner_limit: of one owner, None for no limit of its own
    beat_seconds: between two signs of life, which whoever reaps slots waits for several times
    for_all: processes of one parent that take anybody's runs; more of them only those of owners who have none running
    """

    def __init__(
        self,
        slots: Slots,
        worker: Worker,
        limit: int,
        owner_limit: int | None,
        beat_seconds: float = 3.0,
        for_all: int | None = None,
    ) -> None:
        self.owner_limit = owner_limit
        self.for_newcomers = False
        self._for_all = for_all
        self._slots = slots
        self._worker = worker
        self._limit = limit
        self._beat_seconds = beat_seconds
        self._mine: Slot | None = None
        self._owners: Slot | None = None
        self._kept_at = 0.0

    async def take(self) -> bool:
        """Have a slot of all; False: as many run as may."""
        if self._mine is None:
            self._mine = await self._slots.take(ALL, self._limit, self._worker)
            self._kept_at = time.monotonic()
            if self._mine is not None and self._for_all is not None:
                self.for_newcomers = await self._siblings_before(self._mine) >= self._for_all
        return self._mine is not None

    async def _siblings_before(self, mine: Slot) -> int:
        """Slots with a lower number that processes of the same parent hold: two of them never find the same."""
        taken = await self._slots.taken(ALL)
        siblings = [s for s in taken if (s.worker.host, s.worker.parent) == (mine.worker.host, mine.worker.parent)]
        return sum(_number(slot) < _number(mine) for slot in siblings)

    async def take_of(self, owner: str) -> bool:
        """Have a slot for a run of this owner; False: it runs as many as it may."""
        if self.owner_limit is None:
            return True
        self._owners = await self._slots.take(f"user:{owner}", self.owner_limit, self._worker)
        return self._owners is not None

    async def keep(self, *, now: bool = False) -> bool:
        """Renew them when it is time; False when one was taken away meanwhile, as this process was not heard of."""
        if not now and time.monotonic() - self._kept_at < self._beat_seconds:
            return True
        self._kept_at = time.monotonic()
        kept = [await self._slots.keep(slot) for slot in (self._mine, self._owners) if slot is not None]
        return all(kept)

    async def leave_owner(self) -> None:
        """The run is over."""
        if self._owners is not None:
            slot, self._owners = self._owners, None
            await self._slots.give_up(slot)

    async def leave(self) -> None:
        """There is no work any more."""
        await self.leave_owner()
        if self._mine is not None:
            slot, self._mine = self._mine, None
            await self._slots.give_up(slot)


def _number(slot: Slot) -> int:
    return int(slot.id.rpartition(":")[2])
