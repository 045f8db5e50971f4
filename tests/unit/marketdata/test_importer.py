"""Price files: what is right comes in exactly, what is wrong is named with line and column."""

import datetime as dt
import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backproof.errors import InvalidInput
from backproof.marketdata import rawfile
from backproof.marketdata.importer import check_prices, read_prices

HEADER = "symbol,date,open,high,low,close,volume\n"
BARS = "A,2020-01-02,1,2,0.5,1.5,10\nA,2020-01-03,1.5,2,1.5,2,0\n"

Write = Callable[..., Path]


@pytest.fixture
def csv(tmp_path: Path) -> Write:
    def write(content: str | bytes, name: str = "prices.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture
def parquet(tmp_path: Path) -> Write:
    def write(**columns: Any) -> Path:
        path = tmp_path / "prices.parquet"
        pq.write_table(pa.table(columns), path)
        return path

    return write


def errors_of(path: Path, timeframe: str = "1d") -> list[str]:
    with pytest.raises(InvalidInput) as raised:
        check_prices(path, timeframe)
    assert {error.pointer for error in raised.value.errors} == {"/file"}
    return [error.message for error in raised.value.errors]


def days(*texts: str) -> pa.Array:
    return pa.array([dt.date.fromisoformat(text) for text in texts])


# ---- what is right ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text,
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\r"),
        lambda text: text.rstrip("\n"),
        lambda text: text + "\n\n,,,,,,\n",
        lambda text: text.replace("symbol,date,open", ' Symbol,"DATE", Open '),
        lambda text: text.replace("2020-01-03,1.5", ' 2020-01-03 ,"1.5"'),
        lambda text: text.replace("-02,", "-02T00:00:00-05:00,").replace("-03,", "-03 00:00+09:00,"),
        lambda text: text.replace("\n", ",a note\n").replace("volume,a note", "volume,note"),
    ],
)  # fmt: skip
def test_a_csv_file_is_read_however_it_is_written(csv: Write, change: Callable[[str], str]) -> None:
    assert read_prices(csv(change(HEADER + BARS))).to_pydict() == {
        "symbol": ["A", "A"],
        "date": [dt.date(2020, 1, 2), dt.date(2020, 1, 3)],
        "open": [1.0, 1.5],
        "high": [2.0, 2.0],
        "low": [0.5, 1.5],
        "close": [1.5, 2.0],
        "volume": [10.0, 0.0],
    }


def test_symbols_may_alternate_and_come_out_together(csv: Write) -> None:
    prices = check_prices(csv("symbol,date,close\nB,2020-01-02,1\nA,2020-01-02,2\nB,2020-01-03,3\nNA,2020-01-02,4\n"))
    assert prices.table["symbol"].to_pylist() == ["B", "B", "A", "NA"]
    assert prices.table["close"].to_pylist() == [1, 3, 2, 4]
    parts = prices.by_symbol()
    assert [*parts] == ["B", "A", "NA"]
    assert parts["B"].to_pydict() == {"date": [dt.date(2020, 1, 2), dt.date(2020, 1, 3)], "close": [1.0, 3.0]}


def test_every_digit_is_kept(csv: Write) -> None:
    texts = ["0.1", "1e-8", "123456789.123456789", "3.0000000000000004", "+5.", ".5", "1E+3"]
    rows = "".join(f"A,2020-01-{n + 1:02},{text}\n" for n, text in enumerate(texts))
    assert read_prices(csv("symbol,date,close\n" + rows))["close"].to_pylist() == [float(text) for text in texts]


def test_events_that_are_left_out_are_no_events(csv: Write, parquet: Write) -> None:
    text = "symbol,date,close,dividend,split_ratio\nA,2020-01-02,9,,\nA,2020-01-03,9,0.5,2\n"
    for path in (
        csv(text),
        parquet(
            symbol=["A", "A"], date=days("2020-01-02", "2020-01-03"), close=[9, 9],
            dividend=[float("nan"), 0.5], split_ratio=[None, 2],
        ),
    ):  # fmt: skip
        table = read_prices(path)
        assert table["dividend"].to_pylist() == [0.0, 0.5]
        assert table["split_ratio"].to_pylist() == [1.0, 2.0]


def test_adjusted_closes_alone_are_enough(csv: Write) -> None:
    assert read_prices(csv("symbol,date,Adj Close\nA,2020-01-02,1\n")).column_names == ["symbol", "date", "adj_close"]


@pytest.mark.parametrize(
    "dates",
    [
        days("2020-01-02", "2020-01-03"),
        days("2020-01-02", "2020-01-03").cast(pa.date64()),
        days("2020-01-02", "2020-01-03").cast(pa.timestamp("s")),
        days("2020-01-02", "2020-01-03").cast(pa.timestamp("ns")),
        pa.array([1577941200000, 1578027600000], pa.timestamp("ms", "America/New_York")),  # midnight in New York
        pa.array(["2020-01-02", "2020-01-03"], pa.large_string()),
        pa.array(["2020-01-02", "2020-01-03"]).dictionary_encode(),
    ],
    ids=lambda array: str(array.type),
)
def test_dates_of_every_type_are_dates(parquet: Write, dates: pa.Array) -> None:
    path = parquet(symbol=pa.array(["A", "A"]).dictionary_encode(), timestamp=dates, close=pa.array([1, 2], pa.int16()))
    assert read_prices(path).to_pydict() == {
        "symbol": ["A", "A"],
        "date": [dt.date(2020, 1, 2), dt.date(2020, 1, 3)],
        "close": [1.0, 2.0],
    }


def test_intraday_times_become_utc(csv: Write) -> None:
    prices = check_prices(
        csv(
            "symbol,timestamp,close\n"
            "A,2020-03-06T09:30:00-05:00,1\nA,2020-03-09T09:30:00.25-0400,2\nA,2020-03-09 13:31Z,3\n"
        ),
        "1m",
    )
    assert prices.table["timestamp"].cast(pa.int64()).to_pylist() == [
        int(dt.datetime(2020, 3, day, hour, minute, 0, micro, dt.UTC).timestamp() * 1_000_000)
        for day, hour, minute, micro in ((6, 14, 30, 0), (9, 13, 30, 250_000), (9, 13, 31, 0))
    ]
    assert not prices.warnings


def test_intraday_times_without_a_zone_are_utc_and_that_is_said(csv: Write) -> None:
    prices = check_prices(csv("symbol,timestamp,close\nA,2020-03-06 09:30,1\n"), "1m")
    assert prices.table["timestamp"].cast(pa.int64()).to_pylist() == [1583487000000000]
    assert prices.warnings == ("column timestamp has no time zone: its times were taken as UTC",)


def test_times_without_a_zone_may_be_the_exchanges(csv: Write) -> None:
    text = "symbol,timestamp,close\nA,2020-03-06 09:30,1\nA,2020-03-09 09:30,1\n"  # the clocks change between them
    prices = check_prices(csv(text), "1m", "America/New_York")
    assert prices.table["timestamp"].to_pylist() == [
        dt.datetime(2020, 3, 6, 14, 30, tzinfo=dt.UTC),
        dt.datetime(2020, 3, 9, 13, 30, tzinfo=dt.UTC),
    ]
    assert prices.warnings == ("column timestamp has no time zone: its times were taken as America/New_York",)
    zoned = check_prices(csv("symbol,timestamp,close\nA,2020-03-06T09:30Z,1\n"), "1m", "America/New_York")
    assert zoned.table["timestamp"].to_pylist() == [dt.datetime(2020, 3, 6, 9, 30, tzinfo=dt.UTC)]
    assert not zoned.warnings


@pytest.mark.parametrize(
    ("timeframe", "minutes", "fits"),
    [("1m", 1, True), ("5m", 1, False), ("5m", 5, True), ("1m", 5, True), ("1h", 30, False), ("1h", 60, True)],
)
def test_bars_of_a_shorter_timeframe_are_refused(csv: Write, timeframe: str, minutes: int, fits: bool) -> None:
    start = dt.datetime(2020, 3, 6, 14, 30, tzinfo=dt.UTC)
    moments = [start + dt.timedelta(minutes=minutes * n) for n in range(10)]
    path = csv("symbol,timestamp,close\n" + "".join(f"A,{moment.isoformat()},1\n" for moment in moments))
    if fits:
        assert read_prices(path, timeframe).num_rows == 10
    else:
        [message] = errors_of(path, timeframe)
        usual = "1 minute" if minutes == 1 else f"{minutes} minutes"
        assert message == f"bars are mostly {usual} apart, so these are no {timeframe} bars"


def test_a_short_bar_among_others_is_fine(csv: Write) -> None:
    """As where hours begin on the clock and the session does not: 9:30, 10:00, 11:00."""
    times = ("14:30", "15:00", "16:00", "17:00", "18:00")
    path = csv("symbol,timestamp,close\n" + "".join(f"A,2020-03-06T{time}Z,1\n" for time in times))
    assert read_prices(path, "1h").num_rows == 5


def test_daily_bars_are_no_weekly_ones(csv: Write) -> None:
    path = csv(HEADER + BARS)
    assert errors_of(path, "1w") == ["bars are mostly 1 day apart, so these are no 1w bars"]


def test_unknown_columns_are_ignored_and_that_is_said(csv: Write) -> None:
    prices = check_prices(csv("symbol,date,close,sector,\x1b[31m\nA,2020-01-02,1,x,y\n"))
    assert prices.table.column_names == ["symbol", "date", "close"]
    assert prices.warnings == (r"ignored columns: sector, \x1b[31m",)


# ---- what is wrong ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("A,2020-01-04,x,2,1,1,1", "column open: 'x' is not a number"),
        ("A,2020-01-04,NaN,2,1,1,1", "column open: 'NaN' is not a number"),
        ("A,2020-01-04,1,inf,1,1,1", "column high: 'inf' is not a number"),
        ("A,2020-01-04,1,1e999,1,1,1", "column high: the number is infinite or too large"),
        ("A,2020-01-04,1,2,0,1,1", "column low: 0 is not above zero"),
        ("A,2020-01-04,1,2,1,-1.25,1", "column close: -1.25 is not above zero"),
        ("A,2020-01-04,1,2,1,1e-12,1", "column close: 1e-12 is no possible price"),
        ("A,2020-01-04,1,2,1,1,1e19", "column volume: 1e+19 is no possible volume"),
        ("A,2020-01-04,1,2,1,,1", "column close: is empty"),
        ("A,2020-01-04,1,2,1,1,", "column volume: is empty (write 0 where it is not known)"),
        ("A,2020-01-04,1,2,1,1,-5", "column volume: -5 is negative"),
        ('A,2020-01-04,"1,5",2,1,1,1', "column open: '1,5' is not a number: write it with a decimal point"),
        ("A,2020-01-04,0x10,2,1,1,1", "column open: '0x10' is not a number"),
        ("A,2020-01-04,١,2,1,1,1", "column open: '١' is not a number"),
        ("A,2020-01-04,1,0.5,1,0.7,1", "column high: 0.5 is below the low 1"),
        ("A,2020-01-04,3,2,1,1,1", "column open: 3 is not between the low 1 and the high 2"),
        ("A,2020-01-04,1,2,1,0.9,1", "column close: 0.9 is not between the low 1 and the high 2"),
        ("A,2020-01-03,1,2,1,1,1", "column date: 2020-01-03 is there twice (also line 3)"),
        ("A,2020-01-02,1,2,1,1,1", "column date: 2020-01-02 comes after 2020-01-03 of line 3"),
        ("A,2020-02-30,1,2,1,1,1", "column date: '2020-02-30' is no date"),
        ("A,20-01-04,1,2,1,1,1", "column date: '20-01-04' is no date"),
        ("A,04/01/2020,1,2,1,1,1", "column date: '04/01/2020' is no date"),
        ("A,1578096000,1,2,1,1,1", "column date: '1578096000' is no date"),
        ("A,1066-01-04,1,2,1,1,1", "column date: the year 1066 is not in 1700..2200"),
        ("A,2020-01-04 25:00,1,2,1,1,1", "column date: '2020-01-04 25:00' is no date"),
        ("A,2020-01-04 09:30,1,2,1,1,1", "has a time of day, and the timeframe is a day or a week"),
        ("A,,1,2,1,1,1", "column date: is empty"),
        (",2020-01-04,1,2,1,1,1", "column symbol: is empty"),
        ("../A,2020-01-04,1,2,1,1,1", "column symbol: '../A' is no symbol"),
        ("A B,2020-01-04,1,2,1,1,1", "column symbol: 'A B' is no symbol"),
        ("=A1+1,2020-01-04,1,2,1,1,1", "column symbol: '=A1+1' is no symbol"),
        (f"{'A' * 33},2020-01-04,1,2,1,1,1", "is no symbol"),
        ("A,2020-01-04,1,2,1,1", "has 6 values, expected 7"),
        ("A,2020-01-04,1,2,1,1,1,1", "has 8 values, expected 7"),
        ("\x1a", "has 1 values, expected 7"),
    ],
)
def test_a_wrong_row_is_named(csv: Write, row: str, expected: str) -> None:
    (message,) = errors_of(csv(HEADER + BARS + "\n" + row + "\n"))  # a blank line counts as a line
    assert message.startswith("line 5")
    assert expected in message


def test_a_file_of_bars_within_a_day_is_asked_for_their_length_once(csv: Write) -> None:
    rows = "".join(f"A,2020-01-03 {hour:02}:30,1,2,1,1,1\n" for hour in range(9, 16))
    (message,) = errors_of(csv(HEADER + rows))
    assert message.endswith("column date has times of day: say how long the bars are, such as timeframe 5m")


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("0.5,0", "column split_ratio: 0 is not above zero (1 means no split)"),
        ("-1,1", "column dividend: -1 is negative"),
        ("10,1", "column dividend: 10 is not below the close before it, 10"),
        ("5,2", "column dividend: 5 is not below the close before it, 5"),  # of two new shares each is worth 5
        ("0,1e9", "column split_ratio: 1000000000 is no possible split"),
        ("x,1", "column dividend: 'x' is not a number"),
    ],
)
def test_wrong_events_are_named(csv: Write, row: str, expected: str) -> None:
    text = f"symbol,date,close,dividend,split_ratio\nA,2020-01-02,10,0,1\nB,2020-01-02,1,0,1\nA,2020-01-03,10,{row}\n"
    assert errors_of(csv(text)) == [f"line 4, {expected}"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "is empty"),
        ("\n\n", "line 1 is blank"),
        (HEADER, "has a header and no rows"),
        (HEADER.strip(), "has a header and no rows"),
        (HEADER + ",,,,,,\n\n", "has a header and no rows"),
        (HEADER.replace(",", ";") + "A;1", "separated by semicolons"),
        (HEADER.replace(",", "\t") + "A\t1", "separated by tabs"),
        (BARS, "column symbol is missing"),
        ("date,close\n2020-01-02,1\n", "column symbol is missing: name the symbol on every row, also of a single one"),
        ("Ticker,date,close\nA,2020-01-02,1\n", "column symbol is missing (rename 'Ticker'?)"),
        ("symbol,close\nA,1\n", "column date (or timestamp) is missing"),
        ("symbol,date,timestamp,close\nA,2020-01-02,2020-01-02,1\n", "date and timestamp are both there"),
        ("symbol,date,volume\nA,2020-01-02,1\n", "column close is missing"),
        ("symbol,date,high,low,volume\nA,2020-01-02,1,1,1\n", "column open is missing; column close is missing"),
        ("symbol,date,open,high,low,close\nA,2020-01-02,1,1,1,1\n", "column volume is missing"),
        ("symbol,date,close,CLOSE\nA,2020-01-02,1,1\n", "column close is there twice"),
        ((HEADER + BARS).encode("utf-16"), "UTF-16"),
        (gzip.compress((HEADER + BARS).encode()), "gzip; unpack it first"),
        (b"PK\x03\x04" + bytes(100), "Excel"),
        (b"PAR1" + bytes(100), "Parquet file; name it .parquet"),
        ((HEADER + BARS).encode() + b"A\xff,2020-01-04,1,1,1,1,1\n", "line 4 is no UTF-8 text"),
        ((HEADER + BARS).encode() + b"A\0,2020-01-04,1,1,1,1,1\n", "no text file"),
        ("symbol,date,close," + "x," * 2000, "2004 columns; at most 1000"),
        ("x" * 100_000, "first line is longer"),
        ("symbol,timestamp,close\nA,2020-01-02T00:00Z,1\nA,2020-01-03,1\n", "with and without a time zone"),
        ('symbol,date,"close\nA,2020-01-02,1\n', "line 1 is no CSV header"),
    ],
    ids=range(26),
)
def test_a_wrong_file_is_told_what_is_wrong_with_it(csv: Write, content: str | bytes, expected: str) -> None:
    (message,) = errors_of(csv(content))
    assert expected in message


def test_a_line_longer_than_any_line_is_refused(csv: Write) -> None:
    (message,) = errors_of(csv(HEADER + BARS + "A," + "1" * 30_000_000))
    assert "line" in message


def test_texts_with_line_breaks_turn_lines_into_records(csv: Write) -> None:
    path = csv('symbol,date,close,note\nA,2020-01-02,1,"two\nlines"\nA,2020-01-03,x,\n')
    assert errors_of(path) == ["record 3, column close: 'x' is not a number"]


@pytest.mark.parametrize("timeframe", ["1m", "1h"])
def test_daily_bars_are_no_intraday_bars(csv: Write, timeframe: str) -> None:
    assert "these are daily bars" in errors_of(csv(HEADER + BARS), timeframe)[0]


def test_what_is_no_file_is_said(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe.csv")
    for path, expected in (
        (tmp_path, "is a directory"),
        (tmp_path / "nothing.csv", "there is no file"),
        (tmp_path / "pipe.csv", "no ordinary file"),
        (Path("a\0.csv"), "cannot be read"),
        (Path("x" * 5000 + ".csv"), "cannot be read"),
    ):
        assert expected in errors_of(path)[0]
    (tmp_path / "prices.xlsx").write_text("x")
    assert "neither .csv nor .parquet" in errors_of(tmp_path / "prices.xlsx")[0]


def test_a_file_beyond_the_limits_is_not_read(csv: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = csv(HEADER + BARS)
    monkeypatch.setattr(rawfile, "MOST_ROWS", 1)
    assert "more than 1 rows" in errors_of(path)[0]
    monkeypatch.setattr(rawfile, "MOST_BYTES", 10)
    assert "at most 10 are read" in errors_of(path)[0]


def test_at_most_twenty_errors_are_listed_by_line(csv: Write) -> None:
    rows = "".join(f"A,{dt.date(2020, 1, 1) + dt.timedelta(n)},{'x' if n % 2 else -1}\n" for n in range(5000))
    messages = errors_of(csv("symbol,date,close\n" + rows))
    assert [int(message.split()[1].strip(",")) for message in messages[:-1]] == [*range(2, 22)]
    assert messages[-1] == "and 4980 more errors"


def test_long_values_are_shortened_and_stay_on_one_line(csv: Write) -> None:
    (message,) = errors_of(csv("symbol,date,close\nA,2020-01-02," + "9x" * 5000 + "\n"))
    assert len(message) < 120
    (message,) = errors_of(csv('symbol,date,close\n"A\nB",2020-01-02,1\n'))
    assert "\n" not in message


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"close": [1.0, float("nan")]}, "row 2, column close: NaN is not a number"),
        ({"close": [1.0, None]}, "row 2, column close: is empty"),
        ({"close": [1.0, float("-inf")]}, "row 2, column close: the number is infinite"),
        ({"close": [True, False]}, "column close holds bool, not numbers"),
        ({"close": [[1.0], [2.0]]}, "column close holds list"),
        ({"close": ["1.0", "x"]}, "row 2, column close: 'x' is not a number"),
        ({"symbol": ["A", None]}, "row 2, column symbol: is empty"),
        ({"symbol": [1, 2]}, "column symbol holds int64, not text"),
        ({"symbol": [b"A", b"B"]}, "column symbol holds binary, not text"),
        ({"date": [20200102, 20200103]}, "column date holds int64, not dates"),
        ({"date": pa.array([None, 18263], pa.date32())}, "row 1, column date: is empty"),
        ({"date": pa.array([0, 2**62], pa.timestamp("ms"))}, "row 2, column date"),
        ({"date": pa.array([0, 1], pa.time32("s"))}, "column date holds time32[ms], not dates"),
        ({"close": pa.nulls(2)}, "row 1, column close: is empty"),
    ],
    ids=lambda value: value if isinstance(value, str) else "columns",
)
def test_wrong_parquet_columns_are_named(parquet: Write, columns: dict[str, Any], expected: str) -> None:
    right = {"symbol": ["A", "A"], "date": days("2020-01-02", "2020-01-03"), "close": [1.0, 2.0]}
    assert errors_of(parquet(**{**right, **columns}))[0].startswith(expected)


def test_wrong_parquet_files_are_said(tmp_path: Path, parquet: Write) -> None:
    whole = parquet(symbol=["A"] * 100, date=pa.array(np.arange(100).astype("M8[D]")), close=np.ones(100)).read_bytes()
    path = tmp_path / "broken.parquet"
    for content in (HEADER.encode() + BARS.encode(), whole[:-10], whole[:4] + whole[300:], b"PAR1", b"PAR1PAR1"):
        path.write_bytes(content)
        assert "no readable Parquet file" in errors_of(path)[0]
    assert (
        "has no rows"
        in errors_of(parquet(symbol=pa.array([], pa.string()), date=pa.array([], pa.date32()), close=[]))[0]
    )


def test_texts_that_are_no_utf8_are_refused_in_parquet_too(tmp_path: Path) -> None:
    path = tmp_path / "prices.parquet"
    spoilt = pa.Array.from_buffers(pa.string(), 1, pa.array([b"A\xff"]).buffers())
    pq.write_table(pa.table({"symbol": spoilt, "date": days("2020-01-02"), "close": [1.0]}), path)
    assert "no readable Parquet file" in errors_of(path)[0]


def test_parquet_columns_with_one_name_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "prices.parquet"
    columns = [pa.array(["A"]), days("2020-01-02"), pa.array([1.0]), pa.array([2.0])]
    pq.write_table(pa.Table.from_arrays(columns, ["symbol", "date", "close", "close"]), path)
    assert "column close is there twice" in errors_of(path)[0]
    pq.write_table(
        pa.Table.from_arrays([*columns[:3], columns[0], columns[0]], ["symbol", "date", "close", "x", "x"]), path
    )
    assert read_prices(path)["close"].to_pylist() == [1.0]
