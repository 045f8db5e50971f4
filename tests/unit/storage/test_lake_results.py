"""Result files: one per attempt, any size, any columns, and readable in pieces."""

import datetime as dt
import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from backproof.errors import NotFound, StorageFailed
from backproof.storage import results
from backproof.storage.lake import Lake

FILLS = np.dtype([("bar", "i8"), ("date", "M8[D]"), ("symbol", "U8"), ("shares", "f8"), ("reason", "O")])


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path, None)


def sections(bars: int, fills: int) -> dict[str, results.Section]:
    dates = np.arange(bars) + np.datetime64("2000-01-03", "D")
    records = np.zeros(fills, FILLS)
    records["bar"] = np.arange(fills)
    records["date"] = np.datetime64("2000-01-03", "D")
    records["symbol"] = "AAPL"
    records["shares"] = np.arange(fills) / 3
    records["reason"] = "entry"
    return {
        "equity": {"date": dates, "equity": np.linspace(1, 2, bars), "benchmark": np.full(bars, np.nan)},
        "fills": records,
        "trades": {
            "symbol": ["AAPL", "한"],
            "exit_date": np.array(["2001-01-01", "NaT"], "M8[D]"),
            "profit": np.array([1.5, np.nan]),
            "shares": np.array([1, 2]),  # another type than in fills
        },
    }


@pytest.mark.parametrize(("bars", "fills"), [(1, 0), (2520, 7), (300_000, 150_000)])
def test_every_section_comes_back(lake: Lake, tmp_path: Path, bars: int, fills: int) -> None:
    file = lake.write_result("bt-1", 3, sections(bars, fills))
    assert (file.path, file.bars, file.fills, file.trades) == ("runs/bt-1/3/result.parquet", bars, fills, 2)
    content = (tmp_path / file.path).read_bytes()
    assert (file.bytes, file.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    equity = lake.read_result(file.path, "equity")
    assert equity.column_names == ["date", "equity", "benchmark"]
    assert equity["equity"].to_numpy().tobytes() == np.linspace(1, 2, bars).tobytes()
    assert equity["date"].to_numpy()[0] == np.datetime64("2000-01-03", "D")
    assert equity["benchmark"].null_count == bars  # a NaN is null in the file
    read = lake.read_result(file.path, "fills")
    assert read.num_rows == fills
    assert read["bar"].to_pylist() == [*range(fills)]
    assert read.schema.types == [
        pa.int64(),
        pa.date32(),
        pa.string(),
        pa.float64(),
        pa.string() if fills else pa.null(),
    ]
    assert lake.read_result(file.path, "trades").to_pylist() == [
        {"symbol": "AAPL", "exit_date": dt.date(2001, 1, 1), "profit": 1.5, "shares": 1},
        {"symbol": "한", "exit_date": None, "profit": None, "shares": 2},
    ]
    assert [path.name for path in (tmp_path / "runs" / "bt-1" / "3").iterdir()] == ["result.parquet"]


def test_some_columns_can_be_read_in_any_order(lake: Lake) -> None:
    file = lake.write_result("bt-1", 1, sections(10, 3))
    assert lake.read_result(file.path, "fills", ["shares", "bar"]).column_names == ["shares", "bar"]
    assert lake.read_result(file.path, "trades", ["shares"])["shares"].to_pylist() == [1, 2]
    with pytest.raises(NotFound, match="no column 'nothing'"):
        lake.read_result(file.path, "fills", ["nothing"])
    with pytest.raises(NotFound, match="no section 'nothing'"):
        lake.read_result(file.path, "nothing")


def test_reading_a_section_touches_its_row_groups_only(lake: Lake, tmp_path: Path) -> None:
    file = lake.write_result("bt-1", 1, sections(300_000, 10))
    path = tmp_path / file.path
    with pq.ParquetFile(path) as parquet:
        groups = parquet.metadata.num_row_groups
        spoilt = bytearray(path.read_bytes())
        for group in range(groups):
            names = {
                parquet.metadata.row_group(group).column(n).path_in_schema: n
                for n in range(parquet.metadata.num_columns)
            }
            column = parquet.metadata.row_group(group).column(names["equity"])
            if parquet.metadata.row_group(group).num_rows > 1000:
                for byte in range(column.total_compressed_size):
                    spoilt[column.data_page_offset + byte] ^= 0xFF
    path.write_bytes(spoilt)
    assert lake.read_result(file.path, "fills").num_rows == 10
    with pytest.raises(StorageFailed, match="damaged"):
        lake.read_result(file.path, "equity")


def test_other_tools_see_the_sections_too(lake: Lake, tmp_path: Path) -> None:
    import duckdb

    file = lake.write_result("bt-1", 1, sections(100, 5))
    with duckdb.connect() as connection:
        counted = connection.execute(
            "SELECT section, count(*), count(equity) FROM read_parquet(?) GROUP BY 1 ORDER BY 1",
            [str(tmp_path / file.path)],
        ).fetchall()
    assert counted == [("equity", 100, 100), ("fills", 5, 0), ("trades", 2, 0)]


def test_an_attempt_writes_once(lake: Lake, tmp_path: Path) -> None:
    file = lake.write_result("bt-1", 1, sections(10, 1))
    before = (tmp_path / file.path).read_bytes()
    with pytest.raises(StorageFailed, match="already"):
        lake.write_result("bt-1", 1, sections(20, 1))
    assert (tmp_path / file.path).read_bytes() == before
    assert lake.write_result("bt-1", 2, sections(20, 1)).bars == 20


def test_equal_results_are_equal_bytes(lake: Lake) -> None:
    assert lake.write_result("a", 1, sections(500, 9)).sha256 == lake.write_result("b", 7, sections(500, 9)).sha256


def test_a_removed_run_is_gone(lake: Lake, tmp_path: Path) -> None:
    file = lake.write_result("bt-1", 1, sections(10, 1))
    lake.write_result("bt-2", 1, sections(10, 1))
    lake.remove_run("bt-1")
    lake.remove_run("bt-1")
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["bt-2"]
    with pytest.raises(StorageFailed, match="missing"):
        lake.read_result(file.path, "equity")


@pytest.mark.parametrize("run_id", ["", ".", "..", "../x", "a/b", "/etc", "a\0", "x" * 101, "a.b"])
def test_a_run_is_no_path(lake: Lake, run_id: str) -> None:
    with pytest.raises(NotFound):
        lake.write_result(run_id, 1, sections(1, 0))
    with pytest.raises(NotFound):
        lake.remove_run(run_id)


@pytest.mark.parametrize(
    "path", ["", "x", "/etc/passwd", "runs/bt-1/1/../../x", "runs/../1/result.parquet", "runs/bt-1/1/other.parquet",
             "bars/demo/1d/manifest.json", "runs/bt-1/x/result.parquet", "runs/bt-1/1/result.parquet\n"],
)  # fmt: skip
def test_only_results_are_read(lake: Lake, path: str) -> None:
    with pytest.raises(NotFound):
        lake.read_result(path, "equity")


def test_damage_is_said(lake: Lake, tmp_path: Path) -> None:
    file = lake.write_result("bt-1", 1, sections(1000, 10))
    path = tmp_path / file.path
    whole = path.read_bytes()
    for broken in (b"", whole[:100], whole[:-100], whole[:200] + whole[300:]):
        path.write_bytes(broken)
        with pytest.raises(StorageFailed, match="cannot read the result"):
            lake.read_result(file.path, "equity")
    pq.write_table(pa.table({"a": [1]}), path)
    with pytest.raises(StorageFailed, match="no result file"):
        lake.read_result(file.path, "equity")


def test_a_file_that_does_not_read_back_is_not_kept(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = results.write_sections

    def torn(path: Path, tables: dict[str, pa.Table]) -> None:
        original(path, {name: table.slice(0, 5) for name, table in tables.items()})

    monkeypatch.setattr("backproof.storage.lake.write_sections", torn)
    with pytest.raises(StorageFailed, match="did not read back"):
        lake.write_result("bt-1", 1, sections(10, 1))
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageFailed, match="cannot save the result: a file is in the way"):
        Lake(tmp_path / "file", None).write_result("bt-1", 1, sections(1, 0))


def test_moments_are_kept_to_the_microsecond(lake: Lake) -> None:
    moments = np.array(["2020-01-01T09:30:00.000001", "NaT"], "M8[ns]")
    file = lake.write_result("bt-1", 1, {"equity": {"date": moments}})
    assert lake.read_result(file.path, "equity")["date"].to_numpy().tolist() == moments.astype("M8[us]").tolist()


columns = st.one_of(
    hnp.arrays(np.float64, 7), hnp.arrays(np.int64, 7), hnp.arrays(np.bool_, 7),
    hnp.arrays("M8[D]", 7, elements=st.integers(-(2**30), 2**30).map(lambda day: np.datetime64(day, "D"))),
    st.lists(st.none() | st.text(st.characters(codec="utf-8"), max_size=5), min_size=7, max_size=7),
)  # fmt: skip
names = st.sampled_from(("section", "date", "a", "b", "a.b", "x.a", "한"))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.dictionaries(st.sampled_from(("x", "y", "section")), st.dictionaries(names, columns, min_size=1), min_size=1))
def test_any_columns_of_any_sections_come_back(
    tmp_path_factory: pytest.TempPathFactory, given_sections: dict[str, dict[str, object]]
) -> None:
    lake = Lake(tmp_path_factory.mktemp("lake"), None)
    file = lake.write_result("bt-1", 1, given_sections)
    for name, given_columns in given_sections.items():
        expected = results.as_table(given_columns)
        assert lake.read_result(file.path, name).equals(expected)


@pytest.mark.parametrize(
    "texts",
    [
        [],
        [""],
        ["", "a", "abc", ""],
        ["buy", "sell"] * 1000,
        ["삼성", "a", ""],
        ["a\0b", "c"],
        ["é" * 30, "~" * 30],
        ["\x7f", "\x80"],
    ],
    ids=["none", "empty", "lengths", "many", "korean", "a NUL inside", "latin", "the last of ASCII"],
)
def test_texts_come_back_as_they_were(lake: Lake, texts: list[str]) -> None:
    array = np.array(texts, dtype="U30")
    rows = {"name": array, "n": np.arange(len(texts))}
    backwards = {"name": array[::-1], "n": np.arange(len(texts))}
    path = lake.write_result("bt-1", 1, {"equity": rows, "fills": backwards}).path
    assert lake.read_result(path, "equity")["name"].to_pylist() == array.tolist()
    assert lake.read_result(path, "fills")["name"].to_pylist() == array[::-1].tolist()
