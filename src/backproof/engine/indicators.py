"""Indicators over the bars of a run: TA-Lib's definitions, one symbol's own bars at a time.

Every function returns float64 [N, T], NaN where a symbol has no bar or too few. Missing bars are taken out before and
put back after: an interior NaN would make TA-Lib silently wrong for the rest of the series. Only + - * / and
square roots are used, and a value never depends on later bars.
"""

import inspect
from collections.abc import Callable, Hashable, Sequence
from typing import Literal

import numpy as np
import talib

from backproof.engine.arrays import FloatArray, IntArray
from backproof.engine.bars import RunBars
from backproof.engine.signals import growth_at, rolling_deviation, supertrend_sides

Field = Literal["open", "high", "low", "close"]
Fields = tuple[Field, ...]

# without the wrapper that looks for data frames, which takes as long as a short average
_SMA, _EMA = inspect.unwrap(talib.SMA), inspect.unwrap(talib.EMA)
_MEAN = talib.MA_Type.SMA  # type: ignore[attr-defined]
_RANGE: Fields = ("high", "low", "close")


def sma(bars: RunBars, period: int) -> FloatArray:
    """Mean of the last `period` closes."""
    return _line(bars, "close", period, ("sma", period), lambda close: _SMA(close, period))


def ema(bars: RunBars, period: int) -> FloatArray:
    """Exponential mean of the closes, factor 2 / (period + 1), seeded by the plain mean of the first `period`."""
    return _line(bars, "close", period, ("ema", period), lambda close: _EMA(close, period))


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


def highest(bars: RunBars, period: int) -> FloatArray:
    """Highest high of the last `period` >= 2 bars, this one included."""
    return _line(bars, "high", period, ("highest until now", period), lambda high: talib.MAX(high, period))


def keltner(bars: RunBars, period: int, atr_period: int, width: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Upper band, middle and lower band: EMA of the close, `width` average true ranges (Wilder) to each side.

    All three are defined from the same bar on.
    """

    def bands(high: FloatArray, low: FloatArray, close: FloatArray) -> Sequence[FloatArray]:
        middle, reach = talib.EMA(close, period), width * talib.ATR(high, low, close, atr_period)
        return middle + reach, np.where(np.isnan(reach), np.nan, middle), middle - reach

    key = ("keltner", period, atr_period, width)
    lines = _lines(bars, _RANGE, max(period, atr_period + 1), key, 3, bands)
    return lines[0], lines[1], lines[2]


def supertrend(bars: RunBars, period: int, width: float) -> FloatArray:
    """1 in an upward trend, -1 in a downward one, NaN until a close lies beyond a band; see `supertrend_sides`."""

    def sides(high: FloatArray, low: FloatArray, close: FloatArray) -> Sequence[FloatArray]:
        result = np.empty(len(close))
        supertrend_sides(high, low, close, talib.ATR(high, low, close, period), width, result)
        return (result,)

    line: FloatArray = _lines(bars, _RANGE, period + 1, ("supertrend", period, width), 1, sides)[0]
    return line


def directional(bars: RunBars, period: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """ADX, +DI and -DI (Wilder), 0 to 100; all three defined from the bar on which the ADX begins."""

    def movement(high: FloatArray, low: FloatArray, close: FloatArray) -> Sequence[FloatArray]:
        adx = talib.ADX(high, low, close, period)
        known = ~np.isnan(adx)
        plus, minus = talib.PLUS_DI(high, low, close, period), talib.MINUS_DI(high, low, close, period)
        return adx, np.where(known, plus, np.nan), np.where(known, minus, np.nan)

    lines = _lines(bars, _RANGE, 2 * period, ("directional", period), 3, movement)
    return lines[0], lines[1], lines[2]


def parabolic_sar(bars: RunBars, acceleration: float, maximum: float) -> FloatArray:
    """Wilder's parabolic stop and reverse, a price."""
    key = ("sar", acceleration, maximum)
    lines = _lines(
        *(bars, ("high", "low"), 2, key, 1), lambda high, low: (talib.SAR(high, low, acceleration, maximum),)
    )
    line: FloatArray = lines[0]
    return line


def stochastic(bars: RunBars, period: int, smooth: int, signal_period: int) -> tuple[FloatArray, FloatArray]:
    """Slow %K, the mean of `smooth` raw ones, and %D, its mean; 0 to 100, both defined from the same bar on."""
    key = ("stochastic", period, smooth, signal_period)
    lines = _lines(
        *(bars, _RANGE, period + smooth + signal_period - 2, key, 2),
        lambda high, low, close: talib.STOCH(high, low, close, period, smooth, _MEAN, signal_period, _MEAN),
    )
    return lines[0], lines[1]


def volatility(bars: RunBars, lookback: int) -> FloatArray:
    """Sample standard deviation of the last `lookback` >= 2 returns close[i]/close[i-1] - 1, per bar."""

    def deviation(close: FloatArray) -> FloatArray:
        moves = close[1:] / close[:-1] - 1.0
        result = np.empty(len(close))
        result[0] = np.nan
        rolling_deviation(moves, lookback, np.empty(len(moves)), result[1:])
        return result

    return _line(bars, "close", lookback + 1, ("volatility", lookback), deviation)


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
    fields: Field | Fields,
    least: int,
    key: Hashable,
    count: int,
    compute: Callable[..., Sequence[FloatArray]],
) -> FloatArray:
    """[count, N, T]: the lines that `compute` makes of some prices of each symbol's own bars, scattered back.

    least: symbols with fewer bars stay NaN; key: names the lines where `bars` remembers them
    """

    def make() -> FloatArray:
        names = (fields,) if isinstance(fields, str) else fields
        values: list[FloatArray] = [getattr(bars.panel.adjusted, name) for name in names]
        symbols = len(bars.symbols)
        if symbols == count == 1 and least <= bars.stop == len(values[0][0, bars.own(0)]):
            return compute(*(prices[0, : bars.stop] for prices in values))[0].reshape(1, 1, -1)  # nothing to copy
        result = np.empty((count, symbols, bars.stop))
        for n in range(symbols):
            own = bars.own(n)
            mine = [prices[n, own] for prices in values]
            if len(mine[0]) != bars.stop:
                result[:, n] = np.nan
            if len(mine[0]) < least:
                result[:, n, own] = np.nan
                continue
            for line, computed in enumerate(compute(*mine)):
                result[line, n, own] = computed
        return result

    return make() if bars.memory is None else bars.memory.get(key, make)
