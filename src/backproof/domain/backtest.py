"""The run document and its attempts. `Backtest` is the only truth about a run (collection `backtests`)."""

import datetime as dt
import secrets
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from backproof.domain.config import BacktestConfig
from backproof.domain.documents import Document, UtcDatetime
from backproof.domain.events import Event
from backproof.domain.lifecycle import FINAL, Stage, Status

LOCAL_OWNER = "local"
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32


def new_id(prefix: str) -> str:
    """`bt-4f0k2m9q7xza`: 60 random bits, short enough to read out loud; the store refuses a collision."""
    return prefix + "-" + "".join(secrets.choice(_ALPHABET) for _ in range(12))


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RunError(Part):
    """Why a run failed: a stable code, one sentence, the stage, and plain facts."""

    code: str
    message: str
    stage: Stage | None = None
    details: dict[str, Any] = {}


class Worker(Part):
    """Who holds the claim. host identifies machine, boot and pid namespace, so that `pid` can be checked there."""

    name: str
    host: str
    pid: int


class Progress(Part):
    """Work done, not time passed. percent: 0-100."""

    percent: float = 0.0
    stage: Stage | None = None
    bars_done: int = 0
    total_bars: int = 0
    fills: int = 0
    eta_seconds: float | None = None


class Notice(Part):
    """Something a reader of the result must know before trusting a number."""

    code: str
    message: str
    details: dict[str, Any] = {}


class ResultFile(Part):
    """The committed result: path below the lake, content hash, and what is in it."""

    path: str
    sha256: str
    bytes: int
    bars: int
    fills: int
    trades: int
    events: int = 0


class TradingSummary(Part):
    """What trading came to, counted when the result was saved.

    costs:          money by kind (see Result.costs)
    exit_reasons:   trades by the reason of their last fill; `open` for those still open
    account_events: events that changed the account and were no fills, by kind
    """

    costs: dict[str, float]
    exit_reasons: dict[str, int]
    account_events: dict[str, int]


class Backtest(Document):
    """One run.

    fence:     raised by every claim; writes and files of an older fence are refused
    seq:       number of the last durable event; also the optimistic version of every change that appends one
    request_hash: equal for requests that must give the same result (configuration without labels, data files)
    outbox:    events saved with the change that caused them and not yet relayed
    relay_pending: something of the outbox may not have reached the event stream yet
    heartbeat: counter, raised by the worker that holds the claim
    metrics:   headline metrics; null where undefined, the reason is in null_reasons
    """

    collection: ClassVar[str] = "backtests"
    indexes: ClassVar[tuple[tuple[str, ...], ...]] = (
        ("created_at",),
        ("owner_id", "created_at"),
        ("status", "created_at"),
        ("config.strategy_type", "created_at"),
        ("fingerprint",),
        ("request_hash",),
        ("relay_pending",),
    )

    owner_id: str = LOCAL_OWNER
    config: BacktestConfig
    name: str
    tags: tuple[str, ...] = ()
    notes: str = ""
    starred: bool = False
    search: tuple[str, ...] = ()

    status: Status
    fence: int = 0
    attempt: int = 0
    heartbeat: int = 0
    worker: Worker | None = None
    seq: int = 0
    outbox: tuple[Event, ...] = ()
    relay_pending: bool = False

    created_at: UtcDatetime
    queued_at: UtcDatetime | None = None
    started_at: UtcDatetime | None = None
    completed_at: UtcDatetime | None = None
    estimated_seconds: float | None = None
    work_units: int = 0
    request_hash: str | None = None

    progress: Progress = Progress()
    error: RunError | None = None
    partial: bool = False

    fingerprint: str | None = None
    metrics: dict[str, float | int | None] | None = None
    null_reasons: dict[str, str] = {}
    benchmark_metrics: dict[str, float | int | None] | None = None
    notices: tuple[Notice, ...] = ()
    manifest: dict[str, Any] | None = None
    result: ResultFile | None = None
    trading: TradingSummary | None = None

    @property
    def final(self) -> bool:
        return self.status in FINAL

    @property
    def duration_seconds(self) -> float | None:
        if self.started_at is None or self.completed_at is None:
            return None
        return (self.completed_at - self.started_at) / dt.timedelta(seconds=1)


class Execution(Document):
    """One attempt at a run (collection `backtest_executions`); the id is `<run id>:<attempt>`."""

    collection: ClassVar[str] = "backtest_executions"
    indexes: ClassVar[tuple[tuple[str, ...], ...]] = (("run_id", "attempt"),)

    run_id: str
    attempt: int
    fence: int
    worker: Worker
    task_id: str | None = None
    started_at: UtcDatetime
    ended_at: UtcDatetime | None = None
    outcome: str | None = None


class Lease(Document):
    """A named right held by one process for a while (the scheduler's leadership)."""

    collection: ClassVar[str] = "leases"

    holder: str
    expires_at: UtcDatetime


class IdempotencyKey(Document):
    """A client's promise that two requests with the same key are one; the id is `<owner>:<key>`."""

    collection: ClassVar[str] = "idempotency_keys"

    backtest_id: str
    body_hash: str
    created_at: UtcDatetime
