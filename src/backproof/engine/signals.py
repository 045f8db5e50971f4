"""Compiled signals of two lines: where one is above the other, and where it crosses."""

import math

from backproof.engine.arrays import FloatArray, MaskArray
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
