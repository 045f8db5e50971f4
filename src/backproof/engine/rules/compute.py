"""How the functions of the language are computed: TA-Lib over one symbol's own values, all of them defined.

Only functions made of + - * / and square roots are here, so that the bits repeat on every machine.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import talib

from backproof.engine.arrays import FloatArray

Line = Callable[..., FloatArray]

_MEAN = talib.MA_Type.SMA  # type: ignore[attr-defined]


def _extreme(extreme: Line) -> Line:
    """TA-Lib knows no extreme of one value."""
    return lambda x, n: x if n == 1 else extreme(x, n)


def _stochastic(which: int) -> Line:
    return lambda high, low, close, n, smooth, d=1: talib.STOCH(high, low, close, n, smooth, _MEAN, d, _MEAN)[which]


LINES: dict[str, Line] = {
    "sma": talib.SMA,
    "ema": talib.EMA,
    "wma": talib.WMA,
    "dema": talib.DEMA,
    "tema": talib.TEMA,
    "trima": talib.TRIMA,
    "kama": talib.KAMA,
    "sum": _extreme(talib.SUM),
    "rsi": talib.RSI,
    "stoch_k": _stochastic(0),
    "stoch_d": _stochastic(1),
    "willr": talib.WILLR,
    "cci": talib.CCI,
    "stddev": talib.STDDEV,
    "true_range": talib.TRANGE,
    "atr": talib.ATR,
    "natr": talib.NATR,
    "adx": talib.ADX,
    "plus_di": talib.PLUS_DI,
    "minus_di": talib.MINUS_DI,
    "linreg": talib.LINEARREG,
    "linreg_slope": talib.LINEARREG_SLOPE,
    "sar": talib.SAR,
    "obv": talib.OBV,
    "mfi": talib.MFI,
    "highest": _extreme(talib.MAX),
    "lowest": _extreme(talib.MIN),
}

FAMILIES: dict[str, tuple[Callable[..., Any], int]] = {
    "macd": (talib.MACD, 3),
    "bands": (lambda x, n, width: talib.BBANDS(x, n, width, width), 3),
    "aroon": (talib.AROON, 2),
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

# With pandas or polars about, TA-Lib wraps its functions to look for their columns: a third of a short line.
LINES = {name: getattr(line, "__wrapped__", line) for name, line in LINES.items()}

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
