"""Price files as raw columns: texts of a CSV file, typed columns of a Parquet file, each row with its number."""

import codecs
import csv
import io
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backproof.marketdata.problems import Problems, shown, wrong_file

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

PRICE_COLUMNS = ("open", "high", "low", "close", "volume", "adj_close", "dividend", "split_ratio")
KNOWN_COLUMNS = ("symbol", "date", "timestamp", *PRICE_COLUMNS)

MOST_BYTES = 1_000_000_000
MOST_ROWS = 20_000_000
MOST_COLUMNS = 1_000
_HEADER_BYTES = 65_536
_BLOCK_BYTES = 4 << 20
_MOST_BROKEN_LINES = 1_000

_MAGIC = (
    (b"\x1f\x8b", "it is compressed with gzip; unpack it first"),
    (b"PK\x03\x04", "it is a zip archive or an Excel workbook; save it as CSV"),
    (b"\xd0\xcf\x11\xe0", "it is an Excel workbook; save it as CSV"),
    (b"\x28\xb5\x2f\xfd", "it is compressed with zstd; unpack it first"),
    (b"BZh", "it is compressed with bzip2; unpack it first"),
    (b"\xfd7zXZ", "it is compressed with xz; unpack it first"),
    (b"PAR1", "it is a Parquet file; name it .parquet"),
    (b"\xff\xfe", "it is UTF-16 text; save it as UTF-8"),
    (b"\xfe\xff", "it is UTF-16 text; save it as UTF-8"),
)
_OTHER_NAMES = {
    "ticker": "symbol",
    "code": "symbol",
    "datetime": "timestamp",
    "time": "timestamp",
    "price": "close",
    "adjusted_close": "adj_close",
    "dividends": "dividend",
    "stock_splits": "split_ratio",
    "split": "split_ratio",
    "splits": "split_ratio",
    "vol": "volume",
}


@dataclass(frozen=True, slots=True)
class RawFile:
    """columns: canonical name to values, equally long; numbers: line or row number of each row (1-based)."""

    columns: "dict[str, pa.ChunkedArray]"
    numbers: "np.ndarray[Any, np.dtype[np.int64]]"
    problems: Problems
    warnings: list[str]


def read_raw(path: Path) -> RawFile:
    """The columns that matter; InvalidInput when the file cannot be read or its columns do not fit."""
    kind = path.suffix.lower()
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise wrong_file("is_directory", f"{path} is a directory, not a file")
        if not stat.S_ISREG(status.st_mode):
            raise wrong_file("no_file", f"{path} is no ordinary file")
        if kind not in (".csv", ".txt", ".parquet", ".pq"):
            raise wrong_file("unknown_kind", f"{path.name!r} is neither .csv nor .parquet")
        if status.st_size == 0:
            raise wrong_file("empty_file", f"{path} is empty")
        if status.st_size > MOST_BYTES:
            raise wrong_file(
                "too_large", f"{path} has {status.st_size} bytes; at most {MOST_BYTES} are read: split it by symbol"
            )
        return _read_parquet(path) if kind in (".parquet", ".pq") else _read_csv(path)
    except FileNotFoundError:
        raise wrong_file("missing_file", f"there is no file {path}") from None
    except PermissionError:
        raise wrong_file("no_permission", f"no permission to read {path}") from None
    except OSError as error:
        raise wrong_file("unreadable", f"{path} cannot be read: {error}") from None
    except ValueError as error:  # a NUL in the path
        raise wrong_file("unreadable", f"{str(path)!r} cannot be read: {error}") from None


# ---- CSV ----------------------------------------------------------------------------------------------------------


def _read_csv(path: Path) -> RawFile:
    import numpy as np
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    with path.open("rb") as file:
        head = file.read(_HEADER_BYTES)
    for magic, message in _MAGIC:
        if head.startswith(magic):
            raise wrong_file("no_csv_file", f"{path.name!r} is no CSV file: {message}")
    physical = _count_lines(path)
    names = _csv_header(head)
    problems, warnings = Problems("line"), list[str]()
    taken = _choose(names, warnings)
    given = [f"c{i}" for i in range(len(names))]
    wanted = {given[index]: name for name, index in taken.items()}
    broken: list[int] = []

    def broken_row(row: Any) -> str:
        broken.append(row.number)
        if len(broken) <= _MOST_BROKEN_LINES:
            problems.add(
                row.number,
                "",
                "wrong_column_count",
                f"has {row.actual_columns} values, expected {row.expected_columns}",
            )
        return "skip" if len(broken) < _MOST_BROKEN_LINES else "error"

    try:
        table = arrow_csv.read_csv(
            path,
            arrow_csv.ReadOptions(column_names=given, skip_rows=1, use_threads=False, block_size=_BLOCK_BYTES),
            arrow_csv.ParseOptions(newlines_in_values=False, ignore_empty_lines=False, invalid_row_handler=broken_row),
            arrow_csv.ConvertOptions(
                include_columns=list(wanted),
                column_types={name: pa.string() for name in wanted},
                strings_can_be_null=True,
                null_values=[""],
            ),
        )
    except pa.ArrowException as error:
        problems.raise_if_any()
        raise _csv_error(path, str(error)) from None
    if table.num_rows > MOST_ROWS:
        raise wrong_file("too_many_rows", f"more than {MOST_ROWS} rows: split the file by symbol")
    lines = np.setdiff1d(np.arange(2, table.num_rows + len(broken) + 2, dtype=np.int64), np.array(broken, np.int64))
    if physical > table.num_rows + len(broken) + 1:  # texts with line breaks inside: rows are no lines
        problems.unit = "record"
    filled = _filled(table)
    table, lines = table.filter(filled), lines[filled.to_numpy(zero_copy_only=False)]
    if not table.num_rows:
        problems.raise_if_any()
        raise wrong_file("no_rows", f"{path} has a header and no rows")
    return RawFile({wanted[name]: table[name] for name in table.column_names}, lines, problems, warnings)


def _csv_header(head: bytes) -> list[str]:
    head = head.removeprefix(b"\xef\xbb\xbf")
    line = head.replace(b"\r", b"\n").split(b"\n", 1)[0]
    if len(line) == len(head) == _HEADER_BYTES:
        raise wrong_file(
            "no_csv_file", f"the first line is longer than {_HEADER_BYTES} bytes: no CSV file with a header"
        )
    text = line.decode()
    try:
        names = next(csv.reader(io.StringIO(text), strict=True), [])
    except csv.Error as error:
        raise wrong_file("no_csv_file", f"line 1 is no CSV header: {error}") from None
    for separator, word in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if len(names) <= 1 and separator in text:
            raise wrong_file(
                "wrong_separator", f"columns are separated by {word}; save the file with commas and decimal points"
            )
    if not text.strip():
        raise wrong_file("no_header", "line 1 is blank; it must name the columns")
    return names


def _csv_error(path: Path, reason: str) -> Exception:
    if "Could not skip" in reason or "Empty CSV" in reason:
        return wrong_file("no_rows", f"{path} has a header and no rows")
    if "straddling" in reason:
        return wrong_file("line_too_long", f"{path} has a line longer than {_BLOCK_BYTES} bytes")
    return wrong_file("no_csv_file", f"{path.name!r} cannot be read as CSV: {reason.splitlines()[0][:200]}")


def _count_lines(path: Path) -> int:
    """Lines of the file, the last one whether it ends with a line break or not; InvalidInput unless all is text."""
    counts, last = {b"\n": 0, b"\r": 0}, b""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            try:
                decoder.decode(block)
            except UnicodeDecodeError as error:
                number = 1 + max(counts[mark] + error.object.count(mark, 0, error.start) for mark in counts)
                raise wrong_file("not_utf8", f"line {number} is no UTF-8 text; save the file as UTF-8") from None
            if b"\0" in block:
                raise wrong_file("no_csv_file", f"{path.name!r} is no text file")
            for mark in counts:
                counts[mark] += block.count(mark)
            last = block[-1:]
    mark = b"\n" if counts[b"\n"] else b"\r"
    return counts[mark] + (last != mark)


def _filled(table: "pa.Table") -> Any:
    """Rows that are not blank (blank lines, and the rows of commas that spreadsheets leave behind)."""
    import pyarrow.compute as pc

    return reduce(pc.or_, (pc.is_valid(column) for column in table.itercolumns())).combine_chunks()


# ---- Parquet ------------------------------------------------------------------------------------------------------


def _read_parquet(path: Path) -> RawFile:
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    warnings = list[str]()
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            metadata = file.metadata
            if metadata.num_rows > MOST_ROWS:
                raise wrong_file("too_many_rows", f"{metadata.num_rows} rows; at most {MOST_ROWS} are read")
            unpacked = sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
            if unpacked > 10 * MOST_BYTES:
                raise wrong_file("too_large", f"{unpacked} bytes when unpacked; at most {10 * MOST_BYTES} are read")
            names = file.schema_arrow.names
            taken = _choose(names, warnings)
            if len(set(names)) == len(names):
                table = file.read(columns=[names[index] for index in taken.values()])
                columns = {name: table[names[index]] for name, index in taken.items()}
            else:
                table = file.read()
                columns = {name: table.column(index) for name, index in taken.items()}
            table.validate(full=True)
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise wrong_file(
            "no_parquet_file", f"{path.name!r} is no readable Parquet file: {str(error).splitlines()[0][:200]}"
        ) from None
    if not table.num_rows:
        raise wrong_file("no_rows", f"{path} has no rows")
    return RawFile(columns, np.arange(1, table.num_rows + 1, dtype=np.int64), Problems("row"), warnings)


# ---- columns ------------------------------------------------------------------------------------------------------


def _choose(names: Sequence[str], warnings: list[str]) -> dict[str, int]:
    """Canonical column name to position. InvalidInput when the columns do not make up a price file."""
    if len(names) > MOST_COLUMNS:
        raise wrong_file("too_many_columns", f"{len(names)} columns; at most {MOST_COLUMNS} are read")
    taken: dict[str, int] = {}
    ignored: list[str] = []
    for index, given in enumerate(names):
        name = "_".join(given.strip().lower().replace("_", " ").split())
        if name not in KNOWN_COLUMNS:
            ignored.append(given)
        elif name in taken:
            raise wrong_file("duplicate_column", f"column {name} is there twice ({shown(given)} is one of them)")
        else:
            taken[name] = index
    problems = [*_missing(taken, ignored)]
    if problems:
        raise wrong_file("missing_column", "; ".join(problems))
    if ignored:
        warnings.append("ignored columns: " + ", ".join(shown(name)[1:-1] for name in ignored[:20]))
    return taken


def _missing(taken: dict[str, int], ignored: list[str]) -> list[str]:
    hints = {
        _OTHER_NAMES[name]: f" (rename {given!r}?)"
        for given in ignored
        if (name := "_".join(given.strip().lower().split())) in _OTHER_NAMES
    }
    found = []
    if "symbol" not in taken:
        found.append(
            "column symbol is missing" + hints.get("symbol", ": name the symbol on every row, also of a single one")
        )
    if "date" not in taken and "timestamp" not in taken:
        found.append("column date (or timestamp) is missing" + hints.get("timestamp", ""))
    if "date" in taken and "timestamp" in taken:
        found.append("date and timestamp are both there: keep one of them")
    bar = [name for name in ("open", "high", "low") if name in taken]
    if bar:
        lacking = [name for name in ("open", "high", "low", "close", "volume") if name not in taken]
        found += [
            f"column {name} is missing"
            + (" (write 0 where it is not known)" if name == "volume" else "")
            + hints.get(name, "")
            for name in lacking
        ]
    elif "close" not in taken and "adj_close" not in taken:
        found.append("column close is missing" + hints.get("close", hints.get("adj_close", "")))
    return found
