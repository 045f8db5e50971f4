"""Backtests going in and out."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, field_validator, model_validator

from backproof.domain.backtest import Backtest, RunError
from backproof.domain.config import STRATEGY_PATTERN, SYMBOL_PATTERN, BacktestConfig, Name, Tag
from backproof.domain.documents import UtcDatetime
from backproof.domain.lifecycle import FINAL, Priority, Status
from backproof.services.backtests.admission import SubmitOptions
from backproof.services.backtests.bulk import BulkAction, BulkOutcome
from backproof.services.backtests.models import BacktestPatch, BacktestQuery, Facet, MetricRange, StatusView
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
MOST_AT_ONCE = 200
MOST_FACETS = 500
RUN_ID_PATTERN = r"^bt-[0-9a-z]{12}$"

Sort = Literal[
    "created_at", "-created_at", "completed_at", "-completed_at", "name", "-name", "status", "-status",
    "total_return", "-total_return", "annual_return", "-annual_return", "cagr", "-cagr",
    "volatility", "-volatility", "sharpe", "-sharpe", "sortino", "-sortino",
    "max_drawdown", "-max_drawdown", "calmar", "-calmar", "trades", "-trades",
    "execution_seconds", "-execution_seconds",
]  # fmt: skip


class BacktestIn(BacktestConfig):
    """One backtest, completely described. Only name, strategy_type and symbols are required."""


PriorityName = Literal["low", "normal", "high"]


class RerunQueryIn(In):
    """The query string of a repetition."""

    use_cache: Annotated[
        bool, Field(description="Take the stored result of an identical backtest instead of computing it again.")
    ] = False
    priority: Annotated[PriorityName, Field(description="Which of your waiting backtests goes first.")] = "normal"

    def options(self) -> SubmitOptions:
        return SubmitOptions(use_cache=self.use_cache, priority=Priority[self.priority.upper()])


class SubmitQueryIn(RerunQueryIn):
    """The query string of a submission."""

    use_cache: Annotated[
        bool, Field(description="Take the stored result of an identical backtest instead of computing it again.")
    ] = True
    wait_for_data: Annotated[
        bool,
        Field(description="Where only data is missing, accept it as `pending`; it starts when the data is imported."),
    ] = False

    def options(self) -> SubmitOptions:
        return replace(super().options(), wait_for_data=self.wait_for_data)


class BacktestPatchIn(In):
    """What may be changed at any time; what is left out stays as it is. The computation itself never changes."""

    name: Name | None = None
    tags: Annotated[tuple[Tag, ...], Field(max_length=50)] | None = None
    notes: Annotated[str, Field(max_length=20_000)] | None = None
    starred: StrictBool | None = None
    priority: PriorityName | None = None

    @field_validator("notes")
    @classmethod
    def _no_nul(cls, notes: str | None) -> str | None:
        if notes is not None and "\x00" in notes:
            raise ValueError("a note holds no NUL characters")
        return notes

    def patch(self) -> BacktestPatch:
        priority = Priority[self.priority.upper()] if self.priority is not None else None
        return BacktestPatch(name=self.name, tags=self.tags, notes=self.notes, starred=self.starred, priority=priority)


class BulkIn(In):
    """One action on many backtests."""

    action: BulkAction
    ids: Annotated[list[Annotated[str, Field(pattern=RUN_ID_PATTERN)]], Field(min_length=1, max_length=MOST_AT_ONCE)]
    add_tags: Annotated[tuple[Tag, ...], Field(max_length=50)] = ()
    remove_tags: Annotated[tuple[Tag, ...], Field(max_length=50)] = ()
    starred: StrictBool | None = None
    priority: PriorityName | None = None

    @model_validator(mode="after")
    def _changes(self) -> "BulkIn":
        changes = bool(self.add_tags or self.remove_tags) or self.starred is not None or self.priority is not None
        if changes and self.action != "change":
            raise ValueError("add_tags, remove_tags, starred and priority belong to the action change")
        if self.action == "change" and not changes:
            raise ValueError("change needs one of add_tags, remove_tags, starred, priority")
        return self

    def patch(self) -> BacktestPatch:
        return BacktestPatch(
            add_tags=self.add_tags,
            remove_tags=self.remove_tags,
            starred=self.starred,
            priority=Priority[self.priority.upper()] if self.priority is not None else None,
        )


class RefusalOut(Out):
    """Why a run was left as it is: code and sentence of the problem that the single action would answer with."""

    code: str = Field(examples=["conflict"])
    detail: str = Field(examples=["backtest bt-4f0k2m9q7xza is running; cancel it before deleting it"])


class OutcomeOut(Out):
    """What became of one backtest."""

    backtest_id: str
    status: Status | None = Field(description="Its status now; of a repetition, the status of the new backtest.")
    new_backtest_id: str | None = Field(description="The repetition.")
    error: RefusalOut | None = Field(description="null: done.")

    @classmethod
    def of(cls, outcome: BulkOutcome) -> "OutcomeOut":
        error = outcome.error
        return cls(
            backtest_id=outcome.backtest_id,
            status=outcome.status,
            new_backtest_id=outcome.new_id,
            error=None if error is None else RefusalOut(code=error.code, detail=error.message),
        )


class BulkOut(Out):
    """One outcome for each id, in the order of the request."""

    items: list[OutcomeOut]


class FacetIn(In):
    """The query string of the facets."""

    by: Facet


class FacetValueOut(Out):
    value: str = Field(examples=["sma_crossover"])
    count: int = Field(ge=1)


class FacetOut(Out):
    """The values that runs have, the most frequent first."""

    items: Annotated[list[FacetValueOut], Field(max_length=MOST_FACETS)]
    total: int = Field(ge=0, description=f"How many different values there are; at most {MOST_FACETS} are listed.")

    @classmethod
    def of(cls, counts: Mapping[str, int]) -> "FacetOut":
        frequent = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MOST_FACETS]
        return cls(items=[FacetValueOut(value=value, count=count) for value, count in frequent], total=len(counts))


class BacktestListIn(In):
    """The query string of the list."""

    status: Annotated[list[Status], Field(max_length=20, description="One of them; repeat it for several.")] = []
    strategy_type: Annotated[
        list[Annotated[str, Field(pattern=STRATEGY_PATTERN)]],
        Field(max_length=50, description="One of them; repeat it for several."),
    ] = []
    symbol: Annotated[
        list[Annotated[str, Field(pattern=SYMBOL_PATTERN)]],
        Field(max_length=20, description="All of them; repeat it for several."),
    ] = []
    tag: Annotated[
        list[Annotated[str, Field(max_length=50)]],
        Field(max_length=20, description="All of them; repeat it for several."),
    ] = []
    starred: bool | None = None
    deleted: Annotated[bool, Field(description="Those in the bin instead, which can be restored for a day.")] = False
    q: Annotated[
        str | None,
        Field(max_length=200, description="Words of the name, notes, tags, symbols, or an id; beginnings suffice."),
    ] = None
    created_from: Moment | None = None
    created_to: Moment | None = None
    min_total_return: FiniteIn | None = None
    max_total_return: FiniteIn | None = None
    min_cagr: FiniteIn | None = None
    max_cagr: FiniteIn | None = None
    min_sharpe: FiniteIn | None = None
    max_sharpe: FiniteIn | None = None
    min_max_drawdown: Annotated[
        FiniteIn | None, Field(description="Drawdowns are negative: -0.2 is a fall of 20 %.")
    ] = None
    max_max_drawdown: FiniteIn | None = None
    min_trades: Annotated[FiniteIn | None, Field(description="Closed trades.")] = None
    max_trades: FiniteIn | None = None
    sort: Annotated[Sort, Field(description="A leading minus sorts downwards; runs without the value come last.")] = (
        "-created_at"
    )
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    offset: Annotated[
        int, Field(ge=0, le=10_000_000, description="So many are skipped: to jump, where cursors only go on.")
    ] = 0
    cursor: Annotated[str | None, Field(max_length=500)] = None

    def question(self) -> dict[str, Any]:
        """What a cursor belongs to: everything but the page."""
        return {
            "list": "backtests",
            **self.model_dump(mode="json", exclude={"limit", "offset", "cursor"}, exclude_none=True),
        }

    def query(self, after: str | None) -> BacktestQuery:
        ranges = (
            MetricRange("total_return", self.min_total_return, self.max_total_return),
            MetricRange("cagr", self.min_cagr, self.max_cagr),
            MetricRange("sharpe", self.min_sharpe, self.max_sharpe),
            MetricRange("max_drawdown", self.min_max_drawdown, self.max_max_drawdown),
            MetricRange("trades", self.min_trades, self.max_trades),
        )
        return BacktestQuery(
            status=tuple(self.status),
            strategies=tuple(self.strategy_type),
            symbols=tuple(self.symbol),
            tags=tuple(self.tag),
            starred=self.starred,
            deleted=self.deleted,
            text=self.q,
            created_from=self.created_from,
            created_to=self.created_to,
            metrics=tuple(r for r in ranges if r.minimum is not None or r.maximum is not None),
            sort=self.sort.removeprefix("-"),
            descending=self.sort.startswith("-"),
            limit=self.limit,
            cursor=after,
            offset=self.offset,
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
    eta_seconds: Finite = Field(description="Expected seconds until it is done, waiting included; null when unknown.")
    cached_from: str | None = Field(description="The identical backtest whose result it was given; null: computed.")


class MissingOut(Out):
    """What a pending backtest waits for."""

    pointer: str = Field(description="JSON pointer to the field of the configuration.", examples=["/symbols/0"])
    code: str = Field(examples=["unknown_symbol"])
    message: str


class StatusOut(Out):
    """Where a run stands; also the data of `progress` frames."""

    backtest_id: str
    status: Status
    progress: float = Field(ge=0, le=100, description="Percent of the work done.")
    current_step: str | None = Field(description="collect_data, indicators, simulate or save; null when not running.")
    bars_done: int
    total_bars: int
    fills: int
    eta_seconds: Finite = Field(
        description="Seconds until it is done: as expected while it waits, as measured while it runs; null: unknown."
    )
    queue_position: int | None
    estimated_duration: Finite
    attempt: int = Field(description="How often a worker has taken the run.")
    priority: PriorityName
    checkpoint_bar: int | None = Field(description="Bars that would not be computed again after a crash or a resume.")
    waiting_for: list[MissingOut] = Field(description="The data that a pending backtest lacks.")
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
    has_notes: bool
    priority: PriorityName = Field(description="Which of your waiting backtests goes first.")
    created_at: UtcDatetime
    started_at: UtcDatetime | None
    completed_at: UtcDatetime | None
    duration_seconds: Finite
    execution_seconds: Finite = Field(description="Of computing, in the attempt that ended it; null: not computed.")
    progress: float
    current_step: str | None
    estimated_duration: Finite
    partial: bool = Field(description="Cancelled on the way: the result covers the bars until then.")
    metrics: dict[str, Number] | None = Field(description="Headline metrics as fractions; null: see null_reasons.")
    null_reasons: dict[str, str] = Field(description="Why a metric is null, by its name.")
    sparkline: list[float] = Field(
        description="A few evenly chosen points of equity, as multiples of the initial capital; empty without a result."
    )
    fingerprint: str | None = Field(description="Equal fingerprints are equal results, bit for bit.")
    cached_from: str | None = Field(description="The identical backtest whose result it was given; null: computed.")
    rerun_of: str | None = Field(description="The backtest that this one repeats.")
    deleted_at: UtcDatetime | None
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
        "has_notes": bool(run.notes),
        "priority": run.priority.name.lower(),
        "created_at": run.created_at,
        "started_at": run.started_at,
        "completed_at": run.completed_at,
        "duration_seconds": run.duration_seconds,
        "execution_seconds": run.execution_seconds,
        "progress": 100.0 if run.status == Status.COMPLETED else run.progress.percent,
        "current_step": None if done or run.progress.stage is None else str(run.progress.stage),
        "estimated_duration": run.estimated_seconds,
        "partial": run.partial,
        "metrics": run.metrics,
        "null_reasons": run.null_reasons,
        "sparkline": run.sparkline,
        "fingerprint": run.fingerprint,
        "cached_from": run.cached_from,
        "rerun_of": run.rerun_of,
        "deleted_at": run.deleted_at,
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
    bars_before: int = Field(description="Before start_date: they warm the indicators up.")
    bars_in_run: int
    close_only: bool
    sha256: str = Field(description="Of the data file; equal for equal bars.")
    note: str


class EstimateOut(Out):
    seconds: Finite = Field(description="Seconds of computing; null until a similar run has finished here.")
    low: Finite = Field(description="Four of five runs took from `low` to `high` seconds.")
    high: Finite
    learned_from: int = Field(description="Number of finished runs that the estimate was learned from.")
    queue_position: int
    wait_seconds: Finite = Field(description="Expected seconds until it starts; null when unknown.")
    work_units: int = Field(description="Bars to simulate, over all symbols.")
    memory_bytes: int = Field(description="Expected memory of the worker that computes it, at most.")


class ValidationOut(Out):
    """What a submission of the same body would meet. `valid` is false exactly when there are errors."""

    valid: bool
    errors: list[FieldErrorOut]
    warnings: list[NoticeOut]
    coverage: list[CoverageOut]
    warmup: int | None = Field(
        description="Own bars of a symbol before the strategy's first decision; null with errors, or when not known."
    )
    estimate: EstimateOut | None
    identical: str | None = Field(description="Id of a completed run with the same configuration and data.")
