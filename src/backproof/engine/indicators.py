"""Indicators over the bars of a run: TA-Lib's definitions, one symbol's own bars at a time.

Every function returns float64 [N, T], NaN where a symbol has no bar or too few. Missing bars are taken out before and
put back after: an interior NaN would make TA-Lib silently wrong for the rest of the series. Only + - * / and
comparisons are used, and a value never depends on later bars.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import talib

from backproof.engine.bars import RunBars

FloatArray = npt.NDArray[np.float64]


def sma(bars: RunBars, period: int) -> FloatArray:
    """Mean of the last `period` closes."""
    return _own_bars(bars, bars.panel.close, period, lambda close: talib.SMA(close, period))


def rsi(bars: RunBars, period: int) -> FloatArray:
    """Wilder's RSI of the close, 0 to 100, seeded by the plain mean of the first `period` moves."""
    return _own_bars(bars, bars.panel.close, period + 1, lambda close: talib.RSI(close, period))


def highest_before(bars: RunBars, period: int) -> FloatArray:
    """Highest high of the `period` bars before each bar, the bar itself excluded."""
    return _own_bars(bars, bars.panel.high, period + 1, lambda high: _before(high, period, talib.MAX))


def lowest_before(bars: RunBars, period: int) -> FloatArray:
    """Lowest low of the `period` bars before each bar, the bar itself excluded."""
    return _own_bars(bars, bars.panel.low, period + 1, lambda low: _before(low, period, talib.MIN))


def _before(values: FloatArray, period: int, extreme: Callable[[FloatArray, int], FloatArray]) -> FloatArray:
    result = np.empty(len(values))
    result[0] = np.nan
    result[1:] = (values if period == 1 else extreme(values, period))[:-1]
    return result


def _own_bars(bars: RunBars, values: FloatArray, least: int, compute: Callable[[FloatArray], FloatArray]) -> FloatArray:
    """`compute` on each symbol's own bars, scattered back; symbols with fewer than `least` bars stay NaN."""
    result = np.empty((values.shape[0], bars.stop))
    for n in range(values.shape[0]):
        own = bars.own(n)
        mine = values[n, own]
        if len(mine) != bars.stop:
            result[n] = np.nan
        result[n, own] = compute(mine) if len(mine) >= least else np.nan
    return result
