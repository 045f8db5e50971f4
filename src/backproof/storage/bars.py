"""BarStore: immutable Parquet files of bars, one per symbol and version; manifests say which are current.

Whoever resolved a manifest once keeps reading the versions it named, because those files never change. File names come
from hashes, never from a symbol. A manifest also names the calendar of its bars: dates asked for are days on that
market's clock.
"""

import datetime as dt
import hashlib
import os
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backproof.domain.clock import NEW_YORK, MarketClock
from backproof.errors import Conflict, NotFound, StorageFailed
from backproof.storage.files import Files, storage_errors
from backproof.storage.manifests import Manifests
from backproof.storage.series import Series

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = ("open", "high", "low", "close", "volume", "adj_close", "dividend", "split_ratio")
ROWS_PER_GROUP = 131_072
_NAME = re.compile(r"[a-z0-9][a-z0-9_\-]{0,49}")
_KEPT_BYTES = 32 << 20  # of tables in memory
_READ_TOGETHER = 16  # files from which reading with several threads is faster than one after the other


class BarStore:
    """One lake's bars. Thread-safe; any number of processes may read while one writes."""

    def __init__(self, files: Files, manifests: Manifests) -> None:
        self._files = files
        self._manifests = manifests
        self._tables: OrderedDict[str, pa.Table] = OrderedDict()  # files read last; they never change
        self._cache_lock = threading.Lock()

    def sources(self) -> list[str]:
        with storage_errors("cannot list the data sources"):
            return self._manifests.sources()

    def timeframes(self, source: str) -> list[str]:
        _check_names(source)
        with storage_errors(f"cannot read the bars of {source}"):
            return self._manifests.timeframes(source)

    def clock(self, source: str) -> MarketClock | None:
        """Of the bars that the source has; None when it has none."""
        for timeframe in self.timeframes(source):
            for series in self.series(source, timeframe).values():
                return series.clock
        return None

    def series(self, source: str, timeframe: str) -> dict[str, Series]:
        """Symbol to series; empty when the source has nothing of this timeframe."""
        _check_names(source, timeframe)
        with storage_errors(f"cannot read the bars of {source}"):
            return self._manifests.series(source, timeframe)

    def read(
        self,
        series: Sequence[Series],
        start: dt.date | None = None,
        end: dt.date | None = None,
        columns: Sequence[str] | None = None,
        on_read: Callable[[int], None] | None = None,
    ) -> "pa.Table":
        """Long form: symbol, date or timestamp, and the union of the price columns; symbols in the order given.

        on_read: told how many of the series are read, after each of them
        """
        import pyarrow as pa

        def one(item: Series) -> pa.Table:
            path = f"bars/{item.source}/{item.timeframe}/{item.file}"
            with storage_errors(f"cannot read the {item.timeframe} bars of {item.symbol} from {item.source}"):
                if (start, end, columns) == (None, None, None):
                    return self._whole(path, item)
                return self._read_file(path, item, start, end, columns)

        tables: list[pa.Table] = []

        def take(read: Iterable[pa.Table]) -> None:
            for table in read:
                tables.append(table)
                if on_read is not None:
                    on_read(len(tables))

        if len(series) < _READ_TOGETHER:
            take(map(one, series))
        else:
            from concurrent.futures import ThreadPoolExecutor

            with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
                take(pool.map(one, series))
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
        _check_names(source, timeframe)

        def write(current: Mapping[str, Series]) -> tuple[list[Series], MarketClock]:
            of = _one_clock(source, current, clock)
            written = [
                self._write_file(source, timeframe, symbol, table, (notes or {}).get(symbol, ""), currency, of)
                for symbol, table in tables.items()
            ]
            return written, of

        with storage_errors(f"cannot write the bars of {source}"):
            return self._manifests.update(source, timeframe, write)

    def _whole(self, path: str, item: Series) -> "pa.Table":
        """The file, from memory when it is one of those that were read last (and is still there)."""
        with self._cache_lock:
            if (kept := self._tables.get(path)) is not None and self._files.exists(path):
                self._tables.move_to_end(path)
                return kept
        table = self._read_file(path, item, None, None, None)
        if table.nbytes <= _KEPT_BYTES // 8:
            with self._cache_lock:
                self._tables[path] = table
                while sum(kept.nbytes for kept in self._tables.values()) > _KEPT_BYTES:
                    self._tables.popitem(last=False)
        return table

    def _read_file(
        self, path: str, series: Series, start: dt.date | None, end: dt.date | None, columns: Sequence[str] | None
    ) -> "pa.Table":
        import pyarrow as pa
        import pyarrow.parquet as pq

        with (
            self._files.open(path, series.sha256) as opened,
            pq.ParquetFile(opened, page_checksum_verification=True) as file,
        ):
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

    def _write_file(
        self,
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
        file = self._files.write(
            f"bars/{source}/{timeframe}", lambda digest: f"{key}-{digest[:16]}.parquet", write, verify
        )
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
            file=file.path.rpartition("/")[2],
            clock=clock,
        )


def _check_names(*names: str) -> None:
    for name in names:
        if not _NAME.fullmatch(name):
            raise NotFound(f"there is no data source or timeframe {name!r}")


def _one_clock(source: str, current: Mapping[str, Series], given: MarketClock | None) -> MarketClock:
    """All bars of a manifest have one calendar, or no run could use them together."""
    kept = next((series.clock for series in current.values()), None)
    if kept is not None and given is not None and kept.calendar != given.calendar:
        raise Conflict(
            f"the bars of {source} are on calendar {kept.calendar}, not {given.calendar}", calendar=kept.calendar
        )
    return kept or given or NEW_YORK


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
