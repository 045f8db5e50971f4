"""BacktestRunner: claims a run, takes it through its four stages, and keeps the world informed meanwhile.

It is one coroutine on the worker's event loop; the engine computes in a thread beside it, so that heartbeats, log lines
and progress go out while bars are simulated. A watchdog thread ends the process when the loop cannot renew the claim.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar

import structlog

from backproof.domain.backtest import Backtest, Notice, Progress, RunError, TradingSummary, Worker
from backproof.domain.events import Event, EventType
from backproof.domain.lifecycle import STAGE_SPAN, Stage, Status
from backproof.errors import BackproofError, BrokerUnavailable, LostClaim, StoreUnavailable
from backproof.messaging.redis import EventStream, LiveState
from backproof.services.backtests.limits import MemoryLimit
from backproof.services.backtests.monitoring import MonitoringService
from backproof.services.backtests.orchestrator import BacktestOrchestrator, Outcome, log_line, series_notice
from backproof.services.backtests.strategy_code import Output, called, routed
from backproof.services.backtests.watchdog import Watchdog
from backproof.services.datasets import DatasetService
from backproof.storage.lake import Lake

if TYPE_CHECKING:
    from backproof.engine.result import Result
    from backproof.engine.simulation import Simulation

log = structlog.get_logger(__name__)
T = TypeVar("T")

REPORT_SECONDS = 0.25  # latest-value frames and heartbeats: at most four per second
CHUNK_SECONDS = 0.1  # simulated between two looks at cancel and deadline
FIRST_CHUNK_WORK = 500_000  # bars x symbols, before the speed of this run is known
FIRST_BARS_BY_HAND = 200  # of a strategy that decides bar by bar: its own code may take any time
LIVE_POINTS = 400
MAX_LOG_LINES = 10_000
LIMIT_SECONDS = 0.05  # between two looks at the limits of a run that does not come back
DEADLINE_GRACE = 2.0  # a run that can end itself at its deadline has done so by then
CANCEL_GRACE = 5.0


class _Deadline(BackproofError):
    code = "deadline_exceeded"


class BacktestRunner:
    def __init__(
        self,
        orchestrator: BacktestOrchestrator,
        monitoring: MonitoringService,
        datasets: DatasetService,
        lake: Lake,
        stream: EventStream,
        live: LiveState,
        worker: Worker,
        *,
        lease_seconds: float,
        max_seconds: float,
        memory: MemoryLimit,
        end_process: Callable[[str], None],
        enforce: bool,
    ) -> None:
        self._orchestrator = orchestrator
        self._monitoring = monitoring
        self._datasets = datasets
        self._lake = lake
        self._stream = stream
        self._live = live
        self._worker = worker
        self._lease_seconds = lease_seconds
        self._max_seconds = max_seconds
        self._memory = memory
        self._end_process = end_process
        self._enforce = enforce
        self._current: _Attempt | None = None

    async def run_waiting(self) -> int:
        """Run what waits, one after the other, until nothing does; how many runs were taken."""
        taken = 0
        while (run := await self._orchestrator.claim_next(self._worker)) is not None:
            taken += 1
            await self._run(run)
        return taken

    async def give_back_current(self, reason: str) -> None:
        """The process is about to stop: hand the run it holds to somebody else."""
        if self._current is not None:
            await self._orchestrator.give_back(self._current.run, reason)

    async def _run(self, run: Backtest) -> None:
        attempt = _Attempt(run, self, time.monotonic() + self._max_seconds)
        self._current = attempt
        watchdog = Watchdog(self._lease_seconds * 2 / 3, self._end_process, alarm=self._enforce)
        structlog.contextvars.bind_contextvars(backtest_id=run.id, attempt=run.attempt)
        reporter = asyncio.create_task(attempt.report(watchdog))
        try:
            with watchdog, routed():
                with self._memory.held():
                    outcome = await self._outcome(attempt)
                if (finished := await self._finish(attempt, outcome)) is None:
                    raise LostClaim(f"another worker owns {run.id} now")
            log.info("backtest_finished", status=str(finished.status), seconds=finished.duration_seconds)
        except LostClaim as error:
            log.warning("claim_lost", reason=str(error))
        finally:
            reporter.cancel()
            await asyncio.gather(reporter, return_exceptions=True)
            self._current = None
            structlog.contextvars.unbind_contextvars("backtest_id", "attempt")
        if attempt.unfit is not None:  # a thread cannot be stopped, and memory may not come back
            self._end_process(attempt.unfit)

    async def _outcome(self, attempt: "_Attempt") -> Outcome:
        """What the attempt comes to; one that does not come back is ended by its limits, and its thread left alone."""
        work = asyncio.create_task(attempt.outcome())
        while not (await asyncio.wait((work,), timeout=LIMIT_SECONDS))[0]:
            if (outcome := attempt.overdue()) is not None:
                work.cancel()  # the thread goes on, but nothing comes after it
                await asyncio.gather(work, return_exceptions=True)
                return outcome
        return work.result()

    async def _finish(self, attempt: "_Attempt", outcome: Outcome) -> Backtest | None:
        """Save the outcome; while the store is away, keep trying until the claim itself runs out."""
        lines = attempt.take_lines()
        while True:
            try:
                return await self._orchestrator.finish(attempt.run, outcome, lines)
            except StoreUnavailable as error:
                log.warning("finish_waits_for_the_store", reason=str(error))
                await asyncio.sleep(REPORT_SECONDS)


class _Attempt:
    """One attempt at one run: the stages, and what is known of them so far."""

    def __init__(self, run: Backtest, runner: BacktestRunner, deadline: float) -> None:
        self.run = run
        self._r = runner
        self._deadline = deadline
        self._stage = Stage.COLLECT_DATA
        self._started = self._stage_began = time.monotonic()
        self._simulation: Simulation | None = None
        self._lines: list[dict[str, Any]] = []
        self._lines_written = 0
        self._lost = False
        self._cancelled = run.status == Status.CANCELLING
        self._cancelled_at: float | None = None
        self._output = Output()
        self._messages_taken = 0
        self.unfit: str | None = None  # why the process should not take another run

    # ---- the stages -------------------------------------------------------------------------------------------

    async def outcome(self) -> Outcome:
        """Do the work. Every failure is an outcome too; only a lost claim is raised."""
        try:
            return await self._work()
        except LostClaim:
            raise
        except BackproofError as error:
            details = dict(error.details)
            if fields := getattr(error, "errors", None):
                details["errors"] = [asdict(field) for field in fields]
            return self._failed(RunError(code=error.code, message=error.message, stage=self._stage, details=details))
        except MemoryError:
            return self._out_of_memory()
        except Exception as error:
            log.exception("backtest_crashed")
            message = f"internal error: {type(error).__name__} (the worker's log has the traceback)"
            return self._failed(RunError(code="internal_error", message=message, stage=self._stage))

    async def _work(self) -> Outcome:
        from backproof.engine.bars import Bars  # late: numpy and numba stay out of processes that never simulate
        from backproof.engine.simulation import Simulation

        run, config = self.run, self.run.config
        if run.attempt > 1:
            self._say("warning", f"attempt {run.attempt}: started again from the first bar")
        await self._enter(Stage.COLLECT_DATA)
        loaded = await self._r._datasets.load(config)
        bars = await asyncio.to_thread(Bars.from_frame, loaded.table, calendar=loaded.calendar)
        coverage = await self._r._datasets.check(config)
        self._say("info", f"{loaded.table.num_rows} bars of {len(bars.symbols)} symbols loaded")

        await self._enter(Stage.INDICATORS)
        simulation = self._simulation = await self._called(Simulation, config, bars)
        await self._called(simulation.prepare)

        await self._enter(Stage.SIMULATE)
        await self._simulate(simulation)
        partial = simulation.position < simulation.total_bars
        if partial:
            self._say("warning", f"cancelled after {simulation.position} of {simulation.total_bars} bars")
            if simulation.position == 0:
                return Outcome(partial=True, progress=self.progress())

        await self._enter(Stage.SAVE)
        result = await asyncio.to_thread(simulation.result)
        notes = [series_notice(series) for series in coverage if series.note]
        return await self._save(result, loaded.calendar, partial, notes)

    async def _simulate(self, simulation: "Simulation") -> None:
        by_hand = simulation.context is not None
        chunk = FIRST_BARS_BY_HAND if by_hand else max(1, FIRST_CHUNK_WORK // len(self.run.config.symbols))
        while simulation.position < simulation.total_bars and not self._cancelled:
            self._check()
            began, first = time.perf_counter(), simulation.position
            await self._called(simulation.advance, min(first + chunk, simulation.total_bars))
            rate = (simulation.position - first) / max(time.perf_counter() - began, 1e-6)
            chunk = max(1, min(4 * chunk, int(rate * CHUNK_SECONDS)))

    async def _save(self, result: "Result", calendar: str, partial: bool, notes: list[Notice]) -> Outcome:
        def write() -> tuple[Any, ...]:
            file = self._r._lake.write_result(self.run.id, self.run.fence, result.to_tables())
            if self.run.fence > 1:
                self._r._lake.remove_other_attempts(self.run.id, self.run.fence)
            return file, result.fingerprint(), result.manifest(), _trading(result)

        file, fingerprint, manifest, trading = await asyncio.to_thread(write)
        self._check()
        self._say("info", f"{file.fills} fills, {file.trades} trades; result saved", sha256=file.sha256)
        manifest = {
            **manifest,
            "calendar": calendar,
            "worker": self._r._worker.name,
            "attempts": self.run.attempt,
            "seconds": round(time.monotonic() - self._started, 4),
        }
        return Outcome(
            partial=partial,
            result=file,
            fingerprint=fingerprint,
            metrics=result.metrics,
            null_reasons=result.null_reasons,
            benchmark_metrics=result.benchmark_metrics,
            trading=trading,
            notices=(*result.notices, *notes),
            manifest=manifest,
            progress=self.progress() if partial else self.progress().model_copy(update={"percent": 100.0}),
        )

    async def _called(self, function: Callable[..., T], *arguments: Any) -> T:
        return await called(self._output, self.run.config.strategy_type, function, *arguments)

    def overdue(self) -> Outcome | None:
        """The outcome of an attempt that is past one of its limits and has not ended itself; None: it may go on."""
        now = time.monotonic()
        if self._r._memory.exceeded:
            return self._out_of_memory()
        if now > self._deadline + DEADLINE_GRACE:
            self.unfit = "the strategy did not stop at the run's deadline"
            error = self._late()
            return self._failed(RunError(code=error.code, message=error.message, stage=self._stage))
        if not self._cancelled or self._stage == Stage.SAVE:
            self._cancelled_at = None
        elif self._cancelled_at is None:
            self._cancelled_at = now
        elif now > self._cancelled_at + CANCEL_GRACE:
            self.unfit = "the strategy did not stop when the run was cancelled"
            self._say("warning", f"cancelled; the strategy did not stop within {CANCEL_GRACE:g} s")
            return Outcome(partial=True, progress=self.progress())
        return None

    def _out_of_memory(self) -> Outcome:
        self.unfit = "a run needed more memory than it may have"
        message = f"the run needs more memory: {self._r._memory.text}"
        return self._failed(RunError(code="out_of_memory", message=message, stage=self._stage))

    def _failed(self, error: RunError) -> Outcome:
        self._hear_strategy()
        self._say("error", error.message, code=error.code)
        return Outcome(error=error, progress=self.progress())

    # ---- what the world sees ----------------------------------------------------------------------------------

    async def report(self, watchdog: Watchdog) -> None:
        """Every quarter second: renew the claim, write waiting log lines, send the newest progress and equity."""
        while True:
            await asyncio.sleep(REPORT_SECONDS)
            try:
                renewed = await self._r._orchestrator.renew(self.run, self.progress())
                if renewed is None:
                    self._lost = True
                    return
                watchdog.renewed()
                self._cancelled = self._cancelled or renewed.status == Status.CANCELLING
                await self._write_lines(renewed)
                await self._send_live(renewed)
            except (BackproofError, MemoryError) as error:
                # the store or Redis is away, or memory for a moment: the watchdog decides when that is too long
                log.warning("report_failed", reason=str(error))

    def progress(self) -> Progress:
        begin, end = STAGE_SPAN[self._stage]
        simulation = self._simulation
        done = simulation.position if simulation else 0
        total = simulation.total_bars if simulation else 0
        share = done / total if self._stage == Stage.SIMULATE and total else 0.0
        eta = None
        if self._stage == Stage.SIMULATE and done:
            eta = round((time.monotonic() - self._stage_began) * (total - done) / done, 3)
        return Progress(
            percent=round(begin + (end - begin) * share, 2),
            stage=self._stage,
            bars_done=done,
            total_bars=total,
            fills=simulation.fills_so_far if simulation else 0,
            eta_seconds=eta,
        )

    def take_lines(self) -> list[dict[str, Any]]:
        self._hear_strategy()
        lines, self._lines = self._lines, []
        return lines

    def _hear_strategy(self) -> None:
        """What the strategy has printed, and what it has said with ctx.log."""
        for line in self._output.take():
            self._say("info", line, source="strategy")
        context = self._simulation.context if self._simulation is not None else None
        if context is not None:
            said = context.messages[self._messages_taken :]
            self._messages_taken += len(said)
            for message in said:
                self._say("info", message, source="strategy")

    async def _write_lines(self, run: Backtest) -> None:
        if lines := self.take_lines():
            try:
                written = await self._r._orchestrator.log(run, lines)
            except BackproofError:
                written = None
            if written is None:
                self._lines[:0] = lines  # kept for the next round, or for the write that ends the run

    async def _enter(self, stage: Stage) -> None:
        self._check()
        self._stage, self._stage_began = stage, time.monotonic()
        await self._send_live(self.run.model_copy(update={"status": Status.RUNNING}))

    async def _send_live(self, run: Backtest) -> None:
        """Progress, and the equity curve so far: latest-value frames, sent and kept for late viewers, never stored."""
        run = run.model_copy(update={"progress": self.progress()})
        frames = [await self._r._monitoring.progress_frame(run)]
        if self._simulation is not None and self._simulation.position and self._stage == Stage.SIMULATE:
            frames.append(_equity_frame(self._simulation, run))
        try:
            await self._r._stream.publish(run.id, frames)
            await self._r._live.put(run.id, frames)
        except BrokerUnavailable as error:
            log.debug("live_not_sent", reason=str(error))

    def _say(self, level: str, message: str, **fields: Any) -> None:
        if self._lines_written < MAX_LOG_LINES:
            self._lines_written += 1
            self._lines.append(log_line(level, message, stage=str(self._stage), **fields))

    def _check(self) -> None:
        if self._lost:
            raise LostClaim(f"another worker owns {self.run.id} now")
        if time.monotonic() > self._deadline:
            raise self._late()

    def _late(self) -> _Deadline:
        return _Deadline(f"the run took longer than {self._r._max_seconds:g} seconds (MAX_BACKTEST_DURATION)")


def _trading(result: "Result") -> TradingSummary:
    return TradingSummary(
        costs=result.costs,
        exit_reasons=dict(Counter(result.trades["reason"].tolist()).most_common()),
        account_events=dict(Counter(result.events["kind"].tolist()).most_common()),
    )


def _equity_frame(simulation: "Simulation", run: Backtest) -> Event:
    """The whole curve so far at no more than LIVE_POINTS evenly chosen bars, the last one always among them."""
    import numpy as np

    from backproof.domain.documents import utc_now

    done = simulation.position
    picked = np.unique(np.linspace(0, done - 1, min(done, LIVE_POINTS)).astype(np.int64))
    times = simulation.dates[picked].astype("datetime64[ms]").astype(np.int64).tolist()
    equity = np.round(simulation.equity_so_far()[picked], 4).tolist()
    data = {
        "points": [list(point) for point in zip(times, equity, strict=True)],
        "bars_done": done,
        "total_bars": simulation.total_bars,
    }
    return Event(type=EventType.EQUITY, seq=run.seq, timestamp=utc_now(), data=data)
