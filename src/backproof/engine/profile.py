"""How a run's returns spread and changed: for charts. Numpy only, so that a process without kernels can draw them.

A period is a bar, or a day where an intraday run is resampled to days; `periods` is how many a year has.
"""

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from backproof.engine.analysis import simple_returns
from backproof.engine.arrays import FloatArray, IntArray
from backproof.engine.calendar import DateArray
from backproof.engine.trade_analysis import TINY

if TYPE_CHECKING:
    from backproof.engine.metrics import Metrics

DAYS_PER_YEAR = 365.25  # as in `metrics`, which would load the kernels
ROLLING_YEARS = 0.5
FEWEST_IN_WINDOW = 10
_BINS = 60
_TAIL = 0.5  # percent of the moves on each side that no bin need show, where there are many
_MANY = 200
_NICE = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)


class Rolling(NamedTuple):
    """Figures of `window` returns each. ends: index of the last of them; NaN: undefined (the returns do not vary)."""

    window: int
    ends: IntArray
    sharpe: FloatArray
    volatility: FloatArray
    beta: FloatArray | None


class Spread(NamedTuple):
    """A histogram of the returns that are not zero. Bin i holds [low + i width, low + (i + 1) width).

    below, above: how many are outside the bins; flat: how many returns are zero
    mean, deviation: of the returns that are not zero, those outside the bins too
    """

    low: float
    width: float
    counts: IntArray
    below: int
    above: int
    flat: int
    mean: float
    deviation: float


def window_of(count: int, periods: float) -> int | None:
    """Returns in one window: half a year's, fewer in a short run; None where there are too few to look at.

    count: number of returns
    """
    window = min(max(round(periods * ROLLING_YEARS), FEWEST_IN_WINDOW), max(count // 4, FEWEST_IN_WINDOW))
    return window if count >= 2 * window else None


def evenly(count: int, limit: int) -> IntArray:
    """At most `limit` of the indices 0 .. count - 1, evenly apart, the first and the last among them. limit: >= 2."""
    if count <= limit:
        return np.arange(count)
    return np.round(np.linspace(0, count - 1, limit)).astype(np.int64)


def rolling(
    returns: FloatArray, others: FloatArray | None, window: int, risk_free: float, periods: float, limit: int
) -> Rolling:
    """Sharpe ratio, volatility and beta of the last `window` returns, at no more than `limit` places.

    returns  : shape (n,), of one period, fraction, no NaN; n >= window >= 2
    others   : of the benchmark, the same shape; None: no beta
    risk_free: rate of one period
    returned : annualised, with the definitions of the headline metrics
    """
    ends = evenly(len(returns) - window + 1, limit) + window - 1
    sharpe, volatility, beta = (np.full(len(ends), np.nan) for _ in range(3))
    root = math.sqrt(periods)
    for n, end in enumerate(ends.tolist()):
        part = returns[end - window + 1 : end + 1]
        away = part - part.mean()
        deviation = math.sqrt(float(away @ away) / (window - 1))
        volatility[n] = deviation * root
        if deviation >= TINY:
            sharpe[n] = (float(part.mean()) - risk_free) / deviation * root
        if others is not None:
            market = others[end - window + 1 : end + 1]
            market = market - market.mean()
            variance = float(market @ market) / window
            if variance >= TINY:
                beta[n] = float(away @ market) / window / variance
    return Rolling(window, ends, sharpe, volatility, None if others is None else beta)


def spread(returns: FloatArray) -> Spread | None:
    """How the returns that are not zero spread; None where there are none.

    returns: shape (n,), fraction, no NaN
    """
    moves = returns[returns != 0.0]
    if not len(moves):
        return None
    tail = _TAIL if len(moves) >= _MANY else 0.0
    low, high = np.percentile(moves, [tail, 100.0 - tail]).tolist()
    most = max(-low, high)
    width = _nice(2.0 * most / _BINS)
    half = math.floor(most / width) + 1
    # one bin's number per return, so that zero is an edge exactly
    places = np.floor(moves / width).astype(np.int64) + half
    inside = (places >= 0) & (places < 2 * half)
    return Spread(
        low=-half * width,
        width=width,
        counts=np.bincount(places[inside], minlength=2 * half),
        below=int(np.count_nonzero(places < 0)),
        above=int(np.count_nonzero(places >= 2 * half)),
        flat=len(returns) - len(moves),
        mean=float(moves.mean()),
        deviation=float(moves.std(ddof=1)) if len(moves) > 1 else 0.0,
    )


def performance(
    curve: FloatArray, values: FloatArray, capital: float, days: int, risk_free: float, periods: float
) -> "Metrics":
    """The headline metrics of a curve that need no trades, for a benchmark; None where undefined.

    curve  : shape (n_bars,), worth at each close, no NaN; the first peak is `capital`, > 0
    values : shape (n_values,), those whose returns count: `curve`, or the last of every day
    days   : calendar days from the first bar to the last
    """
    if not len(curve):
        return {}
    returns = simple_returns(values)
    growth, count = float(curve[-1]) / capital, len(returns)
    annual = _power(growth, periods / count) if count else None
    fall = float(np.min(curve / np.maximum.accumulate(np.maximum(curve, capital)))) - 1.0
    excess = float(returns.mean()) - risk_free if count else 0.0
    deviation = float(returns.std(ddof=1)) if count > 1 else 0.0
    short = np.minimum(returns - risk_free, 0.0)
    downside = math.sqrt(float(short @ short) / count) if count else 0.0
    root = math.sqrt(periods)
    return {
        "total_return": growth - 1.0,
        "annual_return": annual,
        "cagr": _power(growth, DAYS_PER_YEAR / days) if days else None,
        "volatility": deviation * root if count > 1 else None,
        "sharpe": excess / deviation * root if count > 1 and deviation >= TINY else None,
        "sortino": excess / downside * root if downside >= TINY else None,
        "max_drawdown": fall,
        "calmar": annual / -fall if annual is not None and fall <= -TINY else None,
    }


def exposure(equity: FloatArray, gross: FloatArray, limit: int) -> tuple[IntArray, FloatArray]:
    """Gross position value over equity: the mean of each of at most `limit` stretches, and where each begins.

    equity, gross: shape (n_bars,), account currency; where equity is not above zero nothing is held
    """
    starts = np.unique(np.linspace(0, len(equity), limit, endpoint=False).astype(np.int64))
    starts = starts[starts < len(equity)]
    if not len(starts):
        return starts, np.empty(0)
    share = np.divide(gross, equity, out=np.zeros(len(equity)), where=equity > 0.0)
    return starts, np.add.reduceat(share, starts) / np.diff(np.append(starts, len(equity)))


def monthly_turnover(
    days: DateArray, equity: FloatArray, traded_on: DateArray, notional: FloatArray
) -> tuple[DateArray, FloatArray]:
    """Every month with a bar, and what was traded in it over the month's mean equity; NaN where that is not above zero.

    days, equity       : shape (n_bars,), days ascending
    traded_on, notional: shape (n_fills,), days and absolute values of the fills
    """
    months, place = np.unique(days.astype("datetime64[M]"), return_inverse=True)
    mean = np.bincount(place, weights=equity) / np.bincount(place)
    at = np.searchsorted(months, traded_on.astype("datetime64[M]"))
    traded = np.bincount(at, weights=notional, minlength=len(months))
    return months, np.divide(traded, mean, out=np.full(len(months), np.nan), where=mean > 0.0)


def _nice(width: float) -> float:
    """The next number upwards that people count in."""
    unit = 10.0 ** math.floor(math.log10(width))
    return next(step * unit for step in _NICE if step * unit >= width * (1.0 - 1e-12))


def _power(growth: float, exponent: float) -> float | None:
    if growth <= 0.0:
        return None
    try:
        return float(growth**exponent - 1.0)
    except OverflowError:
        return None
