"""The lake: bars and results as immutable Parquet files, below one directory or one prefix of a bucket.

Synchronous and thread-safe; callers on an event loop use `asyncio.to_thread`. pyarrow is imported when a file is read
or written, not before.
"""

import datetime as dt
import hashlib
import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from backproof.domain.backtest import ResultFile
from backproof.domain.clock import MarketClock
from backproof.errors import Conflict, NotFound, StorageFailed
from backproof.storage.bars import BarStore
from backproof.storage.files import Files, storage_errors
from backproof.storage.local_files import LocalFiles
from backproof.storage.manifests import manifests_of
from backproof.storage.results import Section, as_table, read_section, verify_sections, write_sections
from backproof.storage.series import Series

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Lake", "Series", "StoredFile"]

RESULT = "result.parquet"
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-]{0,99}")
_RESULT_PATH = re.compile(rf"runs/{_RUN_ID.pattern}/\d{{1,18}}/{re.escape(RESULT)}")
_CHECKPOINT_PATH = re.compile(rf"runs/{_RUN_ID.pattern}/\d{{1,18}}/checkpoint-\d{{1,18}}\.bin")


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of the lake. path: below its root; sha256: hex digest of its bytes."""

    path: str
    sha256: str
    bytes: int


class Lake:
    """files: where the writable lake is; a directory is made when first written to.

    builtin: a directory with a read-only lake that is shipped with the program
    """

    def __init__(self, files: Files | Path, builtin: Path | None) -> None:
        self._files = LocalFiles(files) if isinstance(files, Path) else files
        self._own = _bar_store(self._files)
        self._builtin = _bar_store(LocalFiles(builtin)) if builtin is not None else None
        self._builtin_sources = self._builtin.sources() if self._builtin is not None else []

    def check(self) -> None:
        """InvalidSettings when files cannot be kept here, StorageFailed when that cannot be found out now."""
        self._files.check()

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
        on_read: Callable[[int], None] | None = None,
    ) -> "pa.Table":
        """As read_bars, of exactly these versions (all of one source and timeframe, at least one).

        on_read: told how many of the series are read, after each of them
        """
        return self._store(series[0].source).read(series, start, end, columns, on_read)

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
        directory = f"{_run_directory(run_id)}/{int(fence)}"
        tables = {name: as_table(section) for name, section in sections.items()}
        with storage_errors("cannot save the result"):
            if self._files.exists(f"{directory}/{RESULT}"):
                raise StorageFailed(f"attempt {fence} of {run_id} has saved its result already")
            file = self._files.write(
                directory,
                lambda _: RESULT,
                lambda path: write_sections(path, tables),
                lambda path: verify_sections(path, tables),
            )
            self._files.sync(directory)
        rows = {name: table.num_rows for name, table in tables.items()}
        return ResultFile(
            path=file.path,
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
        with storage_errors("cannot read the result"), self._files.open(path) as opened:
            return read_section(opened, path, section, columns)

    # ---- checkpoints ------------------------------------------------------------------------------------------

    def write_checkpoint(self, run_id: str, fence: int, bar: int, data: bytes) -> StoredFile:
        """Save the state of a run after so many bars as a durable file that never changes."""
        directory = f"{_run_directory(run_id)}/{int(fence)}"
        expected = hashlib.sha256(data).hexdigest()

        def verify(path: Path) -> None:
            with path.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != expected:
                    raise StorageFailed("a checkpoint did not read back as it was written")

        with storage_errors("cannot save a checkpoint"):
            file = self._files.write(
                directory, lambda _: f"checkpoint-{int(bar)}.bin", lambda path: _write_bytes(path, data), verify
            )
            self._files.sync(directory)
        return StoredFile(file.path, file.sha256, file.bytes)

    def read_checkpoint(self, path: str, sha256: str) -> bytes:
        """The bytes of a checkpoint; StorageFailed when they are not those that were recorded."""
        if not _CHECKPOINT_PATH.fullmatch(path):
            raise NotFound(f"{path!r} is no checkpoint")
        with storage_errors("cannot read the checkpoint"), self._files.open(path) as file:
            data: bytes = file.read()
        if hashlib.sha256(data).hexdigest() != sha256:
            raise StorageFailed("cannot read the checkpoint: the file is damaged (another hash than was recorded)")
        return data

    # ---- runs -------------------------------------------------------------------------------------------------

    def share_result(self, path: str, run_id: str, fence: int) -> str:
        """Give another run the same result file (a second name for it where the disk can, else a copy); its path."""
        if not _RESULT_PATH.fullmatch(path):
            raise NotFound(f"{path!r} is no result")
        with storage_errors("cannot share the result"):
            return self._files.copy(path, f"{_run_directory(run_id)}/{int(fence)}", RESULT)

    def run_ids(self) -> list[str]:
        """Runs that have files."""
        with storage_errors("cannot list the results"):
            names = self._files.directories("runs")
        return [name for name in names if _RUN_ID.fullmatch(name)]  # another's may lie there

    def keep_only(self, run_id: str, fence: int, paths: Collection[str], older_than: float = 0.0) -> int:
        """Delete what claims up to this one have left beside these files, unless it is newer; how many files.

        paths: below the lake, as they were recorded; older_than: seconds since it was made or changed
        """
        directory, removed = _run_directory(run_id), 0
        before = time.time() - older_than
        with storage_errors("cannot delete the files of earlier attempts"):
            for found in self._files.walk(directory):
                claim = found.path.removeprefix(f"{directory}/").partition("/")[0]
                if _up_to(fence, claim) and found.path not in paths and (not older_than or found.changed_at < before):
                    removed += self._files.remove(found.path)
            claims = [name for name in self._files.directories(directory) if _up_to(fence, name)]
            self._files.prune(directory, claims)
        return removed

    def remove_run(self, run_id: str) -> None:
        """Delete every file of a run; nothing happens when there is none."""
        with storage_errors("cannot delete the result"):
            self._files.remove_all(_run_directory(run_id))

    def _store(self, source: str) -> BarStore:
        if self._builtin is not None and source in self._builtin_sources:
            return self._builtin
        return self._own


def _bar_store(files: Files) -> BarStore:
    return BarStore(files, manifests_of(files))


def _run_directory(run_id: str) -> str:
    if not _RUN_ID.fullmatch(run_id):
        raise NotFound(f"{run_id!r} is no run")
    return f"runs/{run_id}"


def _write_bytes(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def _up_to(fence: int, directory: str) -> bool:
    """Whether the directory is that of a claim up to this one (anything else is nobody's)."""
    return not directory.isdecimal() or int(directory) <= fence
