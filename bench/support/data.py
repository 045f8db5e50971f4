"""Seeded prices that this product and its peers read: the same arrays in every process.

Geometric Brownian motion, rounded to 6 decimals so that a tie of two averages is practically impossible.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

CASH = 100_000.0
FEE = 0.001
FEE_MINUTES = 0.00001  # 22,467 fills at 10 bps would ruin the account of W4
FAST, SLOW = 20, 50
FASTS, SLOWS = range(5, 45), range(50, 175, 5)  # the 1,000 pairs of W2


@dataclass(frozen=True)
class Prices:
    """dates: datetime64 [T]; open, high, low, close: float64 [T, N], account currency"""

    dates: npt.NDArray[np.datetime64]
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray

    @property
    def symbols(self) -> list[str]:
        return [f"S{number:03}" for number in range(self.close.shape[1])]


def ohlc(
    seed: int, bars: int, symbols: int, volatility: float, drift: float, first: tuple[float, float]
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """open, high, low, close, each [bars, symbols]; `first` bounds the price before the first bar."""
    rng = np.random.default_rng(seed)
    shape = (bars, symbols)
    start = rng.uniform(*first, symbols)
    steps = rng.standard_normal(shape) * volatility + (drift - 0.5 * volatility * volatility)
    close = start * np.exp(np.cumsum(steps, axis=0))
    before = np.vstack([start[None, :], close[:-1]])
    open_ = before * np.exp(rng.standard_normal(shape) * volatility * 0.3)
    high = np.maximum(open_, close) * np.exp(np.abs(rng.standard_normal(shape)) * volatility * 0.4)
    low = np.minimum(open_, close) * np.exp(-np.abs(rng.standard_normal(shape)) * volatility * 0.4)
    open_, close = np.round(open_, 6), np.round(close, 6)
    high = np.maximum(np.round(high, 6), np.maximum(open_, close))
    low = np.minimum(np.round(low, 6), np.minimum(open_, close))
    return open_, high, low, close


def weekdays(count: int) -> npt.NDArray[np.datetime64]:
    return np.busday_offset("2010-01-04", np.arange(count), roll="forward").astype("datetime64[D]")


def minutes(count: int) -> npt.NDArray[np.datetime64]:
    return np.datetime64("2020-01-01T00:00", "us") + np.arange(count) * np.timedelta64(60, "s")


@cache
def single() -> Prices:
    """1 symbol, 2,520 days."""
    return Prices(weekdays(2_520), *ohlc(1, 2_520, 1, 0.015, 0.0004, (100, 100)))


@cache
def wide() -> Prices:
    """500 symbols, 2,520 days."""
    return Prices(weekdays(2_520), *ohlc(2, 2_520, 500, 0.018, 0.0003, (20, 200)))


@cache
def portfolio() -> Prices:
    """100 symbols, 2,520 days."""
    return Prices(weekdays(2_520), *ohlc(3, 2_520, 100, 0.018, 0.0003, (20, 200)))


@cache
def long(bars: int = 1_000_000) -> Prices:
    """1 symbol, 1,000,000 minutes."""
    return Prices(minutes(bars), *ohlc(4, bars, 1, 0.0005, 0.0, (100, 100)))
