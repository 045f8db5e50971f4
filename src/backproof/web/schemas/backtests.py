"""Backtests going in and out."""

import datetime as dt
from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, field_validator

from backproof.domain.backtest import Backtest, RunError
from backproof.domain.config import STRATEGY_PATTERN, SYMBOL_PATTERN, BacktestConfig, Name, Tag
from backproof.domain.documents import UtcDatetime
from backproof.domain.lifecycle import FINAL, Status
from backproof.services.backtests.models import BacktestPatch, BacktestQuery, MetricRange, StatusView
from backproof.web.schemas.common import (
    CALENDAR,
    COSTS,
    COSTS_EXAMPLE,
    FieldErrorOut,
    Finite,
    FiniteIn,
    In,
    Moment,
    NoticeOut,
    Number,
    Out,
)

SUMMARY_SYMBOLS = 20

Sort = Literal[
    "created_at", "-created_at", "completed_at", "-completed_at", "name", "-name", "status", "-status",
    "total_return", "-total_return", "annual_return", "-annual_return", "cagr", "-cagr",
    "volatility", "-volatility", "sharpe", "-sharpe", "sortino", "-sortino",
    "max_drawdown", "-max_drawdown", "calmar", "-calmar",
]  # fmt: skip


class BacktestIn(BacktestConfig):
    """One backtest, completely described. Only name, strategy_type and symbols are required."""


class BacktestPatchIn(In):
    """What may be changed at any time; what is left out stays as it is. The computation itself never changes."""

    name: Name | None = None
    tags: Annotated[tuple[Tag, ...], Field(max_length=50)] | None = None
    notes: Annotated[str, Field(max_length=20_000)] | None = None
    starred: StrictBool | None = None

    @field_validator("notes")
    @classmethod
    def _no_nul(cls, notes: str | None) -> str | None:
        if notes is not None and "\x00" in notes:
            raise ValueError("a note holds no NUL characters")
        return notes

    def patch(self) -> BacktestPatch:
        return BacktestPatch(name=self.name, tags=self.tags, notes=self.notes, starred=self.starred)


class BacktestListIn(In):
    """The query string of the list."""

    status: Annotated[list[Status], Field(max_length=20, description="Repeat it for several.")] = []
    strategy_type: Annotated[str | None, Field(pattern=STRATEGY_PATTERN)] = None
    symbol: Annotated[str | None, Field(pattern=SYMBOL_PATTERN)] = None
    tag: Annotated[str | None, Field(max_length=50)] = None
    starred: bool | None = None
    q: Annotated[
        str | None, Field(max_length=200, description="Words of the name, notes, tags, symbols; beginnings suffice.")
    ] = None
    created_from: Moment | None = None
    created_to: Moment | None = None
    min_total_return: FiniteIn | None = None
    max_total_return: FiniteIn | None = None
    min_sharpe: FiniteIn | None = None
    max_sharpe: FiniteIn | None = None
    min_max_drawdown: Annotated[
        FiniteIn | None, Field(description="Drawdowns are negative: -0.2 is a fall of 20 %.")
    ] = None
    max_max_drawdown: FiniteIn | None = None
    sort: Annotated[Sort, Field(description="A leading minus sorts downwards; runs without the value come last.")] = (
        "-created_at"
    )
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str | None, Field(max_length=500)] = None

    def question(self) -> dict[str, Any]:
        """What a cursor belongs to: everything but the page."""
        return {"list": "backtests", **self.model_dump(mode="json", exclude={"limit", "cursor"}, exclude_none=True)}

    def query(self, after: str | None) -> BacktestQuery:
        ranges = (
            MetricRange("total_return", self.min_total_return, self.max_total_return),
            MetricRange("sharpe", self.min_sharpe, self.max_sharpe),
            MetricRange("max_drawdown", self.min_max_drawdown, self.max_max_drawdown),
        )
        return BacktestQuery(
            status=tuple(self.status),
            strategy_type=self.strategy_type,
            symbol=self.symbol,
            tag=self.tag,
            starred=self.starred,
            text=self.q,
            created_from=self.created_from,
            created_to=self.created_to,
            metrics=tuple(r for r in ranges if r.minimum is not None or r.maximum is not None),
            sort=self.sort.removeprefix("-"),
            descending=self.sort.startswith("-"),
            limit=self.limit,
            cursor=after,
        )


class RunErrorOut(Out):
    """Why a run failed."""

    code: str = Field(examples=["crash_loop"])
    message: str
    stage: str | None = Field(description="collect_data, indicators, simulate or save.")
    details: dict[str, Any] = {}


class SubmittedOut(Out):
    """The answer to a submission; the backtest is saved when it arrives."""

    backtest_id: str = Field(examples=["bt-4f0k2m9q7xza"])
    status: Status
    estimated_duration: Finite = Field(description="Seconds of computing; null until a similar run has finished here.")
    queue_position: int | None = Field(description="1 starts next; null when it does not wait.")


class StatusOut(Out):
    """Where a run stands; also the data of `progress` frames."""

    backtest_id: str
    status: Status
    progress: float = Field(ge=0, le=100, description="Percent of the work done.")
    current_step: str | None = Field(description="collect_data, indicators, simulate or save; null when not running.")
    bars_done: int
    total_bars: int
    fills: int
    eta_seconds: Finite
    queue_position: int | None
    estimated_duration: Finite
    attempt: int = Field(description="How often a worker has taken the run.")
    created_at: UtcDatetime
    started_at: UtcDatetime | None
    completed_at: UtcDatetime | None
    error: RunErrorOut | None
    seq: int = Field(description="Number of the newest durable event.")

    @classmethod
    def of(cls, view: StatusView) -> "StatusOut":
        return cls.model_validate(view)


class BacktestSummaryOut(Out):
    """A row of the list."""

    backtest_id: str
    name: str
    status: Status
    strategy_type: str
    symbols: list[str] = Field(description=f"The first {SUMMARY_SYMBOLS}.")
    symbol_count: int
    start_date: dt.date | None
    end_date: dt.date | None
    timeframe: str
    data_source: str | None
    initial_capital: float
    tags: list[str]
    starred: bool
    created_at: UtcDatetime
    started_at: UtcDatetime | None
    completed_at: UtcDatetime | None
    duration_seconds: Finite
    progress: float
    current_step: str | None
    estimated_duration: Finite
    partial: bool = Field(description="Cancelled on the way: the result covers the bars until then.")
    metrics: dict[str, Number] | None = Field(description="Headline metrics as fractions; null: see null_reasons.")
    fingerprint: str | None = Field(description="Equal fingerprints are equal results, bit for bit.")
    error: RunErrorOut | None


class ResultCountsOut(Out):
    """What the stored result holds."""

    bars: int
    fills: int
    trades: int
    events: int = Field(description="Splits, dividends and borrow payments.", examples=[12])
    bytes: int
    sha256: str


class BacktestOut(BacktestSummaryOut):
    """Everything about a run but its series."""

    config: BacktestConfig
    notes: str
    attempt: int
    queued_at: UtcDatetime | None
    null_reasons: dict[str, str]
    benchmark_metrics: dict[str, Number] | None
    notices: list[NoticeOut]
    result: ResultCountsOut | None
    costs: dict[str, Finite] | None = Field(description=COSTS, examples=[COSTS_EXAMPLE])
    exit_reasons: dict[str, int] | None = Field(
        description="Trades by the reason of their last fill, `open` for those still open.",
        examples=[{"trailing_stop": 14, "signal": 6, "open": 1}],
    )
    account_events: dict[str, int] | None = Field(
        description="Number of account events by kind: split, dividend, borrow.",
        examples=[{"dividend": 37, "split": 1}],
    )

    @classmethod
    def of(cls, run: Backtest) -> "BacktestOut":
        return cls(
            **_summary(run),
            config=run.config,
            notes=run.notes,
            attempt=run.attempt,
            queued_at=run.queued_at,
            null_reasons=run.null_reasons,
            benchmark_metrics=run.benchmark_metrics,
            notices=[NoticeOut.model_validate(notice) for notice in run.notices],
            result=ResultCountsOut(
                bars=run.result.bars,
                fills=run.result.fills,
                trades=run.result.trades,
                events=run.result.events,
                bytes=run.result.bytes,
                sha256=run.result.sha256,
            )
            if run.result
            else None,
            costs=run.trading.costs if run.trading else None,
            exit_reasons=run.trading.exit_reasons if run.trading else None,
            account_events=run.trading.account_events if run.trading else None,
        )


def summary_of(run: Backtest) -> BacktestSummaryOut:
    return BacktestSummaryOut(**_summary(run))


def _summary(run: Backtest) -> dict[str, Any]:
    done = run.status in FINAL
    return {
        "backtest_id": run.id,
        "name": run.name,
        "status": run.status,
        "strategy_type": run.config.strategy_type,
        "symbols": list(run.config.symbols[:SUMMARY_SYMBOLS]),
        "symbol_count": len(run.config.symbols),
        "start_date": run.config.start_date,
        "end_date": run.config.end_date,
        "timeframe": run.config.timeframe,
        "data_source": run.config.data_source,
        "initial_capital": run.config.initial_capital,
        "tags": list(run.tags),
        "starred": run.starred,
        "created_at": run.created_at,
        "started_at": run.started_at,
        "completed_at": run.completed_at,
        "duration_seconds": run.duration_seconds,
        "progress": 100.0 if run.status == Status.COMPLETED else run.progress.percent,
        "current_step": None if done or run.progress.stage is None else str(run.progress.stage),
        "estimated_duration": run.estimated_seconds,
        "partial": run.partial,
        "metrics": run.metrics,
        "fingerprint": run.fingerprint,
        "error": error_of(run.error),
    }


def error_of(error: RunError | None) -> RunErrorOut | None:
    return None if error is None else RunErrorOut.model_validate(error)


class CoverageOut(Out):
    """What the data source holds of one symbol, and how much of it the run uses."""

    symbol: str
    calendar: str = Field(description=CALENDAR, examples=["XNYS"])
    first: dt.date = Field(description="Day of the first bar on the market's clock.")
    last: dt.date
    bars: int
    bars_in_run: int
    close_only: bool
    sha256: str = Field(description="Of the data file; equal for equal bars.")
    note: str


class EstimateOut(Out):
    seconds: Finite = Field(description="Seconds of computing; null until a similar run has finished here.")
    queue_position: int
    work_units: int = Field(description="Bars to simulate, over all symbols.")


class ValidationOut(Out):
    """What a submission of the same body would meet. `valid` is false exactly when there are errors."""

    valid: bool
    errors: list[FieldErrorOut]
    warnings: list[NoticeOut]
    coverage: list[CoverageOut]
    estimate: EstimateOut | None
    identical: str | None = Field(description="Id of a completed run with the same configuration and data.")
