"""BacktestOrchestrator: the one authority over a run's status. Everybody else asks it."""

import asyncio
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from backproof.domain.backtest import (
    Backtest,
    Execution,
    IdempotencyKey,
    Notice,
    Progress,
    ResultFile,
    RunError,
    TradingSummary,
    Worker,
    new_id,
)
from backproof.domain.config import BacktestConfig
from backproof.domain.documents import Change, Order, Repository, eq, utc_now
from backproof.domain.events import EventType, RunEvent
from backproof.domain.lifecycle import CLAIMED, TRANSITIONS, Status
from backproof.errors import Conflict, IdempotencyMismatch, InvalidInput, NotFound, QueueFull
from backproof.services.backtests import queries
from backproof.services.backtests.checking import checked
from backproof.services.backtests.estimates import Estimator
from backproof.services.backtests.execution import ExecutionManager
from backproof.services.backtests.ledger import Draft, RunLedger
from backproof.services.backtests.models import BacktestPatch, BacktestQuery, Page, Validation
from backproof.services.datasets import Coverage, DatasetService
from backproof.storage.lake import Lake

MAX_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a finished attempt leaves behind; `error` None means that the simulation reached its end or its cancel."""

    error: RunError | None = None
    partial: bool = False
    result: ResultFile | None = None
    fingerprint: str | None = None
    metrics: Mapping[str, float | int | None] | None = None
    null_reasons: Mapping[str, str] | None = None
    benchmark_metrics: Mapping[str, float | int | None] | None = None
    notices: tuple[Notice, ...] = ()
    manifest: Mapping[str, Any] | None = None
    trading: TradingSummary | None = None
    progress: Progress = field(default_factory=Progress)


class BacktestOrchestrator:
    def __init__(
        self,
        repository: Repository,
        ledger: RunLedger,
        execution: ExecutionManager,
        datasets: DatasetService,
        estimator: Estimator,
        lake: Lake,
        queue_max_size: int,
    ) -> None:
        self._repository = repository
        self._ledger = ledger
        self._execution = execution
        self._datasets = datasets
        self._estimator = estimator
        self._lake = lake
        self._queue_max_size = queue_max_size

    # ---- what clients ask -------------------------------------------------------------------------------------

    async def submit(self, given: Mapping[str, object], owner: str, idempotency_key: str | None = None) -> Backtest:
        """Validate, save as queued, and tell the workers. The answer is durable when this returns."""
        config, coverage = await checked(self._datasets, given)
        run_id = new_id("bt")
        if idempotency_key is not None:
            run_id, earlier = await self._reserve(owner, idempotency_key, given, run_id)
            if earlier is not None:
                return earlier
        queued = await self._repository.count(Backtest, (eq("status", Status.QUEUED),))
        if queued >= self._queue_max_size:
            raise QueueFull(f"{queued} backtests are waiting, which is the limit", retry_after=10)
        units = work_units(config, coverage)
        now = utc_now()
        run = Backtest(
            id=run_id,
            owner_id=owner,
            config=config,
            name=config.name,
            tags=config.tags,
            search=queries.search_tokens(config, config.name, config.tags, ""),
            status=Status.QUEUED,
            created_at=now,
            queued_at=now,
            work_units=units,
            estimated_seconds=await self._estimator.seconds(config.strategy_type, units),
            request_hash=request_hash(config, coverage),
        )
        saved = await self._ledger.add(run, [_status_event(Status.QUEUED, attempt=0)])
        if saved is None:  # the same Idempotency-Key, a moment ago
            return await self.get(run_id, owner)
        await self._execution.hint()
        return saved

    async def validate(self, given: Mapping[str, object]) -> Validation:
        """Everything `submit` would say, without doing it."""
        try:
            config, coverage = await checked(self._datasets, given)
        except InvalidInput as error:
            return Validation(valid=False, errors=list(error.errors))
        identical = await self._repository.find(
            Backtest,
            (eq("request_hash", request_hash(config, coverage)), eq("status", Status.COMPLETED)),
            Order("created_at", descending=True),
            limit=1,
        )
        return Validation(
            valid=True,
            warnings=_warnings(config, coverage),
            coverage=coverage,
            estimate=await self._estimator.estimate(config.strategy_type, work_units(config, coverage)),
            identical=identical[0].id if identical else None,
        )

    async def get(self, run_id: str, owner: str) -> Backtest:
        run = await self._repository.get(Backtest, run_id)
        if run is None or run.owner_id != owner:
            raise NotFound(f"there is no backtest {run_id!r}", backtest_id=run_id)
        return run

    async def find(self, query: BacktestQuery, owner: str) -> Page[Backtest]:
        where = queries.conditions(query, owner)
        runs = await self._repository.find(Backtest, where, queries.order(query), query.limit + 1, query.cursor)
        total = await self._repository.count(Backtest, where)
        items = runs[: query.limit]
        return Page(items, items[-1].id if len(runs) > query.limit else None, total)

    async def patch(self, run_id: str, owner: str, patch: BacktestPatch) -> Backtest:
        run = await self.get(run_id, owner)

        def decide(current: Backtest) -> Draft:
            name = current.name if patch.name is None else patch.name
            tags = current.tags if patch.tags is None else patch.tags
            notes = current.notes if patch.notes is None else patch.notes
            return Draft(
                set={
                    "name": name,
                    "tags": tags,
                    "notes": notes,
                    "starred": current.starred if patch.starred is None else patch.starred,
                    "search": queries.search_tokens(current.config, name, tags, notes),
                }
            )

        changed = await self._ledger.change(run, decide)
        if changed is None:
            raise NotFound(f"there is no backtest {run_id!r}", backtest_id=run_id)
        return changed

    async def delete(self, run_id: str, owner: str) -> None:
        """Remove a finished or waiting run with everything it left. A running one is cancelled first, by its owner."""
        run = await self.get(run_id, owner)
        if run.status == Status.QUEUED:
            run = await self.cancel(run_id, owner)
        if not run.final:
            raise Conflict(f"backtest {run_id} is {run.status}; cancel it before deleting it", status=run.status)
        if await self._repository.remove(Backtest, (eq("id", run_id), eq("status", run.status))):
            await self._repository.remove(RunEvent, (eq("run_id", run_id),))
            await self._repository.remove(Execution, (eq("run_id", run_id),))
            await asyncio.to_thread(self._lake.remove_run, run_id)

    async def cancel(self, run_id: str, owner: str) -> Backtest:
        """A waiting run is cancelled at once; a running one is asked to stop and keeps what it has computed."""
        run = await self.get(run_id, owner)

        def decide(current: Backtest) -> Draft | None:
            match current.status:
                case Status.QUEUED | Status.PENDING:
                    return _transition(current, Status.CANCELLED, set={"completed_at": utc_now()})
                case Status.RUNNING:
                    return _transition(current, Status.CANCELLING)
            return None

        changed = await self._ledger.change(run, decide)
        if changed is not None:
            return changed
        run = await self.get(run_id, owner)
        if run.status == Status.CANCELLING:
            return run
        raise Conflict(f"backtest {run_id} is {run.status} already", status=run.status)

    # ---- what workers and the scheduler ask -------------------------------------------------------------------

    async def claim_next(self, worker: Worker) -> Backtest | None:
        """Give the run whose turn it is to this worker: fence and attempt go up, the lease begins. None: no work."""
        while waiting := await self._repository.find(
            Backtest, (eq("status", Status.QUEUED),), Order("queued_at"), limit=5
        ):
            for run in waiting:
                claimed = await self._ledger.change(run, lambda current: _claim(current, worker))
                if claimed is not None:
                    await self._repository.add(
                        Execution(
                            id=f"{run.id}:{claimed.attempt}",
                            run_id=run.id,
                            attempt=claimed.attempt,
                            fence=claimed.fence,
                            worker=worker,
                            started_at=utc_now(),
                        )
                    )
                    return claimed
        return None

    async def log(self, run: Backtest, lines: list[dict[str, Any]]) -> Backtest | None:
        """Append log lines of the worker that holds the claim; None when it does not hold it any more."""
        fence = run.fence
        return await self._ledger.change(run, lambda current: _log_lines(current, fence, lines))

    async def renew(self, run: Backtest, progress: Progress) -> Backtest | None:
        """Beat the heart and save the progress; None when the claim is lost."""
        return await self._repository.update(
            Backtest,
            run.id,
            (eq("fence", run.fence), eq("worker.pid", run.worker.pid if run.worker else None)),
            Change(set={"progress": progress}, inc={"heartbeat": 1}),
        )

    async def finish(self, run: Backtest, outcome: Outcome, lines: list[dict[str, Any]]) -> Backtest | None:
        """The single write that ends a run; a cancel that came first wins. None when the claim is lost."""
        fence = run.fence

        def decide(current: Backtest) -> Draft | None:
            if current.fence != fence or current.status not in CLAIMED:
                return None
            if outcome.error is not None:
                status = Status.FAILED
            elif current.status == Status.CANCELLING:
                status = Status.CANCELLED
            else:
                status = Status.COMPLETED
            return _transition(
                current,
                status,
                set={
                    "completed_at": utc_now(),
                    "error": outcome.error,
                    "partial": outcome.partial,
                    "result": outcome.result,
                    "fingerprint": outcome.fingerprint,
                    "metrics": outcome.metrics,
                    "null_reasons": outcome.null_reasons or {},
                    "benchmark_metrics": outcome.benchmark_metrics,
                    "notices": outcome.notices,
                    "manifest": outcome.manifest,
                    "trading": outcome.trading,
                    "progress": outcome.progress,
                    "worker": None,
                },
                before=[(EventType.LOG, line) for line in lines],
                **({"error": outcome.error.model_dump(mode="json")} if outcome.error else {}),
            )

        if outcome.partial:  # the worker has heard of a cancel that its copy of the run does not show yet
            run = await self._repository.get(Backtest, run.id) or run
        finished = await self._ledger.change(run, decide)
        if finished is not None:
            await self._close_attempt(finished, str(finished.status))
        return finished

    async def give_back(self, run: Backtest, reason: str) -> Backtest | None:
        """Take the claim from a worker that stopped or died: queue the run again, or end it after three attempts."""
        fence = run.fence

        def decide(current: Backtest) -> Draft | None:
            if current.fence != fence or current.status not in CLAIMED:
                return None
            line = (
                EventType.LOG,
                log_line("warning", f"attempt {current.attempt} ended early: {reason}", reason=reason),
            )
            if current.status == Status.CANCELLING:
                return _transition(
                    current, Status.CANCELLED, before=[line], set={"completed_at": utc_now(), "worker": None}
                )
            if current.attempt >= MAX_ATTEMPTS and reason != "worker_stopped":
                error = RunError(
                    code="crash_loop",
                    message=f"the worker died {current.attempt} times while computing this backtest",
                    details={"last_reason": reason},
                )
                return _transition(
                    current,
                    Status.FAILED,
                    before=[line],
                    set={"completed_at": utc_now(), "worker": None, "error": error},
                    error=error.model_dump(mode="json"),
                )
            # a stop on purpose is not the run's fault and does not count as an attempt
            kept = {"attempt": current.attempt - 1} if reason == "worker_stopped" else {}
            return _transition(
                current,
                Status.QUEUED,
                before=[line],
                set={"worker": None, "progress": Progress(), **kept},
                reason=reason,
            )

        given = await self._ledger.change(run, decide)
        if given is not None:
            await self._close_attempt(run, reason)
            if given.status == Status.QUEUED:
                await self._execution.hint()
        return given

    # ---- inside -----------------------------------------------------------------------------------------------

    async def _reserve(
        self, owner: str, key: str, given: Mapping[str, object], run_id: str
    ) -> tuple[str, Backtest | None]:
        """(the run id that belongs to this key, the run if it was accepted already)."""
        body_hash = _digest(given)
        record = IdempotencyKey(id=f"{owner}:{key}", backtest_id=run_id, body_hash=body_hash, created_at=utc_now())
        if await self._repository.add(record):
            return run_id, None
        earlier = await self._repository.get(IdempotencyKey, record.id)
        if earlier is None or earlier.body_hash != body_hash:
            raise IdempotencyMismatch("this Idempotency-Key was used with another body")
        return earlier.backtest_id, await self._repository.get(Backtest, earlier.backtest_id)

    async def _close_attempt(self, run: Backtest, outcome: str) -> None:
        await self._repository.update(
            Execution, f"{run.id}:{run.attempt}", (), Change(set={"ended_at": utc_now(), "outcome": outcome})
        )


def log_line(level: str, message: str, **fields: Any) -> dict[str, Any]:
    return {"level": level, "message": message, **fields}


def work_units(config: BacktestConfig, coverage: list[Coverage]) -> int:
    """Bars to simulate, over all symbols."""
    return sum(series.bars_in_run for series in coverage if series.symbol in config.symbols)


def request_hash(config: BacktestConfig, coverage: list[Coverage]) -> str:
    """Equal for two requests that must give the same result: the configuration without labels, and the data files."""
    data = {series.symbol: [series.sha256, series.calendar] for series in coverage}
    return _digest({"config": config.model_dump(mode="json", exclude={"name", "tags"}), "data": data})


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":"), default=str).encode()).hexdigest()


def _warnings(config: BacktestConfig, coverage: list[Coverage]) -> list[Notice]:
    warnings: list[Notice] = []
    if not any(value for name, value in config.costs.model_dump().items() if name != "borrow_rate"):
        warnings.append(Notice(code="no_costs", message="no costs: commission and slippage are all zero"))
    if config.execution.fill == "same_close":
        warnings.append(
            Notice(code="optimistic_fill", message="same_close fills at the price the decision was made on: optimistic")
        )
    warnings.extend(series_notice(s) for s in coverage if s.note)
    return warnings


def series_notice(series: Coverage) -> Notice:
    return Notice(code="data_note", message=f"{series.symbol}: {series.note}", details={"symbol": series.symbol})


def _status_event(status: Status, **data: Any) -> tuple[EventType, dict[str, Any]]:
    return EventType.STATUS_CHANGE, {"status": str(status), **data}


def _transition(
    current: Backtest,
    to: Status,
    *,
    set: Mapping[str, object] | None = None,
    inc: Mapping[str, int | float] | None = None,
    before: list[tuple[EventType, dict[str, Any]]] | None = None,
    **data: Any,
) -> Draft:
    """The draft of a permitted status change; asking for another one is a bug in this module."""
    if to not in TRANSITIONS[current.status]:
        raise AssertionError(f"{current.status} -> {to} is no transition")
    event = _status_event(to, **{"attempt": current.attempt, **data})
    return Draft(set={"status": to, **(set or {})}, inc=dict(inc or {}), events=[*(before or []), event])


def _claim(current: Backtest, worker: Worker) -> Draft | None:
    if current.status != Status.QUEUED:
        return None
    return _transition(
        current,
        Status.RUNNING,
        set={"worker": worker, "started_at": utc_now(), "progress": Progress()},
        inc={"fence": 1, "attempt": 1, "heartbeat": 1},
        attempt=current.attempt + 1,
        worker=worker.name,
    )


def _log_lines(current: Backtest, fence: int, lines: list[dict[str, Any]]) -> Draft | None:
    if current.fence != fence or current.status not in CLAIMED:
        return None
    return Draft(events=[(EventType.LOG, line) for line in lines])
