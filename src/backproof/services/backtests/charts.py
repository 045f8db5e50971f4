"""What the charts of a stored run show beyond its curve: monthly returns, rolling figures, the spread of the returns.

Numpy only, as `full_metrics`: of every bar, though few points leave.
"""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from backproof.domain.config import BacktestConfig
from backproof.engine import analysis, profile
from backproof.engine.calendar import days_spanned, find_calendar, last_of_each, local_days
from backproof.engine.scale import scale_of
from backproof.services.backtests.chart_models import Charts, Distribution, Exposure, Month, Rolling, Year

if TYPE_CHECKING:
    import pyarrow as pa

Array = np.ndarray[Any, Any]

CURVE_COLUMNS = ("date", "equity", "gross", "benchmark")
FILL_COLUMNS = ("date", "shares", "price")


def charts(config: BacktestConfig, calendar: str, curve: "pa.Table", fills: "pa.Table", limit: int) -> Charts:
    """calendar: of the bars; curve, fills: columns CURVE_COLUMNS, FILL_COLUMNS; limit: points of a line, at most."""
    market = find_calendar(calendar)
    scale = scale_of(config, market)
    dates, equity, gross = (curve[name].to_numpy() for name in CURVE_COLUMNS[:3])
    days = _days(dates, market.zone)
    ends = last_of_each(days) if scale.by_day else np.arange(len(equity))
    returns = analysis.simple_returns(equity[ends])
    benchmark = _benchmark(curve)
    others = None if benchmark is None else analysis.simple_returns(benchmark[ends])
    capital = config.initial_capital
    window = profile.window_of(len(returns), scale.periods)
    rolled = None
    if window is not None:
        found = profile.rolling(returns, others, window, scale.risk_free, scale.periods, limit)
        at = (days if scale.by_day else dates)[ends[found.ends + 1]]
        rolled = Rolling(
            window=window,
            dates=iso_dates(at),
            sharpe=_known(found.sharpe),
            volatility=_known(found.volatility),
            beta=None if found.beta is None else _known(found.beta),
        )
    starts, exposed = profile.exposure(equity, gross, limit)
    spread = profile.spread(returns)
    return Charts(
        period="week" if config.timeframe == "1w" else "day" if scale.by_day or config.timeframe == "1d" else "bar",
        periods_per_year=scale.periods,
        months=_months(equity, days, capital, fills, market.zone),
        years=[Year(*row) for row in analysis.yearly_returns(equity, days, capital).tolist()],
        rolling=rolled,
        distribution=None if spread is None else Distribution(**{**spread._asdict(), "counts": spread.counts.tolist()}),
        exposure=Exposure(iso_dates(dates[starts]), exposed.tolist()),
        benchmark=None
        if benchmark is None
        else profile.performance(
            benchmark, benchmark[ends], capital, days_spanned(days), scale.risk_free, scale.periods
        ),
    )


def _months(equity: Array, days: Array, capital: float, fills: "pa.Table", zone: str) -> list[Month]:
    traded_on = _days(fills["date"].to_numpy(), zone)
    notional = np.abs(fills["shares"].to_numpy() * fills["price"].to_numpy())
    _, turnover = profile.monthly_turnover(days, equity, traded_on, notional)
    rows = analysis.monthly_returns(equity, days, capital).tolist()
    return [Month(year, month, made, value) for (year, month, made), value in zip(rows, _known(turnover), strict=True)]


def _benchmark(curve: "pa.Table") -> Array | None:
    if "benchmark" not in curve.column_names:
        return None
    values: Array = curve["benchmark"].to_numpy(zero_copy_only=False).astype(float)
    return values if len(values) and np.isfinite(values).all() else None


def _known(values: Array) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in values.tolist()]


def _days(dates: Array, zone: str) -> Array:
    """The market's day of each bar; those of daily bars have no time that a clock could shift."""
    return dates if _are_days(dates) else local_days(dates, zone)


def _are_days(dates: Array) -> bool:
    return bool(dates.dtype == np.dtype("datetime64[D]"))


def iso_dates(dates: Array) -> list[str]:
    """Days as 2005-12-31, moments as 2005-12-31T15:30:00Z."""
    days = _are_days(dates)
    texts = np.datetime_as_string(dates, unit="D" if days else "s", timezone="naive" if days else "UTC")
    return [str(text) for text in texts]
