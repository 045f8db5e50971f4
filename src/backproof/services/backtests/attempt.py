"""Attempt: one claim of one run, taken through its four stages, with what the world is told of it meanwhile."""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import structlog

from backproof.domain.backtest import Backtest, Intermediate, Progress, RunError, TradingSummary, Worker
from backproof.domain.documents import utc_now
from backproof.domain.events import Event, EventType
from backproof.domain.lifecycle import STAGE_SPAN, Stage, Status
from backproof.engine.strategies import renew_plugins
from backproof.errors import (
    BackproofError,
    BrokerUnavailable,
    CheckpointMismatch,
    LostClaim,
    NotFound,
    StorageFailed,
    StoreUnavailable,
    StrategyError,
)
from backproof.messaging.redis import EventStream, LiveState
from backproof.services.backtests import log_lines
from backproof.services.backtests.admission import series_notice
from backproof.services.backtests.checkpoints import CheckpointService
from backproof.services.backtests.limits import MemoryLimit
from backproof.services.backtests.log_lines import LogLine
from backproof.services.backtests.monitoring import MonitoringService, equity_data
from backproof.services.backtests.orchestrator import BacktestOrchestrator
from backproof.services.backtests.pace import Pace
from backproof.services.backtests.strategy_code import Output, called, shortened
from backproof.services.backtests.transitions import Outcome
from backproof.services.datasets import DatasetService, LoadedBars
from backproof.storage.lake import Lake

if TYPE_CHECKING:
    from backproof.engine.result import Result
    from backproof.engine.simulation import Simulation

log = structlog.get_logger(__name__)
T = TypeVar("T")

LIVE_SECONDS = 0.25  # between two looks at the curve: at most four a second
LOOK_SHARE = 0.05  # of the time that may go into them: those at many symbols come less often
CHUNK_SECONDS = 0.1  # simulated between two looks at cancel and deadline
FIRST_CHUNK_WORK = 500_000  # bars x symbols, before the speed of this run is known
FIRST_BARS_BY_HAND = 200  # of a strategy that decides bar by bar: its own code may take any time
CHECKPOINT_SHARE = 0.04  # of the time that may go into checkpoints: large ones come less often
KEEP_SECONDS = 1.0  # between two times that the intermediate result is kept in the store
MAX_LOG_LINES = 10_000
DEADLINE_GRACE = 2.0  # a run that can end itself at its deadline has done so by then
CANCEL_GRACE = 5.0
CANCEL_GRACE_BEFORE = 0.5  # before the first bar there is nothing to keep


class Late(BackproofError):
    code = "deadline_exceeded"


class HandedOver(Exception):
    """The attempt has stopped at a checkpoint, for another worker to go on."""


@dataclass(frozen=True, slots=True)
class Equipment:
    """What attempts work with."""

    orchestrator: BacktestOrchestrator
    monitoring: MonitoringService
    datasets: DatasetService
    lake: Lake
    checkpoints: CheckpointService
    stream: EventStream
    live: LiveState
    worker: Worker
    memory: MemoryLimit


class Attempt:
    """unfit: why the process should not take another run; None: it may. slot_lost: the claim holds without its slot.

    asked_at: since when it is to stop at the next bar and leave the rest to another worker

    left_something: there may be more than the result: checkpoints, intermediate results, files of earlier attempts
    """

    def __init__(self, run: Backtest, equipment: Equipment, max_seconds: float, checkpoint_seconds: float) -> None:
        self.run = run
        self.unfit: str | None = None
        self.slot_lost = False
        self.asked_at: float | None = None
        self.left_something = run.attempt > 1
        self._e = equipment
        self._max_seconds = max_seconds
        self._started = self._checkpointed_at = time.monotonic()
        self._deadline = self._started + max_seconds
        self._checkpoint_seconds = self._checkpoint_pause = checkpoint_seconds
        self._saving: asyncio.Task[None] | None = None
        self._stage = Stage.COLLECT_DATA
        self._share = 0.0  # of the stage that is done, where the simulation does not tell
        self._first_bar = 0  # at which this attempt began to simulate
        self._pace = Pace()
        self._simulation: Simulation | None = None
        self._seen: Intermediate | None = None
        self._seen_at = self._kept_at = self._sent_at = self._started
        self._lines: list[LogLine] = []
        self._lines_written = 0
        self._writing = asyncio.Lock()  # of lines
        self._sending = asyncio.Lock()  # of live frames: a later one does not overtake an earlier one
        self._lost = False
        self._cancelled = run.status == Status.CANCELLING
        self._cancelled_at: float | None = None
        self._output = Output()
        self._messages_taken = 0

    # ---- the stages -------------------------------------------------------------------------------------------

    async def outcome(self) -> Outcome:
        """Do the work. Every failure is an outcome too; only a lost claim, or one handed over, is raised."""
        try:
            return await self._work()
        except (LostClaim, HandedOver):
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
        await self._enter(Stage.COLLECT_DATA)
        count = len(config.symbols)
        loaded = await self._e.datasets.load(config, run.versions, lambda read: self._is_done(read / (count + 1)))
        bars = await asyncio.to_thread(Bars.from_frame, loaded.table, calendar=loaded.calendar)
        self._say(log_lines.bars_loaded(loaded.table.num_rows, len(bars.symbols)))

        await self._enter(Stage.INDICATORS)
        await self._called(renew_plugins, config.strategy_type)
        simulation = self._simulation = await self._called(Simulation, config, bars)
        await self._called(simulation.prepare)
        if run.attempt > 1:
            await self._go_on(simulation)

        await self._enter(Stage.SIMULATE)
        self._first_bar = simulation.position
        await self._simulate(simulation)
        partial = simulation.position < simulation.total_bars
        if partial:
            self._say(log_lines.cancelled_after(simulation.position, simulation.total_bars))
            if simulation.position == 0:
                return Outcome(partial=True, progress=self.progress())
            await self._save_checkpoint(simulation)

        await self._enter(Stage.SAVE)
        result = await asyncio.to_thread(simulation.result)
        return await self._save(result, loaded, partial)

    async def _go_on(self, simulation: "Simulation") -> None:
        """Continue where an earlier attempt has left a checkpoint; from the first bar where there is no usable one."""
        at, attempt = self.run.checkpoint, self.run.attempt
        if at is None:
            self._say(log_lines.starts_again(attempt))
            return
        try:
            await self._called(simulation.resume, await self._e.checkpoints.read(at))
        except (CheckpointMismatch, StorageFailed, NotFound) as error:
            self._say(log_lines.checkpoint_useless(attempt, error.message))
            return
        self._say(log_lines.goes_on(attempt, simulation.position, simulation.total_bars))

    async def _simulate(self, simulation: "Simulation") -> None:
        by_hand = simulation.context is not None
        chunk = FIRST_BARS_BY_HAND if by_hand else max(1, FIRST_CHUNK_WORK // len(self.run.config.symbols))
        while simulation.position < simulation.total_bars and not self._cancelled:
            try:
                self._check()
                if self.asked_at is not None:
                    raise HandedOver
            except (Late, HandedOver):
                await self._save_checkpoint(simulation)  # somebody goes on there
                raise
            began, first = time.perf_counter(), simulation.position
            await self._called(simulation.advance, min(first + chunk, simulation.total_bars))
            rate = (simulation.position - first) / max(time.perf_counter() - began, 1e-6)
            chunk = max(1, min(4 * chunk, int(rate * CHUNK_SECONDS)))
            self._pace.passed(simulation.position, time.monotonic())
            self._look(simulation)
            await self._checkpoint_when_due(simulation)

    async def _save(self, result: "Result", loaded: LoadedBars, partial: bool) -> Outcome:
        from backproof.services.backtests.live import sparkline

        def write() -> tuple[Any, ...]:
            file = self._e.lake.write_result(self.run.id, self.run.fence, result.to_tables())
            curve = sparkline(result, self.run.config.initial_capital)
            return file, result.fingerprint(), result.manifest(), _trading(result), curve

        await self.settle()  # it tidies the directory that the result goes into
        file, fingerprint, manifest, trading, curve = await asyncio.to_thread(write)
        self._check()
        self._say(log_lines.result_saved(file.fills, file.trades, file.sha256))
        manifest = {
            **manifest,
            "calendar": loaded.calendar,
            "worker": self._e.worker.name,
            "attempts": self.run.attempt,
            "seconds": round(self.seconds, 4),
        }
        return Outcome(
            partial=partial,
            result=file,
            fingerprint=fingerprint,
            metrics=result.metrics,
            null_reasons=result.null_reasons,
            benchmark_metrics=result.benchmark_metrics,
            trading=trading,
            sparkline=curve,
            notices=(*result.notices, *(series_notice(symbol, note) for symbol, note in loaded.notes.items())),
            manifest=manifest,
            progress=self.progress() if partial else self.progress().model_copy(update={"percent": 100.0}),
        )

    async def _called(self, function: Callable[..., T], *arguments: Any) -> T:
        return await called(self._output, self.run.config.strategy_type, function, *arguments)

    # ---- checkpoints ------------------------------------------------------------------------------------------

    async def _checkpoint_when_due(self, simulation: "Simulation") -> None:
        if self._saving is not None and not self._saving.done():
            return
        if time.monotonic() - self._checkpointed_at < self._checkpoint_pause:
            return
        if simulation.position == simulation.total_bars:
            return  # the result itself comes next
        began = time.monotonic()
        if (data := await self._state_of(simulation)) is not None:
            written = self._write_checkpoint(data, simulation.position, began, str(self._stage))
            self._saving = asyncio.create_task(written)

    async def _save_checkpoint(self, simulation: "Simulation") -> None:
        """At the place where a run stops that may be resumed."""
        await self.settle()
        if simulation.position > self._first_bar and (data := await self._state_of(simulation)) is not None:
            await self._write_checkpoint(data, simulation.position, time.monotonic(), str(self._stage))

    async def _state_of(self, simulation: "Simulation") -> bytes | None:
        """A checkpoint's bytes; None for a strategy whose state cannot be saved, which then is not asked again."""
        if self._checkpoint_pause == math.inf:
            return None
        try:
            return await self._called(simulation.checkpoint)
        except StrategyError as error:
            self._checkpoint_pause = math.inf
            self._say(log_lines.no_checkpoints(error.message))
            return None

    async def _write_checkpoint(self, data: bytes, bar: int, began: float, stage: str) -> None:
        """A checkpoint that cannot be kept costs work after a crash, nothing else."""
        self.left_something = True
        total = self._simulation.total_bars if self._simulation is not None else bar
        try:
            checkpoint = await self._e.checkpoints.write(self.run, data, bar, total)
            recorded = await self._e.orchestrator.record_checkpoint(self.run, checkpoint, stage)
            if recorded is None:
                self._lost = True
                return
            await self._e.checkpoints.tidy(recorded)
        except (StorageFailed, StoreUnavailable) as error:
            self._say(log_lines.no_checkpoint(bar, error.message))
        finally:
            self._checkpointed_at = time.monotonic()
            self._checkpoint_pause = max(self._checkpoint_seconds, (self._checkpointed_at - began) / CHECKPOINT_SHARE)

    async def settle(self) -> None:
        """Wait for the checkpoint that is being written."""
        if self._saving is not None:
            await asyncio.gather(self._saving, return_exceptions=True)
            self._saving = None

    # ---- limits -----------------------------------------------------------------------------------------------

    def overdue(self) -> Outcome | None:
        """The outcome of an attempt that is past one of its limits and has not ended itself; None: it may go on."""
        now = time.monotonic()
        if self._e.memory.exceeded:
            return self._out_of_memory()
        if now > self._deadline + DEADLINE_GRACE:
            self.unfit = "the strategy did not stop at the run's deadline"
            error = self._late()
            return self._failed(RunError(code=error.code, message=error.message, stage=self._stage))
        grace = CANCEL_GRACE if self._stage == Stage.SIMULATE else CANCEL_GRACE_BEFORE
        if not self._cancelled or self._stage == Stage.SAVE:
            self._cancelled_at = None
        elif self._cancelled_at is None:
            self._cancelled_at = now
        elif now > self._cancelled_at + grace:
            self.unfit = "the run was cancelled and did not stop"
            self._say(log_lines.did_not_stop(grace))
            return Outcome(partial=True, progress=self.progress())
        return None

    def _out_of_memory(self) -> Outcome:
        self.unfit = "a run needed more memory than it may have"
        message = f"the run needs more memory: {self._e.memory.text}"
        return self._failed(RunError(code="out_of_memory", message=message, stage=self._stage))

    def _failed(self, error: RunError) -> Outcome:
        self._hear_strategy()
        self._say(log_lines.failed(error))
        return Outcome(error=error, progress=self.progress())

    def _check(self) -> None:
        if self._lost:
            raise LostClaim(f"another worker owns {self.run.id} now")
        if time.monotonic() > self._deadline:
            raise self._late()

    def _late(self) -> Late:
        return Late(f"the run took longer than {self._max_seconds:g} seconds (MAX_BACKTEST_DURATION)")

    # ---- what the world sees ----------------------------------------------------------------------------------

    async def renew(self) -> Backtest | None:
        """Hold the claim for another lease; None when it is lost."""
        renewed = await self._e.orchestrator.renew(self.run, self.progress())
        if renewed is None:
            self._lost = True
        else:
            self._cancelled = self._cancelled or renewed.status == Status.CANCELLING
        return renewed

    async def report(self, run: Backtest) -> None:
        """Write waiting log lines, send the newest progress and equity. run: as it was renewed"""
        await self._write_lines(run)
        await self._send_live(run)
        await self._keep_intermediate()

    @property
    def seconds(self) -> float:
        """Since it began."""
        return round(time.monotonic() - self._started, 6)

    def hand_over(self) -> None:
        """Stop at the next bar."""
        if self.asked_at is None:
            self.asked_at = time.monotonic()

    @property
    def has_begun(self) -> bool:
        """Whether a bar has been simulated, which a checkpoint could keep."""
        return self._simulation is not None and self._simulation.position > self._first_bar

    def ends_after(self, instant: float) -> bool:
        """Whether it is known not to end before this instant of the monotonic clock; it is past, or as measured."""
        now, left = time.monotonic(), None
        if self._stage == Stage.SIMULATE and self._simulation is not None:
            left = self._pace.seconds_left(self._simulation.total_bars, now)
        return now >= instant or (left is not None and now + left > instant)

    def lose_slot(self) -> None:
        """As many others run as may: this one has to stop."""
        self._lost = self.slot_lost = True

    async def last_words(self) -> list[LogLine]:
        """Log lines that nobody has written yet, once the attempt is over."""
        await self.settle()
        if self._seen is not None:
            self._kept_at = float("-inf")
            await self._keep_intermediate()
        async with self._writing:  # lines that are being written come back when the run ends before they are there
            return self.take_lines()

    def progress(self) -> Progress:
        begin, end = STAGE_SPAN[self._stage]
        simulation = self._simulation
        done = simulation.position if simulation else 0
        total = simulation.total_bars if simulation else 0
        share = (done / total if total else 0.0) if self._stage == Stage.SIMULATE else self._share
        return Progress(
            percent=round(begin + (end - begin) * share, 2),
            stage=self._stage,
            bars_done=done,
            total_bars=total,
            fills=simulation.fills_so_far if simulation else 0,
            eta_seconds=self._eta(total),
        )

    def _eta(self, total: int) -> float | None:
        """As measured once bars are simulated, before that as expected for what is left to do."""
        now = time.monotonic()
        if self._stage == Stage.SIMULATE and (left := self._pace.seconds_left(total, now)) is not None:
            return round(left, 3)
        if self.run.estimated_seconds is None or self._stage == Stage.SAVE:
            return None
        share = 1 - self._first_bar / total if total else 1.0
        return round(max(0.0, self.run.estimated_seconds * share - (now - self._started)), 3)

    def _look(self, simulation: "Simulation") -> None:
        """See where the run stands, between two chunks, when it is time."""
        began = time.monotonic()
        if began >= self._seen_at and simulation.position:
            from backproof.services.backtests.live import seen_now

            self._seen = seen_now(simulation, self.run)
            self._seen_at = began + max(LIVE_SECONDS, (time.monotonic() - began) / LOOK_SHARE)

    async def _keep_intermediate(self) -> None:
        now = time.monotonic()
        if self._seen is not None and now - self._kept_at >= KEEP_SECONDS and now - self._started >= KEEP_SECONDS:
            self._kept_at = now
            self.left_something = True
            await self._e.checkpoints.keep_intermediate(self._seen)

    def take_lines(self) -> list[LogLine]:
        self._hear_strategy()
        lines, self._lines = self._lines, []
        return lines

    def _hear_strategy(self) -> None:
        """What the strategy has printed, and what it has said with ctx.log."""
        for line in self._output.take():
            self._say(log_lines.strategy_said(line))
        context = self._simulation.context if self._simulation is not None else None
        if context is not None:
            said = context.messages[self._messages_taken :]
            self._messages_taken += len(said)
            for message in said:
                self._say(log_lines.strategy_said(shortened(message)))

    async def _write_lines(self, run: Backtest) -> None:
        async with self._writing:
            if lines := self.take_lines():
                try:
                    written = await self._e.orchestrator.log(run, lines)
                except BackproofError:
                    written = None
                if written is None:
                    self._lines[:0] = lines  # kept for the next round, or for the write that ends the run

    async def _enter(self, stage: Stage) -> None:
        self._check()
        now = time.monotonic()
        self._stage, self._share = stage, 0.0
        if now - self._sent_at >= LIVE_SECONDS:  # a stage that is over at once is nothing to see
            await self._send_live(self.run.model_copy(update={"status": Status.RUNNING}))

    def _is_done(self, share: float) -> None:
        self._share = share

    async def _send_live(self, run: Backtest) -> None:
        """Progress, and the equity curve so far: latest-value frames, sent and kept for late viewers, never stored."""
        async with self._sending:
            self._sent_at = time.monotonic()
            run = run.model_copy(update={"progress": self.progress()})
            frames = [await self._e.monitoring.progress_frame(run)]
            if self._seen is not None and self._stage == Stage.SIMULATE:
                data = equity_data(self._seen)
                frames.append(Event(type=EventType.EQUITY, seq=run.seq, timestamp=utc_now(), data=data))
            try:
                await self._e.stream.publish(run.id, frames)
                await self._e.live.put(run.id, frames)
            except BrokerUnavailable as error:
                log.debug("live_not_sent", reason=str(error))

    def _say(self, line: LogLine) -> None:
        if self._lines_written < MAX_LOG_LINES:
            self._lines_written += 1
            self._lines.append({**line, "stage": str(self._stage)})


def _trading(result: "Result") -> TradingSummary:
    return TradingSummary(
        costs=result.costs,
        exit_reasons=dict(Counter(result.trades["reason"].tolist()).most_common()),
        account_events=dict(Counter(result.events["kind"].tolist()).most_common()),
    )
