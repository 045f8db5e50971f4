"""When portfolios are decided, and what portfolio strategies share."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from backproof.engine.strategies.base import Parameters
from backproof.engine.strategies.fields import number

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from backproof.engine.bars import RunBars
    from backproof.engine.strategies.base import FloatArray

Rebalance = Literal["daily", "weekly", "monthly", "quarterly"]
Start = Literal["schedule", "first_bar"]


def decision_bars(bars: "RunBars", rebalance: Rebalance, start: Start) -> "npt.NDArray[np.int64]":
    """Bars of the calendar on which the schedule asks for weights, increasing."""
    from backproof.engine.calendar import period_ends

    return period_ends(bars.days, bars.first, rebalance, also_first=start == "first_bar")


class TimingParams(Parameters):
    rebalance: Annotated[Rebalance, Field(description="How often, decided at the period's last bar.")] = "monthly"
    start: Annotated[Start, Field(description="first_bar: decide on the run's first bar too.")] = "schedule"

    def decision_bars(self, bars: "RunBars") -> "npt.NDArray[np.int64]":
        return decision_bars(bars, self.rebalance, self.start)


class ScheduleParams(TimingParams):
    exposure: Annotated[float, number("Sum of the weights.", (0.25, 1.0), 0.25, above=0.0, most=100.0)] = 1.0


def latest(bars: "RunBars", line: "FloatArray", at: "npt.NDArray[np.int64]") -> "FloatArray":
    """A line's value at each symbol's last own bar by some days, NaN for symbols that are not listed then: [R, N].

    line: [N, T], defined on own bars; at: [R], calendar bars, increasing
    """
    import numpy as np

    result = np.full((len(at), line.shape[0]), np.nan)
    for n in range(line.shape[0]):
        own = bars.own(n)
        if isinstance(own, slice):
            begun = at >= own.start
            result[begun, n] = line[n, np.minimum(at[begun], own.stop - 1)]
        elif len(own):
            begun = at >= own[0]
            result[begun, n] = line[n, own[np.searchsorted(own, at[begun], side="right") - 1]]
    result[~bars.listed(at)] = np.nan
    return result


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
