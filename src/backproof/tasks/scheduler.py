"""The scheduler process: what must happen although nobody asks for it.

Several may run; one of them leads, and acts.
"""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable

import structlog

from backproof.bootstrap import ServiceFactory, patiently, verified
from backproof.domain.backtest import Backtest, Slot, Worker
from backproof.domain.documents import eq
from backproof.domain.lifecycle import Status
from backproof.errors import BackproofError, BrokerUnavailable
from backproof.messaging.queue import ENOUGH_HINTS
from backproof.services.backtests.host import gone, this_worker
from backproof.services.backtests.slots import Slots
from backproof.settings import Settings
from backproof.telemetry.beats import Beat
from backproof.telemetry.logs import configure_logging

log = structlog.get_logger(__name__)

LEADER = "leader"
STOP_SECONDS = 1.0  # for each step of stopping
LOOK_SECONDS = 0.5  # between two looks for processes of this host that have died
HOUSEKEEPING_SECONDS = 600.0


def main(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT; a second one ends it at once."""
    configure_logging(settings.log_level, settings.log_format)
    asyncio.run(_run(settings))


async def _run(settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, _asked_to_stop, stop)
    beat = Beat("scheduler", settings.health_timeout_seconds)
    verifying = asyncio.create_task(verified(settings.redis))
    verifying.add_done_callback(lambda _: stop.set() if _failed(verifying) else None)
    waiting = asyncio.create_task(beat.keep())  # one that waits for the store does not hang
    factory = await _opened(settings, stop)
    waiting.cancel()
    if factory is not None:
        await _until_stopped(factory, settings, beat, stop)
    if not verifying.done():
        verifying.cancel()
    elif (error := verifying.exception()) is not None:
        raise error


def _failed(task: "asyncio.Task[None]") -> bool:
    return not task.cancelled() and task.exception() is not None


async def _opened(settings: Settings, stop: asyncio.Event) -> ServiceFactory | None:
    """The services, once the store answers; None when this process is to stop before that."""
    opening = asyncio.create_task(patiently(lambda: ServiceFactory.open(settings)))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((opening, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if opening.done():
        return opening.result()
    opening.cancel()
    with contextlib.suppress(asyncio.CancelledError, BackproofError):
        return await opening
    return None


async def _until_stopped(factory: ServiceFactory, settings: Settings, beat: Beat, stop: asyncio.Event) -> None:
    leadership = Leadership(Slots(factory.repository), this_worker(), settings.worker_lease_seconds)
    scheduler = Scheduler(factory)
    working = asyncio.create_task(_work(scheduler, leadership, beat, stop))
    try:
        await stop.wait()
    finally:
        beat.end()
        if not (await asyncio.wait((working,), timeout=STOP_SECONDS))[0]:
            working.cancel()  # each step of a round is one write, and whoever leads next does the rest
            await asyncio.wait((working,), timeout=STOP_SECONDS)
        with contextlib.suppress(BackproofError, TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await leadership.give_up()  # first of all: another one leads from its next round on
        await scheduler.stop()
        await factory.close()


def _asked_to_stop(stop: asyncio.Event) -> None:
    if stop.is_set():
        os._exit(0)
    stop.set()


async def _work(scheduler: "Scheduler", leadership: "Leadership", beat: Beat, stop: asyncio.Event) -> None:
    failed = False
    while not stop.is_set():
        try:
            await scheduler.tick(leadership)
            if failed:
                log.info("rounds_go_on")
            failed = False
        except BackproofError as error:
            if not failed:  # once, not with every round
                log.warning("round_failed", reason=str(error))
            failed = True
        except Exception:  # the scheduler must outlive any single bad round
            log.exception("round_crashed")
        beat.touch()  # after a round: one that never ends is seen
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), scheduler.pause)


class Leadership:
    """The one slot of those who lead. Its holder raises its beat; whoever sees that stand still takes it over.

    No two machines' clocks are compared: an hour that one of them is wrong would be an hour without a leader.
    """

    def __init__(
        self, slots: Slots, worker: Worker, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._slots = slots
        self._worker = worker
        self._seconds = seconds
        self._clock = clock
        self._mine: Slot | None = None
        self._seen: tuple[Slot, float] | None = None

    async def held(self) -> bool:
        """Whether this process leads now; renews that, or takes over from who is not heard of any more."""
        if self._mine is not None and await self._slots.keep(self._mine):
            return True
        self._mine = await self._slots.take(LEADER, 1, self._worker)
        if self._mine is None:
            await self._watch()
        return self._mine is not None

    async def _watch(self) -> None:
        """Look at who leads; the place of one who is gone is free from the next round on."""
        for slot in await self._slots.taken(LEADER):
            now = self._clock()
            if self._seen is None or self._seen[0] != slot:
                self._seen = slot, now
            if gone(slot.worker) or now - self._seen[1] >= self._seconds:
                await self._slots.give_up(slot)
                self._mine = await self._slots.take(LEADER, 1, self._worker)

    async def give_up(self) -> None:
        if self._mine is not None:
            await self._slots.give_up(self._mine)


class Scheduler:
    """Ticks often for this host's dead processes; in rounds, if it leads: runs of other dead workers, events left in
    outboxes, runs whose data has come, hints that got lost; now and then what is kept no longer."""

    def __init__(self, factory: ServiceFactory, clock: Callable[[], float] = time.monotonic) -> None:
        self._factory = factory
        self._reaper = factory.reaper()
        self._housekeeping = factory.housekeeping()
        self._clock = clock
        self._round_at = self._tidy_at = clock()
        self._tidying: asyncio.Task[None] | None = None

    @property
    def pause(self) -> float:
        """Seconds between two ticks."""
        return min(LOOK_SECONDS, self._factory.settings.reaper_interval_seconds)

    async def tick(self, leadership: "Leadership") -> None:
        await self._reaper.look_here()
        now = self._clock()
        if now >= self._round_at:
            self._round_at = now + self._factory.settings.reaper_interval_seconds
            if await leadership.held():
                await self.round()

    async def round(self) -> None:
        await self._reaper.look()
        await self._factory.ledger.sweep()
        await self._factory.orchestrator.admit_pending(self._factory.settings.pending_patience_seconds)
        await self._hint_waiting()
        if self._clock() >= self._tidy_at and (self._tidying is None or self._tidying.done()):
            self._tidy_at = self._clock() + HOUSEKEEPING_SECONDS
            self._tidying = asyncio.create_task(self._tidy())  # many files take a while, the dead are not to wait

    async def stop(self) -> None:
        if self._tidying is not None:
            self._tidying.cancel()
            await asyncio.gather(self._tidying, return_exceptions=True)

    async def _tidy(self) -> None:
        try:
            await self._housekeeping.tidy()
        except BackproofError as error:
            log.warning("not_tidied", reason=str(error))
        except Exception:
            log.exception("tidying_crashed")

    async def _hint_waiting(self) -> None:
        waiting = await self._factory.repository.count(Backtest, (eq("status", Status.QUEUED),))
        if not waiting:
            return
        try:
            unread = await self._factory.execution.depth()
        except BrokerUnavailable as error:
            log.debug("queue_not_read", reason=str(error))
            return
        for _ in range(min(waiting, ENOUGH_HINTS) - unread):
            await self._factory.execution.hint()
