"""Bars: validated prices of some symbols, made once and reused by any number of runs."""

import datetime as dt
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from backproof.engine.arrays import Actions, FloatArray, IntArray, Market
from backproof.engine.calendar import DEFAULT_CALENDAR, Calendar, DateArray, find_calendar, local_days
from backproof.engine.frames import Series, check_dividends, read_frame
from backproof.errors import DataError, FieldError, InvalidInput

_PANELS_KEPT = 16
_RUNS_KEPT = 64


def _read_only(array: FloatArray) -> FloatArray:
    view = array.view()
    view.flags.writeable = False
    return view


class Bars:
    """Prices of one or more symbols. Immutable.

    symbols: in the order of their first row
    dates:   [T], the union of all symbols' dates: datetime64[D], or the start of each bar in UTC, datetime64[us]
    open, high, low, close: float64 [N, T], adjusted for splits and dividends; NaN where a symbol has no bar
    calendar: whose days and time zone the bars have
    """

    def __init__(self, series: Sequence[Series], calendar: str = DEFAULT_CALENDAR) -> None:
        self._series = {one.symbol: one for one in series}
        self._panels: dict[tuple[str, ...], Panel] = {}
        self.calendar = find_calendar(calendar)

    @classmethod
    def from_frame(cls, frame: Any, symbol: str | None = None, *, calendar: str = DEFAULT_CALENDAR) -> "Bars":
        """Bars from a long frame: pandas, polars, Arrow, or anything with `__arrow_c_stream__`.

        Columns (any case, any order): `symbol`; `date` or `timestamp`; `close` and/or `adj_close`; all or none of
        `open`, `high`, `low`; optional `volume`, `dividend` (cash per share on the ex-date), `split_ratio` (new shares
        per old one). Prices are as traded. With `adj_close` they are adjusted by adj_close/close as stored; without it
        factors are computed from dividends and splits. A symbol without open, high and low runs with close fills only.
        Rows of one symbol stand in order of time; symbols may alternate. Times of day are the start of the bar, in UTC
        where the column has no zone.

        symbol:   the name of the one symbol when the frame has no such column
        calendar: the exchange (ISO 10383, such as XNYS or XKRX) whose days intraday bars are counted in, or 24/7

        Raises DataError, which names symbol, date and column, for a missing column, no rows, a NaN, infinite, zero or
        negative price, a high below its low, dates that repeat or go back.
        """
        return cls(read_frame(frame, symbol), calendar)

    @property
    def symbols(self) -> tuple[str, ...]:
        return tuple(self._series)

    @property
    def dates(self) -> DateArray:
        return self.panel(self.symbols).dates

    @property
    def open(self) -> FloatArray:
        return _read_only(self.panel(self.symbols).adjusted.open)

    @property
    def high(self) -> FloatArray:
        return _read_only(self.panel(self.symbols).adjusted.high)

    @property
    def low(self) -> FloatArray:
        return _read_only(self.panel(self.symbols).adjusted.low)

    @property
    def close(self) -> FloatArray:
        return _read_only(self.panel(self.symbols).adjusted.close)

    def __contains__(self, symbol: object) -> bool:
        return symbol in self._series

    def __repr__(self) -> str:
        dates = self.dates
        return f"Bars({len(self._series)} symbols, {len(dates)} bars, {dates[0]} to {dates[-1]})"

    def series(self, symbol: str) -> Series:
        """One symbol's own bars, as traded."""
        return self._series[symbol]

    def panel(self, symbols: tuple[str, ...]) -> "Panel":
        """The bars of `symbols` on the union of their dates; InvalidInput names the symbols that are not there."""
        panel = self._panels.get(symbols)
        if panel is None:
            unknown = [
                FieldError(f"/symbols/{i}", "unknown_symbol", f"the bars have no symbol {symbol}")
                for i, symbol in enumerate(symbols)
                if symbol not in self._series
            ]
            if unknown:
                raise InvalidInput(unknown)
            panel = Panel.of([self._series[symbol] for symbol in symbols], self.calendar)
            if len(self._panels) >= _PANELS_KEPT:
                self._panels.pop(next(iter(self._panels)), None)
            self._panels[symbols] = panel
        return panel


@dataclass(frozen=True, eq=False)
class Panel:
    """Some symbols on one calendar: what strategies and the kernel read.

    dates: [T], increasing; days: datetime64[D] [T], the market's day of each bar
    gaps: float64 [T], days since the bar before
    firsts, lasts: int64 [N], each symbol's first and last bar on the calendar
    counts: int64 [N], its number of bars
    """

    series: tuple[Series, ...]
    calendar: Calendar
    dates: DateArray
    firsts: IntArray
    lasts: IntArray
    counts: IntArray
    places: tuple[IntArray | slice, ...]
    _memory: dict[Any, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, series: Sequence[Series], calendar: Calendar) -> "Panel":
        if len({one.dates.dtype for one in series}) > 1:
            raise DataError("some symbols have times of day and some have dates only")
        dates = series[0].dates
        if any(len(one.dates) != len(dates) or not np.array_equal(one.dates, dates) for one in series[1:]):
            dates = np.unique(np.concatenate([one.dates for one in series]))
        places: list[IntArray | slice] = []
        firsts, lasts = np.empty(len(series), dtype=np.int64), np.empty(len(series), dtype=np.int64)
        for n, one in enumerate(series):
            first, last = (0, len(dates) - 1) if one.dates is dates else np.searchsorted(dates, one.dates[[0, -1]])
            firsts[n], lasts[n] = first, last
            whole = last - first + 1 == len(one.dates)
            places.append(slice(int(first), int(last) + 1) if whole else np.searchsorted(dates, one.dates))
        counts = np.array([len(one.dates) for one in series], dtype=np.int64)
        return cls(tuple(series), calendar, dates, firsts, lasts, counts, tuple(places))

    @cached_property
    def adjusted(self) -> Market:
        """Prices that strategies see, and that fill in adjusted mode."""
        return self._market([one.factor if (one.factor != 1.0).any() else None for one in self.series])

    @cached_property
    def raw(self) -> Market:
        """Prices as traded."""
        return self._market([None] * len(self.series)) if self.is_adjusted else self.adjusted

    def _market(self, factors: Sequence[FloatArray | None]) -> Market:
        shape = (len(self.series), len(self.dates))
        prices = {}
        for name in ("open", "high", "low", "close"):
            first = getattr(self.series[0], name)
            if len(self.series) == 1 and factors[0] is None and first.flags.c_contiguous and len(first) == shape[1]:
                prices[name] = first.reshape(shape)  # one symbol as traded: nothing to copy
                continue
            values = prices[name] = np.empty(shape)
            for n, (one, factor, place) in enumerate(zip(self.series, factors, self.places, strict=True)):
                if self.counts[n] != shape[1]:
                    values[n] = np.nan
                own = getattr(one, name)
                values[n, place] = own if factor is None else own * factor
        return Market(**prices, marks=self._marks(prices["close"]))

    def _marks(self, close: FloatArray) -> FloatArray:
        """The last close at each bar; the closes themselves where no symbol misses a bar."""
        holed = np.flatnonzero(~self.whole)
        if not len(holed):
            return close
        marks = close.copy()
        for n in holed:
            bars = np.arange(close.shape[1])
            known = np.maximum.accumulate(np.where(np.isnan(close[n]), self.firsts[n], bars))
            marks[n] = close[n, known]
        return marks

    @cached_property
    def actions(self) -> Actions:
        """Splits and dividends on the calendar, for raw mode."""
        first, bars, values = [0], [], []
        for n, one in enumerate(self.series):
            check_dividends(one)
            ratio = np.ones(len(one.dates)) if one.split is None else one.split
            paid = np.zeros(len(one.dates)) if one.dividend is None else one.dividend
            own = np.flatnonzero((ratio != 1.0) | (paid != 0.0))
            place = self.places[n]
            bars.append(own + place.start if isinstance(place, slice) else place[own])
            values.append(np.column_stack([ratio[own], paid[own]]))
            first.append(first[-1] + len(own))
        return Actions(
            np.array(first, dtype=np.int64),
            np.concatenate(bars).astype(np.int64),
            np.ascontiguousarray(np.concatenate(values)),
        )

    @property
    def symbols(self) -> tuple[str, ...]:
        return tuple(one.symbol for one in self.series)

    @property
    def intraday(self) -> bool:
        return self.dates.dtype != np.dtype("datetime64[D]")

    @cached_property
    def days(self) -> DateArray:
        return local_days(self.dates, self.calendar.zone) if self.intraday else self.dates

    @cached_property
    def gaps(self) -> FloatArray:
        return np.diff(self.days.astype(np.int64), prepend=self.days[:1].astype(np.int64)).astype(np.float64)

    def span(self, start: dt.date | None, end: dt.date | None) -> tuple[int, int]:
        """Bars [first, stop) whose days lie in start..end, both inclusive, None = open."""
        first = 0 if start is None else int(np.searchsorted(self.days, np.datetime64(start, "D"), side="left"))
        stop = len(self.days) if end is None else int(np.searchsorted(self.days, np.datetime64(end, "D"), side="right"))
        return first, stop

    def run(self, start: dt.date | None, end: dt.date | None) -> "RunBars":
        """The run over start..end, remembered: the same dates are asked for again and again."""
        run: RunBars | None = self._memory.get((start, end))
        if run is None:
            if len(self._memory) >= _RUNS_KEPT:
                self._memory.clear()
            run = self._memory[(start, end)] = RunBars(self, *self.span(start, end))
        return run

    def own(self, n: int, stop: int) -> "IntArray | slice":
        """Where symbol n has bars before calendar bar `stop`: a slice when it has no holes."""
        place = self.places[n]
        if isinstance(place, slice):
            return slice(min(place.start, stop), min(place.stop, stop))
        return place[: int(np.searchsorted(place, stop))]

    @cached_property
    def whole(self) -> npt.NDArray[np.bool_]:
        """bool [N]: the symbol has a bar on every date between its first and its last."""
        complete: npt.NDArray[np.bool_] = self.counts == self.lasts - self.firsts + 1
        return complete

    @cached_property
    def is_adjusted(self) -> bool:
        """Some price is not as traded."""
        return any(bool((one.factor != 1.0).any()) for one in self.series)

    @cached_property
    def close_only(self) -> tuple[str, ...]:
        return tuple(one.symbol for one in self.series if one.close_only)

    @cached_property
    def median_step(self) -> float:
        """Days between two bars, the median."""
        if len(self.dates) < 2:
            return float("inf")
        return float(np.median(np.diff(self.dates).astype("timedelta64[us]").astype(np.int64))) / 86_400_000_000

    @cached_property
    def closest(self) -> tuple[float, str]:
        """Usual (median) minutes between two bars of the symbol with the closest ones, and the symbol."""
        return min((_usual_step(one.dates) / 60_000_000, one.symbol) for one in self.series)

    def aligned_close(self, bars: Bars, symbol: str) -> FloatArray:
        """Another symbol's adjusted close on this calendar, NaN where it has no bar: [T]."""
        known: FloatArray | None = self._memory.get(("close", symbol))
        if known is None:
            one = bars.series(symbol)
            if one.dates.dtype != self.dates.dtype:
                raise DataError(f"{symbol} and the symbols of the run have different kinds of dates", symbol=symbol)
            known = np.full(len(self.dates), np.nan)
            place = np.searchsorted(self.dates, one.dates)
            place[place == len(self.dates)] = 0
            same = self.dates[place] == one.dates
            known[place[same]] = (one.close * one.factor)[same]
            self._memory[("close", symbol)] = known
        return known


def _usual_step(dates: DateArray) -> float:
    """Median microseconds between two bars: a short first hour of a session makes no difference."""
    if len(dates) < 2:
        return float("inf")
    return float(np.median(np.diff(dates).astype("timedelta64[us]").astype(np.int64)))


@dataclass(frozen=True, eq=False)
class RunBars:
    """What a strategy sees: every bar up to the run's last one, and where the run starts.

    first: the run's first bar on the calendar; bars before it are warm-up
    stop:  one past the run's last bar; arrays are [N, stop], read-only, NaN = no bar
    memory: keeps indicators that many runs over these bars share; None: nothing is kept
    """

    panel: Panel
    first: int
    stop: int
    memory: "Memory | None" = None

    @property
    def symbols(self) -> tuple[str, ...]:
        return self.panel.symbols

    @property
    def dates(self) -> DateArray:
        return self.panel.dates[: self.stop]

    @property
    def days(self) -> DateArray:
        """datetime64[D] [stop]: the market's day of each bar; schedules are made of these."""
        return self.panel.days[: self.stop]

    @cached_property
    def open(self) -> FloatArray:
        return _read_only(self.panel.adjusted.open[:, : self.stop])

    @cached_property
    def high(self) -> FloatArray:
        return _read_only(self.panel.adjusted.high[:, : self.stop])

    @cached_property
    def low(self) -> FloatArray:
        return _read_only(self.panel.adjusted.low[:, : self.stop])

    @cached_property
    def close(self) -> FloatArray:
        return _read_only(self.panel.adjusted.close[:, : self.stop])

    def own(self, n: int) -> "IntArray | slice":
        """Calendar bars on which symbol n has a bar."""
        return self.panel.own(n, self.stop)

    @cached_property
    def ended(self) -> IntArray:
        """int64 [N]: the symbol's last bar when its data end before the run does, else -1."""
        lasts = self.panel.lasts
        return np.where(lasts < self.stop - 1, lasts, -1)

    def listed(self, at: IntArray) -> npt.NDArray[np.bool_]:
        """bool [len(at), N]: the symbol has had its first bar and has not ended, with a bar on that day or not."""
        at = at[:, None]
        ended = self.ended
        result: npt.NDArray[np.bool_] = (self.panel.firsts <= at) & ((ended < 0) | (at < ended))
        return result


class Memory:
    """Arrays by name and arguments, those used last, up to a number of bytes. For any number of threads.

    Parts keep arrays of their own under the common limit.
    """

    def __init__(self, limit: int) -> None:
        self._shelf = _Shelf(limit)
        self._part: Hashable = None

    def part(self, name: Hashable) -> "Memory":
        """The part of this memory by that name."""
        part = copy(self)
        part._part = name
        return part

    def find(self, key: Hashable) -> FloatArray | None:
        return self._shelf.find((self._part, key))

    def get(self, key: Hashable, make: Callable[[], FloatArray]) -> FloatArray:
        known = self.find(key)
        return self._shelf.put((self._part, key), make()) if known is None else known


class _Shelf:
    """What a Memory and its parts keep."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: OrderedDict[Hashable, FloatArray] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def find(self, key: Hashable) -> FloatArray | None:
        with self._lock:
            known = self._kept.get(key)
            if known is not None:
                self._kept.move_to_end(key)
            return known

    def put(self, key: Hashable, made: FloatArray) -> FloatArray:
        with self._lock:
            if key not in self._kept:
                self._kept[key] = made
                self._bytes += made.nbytes
                while self._bytes > self._limit and len(self._kept) > 1:
                    self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return made


def content_hash(bars: Bars, run: RunBars, benchmark: str | None) -> str:
    """SHA-256 of all a run can read: dates, prices and factors up to its last bar, and which symbols end."""
    digest = hashlib.sha256()
    last = run.dates[-1]
    ended = dict(zip(run.symbols, (run.ended >= 0).tolist(), strict=True))
    for symbol in sorted({*run.symbols, *([benchmark] if benchmark else [])}):
        one = bars.series(symbol)
        count = int(np.searchsorted(one.dates, last, side="right"))
        digest.update(f"{symbol}\n{count}\n{one.close_only}\n{ended.get(symbol)}\n{bars.calendar.name}\n".encode())
        digest.update(one.dates[:count].astype("datetime64[us]").astype("<i8").tobytes())
        for values in (one.open, one.high, one.low, one.close, one.factor, one.volume, one.split, one.dividend):
            if values is None:
                digest.update(b"none")
            else:
                digest.update(np.where(np.isnan(values[:count]), np.nan, values[:count]).astype("<f8").tobytes())
    return digest.hexdigest()
