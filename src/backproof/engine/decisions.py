"""Decisions: what a strategy wants at the close of each bar, in the two forms the kernel reads."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from backproof.domain.config import BacktestConfig
from backproof.engine.arrays import FloatArray, MaskArray
from backproof.engine.bars import RunBars
from backproof.engine.layout import LIMIT_ENTRY, ROUNDING, STOP_ENTRY
from backproof.errors import InvalidInput, StrategyError

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Signals:
    """When to be in and when to be out.

    mask:   uint8 [N, T], bits of `layout`, 0 = no signal; set at the bar of the decision, never shifted
    levels: float64 [N, T], adjusted price of each limit or stop entry; None when all entries are market orders
    """

    mask: MaskArray
    levels: FloatArray | None = None


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


def mask(*rules: tuple[BoolArray, int]) -> MaskArray:
    """Signals from conditions: each sets its bits where it is true. A comparison with NaN is false: no signal."""
    condition, bits = rules[0]
    result = condition.view(np.uint8) * np.uint8(bits)
    for condition, bits in rules[1:]:
        result |= condition.view(np.uint8) * np.uint8(bits)
    return result


def checked(decisions: Decisions | None, bars: RunBars, config: BacktestConfig) -> Decisions:
    """The decisions in the kernel's form, or a StrategyError that says what is wrong with them."""
    name, shape = config.strategy_type, (len(bars.symbols), bars.stop)
    if isinstance(decisions, Signals):
        return _checked_signals(decisions, bars, config, shape)
    if not isinstance(decisions, Weights):
        raise StrategyError(f"{name}: expected Signals or Weights, got {type(decisions).__name__}")
    at, values = _array(name, "bars", decisions.at, np.int64), _array(name, "weights", decisions.values, np.float64)
    if at.ndim != 1:
        raise StrategyError(f"{name}: the bars of target weights must be one list of numbers")
    if values.shape != (len(at), shape[0]):
        raise StrategyError(f"{name}: target weights must be {[len(at), shape[0]]} (decisions, symbols)")
    if len(at) and (at[0] < 0 or at[-1] >= bars.stop or (np.diff(at) <= 0).any()):
        raise StrategyError(f"{name}: the bars of target weights must increase and lie inside the run")
    if np.isinf(values).any():
        row, n = np.argwhere(np.isinf(values))[0]
        raise _wrong(name, bars, int(n), int(at[row]), "target weight is infinite")
    values[np.abs(values) < ROUNDING] = 0.0
    direction = config.execution.direction
    against = {"long_only": values < 0.0, "short_only": values > 0.0}.get(direction)
    if against is not None and against.any():
        row, n = np.argwhere(against)[0]
        raise _wrong(name, bars, int(n), int(at[row]), f"weight {values[row, n]:g} is against {direction}")
    return Weights(at, values)


def _checked_signals(signals: Signals, bars: RunBars, config: BacktestConfig, shape: tuple[int, int]) -> Signals:
    name = config.strategy_type
    mask = np.ascontiguousarray(checked_mask(signals.mask, name, shape))
    if signals.levels is None:
        if (mask & (LIMIT_ENTRY | STOP_ENTRY)).any():
            raise StrategyError(f"{name}: limit and stop entries need their prices")
        return Signals(mask)
    waits = (mask & (LIMIT_ENTRY | STOP_ENTRY)) != 0
    if config.execution.fill != "next_open" and waits.any():
        raise InvalidInput.at(
            "/execution/fill",
            "needs_next_open",
            "limit and stop entries work inside the next bar: they need fill next_open",
        )
    both = (mask & LIMIT_ENTRY != 0) & (mask & STOP_ENTRY != 0)
    if both.any():
        n, p = np.argwhere(both)[0]
        raise _wrong(name, bars, int(n), int(p), "an entry is a limit and a stop at once")
    prices = _array(name, "prices of entries", signals.levels, np.float64)
    if prices.shape != shape:
        raise StrategyError(f"{name}: prices of entries must be {list(shape)} (symbols, bars)")
    wrong = waits & ~((prices > 0.0) & np.isfinite(prices))
    if wrong.any():
        n, p = np.argwhere(wrong)[0]
        raise _wrong(name, bars, int(n), int(p), f"an entry waits for the price {prices[n, p]:g}")
    if config.execution.price_mode == "raw" and bars.panel.is_adjusted:
        prices *= bars.panel.raw.close[:, : bars.stop] / bars.close  # strategies speak of adjusted prices
    return Signals(mask, prices)


def checked_mask(mask: object, name: str, shape: tuple[int, int]) -> MaskArray:
    """Signals of the right kind and shape, or a StrategyError."""
    if not isinstance(mask, np.ndarray) or mask.dtype != np.uint8 or mask.shape != shape:
        raise StrategyError(f"{name}: signals must be uint8 {list(shape)} (symbols, bars)")
    return mask


def _array(name: str, what: str, given: object, kind: type[np.generic]) -> npt.NDArray[Any]:
    """A copy in the kernel's type; StrategyError where numbers would change or there are none."""
    try:
        array = np.asarray(given)
        return array.astype(kind, order="C", casting="same_kind" if array.size else "unsafe")
    except (TypeError, ValueError):
        raise StrategyError(f"{name}: {what} must be {kind.__name__} numbers") from None


def _wrong(name: str, bars: RunBars, n: int, p: int, what: str) -> StrategyError:
    symbol, date = bars.symbols[n], str(bars.dates[p])
    return StrategyError(f"{name}: {symbol} on {date}: {what}", symbol=symbol, date=date)
