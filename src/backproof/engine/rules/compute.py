"""How the functions of the language are computed: TA-Lib over one symbol's own values, all of them defined.

Only functions made of + - * / and square roots are here, so that the bits repeat on every machine.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from backproof.engine.arrays import FloatArray
from backproof.engine.ta import MEAN, ta

Line = Callable[..., FloatArray]


def _extreme(extreme: Line) -> Line:
    """TA-Lib knows no extreme of one value."""
    return lambda x, n: x if n == 1 else extreme(x, n)


def _stochastic(which: int) -> Line:
    return lambda high, low, close, n, smooth, d=1: ta.STOCH(high, low, close, n, smooth, MEAN, d, MEAN)[which]


LINES: dict[str, Line] = {
    "sma": ta.SMA,
    "ema": ta.EMA,
    "wma": ta.WMA,
    "dema": ta.DEMA,
    "tema": ta.TEMA,
    "trima": ta.TRIMA,
    "kama": ta.KAMA,
    "sum": _extreme(ta.SUM),
    "rsi": ta.RSI,
    "stoch_k": _stochastic(0),
    "stoch_d": _stochastic(1),
    "willr": ta.WILLR,
    "cci": ta.CCI,
    "stddev": ta.STDDEV,
    "true_range": ta.TRANGE,
    "atr": ta.ATR,
    "natr": ta.NATR,
    "adx": ta.ADX,
    "plus_di": ta.PLUS_DI,
    "minus_di": ta.MINUS_DI,
    "linreg": ta.LINEARREG,
    "linreg_slope": ta.LINEARREG_SLOPE,
    "sar": ta.SAR,
    "obv": ta.OBV,
    "mfi": ta.MFI,
    "highest": _extreme(ta.MAX),
    "lowest": _extreme(ta.MIN),
}

FAMILIES: dict[str, tuple[Callable[..., Any], int]] = {
    "macd": (ta.MACD, 3),
    "bands": (lambda x, n, width: ta.BBANDS(x, n, width, width), 3),
    "aroon": (ta.AROON, 2),
}
"""What gives several lines at once, and how many."""

MEMBERS = {
    "macd": ("macd", 0),
    "macd_signal": ("macd", 1),
    "macd_hist": ("macd", 2),
    "bb_upper": ("bands", 0),
    "bb_lower": ("bands", 2),
    "aroon_down": ("aroon", 0),
    "aroon_up": ("aroon", 1),
}
"""Functions that are one line of a family."""

COMPUTED = LINES.keys() | MEMBERS.keys()

_AT_ONCE = 4_096  # bars ranked at a time


def ranks(values: FloatArray, symbols: tuple[str, ...]) -> FloatArray:
    """Place of each symbol among those with a value, 1 the greatest, ties by symbol: [N, T], NaN where none."""
    order = np.argsort(np.array(symbols))  # rows in the order of the alphabet: the first of equals comes first
    count, bars = values.shape
    places = np.arange(1.0, count + 1.0)
    result = np.empty(values.shape)
    for start in range(0, bars, _AT_ONCE):
        some = values[order, start : start + _AT_ONCE].T
        unknown = np.isnan(some)
        sorted_ = np.argsort(np.where(unknown, np.inf, -some), axis=1, kind="stable")
        found = np.empty(some.shape)
        np.put_along_axis(found, sorted_, np.broadcast_to(places, some.shape), axis=1)
        found[unknown] = np.nan
        result[order, start : start + _AT_ONCE] = found.T
    return result
