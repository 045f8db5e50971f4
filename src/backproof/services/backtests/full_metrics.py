"""The full metrics and the drawdown table of a stored run: the engine's analysis over the result file.

Numpy only, so that the web process computes them without the kernels.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from backproof.domain.config import BacktestConfig
from backproof.engine import analysis
from backproof.engine.calendar import MINUTES, find_calendar, local_days
from backproof.services.backtests.models import FullMetrics

if TYPE_CHECKING:
    import pyarrow as pa

Array = np.ndarray[Any, Any]

EQUITY_COLUMNS = ("date", "equity", "gross")
# what trade statistics read, with the type of a column that an older file does not have
TRADE_COLUMNS = {
    "side": "U5",
    "entry_date": None,
    "exit_date": None,
    "profit": "f8",
    "return": "f8",
    "mae": "f8",
    "mfe": "f8",
    "bars": "i8",
    "reason": "U16",
}


def full_metrics(
    config: BacktestConfig, periods: float, calendar: str, curve: "pa.Table", trades: "pa.Table"
) -> FullMetrics:
    """The same numbers as `Result.full_metrics` and `Result.drawdowns`.

    periods:  periods per year, as the run had them
    calendar: of the bars; its days are the periods of an intraday run
    curve:    columns EQUITY_COLUMNS; trades: as stored
    """
    dates, equity, gross = (curve[name].to_numpy() for name in EQUITY_COLUMNS)
    values = equity
    if config.timeframe in MINUTES and config.periods_per_year is None:
        values = analysis.last_of_day(equity, local_days(dates, find_calendar(calendar).zone))
    metrics, reasons = analysis.full_metrics(
        returns=_returns(values),
        equity=equity,
        capital=config.initial_capital,
        gross=gross,
        dates=dates,
        risk_free=(1.0 + config.risk_free_rate) ** (1.0 / periods) - 1.0 if config.risk_free_rate else 0.0,
        periods=periods,
        trades=_records(trades, dates.dtype),
    )
    falls = analysis.drawdown_table(equity, dates, config.initial_capital)
    rows = [dict(zip(falls.dtype.names or (), row, strict=True)) for row in falls.tolist()]
    for row in rows:
        if row["recovery_date"] is None:
            row["recovery_days"] = None
    return FullMetrics(metrics, reasons, rows)


def _returns(values: Array) -> Array:
    """Of one period each; 0 after a value <= 0, where the run is over: shape (n_values - 1,)."""
    returns = np.zeros(max(len(values) - 1, 0))
    over = np.flatnonzero(values <= 0.0)
    stop = min(int(over[0]) if len(over) else len(values), len(returns))
    returns[:stop] = values[1 : stop + 1] / values[:stop] - 1.0
    return returns


def _records(trades: "pa.Table", dated: np.dtype[Any]) -> Array:
    """Stored trades as the engine has them."""
    kinds = {name: np.dtype(kind) if kind else dated for name, kind in TRADE_COLUMNS.items()}
    records = np.empty(trades.num_rows, dtype=[*kinds.items()])
    for name, kind in kinds.items():
        if name not in trades.column_names:
            records[name] = np.nan
        else:
            records[name] = trades[name].to_numpy(zero_copy_only=False).astype(kind)
    return records
