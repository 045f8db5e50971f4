"""BarStore: immutable Parquet files of bars, one per symbol and version, and a manifest that says which are current.

`bars/<source>/<timeframe>/manifest.json` is replaced atomically under a file lock; whoever resolved it once keeps
reading the versions it named, because those files never change. File names come from hashes, never from a symbol.
The manifest also names the calendar of its bars: dates asked for are days on that market's clock.
"""

import datetime as dt
import fcntl
import hashlib
import json
import os
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backproof.domain.clock import NEW_YORK, MarketClock
from backproof.errors import Conflict, NotFound, StorageFailed
from backproof.storage.files import durable_write, make_directory, storage_errors, sync_directory

if TYPE_CHECKING:
    import pyarrow as pa

MANIFEST = "manifest.json"
COLUMNS = ("open", "high", "low", "close", "volume", "adj_close", "dividend", "split_ratio")
ROWS_PER_GROUP = 131_072
_FORMAT = 1
_NAME = re.compile(r"[a-z0-9][a-z0-9_\-]{0,49}")
_READ_TOGETHER = 16  # files from which reading with several threads is faster than one after the other


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


class BarStore:
    """One lake's bars. Thread-safe; any number of processes may read while one writes."""

    def __init__(self, root: Path) -> None:
        self._root = root / "bars"
        self._cache: dict[Path, tuple[tuple[int, int, int], dict[str, Series]]] = {}
        self._cache_lock = threading.Lock()

    def sources(self) -> list[str]:
        return sorted({path.parent.parent.name for path in self._root.glob(f"*/*/{MANIFEST}")})

    def timeframes(self, source: str) -> list[str]:
        return sorted(path.parent.name for path in self._directory(source).glob(f"*/{MANIFEST}"))

    def clock(self, source: str) -> MarketClock | None:
        """Of the bars that the source has; None when it has none."""
        for timeframe in self.timeframes(source):
            for series in self.series(source, timeframe).values():
                return series.clock
        return None

    def series(self, source: str, timeframe: str) -> dict[str, Series]:
        """Symbol to series; empty when the source has nothing of this timeframe."""
        path = self._directory(source, timeframe) / MANIFEST
        with storage_errors(f"cannot read the bars of {source}"):
            try:
                status = path.stat()
            except FileNotFoundError:
                return {}
            version = (status.st_mtime_ns, status.st_size, status.st_ino)
            with self._cache_lock:
                cached = self._cache.get(path)
            if cached is not None and cached[0] == version:
                return cached[1]
            series = _parse_manifest(path, source, timeframe)
        with self._cache_lock:
            self._cache[path] = (version, series)
        return series

    def read(
        self,
        series: Sequence[Series],
        start: dt.date | None = None,
        end: dt.date | None = None,
        columns: Sequence[str] | None = None,
    ) -> "pa.Table":
        """Long form: symbol, date or timestamp, and the union of the price columns; symbols in the order given."""
        import pyarrow as pa

        def one(item: Series) -> pa.Table:
            with storage_errors(f"cannot read the {item.timeframe} bars of {item.symbol} from {item.source}"):
                return _read_file(self._directory(item.source, item.timeframe) / item.file, item, start, end, columns)

        if len(series) < _READ_TOGETHER:
            tables = [one(item) for item in series]
        else:
            from concurrent.futures import ThreadPoolExecutor

            with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
                tables = list(pool.map(one, series))
        table = pa.concat_tables(tables, promote_options="default")
        price_columns = [name for name in COLUMNS if name in table.column_names]
        return table.select([*table.column_names[:2], *price_columns])

    def write(
        self,
        source: str,
        timeframe: str,
        tables: Mapping[str, "pa.Table"],
        notes: Mapping[str, str] | None = None,
        currency: str | None = None,
        clock: MarketClock | None = None,
    ) -> list[Series]:
        """Add or replace these symbols; others stay. Readers see all of the new versions at once, or none.

        clock: None for that of the bars already there, else New York's; Conflict when those have another calendar
        """
        directory = self._directory(source, timeframe)
        with storage_errors(f"cannot write the bars of {source}"):
            make_directory(directory)
            with _locked(directory), _undone_on_failure(directory):
                path = directory / MANIFEST
                current = _parse_manifest(path, source, timeframe) if path.exists() else {}
                clock = _one_clock(source, current, clock)
                written = [
                    _write_file(
                        directory, source, timeframe, symbol, table, (notes or {}).get(symbol, ""), currency, clock
                    )
                    for symbol, table in tables.items()
                ]
                sync_directory(directory)
                _write_manifest(directory, {**current, **{series.symbol: series for series in written}}, clock)
        return written

    def _directory(self, source: str, timeframe: str = "") -> Path:
        for name in filter(None, (source, timeframe)):
            if not _NAME.fullmatch(name):
                raise NotFound(f"there is no data source or timeframe {name!r}")
        return self._root / source / timeframe


def _one_clock(source: str, current: Mapping[str, Series], given: MarketClock | None) -> MarketClock:
    """All bars of a manifest have one calendar, or no run could use them together."""
    kept = next((series.clock for series in current.values()), None)
    if kept is not None and given is not None and kept.calendar != given.calendar:
        raise Conflict(
            f"the bars of {source} are on calendar {kept.calendar}, not {given.calendar}", calendar=kept.calendar
        )
    return kept or given or NEW_YORK


def _read_file(
    path: Path, series: Series, start: dt.date | None, end: dt.date | None, columns: Sequence[str] | None
) -> "pa.Table":
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        names = file.schema_arrow.names
        when = names[0]
        wanted = [when, *(name for name in names[1:] if columns is None or name in columns)]
        first, last = _bounds(file.schema_arrow.field(when).type, start, end, series.clock)
        groups = _row_groups(file.metadata, first, last)
        table = file.read_row_groups(groups, columns=wanted, use_threads=False).select(wanted)
    if first is not None or last is not None:
        table = _between(table, when, first, last)
    symbol = pa.repeat(pa.scalar(series.symbol), table.num_rows)
    return table.replace_schema_metadata(None).add_column(0, "symbol", symbol)


def _bounds(kind: "pa.DataType", start: dt.date | None, end: dt.date | None, clock: MarketClock) -> tuple[Any, Any]:
    """Both inclusive, as scalars of the date column's type; an end date takes its whole day on the market's clock."""
    import pyarrow as pa

    if pa.types.is_date(kind):
        return start, end
    return None if start is None else clock.begin(start), None if end is None else clock.end(end)


def _row_groups(metadata: Any, first: Any, last: Any) -> list[int]:
    """The row groups that may hold bars between the bounds; at least one, so that the schema is there."""
    found = []
    for index in range(metadata.num_row_groups):
        statistics = metadata.row_group(index).column(0).statistics
        if statistics is not None and statistics.has_min_max:
            if first is not None and statistics.max < first:
                continue
            if last is not None and statistics.min > last:
                break
        found.append(index)
    return found or [0]


def _between(table: "pa.Table", when: str, first: Any, last: Any) -> "pa.Table":
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = table.schema.field(when).type
    keep = None
    for bound, compare in ((first, pc.greater_equal), (last, pc.less_equal)):
        if bound is not None:
            found = compare(table[when], pa.scalar(bound, kind))
            keep = found if keep is None else pc.and_(keep, found)
    return table.filter(keep)


def _write_file(
    directory: Path,
    source: str,
    timeframe: str,
    symbol: str,
    table: "pa.Table",
    note: str,
    currency: str | None,
    clock: MarketClock,
) -> Series:
    import pyarrow.parquet as pq

    when = "date" if "date" in table.column_names else "timestamp"
    columns = [name for name in COLUMNS if name in table.column_names]
    table = table.select([when, *columns]).replace_schema_metadata(None)
    if not table.num_rows:
        raise ValueError(f"{symbol} has no bars")

    def write(path: Path) -> None:
        pq.write_table(
            table,
            path,
            compression="zstd",
            use_dictionary=False,
            row_group_size=ROWS_PER_GROUP,
            write_page_checksum=True,
        )

    def verify(path: Path) -> None:
        with pq.ParquetFile(path) as file:
            if file.metadata.num_rows != table.num_rows:
                raise StorageFailed(f"the bars of {symbol} did not read back as they were written")

    key = hashlib.sha256(symbol.encode()).hexdigest()[:16]
    file = durable_write(directory, lambda digest: f"{key}-{digest[:16]}.parquet", write, verify)
    first, last = table[when][0].as_py(), table[when][-1].as_py()
    return Series(
        source=source,
        timeframe=timeframe,
        symbol=symbol,
        first=clock.day_of(first) if isinstance(first, dt.datetime) else first,
        last=clock.day_of(last) if isinstance(last, dt.datetime) else last,
        bars=table.num_rows,
        columns=tuple(columns),
        sha256=file.sha256,
        note=note,
        currency=currency,
        file=file.path.name,
        clock=clock,
    )


def _parse_manifest(path: Path, source: str, timeframe: str) -> dict[str, Series]:
    try:
        manifest = json.loads(path.read_bytes())
        if manifest["format"] != _FORMAT:
            raise StorageFailed(f"{path} was written by a newer backproof")
        clock = MarketClock(manifest["calendar"], manifest["zone"]) if "calendar" in manifest else NEW_YORK
        return {
            symbol: Series(
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
            for symbol, entry in manifest["series"].items()
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StorageFailed(f"{path} is damaged: {error}") from error


def _file_name(name: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{16}-[0-9a-f]{16}\.parquet", name):
        raise ValueError(f"{name!r} is no file of a manifest")
    return name


def _write_manifest(directory: Path, series: Mapping[str, Series], clock: MarketClock) -> None:
    entries = {}
    for symbol in sorted(series):
        entry = asdict(series[symbol])
        for name in ("source", "timeframe", "symbol", "clock"):
            del entry[name]
        entries[symbol] = {**entry, "first": str(entry["first"]), "last": str(entry["last"])}
    whole = {"format": _FORMAT, "calendar": clock.calendar, "zone": clock.zone, "series": entries}
    text = json.dumps(whole, indent=1, ensure_ascii=False) + "\n"

    def write(path: Path) -> None:
        path.write_text(text, encoding="utf-8")

    def verify(path: Path) -> None:
        _parse_manifest(path, "", "")

    durable_write(
        directory,
        lambda _: MANIFEST,
        write,
        verify,
    )
    sync_directory(directory)


@contextmanager
def _undone_on_failure(directory: Path) -> Iterator[None]:
    """Remove the files that came to be, so that a disk that was too small for all of them has its space again."""
    before = set(directory.iterdir())
    try:
        yield
    except BaseException:
        with suppress(OSError, StorageFailed):
            manifest = directory / MANIFEST
            current = _parse_manifest(manifest, "", "") if manifest.exists() else {}
            named = {MANIFEST, *(series.file for series in current.values())}  # it may have been swapped already
            for path in set(directory.iterdir()) - before:
                if path.name not in named:
                    path.unlink()
        raise


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """One writer of a manifest at a time, over all processes of the machine; a dead one's lock is gone with it."""
    with (directory / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
