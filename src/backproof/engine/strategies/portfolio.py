"""Portfolios by target weights: the baseline, equal weights, momentum rotation."""

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError
from pydantic_core.core_schema import ValidationInfo

from backproof.engine.strategies.base import Kind, Parameters, WeightStrategy

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from backproof.engine.bars import RunBars
    from backproof.engine.decisions import Weights
    from backproof.engine.strategies.base import FloatArray, Indicators

Rebalance = Literal["daily", "weekly", "monthly", "quarterly"]


class NoParams(Parameters):
    pass


class ScheduleParams(Parameters):
    rebalance: Annotated[Rebalance, Field(description="How often, decided at the period's last bar.")] = "monthly"
    exposure: Annotated[
        float, Field(strict=True, allow_inf_nan=False, gt=0.0, le=100.0, description="Sum of the weights.")
    ] = 1.0
    start: Annotated[
        Literal["schedule", "first_bar"], Field(description="first_bar: decide on the run's first bar too.")
    ] = "schedule"

    def decision_bars(self, bars: "RunBars") -> "npt.NDArray[np.int64]":
        """Bars of the calendar on which the schedule asks for weights, increasing."""
        from backproof.engine.calendar import period_ends

        return period_ends(bars.days, bars.first, self.rebalance, also_first=self.start == "first_bar")


class MomentumParams(ScheduleParams):
    lookback: Annotated[int, Field(strict=True, ge=1, le=5000, description="Own bars the growth is measured over.")] = (
        126
    )
    skip: Annotated[int, Field(strict=True, ge=0, le=5000, description="Latest own bars left out.")] = 0
    top: Annotated[int, Field(strict=True, ge=1, le=1000, description="Places in the portfolio.")] = 3

    @field_validator("skip")
    @classmethod
    def _skip_is_shorter(cls, skip: int, info: ValidationInfo) -> int:
        lookback = info.data.get("lookback")
        if lookback is not None and skip >= lookback:
            raise PydanticCustomError(
                "skip_not_below_lookback",
                "skip ({skip}) must be less than lookback ({lookback})",
                {"skip": skip, "lookback": lookback},
            )
        return skip


class BuyAndHold(WeightStrategy):
    """Equal weights of the symbols listed on the run's first bar, decided there and never again."""

    name: ClassVar[str] = "buy_and_hold"
    version: ClassVar[str] = "1"
    kind: ClassVar[Kind] = "baseline"
    summary: ClassVar[str] = "Buys the symbols listed on the first bar in equal parts and holds them."
    long_only: ClassVar[bool] = True
    Params: ClassVar[type[Parameters]] = NoParams

    def target_weights(self, bars: "RunBars", indicators: "Indicators") -> "Weights":  # noqa: ARG002
        import numpy as np

        from backproof.engine.decisions import Weights

        at = np.array([bars.first], dtype=np.int64)
        listed = bars.listed(at)
        with np.errstate(divide="ignore"):
            part = 1.0 / listed.sum(axis=1, keepdims=True)
        return Weights(at, np.where(listed, part, np.nan))


class EqualWeight(WeightStrategy):
    """The same part of equity in every listed symbol, restored at every rebalance."""

    name: ClassVar[str] = "equal_weight"
    version: ClassVar[str] = "1"
    kind: ClassVar[Kind] = "portfolio"
    summary: ClassVar[str] = "Holds every listed symbol with the same weight, rebalanced on a schedule."
    long_only: ClassVar[bool] = True
    Params: ClassVar[type[Parameters]] = ScheduleParams
    p: ScheduleParams

    def target_weights(self, bars: "RunBars", indicators: "Indicators") -> "Weights":  # noqa: ARG002
        import numpy as np

        from backproof.engine.decisions import Weights

        at = self.p.decision_bars(bars)
        listed = bars.listed(at)
        part = self.p.exposure / np.maximum(listed.sum(axis=1, keepdims=True), 1)
        return Weights(at, np.where(listed, part, 0.0))


class MomentumTopN(WeightStrategy):
    """The symbols that grew most over the lookback, one place of equal weight each; empty places stay in cash."""

    name: ClassVar[str] = "momentum_top_n"
    version: ClassVar[str] = "1"
    kind: ClassVar[Kind] = "portfolio"
    summary: ClassVar[str] = "Holds the symbols that rose most over the lookback, in equal parts."
    long_only: ClassVar[bool] = True
    Params: ClassVar[type[Parameters]] = MomentumParams
    p: MomentumParams

    def warmup(self) -> int:
        return self.p.lookback

    def target_weights(self, bars: "RunBars", indicators: "Indicators") -> "Weights":  # noqa: ARG002
        import numpy as np

        from backproof.engine import indicators as indicator
        from backproof.engine.decisions import Weights

        at = self.p.decision_bars(bars)
        growth = np.where(bars.listed(at), indicator.growth(bars, at, self.p.lookback, self.p.skip), np.nan)
        chosen = strongest(growth, bars.symbols, self.p.top)
        some = np.isfinite(growth).any(axis=1)
        return Weights(at[some], np.where(chosen[some], self.p.exposure / self.p.top, 0.0))


def strongest(scores: "FloatArray", symbols: tuple[str, ...], top: int) -> "npt.NDArray[np.bool_]":
    """Which symbols have one of the `top` greatest scores of their row, ties by symbol; bool of the scores' shape.

    scores: [R, N], NaN is never chosen
    """
    import numpy as np

    order = np.argsort(np.array(symbols))  # columns in the order of the alphabet: the first of equals is chosen
    ranked = np.where(np.isfinite(scores), scores, -np.inf)[:, order]
    top = min(top, ranked.shape[1])
    least = -np.partition(-ranked, top - 1, axis=1)[:, top - 1 : top]  # the score of the last place
    above, equal = ranked > least, (ranked == least) & (ranked > -np.inf)
    places = top - above.sum(axis=1, keepdims=True)
    chosen = np.empty(scores.shape, dtype=np.bool_)
    chosen[:, order] = above | (equal & (np.cumsum(equal, axis=1) <= places))
    return chosen
