"""The kernel's arrays, in groups; `layout` describes each field. Light: numpy only."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
MaskArray = npt.NDArray[np.uint8]


class Book(NamedTuple):
    """The account, its rules, its ledger, and room to work in."""

    state: FloatArray
    orders: IntArray
    account: FloatArray
    counters: IntArray
    numbers: FloatArray
    choices: IntArray
    keys: IntArray
    values: FloatArray
    plan: IntArray
    scratch: FloatArray


class Market(NamedTuple):
    """Prices [N, T] in the run's price mode: NaN where a symbol has no bar; `marks` has its last close there."""

    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    marks: FloatArray


class Listing(NamedTuple):
    """When symbols trade.

    first: int64 [N], calendar bar of the symbol's first bar
    ended: int64 [N], its last bar when its data end before the run does, else -1
    gaps:  float64 [T], days since the bar before
    """

    first: IntArray
    ended: IntArray
    gaps: FloatArray


class Actions(NamedTuple):
    """Corporate actions by symbol; empty in adjusted mode.

    first:  int64 [N + 1], symbol n's actions are rows first[n] to first[n + 1]
    bars:   int64 [A], calendar bars, increasing per symbol
    values: float64 [A, ACTION_COLUMNS]
    """

    first: IntArray
    bars: IntArray
    values: FloatArray


class Wishes(NamedTuple):
    """What the strategy decided; one of the two forms is empty.

    signals: uint8 [N, T]; levels: float64 [N, T] prices of limit and stop entries, or [1, 1] when there are none
    at: int64 [R] increasing calendar bars; weights: float64 [R, N]
    """

    signals: MaskArray
    levels: FloatArray
    at: IntArray
    weights: FloatArray
