"""What each change of a run writes, as pure functions of the run as it is: None where the change may not happen."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from backproof.domain.backtest import (
    Backtest,
    Checkpoint,
    Notice,
    Progress,
    ResultFile,
    RunError,
    TradingSummary,
    Worker,
)
from backproof.domain.documents import utc_now
from backproof.domain.events import EventType
from backproof.domain.lifecycle import CLAIMED, TRANSITIONS, Priority, Status
from backproof.services.backtests import log_lines
from backproof.services.backtests.ledger import Draft
from backproof.services.backtests.log_lines import LogLine

MAX_CRASHES = 3
WORKER_STOPPED = "worker_stopped"

DurableEvent = tuple[EventType, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a finished attempt leaves behind; `error` None means that the simulation reached its end or its cancel.

    seconds: that the attempt took, on the worker's monotonic clock
    """

    seconds: float = 0.0
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
    sparkline: tuple[float, ...] = ()
    progress: Progress = field(default_factory=Progress)

    def fields(self) -> dict[str, object]:
        """The run's fields that describe a result."""
        return {
            "partial": self.partial,
            "result": self.result,
            "fingerprint": self.fingerprint,
            "metrics": self.metrics,
            "null_reasons": self.null_reasons or {},
            "benchmark_metrics": self.benchmark_metrics,
            "notices": self.notices,
            "manifest": self.manifest,
            "trading": self.trading,
            "sparkline": self.sparkline,
        }


def status_event(status: Status, **data: Any) -> DurableEvent:
    return EventType.STATUS_CHANGE, {"status": str(status), **data}


def transition(
    current: Backtest,
    to: Status,
    *,
    set: Mapping[str, object] | None = None,
    inc: Mapping[str, int | float] | None = None,
    before: list[DurableEvent] | None = None,
    **data: Any,
) -> Draft:
    """The draft of a permitted status change; asking for another one is a bug of the caller."""
    if to not in TRANSITIONS[current.status]:
        raise AssertionError(f"{current.status} -> {to} is no transition")
    event = status_event(to, **{"attempt": current.attempt, **data})
    return Draft(set={"status": to, **(set or {})}, inc=dict(inc or {}), events=[*(before or []), event])


def queued(priority: Priority) -> dict[str, object]:
    """The fields of a run that begins to wait for a worker."""
    now = utc_now()
    return {
        "queued_at": now,
        "priority": priority,
        "queue_key": Backtest.place_in_queue(priority, now),
        "waiting_for": (),
    }


def claimed(current: Backtest, worker: Worker) -> Draft | None:
    if current.status != Status.QUEUED:
        return None
    return transition(
        current,
        Status.RUNNING,
        set={"worker": worker, "started_at": utc_now(), "progress": Progress()},
        inc={"fence": 1, "attempt": 1, "heartbeat": 1},
        attempt=current.attempt + 1,
        worker=worker.name,
    )


def cancelled(current: Backtest) -> Draft | None:
    match current.status:
        case Status.QUEUED | Status.PENDING:
            return transition(current, Status.CANCELLED, set={"completed_at": utc_now()})
        case Status.RUNNING:
            return transition(current, Status.CANCELLING)
    return None


def deleted(current: Backtest) -> Draft | None:
    """Into the bin: a finished run, or one that waits, which ends with it."""
    if current.deleted_at is not None:
        return None
    now = utc_now()
    if current.status in (Status.QUEUED, Status.PENDING):
        return transition(current, Status.CANCELLED, set={"completed_at": now, "deleted_at": now}, reason="deleted")
    return Draft(set={"deleted_at": now}) if current.final else None


def resumed(current: Backtest) -> Draft | None:
    """Back to the queue by its owner's wish: the next attempt goes on from the checkpoint, if there is one."""
    if current.status not in (Status.FAILED, Status.CANCELLED) or current.deleted_at is not None:
        return None
    begin: dict[str, object] = {"completed_at": None, "error": None, "crashes": 0, "progress": Progress()}
    if current.request_hash is None:  # its data never came
        return transition(current, Status.PENDING, set={**begin, "pending_at": utc_now()}, reason="waits_for_data")
    return transition(
        current,
        Status.QUEUED,
        before=[(EventType.LOG, log_lines.resumed(current.checkpoint))],
        set={**queued(current.priority), **begin},
        reason="resumed",
    )


def logged(current: Backtest, fence: int, lines: list[LogLine]) -> Draft | None:
    if not _held(current, fence):
        return None
    return Draft(events=[(EventType.LOG, line) for line in lines])


def checkpointed(current: Backtest, checkpoint: Checkpoint, stage: str) -> Draft | None:
    if not _held(current, checkpoint.fence):
        return None
    event = (EventType.CHECKPOINT, {"bar": checkpoint.bar, "total_bars": checkpoint.total_bars, "stage": stage})
    return Draft(set={"checkpoint": checkpoint}, events=[event])


def finished(current: Backtest, fence: int, outcome: Outcome, lines: list[LogLine]) -> Draft | None:
    """The one write that ends a run; a cancel that came first wins."""
    if not _held(current, fence):
        return None
    now = utc_now()
    if outcome.error is not None:
        status = Status.FAILED
    elif current.status == Status.CANCELLING:
        status = Status.CANCELLED
    else:
        status = Status.COMPLETED
    # an attempt without a result leaves what an earlier one, before its owner had it resumed, has kept
    result = {} if outcome.result is None and current.result is not None else outcome.fields()
    return transition(
        current,
        status,
        set={
            **result,
            **({"checkpoint": None} if outcome.error is None and not outcome.partial else {}),
            "completed_at": now,
            "execution_seconds": outcome.seconds,
            "error": outcome.error,
            "progress": outcome.progress,
            "worker": None,
        },
        before=[(EventType.LOG, line) for line in lines],
        **({"error": outcome.error.model_dump(mode="json")} if outcome.error else {}),
    )


def given_back(current: Backtest, fence: int, reason: str) -> Draft | None:
    """What becomes of a run whose worker stopped or died: it waits again, or ends after too many deaths."""
    if not _held(current, fence):
        return None
    line = (EventType.LOG, log_lines.attempt_ended(current.attempt, reason))
    now = utc_now()
    if current.status == Status.CANCELLING:
        return transition(
            current,
            Status.CANCELLED,
            before=[line],
            # what the worker had computed is in the checkpoint
            set={"completed_at": now, "worker": None, "partial": True},
        )
    crashes = current.crashes + (reason != WORKER_STOPPED)  # a stop on purpose is not the run's fault
    if crashes >= MAX_CRASHES:
        error = RunError(
            code="crash_loop",
            message=f"the worker died {crashes} times while computing this backtest",
            stage=current.progress.stage,
            details={"last_reason": reason},
        )
        return transition(
            current,
            Status.FAILED,
            before=[line],
            set={"completed_at": now, "worker": None, "error": error, "crashes": crashes},
            error=error.model_dump(mode="json"),
        )
    # it keeps its place: what was queued before it has started before it
    return transition(
        current,
        Status.QUEUED,
        before=[line],
        set={
            "worker": None,
            "progress": Progress(),
            "crashes": crashes,
            "queue_key": Backtest.place_in_queue(current.priority, current.queued_at or now),
        },
        reason=reason,
    )


def _held(current: Backtest, fence: int) -> bool:
    """Whether the claim with this fence still stands."""
    return current.fence == fence and current.status in CLAIMED
