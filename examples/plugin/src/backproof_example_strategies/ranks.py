"""Weights: the portfolio wanted on the bars where it is to be rebalanced."""

from typing import Annotated

import numpy as np
from pydantic import Field

from backproof import Parameters, Weights, WeightStrategy
from backproof.engine import indicators as indicator
from backproof.engine.calendar import period_ends


class RankParams(Parameters):
    lookback: Annotated[int, Field(ge=1, le=1000, description="Bars over which growth is measured.")] = 63


class RankWeighted(WeightStrategy):
    """The symbol that grew least gets one part, the next one two, and so on."""

    name = "rank_weighted"
    version = "1"
    kind = "rotation"
    summary = "Weights symbols by the rank of their growth, at every month's end."
    long_only = True
    Params = RankParams
    p: RankParams

    def warmup(self):
        return self.p.lookback

    def target_weights(self, bars, indicators):
        at = period_ends(bars.days, bars.first, "monthly")
        growth = indicator.growth(bars, at, self.p.lookback, 0)
        growth[~bars.listed(at)] = np.nan
        known = np.isfinite(growth)
        ranks = np.where(known, growth, -np.inf).argsort(axis=1, kind="stable").argsort(axis=1) + 1.0
        ranks = np.where(known, ranks - (~known).sum(axis=1, keepdims=True), 0.0)
        total = ranks.sum(axis=1, keepdims=True)
        some = total[:, 0] > 0
        return Weights(at[some], ranks[some] / total[some])
