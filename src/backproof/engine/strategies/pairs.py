"""Trading the spread between two symbols."""

import operator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator

from backproof.engine.strategies.base import Kind, Parameters, WeightStrategy
from backproof.engine.strategies.fields import beside, count, number
from backproof.errors import FieldError

if TYPE_CHECKING:
    from backproof.domain.config import BacktestConfig
    from backproof.engine.bars import RunBars
    from backproof.engine.decisions import Weights
    from backproof.engine.strategies.base import Indicators


class PairsParams(Parameters):
    spread: Annotated[
        Literal["ratio", "residual"],
        Field(description="ratio: close_a / close_b; residual: what a least-squares line of a on b leaves."),
    ] = "ratio"
    lookback: Annotated[int, count("Common bars of the mean and the deviation.", (20, 120), 10, least=3)] = 60
    entry: Annotated[float, number("Enter beyond this z-score.", (1.0, 3.0), 0.25, above=0.0, most=100.0)] = 2.0
    exit: Annotated[
        float, number("Leave within this z-score, less than entry.", (0.0, 1.0), 0.25, least=0.0, most=100.0)
    ] = 0.5
    stop: Annotated[
        float | None,
        number("Give up beyond this z-score, more than entry; null: never.", (2.5, 5.0), 0.5, above=0.0, most=100.0),
    ] = None
    exposure: Annotated[float, number("Sum of the two weights' sizes.", (0.5, 2.0), 0.25, above=0.0, most=100.0)] = 1.0

    _exit_is_inside = field_validator("exit")(
        beside("entry", operator.lt, "exit_not_below_entry", "exit ({exit}) must be less than entry ({entry})")
    )
    _stop_is_outside = field_validator("stop")(
        beside("entry", operator.gt, "stop_not_above_entry", "stop ({stop}) must be greater than entry ({entry})")
    )


class PairsSpread(WeightStrategy):
    """Sells the dearer of two symbols and buys the cheaper one where their prices are unusually far apart."""

    name: ClassVar[str] = "pairs_spread"
    version: ClassVar[str] = "1"
    kind: ClassVar[Kind] = "spread"
    summary: ClassVar[str] = "Bets on two prices coming together again: short the dear one, long the cheap one."
    rule: ClassVar[str] = (
        "symbols [a, b], on bars both have: z = (s - mean) / deviation over the last `lookback` of them, this one "
        "included; ratio: s = close_a / close_b, sample deviation, hedge h = 1; residual: s = what the least-squares "
        "line of close_a on close_b leaves, lookback - 2 degrees of freedom, h = slope x close_b / close_a; long, with "
        "weights exposure / (1 + h) of a and -exposure x h / (1 + h) of b, when z < -entry, out when z >= -exit; "
        "short, with the signs turned, when z > entry, out when z <= exit; an exit may enter the other side at once; "
        "with a stop: out of a long when z < -stop, of a short when z > stop, no entry beyond it, and after it none "
        "until z is where that position would have been left; no entry while h <= 0; flat before the run's first bar; "
        "decided where the position changes, shares held in between; out when a symbol has ended"
    )
    source: ClassVar[str] = (
        "Evan Gatev, William Goetzmann, Geert Rouwenhorst, Pairs Trading: Performance of a Relative-Value Arbitrage "
        "Rule, 2006; residual: Ernest Chan, Algorithmic Trading, 2013"
    )
    Params: ClassVar[type[Parameters]] = PairsParams
    p: PairsParams

    @classmethod
    def refusals(cls, config: "BacktestConfig", params: Any) -> list[FieldError]:  # noqa: ARG003
        errors = []
        if len(config.symbols) != 2:
            message = f"{cls.name} trades one symbol against another: give two, not {len(config.symbols)}"
            errors.append(FieldError("/symbols", "needs_two", message))
        if config.execution.direction != "long_short":
            message = f"{cls.name} is long one symbol and short the other: it needs long_short"
            errors.append(FieldError("/execution/direction", "direction_mismatch", message))
        return errors

    def warmup(self) -> int:
        return self.p.lookback - 1

    def indicators(self, bars: "RunBars") -> "Indicators":
        """score (z) and hedge (h), defined on bars both symbols have; the same line for both."""
        import numpy as np

        from backproof.engine.signals import spread_scores

        close = bars.close
        common = np.flatnonzero(~np.isnan(close[0] + close[1]))
        score, hedge = np.empty(len(common)), np.empty(len(common))
        residual = self.p.spread == "residual"
        spread_scores(close[0, common], close[1, common], self.p.lookback, residual, score, hedge)
        lines = np.full((2, 2, bars.stop), np.nan)
        lines[0][:, common], lines[1][:, common] = score, hedge
        return {"score": lines[0], "hedge": lines[1]}

    def target_weights(self, bars: "RunBars", indicators: "Indicators") -> "Weights":
        import numpy as np

        from backproof.engine.decisions import Weights
        from backproof.engine.signals import spread_positions

        ended = bars.ended[bars.ended >= 0]
        last = int(ended.min()) if len(ended) else bars.stop
        close = bars.close
        common = np.flatnonzero(~np.isnan(close[0] + close[1]))
        common = common[common < last]
        score, hedge = indicators["score"][0, common], indicators["hedge"][0, common]
        side = np.empty(len(common))
        start = int(np.searchsorted(common, bars.first))
        stop = np.inf if self.p.stop is None else self.p.stop
        spread_positions(score, hedge, self.p.entry, self.p.exit, stop, start, side)
        changed = np.flatnonzero(np.diff(side, prepend=0.0))
        at, side, hedge = common[changed], side[changed], hedge[changed]
        hedge = np.where(side == 0.0, 0.0, hedge)
        a = side * (self.p.exposure / (1.0 + hedge))
        weights = np.column_stack([a, -a * hedge])
        if len(side) and side[-1] != 0.0 and last < bars.stop:
            at, weights = np.append(at, last), np.vstack([weights, np.zeros(2)])
        return Weights(at.astype(np.int64), weights)
