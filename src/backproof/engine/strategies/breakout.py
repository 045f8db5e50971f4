"""Channel breakouts."""

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from backproof.engine.strategies.base import Kind, Parameters, SignalStrategy

if TYPE_CHECKING:
    from backproof.engine.bars import RunBars
    from backproof.engine.strategies.base import Indicators, SignalMask


class DonchianParams(Parameters):
    entry: Annotated[int, Field(strict=True, ge=1, le=5000, description="Bars of the channel to break out of.")] = 20
    exit: Annotated[
        int, Field(strict=True, ge=1, le=5000, description="Bars of the opposite channel that ends it.")
    ] = 10


class DonchianBreakout(SignalStrategy):
    """Long on a close above the highest high of the bars before, out on a close below their lowest low; mirrored."""

    name: ClassVar[str] = "donchian_breakout"
    version: ClassVar[str] = "1"
    kind: ClassVar[Kind] = "trend"
    independent: ClassVar[bool] = True
    summary: ClassVar[str] = "Buys a close above the highest high of the last bars, leaves below the lowest low."
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
