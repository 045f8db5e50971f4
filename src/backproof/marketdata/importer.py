"""Price files of users: read, check every value, and answer canonical columns. Nothing is repaired by guessing.

A file has a row per symbol and bar: symbol, date or timestamp, open, high, low, close, volume, and if it has them
adj_close, dividend (per share, on the ex-date) and split_ratio (2.0 = one share became two, on the ex-date). Files with
close alone, or adj_close alone, are close-only data.
"""

import re
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backproof.domain.config import SYMBOL_PATTERN
from backproof.marketdata.problems import shown, wrong_file
from backproof.marketdata.rawfile import PRICE_COLUMNS, RawFile, read_raw

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

DAILY_TIMEFRAMES = ("1d", "1w")
MOST_SYMBOLS = 20_000
_SYMBOL = re.compile(SYMBOL_PATTERN)
_PRICES = ("open", "high", "low", "close", "adj_close")
_BLANK = {"dividend": 0.0, "split_ratio": 1.0}
# beyond these a value is a mistake, and sums and ratios of it would leave the range of numbers
_SMALLEST, _LARGEST = 1e-9, 1e12
_ROUNDING = 1e-9  # relative: adjusted prices are rounded products


@dataclass(frozen=True, slots=True)
class Prices:
    """A checked price file.

    table:    symbol, date (date32) or timestamp (us, UTC), price columns (float64, no null), grouped by symbol
    warnings: sentences for the person who imports
    """

    table: "pa.Table"
    warnings: tuple[str, ...]

    def by_symbol(self) -> "dict[str, pa.Table]":
        """Symbol to its rows without the symbol column, in the order of the file."""
        import numpy as np

        names = self.table["symbol"].combine_chunks().dictionary_encode()
        codes = names.indices.to_numpy()
        edges = [0, *(np.flatnonzero(np.diff(codes)) + 1).tolist(), len(codes)]
        rows = self.table.drop_columns(["symbol"])
        return {
            names.dictionary[int(codes[start])].as_py(): rows.slice(start, stop - start)
            for start, stop in pairwise(edges)
        }


def read_prices(path: Path, timeframe: str = "1d", zone: str = "UTC") -> "pa.Table":
    """The checked prices of a .csv or .parquet file; InvalidInput names line and column of everything wrong.

    zone: time zone of times that name none
    """
    return check_prices(path, timeframe, zone).table


def check_prices(path: Path, timeframe: str = "1d", zone: str = "UTC") -> Prices:
    """As read_prices, with the warnings."""
    import numpy as np
    import pyarrow as pa

    from backproof.marketdata.columns import number_column, time_column

    file = read_raw(path)
    symbols, codes = _symbols(file)
    when = "date" if "date" in file.columns else "timestamp"
    times, dated = time_column(file, when, timeframe in DAILY_TIMEFRAMES, zone)
    numbers: dict[str, np.ndarray[Any, Any]] = {}
    good: dict[str, np.ndarray[Any, Any]] = {}
    for name in PRICE_COLUMNS:
        if name in file.columns:
            numbers[name], good[name] = number_column(file, name, _BLANK.get(name))
            _check_range(file, name, numbers[name], good[name])
    _check_bars(file, numbers, good)
    order = np.argsort(codes, kind="stable")
    previous = _previous_rows(codes, dated, order)
    _check_order(file, when, times, previous)
    _check_dividends(file, numbers, good, previous)
    file.problems.raise_if_any()
    _check_steps(timeframe, times, previous)

    names = pa.array(symbols, pa.string()).take(pa.array(codes[order]))
    moments = times[order]
    time_array = (
        pa.array(moments.astype("datetime64[D]"))
        if timeframe in DAILY_TIMEFRAMES
        else pa.array(moments.astype("datetime64[us]")).cast(pa.timestamp("us", "UTC"))
    )
    label = "date" if timeframe in DAILY_TIMEFRAMES else "timestamp"
    columns = {
        "symbol": names,
        label: time_array,
        **{name: pa.array(values[order]) for name, values in numbers.items()},
    }
    return Prices(pa.table(columns), tuple(file.warnings))


def _symbols(file: RawFile) -> "tuple[list[str | None], np.ndarray[Any, Any]]":
    """Distinct symbols, and for each row the index of its symbol, -1 where that is wrong."""
    import numpy as np

    from backproof.marketdata.columns import text_column

    values, codes = text_column(file, "symbol")
    fits = np.array([value is not None and _SYMBOL.fullmatch(value) is not None for value in values] or [False])
    wrong = (codes < 0) | ~fits[codes]

    def message(row: int) -> str:
        value = values[codes[row]] if codes[row] >= 0 else None
        if value is None:
            return "is empty"
        return f"{shown(value)} is no symbol (letters, digits, . ^ = _ -, at most 32)"

    file.problems.add_where(wrong, file.numbers, "symbol", "bad_symbol", message)
    if len(values) > MOST_SYMBOLS:
        file.problems.add(1, "symbol", "too_many_symbols", f"{len(values)} symbols; at most {MOST_SYMBOLS} at once")
    return values, np.where(wrong, -1, codes)


def _check_range(file: RawFile, name: str, values: Any, good: Any) -> None:
    """Narrow `good` to the values that are possible for this column, and report the others."""

    def report(wrong: Any, code: str, message: str) -> None:
        file.problems.add_where(
            good & wrong, file.numbers, name, code, lambda row: message.format(_text(float(values[row])))
        )

    if name in _PRICES:
        report(values <= 0, "not_positive", "{} is not above zero")
        report((values > 0) & ((values < _SMALLEST) | (values > _LARGEST)), "out_of_range", "{} is no possible price")
        good &= (values >= _SMALLEST) & (values <= _LARGEST)
    elif name == "volume":
        report(values < 0, "negative", "{} is negative")
        report(values > 1e18, "out_of_range", "{} is no possible volume")
    elif name == "dividend":
        report(values < 0, "negative", "{} is negative")
        report(values > _LARGEST, "out_of_range", "{} is no possible dividend")
    else:
        report(values <= 0, "not_positive", "{} is not above zero (1 means no split)")
        report((values > 0) & ((values < 1e-6) | (values > 1e6)), "out_of_range", "{} is no possible split")


def _text(value: float) -> str:
    return f"{value:.12g}"


def _check_bars(file: RawFile, numbers: dict[str, Any], good: dict[str, Any]) -> None:
    if "open" not in numbers:
        return
    high, low = numbers["high"], numbers["low"]
    both = good["high"] & good["low"]
    crossed = both & (high < low)
    file.problems.add_where(
        crossed,
        file.numbers,
        "high",
        "high_below_low",
        lambda row: f"{_text(high[row])} is below the low {_text(low[row])}",
    )
    for name in ("open", "close"):
        values = numbers[name]
        here = both & ~crossed & good[name]
        outside = here & ((values > high * (1 + _ROUNDING)) | (values < low * (1 - _ROUNDING)))
        file.problems.add_where(
            outside,
            file.numbers,
            name,
            "outside_the_bar",
            partial(_outside, values, low, high),
        )


def _outside(values: Any, low: Any, high: Any, row: int) -> str:
    return f"{_text(values[row])} is not between the low {_text(low[row])} and the high {_text(high[row])}"


def _previous_rows(codes: Any, dated: Any, order: Any) -> Any:
    """For each row the row of the symbol's bar before it in the file, -1 for none."""
    import numpy as np

    usable = order[(codes[order] >= 0) & dated[order]]
    row, before = usable[1:], usable[:-1]
    same = codes[row] == codes[before]
    previous = np.full(len(codes), -1, dtype=np.int64)
    previous[row[same]] = before[same]
    return previous


def _check_order(file: RawFile, when: str, times: Any, previous: Any) -> None:
    """Within a symbol every bar is later than the one before it in the file."""

    def place(row: int) -> str:
        return f"{file.problems.unit} {file.numbers[previous[row]]}"

    there = previous >= 0
    twice = there & (times == times[previous])
    file.problems.add_where(
        twice, file.numbers, when, "duplicate_date", lambda row: f"{times[row]} is there twice (also {place(row)})"
    )
    earlier = there & (times < times[previous])
    file.problems.add_where(
        earlier,
        file.numbers,
        when,
        "unsorted_dates",
        lambda row: f"{times[row]} comes after {times[previous[row]]} of {place(row)}",
    )


def _check_steps(timeframe: str, times: Any, previous: Any) -> None:
    """The file holds bars of this timeframe, not of a shorter one."""
    import numpy as np

    if timeframe == "1d" or not (previous >= 0).any():
        return
    day, minute = np.timedelta64(1, "D"), np.timedelta64(1, "m")
    unit, least, name = (day, 4, "day") if timeframe == "1w" else (minute, _minutes(timeframe), "minute")
    steps = (times - times[previous])[previous >= 0].astype("timedelta64[us]").astype(np.int64)
    usual = np.timedelta64(int(np.median(steps)), "us") / unit
    if usual < least:
        said = f"{usual:g} {name}{'' if usual == 1 else 's'}"
        raise wrong_file("bars_do_not_fit", f"bars are mostly {said} apart, so these are no {timeframe} bars")


def _minutes(timeframe: str) -> int:
    return int(timeframe[:-1]) * (60 if timeframe.endswith("h") else 1)


def _check_dividends(file: RawFile, numbers: dict[str, Any], good: dict[str, Any], previous: Any) -> None:
    """Without adjusted closes the dividends make the adjustment: each is below the close before it."""
    import numpy as np

    if "dividend" not in numbers or "close" not in numbers or "adj_close" in numbers:
        return
    ratio = numbers.get("split_ratio", np.ones(len(previous)))
    usable = good["dividend"] & good["close"] & good["close"][previous] & (previous >= 0)
    if "split_ratio" in good:
        usable &= good["split_ratio"] & (ratio > 0)
    before = np.divide(numbers["close"][previous], ratio, where=usable, out=np.ones(len(previous)))
    file.problems.add_where(
        usable & (numbers["dividend"] >= before),
        file.numbers,
        "dividend",
        "dividend_too_large",
        lambda row: f"{_text(numbers['dividend'][row])} is not below the close before it, {_text(before[row])}",
    )
