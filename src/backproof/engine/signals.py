"""Compiled passes over prices and indicators: crossings, growth, volatility, trailing bands, spreads of pairs."""

import math

from backproof.engine.arrays import FloatArray, IntArray, MaskArray
from backproof.engine.compiled import kernel
from backproof.engine.layout import ENTER_LONG, ENTER_SHORT, EXIT_LONG, EXIT_SHORT, ROUNDING

UP = ENTER_LONG | EXIT_SHORT
DOWN = ENTER_SHORT | EXIT_LONG


@kernel("void(float64[:,::1], float64[:,::1], uint8[:,::1])")
def level_signals(fast: FloatArray, slow: FloatArray, mask: MaskArray) -> None:
    """Up while fast > slow, down while fast <= slow, no signal where one is undefined. All [N, T]; writes mask."""
    for n in range(fast.shape[0]):
        for p in range(fast.shape[1]):
            a, b = fast[n, p], slow[n, p]
            mask[n, p] = (a > b) * UP + (a <= b) * DOWN


@kernel("void(float64[:,::1], float64[:,::1], float64[:,::1], uint8[:,::1])")
def cross_signals(fast: FloatArray, slow: FloatArray, close: FloatArray, mask: MaskArray) -> None:
    """Up where fast went from <= slow to > slow over two bars on which the symbol has a close; down mirrored.

    fast, slow: [N, T], NaN where undefined; close: [N, >= T], NaN = no bar; writes mask [N, T]
    """
    for n in range(fast.shape[0]):
        before = -1
        for p in range(fast.shape[1]):
            mask[n, p] = 0
            if math.isnan(close[n, p]):
                continue
            if before >= 0:
                a, b = fast[n, p], slow[n, p]
                c, d = fast[n, before], slow[n, before]
                if a > b and c <= d:
                    mask[n, p] = UP
                elif a < b and c >= d:
                    mask[n, p] = DOWN
            before = p


@kernel("void(float64[:,::1], int64[::1], int64[::1], int64[::1], int64, int64, float64[:,::1])")
def growth_at(
    close: FloatArray, at: IntArray, first: IntArray, stop: IntArray, lookback: int, skip: int, out: FloatArray
) -> None:
    """close[p - skip] / close[p - lookback] - 1 of symbols without holes, p the last bar by each of `at`.

    close: [N, T]; at: [R], increasing; first, stop: [N], the symbol's bars, first < 0 to leave it out
    out: [R, N], left as it is where a symbol has too few bars
    """
    for n in range(close.shape[0]):
        if first[n] < 0:
            continue
        for r in range(at.shape[0]):
            p = min(at[r], stop[n] - 1)
            if p - lookback >= first[n]:
                out[r, n] = close[n, p - skip] / close[n, p - lookback] - 1.0


@kernel("void(float64[::1], int64, float64[::1], float64[::1])")
def rolling_deviation(values: FloatArray, period: int, mean: FloatArray, out: FloatArray) -> None:
    """Sample standard deviation of the last `period` >= 2 values, NaN before there are so many.

    Every window is summed by itself, the oldest value first: no value depends on what came before its window.
    values, out: [M]; mean: [M], room to work in
    """
    count = values.shape[0] - period + 1
    for i in range(min(period - 1, values.shape[0])):
        out[i] = math.nan
    if count < 1:
        return
    sums, squares = mean[:count], out[period - 1 :]
    sums[:] = 0.0
    squares[:] = 0.0
    fours = period - period % 4
    for k in range(0, fours, 4):  # all windows at once, four values at a time: the inner loops are a vector's
        v, w, x, y = (values[k : k + count], values[k + 1 :], values[k + 2 :], values[k + 3 :])
        for i in range(count):
            sums[i] = sums[i] + v[i] + w[i] + x[i] + y[i]
    for k in range(fours, period):
        v = values[k : k + count]
        for i in range(count):
            sums[i] += v[i]
    for i in range(count):
        sums[i] /= period
    for k in range(0, fours, 4):
        v, w, x, y = (values[k : k + count], values[k + 1 :], values[k + 2 :], values[k + 3 :])
        for i in range(count):
            a, b, c, d = v[i] - sums[i], w[i] - sums[i], x[i] - sums[i], y[i] - sums[i]
            squares[i] = squares[i] + a * a + b * b + c * c + d * d
    for k in range(fours, period):
        v = values[k : k + count]
        for i in range(count):
            a = v[i] - sums[i]
            squares[i] += a * a
    for i in range(count):
        squares[i] = math.sqrt(squares[i] / (period - 1))


@kernel("void(float64[::1], float64[::1], float64[::1], float64[::1], float64, float64[::1])")
def supertrend_sides(
    high: FloatArray, low: FloatArray, close: FloatArray, atr: FloatArray, width: float, side: FloatArray
) -> None:
    """Which side of the trailing bands the trend is on: 1 up, -1 down, NaN until a close lies beyond one.

    The bands stand `width` average true ranges from the bar's middle. The upper one only falls while closes stay at or
    below it, the lower one only rises while closes stay at or above it. All [M], of a symbol's own bars; writes side.
    """
    upper, lower, now = math.nan, math.nan, math.nan
    for i in range(close.shape[0]):
        if not math.isnan(atr[i]):
            middle, reach = (high[i] + low[i]) / 2.0, width * atr[i]
            above, below = middle + reach, middle - reach
            if upper <= above and close[i - 1] <= upper:
                above = upper
            if lower >= below and close[i - 1] >= lower:
                below = lower
            upper, lower = above, below
            if close[i] > upper and not now > 0.0:
                now = 1.0
            elif close[i] < lower and not now < 0.0:
                now = -1.0
        side[i] = now


@kernel("void(float64[::1], float64[::1], int64, int64, float64[::1], float64[::1])")
def spread_scores(
    a: FloatArray, b: FloatArray, lookback: int, residual: int, score: FloatArray, hedge: FloatArray
) -> None:
    """How many standard deviations two prices are apart, and the money in b that hedges a unit of money in a.

    Over the last `lookback` >= 3 bars, this one included: of a / b, from its mean, with the sample deviation; or, with
    residual 1, of what a least-squares line of a on b leaves, with the deviation of lookback - 2 degrees of freedom.
    a, b: closes [M] of the bars both have; writes score and hedge, NaN where undefined: too few bars, no deviation
    """
    for i in range(a.shape[0]):
        score[i] = math.nan
        hedge[i] = math.nan
        if i < lookback - 1:
            continue
        mean_a, mean_b = 0.0, 0.0
        for j in range(i - lookback + 1, i + 1):
            mean_a += a[j] if residual else a[j] / b[j]
            mean_b += b[j]
        mean_a, mean_b = mean_a / lookback, mean_b / lookback
        if residual:
            along, across = 0.0, 0.0
            for j in range(i - lookback + 1, i + 1):
                along += (b[j] - mean_b) * (b[j] - mean_b)
                across += (a[j] - mean_a) * (b[j] - mean_b)
            if not math.sqrt(along / (lookback - 1)) >= ROUNDING * mean_b:
                continue
            slope = across / along
            squares = 0.0
            for j in range(i - lookback + 1, i + 1):
                away = (a[j] - mean_a) - slope * (b[j] - mean_b)
                squares += away * away
            deviation = math.sqrt(squares / (lookback - 2))
            away = (a[i] - mean_a) - slope * (b[i] - mean_b)
            hedge[i] = slope * b[i] / a[i]
        else:
            squares = 0.0
            for j in range(i - lookback + 1, i + 1):
                away = a[j] / b[j] - mean_a
                squares += away * away
            deviation = math.sqrt(squares / (lookback - 1))
            away = a[i] / b[i] - mean_a
            hedge[i] = 1.0
        if deviation >= ROUNDING * mean_a:
            score[i] = away / deviation


@kernel("void(float64[::1], float64[::1], float64, float64, float64, int64, float64[::1])")
def spread_positions(
    score: FloatArray, hedge: FloatArray, entry: float, leave: float, stop: float, start: int, side: FloatArray
) -> None:
    """Position in the spread at each bar: 1 long, -1 short, 0 none; flat before bar `start`.

    Short above `entry`, long below -entry; out at -leave (long) or leave (short) and beyond; out when the score runs
    beyond `stop` on the wrong side, and then no entry before it is back where that position would have been left.
    No entry beyond `stop`, and none without a hedge > 0. All [M]; writes side.
    """
    now, lost = 0.0, 0.0
    for i in range(score.shape[0]):
        z = score[i]
        if i >= start and not math.isnan(z):
            if now * z < -stop:
                now, lost = 0.0, now
            elif now != 0.0 and now * z >= -leave:
                now = 0.0
            if lost * z >= -leave:
                lost = 0.0
            if now == 0.0 and lost == 0.0 and abs(z) > entry and abs(z) <= stop and hedge[i] > 0.0:
                now = -1.0 if z > 0.0 else 1.0
        side[i] = now
