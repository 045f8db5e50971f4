"""Texts and typed columns as numbers and dates, with every value that is none reported."""

from typing import TYPE_CHECKING, Any

import numpy as np

from backproof.marketdata.problems import shown, wrong_file
from backproof.marketdata.rawfile import RawFile

if TYPE_CHECKING:
    import pyarrow as pa

Floats = np.ndarray[Any, np.dtype[np.float64]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]

_NUMBER = r"^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?$"
_MOMENT = r"^\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?$"
_FIRST_YEAR, _LAST_YEAR = 1700, 2200


def text_column(file: RawFile, name: str) -> "tuple[list[str | None], np.ndarray[Any, np.dtype[np.int64]]]":
    """Distinct values (stripped, None for blank) and for each row the index of its value."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = file.columns[name]
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if not _is_text(column.type):
        raise wrong_file("wrong_type", f"column {name} holds {column.type}, not text")
    texts = pc.utf8_trim_whitespace(column.cast(pa.string()))
    encoded = texts.dictionary_encode("encode").unify_dictionaries().combine_chunks()
    values = [value or None for value in encoded.dictionary.to_pylist()]
    return values, encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)


def number_column(file: RawFile, name: str, blank: float | None) -> tuple[Floats, Flags]:
    """Values, and which of them can be looked at further. blank: what an empty value means; None: it is an error."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = file.columns[name]
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if _is_text(column.type):
        column = pc.utf8_trim_whitespace(column.cast(pa.string()))
        column = pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)
        fits = pc.match_substring_regex(column, _NUMBER)
        wrong = pc.fill_null(pc.invert(fits), fill_value=False).to_numpy()
        texts = column
        file.problems.add_where(
            wrong, file.numbers, name, "not_a_number", lambda row: _no_number(str(texts[row].as_py()))
        )
        column = pc.if_else(fits, column, pa.scalar(None, pa.string()))
        values = column.cast(pa.float64())
    else:
        kind = column.type
        numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
        if not numeric and not pa.types.is_null(kind):
            raise wrong_file("wrong_type", f"column {name} holds {kind}, not numbers")
        wrong = np.zeros(len(column), dtype=np.bool_)
        values = column.cast(pa.float64(), safe=False)
    numbers = values.to_numpy().astype(np.float64)  # null is NaN here
    absent = np.isnan(numbers) & ~wrong
    if blank is not None:
        numbers[absent] = blank
    else:
        empty = absent & values.is_null().to_numpy()
        file.problems.add_where(empty, file.numbers, name, "empty_value", lambda _: _empty(name))
        file.problems.add_where(absent & ~empty, file.numbers, name, "not_a_number", lambda _: "NaN is not a number")
        wrong = wrong | absent
    infinite = np.isinf(numbers) & ~wrong
    file.problems.add_where(infinite, file.numbers, name, "not_finite", lambda _: "the number is infinite or too large")
    return numbers, ~(wrong | infinite)


def _empty(name: str) -> str:
    return "is empty (write 0 where it is not known)" if name == "volume" else "is empty"


def _no_number(text: str) -> str:
    hint = ": write it with a decimal point and without separators" if "," in text else ""
    return f"{shown(text)} is not a number{hint}"


def _is_text(kind: "pa.DataType") -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def time_column(
    file: RawFile, name: str, daily: bool, zone: str = "UTC"
) -> "tuple[np.ndarray[Any, np.dtype[np.datetime64]], Flags]":
    """Days (datetime64[D]) or moments in UTC (datetime64[us]), and which of them can be looked at further.

    zone: time zone of moments that name none
    """
    import pyarrow as pa

    column = file.columns[name]
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if _is_text(column.type):
        moments, good, zoned = _parse_moments(file, name, column)
    elif pa.types.is_date(column.type) or pa.types.is_timestamp(column.type):
        moments, good, zoned = _typed_moments(file, name, column, daily)
    else:
        raise wrong_file("wrong_type", f"column {name} holds {column.type}, not dates (write them as 2005-12-31)")
    days = moments.astype("datetime64[D]")
    years = moments.astype("datetime64[Y]").astype(np.int64) + 1970
    outside = good & ((years < _FIRST_YEAR) | (years > _LAST_YEAR))
    file.problems.add_where(
        outside, file.numbers, name, "bad_date", lambda row: f"the year {years[row]} is not in 1700..2200"
    )
    good = good & ~outside
    if daily:
        inside = good & (moments != days)
        if int(inside.sum()) > max(1, int(good.sum()) // 2):
            raise wrong_file(
                "bars_within_a_day", f"column {name} has times of day: say how long the bars are, such as timeframe 5m"
            )
        file.problems.add_where(
            inside,
            file.numbers,
            name,
            "time_of_day",
            lambda row: f"{moments[row]} has a time of day, and the timeframe is a day or a week",
        )
        return days, good & ~inside
    if good.any() and bool((moments == days)[good].all()):
        raise wrong_file("no_time_of_day", f"column {name} has no times of day: these are daily bars (timeframe 1d)")
    if not zoned:
        file.warnings.append(f"column {name} has no time zone: its times were taken as {zone}")
        moments = moments if zone == "UTC" else _in_utc(moments, zone)
    return moments, good


def _in_utc(moments: Any, zone: str) -> Any:
    """Moments on the clock of `zone` in UTC; of an hour that is there twice the first one."""
    import pyarrow as pa
    import pyarrow.compute as pc

    zoned = pc.assume_timezone(pa.array(moments), zone, ambiguous="earliest", nonexistent="earliest")
    return zoned.cast(pa.timestamp("us", "UTC")).to_numpy(zero_copy_only=False).astype("datetime64[us]")


def _typed_moments(file: RawFile, name: str, column: "pa.ChunkedArray", daily: bool) -> tuple[Any, Flags, bool]:
    import pyarrow as pa
    import pyarrow.compute as pc

    missing = column.is_null().to_numpy()
    file.problems.add_where(missing, file.numbers, name, "empty_value", lambda _: "is empty")
    zoned = pa.types.is_timestamp(column.type) and column.type.tz is not None
    if zoned and daily:  # the day on the exchange's clock
        try:
            column = pc.local_timestamp(column)
        except pa.ArrowException as error:
            raise wrong_file("wrong_type", f"column {name}: {str(error).splitlines()[0]}") from None
    moments = column.to_numpy()
    with np.errstate(all="ignore"):
        coarse = moments.astype("datetime64[us]")
    good = ~missing & ~np.isnat(coarse)
    return np.where(good, coarse, np.datetime64(0, "us")), good, bool(zoned)


def _parse_moments(file: RawFile, name: str, column: "pa.ChunkedArray") -> tuple[Any, Flags, bool]:
    """Texts as moments: the day and time that is written for unzoned ones and days, UTC for zoned ones."""
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = pc.utf8_trim_whitespace(column.cast(pa.string()))
    fits = pc.fill_null(pc.match_substring_regex(texts, _MOMENT), fill_value=False).to_numpy()
    texts_there = pc.if_else(pa.chunked_array([pa.array(fits)]), texts.combine_chunks(), pa.scalar("1970-01-01"))

    def part(start: int, stop: int) -> Any:
        cut = pc.utf8_slice_codeunits(texts_there, start, stop)
        digits = pc.if_else(pc.match_substring_regex(cut, r"^\d+$"), cut, pa.scalar("0"))
        return digits.cast(pa.int64()).to_numpy()

    year, month, day = part(0, 4), part(5, 7), part(8, 10)
    hour, minute = part(11, 13), part(14, 16)
    second = np.where(_at(texts_there, 16, ":"), part(17, 19), 0)
    first = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    days = first.astype("datetime64[D]") + (day - 1)
    possible = (
        (month >= 1) & (month <= 12) & (day >= 1) & (days.astype("datetime64[M]") == first)
        & (hour <= 23) & (minute <= 59) & (second <= 59)
    )  # fmt: skip
    fraction = pc.replace_substring_regex(texts_there, r"^[^.]*(?:\.(\d{1,6})\d*)?.*$", r"\1")
    micro = pc.utf8_rpad(fraction, 6, "0").cast(pa.int64()).to_numpy()
    moments = days.astype("datetime64[us]") + (((hour * 60 + minute) * 60 + second) * 1_000_000 + micro)
    offset, zoned = _offsets(texts_there)
    if zoned.any() and not zoned[fits].all():
        raise wrong_file("mixed_time_zones", f"column {name} has times with and without a time zone")
    possible &= np.abs(offset) <= 24 * 60
    texts_shown = texts
    file.problems.add_where(
        ~(fits & possible), file.numbers, name, "bad_date", lambda row: _no_date(texts_shown[row].as_py())
    )
    good = fits & possible
    midnight = moments == moments.astype("datetime64[D]")
    if not midnight[good].all():  # of days only the written date counts
        moments = moments - (offset * 60_000_000).astype("timedelta64[us]")
    return np.where(good, moments, np.datetime64(0, "us")), good, bool(zoned.any())


def _at(texts: Any, position: int, mark: str) -> Flags:
    import pyarrow.compute as pc

    found: Flags = pc.equal(pc.utf8_slice_codeunits(texts, position, position + 1), mark).to_numpy()
    return found


def _offsets(texts: Any) -> tuple[Any, Flags]:
    """Minutes east of UTC, and which texts name a zone."""
    import pyarrow as pa
    import pyarrow.compute as pc

    zoned = pc.match_substring_regex(texts, r"[T ].*(Z|[+-]\d{2}:?\d{2})$").to_numpy()
    signed = pc.match_substring_regex(texts, r"[T ].*[+-]\d{2}:?\d{2}$")
    if not pc.any(signed).as_py():
        return np.zeros(len(zoned), dtype=np.int64), zoned
    tail = pc.replace_substring_regex(texts, r"^.*([+-]\d{2}):?(\d{2})$", r"\1\2")
    tail = pc.if_else(signed, tail, pa.scalar("+0000"))
    hours = pc.utf8_slice_codeunits(tail, 1, 3).cast(pa.int64()).to_numpy()
    minutes = pc.utf8_slice_codeunits(tail, 3, 5).cast(pa.int64()).to_numpy()
    sign = np.where(_at(tail, 0, "-"), -1, 1)
    return sign * (hours * 60 + minutes), zoned


def _no_date(text: str | None) -> str:
    if not text:
        return "is empty"
    return f"{shown(text)} is no date (write it as 2005-12-31, a moment as 2005-12-31T15:30:00Z)"
