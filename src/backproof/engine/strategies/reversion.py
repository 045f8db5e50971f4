"""Mean reversion."""

import operator
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import field_validator

from backproof.engine.strategies.base import Kind, Parameters, SignalStrategy
from backproof.engine.strategies.fields import beside, count, number

if TYPE_CHECKING:
    from backproof.engine.bars import RunBars
    from backproof.engine.strategies.base import Indicators, SignalMask

overbought_is_above = beside(
    *("oversold", operator.gt, "oversold_not_below_overbought"),
    "overbought ({overbought}) must be greater than oversold ({oversold})",
)


class RsiParams(Parameters):
    period: Annotated[int, count("Bars of the RSI (Wilder).", (2, 30), least=2)] = 14
    oversold: Annotated[float, number("Enter long below this RSI.", (10.0, 40.0), 5.0, least=0.0, most=100.0)] = 30.0
    overbought: Annotated[float, number("Leave above this RSI.", (50.0, 90.0), 5.0, least=0.0, most=100.0)] = 70.0

    _in_order = field_validator("overbought")(overbought_is_above)


class RsiMeanReversion(SignalStrategy):
    """Long when the RSI falls below `oversold`, out when it rises above `overbought`; the short side mirrored."""

    name: ClassVar[str] = "rsi_mean_reversion"
    version: ClassVar[str] = "1"
    kind: ClassVar[Kind] = "reversion"
    independent: ClassVar[bool] = True
    summary: ClassVar[str] = "Buys when the RSI is oversold, sells when it is overbought."
    rule: ClassVar[str] = "long when RSI(period) < oversold, out when RSI > overbought; short side mirrored"
    source: ClassVar[str] = "J. Welles Wilder, New Concepts in Technical Trading Systems, 1978"
    Params: ClassVar[type[Parameters]] = RsiParams
    p: RsiParams

    def warmup(self) -> int:
        return self.p.period

    def indicators(self, bars: "RunBars") -> "Indicators":
        from backproof.engine import indicators

        return {"rsi": indicators.rsi(bars, self.p.period)}

    def signals(self, bars: "RunBars", indicators: "Indicators") -> "SignalMask":  # noqa: ARG002
        from backproof.engine.decisions import mask
        from backproof.engine.layout import ENTER_LONG, ENTER_SHORT, EXIT_LONG, EXIT_SHORT

        rsi = indicators["rsi"]
        return mask(
            (rsi < self.p.oversold, ENTER_LONG | EXIT_SHORT), (rsi > self.p.overbought, ENTER_SHORT | EXIT_LONG)
        )


class BollingerParams(Parameters):
    period: Annotated[int, count("Bars of the moving average.", (10, 50), least=2)] = 20
    width: Annotated[float, number("Standard deviations to each band.", (1.0, 3.0), 0.25, above=0.0, most=100.0)] = 2.0


class Bollinger(SignalStrategy):
    """Long on a close below the lower band, out on a close above the average; the short side mirrored."""

    name: ClassVar[str] = "bollinger"
    version: ClassVar[str] = "1"
    kind: ClassVar[Kind] = "reversion"
    independent: ClassVar[bool] = True
    summary: ClassVar[str] = "Buys a close below the lower Bollinger band, sells above the moving average."
    rule: ClassVar[str] = (
        "long when close < SMA(period) - width x the closes' population deviation, out when close > SMA; "
        "short side mirrored"
    )
    source: ClassVar[str] = "John Bollinger, Bollinger on Bollinger Bands, 2001"
    Params: ClassVar[type[Parameters]] = BollingerParams
    p: BollingerParams

    def warmup(self) -> int:
        return self.p.period - 1

    def indicators(self, bars: "RunBars") -> "Indicators":
        from backproof.engine import indicators

        upper, middle, lower = indicators.bollinger(bars, self.p.period, self.p.width)
        return {"upper": upper, "middle": middle, "lower": lower}

    def signals(self, bars: "RunBars", indicators: "Indicators") -> "SignalMask":
        from backproof.engine.decisions import mask
        from backproof.engine.layout import ENTER_LONG, ENTER_SHORT, EXIT_LONG, EXIT_SHORT

        close = bars.close
        return mask(
            (close < indicators["lower"], ENTER_LONG | EXIT_SHORT),
            (close > indicators["upper"], ENTER_SHORT | EXIT_LONG),
            (close > indicators["middle"], EXIT_LONG),
            (close < indicators["middle"], EXIT_SHORT),
        )
