"""What every metric means: the engine's own sentences, with group and unit, for forms, tables and help."""

from dataclasses import dataclass
from functools import cache
from typing import Literal

Unit = Literal["fraction", "ratio", "money", "count", "days", "bars"]
Group = Literal[
    "performance",
    "trading",
    "benchmark",
    "returns",
    "distribution",
    "drawdown",
    "leverage",
    "trades",
    "holding",
    "sides",
]

# In the order of a table. fraction: 0.05 is 5 %; money: of the account's currency.
METRICS: dict[Group, dict[str, Unit]] = {
    "performance": {
        "total_return": "fraction",
        "annual_return": "fraction",
        "cagr": "fraction",
        "volatility": "fraction",
        "sharpe": "ratio",
        "sortino": "ratio",
        "max_drawdown": "fraction",
        "calmar": "ratio",
    },
    "trading": {
        "exposure": "fraction",
        "time_in_market": "fraction",
        "turnover": "ratio",
        "trades": "count",
        "win_rate": "fraction",
        "profit_factor": "ratio",
        "expectancy": "fraction",
        "costs_paid": "money",
    },
    "benchmark": {
        "alpha": "fraction",
        "beta": "ratio",
        "correlation": "ratio",
        "tracking_error": "fraction",
        "information_ratio": "ratio",
        "benchmark_return": "fraction",
        "overlap": "bars",
    },
    "returns": {
        "best_period": "fraction",
        "worst_period": "fraction",
        "positive_periods": "fraction",
        "var_95": "fraction",
        "cvar_95": "fraction",
        "omega": "ratio",
        "tail_ratio": "ratio",
    },
    "distribution": {"skew": "ratio", "kurtosis": "ratio", "psr": "fraction", "stability": "ratio"},
    "drawdown": {
        "average_drawdown": "fraction",
        "max_drawdown_duration_days": "days",
        "ulcer_index": "fraction",
        "recovery_factor": "ratio",
    },
    "leverage": {"max_leverage": "ratio", "mean_leverage": "ratio"},
    "trades": {
        "payoff": "ratio",
        "average_win": "money",
        "average_loss": "money",
        "largest_win": "money",
        "largest_loss": "money",
        "sqn": "ratio",
        "max_consecutive_wins": "count",
        "max_consecutive_losses": "count",
    },
    "holding": {
        "holding_days_mean": "days",
        "holding_days_median": "days",
        "bars_held_mean": "bars",
        "mae_mean": "fraction",
        "mae_worst": "fraction",
        "mfe_mean": "fraction",
    },
    "sides": {
        "long_trades": "count",
        "short_trades": "count",
        "win_rate_long": "fraction",
        "win_rate_short": "fraction",
    },
}


@dataclass(frozen=True, slots=True)
class MetricDefinition:
    """One metric. headline: stored with every run; the others are computed when asked for."""

    name: str
    group: Group
    unit: Unit
    headline: bool
    description: str


@cache
def definitions() -> list[MetricDefinition]:
    """Every metric, in the order of a table."""
    from backproof.engine.analysis import HEADLINE_NOTES, METRIC_NOTES

    return [
        MetricDefinition(name, group, unit, name in HEADLINE_NOTES, METRIC_NOTES[name])
        for group, units in METRICS.items()
        for name, unit in units.items()
    ]
