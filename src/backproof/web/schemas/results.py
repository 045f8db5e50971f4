"""Events, logs, series and metrics of a run going out, and how they are asked for."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from backproof.domain.backtest import Backtest, Execution
from backproof.domain.documents import UtcDatetime
from backproof.domain.events import Event, EventType, LogLevel
from backproof.services.backtests.definitions import Group, Unit
from backproof.services.backtests.results import EquityCurve
from backproof.web.schemas.common import COSTS, COSTS_EXAMPLE, Finite, In, NoticeOut, Number, Out

LEVELS: tuple[LogLevel, ...] = ("debug", "info", "warning", "error")
KeptType = Literal["status_change", "log", "checkpoint", "notice"]
MAX_SEQ = 10**15


class EventOut(Out):
    """A durable event of a run: what `/ws/backtest/{id}` sends, kept for good."""

    type: EventType
    seq: int = Field(ge=1, description="1, 2, 3 … without gaps per run.")
    timestamp: UtcDatetime
    data: dict[str, Any]


class EventsOut(Out):
    items: list[EventOut]
    next_after: int = Field(description="`after` of the next page: the seq of the last event here.")
    more: bool = Field(description="There may be further events already.")


class LogOut(Out):
    seq: int
    timestamp: UtcDatetime
    level: LogLevel
    message: str
    fields: dict[str, Any] = Field(
        description="Of the service's own lines: `code`, which stays the same, and `values`, the numbers and names in "
        "the message. Of a strategy's: `source` is `strategy`."
    )

    @classmethod
    def of(cls, event: Event) -> "LogOut":
        fields = dict(event.data)
        level, message = fields.pop("level"), str(fields.pop("message", ""))
        return cls(seq=event.seq, timestamp=event.timestamp, level=level, message=message, fields=fields)


class LogsOut(Out):
    items: list[LogOut]
    next_after: int
    more: bool


class PositionOut(Out):
    """A position at the last simulated close; short ones have fewer than no shares and a value below zero."""

    symbol: str
    shares: float
    price: float
    value: float


class IntermediateOut(Out):
    """What a run had computed a moment ago. With fewer points than bars they are evenly chosen."""

    backtest_id: str
    points: list[tuple[int, float]] = Field(description="[milliseconds since 1970 UTC, equity], of the bars so far.")
    bars_done: int
    total_bars: int
    fills: int
    trades: int = Field(description="Round trips, those under way among them.")
    positions: list[PositionOut] = Field(description="The largest ones first, at most 50.")
    position_count: int


class ExecutionOut(Out):
    """One attempt of a worker."""

    attempt: int
    fence: int = Field(description="Number of the claim: what an older one writes is refused.")
    worker: str
    started_at: UtcDatetime
    ended_at: UtcDatetime | None
    outcome: str | None = Field(
        description="completed, failed or cancelled; worker_died, heartbeat_lost or worker_stopped; null: not over.",
        examples=["completed"],
    )

    @classmethod
    def of(cls, execution: Execution) -> "ExecutionOut":
        return cls(
            attempt=execution.attempt,
            fence=execution.fence,
            worker=execution.worker.name,
            started_at=execution.started_at,
            ended_at=execution.ended_at,
            outcome=execution.outcome,
        )


class ExecutionsOut(Out):
    items: list[ExecutionOut]


class EquityOut(Out):
    """Columns of equal length. With fewer points than bars, each stretch keeps its lowest and highest value."""

    backtest_id: str
    partial: bool
    total_bars: int
    dates: list[str] = Field(
        description="ISO 8601: days, or for bars within a day their start in UTC, to the second.",
        examples=[["2005-01-03", "2005-01-04"]],
    )
    equity: list[Finite] = Field(description="Account currency, after costs, at the close of the bar.")
    cash: list[Finite]
    drawdown: list[Finite] = Field(description="Fraction below the peak so far, in [-1, 0].")
    benchmark: list[Finite] | None = Field(description="The benchmark bought with the initial capital.")

    @classmethod
    def of(cls, run: Backtest, curve: EquityCurve) -> "EquityOut":
        return cls(
            backtest_id=run.id,
            partial=run.partial,
            total_bars=curve.total_bars,
            dates=curve.dates,
            equity=curve.equity,
            cash=curve.cash,
            drawdown=curve.drawdown,
            benchmark=curve.benchmark,
        )


class DrawdownOut(Out):
    """One fall from a peak and the way back."""

    peak_date: str = Field(description="Last bar at the peak.", examples=["2007-12-26"])
    trough_date: str = Field(examples=["2008-11-20"])
    recovery_date: str | None = Field(
        description="First bar back at the peak; null while there is none.", examples=["2009-10-20"]
    )
    depth: Finite = Field(description="Fraction below the peak, in [-1, 0).", examples=[-0.4507])
    bars: int = Field(description="From the peak to the recovery, or to the end of the run.", examples=[459])
    days: int = Field(description="The same in whole days.", examples=[664])
    recovery_days: int | None = Field(description="Whole days from trough to recovery.", examples=[334])


class MetricsIn(In):
    full: Annotated[
        bool, Field(description="Also compute the full metrics and the drawdown table, from the stored result.")
    ] = False


class MetricsOut(Out):
    """What the metrics mean: `GET /api/v1/metrics/definitions`."""

    backtest_id: str
    partial: bool
    metrics: dict[str, Number] = Field(description="Fractions, not percent; null where undefined.")
    null_reasons: dict[str, str] = Field(description="Why a metric is null, by its name.")
    benchmark_metrics: dict[str, Number] | None
    costs: dict[str, Finite] | None = Field(description=COSTS, examples=[COSTS_EXAMPLE])
    notices: list[NoticeOut]
    full_metrics: dict[str, Number] | None = Field(
        description="Everything else that is measured; null unless asked for with `full=true`.",
        examples=[{"omega": 1.21, "var_95": -0.0283, "payoff": 2.24, "average_win": 52431.2, "sqn": 2.1}],
    )
    full_null_reasons: dict[str, str] | None = Field(
        description="Why one of the full metrics is null, by its name.",
        examples=[{"win_rate_short": "no short trade was closed"}],
    )
    drawdowns: list[DrawdownOut] | None = Field(description="The ten deepest, deepest first; only with `full=true`.")


class MetricDefinitionOut(Out):
    """What a metric is."""

    name: str = Field(examples=["sharpe"])
    group: Group = Field(description="Metrics that belong together.", examples=["performance"])
    unit: Unit = Field(description="fraction: 0.05 is 5 %; money: in the account's currency.", examples=["ratio"])
    headline: bool = Field(description="Stored with every run; the others come with `full=true`.", examples=[True])
    description: str = Field(
        examples=["Mean return above the risk-free rate over the standard deviation, times sqrt(periods per year)."]
    )


class ManifestOut(BaseModel):
    """What the result was computed from, to repeat it. Further members may come."""

    model_config = ConfigDict(frozen=True, extra="allow")

    fingerprint: str
    config: dict[str, Any] = Field(description="The configuration in its canonical form.")
    config_hash: str
    data_hash: str
    strategy: dict[str, Any]
    engine_semantics: int
    calendar: str | None = Field(None, description="Whose days the bars have.", examples=["XNYS"])
    equity_hash: str
    fills_hash: str


class RowsIn(In):
    """A page of trades, fills or account events."""

    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    cursor: Annotated[str | None, Field(max_length=500)] = None


class EventsIn(In):
    after: Annotated[int, Field(ge=0, le=MAX_SEQ, description="Only events with a greater seq.")] = 0
    limit: Annotated[int, Field(ge=1, le=1000)] = 500
    type: Annotated[list[KeptType], Field(max_length=10, description="Repeat it for several.")] = []


class LogsIn(In):
    after: Annotated[int, Field(ge=0, le=MAX_SEQ, description="Only lines with a greater seq.")] = 0
    limit: Annotated[int, Field(ge=1, le=1000)] = 500
    level: Annotated[LogLevel, Field(description="The least serious level.")] = "debug"


class FillOut(Out):
    """One execution."""

    bar: int = Field(description="Bar of the run, from 0.")
    date: str
    symbol: str
    side: Literal["buy", "sell"]
    shares: Finite
    price: Finite = Field(description="With slippage.")
    commission: Finite
    reason: str = Field(
        description="entry or signal (of a strategy), rebalance, stop_loss, trailing_stop, take_profit, dividend "
        "(reinvested), margin_call, delisted or insolvent.",
        examples=["trailing_stop"],
    )
    order: Literal["market", "limit", "stop"] | None = Field(
        None, description="What kind of order filled; null in the results of older versions.", examples=["stop"]
    )
    at: Literal["open", "inside", "close"] | None = Field(
        None, description="When in the bar it filled; null as for `order`.", examples=["inside"]
    )


class TradeOut(Out):
    """One round trip; an open one is valued at the last close."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    symbol: str
    side: Literal["long", "short"]
    entry_date: str
    exit_date: str | None = Field(description="null while open.")
    entry_price: Finite = Field(description="Average of the openings.")
    exit_price: Finite = Field(description="Average of the closings.")
    shares: Finite
    profit: Finite = Field(description="Account currency, after costs.")
    return_: Finite = Field(alias="return", description="Profit as a fraction of what the openings cost.")
    costs: Finite = Field(description="Commissions.")
    income: Finite = Field(
        None,
        description="Dividends received or paid, cash for fractions of split shares, borrow paid; in the profit.",
        examples=[31.5],
    )
    mae: Finite = Field(
        None,
        description="Maximum adverse excursion: the worst price while open against the average cost, as a fraction.",
        examples=[-0.062],
    )
    mfe: Finite = Field(
        None,
        description="Maximum favourable excursion: the best price while open, as a fraction.",
        examples=[0.184],
    )
    bars: int
    reason: str = Field(description="Of the last fill (see fills), or open.", examples=["take_profit"])


class AccountEventOut(Out):
    """What changed the account and was no fill: with raw prices splits and dividends, with short positions borrow."""

    bar: int = Field(description="Bar of the run, from 0.", examples=[27])
    date: str = Field(examples=["2005-02-28"])
    symbol: str = Field(examples=["AAPL"])
    kind: Literal["split", "dividend", "borrow"] = Field(examples=["split"])
    value: Finite = Field(description="New shares per old one, or cash per share; null for borrow.", examples=[2.0])
    shares: Finite = Field(description="Change of the position.", examples=[1123.0])
    cash: Finite = Field(
        description="Received, negative when paid. Borrow is listed when the position changes, for all days before.",
        examples=[0.0],
    )
