"""Series and the manifest: which version of which symbol's bars is current, as JSON."""

import datetime as dt
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from backproof.domain.clock import NEW_YORK, MarketClock
from backproof.errors import StorageFailed

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Series:
    """One symbol of a source, as the manifest has it.

    first, last: days of the first and the last bar, on the market's clock
    columns:     price columns that the file holds, in canonical order
    sha256:      of the file's bytes; equal for equal bars
    clock:       of the source
    """

    source: str
    timeframe: str
    symbol: str
    first: dt.date
    last: dt.date
    bars: int
    columns: tuple[str, ...]
    sha256: str
    note: str
    currency: str | None
    file: str
    clock: MarketClock

    @property
    def close_only(self) -> bool:
        return "open" not in self.columns

    def at(self, sha256: str) -> "Series":
        """The same series in an earlier version, whose file is still there: files of bars are never removed."""
        key = self.file.partition("-")[0]
        return self if sha256 == self.sha256 else replace(self, sha256=sha256, file=f"{key}-{sha256[:16]}.parquet")


def parse_manifest(data: bytes, name: str, source: str, timeframe: str) -> dict[str, Series]:
    """Symbol to series. name: of the file, for the message when it is damaged"""
    try:
        manifest = json.loads(data)
        if manifest["format"] != _FORMAT:
            raise StorageFailed(f"{name} was written by a newer backproof")
        clock = MarketClock(manifest["calendar"], manifest["zone"]) if "calendar" in manifest else NEW_YORK
        return {
            symbol: _series(source, timeframe, symbol, entry, clock) for symbol, entry in manifest["series"].items()
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StorageFailed(f"{name} is damaged: {error}") from error


def versions_of(manifest: bytes) -> dict[str, str]:
    """Symbol to the `version` that its entry was given, where it was given one."""
    entries: dict[str, dict[str, str]] = json.loads(manifest)["series"]
    return {symbol: entry["version"] for symbol, entry in entries.items() if "version" in entry}


def manifest_text(series: Mapping[str, Series], clock: MarketClock, versions: Mapping[str, str] | None = None) -> str:
    entries = {}
    for symbol in sorted(series):
        entry = asdict(series[symbol])
        for name in ("source", "timeframe", "symbol", "clock"):
            del entry[name]
        if versions is not None:
            entry["version"] = versions[symbol]
        entries[symbol] = {**entry, "first": str(entry["first"]), "last": str(entry["last"])}
    whole = {"format": _FORMAT, "calendar": clock.calendar, "zone": clock.zone, "series": entries}
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def _series(source: str, timeframe: str, symbol: str, entry: Any, clock: MarketClock) -> Series:
    return Series(
        source=source,
        timeframe=timeframe,
        symbol=symbol,
        first=dt.date.fromisoformat(entry["first"]),
        last=dt.date.fromisoformat(entry["last"]),
        bars=int(entry["bars"]),
        columns=tuple(entry["columns"]),
        sha256=entry["sha256"],
        note=entry["note"],
        currency=entry["currency"],
        file=_file_name(entry["file"]),
        clock=clock,
    )


def _file_name(name: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{16}-[0-9a-f]{16}\.parquet", name):
        raise ValueError(f"{name!r} is no file of a manifest")
    return name
