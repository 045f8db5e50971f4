"""Whatever is in a file: it is imported exactly, or refused with the reason, and never anything else."""

import datetime as dt
import io
import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from backproof.errors import InvalidInput
from backproof.marketdata.importer import check_prices

quick = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
COLUMNS = (
    "symbol",
    "date",
    "timestamp",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "adj_close",
    "dividend",
    "split_ratio",
)

prices = st.floats(0.01, 1e6)


@st.composite
def good_rows(draw: st.DrawFn) -> list[tuple[Any, ...]]:
    """Rows of some symbols, each with increasing dates, in a mixed order."""
    waiting = {
        symbol: sorted(draw(st.sets(st.dates(dt.date(1900, 1, 1), dt.date(2100, 1, 1)), min_size=1, max_size=5)))
        for symbol in draw(st.sets(st.sampled_from(("A", "BRK.B", "^GSPC", "005930", "NaN", "null")), min_size=1))
    }
    rows = []
    while waiting:
        symbol = draw(st.sampled_from(sorted(waiting)))
        low, *inside, high = sorted(draw(st.tuples(prices, prices, prices, prices)))
        volume = draw(st.integers(0, 10**12))
        dividend = draw(st.sampled_from((0.0, 0.001)))
        ratio = draw(st.sampled_from((1.0, 2.0, 0.1)))
        rows.append((symbol, waiting[symbol].pop(0), inside[0], high, low, inside[1], volume, 7.5, dividend, ratio))
        if not waiting[symbol]:
            del waiting[symbol]
    return rows


NAMES = ("symbol", "date", "open", "high", "low", "close", "volume", "adj_close", "dividend", "split_ratio")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("prices")


@quick
@given(rows=good_rows(), kind=st.sampled_from(("csv", "parquet")))
def test_good_prices_come_in_bit_for_bit(place: Path, rows: list[tuple[Any, ...]], kind: str) -> None:
    path = place / f"good.{kind}"
    if kind == "csv":
        lines = [",".join(NAMES), *(",".join(str(value) for value in row) for row in rows)]
        path.write_text("\n".join(lines))
    else:
        pq.write_table(
            pa.table({name: list(column) for name, column in zip(NAMES, zip(*rows, strict=True), strict=True)}), path
        )
    found = check_prices(path).table
    order = list(dict.fromkeys(row[0] for row in rows))
    expected = sorted(rows, key=lambda row: order.index(row[0]))  # stable: the dates of a symbol stay in order
    assert [tuple(row.values()) for row in found.to_pylist()] == expected


cells = st.one_of(
    st.sampled_from(
        ["", "A", "B", "2020-01-02", "2020-01-03", "2020-02-30", "2020-01-02T09:30:00Z", "1", "2", "0", "-1", "NaN",
         "inf", "1e999", "1,5", '"', '""', "\n", ";", "1e-400", "99999999999999999999", "0x1", "\ufeff",
         "2020-01-02 24:00", "9999-12-31"]
    ),
    st.text(st.characters(codec="utf-8"), max_size=6),
    st.floats().map(str),
    st.integers().map(str),
)  # fmt: skip
headers = st.lists(st.sampled_from(COLUMNS) | st.text(max_size=4), min_size=1, max_size=12)


@quick
@given(header=headers, rows=st.lists(st.lists(cells, max_size=12), max_size=8), timeframe=st.sampled_from(("1d", "1m")))
@example(header=["symbol", "date", "close"], rows=[["A", "2020-01-02", "1"]], timeframe="1d")
def test_any_csv_text_is_imported_or_refused(
    place: Path, header: list[str], rows: list[list[str]], timeframe: str
) -> None:
    text = "\n".join(",".join(row) for row in (header, *rows))
    path = place / "any.csv"
    path.write_bytes(text.encode(errors="surrogatepass"))
    imported_or_refused(path, timeframe)


def _valid(kind: str) -> bytes:
    n = 40
    table = pa.table(
        {
            "symbol": ["A"] * n,
            "date": pa.array(np.datetime64("2020-01-01") + np.arange(n)),
            **{name: np.full(n, 1.5) for name in ("open", "high", "low", "close", "volume")},
            "dividend": np.zeros(n),
        }
    )
    sink = io.BytesIO()
    if kind == "parquet":
        pq.write_table(table, sink)  # without checksums, as other programs write
    else:
        from pyarrow import csv

        csv.write_csv(table, sink)
    return sink.getvalue()


VALID = {kind: _valid(kind) for kind in ("csv", "parquet")}


@settings(quick, max_examples=400)
@given(kind=st.sampled_from(("csv", "parquet")), seed=st.integers(0, 2**32), times=st.sampled_from((1, 1, 2, 5, 30)))
def test_a_file_with_spoilt_bytes_is_imported_or_refused(place: Path, kind: str, seed: int, times: int) -> None:
    chance = random.Random(seed)
    content = bytearray(VALID[kind])
    for _ in range(times):
        # half of them in the last part: there a Parquet file says what is where
        at = chance.randrange(len(content)) if chance.random() < 0.5 else -1 - chance.randrange(min(1500, len(content)))
        match chance.randrange(5):
            case 0:
                del content[at : at + chance.randrange(1, 5)]
            case 1:
                content[at:at] = chance.randbytes(chance.randrange(1, 5))
            case _:
                content[at] = chance.choice((chance.randrange(256), 0, 255, 34, 10, 13, 44, 45))
    path = place / f"spoilt.{kind}"
    path.write_bytes(content)
    imported_or_refused(path, chance.choice(("1d", "1m")))


kinds = st.sampled_from(
    [pa.string(), pa.large_string(), pa.float64(), pa.float32(), pa.int64(), pa.uint8(), pa.bool_(), pa.date32(),
     pa.null(), pa.timestamp("s"), pa.timestamp("ns"), pa.timestamp("us", "Asia/Seoul"),
     pa.decimal128(20, 4), pa.binary(), pa.list_(pa.float64()), pa.duration("us"),
     pa.dictionary(pa.int8(), pa.string()),
     pa.struct([("x", pa.int8())])]
)  # fmt: skip


@quick
@given(
    chosen=st.dictionaries(st.sampled_from(COLUMNS), kinds, min_size=1),
    rows=st.integers(0, 5),
    seed=st.integers(0, 2**32),
)
def test_parquet_columns_of_any_type_are_imported_or_refused(
    place: Path, chosen: dict[str, pa.DataType], rows: int, seed: int
) -> None:
    chance = random.Random(seed)
    columns = {}
    for name, kind in chosen.items():
        values = [chance.choice((0, 1, 2, -1, 10**9, None)) for _ in range(rows)]
        try:
            columns[name] = pa.array(values).cast(kind) if rows else pa.array([], kind)
        except (pa.ArrowException, pa.ArrowNotImplementedError):
            columns[name] = pa.array([None if chance.random() < 0.5 else "2020-01-02"] * rows, pa.string())
    path = place / "types.parquet"
    try:
        pq.write_table(pa.table(columns), path)
    except pa.ArrowException:
        return
    imported_or_refused(path, chance.choice(("1d", "1m")))


def refused_with_reasons(error: InvalidInput) -> None:
    assert 1 <= len(error.errors) <= 21
    assert all(0 < len(one.message) < 1000 and one.pointer == "/file" for one in error.errors)


def imported_or_refused(path: Path, timeframe: str) -> None:
    try:
        checked = check_prices(path, timeframe)
    except InvalidInput as error:
        refused_with_reasons(error)
        return
    for symbol, table in checked.by_symbol().items():
        assert symbol
        times = table.column(0).to_numpy()
        assert (times[1:] > times[:-1]).all()
        for name in table.column_names[1:]:
            values = table[name].to_numpy()
            assert np.isfinite(values).all()
            assert (values >= 0).all()
            assert (values > 0).all() or name in ("volume", "dividend")
        if "open" in table.column_names:
            low, high = table["low"].to_numpy(), table["high"].to_numpy()
            assert (low <= high).all()
