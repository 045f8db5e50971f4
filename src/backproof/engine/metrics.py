"""Headline metrics and benchmark statistics, with empyrical's definitions; undefined is None with a reason.

Values are fractions and plain Python numbers. The passes over the bars are compiled (`statistics`), the formulas are
here.
"""

import math
from typing import TypeAlias

import numpy as np

from backproof.engine import statistics as s
from backproof.engine.arrays import FloatArray

Metrics: TypeAlias = dict[str, float | int | None]

TINY = 1e-12  # a denominator below this is rounding noise: the ratio is undefined
DAYS_PER_YEAR = 365.25


def headline(
    moments: FloatArray, totals: FloatArray, last_equity: float, capital: float, bars: int, days: int, periods: float
) -> Metrics:
    """moments: curve_moments; totals: trade_totals; bars: N, values whose returns count (bars, or days of intraday
    bars); days: calendar days from the first to the last bar; periods: A."""
    m, n = moments.tolist(), totals.tolist()
    growth = last_equity / capital
    root = math.sqrt(periods)
    mean = m[s.MEAN_EXCESS] * root
    annual = _power(growth, periods / (bars - 1)) if bars > 1 else None
    drawdown, closed = m[s.MAX_DRAWDOWN], int(n[s.TOTAL_CLOSED])
    some, more = bars > 1, bars > 2
    years = (bars - 1) / periods
    return _finite(
        {
            "total_return": growth - 1.0 if bars else None,
            "annual_return": annual,
            "cagr": _power(growth, DAYS_PER_YEAR / days) if days else None,
            "volatility": m[s.STD] * root if more else None,
            "sharpe": mean / m[s.STD] if more and m[s.STD] >= TINY else None,
            "sortino": mean / m[s.DOWNSIDE] if some and m[s.DOWNSIDE] >= TINY else None,
            "max_drawdown": drawdown if bars else None,
            "calmar": annual / -drawdown if annual is not None and drawdown <= -TINY else None,
            "exposure": m[s.MEAN_EXPOSURE] if bars else None,
            "time_in_market": m[s.IN_MARKET] if bars else None,
            "turnover": n[s.TOTAL_NOTIONAL] / m[s.MEAN_EQUITY] / years if some and m[s.MEAN_EQUITY] >= TINY else None,
            "trades": closed,
            "win_rate": n[s.TOTAL_WINS] / closed if closed else None,
            "profit_factor": n[s.TOTAL_GAINS] / n[s.TOTAL_LOSSES] if n[s.TOTAL_LOSSES] >= TINY else None,
            "expectancy": n[s.TOTAL_RETURNS] / closed if closed else None,
            "costs_paid": n[s.TOTAL_COSTS],
        }
    )


def headline_columns(
    rows: FloatArray, capital: FloatArray, bars: int, days: int, periods: FloatArray
) -> dict[str, FloatArray]:
    """`headline` of many runs over the same bars, by name; NaN stands for None.

    rows: float64 [K, ROW_SIZE] of `rows`: moments, totals, last equity; capital, periods: one per run
    """
    m, n, last = rows[:, : s.CURVE_SIZE], rows[:, s.CURVE_SIZE :], rows[:, -1]
    growth = last / capital
    root = np.sqrt(periods)
    closed = n[:, s.TOTAL_CLOSED]
    some, more = np.full(len(rows), bars > 1), np.full(len(rows), bars > 2)
    annual = _powers(growth, periods / (bars - 1) if bars > 1 else None)
    drawdown, mean = m[:, s.MAX_DRAWDOWN], m[:, s.MEAN_EXCESS] * root
    mean_equity = m[:, s.MEAN_EQUITY]
    years = (bars - 1) / periods
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        columns = {
            "total_return": growth - 1.0,
            "annual_return": annual,
            "cagr": _powers(growth, np.full(len(rows), DAYS_PER_YEAR / days) if days else None),
            "volatility": np.where(more, m[:, s.STD] * root, np.nan),
            "sharpe": np.where(more & (m[:, s.STD] >= TINY), mean / m[:, s.STD], np.nan),
            "sortino": np.where(some & (m[:, s.DOWNSIDE] >= TINY), mean / m[:, s.DOWNSIDE], np.nan),
            "max_drawdown": drawdown.copy(),
            "calmar": np.where(drawdown <= -TINY, annual / -drawdown, np.nan),
            "exposure": m[:, s.MEAN_EXPOSURE].copy(),
            "time_in_market": m[:, s.IN_MARKET].copy(),
            "turnover": np.where(some & (mean_equity >= TINY), n[:, s.TOTAL_NOTIONAL] / mean_equity / years, np.nan),
            "trades": closed.copy(),
            "win_rate": np.where(closed > 0.0, n[:, s.TOTAL_WINS] / closed, np.nan),
            "profit_factor": np.where(n[:, s.TOTAL_LOSSES] >= TINY, n[:, s.TOTAL_GAINS] / n[:, s.TOTAL_LOSSES], np.nan),
            "expectancy": np.where(closed > 0.0, n[:, s.TOTAL_RETURNS] / closed, np.nan),
            "costs_paid": n[:, s.TOTAL_COSTS].copy(),
        }
    for values in columns.values():
        values[~np.isfinite(values)] = np.nan
    return columns


def _powers(growth: FloatArray, exponents: FloatArray | None) -> FloatArray:
    """growth^exponent - 1 one by one, since numpy's powers differ in the last bit between processors."""
    if exponents is None:
        return np.full(len(growth), np.nan)
    pairs = zip(growth.tolist(), exponents.tolist(), strict=True)
    values = [_power(base, exponent) for base, exponent in pairs]
    return np.array([math.nan if value is None else value for value in values])


def versus(
    values: FloatArray,
    overlap: int,
    last_benchmark: float,
    capital: float,
    bars: int,
    risk_free: float,
    periods: float,
) -> Metrics:
    """values: against_benchmark; overlap: bars on which the benchmark has a price; last_benchmark: the end of its
    curve; bars: N, values whose returns count; risk_free: per period."""
    v = values.tolist()
    some, more = bars > 1, bars > 2
    beta = v[s.VERSUS_BETA_TOP] / v[s.VERSUS_VARIANCE] if some and v[s.VERSUS_VARIANCE] >= TINY else None
    alpha = None
    if beta is not None:
        mean = v[s.VERSUS_RETURN] - risk_free - beta * (v[s.VERSUS_BENCHMARK] - risk_free)
        alpha = _power(1.0 + mean, periods)
    deviation = v[s.VERSUS_ACTIVE_STD]
    return _finite(
        {
            "alpha": alpha,
            "beta": beta,
            "correlation": v[s.VERSUS_BETA_TOP] / v[s.VERSUS_STD_PRODUCT] if v[s.VERSUS_STD_PRODUCT] >= TINY else None,
            "tracking_error": deviation * math.sqrt(periods) if more else None,
            "information_ratio": (
                v[s.VERSUS_ACTIVE_MEAN] / deviation * math.sqrt(periods) if more and deviation >= TINY else None
            ),
            "benchmark_return": last_benchmark / capital - 1.0 if overlap else None,
            "overlap": overlap,
        }
    )


def _finite(metrics: Metrics) -> Metrics:
    for name, value in metrics.items():
        if value is not None and not math.isfinite(value):
            metrics[name] = None
    return metrics


def _power(growth: float, exponent: float) -> float | None:
    """growth^exponent - 1; None when the account is gone, or the number too large to hold (a few bars, annualised)."""
    if growth <= 0.0:
        return None
    try:
        return float(growth**exponent - 1.0)
    except OverflowError:
        return None


def reasons(metrics: Metrics, versus_benchmark: Metrics | None, bars: int, growth: float) -> dict[str, str]:
    """One sentence for every metric that is None."""
    found = {name: _reason(name, metrics, bars, growth) for name, value in metrics.items() if value is None}
    for name, value in (versus_benchmark or {}).items():
        if value is None:
            found[name] = _benchmark_reason(name, bars)
    return found


_TOO_LARGE = "the value is too large for a number"


def _reason(name: str, metrics: Metrics, bars: int, growth: float) -> str:
    if bars < 2 or (bars < 3 and name in ("volatility", "sharpe")):
        return "the run has too few bars"
    drawdown, volatility = metrics["max_drawdown"], metrics["volatility"]
    if name in ("annual_return", "cagr"):
        if growth <= 0.0:
            return "nothing of the capital is left, so there is no growth rate"
        return "the run is too short to annualise its return"
    if name == "sharpe" and volatility is not None and volatility < 1e-9:
        return "the returns do not vary"
    if name == "sortino":
        return "no return is below the risk-free rate"
    if name == "calmar" and drawdown is not None:
        return "there is no annual return" if metrics["annual_return"] is None else "there is no drawdown"
    if name in ("win_rate", "expectancy", "profit_factor") and not metrics["trades"]:
        return "no trade was closed"
    if name == "profit_factor":
        return "no closed trade lost money"
    if name == "turnover":
        return "the mean equity is not above zero"
    return _TOO_LARGE


def _benchmark_reason(name: str, bars: int) -> str:
    if name == "benchmark_return":
        return "the benchmark has no bar in the run"
    if bars < 3:
        return "the run has too few bars"
    if name in ("alpha", "beta"):
        return "the benchmark's returns do not vary"
    if name == "correlation":
        return "the returns of the run or of the benchmark do not vary"
    return "the run and the benchmark have the same returns"
