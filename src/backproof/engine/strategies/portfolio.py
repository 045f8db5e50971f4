"""Portfolios by target weights: the baseline, equal weights, momentum rotation."""

import operator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field, field_validator

from backproof.domain.config import pointer_of
from backproof.engine.strategies.base import Kind, Parameters, WeightStrategy
from backproof.engine.strategies.fields import beside, count
from backproof.engine.strategies.schedule import ScheduleParams, TimingParams, strongest
from backproof.errors import FieldError

if TYPE_CHECKING:
    from backproof.domain.config import BacktestConfig
    from backproof.engine.bars import RunBars
    from backproof.engine.decisions import Weights
    from backproof.engine.strategies.base import Indicators


class NoParams(Parameters):
    pass


class MomentumParams(ScheduleParams):
    lookback: Annotated[int, count("Own bars the growth is measured over.", (21, 252), 21)] = 126
    skip: Annotated[int, count("Latest own bars left out.", (0, 21), 21, least=0)] = 0
    top: Annotated[int, count("Places in the portfolio.", (1, 10), most=1000)] = 3

    _skip_is_shorter = field_validator("skip")(
        beside(
            *("lookback", operator.lt, "skip_not_below_lookback"),
            "skip ({skip}) must be less than lookback ({lookback})",
        )
    )


class BuyAndHold(WeightStrategy):
    """Equal weights of the symbols listed on the run's first bar, decided there and never again."""

    name: ClassVar[str] = "buy_and_hold"
    version: ClassVar[str] = "1"
    kind: ClassVar[Kind] = "baseline"
    summary: ClassVar[str] = "Buys the symbols listed on the first bar in equal parts and holds them."
    rule: ClassVar[str] = (
        "decided on the run's first bar: equal weights of the symbols listed then, with a bar that day or not; "
        "never again"
    )
    source: ClassVar[str] = "The usual baseline; Burton Malkiel, A Random Walk Down Wall Street, 1973"
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
    rule: ClassVar[str] = "on schedule: exposure / number of symbols listed and not ended, in each of them"
    source: ClassVar[str] = "Victor DeMiguel, Lorenzo Garlappi, Raman Uppal, Optimal Versus Naive Diversification, 2009"
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
    kind: ClassVar[Kind] = "rotation"
    summary: ClassVar[str] = "Holds the symbols that rose most over the lookback, in equal parts."
    rule: ClassVar[str] = (
        "on schedule: exposure / top in each of the top listed symbols by close[i - skip] / close[i - lookback] - 1, "
        "ties by symbol; empty places stay in cash"
    )
    source: ClassVar[str] = "Narasimhan Jegadeesh, Sheridan Titman, Returns to Buying Winners and Selling Losers, 1993"
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


class FixedWeightsParams(TimingParams):
    weights: Annotated[
        dict[str, Annotated[float, Field(strict=True, allow_inf_nan=False, ge=-100.0, le=100.0)]],
        Field(description="Weight by symbol, negative is short; empty: equal parts of all symbols.", max_length=1000),
    ] = {}


class FixedWeights(WeightStrategy):
    """The same weights again at every rebalance, such as 60 % stocks and 40 % bonds."""

    name: ClassVar[str] = "fixed_weights"
    version: ClassVar[str] = "1"
    kind: ClassVar[Kind] = "portfolio"
    summary: ClassVar[str] = "Holds symbols with the weights you give (60/40), restored on a schedule."
    rule: ClassVar[str] = (
        "on schedule: each symbol's given weight while it is listed and not ended, else 0, the rest in cash; symbols "
        "without a weight 0; with no weights at all 1 / number of symbols each"
    )
    source: ClassVar[str] = "Harry Browne, Fail-Safe Investing, 1999"
    Params: ClassVar[type[Parameters]] = FixedWeightsParams
    p: FixedWeightsParams

    @classmethod
    def refusals(cls, config: "BacktestConfig", params: Any) -> list[FieldError]:
        direction = config.execution.direction
        errors = []
        for symbol, weight in params.weights.items():
            pointer = pointer_of(("parameters", "weights", symbol))
            if symbol not in config.symbols:
                errors.append(FieldError(pointer, "unknown_symbol", f"{symbol[:40]} is not one of the run's symbols"))
            elif (weight < 0.0 and direction == "long_only") or (weight > 0.0 and direction == "short_only"):
                errors.append(FieldError(pointer, "direction_mismatch", f"weight {weight:g} is against {direction}"))
        if not params.weights and direction == "short_only":
            message = "equal parts are long positions, short_only leaves them nothing to do"
            errors.append(FieldError("/execution/direction", "direction_mismatch", message))
        return errors

    def target_weights(self, bars: "RunBars", indicators: "Indicators") -> "Weights":  # noqa: ARG002
        import numpy as np

        from backproof.engine.decisions import Weights

        at = self.p.decision_bars(bars)
        given = self.p.weights or dict.fromkeys(bars.symbols, 1.0 / len(bars.symbols))
        weights = np.array([given.get(symbol, 0.0) for symbol in bars.symbols])
        return Weights(at, np.where(bars.listed(at), weights, 0.0))
