"""BacktestOrchestrator: the one authority over a run's status. Everybody else asks it."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import structlog

from backproof.domain.backtest import (
    Backtest,
    Checkpoint,
    Execution,
    IdempotencyKey,
    Progress,
    RunError,
    Worker,
    new_id,
)
from backproof.domain.documents import Change, Order, Repository, Where, eq, utc_now
from backproof.domain.events import EventType
from backproof.domain.lifecycle import Status
from backproof.engine.strategies import check_config, warmup_of
from backproof.errors import Conflict, IdempotencyMismatch, InvalidInput, NotFound, QueueFull, StorageFailed
from backproof.services.backtests import log_lines, queries, transitions
from backproof.services.backtests.admission import (
    Admission,
    Request,
    SubmitOptions,
    digest,
    missing_data,
    only_data_is_missing,
    warnings_of,
)
from backproof.services.backtests.estimates import Estimator
from backproof.services.backtests.execution import ExecutionManager
from backproof.services.backtests.ledger import Draft, RunLedger
from backproof.services.backtests.log_lines import LogLine
from backproof.services.backtests.models import BacktestPatch, BacktestQuery, Facet, Page, Validation
from backproof.services.backtests.slots import Seat
from backproof.services.backtests.transitions import Outcome, status_event
from backproof.services.backtests.turns import Turns
from backproof.storage.lake import Lake

log = structlog.get_logger(__name__)
_WAITING = (Status.QUEUED, Status.PENDING)
MOST_TAGS = 50


class BacktestOrchestrator:
    """queue_max_size: runs that may wait, of all owners; queue_max_per_owner: of one, None for no limit of its own."""

    def __init__(
        self,
        repository: Repository,
        ledger: RunLedger,
        execution: ExecutionManager,
        admission: Admission,
        estimator: Estimator,
        lake: Lake,
        queue_max_size: int,
        queue_max_per_owner: int | None,
    ) -> None:
        self._repository = repository
        self._ledger = ledger
        self._execution = execution
        self._admission = admission
        self._estimator = estimator
        self._turns = Turns(repository)
        self._lake = lake
        self._queue_max_size = queue_max_size
        self._queue_max_per_owner = queue_max_per_owner

    # ---- what clients ask -------------------------------------------------------------------------------------

    async def submit(
        self,
        given: Mapping[str, object],
        owner: str,
        idempotency_key: str | None = None,
        options: SubmitOptions = SubmitOptions(),
    ) -> Backtest:
        """Validate, save as queued, and tell the workers. The answer is durable when this returns."""
        request, missing = await self._request(given, options)
        run_id = new_id("bt")
        if idempotency_key is not None:
            run_id, earlier = await self._reserve(owner, idempotency_key, given, options, run_id)
            if earlier is not None:
                return earlier
        if request is None:
            await self._refuse_full_queue(owner)
            run = self._admission.pending_run(run_id, owner, given, options, missing)
            saved = await self._ledger.add(run, [status_event(Status.PENDING, attempt=0, reason="waits_for_data")])
            return saved or await self.get(run_id, owner)
        run = await self._admission.waiting_run(run_id, owner, request, options)
        if options.use_cache and (found := await self._admission.identical(request, owner)) is not None:
            reused = await self._reuse(run, found)
            if reused is not None:
                return reused
        await self._refuse_full_queue(owner)
        saved = await self._ledger.add(run, [status_event(Status.QUEUED, attempt=0)])
        if saved is None:  # the same Idempotency-Key, a moment ago
            return await self.get(run_id, owner)
        await self._execution.hint()
        return saved

    async def validate(self, given: Mapping[str, object], owner: str) -> Validation:
        """Everything `submit` would say, without doing it."""
        try:
            request = await self._admission.check(given)
        except InvalidInput as error:
            return Validation(valid=False, errors=list(error.errors))
        identical = await self._admission.identical(request, owner)
        warmup = await asyncio.to_thread(warmup_of, request.config)
        return Validation(
            valid=True,
            warnings=warnings_of(request.config, request.coverage, warmup),
            coverage=request.coverage,
            warmup=warmup,
            estimate=await self._estimator.estimate(request.config, request.coverage, request.work_units),
            identical=identical.id if identical else None,
        )

    async def get(self, run_id: str, owner: str) -> Backtest:
        run = await self._repository.get(Backtest, run_id)
        if run is None or run.owner_id != owner:
            raise NotFound(f"there is no backtest {run_id!r}", backtest_id=run_id)
        if run.deleted_at is not None:
            raise NotFound(f"backtest {run_id} was deleted; within a day it can be restored", backtest_id=run_id)
        return run

    async def find(self, query: BacktestQuery, owner: str) -> Page[Backtest]:
        where = queries.conditions(query, owner)
        runs = await self._repository.find(
            Backtest, where, queries.order(query), query.limit + 1, query.cursor, query.offset
        )
        items, more = runs[: query.limit], len(runs) > query.limit
        if query.cursor is None and not more and (items or not query.offset):  # the end is in sight: counted already
            return Page(items, None, query.offset + len(items))
        total = await self._repository.count(Backtest, where)
        return Page(items, items[-1].id if more else None, total)

    async def facet(self, name: Facet, owner: str) -> dict[str, int]:
        """How many runs of this owner have each value; those in the bin do not count."""
        return await self._repository.counts_by(Backtest, queries.FACETS[name], queries.kept(owner))

    async def executions(self, run: Backtest) -> list[Execution]:
        """The attempts, first to last."""
        return await self._repository.find(Execution, (eq("run_id", run.id),), Order("attempt"), limit=1000)

    async def queue_position(self, run: Backtest) -> int | None:
        """1 for the run that starts next; None for one that does not wait."""
        return await self._turns.position(run)

    async def patch(self, run_id: str, owner: str, patch: BacktestPatch) -> Backtest:
        def decide(current: Backtest) -> Draft:
            name = current.name if patch.name is None else patch.name
            tags = _tags(current.tags if patch.tags is None else patch.tags, patch)
            notes = current.notes if patch.notes is None else patch.notes
            priority = current.priority if patch.priority is None else patch.priority
            waits = current.status in _WAITING and current.queued_at is not None
            place = Backtest.place_in_queue(priority, current.queued_at) if waits and current.queued_at else ""
            return Draft(
                set={
                    "name": name,
                    "tags": tags,
                    "notes": notes,
                    "starred": current.starred if patch.starred is None else patch.starred,
                    "priority": priority,
                    "queue_key": place or current.queue_key,
                    "search": queries.search_tokens(current.config, name, tags, notes),
                }
            )

        return await self._changed(run_id, owner, decide)

    async def delete(self, run_id: str, owner: str) -> None:
        """Put a finished or waiting run into the bin, which ends. A running one is cancelled first, by its owner."""
        run = await self.get(run_id, owner)
        if await self._ledger.change(run, transitions.deleted) is None:
            run = await self.get(run_id, owner)  # NotFound: deleted by somebody else meanwhile
            raise Conflict(f"backtest {run_id} is {run.status}; cancel it before deleting it", status=run.status)

    async def restore(self, run_id: str, owner: str) -> Backtest:
        """Take it out of the bin again."""
        run = await self._repository.get(Backtest, run_id)
        if run is None or run.owner_id != owner:
            raise NotFound(f"there is no backtest {run_id!r}", backtest_id=run_id)
        if run.deleted_at is None:
            raise Conflict(f"backtest {run_id} is not deleted", status=run.status)
        kept = await self._ledger.change(
            run, lambda current: None if current.purging else Draft(set={"deleted_at": None})
        )
        if kept is None:
            raise NotFound(f"there is no backtest {run_id!r}", backtest_id=run_id)
        return kept

    async def cancel(self, run_id: str, owner: str) -> Backtest:
        """A waiting run is cancelled at once; a running one is asked to stop and keeps what it has computed."""
        run = await self.get(run_id, owner)
        if (changed := await self._ledger.change(run, transitions.cancelled)) is not None:
            return changed
        run = await self.get(run_id, owner)
        if run.status == Status.CANCELLING:
            return run
        raise Conflict(f"backtest {run_id} is {run.status} already", status=run.status)

    async def resume(self, run_id: str, owner: str) -> Backtest:
        """Let a cancelled or failed run go on from its checkpoint, to the result it would have had.

        InvalidInput where its strategy is not there any more, or would refuse it now: it stays as it is.
        """
        run = await self.get(run_id, owner)
        await asyncio.to_thread(check_config, run.config)
        await self._refuse_full_queue(owner)
        if (changed := await self._ledger.change(run, transitions.resumed)) is not None:
            await self._execution.hint()
            return changed
        run = await self.get(run_id, owner)
        raise Conflict(f"backtest {run_id} is {run.status}: only a cancelled or failed one resumes", status=run.status)

    async def rerun(self, run_id: str, owner: str, options: SubmitOptions) -> Backtest:
        """A new run of the same description on the data as it is now."""
        run = await self.get(run_id, owner)
        given = run.config.model_dump(mode="json") | {"name": run.name, "tags": list(run.tags)}
        return await self.submit(given, owner, options=replace(options, rerun_of=run.id))

    # ---- what workers ask -------------------------------------------------------------------------------------

    async def claim_next(self, worker: Worker, seat: Seat | None = None) -> Backtest | None:
        """Give the run whose turn it is to this worker: fence and attempt go up, the lease begins. None: no work.

        seat: what holds the limits of runs at once; None: they do not matter here
        """
        while True:
            offered = False
            async for runs in self._turns.next_runs(_most_of_one_owner(seat)):
                if not runs or (seat is not None and not await seat.take_of(runs[0].owner_id)):
                    continue
                offered = True
                for run in runs:
                    claimed = await self._ledger.change(run, lambda current: transitions.claimed(current, worker))
                    if claimed is not None:
                        await self._repository.add(_attempt(claimed, worker))
                        await self._turns.note(claimed)
                        return claimed
                if seat is not None:
                    await seat.leave_owner()
            if not offered:
                return None

    async def somebody_waits(self) -> bool:
        return bool(await self._repository.count(Backtest, (eq("status", Status.QUEUED),)))

    async def log(self, run: Backtest, lines: list[LogLine]) -> Backtest | None:
        """Append log lines of the worker that holds the claim; None when it does not hold it any more."""
        return await self._ledger.change(run, lambda current: transitions.logged(current, run.fence, lines))

    async def record_checkpoint(self, run: Backtest, checkpoint: Checkpoint, stage: str) -> Backtest | None:
        """From now on the next attempt goes on from there; None when the claim is lost."""
        return await self._ledger.change(run, lambda current: transitions.checkpointed(current, checkpoint, stage))

    async def renew(self, run: Backtest, progress: Progress) -> Backtest | None:
        """Beat the heart and save the progress; None when the claim is lost."""
        return await self._repository.update(
            Backtest,
            run.id,
            (eq("fence", run.fence), eq("worker.pid", run.worker.pid if run.worker else None)),
            Change(set={"progress": progress}, inc={"heartbeat": 1}),
        )

    async def finish(
        self, run: Backtest, outcome: Outcome, lines: list[LogLine], *, written: Callable[[], None] | None = None
    ) -> Backtest | None:
        """The single write that ends a run; a cancel that came first wins. None when the claim is lost.

        written: see RunLedger.change
        """
        fence = run.fence
        if outcome.partial:  # the worker has heard of a cancel that its copy of the run does not show yet
            run = await self._repository.get(Backtest, run.id) or run
        finished = await self._ledger.change(
            run, lambda current: transitions.finished(current, fence, outcome, lines), written=written
        )
        if finished is not None:
            await self._close_attempt(finished, run.worker, str(finished.status))
        return finished

    async def give_back(self, run: Backtest, reason: str) -> Backtest | None:
        """Take the claim from a worker that stopped or died: queue the run again, or end it after too many deaths."""
        given = await self._ledger.change(run, lambda current: transitions.given_back(current, run.fence, reason))
        if given is not None:
            await self._close_attempt(run, run.worker, reason)
            if given.status == Status.QUEUED:
                await self._execution.hint()
        return given

    # ---- what the scheduler asks ------------------------------------------------------------------------------

    async def admit_pending(self, patience_seconds: float) -> int:
        """Queue the pending runs whose data is there now; those that waited too long fail. How many were queued."""
        admitted = 0
        for run in await self._repository.find(Backtest, (eq("status", Status.PENDING),), Order("created_at"), 500):
            try:
                decide = await self._admitted(run, patience_seconds)
            except StorageFailed as error:  # its data cannot be read now; others need not wait for that
                log.warning("pending_run_not_checked", backtest_id=run.id, reason=str(error))
                continue
            if decide is None:
                continue
            changed = await self._ledger.change(run, _if_still(Status.PENDING, decide))
            if changed is not None and changed.status == Status.QUEUED:
                admitted += 1
                await self._execution.hint()
        return admitted

    # ---- inside -----------------------------------------------------------------------------------------------

    async def _request(self, given: Mapping[str, object], options: SubmitOptions) -> tuple[Request | None, list[Any]]:
        """The checked request; (None, what is missing) where it is to wait for data."""
        try:
            return await self._admission.check(given), []
        except InvalidInput as error:
            if not options.wait_for_data or not only_data_is_missing(error):
                raise
            return None, list(error.errors)

    async def _admitted(self, run: Backtest, patience_seconds: float) -> Callable[[Backtest], Draft] | None:
        """What becomes of a pending run now, as it is by then; None: nothing."""
        given = run.config.model_dump(mode="json")
        try:
            request = await self._admission.check(given)
        except InvalidInput as error:
            waited = (utc_now() - (run.pending_at or run.created_at)).total_seconds()
            if only_data_is_missing(error) and waited < patience_seconds:
                missing = missing_data(list(error.errors))
                return (lambda _: Draft(set={"waiting_for": missing})) if missing != run.waiting_for else None
            code = "data_missing" if only_data_is_missing(error) else error.code
            failure = RunError(code=code, message=error.message)
            return lambda current: transitions.transition(
                current,
                Status.FAILED,
                set={"completed_at": utc_now(), "error": failure},
                error=failure.model_dump(mode="json"),
            )
        weighed = await self._admission.weighed(request)
        return lambda current: transitions.transition(
            current,
            Status.QUEUED,
            set={**transitions.queued(current.priority), **weighed},
            reason="data_arrived",
        )

    async def _reuse(self, run: Backtest, found: Backtest) -> Backtest | None:
        """Save the run as completed with the other one's result; None when that result cannot be had any more."""
        if found.result is None:
            return None
        try:
            path = await asyncio.to_thread(self._lake.share_result, found.result.path, run.id, 0)
        except StorageFailed as error:
            log.warning("result_not_reused", backtest_id=found.id, reason=str(error))
            return None
        now = utc_now()
        done = run.model_copy(
            update={
                **{name: getattr(found, name) for name in _RESULT_FIELDS},
                "result": found.result.model_copy(update={"path": path}),
                "status": Status.COMPLETED,
                "started_at": now,
                "completed_at": now,
                "progress": found.progress,
                "cached_from": found.cached_from or found.id,
            }
        )
        events = [
            status_event(Status.QUEUED, attempt=0),
            (EventType.LOG, log_lines.identical(found.id)),
            status_event(Status.COMPLETED, attempt=0, reason="cached"),
        ]
        return await self._ledger.add(done, events)

    async def _refuse_full_queue(self, owner: str) -> None:
        """Counted before the run is saved: many submissions at the same moment may go a few beyond the limit."""
        limits: list[tuple[int, Where, str]] = [(self._queue_max_size, (), "backtests are waiting")]
        if self._queue_max_per_owner is not None:
            limits.append((self._queue_max_per_owner, (eq("owner_id", owner),), "of your backtests are waiting"))
        for limit, whose, words in limits:
            waiting = 0
            for status in _WAITING:
                waiting += await self._repository.count(Backtest, (eq("status", status), *whose))
            if waiting >= limit:
                seconds = await self._estimator.seconds_until_free(waiting - limit + 1)
                raise QueueFull(f"{waiting} {words}, which is the limit", retry_after=seconds)

    async def _changed(self, run_id: str, owner: str, decide: Callable[[Backtest], Draft | None]) -> Backtest:
        changed = await self._ledger.change(await self.get(run_id, owner), decide)
        if changed is None:
            raise NotFound(f"there is no backtest {run_id!r}", backtest_id=run_id)
        return changed

    async def _reserve(
        self, owner: str, key: str, given: Mapping[str, object], options: SubmitOptions, run_id: str
    ) -> tuple[str, Backtest | None]:
        """(the run id that belongs to this key, the run if it was accepted already)."""
        body_hash = digest({"body": given, "options": repr(options)})
        record = IdempotencyKey(id=f"{owner}:{key}", backtest_id=run_id, body_hash=body_hash, created_at=utc_now())
        if await self._repository.add(record):
            return run_id, None
        earlier = await self._repository.get(IdempotencyKey, record.id)
        if earlier is None or earlier.body_hash != body_hash:
            raise IdempotencyMismatch("this Idempotency-Key was used with another body")
        return earlier.backtest_id, await self._repository.get(Backtest, earlier.backtest_id)

    async def _close_attempt(self, run: Backtest, worker: Worker | None, outcome: str) -> None:
        """run: as it was during the attempt, or after it."""
        now = utc_now()
        ended = Change(set={"ended_at": now, "outcome": outcome})
        open_ = (eq("ended_at", None),)
        if await self._repository.update(Execution, f"{run.id}:{run.attempt}", open_, ended) is None and worker:
            # nobody has written that it began: its worker died right after the claim
            await self._repository.add(_attempt(run, worker).model_copy(update={"ended_at": now, "outcome": outcome}))


_RESULT_FIELDS = (
    "fingerprint",
    "metrics",
    "null_reasons",
    "benchmark_metrics",
    "notices",
    "manifest",
    "trading",
    "sparkline",
)


def _most_of_one_owner(seat: Seat | None) -> int | None:
    if seat is None:
        return None
    return 1 if seat.for_newcomers else seat.owner_limit


def _attempt(run: Backtest, worker: Worker) -> Execution:
    return Execution(
        id=f"{run.id}:{run.attempt}",
        run_id=run.id,
        attempt=run.attempt,
        fence=run.fence,
        worker=worker,
        started_at=run.started_at or utc_now(),
    )


def _tags(tags: tuple[str, ...], patch: BacktestPatch) -> tuple[str, ...]:
    changed = tuple(tag for tag in dict.fromkeys((*tags, *patch.add_tags)) if tag not in patch.remove_tags)
    if len(changed) > max(MOST_TAGS, len(tags)):
        raise InvalidInput.at("/add_tags", "too_many_tags", f"a backtest has at most {MOST_TAGS} tags")
    return changed


def _if_still(status: Status, decide: Callable[[Backtest], Draft]) -> Callable[[Backtest], Draft | None]:
    return lambda current: decide(current) if current.status == status else None
