"""Metrics of a run (contract, section Metrics). None stands for an undefined value; all others are plain floats."""
import math

import numpy as np

from .data import Series, configuration


def ratio(top, bottom):
    """top / bottom, None where it is undefined (rounding noise counts as zero)."""
    return None if bottom is None or top is None or abs(bottom) < 1e-12 else float(top / bottom)


def metrics(given, result, bars):
    """Headline numbers of what engine.run returned; with a benchmark in the configuration also those against it."""
    config = configuration(given)
    dates, equity, capital = result["dates"], np.array(result["equity"]), config["initial_capital"]
    annual = config["periods_per_year"] or 252
    risk_free = (1 + config["risk_free_rate"]) ** (1 / annual) - 1
    r = equity[1:] / equity[:-1] - 1                             # N-1 simple returns of N bars
    growth, excess = equity[-1] / capital, r - risk_free
    deviation = excess.std(ddof=1) if len(r) > 1 else None
    downside = math.sqrt(np.mean(np.minimum(excess, 0) ** 2)) if len(r) else None
    path = np.concatenate([[capital], equity])                   # the first peak is the initial capital
    days = (dates[-1] - dates[0]).days
    profits = [t["profit"] for t in result["trips"]]
    gains, losses = sum(p for p in profits if p > 0), -sum(p for p in profits if p < 0)
    out = {
        "total_return": growth - 1,
        "annual_return": growth ** (annual / len(r)) - 1 if len(r) and growth > 0 else None,
        "cagr": growth ** (365.25 / days) - 1 if days and growth > 0 else None,
        "volatility": deviation * math.sqrt(annual) if deviation is not None else None,
        "sharpe": ratio(excess.mean() * math.sqrt(annual) if len(r) else None, deviation),
        "sortino": ratio(excess.mean() * math.sqrt(annual) if len(r) else None, downside),
        "max_drawdown": float((path / np.maximum.accumulate(path) - 1).min()),
        "exposure": float(np.mean(np.array(result["gross"]) / equity)),
        "time_in_market": float(np.mean(np.array(result["gross"]) > 0)),
        "trades": len(profits),
        "win_rate": ratio(sum(p > 0 for p in profits), len(profits)),
        "profit_factor": ratio(gains, losses),
        "expectancy": ratio(sum(t["trade_return"] for t in result["trips"]), len(profits)),
        "costs_paid": sum(f["commission"] for f in result["fills"]),
    }
    out["calmar"] = ratio(out["annual_return"], -out["max_drawdown"])
    if config["benchmark"]:
        out.update(against(Series(bars[config["benchmark"]], False), dates, r, risk_free, annual))
    return out


def against(benchmark, dates, r, risk_free, annual):
    """alpha, beta and the rest against the benchmark's close-to-close adjusted returns on the run's dates."""
    last, b = None, []
    for date in dates:
        close = benchmark.close[benchmark.at[date]] if date in benchmark.at else None
        b.append(close / last - 1 if close is not None and last is not None else 0.0)     # missing = 0
        last = close if close is not None else last
    b = np.array(b[1:])
    beta = ratio(np.mean((r - r.mean()) * (b - b.mean())), np.mean((b - b.mean()) ** 2))
    active, both = r - b, r.std() * b.std()
    alpha = None if beta is None else (1 + np.mean(r - risk_free - beta * (b - risk_free))) ** annual - 1
    return {"alpha": alpha, "beta": beta, "correlation": ratio(np.mean((r - r.mean()) * (b - b.mean())), both),
            "tracking_error": active.std(ddof=1) * math.sqrt(annual), "overlap": sum(d in benchmark.at for d in dates)}
