"""Weights by volatility: scaled to a target, in inverse proportion to it, or where it is lowest."""

from typing import TYPE_CHECKING, Annotated, ClassVar, TypeAlias

from backproof.engine.strategies.base import Kind, Parameters, WeightStrategy
from backproof.engine.strategies.fields import count, number
from backproof.engine.strategies.schedule import ScheduleParams, TimingParams, latest, strongest
from backproof.errors import InvalidInput

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from backproof.engine.bars import RunBars
    from backproof.engine.decisions import Weights
    from backproof.engine.strategies.base import FloatArray, Indicators

PeriodsPerYear: TypeAlias = Annotated[
    float | None,
    number(
        *("Bars of a year; null: the calendar's days, or 52 weeks.", (52.0, 365.0), 1.0), above=0.0, most=1_000_000.0
    ),
]
_WEEKLY, _RARER = 4.0, 11.0  # days between two bars, the median, that weekly and rarer bars have at least


def bars_per_year(bars: "RunBars", given: float | None) -> float:
    """What was given, else the calendar's days in a year or 52 weeks; InvalidInput where neither fits the bars."""
    import numpy as np

    from backproof.engine.calendar import WEEKS

    if given is not None:
        return given
    step = 1.0 if len(bars.days) < 2 else float(np.median(np.diff(bars.days).astype(np.int64)))
    if bars.panel.intraday or step >= _RARER:
        message = "say how many bars a year has: for these it is neither the calendar's days nor 52 weeks"
        raise InvalidInput.at("/parameters/periods_per_year", "needed", message)
    return WEEKS if step >= _WEEKLY else bars.panel.calendar.days_per_year


def annual(bars: "RunBars", at: "npt.NDArray[np.int64]", lookback: int, periods: float | None) -> "FloatArray":
    """Annual volatility of listed symbols on some days, 0 where it is below ROUNDING a bar: [len(at), N], NaN unknown.

    The sample standard deviation of the last `lookback` own returns, times the square root of the bars of a year.
    """
    import numpy as np

    from backproof.engine import indicators
    from backproof.engine.layout import ROUNDING

    risk = latest(bars, indicators.volatility(bars, lookback), at)
    return np.where(risk < ROUNDING, 0.0, risk * np.sqrt(bars_per_year(bars, periods)))


def scaled(risk: "FloatArray", target: float, cap: float) -> "FloatArray":
    """min(cap, target / risk), 0 where the risk is unknown."""
    import numpy as np

    with np.errstate(divide="ignore"):
        return np.where(np.isnan(risk), 0.0, np.minimum(cap, target / risk))


class VolatilityTargetParams(TimingParams):
    target: Annotated[float, number("Annual volatility to aim at.", (0.05, 0.3), 0.05, above=0.0, most=10.0)] = 0.1
    lookback: Annotated[int, count("Own returns the volatility is of.", (21, 126), 21, least=2)] = 63
    cap: Annotated[
        float,
        number("Greatest part invested of a symbol's share; above 1 borrows.", (1.0, 2.0), 0.25, above=0.0, most=100.0),
    ] = 1.0
    periods_per_year: PeriodsPerYear = None


class VolatilityTarget(WeightStrategy):
    """An equal share for every symbol, invested the less the more it has moved lately."""

    name: ClassVar[str] = "volatility_target"
    version: ClassVar[str] = "1"
    kind: ClassVar[Kind] = "risk"
    summary: ClassVar[str] = "Holds each symbol with a weight that brings its recent volatility to a target."
    rule: ClassVar[str] = (
        "on schedule: min(cap, target / annual volatility of the last `lookback` returns) / number of listed symbols "
        "in each; cap where the volatility is none, 0 where it is not known yet; correlations are not looked at"
    )
    source: ClassVar[str] = "Alan Moreira, Tyler Muir, Volatility-Managed Portfolios, 2017"
    long_only: ClassVar[bool] = True
    Params: ClassVar[type[Parameters]] = VolatilityTargetParams
    p: VolatilityTargetParams

    def warmup(self) -> int:
        return self.p.lookback

    def target_weights(self, bars: "RunBars", indicators: "Indicators") -> "Weights":  # noqa: ARG002
        import numpy as np

        from backproof.engine.decisions import Weights

        at = self.p.decision_bars(bars)
        risk = annual(bars, at, self.p.lookback, self.p.periods_per_year)
        weights = scaled(risk, self.p.target, self.p.cap) / np.maximum(bars.listed(at).sum(axis=1, keepdims=True), 1)
        some = ~np.isnan(risk).all(axis=1)
        return Weights(at[some], weights[some])


class InverseVolatilityParams(ScheduleParams):
    lookback: Annotated[int, count("Own returns the volatility is of.", (21, 252), 21, least=2)] = 63


class InverseVolatility(WeightStrategy):
    """All symbols, in inverse proportion to how much they have moved lately: risk parity without correlations."""

    name: ClassVar[str] = "inverse_volatility"
    version: ClassVar[str] = "1"
    kind: ClassVar[Kind] = "risk"
    summary: ClassVar[str] = "Holds every symbol with a weight in inverse proportion to its volatility (risk parity)."
    rule: ClassVar[str] = (
        "on schedule: exposure x (1 / v) / (sum of 1 / v over the listed symbols), v the volatility of the last "
        "`lookback` returns; 0 where v is none or not known yet"
    )
    source: ClassVar[str] = (
        "Sébastien Maillard, Thierry Roncalli, Jérôme Teïletche, The Properties of Equally Weighted Risk Contribution "
        "Portfolios, 2010"
    )
    long_only: ClassVar[bool] = True
    Params: ClassVar[type[Parameters]] = InverseVolatilityParams
    p: InverseVolatilityParams

    def warmup(self) -> int:
        return self.p.lookback

    def target_weights(self, bars: "RunBars", indicators: "Indicators") -> "Weights":  # noqa: ARG002
        import numpy as np

        from backproof.engine.decisions import Weights

        at = self.p.decision_bars(bars)
        risk = annual(bars, at, self.p.lookback, 1.0)
        with np.errstate(divide="ignore"):
            inverse = np.where(risk > 0.0, 1.0 / risk, 0.0)
        order = np.argsort(np.array(bars.symbols))  # summed one after the other, the same for any order of symbols
        total = np.cumsum(inverse[:, order], axis=1)[:, -1:]
        some = total[:, 0] > 0.0
        return Weights(at[some], self.p.exposure * (inverse[some] / total[some]))


class LowVolatilityParams(ScheduleParams):
    lookback: Annotated[int, count("Own returns the volatility is of.", (63, 252), 21, least=2)] = 252
    top: Annotated[int, count("Places in the portfolio.", (1, 10), most=1000)] = 3


class LowVolatility(WeightStrategy):
    """The symbols that moved least over the lookback, one place of equal weight each; empty places stay in cash."""

    name: ClassVar[str] = "low_volatility"
    version: ClassVar[str] = "1"
    kind: ClassVar[Kind] = "rotation"
    summary: ClassVar[str] = "Holds the symbols that moved least over the lookback, in equal parts."
    rule: ClassVar[str] = (
        "on schedule: exposure / top in each of the top listed symbols with the least volatility of the last "
        "`lookback` returns, ties by symbol, those with none left out; empty places stay in cash"
    )
    source: ClassVar[str] = "David Blitz, Pim van Vliet, The Volatility Effect: Lower Risk without Lower Return, 2007"
    long_only: ClassVar[bool] = True
    Params: ClassVar[type[Parameters]] = LowVolatilityParams
    p: LowVolatilityParams

    def warmup(self) -> int:
        return self.p.lookback

    def target_weights(self, bars: "RunBars", indicators: "Indicators") -> "Weights":  # noqa: ARG002
        import numpy as np

        from backproof.engine.decisions import Weights

        at = self.p.decision_bars(bars)
        risk = annual(bars, at, self.p.lookback, 1.0)
        chosen = strongest(np.where(risk > 0.0, -risk, np.nan), bars.symbols, self.p.top)
        some = ~np.isnan(risk).all(axis=1)
        return Weights(at[some], np.where(chosen[some], self.p.exposure / self.p.top, 0.0))
