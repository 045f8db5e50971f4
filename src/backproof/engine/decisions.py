"""Decisions: what a strategy wants at the close of each bar, in the two forms the kernel reads."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from backproof.engine.bars import RunBars
from backproof.engine.layout import ENTER_LONG, ENTER_SHORT, EXIT_LONG, EXIT_SHORT, ROUNDING
from backproof.errors import StrategyError

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
SignalMask = npt.NDArray[np.uint8]

_UP = np.uint8(ENTER_LONG | EXIT_SHORT)
_DOWN = np.uint8(ENTER_SHORT | EXIT_LONG)


@dataclass(frozen=True, eq=False)
class Signals:
    """mask: uint8 [N, T], bits of `layout`, 0 = no signal; bit set at the bar of the decision, never shifted."""

    mask: SignalMask


@dataclass(frozen=True, eq=False)
class Weights:
    """Target weights on the bars where there are any.

    at:     int64 [R], calendar bars, increasing
    values: float64 [R, N], signed fractions of equity; NaN leaves the symbol as it is
    """

    at: npt.NDArray[np.int64]
    values: FloatArray

    @classmethod
    def dense(cls, values: FloatArray) -> "Weights":
        """From [T, N] with NaN rows where nothing is decided."""
        at = np.flatnonzero(~np.isnan(values).all(axis=1))
        return cls(at, np.ascontiguousarray(values[at]))


Decisions: TypeAlias = Signals | Weights


def mask(*rules: tuple[BoolArray, int]) -> SignalMask:
    """Signals from conditions: each sets its bits where it is true. A comparison with NaN is false: no signal."""
    condition, bits = rules[0]
    result = condition.view(np.uint8) * np.uint8(bits)
    for condition, bits in rules[1:]:
        result |= condition.view(np.uint8) * np.uint8(bits)
    return result


def levels(fast: FloatArray, slow: FloatArray) -> SignalMask:
    """Up while fast > slow, down while fast <= slow, no signal where one is undefined."""
    above = (fast > slow).view(np.uint8)
    below = (fast <= slow).view(np.uint8)
    above *= _UP
    below *= _DOWN
    above |= below
    return above


def crossings(bars: RunBars, fast: FloatArray, slow: FloatArray) -> SignalMask:
    """Up where fast went from <= slow to > slow over two own bars, both defined on both; down mirrored."""
    result = np.zeros(fast.shape, dtype=np.uint8)
    for n in range(fast.shape[0]):
        own = bars.own(n)
        a, b = fast[n, own], slow[n, own]
        if len(a) < 2:
            continue
        row = np.zeros(len(a), dtype=np.uint8)
        row[1:][(a[:-1] <= b[:-1]) & (a[1:] > b[1:])] = _UP
        row[1:][(a[:-1] >= b[:-1]) & (a[1:] < b[1:])] = _DOWN
        result[n, own] = row
    return result


def checked(decisions: Decisions, bars: RunBars, direction: str, name: str) -> Decisions:
    """The decisions in the kernel's form, or a StrategyError that says what is wrong with them."""
    shape = (len(bars.symbols), bars.stop)
    if isinstance(decisions, Signals):
        signals = decisions.mask
        if not isinstance(signals, np.ndarray) or signals.dtype != np.uint8 or signals.shape != shape:
            raise StrategyError(f"{name}: signals must be uint8 {list(shape)} (symbols, bars)")
        return decisions if signals.flags.c_contiguous else Signals(np.ascontiguousarray(signals))
    if not isinstance(decisions, Weights):
        raise StrategyError(f"{name}: expected Signals or Weights, got {type(decisions).__name__}")
    at, values = np.asarray(decisions.at, dtype=np.int64), np.array(decisions.values, dtype=np.float64, order="C")
    if values.shape != (len(at), shape[0]):
        raise StrategyError(f"{name}: target weights must be {[len(at), shape[0]]} (decisions, symbols)")
    if len(at) and (at[0] < 0 or at[-1] >= bars.stop or (np.diff(at) <= 0).any()):
        raise StrategyError(f"{name}: the bars of target weights must increase and lie inside the run")
    if np.isinf(values).any():
        raise StrategyError(f"{name}: a target weight is infinite")
    values[np.abs(values) < ROUNDING] = 0.0
    against = {"long_only": values < 0.0, "short_only": values > 0.0}.get(direction)
    if against is not None and against.any():
        row, n = np.argwhere(against)[0]
        raise StrategyError(
            f"{name}: weight {values[row, n]:g} of {bars.symbols[n]} on {bars.dates[at[row]]} is against {direction}",
            symbol=bars.symbols[n],
            date=str(bars.dates[at[row]]),
        )
    return Weights(at, values)
