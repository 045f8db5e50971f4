"""`backproof import`: prices into the lake of the data directory, beside a running server or without one."""

import asyncio
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from backproof.errors import FieldError, InvalidInput
from backproof.local.directory import DataDirectory
from backproof.marketdata.problems import POINTER

if TYPE_CHECKING:
    from backproof.services.datasets import ImportReport
    from backproof.settings import Settings

SHOWN = 10


def import_file(
    settings: "Settings",
    path: Path,
    dataset: str,
    timeframe: str,
    calendar: str | None,
    local_times: bool,
    as_json: bool,
) -> None:
    if not path.is_file():
        raise InvalidInput.at("", "no_such_file", f"{path} is not a file")
    DataDirectory(settings.data_dir).create()
    os.umask(0o077)
    try:
        report = asyncio.run(_import(settings, path, dataset, timeframe, calendar, local_times))
    except InvalidInput as error:
        raise InvalidInput([_named(one, path) for one in error.errors]) from None
    if as_json:
        print(json.dumps(asdict(report), ensure_ascii=False, indent=2, default=str))
        return
    count = f"{len(report.symbols)} symbol{'s' if len(report.symbols) != 1 else ''}"
    print(f"imported {path.name} as {dataset}: {count}, {report.bars:,} bars ({timeframe}, {report.calendar})")
    for info in report.symbols[:SHOWN]:
        again = "  (replaced)" if info.symbol in report.replaced else ""
        print(f"  {info.symbol:<12} {info.first} to {info.last}  {info.bars:>8,} bars{again}")
    if len(report.symbols) > SHOWN:
        print(f"  and {len(report.symbols) - SHOWN} more")
    if report.times is not None:
        print(f"bars begin between {report.times[0]} and {report.times[1]}, {report.zone} time")
    for warning in report.warnings:
        print(f"note  {warning}")
    more = "" if timeframe == "1d" else f" and `timeframe: {timeframe}`"
    print(f"use it with `data_source: {dataset}`{more}")


def _named(error: FieldError, path: Path) -> FieldError:
    """What is wrong in the file says which file."""
    if error.pointer != POINTER:
        return error
    return FieldError("", error.code, f"{path}: {error.message}")


async def _import(
    settings: "Settings", path: Path, dataset: str, timeframe: str, calendar: str | None, local_times: bool
) -> "ImportReport":
    from backproof.services.datasets import DatasetService
    from backproof.services.lakes import open_lake

    datasets = DatasetService(open_lake(settings), settings.default_data_source)
    return await datasets.import_file(path, dataset, timeframe, calendar, local_times)
