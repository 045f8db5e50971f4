"""The full metrics, the drawdown table and calendar returns of a finished or stored run.

Numpy only: the web process computes these from stored results, without loading the kernels. Definitions are
empyrical's where it has one; METRIC_NOTES says each in a sentence.
"""

import math
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from backproof.engine.arrays import FloatArray, IntArray
from backproof.engine.calendar import DateArray, last_of_each
from backproof.engine.trade_analysis import (
    DAY,
    TINY,
    TOO_LARGE,
    TRADE_NOTES,
    Found,
    Records,
    ratio,
    stretches,
    trade_statistics,
)

if TYPE_CHECKING:
    from backproof.engine.metrics import Metrics


NO_BARS = "the run has no bar"
FEW_BARS = "the run has too few bars"
NO_DRAWDOWN = "there is no drawdown"

HEADLINE_NOTES = {
    "total_return": "Growth of the initial capital to the last bar, minus one.",
    "annual_return": "Growth rate of one year of periods: growth^(periods per year / periods) - 1.",
    "cagr": "Growth rate of one calendar year: growth^(365.25 / calendar days) - 1.",
    "volatility": "Standard deviation of the period returns (ddof 1), times sqrt(periods per year).",
    "sharpe": "Mean return above the risk-free rate over the standard deviation, times sqrt(periods per year).",
    "sortino": "Mean return above the risk-free rate over the downside deviation, times sqrt(periods per year).",
    "max_drawdown": "Deepest fall from the running peak, which starts at the initial capital; a negative fraction.",
    "calmar": "Annual return over the absolute max drawdown.",
    "exposure": "Mean over all bars of gross position value over equity.",
    "time_in_market": "Share of bars with an open position.",
    "turnover": "Value of all fills, bought and sold, over mean equity, per year.",
    "trades": "Closed round trips, from flat to flat.",
    "win_rate": "Share of closed trades with a profit after costs.",
    "profit_factor": "Sum of the profits of winning trades over the sum of the losses of losing ones.",
    "expectancy": "Mean return of closed trades, each on the notional of its openings.",
    "costs_paid": "Commissions of all fills, in account currency.",
    "alpha": "Mean return beyond beta times the benchmark's, both above the risk-free rate, compounded to a year.",
    "beta": "Covariance of the returns with the benchmark's over the variance of the benchmark's.",
    "correlation": "Correlation of the returns with the benchmark's.",
    "tracking_error": "Standard deviation of the difference to the benchmark's returns (ddof 1), annualised.",
    "information_ratio": "Mean of the difference to the benchmark's returns over its standard deviation, annualised.",
    "benchmark_return": "Total return of the benchmark over the run, without costs.",
    "overlap": "Bars of the run on which the benchmark has a bar.",
}
RETURN_NOTES = {
    "omega": "Sum of the returns above the risk-free rate over the sum of the shortfalls below it.",
    "tail_ratio": "Absolute 95th percentile of the returns over the absolute 5th.",
    "var_95": "Historical value at risk: the 5th percentile of the period returns.",
    "cvar_95": "Mean of the period returns at or below the value at risk.",
    "best_period": "Highest return of one period.",
    "worst_period": "Lowest return of one period.",
    "positive_periods": "Share of periods with a return above zero.",
}
SHAPE_NOTES = {
    "skew": "Population skewness of the period returns; negative when the losing tail is the longer one.",
    "kurtosis": "Population excess kurtosis of the period returns; 0 for a normal distribution.",
    "psr": "Probabilistic Sharpe ratio: probability that the true Sharpe ratio is above 0, given length, skew and "
    "kurtosis of the returns (Bailey and Lopez de Prado 2012).",
    "stability": "R squared of a straight line through the logarithm of the cumulated returns.",
}
DRAWDOWN_NOTES = {
    "max_drawdown_duration_days": "Longest time from a peak until equity is back at it, or to the end, in whole days.",
    "average_drawdown": "Mean of the deepest points of all drawdowns; a negative fraction.",
    "ulcer_index": "Root mean square of the fall from the running peak over all bars, as a fraction.",
    "recovery_factor": "Total return over the absolute max drawdown.",
}
LEVERAGE_NOTES = {
    "max_leverage": "Highest gross position value over equity at a close.",
    "mean_leverage": "Mean of gross position value over equity, over the bars with an open position.",
}
# One sentence for every metric there is. A period is a bar, or a day where an intraday run is resampled to days.
METRIC_NOTES: dict[str, str] = (
    HEADLINE_NOTES | RETURN_NOTES | SHAPE_NOTES | DRAWDOWN_NOTES | LEVERAGE_NOTES | TRADE_NOTES
)


def full_metrics(
    *,
    returns: FloatArray,
    equity: FloatArray,
    capital: float,
    gross: FloatArray,
    dates: DateArray,
    risk_free: float,
    trades: Records,
) -> "tuple[Metrics, dict[str, str]]":
    """Return the metrics beyond the headline, and for each that is None one sentence why.

    returns  : shape (n_periods,), simple returns of one period, fraction; the period after equity <= 0 has 0
    equity   : shape (n_bars,), account currency at each close, no NaN; n_periods + 1 where a period is a bar
    capital  : account currency, > 0, where the first peak is
    gross    : shape (n_bars,), sum of the absolute values of all positions, account currency
    dates    : shape (n_bars,), datetime64, ascending
    risk_free: rate of one period
    trades   : shape (n_trades,), records as `Result.trades`; open ones are left out; mae and mfe NaN = unknown
    returned : finite Python floats and ints, or None
    """
    with np.errstate(all="ignore"):
        found = {
            **_returns(returns, risk_free),
            **_shape(returns, risk_free),
            "stability": _stability(returns),
            **_drawdowns(equity, dates, capital),
            **_leverage(equity, gross),
            **trade_statistics(trades),
        }
    metrics: Metrics = {}
    reasons: dict[str, str] = {}
    for name, value in found.items():
        if isinstance(value, str) or not math.isfinite(value):
            metrics[name] = None
            reasons[name] = value if isinstance(value, str) else TOO_LARGE
        else:
            metrics[name] = float(value) if isinstance(value, float) else int(value)
    return metrics, reasons


def drawdown_table(equity: FloatArray, dates: DateArray, capital: float, top: int = 10) -> Records:
    """Return the `top` deepest drawdowns, deepest first, equally deep ones by date; no two share a bar under water.

    equity  : shape (n_bars,), account currency, no NaN; the first peak is `capital`, > 0
    dates   : shape (n_bars,), datetime64, ascending
    returned: peak_date (last bar at the peak; the first bar where the peak is the capital), trough_date,
              recovery_date (first bar back at the peak; NaT while there is none), depth (fraction < 0), and from the
              peak to the recovery or the end: bars, days (whole); recovery_days (whole days from trough to recovery,
              -1 while there is none). A fall of less than 1e-12 is rounding, not a drawdown.
    """
    fall, starts, stops, depths = _underwater(equity, capital)
    deepest = np.argsort(depths, kind="stable")[:top]
    starts, stops = starts[deepest], stops[deepest]
    table = np.empty(
        len(deepest),
        dtype=[
            ("peak_date", dates.dtype),
            ("trough_date", dates.dtype),
            ("recovery_date", dates.dtype),
            ("depth", np.float64),
            ("bars", np.int64),
            ("days", np.int64),
            ("recovery_days", np.int64),
        ],
    )
    if not len(table):
        return table
    troughs = np.array([start + np.argmin(fall[start:stop]) for start, stop in zip(starts, stops, strict=True)])
    peaks, ends = _from_peak_to_end(starts, stops, len(equity))
    recovered = stops < len(equity)
    table["peak_date"] = dates[peaks]
    table["trough_date"] = dates[troughs]
    table["recovery_date"] = np.where(recovered, dates[ends], np.datetime64("NaT"))
    table["depth"] = depths[deepest]
    table["bars"] = ends - peaks
    table["days"] = (dates[ends] - dates[peaks]) // DAY
    table["recovery_days"] = np.where(recovered, (dates[ends] - dates[troughs]) // DAY, -1)
    return table


def monthly_returns(equity: FloatArray, dates: DateArray, capital: float) -> Records:
    """Return year, month (1-12) and return of every calendar month that has a bar; together they make the total return.

    equity  : shape (n_bars,), account currency, no NaN; the first month starts from `capital`, > 0
    dates   : shape (n_bars,), datetime64, ascending, of the calendar that the months are to be in (the exchange's)
    returned: return is a fraction, 0 in months that start with equity <= 0
    """
    months, values = _calendar_returns(equity, dates.astype("datetime64[M]"), capital)
    table = np.empty(len(months), dtype=[("year", np.int64), ("month", np.int64), ("return", np.float64)])
    since_1970 = months.astype(np.int64)
    table["year"], table["month"], table["return"] = since_1970 // 12 + 1970, since_1970 % 12 + 1, values
    return table


def yearly_returns(equity: FloatArray, dates: DateArray, capital: float) -> Records:
    """Return year and return of every calendar year that has a bar; all else as `monthly_returns`."""
    years, values = _calendar_returns(equity, dates.astype("datetime64[Y]"), capital)
    table = np.empty(len(years), dtype=[("year", np.int64), ("return", np.float64)])
    table["year"], table["return"] = years.astype(np.int64) + 1970, values
    return table


def simple_returns(values: FloatArray) -> FloatArray:
    """Returns from value to value, 0 after a value <= 0, where the run is over.

    values : shape (n,), account currency
    returns: shape (max(n - 1, 0),), fraction
    """
    returns = np.zeros(max(len(values) - 1, 0))
    over = np.flatnonzero(values <= 0.0)
    stop = min(int(over[0]) if len(over) else len(values), len(returns))
    returns[:stop] = values[1 : stop + 1] / values[:stop] - 1.0
    return returns


def probabilistic_sharpe(sharpe: float, skew: float, kurtosis: float, count: int) -> float | str:
    """Return the probability that the true Sharpe ratio is above 0, or why there is none.

    sharpe: of one period, seen in `count` returns; kurtosis: 3 for a normal distribution
    """
    variance = 1.0 - skew * sharpe + (kurtosis - 1.0) / 4.0 * sharpe * sharpe
    error = math.sqrt(max(variance, 0.0))
    score = ratio(sharpe * math.sqrt(count - 1), error, "the Sharpe ratio has no standard error")
    return score if isinstance(score, str) else NormalDist().cdf(score)


def _returns(returns: FloatArray, risk_free: float) -> Found:
    if not len(returns):
        return dict.fromkeys(RETURN_NOTES, FEW_BARS)
    low, high = np.percentile(returns, [5.0, 95.0]).tolist()
    tail = returns[returns <= low]
    excess = returns - risk_free
    above, below = np.sum(excess[excess > 0.0]), -np.sum(excess[excess < 0.0])
    return {
        "omega": ratio(above, below, "no return is below the risk-free rate"),
        "tail_ratio": ratio(abs(high), abs(low), "the 5th percentile of the returns is zero"),
        "var_95": low,
        "cvar_95": tail.mean() if len(tail) else TOO_LARGE,
        "best_period": returns.max(),
        "worst_period": returns.min(),
        "positive_periods": np.count_nonzero(returns > 0.0) / len(returns),
    }


def _shape(returns: FloatArray, risk_free: float) -> Found:
    """skew, kurtosis, psr. Standardised before the powers, so that small returns are not taken for no returns."""
    names, n = ("skew", "kurtosis", "psr"), len(returns)
    if n < 2:
        return dict.fromkeys(names, FEW_BARS)
    mean = float(returns.mean())
    away = returns - mean
    deviation = math.sqrt(np.mean(away * away))
    if not math.isfinite(deviation):
        return dict.fromkeys(names, TOO_LARGE)
    if deviation < TINY:
        return dict.fromkeys(names, "the returns do not vary")
    away /= deviation
    squares = away * away
    skew, kurtosis = float(np.mean(squares * away)), float(np.mean(squares * squares))
    sharpe = (mean - risk_free) / (deviation * math.sqrt(n / (n - 1)))
    psr = probabilistic_sharpe(sharpe, skew, kurtosis, n)
    return {"skew": skew, "kurtosis": kurtosis - 3.0, "psr": psr}


def _stability(returns: FloatArray) -> float | str:
    n = len(returns)
    if n < 2:
        return FEW_BARS
    if returns.min() <= -1.0:
        return "nothing of the capital is left, so there is no growth rate"
    growth = np.cumsum(np.log1p(returns))
    growth -= growth.mean()
    spread = float(np.mean(growth * growth))
    if math.sqrt(spread) < TINY:
        return "the cumulated returns do not vary"
    place = np.arange(n) - (n - 1) / 2.0
    slope = float(np.mean(place * growth))
    return min(slope * slope / (spread * ((n * n - 1) / 12.0)), 1.0)


def _drawdowns(equity: FloatArray, dates: DateArray, capital: float) -> Found:
    if not len(equity):
        return dict.fromkeys(DRAWDOWN_NOTES, NO_BARS)
    fall, starts, stops, depths = _underwater(equity, capital)
    peaks, ends = _from_peak_to_end(starts, stops, len(equity))
    days = (dates[ends] - dates[peaks]) // DAY
    return {
        "max_drawdown_duration_days": days.max(initial=0),
        "average_drawdown": depths.mean() if len(depths) else NO_DRAWDOWN,
        "ulcer_index": math.sqrt(np.mean(fall * fall)),
        "recovery_factor": ratio(equity[-1] / capital - 1.0, -fall.min(), NO_DRAWDOWN),
    }


def _leverage(equity: FloatArray, gross: FloatArray) -> Found:
    if not len(equity):
        return dict.fromkeys(LEVERAGE_NOTES, NO_BARS)
    held = (gross > 0.0) & (equity >= TINY)
    leverage = gross[held] / equity[held]
    return {
        "max_leverage": leverage.max(initial=0.0),
        "mean_leverage": leverage.mean() if len(leverage) else "there was no position",
    }


def _underwater(equity: FloatArray, capital: float) -> tuple[FloatArray, IntArray, IntArray, FloatArray]:
    """The fall from the running peak at each bar, and of each drawdown: first bar, first bar after it, depth."""
    fall = equity / np.maximum.accumulate(np.maximum(equity, capital)) - 1.0
    starts, stops = stretches(fall <= -TINY)
    # up to the next start is more than the drawdown, by bars that lie at a peak
    return fall, starts, stops, np.minimum.reduceat(fall, starts)


def _from_peak_to_end(starts: IntArray, stops: IntArray, bars: int) -> tuple[IntArray, IntArray]:
    """The bar before each drawdown, or the first of all; the bar of its recovery, or the last of all."""
    return np.maximum(starts - 1, 0), np.minimum(stops, bars - 1)


def _calendar_returns(equity: FloatArray, labels: DateArray, capital: float) -> tuple[DateArray, FloatArray]:
    places = last_of_each(labels)
    ends = equity[places]
    before = np.concatenate([[capital], ends])[:-1]
    return labels[places], np.divide(ends, before, out=np.ones_like(ends), where=before > 0.0) - 1.0
