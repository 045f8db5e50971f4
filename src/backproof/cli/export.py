"""`--out DIR`: the result as files that spreadsheets and scripts read."""

import csv
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from backproof.cli.api import Api
from backproof.cli.tables import run_id
from backproof.errors import StorageFailed

Plain = dict[str, Any]
# columns of a file without rows
FILL_COLUMNS = ("bar", "date", "symbol", "side", "shares", "price", "commission", "reason", "order", "at")
TRADE_COLUMNS = (
    *("symbol", "side", "entry_date", "exit_date", "entry_price", "exit_price", "shares"),
    *("profit", "return", "costs", "income", "mae", "mfe", "bars", "reason"),
)
EVENT_COLUMNS = ("bar", "date", "symbol", "kind", "value", "shares", "cash")
DRAWDOWN_COLUMNS = ("peak_date", "trough_date", "recovery_date", "depth", "bars", "days", "recovery_days")
# what metrics.json holds
FROM_RUN = ("metrics", "benchmark_metrics", "null_reasons", "notices", "costs", "exit_reasons", "account_events")
COMPUTED = ("full_metrics", "full_null_reasons")


def check_directory(directory: Path) -> None:
    """Make it before the run, so that a run is not wasted on a wrong path."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageFailed(f"cannot write to {directory}: {(error.strerror or str(error)).lower()}") from None
    if not os.access(directory, os.W_OK | os.X_OK):
        raise StorageFailed(f"cannot write to {directory}: permission denied")


def write_result(api: Api, backtest: Plain, directory: Path) -> list[str]:
    """Write everything known about a completed run; the names of the files."""
    path = f"/backtests/{run_id(backtest)}"
    curve = api.get(f"{path}/equity")
    measured = api.get(f"{path}/metrics", full="true")
    metrics = {**{name: backtest.get(name) for name in FROM_RUN}, **{name: measured.get(name) for name in COMPUTED}}
    files: dict[str, tuple[Sequence[Plain], Sequence[str]]] = {
        "fills.csv": (api.all_rows(f"{path}/fills"), FILL_COLUMNS),
        "trades.csv": (api.all_rows(f"{path}/trades"), TRADE_COLUMNS),
        "account_events.csv": (api.all_rows(f"{path}/account-events"), EVENT_COLUMNS),
        "drawdowns.csv": (measured.get("drawdowns") or [], DRAWDOWN_COLUMNS),
    }
    try:
        _csv(directory / "equity.csv", ("date", "equity"), zip(curve["dates"], curve["equity"], strict=True))
        for name, (rows, columns) in files.items():
            _rows(directory / name, rows, columns)
        _json(directory / "metrics.json", metrics)
        _json(directory / "manifest.json", api.get(f"{path}/manifest"))
    except OSError as error:
        raise StorageFailed(f"cannot write to {directory}: {(error.strerror or str(error)).lower()}") from None
    return ["equity.csv", *files, "metrics.json", "manifest.json"]


def _rows(path: Path, rows: Sequence[Plain], columns: Sequence[str]) -> None:
    names = list(rows[0]) if rows else list(columns)
    _csv(path, names, ([row.get(name) for name in names] for row in rows))


def _csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)  # floats are written so that they read back to the same bits


def _json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n", encoding="utf-8")
