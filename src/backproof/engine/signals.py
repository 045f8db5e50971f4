"""Compiled passes over indicators: where a line is above another, where it crosses, how far closes have grown."""

import math

from backproof.engine.arrays import FloatArray, IntArray, MaskArray
from backproof.engine.compiled import kernel
from backproof.engine.layout import ENTER_LONG, ENTER_SHORT, EXIT_LONG, EXIT_SHORT

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
