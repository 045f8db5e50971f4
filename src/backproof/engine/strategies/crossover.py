"""Moving-average crossovers."""

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError
from pydantic_core.core_schema import ValidationInfo

from backproof.engine.strategies.base import Kind, Parameters, SignalStrategy

if TYPE_CHECKING:
    from backproof.engine.bars import RunBars
    from backproof.engine.strategies.base import Indicators, SignalMask


class CrossoverParams(Parameters):
    fast: Annotated[int, Field(strict=True, ge=1, le=5000, description="Bars of the fast average.")] = 20
    slow: Annotated[int, Field(strict=True, ge=2, le=5000, description="Bars of the slow average, more than fast.")] = (
        50
    )
    signal: Annotated[
        Literal["level", "cross"],
        Field(description="level: in while fast is above slow; cross: act on the bar of the crossing only."),
    ] = "level"

    @field_validator("slow")
    @classmethod
    def _slow_is_slower(cls, slow: int, info: ValidationInfo) -> int:
        fast = info.data.get("fast")
        if fast is not None and fast >= slow:
            raise PydanticCustomError(
                "fast_not_below_slow", "slow ({slow}) must be greater than fast ({fast})", {"slow": slow, "fast": fast}
            )
        return slow


class SmaCrossover(SignalStrategy):
    """Long while the fast simple moving average is above the slow one, else flat (or short where allowed)."""

    name: ClassVar[str] = "sma_crossover"
    version: ClassVar[str] = "1"
    kind: ClassVar[Kind] = "trend"
    summary: ClassVar[str] = "Long while the fast moving average of the close is above the slow one."
    Params: ClassVar[type[Parameters]] = CrossoverParams
    p: CrossoverParams

    def warmup(self) -> int:
        return self.p.slow - 1 + (self.p.signal == "cross")

    def indicators(self, bars: "RunBars") -> "Indicators":
        from backproof.engine import indicators

        return {"fast": indicators.sma(bars, self.p.fast), "slow": indicators.sma(bars, self.p.slow)}

    def signals(self, bars: "RunBars", indicators: "Indicators") -> "SignalMask":
        from backproof.engine.decisions import crossings, levels

        fast, slow = indicators["fast"], indicators["slow"]
        return levels(fast, slow) if self.p.signal == "level" else crossings(bars, fast, slow)
