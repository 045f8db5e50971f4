"""Trend following by trailing bands and directional movement."""

import operator
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import field_validator

from backproof.engine.strategies.base import Kind, Parameters, SignalStrategy
from backproof.engine.strategies.fields import beside, count, number

if TYPE_CHECKING:
    from backproof.engine.bars import RunBars
    from backproof.engine.strategies.base import Indicators, SignalMask


class SupertrendParams(Parameters):
    period: Annotated[int, count("Bars of the average true range (Wilder).", (5, 30), 5)] = 10
    width: Annotated[float, number("Average true ranges to each band.", (1.0, 5.0), 0.5, above=0.0, most=100.0)] = 3.0


class Supertrend(SignalStrategy):
    """Long while the close has last been beyond the upper trailing band, else out (or short where allowed)."""

    name: ClassVar[str] = "supertrend"
    version: ClassVar[str] = "1"
    kind: ClassVar[Kind] = "trend"
    independent: ClassVar[bool] = True
    summary: ClassVar[str] = "Long above, out below a band of average true ranges that trails the price."
    rule: ClassVar[str] = (
        "bands (high + low) / 2 +- width x ATR(period); the upper only falls until a close is above it, the lower only "
        "rises until a close is below it; long from a close > the upper band, out (long_short: short) from a close < "
        "the lower band, level; no side before the first of these"
    )
    source: ClassVar[str] = "Olivier Seban's SuperTrend indicator, 2000s"
    Params: ClassVar[type[Parameters]] = SupertrendParams
    p: SupertrendParams

    def warmup(self) -> int:
        return self.p.period

    def indicators(self, bars: "RunBars") -> "Indicators":
        from backproof.engine import indicators

        return {"side": indicators.supertrend(bars, self.p.period, self.p.width)}

    def signals(self, bars: "RunBars", indicators: "Indicators") -> "SignalMask":  # noqa: ARG002
        from backproof.engine.decisions import mask
        from backproof.engine.signals import DOWN, UP

        side = indicators["side"]
        return mask((side > 0.0, UP), (side < 0.0, DOWN))


class AdxParams(Parameters):
    period: Annotated[int, count("Bars of the directional movement (Wilder).", (7, 30), least=2)] = 14
    threshold: Annotated[float, number("Enter above this ADX.", (15.0, 40.0), 5.0, least=0.0, most=100.0)] = 25.0


class AdxTrend(SignalStrategy):
    """Long where the directional movement is up and strong, out when it is up no more; the short side mirrored."""

    name: ClassVar[str] = "adx_trend"
    version: ClassVar[str] = "1"
    kind: ClassVar[Kind] = "trend"
    independent: ClassVar[bool] = True
    summary: ClassVar[str] = (
        "Follows upward directional movement, entering only where the ADX says the trend is strong."
    )
    rule: ClassVar[str] = "long when ADX(period) > threshold and +DI > -DI, out when +DI <= -DI; short side mirrored"
    source: ClassVar[str] = "J. Welles Wilder, New Concepts in Technical Trading Systems, 1978"
    Params: ClassVar[type[Parameters]] = AdxParams
    p: AdxParams

    def warmup(self) -> int:
        return 2 * self.p.period - 1

    def indicators(self, bars: "RunBars") -> "Indicators":
        from backproof.engine import indicators

        adx, plus, minus = indicators.directional(bars, self.p.period)
        return {"adx": adx, "plus_di": plus, "minus_di": minus}

    def signals(self, bars: "RunBars", indicators: "Indicators") -> "SignalMask":  # noqa: ARG002
        from backproof.engine.decisions import mask
        from backproof.engine.layout import ENTER_LONG, ENTER_SHORT, EXIT_LONG, EXIT_SHORT

        plus, minus = indicators["plus_di"], indicators["minus_di"]
        strong = indicators["adx"] > self.p.threshold
        return mask(
            (strong & (plus > minus), ENTER_LONG),
            (strong & (minus > plus), ENTER_SHORT),
            (plus <= minus, EXIT_LONG),
            (minus <= plus, EXIT_SHORT),
        )


class SarParams(Parameters):
    acceleration: Annotated[
        float, number("Step of the acceleration at every new extreme.", (0.01, 0.05), 0.01, above=0.0, most=1.0)
    ] = 0.02
    maximum: Annotated[
        float, number("Greatest acceleration, not below the step.", (0.1, 0.4), 0.05, above=0.0, most=1.0)
    ] = 0.2

    _not_below_the_step = field_validator("maximum")(
        beside(
            *("acceleration", operator.ge, "acceleration_above_maximum"),
            "maximum ({maximum}) must not be less than acceleration ({acceleration})",
        )
    )


class ParabolicSar(SignalStrategy):
    """Long while the close is above the parabolic stop, else out (or short where allowed)."""

    name: ClassVar[str] = "parabolic_sar"
    version: ClassVar[str] = "1"
    kind: ClassVar[Kind] = "trend"
    independent: ClassVar[bool] = True
    summary: ClassVar[str] = (
        "Long while the close is above the parabolic stop, which nears the price with every extreme."
    )
    rule: ClassVar[str] = (
        "level: long while close > SAR(acceleration, maximum), out while <= (long_short: short while <=)"
    )
    source: ClassVar[str] = "J. Welles Wilder, New Concepts in Technical Trading Systems, 1978"
    Params: ClassVar[type[Parameters]] = SarParams
    p: SarParams

    def warmup(self) -> int:
        return 1

    def indicators(self, bars: "RunBars") -> "Indicators":
        from backproof.engine import indicators

        return {"sar": indicators.parabolic_sar(bars, self.p.acceleration, self.p.maximum)}

    def signals(self, bars: "RunBars", indicators: "Indicators") -> "SignalMask":
        from backproof.engine.decisions import mask
        from backproof.engine.signals import DOWN, UP

        close, sar = bars.close, indicators["sar"]
        return mask((close > sar, UP), (close <= sar, DOWN))
