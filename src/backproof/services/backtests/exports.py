"""Tables of a result as files: CSV and JSON in pieces, so that a million rows need no second copy in memory."""

import io
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pyarrow as pa

ExportFormat = Literal["csv", "json", "parquet"]
ExportTable = Literal["equity", "fills", "trades", "account-events"]

MEDIA_TYPES: dict[ExportFormat, str] = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "parquet": "application/vnd.apache.parquet",
}
_ROWS = 20_000  # at once


def encoded(table: "pa.Table", form: ExportFormat) -> Iterator[bytes]:
    """The file's bytes. Dates are ISO 8601 (Parquet keeps their type); what is unknown is empty, in JSON null."""
    if form == "parquet":
        return iter([_parquet(table)])
    return _csv(table) if form == "csv" else _json(table)


def _parquet(table: "pa.Table") -> bytes:
    import pyarrow.parquet as pq

    file = io.BytesIO()
    pq.write_table(table, file, compression="zstd")
    return file.getvalue()


def _csv(table: "pa.Table") -> Iterator[bytes]:
    from pyarrow import csv

    for first in range(0, max(table.num_rows, 1), _ROWS):
        piece = io.BytesIO()
        options = csv.WriteOptions(include_header=first == 0, quoting_style="needed")
        csv.write_csv(_written(table.slice(first, _ROWS)), piece, options)
        yield piece.getvalue()


def _json(table: "pa.Table") -> Iterator[bytes]:
    yield b"["
    for first in range(0, table.num_rows, _ROWS):
        rows = _written(table.slice(first, _ROWS)).to_pylist()
        texts = (json.dumps(row, ensure_ascii=False, allow_nan=False, separators=(",", ":")) for row in rows)
        yield (("" if first == 0 else ",") + "\n" + ",\n".join(texts)).encode()
    yield b"\n]\n"


def _written(table: "pa.Table") -> "pa.Table":
    """Dates as text, NaN as null."""
    import pyarrow as pa

    columns = [_plain(table[name].combine_chunks()) for name in table.column_names]
    return pa.table(dict(zip(table.column_names, columns, strict=True)))


def _plain(column: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_date(column.type):
        return pc.strftime(column, format="%Y-%m-%d")
    if pa.types.is_timestamp(column.type):
        seconds = column.cast(pa.timestamp("s", tz=column.type.tz), safe=False)
        return pc.strftime(seconds, format="%Y-%m-%dT%H:%M:%SZ")
    if pa.types.is_floating(column.type):
        finite = pc.fill_null(pc.is_finite(column), False)
        return pc.if_else(finite, column, pa.scalar(None, column.type))
    return column
