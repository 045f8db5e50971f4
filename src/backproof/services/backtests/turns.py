"""Whose turn it is: the next run to start is that of the owner with the fewest running, then of the one who was served
longest ago, then the oldest.

By age alone somebody who queued a thousand runs first would be next each time that one of them ends. Among one owner's
runs the higher priority goes first, then the older one.
"""

from collections.abc import AsyncIterator, Collection

from backproof.domain.backtest import Backtest, Served
from backproof.domain.documents import Change, Condition, Op, Order, Repository, eq, is_in, utc_now
from backproof.domain.lifecycle import CLAIMED, Status

_HEADS = 2  # runs of one owner to try before looking again: other workers take them too


class Turns:
    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._several = False  # owners waited at the last look

    async def next_runs(self, owner_limit: int | None) -> AsyncIterator[list[Backtest]]:
        """By owner, in the order of their turns: the first of their waiting runs."""
        waiting = await self._repository.counts_by(Backtest, "owner_id", (eq("status", Status.QUEUED),))
        self._several = len(waiting) > 1
        if len(waiting) == 1 and owner_limit is None:
            yield await self._first_of(next(iter(waiting)), _HEADS)
            return
        running = await self.running() if waiting else {}
        by_running: dict[int, list[str]] = {}
        for owner in waiting:
            if owner_limit is None or running.get(owner, 0) < owner_limit:
                by_running.setdefault(running.get(owner, 0), []).append(owner)
        for count in sorted(by_running):
            tied = set(by_running[count])
            served = await self._served(tied)
            tied -= {one.id for one in served}
            while tied and (first := await self._longest_waiting(tied)) is not None:
                tied.discard(first)
                yield await self._first_of(first, _HEADS)
            for one in served:
                yield await self._first_of(one.id, _HEADS)

    async def note(self, run: Backtest) -> None:
        """It was started: its owner's next turn comes after that of the others who wait."""
        if self._several:
            now = utc_now()
            if await self._repository.update(Served, run.owner_id, (), Change(set={"at": now})) is None:
                await self._repository.add(Served(id=run.owner_id, at=now))

    async def running(self) -> dict[str, int]:
        """Runs that workers hold, by owner."""
        held = (is_in("status", tuple(str(status) for status in sorted(CLAIMED))),)
        return await self._repository.counts_by(Backtest, "owner_id", held)

    async def position(self, run: Backtest) -> int | None:
        """1 for the run that starts next; None for one that does not wait.

        As if the running ones ended in turn: of every other owner come first the runs that he may start until this
        one's owner has started those before it.
        """
        if run.status != Status.QUEUED:
            return None
        own = (eq("status", Status.QUEUED), eq("owner_id", run.owner_id))
        ahead = await self._repository.count(Backtest, (*own, Condition("queue_key", Op.LT, run.queue_key)))
        waiting = await self._repository.counts_by(Backtest, "owner_id", (eq("status", Status.QUEUED),))
        waiting.pop(run.owner_id, None)
        if not waiting:
            return ahead + 1
        running = await self.running()
        oldest = await self._repository.find(Backtest, own, Order("queued_at"), limit=1)
        before = Condition("queued_at", Op.LT, oldest[0].queued_at if oldest else run.queued_at)
        older = await self._repository.counts_by(Backtest, "owner_id", (eq("status", Status.QUEUED), before))
        served = {one.id: one.at for one in await self._served([run.owner_id, *waiting])}
        mine = served.get(run.owner_id)

        def goes_first(owner: str) -> bool:
            """Among equals with as many running."""
            theirs = served.get(owner)
            if theirs == mine:
                return owner in older
            return theirs is None or (mine is not None and theirs < mine)

        level = ahead + running.get(run.owner_id, 0)
        others = (
            min(count, max(0, level - running.get(owner, 0) + goes_first(owner))) for owner, count in waiting.items()
        )
        return ahead + sum(others) + 1

    async def _served(self, owners: Collection[str]) -> list[Served]:
        """Of those who were served while others waited: longest ago first."""
        return await self._repository.find(Served, (is_in("id", sorted(owners)),), Order("at"), limit=len(owners))

    async def _longest_waiting(self, owners: set[str]) -> str | None:
        """The one of these owners who has the oldest waiting run."""
        where = (eq("status", Status.QUEUED), is_in("owner_id", sorted(owners)))
        oldest = await self._repository.find(Backtest, where, Order("queued_at"), limit=1)
        return oldest[0].owner_id if oldest else None

    async def _first_of(self, owner: str, count: int) -> list[Backtest]:
        where = (eq("status", Status.QUEUED), eq("owner_id", owner))
        return await self._repository.find(Backtest, where, Order("queue_key"), limit=count)
