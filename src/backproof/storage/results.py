"""The result of one attempt as one Parquet file: each section is a run of row groups.

All sections share one schema; a row has values in the columns of its own section only, and `section` names it. Columns
of several sections that agree in name and type are one column of the file, others are called `<section>.<column>`.
The file's metadata says where each section is, so that reading one touches no other.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from backproof.errors import NotFound, StorageFailed

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

ROWS_PER_GROUP = 131_072
_KEY = b"backproof"
_FORMAT = 1

Section: TypeAlias = "pa.Table | Mapping[str, Any] | np.ndarray[Any, Any]"


def as_table(section: Section) -> "pa.Table":
    """A table of a structured array or of columns. NaN and NaT become null: the file holds no NaN."""
    import numpy as np
    import pyarrow as pa

    if isinstance(section, pa.Table):
        return section
    if isinstance(section, np.ndarray):
        if section.dtype.names is None:
            raise TypeError("an array needs named fields to be a section")
        section = {name: section[name] for name in section.dtype.names}
    return pa.table({name: _column(values) for name, values in section.items()})


def _column(values: Any) -> "pa.Array":
    import numpy as np
    import pyarrow as pa

    if isinstance(values, (pa.Array, pa.ChunkedArray)):
        return values
    if isinstance(values, np.ndarray) and values.dtype.kind == "U" and values.ndim == 1:
        return _texts(np.ascontiguousarray(values))
    if isinstance(values, np.ndarray) and values.dtype.kind in "fOM":
        array = pa.array(np.ascontiguousarray(values), from_pandas=True)
    else:
        array = pa.array(np.ascontiguousarray(values) if isinstance(values, np.ndarray) else values)
    if pa.types.is_timestamp(array.type) and array.type.unit == "ns":
        array = array.cast(pa.timestamp("us", array.type.tz))  # readers without pandas have no nanoseconds
    return array


def _texts(values: "np.ndarray[Any, Any]") -> "pa.Array":
    """Texts of fixed width, as Arrow has them. Its own conversion makes a Python object of each of them."""
    import numpy as np
    import pyarrow as pa

    characters = values.view(np.uint32).reshape(len(values), -1) if values.size else np.empty((0, 0), np.uint32)
    lengths = np.char.str_len(values)
    total = int(lengths.sum())
    ascii_only = characters.size == 0 or int(characters.max()) < 128
    if not ascii_only or total > np.iinfo(np.int32).max or np.count_nonzero(characters) != total:  # NUL inside a text
        return pa.array(values.tolist(), pa.string())
    small = characters.astype(np.uint8)
    offsets = np.zeros(len(values) + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    return pa.StringArray.from_buffers(len(values), pa.py_buffer(offsets), pa.py_buffer(small[small != 0]))


def write_sections(path: Path, sections: Mapping[str, "pa.Table"]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    fields: dict[str, pa.DataType] = {"section": pa.string()}
    columns: dict[str, dict[str, str]] = {}
    for section, table in sections.items():
        columns[section] = {}
        for field in table.schema:
            stored = field.name
            if fields.get(stored, field.type) != field.type or stored in ("section", *columns[section].values()):
                stored = f"{section}.{field.name}"
                while stored in fields:
                    stored += "_"
            fields[stored] = field.type
            columns[section][field.name] = stored
    described, groups = {}, 0
    for section, table in sections.items():
        count = -(-table.num_rows // ROWS_PER_GROUP)
        described[section] = {
            "rows": table.num_rows,
            "groups": [groups, groups + count],
            "columns": columns[section],
        }
        groups += count
    metadata = {_KEY: json.dumps({"format": _FORMAT, "sections": described}).encode()}
    schema = pa.schema([pa.field(name, kind) for name, kind in fields.items()], metadata)
    texts = [name for name, kind in fields.items() if pa.types.is_string(kind) or pa.types.is_large_string(kind)]
    with pq.ParquetWriter(
        path, schema, compression="zstd", use_dictionary=texts, write_page_checksum=True, write_statistics=False
    ) as writer:
        for section, table in sections.items():
            taken = {stored: name for name, stored in columns[section].items()}
            for start in range(0, table.num_rows, ROWS_PER_GROUP):
                part = table.slice(start, ROWS_PER_GROUP)
                arrays = [
                    part[taken[name]] if name in taken else pa.nulls(part.num_rows, kind)
                    for name, kind in fields.items()
                ]
                arrays[0] = pa.repeat(pa.scalar(section), part.num_rows)
                writer.write_table(pa.Table.from_arrays(arrays, schema=schema), row_group_size=ROWS_PER_GROUP)


def verify_sections(path: Path, sections: Mapping[str, "pa.Table"]) -> None:
    """Read the footer back: StorageFailed unless every section is there with its rows."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        described = _described(file, str(path))
        rows = sum(file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups))
    expected = {name: table.num_rows for name, table in sections.items()}
    if {name: entry["rows"] for name, entry in described.items()} != expected or rows != sum(expected.values()):
        raise StorageFailed("a result file did not read back as it was written")


def read_section(opened: "pa.NativeFile", path: str, section: str, columns: Sequence[str] | None = None) -> "pa.Table":
    """One section, or some of its columns in that order; NotFound for one that the file does not have."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(opened, page_checksum_verification=True) as file:
        described = _described(file, path)
        if section not in described:
            raise NotFound(f"the result has no section {section!r}", sections=list(described))
        stored = described[section]["columns"]
        names = list(stored) if columns is None else list(columns)
        if unknown := [name for name in names if name not in stored]:
            raise NotFound(f"section {section!r} has no column {unknown[0]!r}", columns=list(stored))
        first, last = described[section]["groups"]
        wanted = [stored[name] for name in names]
        if first == last:
            table = file.schema_arrow.empty_table().select(wanted)
        else:
            table = file.read_row_groups(range(first, last), columns=wanted, use_threads=False).select(wanted)
    return table.rename_columns(names).replace_schema_metadata(None)


def _described(file: Any, path: str) -> dict[str, Any]:
    try:
        described = json.loads((file.schema_arrow.metadata or {})[_KEY])
        if described["format"] != _FORMAT:
            raise StorageFailed(f"{path} was written by a newer backproof")
        sections: dict[str, Any] = described["sections"]
    except (KeyError, TypeError, ValueError) as error:
        raise StorageFailed(f"{path} is no result file") from error
    return sections
