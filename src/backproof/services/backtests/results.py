"""ResultService: what a finished run computed, read from its result file in pieces."""

import asyncio
import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from backproof.domain.backtest import Backtest, ResultFile
from backproof.domain.clock import NEW_YORK
from backproof.errors import Conflict, NotFound
from backproof.services.backtests.exports import ExportFormat, ExportTable, encoded
from backproof.services.backtests.models import FullMetrics, Page
from backproof.storage.lake import Lake

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from backproof.services.backtests.chart_models import Charts


@dataclass(frozen=True, slots=True)
class EquityCurve:
    """Columns of equal length; `benchmark` starts at the initial capital, None where it has no value.

    dates:      days, or UTC seconds
    total_bars: bars of the run; with fewer points the curve is down-sampled, keeping each stretch's extremes.
    """

    dates: list[str]
    equity: list[float]
    cash: list[float]
    drawdown: list[float]
    benchmark: list[float | None] | None
    total_bars: int


class ResultService:
    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    async def equity(self, run: Backtest, max_points: int | None = None) -> EquityCurve:
        """The equity curve at no more than `max_points` bars (None: all of them)."""
        return await asyncio.to_thread(self._equity, _file(run), run.config.initial_capital, max_points)

    async def trades(self, run: Backtest, limit: int, offset: int = 0) -> Page[dict[str, Any]]:
        return await asyncio.to_thread(self._rows, _file(run), "trades", limit, offset)

    async def fills(self, run: Backtest, limit: int, offset: int = 0) -> Page[dict[str, Any]]:
        return await asyncio.to_thread(self._rows, _file(run), "fills", limit, offset)

    async def account_events(self, run: Backtest, limit: int, offset: int = 0) -> Page[dict[str, Any]]:
        """Splits, dividends and borrow paid; none in the results of versions that did not know them."""
        try:
            return await asyncio.to_thread(self._rows, _file(run), "events", limit, offset)
        except NotFound:
            return Page([], None, 0)

    async def full_metrics(self, run: Backtest) -> FullMetrics:
        """Computed now, from the stored curve and trades."""
        return await asyncio.to_thread(self._full, run)

    async def charts(self, run: Backtest, max_points: int) -> "Charts":
        """Computed now, from the stored curve and fills; at most `max_points` points of a line."""
        return await asyncio.to_thread(self._charts, run, max_points)

    async def export(self, run: Backtest, table: ExportTable, form: ExportFormat) -> Iterator[bytes]:
        """A whole table as the bytes of a file; what cannot be read is raised here, not by the iterator."""
        return await asyncio.to_thread(self._export, _file(run), table, form)

    def _charts(self, run: Backtest, max_points: int) -> "Charts":
        from backproof.services.backtests.charts import FILL_COLUMNS, charts

        path, manifest = _file(run).path, run.manifest or {}
        curve = self._lake.read_result(path, "equity")
        fills = self._lake.read_result(path, "fills", FILL_COLUMNS)
        return charts(run.config, manifest.get("calendar", NEW_YORK.calendar), curve, fills, max_points)

    def _export(self, file: ResultFile, table: ExportTable, form: ExportFormat) -> Iterator[bytes]:
        return encoded(self._lake.read_result(file.path, "events" if table == "account-events" else table), form)

    def _full(self, run: Backtest) -> FullMetrics:
        from backproof.services.backtests.full_metrics import EQUITY_COLUMNS, TRADE_COLUMNS, full_metrics

        path, manifest = _file(run).path, run.manifest or {}
        curve = self._lake.read_result(path, "equity", EQUITY_COLUMNS)
        trades = self._lake.read_result(path, "trades")
        calendar = manifest.get("calendar", NEW_YORK.calendar)
        known = trades.select([name for name in TRADE_COLUMNS if name in trades.column_names])
        full = full_metrics(run.config, calendar, curve, known)
        return replace(full, drawdowns=[json_plain(row) for row in full.drawdowns])

    def _equity(self, file: ResultFile, capital: float, max_points: int | None) -> EquityCurve:
        import numpy as np

        table = self._lake.read_result(file.path, "equity")
        equity = table["equity"].to_numpy()
        drawdown = equity / np.maximum.accumulate(np.maximum(equity, capital)) - 1.0
        picked = _picked(equity, max_points)
        benchmark = None
        if "benchmark" in table.column_names:
            values = table["benchmark"].to_numpy(zero_copy_only=False).astype(float)[picked]
            if np.isfinite(values).any():
                benchmark = [value if np.isfinite(value) else None for value in values.tolist()]
        return EquityCurve(
            dates=_dates(table, picked),
            equity=equity[picked].tolist(),
            cash=table["cash"].to_numpy()[picked].tolist(),
            drawdown=drawdown[picked].tolist(),
            benchmark=benchmark,
            total_bars=len(equity),
        )

    def _rows(self, file: ResultFile, section: str, limit: int, offset: int) -> Page[dict[str, Any]]:
        table = self._lake.read_result(file.path, section)
        rows = [json_plain(row) for row in table.slice(offset, limit).to_pylist()]
        more = offset + limit < table.num_rows
        return Page(rows, str(offset + limit) if more else None, table.num_rows)


def _file(run: Backtest) -> ResultFile:
    if run.result is None:
        raise Conflict(f"backtest {run.id} is {run.status} and has no result", status=str(run.status))
    return run.result


def _picked(values: "np.ndarray[Any, Any]", max_points: int | None) -> "np.ndarray[Any, Any]":
    """Indices of the first and last bar, and of the lowest and highest of each of equally long stretches between."""
    import numpy as np

    n = len(values)
    if max_points is None or n <= max_points:
        return np.arange(n)
    edges = np.linspace(0, n, max(2, (max_points - 2) // 2 + 1)).astype(np.int64)
    picked = {0, n - 1}
    for first, last in pairwise(edges):
        picked.add(int(first + values[first:last].argmin()))
        picked.add(int(first + values[first:last].argmax()))
    return np.array(sorted(picked), dtype=np.int64)


def _dates(table: "pa.Table", picked: "np.ndarray[Any, Any]") -> list[str]:
    import numpy as np

    dates = table["date"].to_numpy()
    days = dates.dtype == np.dtype("datetime64[D]")
    texts = np.datetime_as_string(dates[picked], unit="D" if days else "s", timezone="naive" if days else "UTC")
    return [str(text) for text in texts]


def json_plain(row: dict[str, Any]) -> dict[str, Any]:
    """Days as 2005-12-31, moments as 2005-12-31T15:30:00Z."""
    return {name: _written(value) for name, value in row.items()}


def _written(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return f"{value:%Y-%m-%dT%H:%M:%SZ}"
    return value.isoformat() if isinstance(value, dt.date) else value
