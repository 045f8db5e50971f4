"""When to be in the market: by the calendar, by a moving average, by a symbol's own growth."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from backproof.engine.strategies.base import Kind, Parameters, SignalStrategy, WeightStrategy
from backproof.engine.strategies.fields import count, number
from backproof.engine.strategies.schedule import ScheduleParams, latest
from backproof.engine.strategies.volatility import PeriodsPerYear, annual, scaled
from backproof.errors import FieldError

if TYPE_CHECKING:
    from backproof.domain.config import BacktestConfig
    from backproof.engine.bars import RunBars
    from backproof.engine.decisions import Weights
    from backproof.engine.strategies.base import Indicators, SignalMask


class TurnOfMonthParams(Parameters):
    before: Annotated[int, count("Last bars of a month that are held.", (0, 5), least=0, most=1000)] = 1
    after: Annotated[int, count("First bars of a month that are held.", (0, 5), least=0, most=1000)] = 3

    @model_validator(mode="after")
    def _some_bar_is_held(self) -> "TurnOfMonthParams":
        if self.before + self.after == 0:
            raise PydanticCustomError("nothing_is_held", "before and after are both 0, which holds no bar at all")
        return self


class TurnOfMonth(SignalStrategy):
    """Long over the last bars of each month and the first ones of the next."""

    name: ClassVar[str] = "turn_of_month"
    version: ClassVar[str] = "1"
    kind: ClassVar[Kind] = "calendar"
    independent: ClassVar[bool] = True
    long_only: ClassVar[bool] = True
    summary: ClassVar[str] = "Holds over the last bars of each month and the first bars of the next."
    rule: ClassVar[str] = (
        "in at the closes of bars e - before to e + after - 1 of the run, e a month's last bar (the next one in the "
        "run lies in another month), out at all others, level; filled at the close that decides, that is the moves of "
        "the month's last `before` bars and of the next one's first `after`"
    )
    source: ClassVar[str] = (
        "Josef Lakonishok, Seymour Smidt, Are Seasonal Anomalies Real? A Ninety-Year Perspective, 1988"
    )
    Params: ClassVar[type[Parameters]] = TurnOfMonthParams
    p: TurnOfMonthParams

    def signals(self, bars: "RunBars", indicators: "Indicators") -> "SignalMask":  # noqa: ARG002
        import numpy as np

        from backproof.engine.calendar import period_ends
        from backproof.engine.layout import ENTER_LONG, EXIT_LONG

        ends = period_ends(bars.days, 0, "monthly")
        steps = np.zeros(bars.stop + 1, dtype=np.int64)  # +1 where a holding begins, -1 where it ends; they may overlap
        np.add.at(steps, np.maximum(ends - self.p.before, 0), 1)
        np.add.at(steps, np.minimum(ends + self.p.after, bars.stop), -1)
        wish = np.where(np.cumsum(steps[:-1]) > 0, ENTER_LONG, EXIT_LONG).astype(np.uint8)
        return np.where(np.isnan(bars.close), np.uint8(0), wish)


class MovingAverageTimingParams(ScheduleParams):
    period: Annotated[int, count("Own bars of the moving average.", (50, 300), 25)] = 200


class MovingAverageTiming(WeightStrategy):
    """An equal part for every symbol, invested while its close is above its moving average, else in cash."""

    name: ClassVar[str] = "moving_average_timing"
    version: ClassVar[str] = "1"
    kind: ClassVar[Kind] = "trend"
    summary: ClassVar[str] = "Gives each symbol an equal part, held in cash while its close is below the long average."
    rule: ClassVar[str] = (
        "on schedule: exposure / number of listed symbols in each whose last close > SMA(period), the rest in cash"
    )
    source: ClassVar[str] = "Mebane Faber, A Quantitative Approach to Tactical Asset Allocation, 2007"
    long_only: ClassVar[bool] = True
    Params: ClassVar[type[Parameters]] = MovingAverageTimingParams
    p: MovingAverageTimingParams

    def warmup(self) -> int:
        return self.p.period - 1

    def indicators(self, bars: "RunBars") -> "Indicators":
        from backproof.engine import indicators

        return {"average": indicators.sma(bars, self.p.period)}

    def target_weights(self, bars: "RunBars", indicators: "Indicators") -> "Weights":
        import numpy as np

        from backproof.engine.decisions import Weights

        at = self.p.decision_bars(bars)
        average, close = latest(bars, indicators["average"], at), latest(bars, bars.close, at)
        part = self.p.exposure / np.maximum(bars.listed(at).sum(axis=1, keepdims=True), 1)
        some = ~np.isnan(average).all(axis=1)
        return Weights(at[some], np.where(close > average, part, 0.0)[some])


class TimeSeriesMomentumParams(ScheduleParams):
    lookback: Annotated[int, count("Own bars the growth is measured over.", (21, 252), 21)] = 252
    losers: Annotated[
        Literal["flat", "short"], Field(description="What to do with a symbol that fell: nothing, or sell it short.")
    ] = "flat"
    target_volatility: Annotated[
        float | None,
        number(
            *("Annual volatility each part is scaled to; null: no scaling.", (0.05, 0.4), 0.05), above=0.0, most=10.0
        ),
    ] = None
    volatility_lookback: Annotated[int, count("Own returns the volatility is of.", (21, 126), 21, least=2)] = 63
    cap: Annotated[
        float, number("Greatest factor of the scaling; above 1 borrows.", (1.0, 2.0), 0.25, above=0.0, most=100.0)
    ] = 1.0
    periods_per_year: PeriodsPerYear = None


class TimeSeriesMomentum(WeightStrategy):
    """An equal part for every symbol, long where it rose over the lookback, else in cash or short."""

    name: ClassVar[str] = "time_series_momentum"
    version: ClassVar[str] = "1"
    kind: ClassVar[Kind] = "trend"
    summary: ClassVar[str] = "Buys each symbol that rose over the lookback, sells those that fell or stays out of them."
    rule: ClassVar[str] = (
        "on schedule: part = exposure / number of listed symbols; growth = close[i] / close[i - lookback] - 1; weight "
        "part where growth > 0, with losers short -part where growth < 0, else 0; with target_volatility each weight "
        "x min(cap, target_volatility / annual volatility over volatility_lookback returns), cap where it is none"
    )
    source: ClassVar[str] = "Tobias Moskowitz, Yao Hua Ooi, Lasse Heje Pedersen, Time Series Momentum, 2012"
    Params: ClassVar[type[Parameters]] = TimeSeriesMomentumParams
    p: TimeSeriesMomentumParams

    @classmethod
    def refusals(cls, config: "BacktestConfig", params: Any) -> list[FieldError]:
        direction = config.execution.direction
        if params.losers == "short" and direction == "long_only":
            return [FieldError("/parameters/losers", "direction_mismatch", "short positions are against long_only")]
        if direction == "short_only":
            message = f"{cls.name} buys what rose, which short_only does not allow"
            return [FieldError("/execution/direction", "direction_mismatch", message)]
        return []

    def warmup(self) -> int:
        scaled = self.p.target_volatility is not None
        return max(self.p.lookback, self.p.volatility_lookback if scaled else 0)

    def target_weights(self, bars: "RunBars", indicators: "Indicators") -> "Weights":  # noqa: ARG002
        import numpy as np

        from backproof.engine import indicators as indicator
        from backproof.engine.decisions import Weights

        at = self.p.decision_bars(bars)
        listed = bars.listed(at)
        growth = np.where(listed, indicator.growth(bars, at, self.p.lookback, 0), np.nan)
        side = (growth > 0.0).astype(np.float64)
        if self.p.losers == "short":
            side -= growth < 0.0
        weights = side * (self.p.exposure / np.maximum(listed.sum(axis=1, keepdims=True), 1))
        if self.p.target_volatility is not None:
            risk = annual(bars, at, self.p.volatility_lookback, self.p.periods_per_year)
            growth = np.where(np.isnan(risk), np.nan, growth)
            weights *= scaled(risk, self.p.target_volatility, self.p.cap)
        some = ~np.isnan(growth).all(axis=1)
        return Weights(at[some], weights[some])
