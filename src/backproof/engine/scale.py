"""How a run's returns are annualised. Light: neither numba nor TA-Lib."""

from typing import NamedTuple

from backproof.domain.config import BacktestConfig
from backproof.engine.calendar import MINUTES, WEEKS, Calendar
from backproof.errors import InvalidInput


class Scale(NamedTuple):
    """periods: A, per year; risk_free: the rate of one period; by_day: bars within a day, and returns are of days."""

    periods: float
    risk_free: float
    by_day: bool


def scale_of(config: BacktestConfig, calendar: Calendar) -> Scale:
    """The periods asked for, else the calendar's days (also for bars within a day), or 52 weeks."""
    periods = config.periods_per_year or (WEEKS if config.timeframe == "1w" else calendar.days_per_year)
    try:
        risk_free = float((1.0 + config.risk_free_rate) ** (1.0 / periods) - 1.0) if config.risk_free_rate else 0.0
    except OverflowError:
        message = "so few periods per year leave no risk-free rate per bar"
        raise InvalidInput.at("/periods_per_year", "too_small", message) from None
    return Scale(periods, risk_free, config.timeframe in MINUTES and config.periods_per_year is None)
