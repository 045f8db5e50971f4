"""Indicators over the bars of a run: TA-Lib's definitions, one symbol's own bars at a time.

Every function returns float64 [N, T], NaN where a symbol has no bar or too few. Missing bars are taken out before and
put back after: an interior NaN would make TA-Lib silently wrong for the rest of the series. Only + - * / and
square roots are used, and a value never depends on later bars.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Literal

import numpy as np
import talib

from backproof.engine.arrays import FloatArray, IntArray
from backproof.engine.bars import RunBars
from backproof.engine.signals import growth_at

Field = Literal["open", "high", "low", "close"]


def sma(bars: RunBars, period: int) -> FloatArray:
    """Mean of the last `period` closes."""
    return _line(bars, "close", period, ("sma", period), lambda close: talib.SMA(close, period))


def ema(bars: RunBars, period: int) -> FloatArray:
    """Exponential mean of the closes, factor 2 / (period + 1), seeded by the plain mean of the first `period`."""
    return _line(bars, "close", period, ("ema", period), lambda close: talib.EMA(close, period))


def macd(bars: RunBars, fast: int, slow: int, signal_period: int) -> tuple[FloatArray, FloatArray]:
    """EMA(fast) - EMA(slow) of the close, and its EMA, the signal line; both defined from the same bar on."""
    lines = _lines(
        *(bars, "close", slow + signal_period - 1, ("macd", fast, slow, signal_period), 2),
        lambda close: talib.MACD(close, fast, slow, signal_period)[:2],
    )
    return lines[0], lines[1]


def bollinger(bars: RunBars, period: int, width: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Upper band, mean and lower band of the close: `width` population standard deviations to each side."""
    lines = _lines(
        *(bars, "close", period, ("bollinger", period, width), 3),
        lambda close: talib.BBANDS(close, period, width, width),
    )
    return lines[0], lines[1], lines[2]


def rsi(bars: RunBars, period: int) -> FloatArray:
    """Wilder's RSI of the close, 0 to 100, seeded by the plain mean of the first `period` moves."""
    return _line(bars, "close", period + 1, ("rsi", period), lambda close: talib.RSI(close, period))


def highest_before(bars: RunBars, period: int) -> FloatArray:
    """Highest high of the `period` bars before each bar, the bar itself excluded."""
    return _line(bars, "high", period + 1, ("highest", period), lambda high: _before(high, period, talib.MAX))


def lowest_before(bars: RunBars, period: int) -> FloatArray:
    """Lowest low of the `period` bars before each bar, the bar itself excluded."""
    return _line(bars, "low", period + 1, ("lowest", period), lambda low: _before(low, period, talib.MIN))


def growth(bars: RunBars, at: IntArray, lookback: int, skip: int) -> FloatArray:
    """close[i-skip]/close[i-lookback] - 1 over own bars, i the last one by that day: [len(at), N], NaN before.

    at: calendar bars, increasing
    """
    close = bars.panel.adjusted.close
    result = np.full((len(at), close.shape[0]), np.nan)
    own = [bars.own(n) for n in range(close.shape[0])]
    first = np.array([one.start if isinstance(one, slice) else -1 for one in own], dtype=np.int64)
    stop = np.array([one.stop if isinstance(one, slice) else -1 for one in own], dtype=np.int64)
    growth_at(close, at, first, stop, lookback, skip, result)
    for n in np.flatnonzero(first < 0):  # symbols with holes
        mine = close[n, own[n]]
        i = np.minimum(np.searchsorted(np.asarray(own[n]), at, side="right") - 1, len(mine) - 1)
        known = i >= lookback
        result[known, n] = mine[i[known] - skip] / mine[i[known] - lookback] - 1.0
    return result


def _before(values: FloatArray, period: int, extreme: Callable[[FloatArray, int], FloatArray]) -> FloatArray:
    result = np.empty(len(values))
    result[0] = np.nan
    result[1:] = (values if period == 1 else extreme(values, period))[:-1]
    return result


def _line(
    bars: RunBars, field: Field, least: int, key: Hashable, compute: Callable[[FloatArray], FloatArray]
) -> FloatArray:
    """One line, [N, T]; see `_lines`."""
    memory = bars.memory
    known = None if memory is None else memory.find(key)
    if known is None:
        known = _lines(bars, field, least, key, 1, lambda own: (compute(own),))
    line: FloatArray = known[0]
    return line


def _lines(
    bars: RunBars,
    field: Field,
    least: int,
    key: Hashable,
    count: int,
    compute: Callable[[FloatArray], Sequence[FloatArray]],
) -> FloatArray:
    """[count, N, T]: the lines that `compute` makes of a price of each symbol's own bars, scattered back.

    least: symbols with fewer bars stay NaN; key: names the lines where `bars` remembers them
    """

    def make() -> FloatArray:
        values: FloatArray = getattr(bars.panel.adjusted, field)
        result = np.empty((count, values.shape[0], bars.stop))
        for n in range(values.shape[0]):
            own = bars.own(n)
            mine = values[n, own]
            if len(mine) != bars.stop:
                result[:, n] = np.nan
            if len(mine) < least:
                result[:, n, own] = np.nan
                continue
            for line, computed in enumerate(compute(mine)):
                result[line, n, own] = computed
        return result

    return make() if bars.memory is None else bars.memory.get(key, make)
