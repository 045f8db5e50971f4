"""Factors that turn raw prices into adjusted ones, the same bits that a run uses."""

from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float64]]


def adjustment_factors(
    close: Floats, adj_close: Floats | None, dividend: Floats | None, split_ratio: Floats | None
) -> Floats:
    """adj_close/close as stored; without adj_close from the events; 1 without either.

    all:     shape (n_bars,), float64; prices > 0, dividend >= 0 per share, split_ratio > 0, both on the ex-date
    returns: shape (n_bars,); before an event (1/ratio) x (1 - D / (previous close / ratio)), and 1 on the last bar
    """
    if adj_close is not None:
        return adj_close / close
    ratio = np.ones(len(close)) if split_ratio is None else split_ratio
    paid = np.zeros(len(close)) if dividend is None else dividend
    factors = np.ones(len(close))
    known, stop = 1.0, len(close)  # the factor between the event found last and `stop`
    for i in np.flatnonzero((ratio != 1.0) | (paid != 0.0))[::-1].tolist():
        if i == 0:
            continue
        factors[i:stop] = known
        known, stop = known / ratio[i] * (1.0 - paid[i] / (close[i - 1] / ratio[i])), i
    factors[:stop] = known
    return factors


def volume_factors(split_ratio: Floats | None, n_bars: int) -> Floats:
    """What one share of each bar has become: the product of the later split ratios. shape (n_bars,)."""
    factors = np.ones(n_bars)
    if split_ratio is not None:
        factors[:-1] = np.cumprod(split_ratio[:0:-1])[::-1]
    return factors
