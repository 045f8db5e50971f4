"""Pullbacks and turns, told by oscillators."""

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import field_validator

from backproof.engine.strategies.base import Kind, Parameters, SignalStrategy
from backproof.engine.strategies.fields import count, number
from backproof.engine.strategies.reversion import overbought_is_above

if TYPE_CHECKING:
    from backproof.engine.bars import RunBars
    from backproof.engine.strategies.base import Indicators, SignalMask


class StochasticParams(Parameters):
    period: Annotated[int, count("Bars of the range the close is placed in.", (5, 30))] = 14
    smooth: Annotated[int, count("Bars of the mean that makes %K slow.", (1, 5))] = 3
    signal_period: Annotated[int, count("Bars of the mean of %K, %D.", (2, 5))] = 3
    oversold: Annotated[float, number("Enter long below this %D.", (10.0, 40.0), 5.0, least=0.0, most=100.0)] = 20.0
    overbought: Annotated[float, number("Leave above this %D.", (60.0, 90.0), 5.0, least=0.0, most=100.0)] = 80.0

    _in_order = field_validator("overbought")(overbought_is_above)


class Stochastic(SignalStrategy):
    """Long where the slow stochastic is low and turns up, out where it is high and turns down; mirrored."""

    name: ClassVar[str] = "stochastic"
    version: ClassVar[str] = "1"
    kind: ClassVar[Kind] = "reversion"
    independent: ClassVar[bool] = True
    summary: ClassVar[str] = "Buys when the slow stochastic turns up from below, sells when it turns down from above."
    rule: ClassVar[str] = (
        "%K = SMA(smooth) of 100 x (close - lowest low) / (highest high - lowest low) over `period` bars (0 without a "
        "range), %D = SMA(signal_period) of %K; long when %D < oversold and %K > %D, out when %D > overbought and "
        "%K < %D; short side mirrored"
    )
    source: ClassVar[str] = "George Lane, Lane's Stochastics, 1984"
    Params: ClassVar[type[Parameters]] = StochasticParams
    p: StochasticParams

    def warmup(self) -> int:
        return self.p.period + self.p.smooth + self.p.signal_period - 3

    def indicators(self, bars: "RunBars") -> "Indicators":
        from backproof.engine import indicators

        k, d = indicators.stochastic(bars, self.p.period, self.p.smooth, self.p.signal_period)
        return {"k": k, "d": d}

    def signals(self, bars: "RunBars", indicators: "Indicators") -> "SignalMask":  # noqa: ARG002
        from backproof.engine.decisions import mask
        from backproof.engine.signals import DOWN, UP

        k, d = indicators["k"], indicators["d"]
        return mask(((d < self.p.oversold) & (k > d), UP), ((d > self.p.overbought) & (k < d), DOWN))


class RsiPullbackParams(Parameters):
    period: Annotated[int, count("Bars of the RSI (Wilder).", (2, 5), least=2)] = 2
    oversold: Annotated[float, number("Enter long below this RSI.", (5.0, 30.0), 5.0, above=0.0, most=50.0)] = 10.0
    trend: Annotated[int, count("Bars of the average the close must be above.", (50, 250), 25)] = 200
    exit: Annotated[int, count("Bars of the average above which it leaves.", (3, 15))] = 5


class RsiPullback(SignalStrategy):
    """Long on a short-term low within a long-term rise, out on the first recovery; the short side mirrored."""

    name: ClassVar[str] = "rsi_pullback"
    version: ClassVar[str] = "1"
    kind: ClassVar[Kind] = "reversion"
    independent: ClassVar[bool] = True
    summary: ClassVar[str] = "Buys a sharp pullback above the long moving average, sells above the short one."
    rule: ClassVar[str] = (
        "long when close > SMA(trend) and RSI(period) < oversold, out when close > SMA(exit); short when close < "
        "SMA(trend) and RSI > 100 - oversold, out when close < SMA(exit)"
    )
    source: ClassVar[str] = "Larry Connors, Cesar Alvarez, Short Term Trading Strategies That Work, 2008"
    Params: ClassVar[type[Parameters]] = RsiPullbackParams
    p: RsiPullbackParams

    def warmup(self) -> int:
        return max(self.p.trend - 1, self.p.period, self.p.exit - 1)

    def indicators(self, bars: "RunBars") -> "Indicators":
        from backproof.engine import indicators

        return {
            "rsi": indicators.rsi(bars, self.p.period),
            "trend": indicators.sma(bars, self.p.trend),
            "exit": indicators.sma(bars, self.p.exit),
        }

    def signals(self, bars: "RunBars", indicators: "Indicators") -> "SignalMask":
        import numpy as np

        from backproof.engine.decisions import mask
        from backproof.engine.layout import ENTER_LONG, ENTER_SHORT, EXIT_LONG, EXIT_SHORT

        close, rsi, trend, leave = bars.close, indicators["rsi"], indicators["trend"], indicators["exit"]
        known = ~np.isnan(rsi + trend + leave)
        return mask(
            (known & (close > trend) & (rsi < self.p.oversold), ENTER_LONG),
            (known & (close < trend) & (rsi > 100.0 - self.p.oversold), ENTER_SHORT),
            (known & (close > leave), EXIT_LONG),
            (known & (close < leave), EXIT_SHORT),
        )
