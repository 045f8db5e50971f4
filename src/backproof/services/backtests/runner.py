"""BacktestRunner: claims runs, one after the other, and sees each of them to an end.

It is one coroutine on the worker's event loop; the engine computes in a thread beside it, so that heartbeats, log lines
and progress go out while bars are simulated. A watchdog thread ends the process when the loop cannot renew the claim.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import structlog

from backproof.domain.backtest import Backtest
from backproof.domain.lifecycle import Status
from backproof.errors import BackproofError, LostClaim, StorageFailed, StoreUnavailable
from backproof.services.backtests.attempt import Attempt, Equipment, HandedOver
from backproof.services.backtests.slots import Seat
from backproof.services.backtests.strategy_code import routed
from backproof.services.backtests.transitions import WORKER_STOPPED, Outcome
from backproof.services.backtests.watchdog import Watchdog

log = structlog.get_logger(__name__)

REPORT_SECONDS = 0.25  # latest-value frames and heartbeats: at most four per second
LIMIT_SECONDS = 0.05  # between two looks at the limits of a run that does not come back
HAND_OVER_SECONDS = 4.0  # for a run that is handed over to get to its next bar and write its checkpoint


class BacktestRunner:
    """seat: what holds the limits of runs at once. `end_process(reason)` must not return.

    enforce: let the kernel hold the limits too; for a process that does nothing else
    """

    def __init__(
        self,
        equipment: Equipment,
        seat: Seat,
        *,
        lease_seconds: float,
        max_seconds: float,
        checkpoint_seconds: float,
        end_process: Callable[[str], None],
        enforce: bool,
    ) -> None:
        self._e = equipment
        self._seat = seat
        self._lease_seconds = lease_seconds
        self._max_seconds = max_seconds
        self._checkpoint_seconds = checkpoint_seconds
        self._end_process = end_process
        self._enforce = enforce
        self._current: Attempt | None = None
        self._working: asyncio.Task[int] | None = None
        self._drain_until: float | None = None

    async def run_waiting(self) -> int:
        """Run what waits, one after the other, until nothing does or as many run as may; how many runs were taken."""
        self._working = asyncio.current_task()
        taken, looked_again = 0, False
        while self._drain_until is None and await self._seat.take():
            took = await self._run_in_turn()
            taken += took
            # somebody may have come, found every slot taken, and left, between our last look and our leaving
            if (looked_again and not took) or not await self._e.orchestrator.somebody_waits():
                break
            looked_again = not took
        return taken

    async def _run_in_turn(self) -> int:
        """Run what waits until this process may take nothing more; how many runs, and the slot is free again."""
        taken = 0
        try:
            while self._drain_until is None:
                if (run := await self._e.orchestrator.claim_next(self._e.worker, self._seat)) is None:
                    break
                taken += 1
                if not await self._seat.keep(now=True):  # this process stood still between slot and claim
                    await self._e.orchestrator.give_back(run, WORKER_STOPPED)
                    break
                if not await self._run(run):
                    break
        finally:
            await self._seat.leave()
        return taken

    async def drain(self, seconds: float) -> None:
        """Claim nothing more; return when the run that is held has ended or, where it takes longer, is handed over."""
        self._drain_until = time.monotonic() + seconds
        if self._working is not None:
            await asyncio.wait((self._working,))

    async def give_back_current(self, reason: str) -> None:
        """The process stops now: hand the run it holds to somebody else, as its last checkpoint has it."""
        self._drain_until = 0.0
        if self._current is not None:
            await self._e.orchestrator.give_back(self._current.run, reason)
        await self._seat.leave()

    async def _run(self, run: Backtest) -> bool:
        """Whether this process still has its slot afterwards."""
        attempt = Attempt(run, self._e, self._max_seconds, self._checkpoint_seconds)
        self._current = attempt
        watchdog = Watchdog(self._lease_seconds * 2 / 3, self._end_process, alarm=self._enforce)
        structlog.contextvars.bind_contextvars(backtest_id=run.id, attempt=run.attempt)
        reporter = asyncio.create_task(self._report(attempt, watchdog))
        try:
            with watchdog, routed():
                with self._e.memory.held():
                    outcome = replace(await self._outcome(attempt), seconds=attempt.seconds)
                if (finished := await self._finish(attempt, outcome, watchdog)) is None:
                    raise LostClaim(f"another worker owns {run.id} now")
            await _stopped(reporter)  # what it keeps must not come after what is tidied
            log.info("backtest_finished", status=str(finished.status), seconds=finished.duration_seconds)
            if attempt.left_something:
                await self._tidy(finished)
            await asyncio.to_thread(self._e.memory.release)
        except HandedOver:
            await self._hand_over(attempt)
        except LostClaim as error:
            log.warning("claim_lost", reason=str(error))
            if attempt.slot_lost:
                await self._e.orchestrator.give_back(run, WORKER_STOPPED)
            await self._tidy_lost(attempt)
        finally:
            await _stopped(reporter)
            self._current = None
            structlog.contextvars.unbind_contextvars("backtest_id", "attempt")
            await self._seat.leave_owner()
        if attempt.unfit is not None:  # a thread cannot be stopped, and memory may not come back
            await self._seat.leave()
            self._end_process(attempt.unfit)
        return not attempt.slot_lost

    async def _hand_over(self, attempt: Attempt) -> None:
        """Queue the run again, with what it has said; the next attempt goes on where this one stopped."""
        with contextlib.suppress(BackproofError):
            if lines := await attempt.last_words():
                await self._e.orchestrator.log(attempt.run, lines)
        await self._e.orchestrator.give_back(attempt.run, WORKER_STOPPED)
        log.info("backtest_handed_over", progress=attempt.progress().percent)

    async def _report(self, attempt: Attempt, watchdog: Watchdog) -> None:
        while True:
            await asyncio.sleep(REPORT_SECONDS)
            try:
                if not await self._seat.keep():
                    attempt.lose_slot()
                    return
                if (renewed := await attempt.renew()) is None:
                    return
                watchdog.renewed()
                await attempt.report(renewed)
            except (BackproofError, MemoryError) as error:
                # the store or Redis is away, or memory for a moment: the watchdog decides when that is too long
                log.warning("report_failed", reason=str(error))

    async def _outcome(self, attempt: Attempt) -> Outcome:
        """What the attempt comes to; one that does not come back is ended by its limits, and its thread left alone.

        Raises HandedOver in a process that drains.
        """
        work = asyncio.create_task(attempt.outcome())
        while not (await asyncio.wait((work,), timeout=LIMIT_SECONDS))[0]:
            outcome, now = attempt.overdue(), time.monotonic()
            if self._drain_until is not None and attempt.ends_after(self._drain_until):
                attempt.hand_over()
            patience = HAND_OVER_SECONDS if attempt.has_begun else 0.0
            late = attempt.asked_at is not None and now > attempt.asked_at + patience
            if outcome is not None or late:
                work.cancel()  # the thread goes on, but nothing comes after it
                await asyncio.gather(work, return_exceptions=True)
                if outcome is None:
                    raise HandedOver
                return outcome
        return work.result()

    async def _finish(self, attempt: Attempt, outcome: Outcome, watchdog: Watchdog) -> Backtest | None:
        """Save the outcome; while the store is away, keep trying until the claim itself runs out.

        A run that has ended is not claimed any more: what is left to tell and to tidy is not cut short.
        """
        lines = None
        while True:
            try:
                if lines is None:
                    lines = await attempt.last_words()
                return await self._e.orchestrator.finish(attempt.run, outcome, lines, written=watchdog.stop)
            except StoreUnavailable as error:
                log.warning("finish_waits_for_the_store", reason=str(error))
                await asyncio.sleep(REPORT_SECONDS)

    async def _tidy(self, run: Backtest) -> None:
        """Delete what earlier attempts have left and nobody needs any more."""
        with _left_to_the_scheduler():
            await self._e.checkpoints.tidy(run)
            if run.status == Status.COMPLETED:
                await self._e.checkpoints.forget_intermediate(run)

    async def _tidy_lost(self, attempt: Attempt) -> None:
        """A checkpoint or a result that came after the claim was gone is of use to nobody."""
        with _left_to_the_scheduler():
            await attempt.settle()
            await self._e.checkpoints.tidy_lost(attempt.run)


async def _stopped(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@contextlib.contextmanager
def _left_to_the_scheduler() -> Iterator[None]:
    """What cannot be deleted now, its housekeeping finds later."""
    try:
        yield
    except (StorageFailed, StoreUnavailable) as error:
        log.warning("not_tidied", reason=str(error))
