"""Signals: an array that says, for every symbol and bar, when to enter and when to leave."""

from typing import Annotated

import numpy as np
from pydantic import Field

from backproof import Parameters, SignalStrategy
from backproof.engine.decisions import mask
from backproof.engine.layout import ENTER_LONG, ENTER_SHORT, EXIT_LONG, EXIT_SHORT


class IbsParams(Parameters):
    low: Annotated[float, Field(ge=0.0, le=0.5, description="Enter long below this.")] = 0.2
    high: Annotated[float, Field(ge=0.5, le=1.0, description="Leave a long position above this.")] = 0.8


class IbsReversion(SignalStrategy):
    """Internal bar strength: where the close lies between the bar's low (0) and high (1)."""

    name = "ibs_reversion"
    version = "1"
    kind = "reversion"
    summary = "Buys a close near the bar's low and sells one near its high."
    Params = IbsParams
    p: IbsParams

    def indicators(self, bars):
        with np.errstate(divide="ignore", invalid="ignore"):
            strength = (bars.close - bars.low) / (bars.high - bars.low)
        return {"strength": strength}

    def signals(self, bars, indicators):
        # a comparison with NaN (no bar, or a bar without a range) is false: no signal
        low, high = indicators["strength"] < self.p.low, indicators["strength"] > self.p.high
        return mask((low, ENTER_LONG), (high, EXIT_LONG), (high, ENTER_SHORT), (low, EXIT_SHORT))
