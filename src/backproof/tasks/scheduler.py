"""The scheduler process: what must happen although nobody asks for it.

Several may run; a lease picks the one that acts.
"""

import asyncio
import contextlib
import datetime as dt
import os
import signal
import socket

import structlog

from backproof.bootstrap import ServiceFactory
from backproof.domain.backtest import Backtest, Lease
from backproof.domain.documents import Change, Condition, Op, Repository, eq, utc_now
from backproof.domain.lifecycle import Status
from backproof.errors import BackproofError, BrokerUnavailable
from backproof.settings import Settings
from backproof.telemetry.logs import configure_logging

log = structlog.get_logger(__name__)

LEADER = "scheduler"
MAX_HINTS = 16


def main(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT."""
    configure_logging(settings.log_level, settings.log_format)
    asyncio.run(_run(settings))


async def _run(settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    factory = await ServiceFactory.open(settings)
    leadership = Leadership(factory.repository, settings.worker_lease_seconds)
    scheduler = Scheduler(factory)
    try:
        while not stop.is_set():
            try:
                if await leadership.held():
                    await scheduler.round()
            except BackproofError as error:
                log.warning("round_failed", reason=str(error))
            except Exception:  # the scheduler must outlive any single bad round
                log.exception("round_crashed")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), settings.reaper_interval_seconds)
    finally:
        with contextlib.suppress(BackproofError):
            await leadership.give_up()
        await factory.close()


class Leadership:
    """A lease on the role, renewed by its holder; others take over when it has run out."""

    def __init__(self, repository: Repository, seconds: float) -> None:
        self._repository = repository
        self._seconds = seconds
        self._me = f"{socket.gethostname()}:{os.getpid()}"

    async def held(self) -> bool:
        now = utc_now()
        until = now + dt.timedelta(seconds=self._seconds)
        if await self._repository.add(Lease(id=LEADER, holder=self._me, expires_at=until)):
            return True
        change = Change(set={"holder": self._me, "expires_at": until})
        if await self._repository.update(Lease, LEADER, (eq("holder", self._me),), change):
            return True
        expired = (Condition("expires_at", Op.LT, now),)
        return await self._repository.update(Lease, LEADER, expired, change) is not None

    async def give_up(self) -> None:
        await self._repository.remove(Lease, (eq("id", LEADER), eq("holder", self._me)))


class Scheduler:
    """One round: runs of dead workers, events left in outboxes, hints that got lost."""

    def __init__(self, factory: ServiceFactory) -> None:
        self._factory = factory
        self._reaper = factory.reaper()

    async def round(self) -> None:
        await self._reaper.look()
        await self._factory.ledger.sweep()
        await self._hint_waiting()

    async def _hint_waiting(self) -> None:
        waiting = await self._factory.repository.count(Backtest, (eq("status", Status.QUEUED),))
        if not waiting:
            return
        try:
            unread = await self._factory.execution.depth()
        except BrokerUnavailable as error:
            log.warning("queue_not_read", reason=str(error))
            return
        for _ in range(min(waiting - unread, MAX_HINTS)):
            await self._factory.execution.hint()
