"""Buying in instalments."""

from typing import TYPE_CHECKING, Annotated, ClassVar

from backproof.engine.strategies.base import EventStrategy, Kind, Parameters
from backproof.engine.strategies.fields import count, number
from backproof.engine.strategies.schedule import TimingParams

if TYPE_CHECKING:
    from backproof.engine.bars import RunBars
    from backproof.engine.context import Context
    from backproof.engine.strategies.base import Indicators


class AveragingParams(TimingParams):
    instalments: Annotated[int, count("Periods over which the money is invested.", (6, 60), 6, most=5000)] = 12
    exposure: Annotated[
        float, number("Part of the initial capital that is invested in all.", (0.5, 1.0), 0.25, above=0.0, most=1.0)
    ] = 1.0


class DollarCostAveraging(EventStrategy):
    """The same amount of money into each symbol at the end of each of the first periods; never sold."""

    name: ClassVar[str] = "dollar_cost_averaging"
    version: ClassVar[str] = "1"
    kind: ClassVar[Kind] = "portfolio"
    long_only: ClassVar[bool] = True
    summary: ClassVar[str] = "Invests the initial capital in equal instalments of money, and holds."
    rule: ClassVar[str] = (
        "at each of the first `instalments` decisions of the schedule: buy exposure x initial capital / instalments / "
        "number of symbols of each symbol with a bar that day, costs included, cut to buying power; an instalment that "
        "a symbol misses is not made up; never sold"
    )
    source: ClassVar[str] = "Benjamin Graham, The Intelligent Investor, 1949"
    Params: ClassVar[type[Parameters]] = AveragingParams
    p: AveragingParams

    def indicators(self, bars: "RunBars") -> "Indicators":
        import numpy as np

        number = np.zeros((len(bars.symbols), bars.stop))
        at = self.p.decision_bars(bars)
        number[:, at] = np.arange(1.0, len(at) + 1.0)
        return {"instalment": number}

    def on_bar(self, ctx: "Context") -> None:
        if not 1.0 <= ctx.value("instalment", 0) <= self.p.instalments:
            return
        money = self.p.exposure * ctx.initial_capital / self.p.instalments / len(ctx.symbols)
        for n in range(len(ctx.symbols)):
            if ctx.has_bar(n):
                ctx.buy(n, cash=money, add=True)
