"""Events, logs, series and metrics of a run going out, and how they are asked for."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from backproof.domain.backtest import Backtest
from backproof.domain.documents import UtcDatetime
from backproof.domain.events import Event, EventType, LogLevel
from backproof.services.backtests.results import EquityCurve
from backproof.web.schemas.common import Finite, In, NoticeOut, Number, Out

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
    fields: dict[str, Any]

    @classmethod
    def of(cls, event: Event) -> "LogOut":
        fields = dict(event.data)
        level, message = fields.pop("level"), str(fields.pop("message", ""))
        return cls(seq=event.seq, timestamp=event.timestamp, level=level, message=message, fields=fields)


class LogsOut(Out):
    items: list[LogOut]
    next_after: int
    more: bool


class EquityOut(Out):
    """Columns of equal length. With fewer points than bars, each stretch keeps its lowest and highest value."""

    backtest_id: str
    partial: bool
    total_bars: int
    dates: list[str] = Field(description="ISO 8601: days, or UTC seconds for bars within a day.")
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


class MetricsOut(Out):
    backtest_id: str
    partial: bool
    metrics: dict[str, Number] = Field(description="Fractions, not percent; null where undefined.")
    null_reasons: dict[str, str] = Field(description="Why a metric is null, by its name.")
    benchmark_metrics: dict[str, Number] | None
    notices: list[NoticeOut]


class ManifestOut(BaseModel):
    """What the result was computed from, to repeat it. Further members may come."""

    model_config = ConfigDict(frozen=True, extra="allow")

    fingerprint: str
    config: dict[str, Any] = Field(description="The configuration in its canonical form.")
    config_hash: str
    data_hash: str
    strategy: dict[str, Any]
    engine_semantics: int
    equity_hash: str
    fills_hash: str


class RowsIn(In):
    """A page of trades or fills."""

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
    reason: str = Field(description="entry, signal, rebalance, delisted or insolvent.")


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
    bars: int
    reason: str = Field(description="Of the last fill, or open.")
