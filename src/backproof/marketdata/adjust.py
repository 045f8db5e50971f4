"""Factors that turn raw prices into adjusted ones, the same that a run uses."""

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
    step = np.ones(len(close))
    ratio = np.ones(len(close)) if split_ratio is None else split_ratio
    step[1:] = 1.0 / ratio[1:]
    if dividend is not None:
        step[1:] *= 1.0 - dividend[1:] / (close[:-1] / ratio[1:])
    factors = np.ones(len(close))
    factors[:-1] = np.cumprod(step[:0:-1])[::-1]
    return factors


def volume_factors(split_ratio: Floats | None, n_bars: int) -> Floats:
    """What one share of each bar has become: the product of the later split ratios. shape (n_bars,)."""
    factors = np.ones(n_bars)
    if split_ratio is not None:
        factors[:-1] = np.cumprod(split_ratio[:0:-1])[::-1]
    return factors
