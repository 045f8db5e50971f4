"""The lake: bars and results as immutable Parquet files below one directory.

Synchronous and thread-safe; callers on an event loop use `asyncio.to_thread`. pyarrow is imported when a file is read
or written, not before.
"""

import datetime as dt
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from backproof.domain.backtest import ResultFile
from backproof.domain.clock import MarketClock
from backproof.errors import Conflict, NotFound, StorageFailed
from backproof.storage.bars import BarStore, Series
from backproof.storage.files import durable_write, make_directory, storage_errors, sync_directory
from backproof.storage.results import Section, as_table, read_section, verify_sections, write_sections

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Lake", "Series"]

RESULT = "result.parquet"
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-]{0,99}")
_RESULT_PATH = re.compile(rf"runs/{_RUN_ID.pattern}/\d{{1,18}}/{re.escape(RESULT)}")


class Lake:
    """root: the writable lake (made when first written to); builtin: a read-only one shipped with the program."""

    def __init__(self, root: Path, builtin: Path | None) -> None:
        self._root = root
        self._own = BarStore(root)
        self._builtin = BarStore(builtin) if builtin is not None else None
        self._builtin_sources = self._builtin.sources() if self._builtin is not None else []

    # ---- bars -------------------------------------------------------------------------------------------------

    def builtin_sources(self) -> list[str]:
        return list(self._builtin_sources)

    def sources(self) -> list[str]:
        return sorted({*self._own.sources(), *self._builtin_sources})

    def timeframes(self, source: str) -> list[str]:
        """The timeframes that the source has bars of; NotFound for an unknown source."""
        found = self._store(source).timeframes(source)
        if not found:
            raise NotFound(f"there is no data source {source!r}", sources=list(self.sources()))
        return found

    def series(self, source: str, timeframe: str = "1d") -> list[Series]:
        """What the source has, by symbol; empty when it has nothing of this timeframe, NotFound when it is unknown."""
        found = self._store(source).series(source, timeframe)
        if not found:
            self.timeframes(source)
        return [found[symbol] for symbol in sorted(found)]

    def clock(self, source: str) -> MarketClock | None:
        """Whose days the bars of the source have; None when it has no bars."""
        return self._store(source).clock(source)

    def find_series(self, source: str, timeframe: str) -> Mapping[str, Series]:
        """Symbol to series: one state of the manifest, so that everything read with it belongs together."""
        return self._store(source).series(source, timeframe)

    def read_bars(
        self,
        source: str,
        timeframe: str,
        symbols: Sequence[str],
        start: dt.date | None = None,
        end: dt.date | None = None,
        columns: Sequence[str] | None = None,
    ) -> "pa.Table":
        """Bars in long form; start and end are the market's days, inclusive.

        Columns: symbol, date (or timestamp, UTC), then the price columns.
        symbols come in the order given; a price column that one of them lacks is null there.
        NotFound names the symbols that the source does not have.
        """
        known = self.find_series(source, timeframe)
        if missing := [symbol for symbol in symbols if symbol not in known]:
            raise NotFound(f"{source} has no {timeframe} bars of {', '.join(missing[:10])}", symbols=list(missing))
        return self.read_series([known[symbol] for symbol in symbols], start, end, columns)

    def read_series(
        self,
        series: Sequence[Series],
        start: dt.date | None = None,
        end: dt.date | None = None,
        columns: Sequence[str] | None = None,
    ) -> "pa.Table":
        """As read_bars, of exactly these versions (all of one source and timeframe, at least one)."""
        return self._store(series[0].source).read(series, start, end, columns)

    def write_bars(
        self,
        source: str,
        timeframe: str,
        tables: Mapping[str, "pa.Table"],
        notes: Mapping[str, str] | None = None,
        currency: str | None = None,
        clock: MarketClock | None = None,
    ) -> list[Series]:
        """Add or replace the bars of these symbols as new versions; readers see all of them at once.

        A table has a `date` (date32) or `timestamp` (us, UTC) column, increasing, and price columns (float64).
        clock: None for that of the bars already there, else New York's; Conflict when those have another calendar
        """
        if source in self._builtin_sources:
            raise Conflict(f"data source {source!r} is built in and cannot be changed")
        return self._own.write(source, timeframe, tables, notes, currency, clock)

    # ---- results ----------------------------------------------------------------------------------------------

    def write_result(self, run_id: str, fence: int, sections: Mapping[str, Section]) -> ResultFile:
        """Save what one attempt computed as one durable file. An attempt writes once: its file never changes."""
        directory = self._run_directory(run_id) / str(int(fence))
        tables = {name: as_table(section) for name, section in sections.items()}
        with storage_errors("cannot save the result"):
            make_directory(directory)
            if (directory / RESULT).exists():
                raise StorageFailed(f"attempt {fence} of {run_id} has saved its result already")
            file = durable_write(
                directory,
                lambda _: RESULT,
                lambda path: write_sections(path, tables),
                lambda path: verify_sections(path, tables),
            )
            sync_directory(directory)
        rows = {name: table.num_rows for name, table in tables.items()}
        return ResultFile(
            path=file.path.relative_to(self._root).as_posix(),
            sha256=file.sha256,
            bytes=file.bytes,
            bars=rows.get("equity", 0),
            fills=rows.get("fills", 0),
            trades=rows.get("trades", 0),
            events=rows.get("events", 0),
        )

    def read_result(self, path: str, section: str, columns: Sequence[str] | None = None) -> "pa.Table":
        """One section of a result (`path` as in its ResultFile), or some of its columns."""
        if not _RESULT_PATH.fullmatch(path):
            raise NotFound(f"{path!r} is no result")
        with storage_errors("cannot read the result"):
            return read_section(self._root / path, section, columns)

    def remove_run(self, run_id: str) -> None:
        """Delete every file of a run; nothing happens when there is none."""
        with storage_errors("cannot delete the result"):
            try:
                shutil.rmtree(self._run_directory(run_id))
            except FileNotFoundError:
                return

    def remove_other_attempts(self, run_id: str, fence: int) -> None:
        """Delete what attempts before `fence` wrote and could not record."""
        with storage_errors("cannot delete the files of an earlier attempt"):
            for directory in self._run_directory(run_id).iterdir():
                if directory.name.isdecimal() and int(directory.name) < fence:
                    shutil.rmtree(directory, ignore_errors=True)

    def _run_directory(self, run_id: str) -> Path:
        if not _RUN_ID.fullmatch(run_id):
            raise NotFound(f"{run_id!r} is no run")
        return self._root / "runs" / run_id

    def _store(self, source: str) -> BarStore:
        if self._builtin is not None and source in self._builtin_sources:
            return self._builtin
        return self._own
