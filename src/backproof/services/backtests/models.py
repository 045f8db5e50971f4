"""What the backtest services take and answer, beside the domain's own models."""

import datetime as dt
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

from backproof.domain.backtest import ListMetric, Missing, Notice, RunError
from backproof.domain.lifecycle import Priority, Status
from backproof.errors import FieldError
from backproof.services.datasets import Coverage

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list; `next_cursor` is None on the last one, `total` counts all matches."""

    items: list[T]
    next_cursor: str | None
    total: int


@dataclass(frozen=True, slots=True)
class MetricRange:
    metric: ListMetric
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True, slots=True)
class BacktestQuery:
    """Filters of the run list; None does not filter. `cursor` is the id of the last run of the page before.

    status, strategies: one of them; symbols, tags: all of them
    """

    status: tuple[Status, ...] = ()
    strategies: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    starred: bool | None = None
    text: str | None = None
    created_from: dt.datetime | None = None
    created_to: dt.datetime | None = None
    metrics: tuple[MetricRange, ...] = ()
    deleted: bool = False
    sort: str = "created_at"
    descending: bool = True
    limit: int = 50
    cursor: str | None = None
    offset: int = 0


# what the runs of a list can be counted by
Facet = Literal["status", "strategy_type", "tags", "symbols"]


@dataclass(frozen=True, slots=True)
class BacktestPatch:
    """New values of what an owner may change; None leaves as it is.

    add_tags, remove_tags: instead of `tags`, for who does not know which ones there are
    """

    name: str | None = None
    tags: tuple[str, ...] | None = None
    add_tags: tuple[str, ...] = ()
    remove_tags: tuple[str, ...] = ()
    notes: str | None = None
    starred: bool | None = None
    priority: Priority | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """seconds: expected computing time, None until a run has finished here; four of five runs took from low to high.

    learned_from: runs it was learned from; wait_seconds: until it would start; work_units: bars x symbols
    """

    seconds: float | None
    low: float | None
    high: float | None
    learned_from: int
    queue_position: int
    wait_seconds: float | None
    work_units: int
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Validation:
    """The answer of a dry run: errors make it invalid; warnings are what the result's notices would say.

    warmup: own bars of a symbol before the strategy's first decision; None where that is not known
    """

    valid: bool
    errors: list[FieldError] = field(default_factory=list)
    warnings: list[Notice] = field(default_factory=list)
    coverage: list[Coverage] = field(default_factory=list)
    warmup: int | None = None
    estimate: Estimate | None = None
    identical: str | None = None


@dataclass(frozen=True, slots=True)
class FullMetrics:
    """What is computed from a stored result when it is asked for.

    drawdowns: the deepest falls, deepest first; dates as ISO 8601, recovery_date and recovery_days None where equity
               has not come back
    """

    metrics: dict[str, float | int | None]
    null_reasons: dict[str, str]
    drawdowns: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class StatusView:
    """The body of GET /backtests/{id}/status and the data of progress frames. progress: 0-100.

    eta_seconds: until it is done: while it waits with the wait, both as estimated; while it runs as measured
    """

    backtest_id: str
    status: Status
    progress: float
    current_step: str | None
    bars_done: int
    total_bars: int
    fills: int
    eta_seconds: float | None
    queue_position: int | None
    estimated_duration: float | None
    attempt: int
    priority: str
    checkpoint_bar: int | None
    waiting_for: tuple[Missing, ...]
    created_at: dt.datetime
    started_at: dt.datetime | None
    completed_at: dt.datetime | None
    error: RunError | None
    seq: int
