"""What the backtest services take and answer, beside the domain's own models."""

import datetime as dt
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

from backproof.domain.backtest import Notice, RunError
from backproof.domain.lifecycle import Status
from backproof.errors import FieldError
from backproof.services.datasets import Coverage

T = TypeVar("T")

# a metric that runs can be filtered and sorted by
ListMetric = Literal[
    "total_return", "annual_return", "cagr", "volatility", "sharpe", "sortino", "max_drawdown", "calmar"
]


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
    """Filters of the run list; None does not filter. `cursor` is the id of the last run of the page before."""

    status: tuple[Status, ...] = ()
    strategy_type: str | None = None
    symbol: str | None = None
    tag: str | None = None
    starred: bool | None = None
    text: str | None = None
    created_from: dt.datetime | None = None
    created_to: dt.datetime | None = None
    metrics: tuple[MetricRange, ...] = ()
    sort: str = "created_at"
    descending: bool = True
    limit: int = 50
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class BacktestPatch:
    """New values of what an owner may change; None leaves as it is."""

    name: str | None = None
    tags: tuple[str, ...] | None = None
    notes: str | None = None
    starred: bool | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """seconds: expected computing time, None until a similar run has finished here; bars x symbols is work_units."""

    seconds: float | None
    queue_position: int
    work_units: int


@dataclass(frozen=True, slots=True)
class Validation:
    """The answer of a dry run: errors make it invalid; warnings are what the result's notices would say."""

    valid: bool
    errors: list[FieldError] = field(default_factory=list)
    warnings: list[Notice] = field(default_factory=list)
    coverage: list[Coverage] = field(default_factory=list)
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
    """The body of GET /backtests/{id}/status and the data of progress frames. progress: 0-100."""

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
    created_at: dt.datetime
    started_at: dt.datetime | None
    completed_at: dt.datetime | None
    error: RunError | None
    seq: int
