"""`backproof import`: prices into the lake of the data directory, beside a running server or without one."""

import asyncio
import json
import os
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backproof.errors import InvalidInput
from backproof.local.directory import DataDirectory

if TYPE_CHECKING:
    from backproof.settings import Settings


def import_file(settings: "Settings", path: Path, dataset: str, timeframe: str, as_json: bool) -> None:
    if not path.is_file():
        raise InvalidInput.at("", "no_such_file", f"{path} is not a file")
    DataDirectory(settings.data_dir).create()
    os.umask(0o077)
    report = asyncio.run(_import(settings, path, dataset, timeframe))
    if as_json:
        print(json.dumps(report, ensure_ascii=False, indent=2, default=str))
        return
    symbols = report.get("symbols") or report.get("series") or []
    bars = report.get("bars")
    print(
        f"imported {path.name} as {dataset}: {len(symbols)} symbols, {bars:,} bars" if bars else f"imported {dataset}"
    )
    for line in symbols[:10]:
        if isinstance(line, dict):
            span = f"{line.get('first', '')} to {line.get('last', '')}"
            print(f"  {line.get('symbol', ''):<12} {span}  {line.get('bars', 0):>8,} bars")
    print(f"use it with `data_source: {dataset}`")


async def _import(settings: "Settings", path: Path, dataset: str, timeframe: str) -> dict[str, Any]:
    from backproof.marketdata.demo import demo_lake
    from backproof.services.datasets import DatasetService
    from backproof.storage.lake import Lake

    datasets = DatasetService(Lake(settings.lake_path, demo_lake()), settings.default_data_source)
    report: Any = await datasets.import_file(path, dataset, timeframe)
    return (
        asdict(report)
        if is_dataclass(report) and not isinstance(report, type)
        else dict(report.model_dump(mode="json"))
    )
