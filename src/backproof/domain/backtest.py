"""The run document and its attempts. `Backtest` is the only truth about a run (collection `backtests`)."""

import datetime as dt
import secrets
from typing import Any, ClassVar, Literal, get_args

from pydantic import BaseModel, ConfigDict

from backproof.domain.config import BacktestConfig
from backproof.domain.documents import Document, UtcDatetime, iso
from backproof.domain.events import Event
from backproof.domain.lifecycle import FINAL, Priority, Stage, Status

LOCAL_OWNER = "local"
# a metric that runs can be filtered and sorted by
ListMetric = Literal[
    "total_return", "annual_return", "cagr", "volatility", "sharpe", "sortino", "max_drawdown", "calmar", "trades"
]
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32


def new_id(prefix: str) -> str:
    """`bt-4f0k2m9q7xza`: 60 random bits, short enough to read out loud; the store refuses a collision."""
    return prefix + "-" + "".join(secrets.choice(_ALPHABET) for _ in range(12))


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")  # as Document


class RunError(Part):
    """Why a run failed: a stable code, one sentence, the stage, and plain facts."""

    code: str
    message: str
    stage: Stage | None = None
    details: dict[str, Any] = {}


class Worker(Part):
    """Who holds the claim. host identifies machine, boot and pid namespace, so that `pid` can be checked there.

    parent: pid of the process that started this one and others like it; 0 where that does not matter
    """

    name: str
    host: str
    pid: int
    parent: int = 0


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


class Checkpoint(Part):
    """A committed state of a run after `bar` bars: path below the lake, content hash, and the claim that wrote it."""

    path: str
    sha256: str
    bytes: int
    bar: int
    total_bars: int
    fence: int
    created_at: UtcDatetime


class Missing(Part):
    """What a pending run waits for. pointer: the field of the configuration that names it"""

    pointer: str
    code: str
    message: str


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
    seq:       number of the last durable event
    revision:  raised by every change but heartbeats and relays, which compare it first; None before the first one
    request_hash: equal for requests that must give the same result (configuration without labels, data files)
    outbox:    events saved with the change that caused them and not yet relayed
    relay_pending: something of the outbox may not have reached the event stream yet
    heartbeat: counter, raised by the worker that holds the claim
    attempt:   how often a worker has taken the run; crashes: how many of them died with it since its owner last asked
    queue_key: sorts the waiting runs of one owner: by priority, then by time
    versions:  symbol to the hash of the bars that the run uses, whatever is imported after it was submitted
    checkpoint: from which the next attempt goes on
    waiting_for: the data that a pending run lacks
    cached_from: the run whose result this one was given instead of computing it again
    rerun_of:  the run that this one repeats
    deleted_at: in the bin since then, and gone for good a day later; purging: it is just going
    execution_seconds: of the attempt that ended it
    metrics:   headline metrics; null where undefined, the reason is in null_reasons
    sparkline: a few points of equity as multiples of the initial capital, for lists
    """

    collection: ClassVar[str] = "backtests"
    indexes: ClassVar[tuple[tuple[str, ...], ...]] = (
        ("owner_id", "deleted_at", "created_at"),
        ("status", "created_at"),
        ("status", "owner_id", "queue_key"),
        ("status", "queued_at"),
        ("deleted_at", "status"),
        ("execution_seconds",),
        ("completed_at",),
        ("config.strategy_type", "created_at"),
        ("fingerprint",),
        ("request_hash",),
        ("relay_pending",),
    )
    listing: ClassVar[tuple[str, ...]] = (
        "owner_id",
        "deleted_at",
        "status",
        "created_at",
        "completed_at",
        "starred",
        "name",
        "config.strategy_type",
        "execution_seconds",
        *(f"metrics.{metric}" for metric in get_args(ListMetric)),
        "tags",
        "config.symbols",
        "search",
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
    crashes: int = 0
    heartbeat: int = 0
    worker: Worker | None = None
    priority: Priority = Priority.NORMAL
    queue_key: str = ""
    checkpoint: Checkpoint | None = None
    waiting_for: tuple[Missing, ...] = ()
    seq: int = 0
    revision: int | None = None
    outbox: tuple[Event, ...] = ()
    relay_pending: bool = False

    created_at: UtcDatetime
    pending_at: UtcDatetime | None = None
    queued_at: UtcDatetime | None = None
    started_at: UtcDatetime | None = None
    completed_at: UtcDatetime | None = None
    deleted_at: UtcDatetime | None = None
    purging: bool = False
    execution_seconds: float | None = None
    estimated_seconds: float | None = None
    work_units: int = 0
    request_hash: str | None = None
    versions: dict[str, str] = {}
    cached_from: str | None = None
    rerun_of: str | None = None

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
    sparkline: tuple[float, ...] = ()

    @property
    def final(self) -> bool:
        return self.status in FINAL

    @property
    def files(self) -> list[str]:
        """Paths of the files that it names; others below its directory are nobody's."""
        return [file.path for file in (self.result, self.checkpoint) if file is not None]

    @property
    def duration_seconds(self) -> float | None:
        if self.started_at is None or self.completed_at is None:
            return None
        return (self.completed_at - self.started_at) / dt.timedelta(seconds=1)

    @staticmethod
    def place_in_queue(priority: Priority, queued_at: dt.datetime) -> str:
        """The queue_key of a run that waits since then."""
        return f"{Priority.HIGH - priority}/{iso(queued_at)}"


class Execution(Document):
    """One attempt at a run (collection `backtest_executions`); the id is `<run id>:<attempt>`."""

    collection: ClassVar[str] = "backtest_executions"
    indexes: ClassVar[tuple[tuple[str, ...], ...]] = (("run_id", "attempt"), ("ended_at",))

    run_id: str
    attempt: int
    fence: int
    worker: Worker
    task_id: str | None = None
    started_at: UtcDatetime
    ended_at: UtcDatetime | None = None
    outcome: str | None = None


class Slot(Document):
    """The right to run one more backtest at once, of all (`slot:3`) or of one owner (`user:ID:1`), or to lead
    (`leader:0`). Exists while it is held.

    holder: who took it, in words that are new each time; worker: the process that has it; beat: it raises this
    """

    collection: ClassVar[str] = "slots"

    holder: str
    worker: Worker
    beat: int = 0


class Served(Document):
    """When a run of this owner was last started while others waited too; the id is the owner's."""

    collection: ClassVar[str] = "served"

    at: UtcDatetime


class Intermediate(Document):
    """What a run had computed a moment ago, for who looks later; the id is the run's.

    points:    [[epoch_ms, equity], ...], down-sampled, of the bars so far
    positions: held after the last of these bars, the largest first: {symbol, shares, price, value}
    """

    collection: ClassVar[str] = "backtest_intermediates"

    fence: int
    saved_at: UtcDatetime
    bars_done: int
    total_bars: int
    fills: int
    trades: int
    points: tuple[tuple[int, float], ...]
    positions: tuple[dict[str, Any], ...]
    position_count: int


class IdempotencyKey(Document):
    """A client's promise that two requests with the same key are one; the id is `<owner>:<key>`."""

    collection: ClassVar[str] = "idempotency_keys"

    backtest_id: str
    body_hash: str
    created_at: UtcDatetime
