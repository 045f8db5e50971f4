"""Rotation into the strongest symbols."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from backproof.engine.strategies.base import Kind, Parameters, WeightStrategy
from backproof.engine.strategies.fields import count, number
from backproof.engine.strategies.schedule import ScheduleParams, latest, strongest
from backproof.errors import FieldError

if TYPE_CHECKING:
    from backproof.domain.config import BacktestConfig
    from backproof.engine.bars import RunBars
    from backproof.engine.decisions import Weights
    from backproof.engine.strategies.base import Indicators


class DualMomentumParams(ScheduleParams):
    lookback: Annotated[int, count("Own bars the growth is measured over.", (63, 252), 21)] = 252
    top: Annotated[int, count("Places in the portfolio.", (1, 5), most=1000)] = 1
    threshold: Annotated[
        float, number("Growth over the lookback that a symbol must exceed.", (0.0, 0.05), 0.01, least=-1.0, most=100.0)
    ] = 0.0
    safe: Annotated[
        str | None, Field(description="Symbol that takes the places nobody else does; null: cash.", max_length=32)
    ] = None


class DualMomentum(WeightStrategy):
    """The strongest symbols, as long as they rise by themselves too; else the safe symbol, or cash."""

    name: ClassVar[str] = "dual_momentum"
    version: ClassVar[str] = "1"
    kind: ClassVar[Kind] = "rotation"
    summary: ClassVar[str] = "Holds the strongest symbols while they rise at all, else a safe symbol or cash."
    rule: ClassVar[str] = (
        "on schedule, among the listed symbols but the safe one: exposure / top in each of the top by growth = "
        "close[i] / close[i - lookback] - 1 (ties by symbol) whose growth > threshold; the places left go to the safe "
        "symbol while it is listed, else they stay in cash"
    )
    source: ClassVar[str] = "Gary Antonacci, Dual Momentum Investing, 2014"
    long_only: ClassVar[bool] = True
    Params: ClassVar[type[Parameters]] = DualMomentumParams
    p: DualMomentumParams

    @classmethod
    def refusals(cls, config: "BacktestConfig", params: Any) -> list[FieldError]:
        if params.safe is None:
            return []
        if params.safe not in config.symbols:
            message = f"{params.safe} is not one of the run's symbols"
            return [FieldError("/parameters/safe", "unknown_symbol", message)]
        if len(config.symbols) == 1:
            return [FieldError("/symbols", "too_few", "there must be another symbol than the safe one")]
        return []

    def warmup(self) -> int:
        return self.p.lookback

    def target_weights(self, bars: "RunBars", indicators: "Indicators") -> "Weights":  # noqa: ARG002
        import numpy as np

        from backproof.engine import indicators as indicator
        from backproof.engine.decisions import Weights

        at = self.p.decision_bars(bars)
        listed = bars.listed(at)
        growth = np.where(listed, indicator.growth(bars, at, self.p.lookback, 0), np.nan)
        safe = None if self.p.safe is None else bars.symbols.index(self.p.safe)
        if safe is not None:
            growth[:, safe] = np.nan
        chosen = strongest(np.where(growth > self.p.threshold, growth, np.nan), bars.symbols, self.p.top)
        weights = np.where(chosen, self.p.exposure / self.p.top, 0.0)
        if safe is not None:
            places = (self.p.top - chosen.sum(axis=1)) / self.p.top
            weights[:, safe] = np.where(listed[:, safe], self.p.exposure * places, 0.0)
        some = ~np.isnan(growth).all(axis=1)
        return Weights(at[some], weights[some])


class NearHighParams(ScheduleParams):
    lookback: Annotated[int, count("Own bars of the high.", (63, 252), 21, least=2)] = 252
    top: Annotated[int, count("Places in the portfolio.", (1, 10), most=1000)] = 3


class NearHigh(WeightStrategy):
    """The symbols that are nearest to their high of the lookback, in equal parts; empty places stay in cash."""

    name: ClassVar[str] = "near_52_week_high"
    version: ClassVar[str] = "1"
    kind: ClassVar[Kind] = "rotation"
    summary: ClassVar[str] = "Holds the symbols whose close is nearest to their highest high of a year, in equal parts."
    rule: ClassVar[str] = (
        "on schedule: exposure / top in each of the top listed symbols by close / highest high of the last `lookback` "
        "own bars, the last one included, ties by symbol; empty places stay in cash"
    )
    source: ClassVar[str] = "Thomas George, Chuan-Yang Hwang, The 52-Week High and Momentum Investing, 2004"
    long_only: ClassVar[bool] = True
    Params: ClassVar[type[Parameters]] = NearHighParams
    p: NearHighParams

    def warmup(self) -> int:
        return self.p.lookback - 1

    def indicators(self, bars: "RunBars") -> "Indicators":
        from backproof.engine import indicators

        return {"high": indicators.highest(bars, self.p.lookback)}

    def target_weights(self, bars: "RunBars", indicators: "Indicators") -> "Weights":
        import numpy as np

        from backproof.engine.decisions import Weights

        at = self.p.decision_bars(bars)
        nearness = latest(bars, bars.close, at) / latest(bars, indicators["high"], at)
        chosen = strongest(nearness, bars.symbols, self.p.top)
        some = ~np.isnan(nearness).all(axis=1)
        return Weights(at[some], np.where(chosen[some], self.p.exposure / self.p.top, 0.0))
