"""Long price frames of any library as clean columns per symbol, or a DataError that says where they are wrong."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from backproof.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

FloatArray = npt.NDArray[np.float64]
DateArray = npt.NDArray[np.datetime64]

_PRICES = ("open", "high", "low", "close")
LEAST_PRICE, GREATEST_PRICE = 1e-12, 1e15  # beyond these an account soon has no number any more
_BETWEEN = 1e-6  # open and close may lie outside high and low by this part, from rounding
_NUMBERS = (*_PRICES, "adj_close", "volume", "dividend", "split_ratio")


@dataclass(frozen=True, slots=True)
class Series:
    """One symbol's own bars, oldest first; arrays have shape (bars,), prices are as traded, account currency per share.

    dates:      datetime64[D], or [us] where the frame has times of day
    factor:     adjusted price / price; 1 where nothing is to be adjusted
    volume:     shares, NaN where unknown; None when the frame has none
    close_only: there are no open, high, low; the arrays repeat the close
    as_traded:  False where adj_close alone served as close: what was really paid is not known
    split:      new shares per old one on the day it takes effect, 1 = none; None when there never is one
    dividend:   cash per share after the split on the ex-date; None when there never is one
    """

    symbol: str
    dates: DateArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    factor: FloatArray
    volume: FloatArray | None
    close_only: bool
    split: FloatArray | None = None
    dividend: FloatArray | None = None
    as_traded: bool = True


def read_frame(frame: Any, symbol: str | None = None) -> list[Series]:
    """The series of a long frame, in order of first appearance. See Bars.from_frame."""
    table = _arrow_table(frame)
    names = {str(name).lower(): name for name in table.column_names}
    when = next((names[name] for name in ("date", "timestamp") if name in names), None)
    if when is None:
        raise DataError("the frame has no column date (or timestamp)", column="date")
    if "close" not in names and "adj_close" not in names:
        raise DataError("the frame has no column close (or adj_close)", column="close")
    given = [name for name in ("open", "high", "low") if name in names]
    if given and len(given) < 3:
        missing = next(name for name in ("open", "high", "low") if name not in names)
        raise DataError(f"the frame has {' and '.join(given)} but no column {missing}", column=missing)
    if not table.num_rows:
        raise DataError("the frame has no rows")
    codes, symbols = _symbols(table, names, symbol)
    dates = _dates(table.column(when), when)
    columns = {name: _numbers(table.column(names[name]), name) for name in _NUMBERS if name in names}

    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(len(symbols) + 1))
    days = None if dates.dtype == np.dtype("datetime64[D]") else dates.astype("datetime64[D]")
    series = []
    for number, name in enumerate(symbols):
        rows = order[starts[number] : starts[number + 1]]
        if rows[-1] - rows[0] + 1 == len(rows):  # contiguous in the frame: the usual case, and cheap
            where: Any = slice(int(rows[0]), int(rows[-1]) + 1)
        else:
            where = rows
        own = {column: values[where] for column, values in columns.items()}
        if days is not None and len(rows) > 1 and bool((dates[where] == days[where]).all()):
            raise DataError(f"{name} has dates only, other rows have times of day", symbol=name, column=when)
        series.append(_series(name, dates[where], own))
    return series


def _arrow_table(frame: Any) -> "pa.Table":
    import pyarrow as pa

    if isinstance(frame, pa.Table):
        return frame
    if isinstance(frame, pa.RecordBatch):
        return pa.Table.from_batches([frame])
    if hasattr(frame, "collect_schema") and hasattr(frame, "collect"):  # a lazy polars frame
        frame = frame.collect()
    try:
        if type(frame).__module__.split(".")[0] == "pandas":
            return pa.Table.from_pandas(frame)  # keeps a named index (symbol, date) as columns
        if hasattr(frame, "__arrow_c_stream__"):
            return pa.table(frame)
        if isinstance(frame, dict):
            return pa.table(frame)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise DataError(f"the frame cannot be read: {error}") from None
    raise DataError(f"bars come as a pandas, polars or Arrow frame, not as {type(frame).__name__}")


def _symbols(table: "pa.Table", names: dict[str, str], symbol: str | None) -> tuple[npt.NDArray[np.int64], list[str]]:
    import pyarrow as pa
    import pyarrow.compute as pc

    if "symbol" not in names:
        if symbol is None:
            raise DataError("the frame has no column symbol (for one symbol give symbol=...)", column="symbol")
        return np.zeros(table.num_rows, dtype=np.int64), [symbol]
    column = table.column(names["symbol"])
    if column.null_count:
        raise DataError("symbol is empty", column="symbol", row=_first(pc.is_null(column).to_numpy()))
    if pa.types.is_dictionary(column.type):
        column = _decoded(column)
    if not (
        pa.types.is_string(column.type) or pa.types.is_large_string(column.type) or str(column.type) == "string_view"
    ):
        raise DataError(f"symbol is not a text but {column.type}", column="symbol")
    encoded = pc.dictionary_encode(pc.cast(column, pa.string())).combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.chunk(0)
    return encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64), encoded.dictionary.to_pylist()


def _decoded(column: "pa.ChunkedArray") -> "pa.ChunkedArray":
    """A dictionary column as plain values; polars' text views cannot be decoded directly."""
    import pyarrow as pa

    kind = pa.string() if str(column.type.value_type) == "string_view" else column.type.value_type
    chunks = [
        pa.DictionaryArray.from_arrays(chunk.indices, chunk.dictionary.cast(kind)).dictionary_decode()
        for chunk in column.chunks
    ]
    return pa.chunked_array(chunks, kind)


def _dates(column: "pa.ChunkedArray", name: str) -> DateArray:
    """Whole dates where no time of day is given (on the clock of the column's zone), else moments in UTC."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    try:
        if pa.types.is_dictionary(kind):
            column = _decoded(column)
            kind = column.type
        if pa.types.is_string(kind) or pa.types.is_large_string(kind) or str(kind) == "string_view":
            column = pc.cast(pc.cast(column, pa.string()), pa.timestamp("us"))
        elif pa.types.is_timestamp(kind):
            if kind.tz is not None:
                local = pc.cast(pc.local_timestamp(column), pa.timestamp("us"))
                if not _has_times(local):
                    column = local
            column = pc.cast(column, pa.timestamp("us"))  # drops a zone and leaves UTC
        elif pa.types.is_date(kind):
            column = pc.cast(column, pa.timestamp("us"))
        else:
            raise DataError(f"{name} holds no dates but {kind}", column=name)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(f"{name} cannot be read as dates: {error}", column=name) from None
    if column.null_count:
        raise DataError(f"{name} is empty in a row", column=name, row=_first(pc.is_null(column).to_numpy()))
    moments: DateArray = column.to_numpy().astype("datetime64[us]")
    return moments if _has_times(column) else moments.astype("datetime64[D]")


def _has_times(column: "pa.ChunkedArray") -> bool:
    moments = column.to_numpy()
    return bool((moments.astype("datetime64[D]") != moments)[~np.isnat(moments)].any())


def _numbers(column: "pa.ChunkedArray", name: str) -> FloatArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if not (
        pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind)
    ):
        raise DataError(f"{name} holds no numbers but {kind}", column=name)
    values = pc.cast(column, pa.float64(), safe=False).to_numpy()  # nulls become NaN
    return np.array(values, dtype=np.float64)  # a copy: kernels take no read-only arrays


def _first(flags: npt.NDArray[np.bool_]) -> int:
    return int(np.argmax(flags))


def _fail(symbol: str, dates: DateArray, bad: npt.NDArray[np.bool_], column: str, what: str) -> None:
    if bad.any():
        day = str(dates[_first(bad)])
        raise DataError(f"{symbol} {day}: {what}", symbol=symbol, date=day, column=column)


def _series(symbol: str, dates: DateArray, own: dict[str, FloatArray]) -> Series:
    if len(dates) > 1:
        step = np.diff(dates).astype(np.int64)
        _fail(symbol, dates[1:], step == 0, "date", "the date is there twice")
        _fail(symbol, dates[1:], step < 0, "date", "dates are not in increasing order")
    adjusted = own.get("adj_close")
    close = own.get("close")
    split = _events(symbol, dates, own.get("split_ratio"), 1.0, "split_ratio")
    dividend = _events(symbol, dates, own.get("dividend"), 0.0, "dividend")
    if adjusted is not None and np.isnan(adjusted).all():
        adjusted = None
    close_only = "open" not in own or all(np.isnan(own[name]).all() for name in ("open", "high", "low"))
    as_traded = close is not None and (adjusted is None or not np.isnan(close).all())
    if close is None or not as_traded:
        if not close_only:
            raise DataError(f"{symbol} has open, high and low but no close", symbol=symbol, column="close")
        close, adjusted = own["adj_close"], None
        split = dividend = None  # they are in it already
    prices = {name: close if close_only or name == "close" else own[name] for name in _PRICES}
    for name in ("close",) if close_only else _PRICES:
        _check_price(symbol, dates, prices[name], name)
    if not close_only:
        _fail(symbol, dates, prices["high"] < prices["low"], "high", "high is below low")
        top, bottom = prices["high"] * (1.0 + _BETWEEN), prices["low"] * (1.0 - _BETWEEN)
        for name in ("open", "close"):  # a stop could neither be reached nor trusted
            outside = (prices[name] > top) | (prices[name] < bottom)
            _fail(symbol, dates, outside, name, f"{name} is not between low and high")
    if adjusted is not None:
        _check_price(symbol, dates, adjusted, "adj_close")
        factor = adjusted / close
    else:
        factor = _factors(symbol, dates, close, split, dividend)
    volume = own.get("volume")
    if volume is not None:
        _fail(symbol, dates, np.isinf(volume) | (volume < 0.0), "volume", "volume is negative or infinite")
    return Series(
        symbol,
        dates,
        **prices,
        factor=factor,
        volume=volume,
        close_only=close_only,
        split=split,
        dividend=dividend,
        as_traded=as_traded,
    )


def _check_price(symbol: str, dates: DateArray, values: FloatArray, name: str) -> None:
    good = (values >= LEAST_PRICE) & (values <= GREATEST_PRICE)
    if not good.all():
        _fail(symbol, dates, np.isnan(values), name, f"{name} is missing (NaN)")
        _fail(symbol, dates, np.isinf(values), name, f"{name} is infinite")
        _fail(symbol, dates, values < 0.0, name, f"{name} is negative")
        _fail(symbol, dates, values == 0.0, name, f"{name} is zero")
        _fail(symbol, dates, ~good, name, f"{name} is not between {LEAST_PRICE:g} and {GREATEST_PRICE:g}")


def adjustment(
    close: FloatArray, split: FloatArray | None, dividend: FloatArray | None, *, at_ex_close: bool = False
) -> tuple[FloatArray, npt.NDArray[np.int64]]:
    """Adjustment factors of raw closes, and the bars whose dividend is not below the close before (they count as none).

    1 on the last bar; before an event times (1/ratio) x (1 - dividend/(close before/ratio)).
    at_ex_close: as other vendors have it, times (1/ratio) x close/(close + dividend) of the day of the event
    """
    count = len(close)
    factor = np.ones(count)
    ratios = np.ones(count) if split is None else split
    paid = np.zeros(count) if dividend is None else dividend
    impossible = []
    stop, known = count, 1.0  # factor of bars before `stop`, and after it down to the event found last
    for i in np.flatnonzero((ratios != 1.0) | (paid != 0.0))[::-1]:
        if i == 0:
            continue
        factor[i:stop] = known
        before = close[i - 1] / ratios[i]  # the previous close in the shares of after the split
        kept = 1.0 - paid[i] / before
        if kept <= 0.0:
            impossible.append(int(i))
            kept = 1.0
        elif at_ex_close:
            kept = close[i] / (close[i] + paid[i])
        known, stop = known / ratios[i] * kept, i
    factor[:stop] = known
    return factor, np.array(impossible[::-1], dtype=np.int64)


def unexplained(series: Series) -> float:
    """How far stored adjusted closes move without a split or dividend that explains it, as a fraction."""
    spread = math.inf
    for at_ex_close in (False, True):
        factor, _ = adjustment(series.close, series.split, series.dividend, at_ex_close=at_ex_close)
        ratio = series.factor / factor
        spread = min(spread, float(ratio.max() / ratio.min() - 1.0))
        if series.dividend is None:
            break
    return spread


def _factors(
    symbol: str, dates: DateArray, close: FloatArray, split: FloatArray | None, dividend: FloatArray | None
) -> FloatArray:
    factor, impossible = adjustment(close, split, dividend)
    _fail_dividends(symbol, dates, impossible)
    return factor


def check_dividends(series: Series) -> None:
    """DataError when a dividend is not below the close before: paid in cash it would be a wrong number."""
    _fail_dividends(series.symbol, series.dates, adjustment(series.close, series.split, series.dividend)[1])


def _fail_dividends(symbol: str, dates: DateArray, impossible: npt.NDArray[np.int64]) -> None:
    bad = np.isin(np.arange(len(dates)), impossible)
    _fail(symbol, dates, bad, "dividend", "the dividend is not below the previous close")


def _events(symbol: str, dates: DateArray, values: FloatArray | None, none: float, name: str) -> FloatArray | None:
    """The column with `none` where it is empty; None when there is no such column or nothing ever happens in it."""
    if values is None:
        return None
    _fail(symbol, dates, np.isinf(values), name, f"{name} is infinite")
    values = np.where(np.isnan(values), none, values)
    if name == "split_ratio":
        _fail(symbol, dates, values <= 0.0, name, "split_ratio is not above zero")
    else:
        _fail(symbol, dates, values < 0.0, name, "dividend is negative")
    return values if (values != none).any() else None
