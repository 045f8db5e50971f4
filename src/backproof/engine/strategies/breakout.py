"""Channel breakouts."""

from typing import TYPE_CHECKING, Annotated, ClassVar

from backproof.engine.strategies.base import Kind, Parameters, SignalStrategy
from backproof.engine.strategies.fields import count, number

if TYPE_CHECKING:
    from backproof.engine.bars import RunBars
    from backproof.engine.strategies.base import Indicators, SignalMask


class DonchianParams(Parameters):
    entry: Annotated[int, count("Bars of the channel to break out of.", (10, 100), 5)] = 20
    exit: Annotated[int, count("Bars of the opposite channel that ends it.", (5, 50), 5)] = 10


class DonchianBreakout(SignalStrategy):
    """Long on a close above the highest high of the bars before, out on a close below their lowest low; mirrored."""

    name: ClassVar[str] = "donchian_breakout"
    version: ClassVar[str] = "1"
    kind: ClassVar[Kind] = "breakout"
    independent: ClassVar[bool] = True
    summary: ClassVar[str] = "Buys a close above the highest high of the last bars, leaves below the lowest low."
    rule: ClassVar[str] = (
        "long when close > the highest high of the `entry` bars before, out when close < the lowest low of the `exit` "
        "bars before; short side mirrored"
    )
    source: ClassVar[str] = (
        "Richard Donchian's channel rule, as the Turtles traded it: Curtis Faith, Way of the Turtle, 2007"
    )
    Params: ClassVar[type[Parameters]] = DonchianParams
    p: DonchianParams

    def warmup(self) -> int:
        return max(self.p.entry, self.p.exit)

    def indicators(self, bars: "RunBars") -> "Indicators":
        from backproof.engine import indicators

        return {
            "entry_high": indicators.highest_before(bars, self.p.entry),
            "entry_low": indicators.lowest_before(bars, self.p.entry),
            "exit_high": indicators.highest_before(bars, self.p.exit),
            "exit_low": indicators.lowest_before(bars, self.p.exit),
        }

    def signals(self, bars: "RunBars", indicators: "Indicators") -> "SignalMask":
        from backproof.engine.decisions import mask
        from backproof.engine.layout import ENTER_LONG, ENTER_SHORT, EXIT_LONG, EXIT_SHORT

        close = bars.close
        return mask(
            (close > indicators["entry_high"], ENTER_LONG),
            (close < indicators["entry_low"], ENTER_SHORT),
            (close < indicators["exit_low"], EXIT_LONG),
            (close > indicators["exit_high"], EXIT_SHORT),
        )


class KeltnerParams(Parameters):
    period: Annotated[int, count("Bars of the exponential average in the middle.", (10, 50), 5)] = 20
    atr_period: Annotated[int, count("Bars of the average true range (Wilder).", (5, 30), 5)] = 10
    width: Annotated[float, number("Average true ranges to each band.", (1.0, 4.0), 0.5, above=0.0, most=100.0)] = 2.0


class KeltnerBreakout(SignalStrategy):
    """Long on a close above the upper Keltner band, out on a close below the middle; the short side mirrored."""

    name: ClassVar[str] = "keltner_breakout"
    version: ClassVar[str] = "1"
    kind: ClassVar[Kind] = "breakout"
    independent: ClassVar[bool] = True
    summary: ClassVar[str] = "Buys a close above a band of average true ranges, leaves below the band's middle."
    rule: ClassVar[str] = (
        "long when close > EMA(period) + width x ATR(atr_period), out when close < EMA; short side mirrored"
    )
    source: ClassVar[str] = (
        "Chester Keltner, How to Make Money in Commodities, 1960, with Linda Bradford Raschke's average true ranges"
    )
    Params: ClassVar[type[Parameters]] = KeltnerParams
    p: KeltnerParams

    def warmup(self) -> int:
        return max(self.p.period - 1, self.p.atr_period)

    def indicators(self, bars: "RunBars") -> "Indicators":
        from backproof.engine import indicators

        upper, middle, lower = indicators.keltner(bars, self.p.period, self.p.atr_period, self.p.width)
        return {"upper": upper, "middle": middle, "lower": lower}

    def signals(self, bars: "RunBars", indicators: "Indicators") -> "SignalMask":
        from backproof.engine.decisions import mask
        from backproof.engine.layout import ENTER_LONG, ENTER_SHORT, EXIT_LONG, EXIT_SHORT

        close = bars.close
        return mask(
            (close > indicators["upper"], ENTER_LONG),
            (close < indicators["lower"], ENTER_SHORT),
            (close < indicators["middle"], EXIT_LONG),
            (close > indicators["middle"], EXIT_SHORT),
        )
