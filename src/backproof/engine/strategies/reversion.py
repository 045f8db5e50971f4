"""Mean reversion."""

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError
from pydantic_core.core_schema import ValidationInfo

from backproof.engine.strategies.base import Kind, Parameters, SignalStrategy

if TYPE_CHECKING:
    from backproof.engine.bars import RunBars
    from backproof.engine.strategies.base import Indicators, SignalMask

Level = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0.0, le=100.0)]


class RsiParams(Parameters):
    period: Annotated[int, Field(strict=True, ge=2, le=5000, description="Bars of the RSI (Wilder).")] = 14
    oversold: Annotated[Level, Field(description="Enter long below this RSI.")] = 30.0
    overbought: Annotated[Level, Field(description="Leave above this RSI.")] = 70.0

    @field_validator("overbought")
    @classmethod
    def _in_order(cls, overbought: float, info: ValidationInfo) -> float:
        oversold = info.data.get("oversold")
        if oversold is not None and oversold >= overbought:
            raise PydanticCustomError(
                "oversold_not_below_overbought",
                "overbought ({overbought}) must be greater than oversold ({oversold})",
                {"overbought": overbought, "oversold": oversold},
            )
        return overbought


class RsiMeanReversion(SignalStrategy):
    """Long when the RSI falls below `oversold`, out when it rises above `overbought`; the short side mirrored."""

    name: ClassVar[str] = "rsi_mean_reversion"
    version: ClassVar[str] = "1"
    kind: ClassVar[Kind] = "reversion"
    summary: ClassVar[str] = "Buys when the RSI is oversold, sells when it is overbought."
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
