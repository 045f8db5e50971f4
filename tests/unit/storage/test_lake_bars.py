"""Bars in the lake: versions never change, a manifest swap is all or nothing, damage is said."""

import datetime as dt
import json
import multiprocessing
import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backproof.domain.clock import MarketClock
from backproof.errors import Conflict, NotFound, StorageFailed
from backproof.storage import bars as bars_module
from backproof.storage.lake import Lake

FIRST = dt.date(2020, 1, 1)
NEVER_CLOSED, SEOUL = MarketClock("24/7", "UTC"), MarketClock("XKRX", "Asia/Seoul")
PRICES = ("open", "high", "low", "close")


def daily(rows: int, value: float = 1.0, columns: tuple[str, ...] = (*PRICES, "volume")) -> pa.Table:
    dates = pa.array(np.arange(rows) + np.datetime64(FIRST, "D"))
    return pa.table({"date": dates, **{name: pa.array(np.full(rows, value)) for name in columns}})


def minutes(rows: int) -> pa.Table:
    start = np.datetime64("2020-01-01T23:00", "us")
    moments = pa.array(start + np.arange(rows) * np.timedelta64(60_000_000, "us")).cast(pa.timestamp("us", "UTC"))
    return pa.table({"timestamp": moments, "close": pa.array(np.arange(rows, dtype=np.float64))})


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path, None)


def test_bars_come_back_in_the_order_asked_for(lake: Lake) -> None:
    lake.write_bars("mine", "1d", {"B": daily(2, 2.0), "A": daily(3, 1.0)}, {"A": "a note"}, currency="USD")
    table = lake.read_bars("mine", "1d", ["B", "A"])
    assert table.column_names == ["symbol", "date", "open", "high", "low", "close", "volume"]
    assert table["symbol"].to_pylist() == ["B"] * 2 + ["A"] * 3
    assert table["close"].to_pylist() == [2.0] * 2 + [1.0] * 3
    assert table["date"].to_pylist()[:3] == [FIRST, FIRST + dt.timedelta(1), FIRST]
    a, b = lake.series("mine", "1d")
    assert (a.symbol, a.first, a.last, a.bars, a.note) == ("A", FIRST, FIRST + dt.timedelta(2), 3, "a note")
    assert (a.currency, a.close_only, b.note) == ("USD", False, "")
    assert lake.sources() == ["mine"]
    assert lake.timeframes("mine") == ["1d"]


def test_dates_are_inclusive(lake: Lake) -> None:
    lake.write_bars("mine", "1d", {"A": daily(10)})

    def dates(start: dt.date | None, end: dt.date | None) -> list[int]:
        return [date.day for date in lake.read_bars("mine", "1d", ["A"], start, end)["date"].to_pylist()]

    assert dates(dt.date(2020, 1, 3), dt.date(2020, 1, 5)) == [3, 4, 5]
    assert dates(None, dt.date(2020, 1, 2)) == [1, 2]
    assert dates(dt.date(2020, 1, 9), None) == [9, 10]
    assert dates(dt.date(2021, 1, 1), None) == []
    assert dates(None, dt.date(2019, 1, 1)) == []


def test_an_end_date_takes_its_whole_day_of_intraday_bars(lake: Lake) -> None:
    lake.write_bars("mine", "1m", {"A": minutes(120)}, clock=NEVER_CLOSED)
    assert lake.read_bars("mine", "1m", ["A"], end=dt.date(2020, 1, 1)).num_rows == 60
    assert lake.read_bars("mine", "1m", ["A"], start=dt.date(2020, 1, 2))["close"].to_pylist() == [*range(60, 120)]
    assert lake.read_bars("mine", "1m", ["A"]).schema.field("timestamp").type == pa.timestamp("us", "UTC")


def test_days_of_intraday_bars_are_those_of_the_market(lake: Lake) -> None:
    [written] = lake.write_bars("mine", "1m", {"A": minutes(17 * 60)}, clock=SEOUL)  # 08:00 of the 2nd to 01:00
    assert (written.first, written.last, written.clock) == (dt.date(2020, 1, 2), dt.date(2020, 1, 3), SEOUL)
    assert lake.find_series("mine", "1m")["A"] == written
    whole = lake.read_bars("mine", "1m", ["A"], dt.date(2020, 1, 2), dt.date(2020, 1, 2))
    assert whole["close"].to_pylist() == [*range(16 * 60)]
    assert lake.read_bars("mine", "1m", ["A"], start=dt.date(2020, 1, 3))["close"].to_pylist() == [
        *range(16 * 60, 17 * 60)
    ]
    assert lake.read_bars("mine", "1m", ["A"], end=dt.date(2020, 1, 1)).num_rows == 0
    everything = lake.read_bars("mine", "1m", ["A"], dt.date.min, dt.date.max)
    assert everything.num_rows == 17 * 60


def test_a_day_on_which_clocks_change_is_as_long_as_it_is(lake: Lake) -> None:
    """In New York 2020-03-08 has 23 hours, 2020-11-01 has 25."""
    for day, hours in ((dt.date(2020, 3, 8), 23), (dt.date(2020, 11, 1), 25)):
        start = np.datetime64(day, "us") - np.timedelta64(1, "D")
        moments = pa.array(start + np.arange(72) * np.timedelta64(1, "h")).cast(pa.timestamp("us", "UTC"))
        lake.write_bars("mine", "1h", {"A": pa.table({"timestamp": moments, "close": np.ones(72)})})
        assert lake.read_bars("mine", "1h", ["A"], day, day).num_rows == hours


def test_all_bars_of_a_dataset_are_on_one_calendar(lake: Lake, tmp_path: Path) -> None:
    lake.write_bars("mine", "1m", {"A": minutes(5)}, clock=SEOUL)
    lake.write_bars("mine", "1m", {"B": minutes(5)})
    assert {series.clock for series in lake.series("mine", "1m")} == {SEOUL}
    assert lake.clock("mine") == SEOUL
    assert lake.clock("other") is None
    with pytest.raises(Conflict, match="calendar XKRX, not 24/7"):
        lake.write_bars("mine", "1m", {"C": minutes(5)}, clock=NEVER_CLOSED)
    assert [series.symbol for series in lake.series("mine", "1m")] == ["A", "B"]
    assert len([*(tmp_path / "bars" / "mine" / "1m").glob("*.parquet")]) == 2


def test_a_manifest_without_a_calendar_is_new_yorks(lake: Lake, tmp_path: Path) -> None:
    lake.write_bars("mine", "1d", {"A": daily(2)}, clock=SEOUL)
    path = tmp_path / "bars" / "mine" / "1d" / "manifest.json"
    manifest = json.loads(path.read_text())
    assert (manifest.pop("calendar"), manifest.pop("zone")) == ("XKRX", "Asia/Seoul")
    path.write_text(json.dumps(manifest))
    assert Lake(tmp_path, None).clock("mine") == MarketClock("XNYS", "America/New_York")


def test_only_the_row_groups_of_the_range_are_read(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bars_module, "ROWS_PER_GROUP", 100)
    lake.write_bars("mine", "1m", {"A": minutes(3000)}, clock=NEVER_CLOSED)
    read: list[list[int]] = []
    original = pq.ParquetFile.read_row_groups

    def watched(self: pq.ParquetFile, groups: list[int], **options: object) -> pa.Table:
        read.append(groups)
        return original(self, groups, **options)

    monkeypatch.setattr(pq.ParquetFile, "read_row_groups", watched)
    table = lake.read_bars("mine", "1m", ["A"], dt.date(2020, 1, 2), dt.date(2020, 1, 2))
    assert table["close"].to_pylist() == [*range(60, 60 + 24 * 60)]
    assert read == [[*range(15)]]
    assert lake.read_bars("mine", "1m", ["A"], dt.date(2030, 1, 1)).num_rows == 0


def test_columns_that_one_symbol_lacks_are_null_there(lake: Lake) -> None:
    lake.write_bars("mine", "1d", {"A": daily(2), "C": daily(2, columns=("adj_close",))})
    table = lake.read_bars("mine", "1d", ["C", "A"])
    assert table["open"].to_pylist() == [None, None, 1.0, 1.0]
    assert table["adj_close"].to_pylist() == [1.0, 1.0, None, None]
    assert [series.close_only for series in lake.series("mine")] == [False, True]


def test_the_file_name_says_nothing_of_the_symbol(lake: Lake, tmp_path: Path) -> None:
    hostile = ["../../escape", "CON", "a/b", "x" * 500, "aapl", "AAPL", "한", "\n"]
    lake.write_bars("mine", "1d", {symbol: daily(n + 1) for n, symbol in enumerate(hostile)})
    assert {path.parent for path in tmp_path.rglob("*.parquet")} == {tmp_path / "bars" / "mine" / "1d"}
    for n, symbol in enumerate(hostile):
        assert lake.read_bars("mine", "1d", [symbol]).num_rows == n + 1
        assert not any(symbol in path.name for path in tmp_path.rglob("*") if len(symbol) > 1)


@pytest.mark.parametrize("name", ["../x", "", "A", "a/b", "a" * 51, ".", "a\0"])
def test_a_source_is_no_path(lake: Lake, name: str) -> None:
    with pytest.raises(NotFound):
        lake.read_bars(name, "1d", ["A"])
    with pytest.raises(NotFound):
        lake.series("mine", name)


def test_what_is_not_there_is_named(lake: Lake) -> None:
    lake.write_bars("mine", "1d", {"A": daily(2)})
    with pytest.raises(NotFound, match="no 1d bars of X, Y"):
        lake.read_bars("mine", "1d", ["X", "A", "Y"])
    with pytest.raises(NotFound, match="no data source 'other'"):
        lake.series("other")
    assert lake.series("mine", "1h") == []


def test_a_new_version_replaces_its_symbols_and_leaves_the_others(lake: Lake) -> None:
    lake.write_bars("mine", "1d", {"A": daily(2), "B": daily(2)}, {"A": "old"})
    old = lake.find_series("mine", "1d")
    lake.write_bars("mine", "1d", {"A": daily(5, 9.0), "C": daily(1)})
    assert {series.symbol: series.bars for series in lake.series("mine")} == {"A": 5, "B": 2, "C": 1}
    assert lake.find_series("mine", "1d")["A"].note == ""
    # whoever resolved the manifest before keeps reading what it named
    assert lake.read_series([old["A"], old["B"]])["close"].to_pylist() == [1.0] * 4


def test_equal_bars_have_equal_hashes(lake: Lake) -> None:
    first = lake.write_bars("mine", "1d", {"A": daily(50)})
    again = lake.write_bars("other", "1d", {"A": daily(50)})
    changed = lake.write_bars("mine", "1d", {"A": daily(50, 1.0000001)})
    assert first[0].sha256 == again[0].sha256 != changed[0].sha256


def test_the_builtin_lake_is_read_and_never_written(tmp_path: Path) -> None:
    Lake(tmp_path / "builtin", None).write_bars("demo", "1d", {"A": daily(3)})
    Lake(tmp_path / "own", None).write_bars("demo", "1d", {"A": daily(99)})  # nobody can slip another one under it
    lake = Lake(tmp_path / "own", tmp_path / "builtin")
    assert lake.builtin_sources() == lake.sources() == ["demo"]
    assert lake.read_bars("demo", "1d", ["A"]).num_rows == 3
    with pytest.raises(Conflict):
        lake.write_bars("demo", "1d", {"A": daily(1)})


def test_damage_is_said(lake: Lake, tmp_path: Path) -> None:
    lake.write_bars("mine", "1d", {"A": daily(5000)})
    (file,) = tmp_path.rglob("*.parquet")
    whole = file.read_bytes()
    for broken in (b"", whole[: len(whole) // 2], whole[:-9] + b"12345" + whole[-4:], b"x" * 500):
        file.write_bytes(broken)
        with pytest.raises(StorageFailed, match="bars of A from mine: the file is damaged"):
            lake.read_bars("mine", "1d", ["A"])
    file.unlink()
    with pytest.raises(StorageFailed, match="it is missing"):
        lake.read_bars("mine", "1d", ["A"])


def test_a_flipped_bit_in_the_prices_is_found(lake: Lake, tmp_path: Path) -> None:
    prices = np.random.default_rng(1).uniform(1, 2, 5000)  # nothing that compression could check by itself
    table = daily(5000).set_column(4, "close", pa.array(prices))
    lake.write_bars("mine", "1d", {"A": table})
    (file,) = tmp_path.rglob("*.parquet")
    content = bytearray(file.read_bytes())
    column = pq.ParquetFile(file).metadata.row_group(0).column(4)
    content[column.data_page_offset + column.total_compressed_size // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(StorageFailed, match="damaged"):
        lake.read_bars("mine", "1d", ["A"])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"format": 1}',
        b'{"format": 1, "series": {"A": {}}}',
        b"\xff",
        b'{"format": 2}',
    ],
)
def test_a_damaged_manifest_is_said(lake: Lake, tmp_path: Path, content: bytes) -> None:
    lake.write_bars("mine", "1d", {"A": daily(2)})
    (tmp_path / "bars" / "mine" / "1d" / "manifest.json").write_bytes(content)
    for use in (lambda: lake.series("mine"), lambda: lake.write_bars("mine", "1d", {"A": daily(2)})):
        with pytest.raises(StorageFailed, match=r"manifest\.json"):
            use()


def test_a_manifest_cannot_point_elsewhere(lake: Lake, tmp_path: Path) -> None:
    lake.write_bars("mine", "1d", {"A": daily(2)})
    path = tmp_path / "bars" / "mine" / "1d" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["series"]["A"]["file"] = "../../../../etc/passwd"
    path.write_text(json.dumps(manifest))
    with pytest.raises(StorageFailed, match="no file of a manifest"):
        lake.read_bars("mine", "1d", ["A"])


def test_a_write_that_fails_leaves_everything_as_it_was(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.write_bars("mine", "1d", {"A": daily(2)})
    before = {path.name: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    def torn(table: pa.Table, path: Path, **_: object) -> None:
        Path(path).write_bytes(b"PAR1 half of a file")

    monkeypatch.setattr(pq, "write_table", torn)
    with pytest.raises(StorageFailed, match="damaged"):
        lake.write_bars("mine", "1d", {"A": daily(3), "B": daily(3)})
    assert {path.name: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def _write_own(root: str, name: str, times: int) -> None:
    lake = Lake(Path(root), None)
    for n in range(times):
        lake.write_bars("mine", "1d", {f"{name}{n}": daily(3, 1.0 + n), "shared": daily(10 + n)})


def test_writers_of_several_processes_lose_no_symbol_and_readers_see_whole_states(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_own, args=(str(tmp_path), name, 8)) for name in "abc"]
    lake = Lake(tmp_path, None)
    lake.write_bars("mine", "1d", {"shared": daily(10)})
    for writer in writers:
        writer.start()
    seen = 0
    failures: list[BaseException] = []

    def read() -> None:
        nonlocal seen
        try:
            while any(writer.is_alive() for writer in writers):
                series = lake.series("mine")
                assert len(series) >= seen
                seen = len(series)
                assert lake.read_bars("mine", "1d", [one.symbol for one in series]).num_rows > 0
        except BaseException as error:  # noqa: BLE001 - a thread's failure is the test's
            failures.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for writer in writers:
        writer.join()
    reader.join()
    assert not failures
    assert {one.symbol for one in lake.series("mine")} == {"shared"} | {
        f"{name}{n}" for name in "abc" for n in range(8)
    }


def test_many_files_are_read_in_order(lake: Lake) -> None:
    symbols = [f"S{n:03}" for n in range(60)]
    lake.write_bars("mine", "1d", {symbol: daily(n + 1, float(n + 1)) for n, symbol in enumerate(symbols)})
    table = lake.read_bars("mine", "1d", symbols[::-1])
    expected = [symbol for n, symbol in reversed([*enumerate(symbols)]) for _ in range(n + 1)]
    assert table["symbol"].to_pylist() == expected
