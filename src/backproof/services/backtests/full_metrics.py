"""The full metrics and the drawdown table of a stored run: the engine's analysis over the result file.

Numpy only, so that the web process computes them without the kernels.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from backproof.domain.config import BacktestConfig
from backproof.engine import analysis
from backproof.engine.calendar import find_calendar, last_of_each, local_days
from backproof.engine.scale import scale_of
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


def full_metrics(config: BacktestConfig, calendar: str, curve: "pa.Table", trades: "pa.Table") -> FullMetrics:
    """The same numbers as `Result.full_metrics` and `Result.drawdowns`.

    calendar: of the bars; its days are the periods of an intraday run
    curve:    columns EQUITY_COLUMNS; trades: as stored
    """
    dates, equity, gross = (curve[name].to_numpy() for name in EQUITY_COLUMNS)
    market = find_calendar(calendar)
    scale = scale_of(config, market)
    values = equity[last_of_each(local_days(dates, market.zone))] if scale.by_day else equity
    metrics, reasons = analysis.full_metrics(
        returns=analysis.simple_returns(values),
        equity=equity,
        capital=config.initial_capital,
        gross=gross,
        dates=dates,
        risk_free=scale.risk_free,
        trades=_records(trades, dates.dtype),
    )
    falls = analysis.drawdown_table(equity, dates, config.initial_capital)
    rows = [dict(zip(falls.dtype.names or (), row, strict=True)) for row in falls.tolist()]
    for row in rows:
        if row["recovery_date"] is None:
            row["recovery_days"] = None
    return FullMetrics(metrics, reasons, rows)


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
