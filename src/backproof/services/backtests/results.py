"""ResultService: what a finished run computed, read from its result file in pieces."""

import asyncio
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from backproof.domain.backtest import Backtest, ResultFile
from backproof.errors import Conflict
from backproof.services.backtests.models import Page
from backproof.storage.lake import Lake

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class EquityCurve:
    """Columns of equal length; `benchmark` starts at the initial capital, None where it has no value.

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
        rows = [_plain(row) for row in table.slice(offset, limit).to_pylist()]
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

    dates = table["date"].to_numpy()[picked]
    whole_days = bool((dates == dates.astype("datetime64[D]")).all())
    return [str(text) for text in np.datetime_as_string(dates, unit="D" if whole_days else "s")]


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in row.items()}
