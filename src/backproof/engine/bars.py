"""Bars: validated prices of some symbols, made once and reused by any number of runs."""

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from backproof.engine.frames import Series, read_frame
from backproof.errors import DataError, FieldError, InvalidInput

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
DateArray = npt.NDArray[np.datetime64]

_PANELS_KEPT = 16
_RUNS_KEPT = 64


def _read_only(array: FloatArray) -> FloatArray:
    view = array.view()
    view.flags.writeable = False
    return view


class Bars:
    """Prices of one or more symbols. Immutable.

    symbols: in the order of their first row
    dates:   datetime64[D] [T], the union of all symbols' dates
    open, high, low, close: float64 [N, T], adjusted for splits and dividends; NaN where a symbol has no bar
    """

    def __init__(self, series: Sequence[Series]) -> None:
        self._series = {one.symbol: one for one in series}
        self._panels: dict[tuple[str, ...], Panel] = {}

    @classmethod
    def from_frame(cls, frame: Any, symbol: str | None = None) -> "Bars":
        """Bars from a long frame: pandas, polars, Arrow, or anything with `__arrow_c_stream__`.

        Columns (any case, any order): `symbol`; `date` or `timestamp`; `close` and/or `adj_close`; all or none of
        `open`, `high`, `low`; optional `volume`, `dividend` (cash per share on the ex-date), `split_ratio` (new shares
        per old one). Prices are as traded. With `adj_close` they are adjusted by adj_close/close as stored; without it
        factors are computed from dividends and splits. A symbol without open, high and low runs with close fills only.
        Rows of one symbol stand in order of time; symbols may alternate.

        symbol: the name of the one symbol when the frame has no such column

        Raises DataError, which names symbol, date and column, for a missing column, no rows, a NaN, infinite, zero or
        negative price, a high below its low, dates that repeat or go back.
        """
        return cls(read_frame(frame, symbol))

    @property
    def symbols(self) -> tuple[str, ...]:
        return tuple(self._series)

    @property
    def dates(self) -> DateArray:
        return self.panel(self.symbols).dates

    @property
    def open(self) -> FloatArray:
        return _read_only(self.panel(self.symbols).open)

    @property
    def high(self) -> FloatArray:
        return _read_only(self.panel(self.symbols).high)

    @property
    def low(self) -> FloatArray:
        return _read_only(self.panel(self.symbols).low)

    @property
    def close(self) -> FloatArray:
        return _read_only(self.panel(self.symbols).close)

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
            panel = Panel.of([self._series[symbol] for symbol in symbols])
            if len(self._panels) >= _PANELS_KEPT:
                self._panels.pop(next(iter(self._panels)), None)
            self._panels[symbols] = panel
        return panel


@dataclass(frozen=True, eq=False)
class Panel:
    """Some symbols on one calendar: what the kernel reads.

    dates: [T], increasing; prices: float64 [N, T], C-contiguous, adjusted, NaN = no bar
    firsts, lasts: int64 [N], each symbol's first and last bar on the calendar
    counts: int64 [N], its number of bars
    """

    series: tuple[Series, ...]
    dates: DateArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    firsts: IntArray
    lasts: IntArray
    counts: IntArray
    _places: tuple[IntArray | slice, ...]
    _memory: dict[Any, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, series: Sequence[Series]) -> "Panel":
        if len({one.dates.dtype for one in series}) > 1:
            raise DataError("some symbols have times of day and some have dates only")
        dates = series[0].dates
        if any(len(one.dates) != len(dates) or not np.array_equal(one.dates, dates) for one in series[1:]):
            dates = np.unique(np.concatenate([one.dates for one in series]))
        shape = (len(series), len(dates))
        prices = {name: np.full(shape, np.nan) for name in ("open", "high", "low", "close")}
        places: list[IntArray | slice] = []
        firsts, lasts = np.empty(len(series), dtype=np.int64), np.empty(len(series), dtype=np.int64)
        for n, one in enumerate(series):
            first, last = np.searchsorted(dates, one.dates[[0, -1]])
            firsts[n], lasts[n] = first, last
            whole = last - first + 1 == len(one.dates)
            place = slice(int(first), int(last) + 1) if whole else np.searchsorted(dates, one.dates)
            places.append(place)
            for name, values in prices.items():
                values[n, place] = getattr(one, name) * one.factor
        counts = np.array([len(one.dates) for one in series], dtype=np.int64)
        return cls(
            series=tuple(series),
            dates=dates,
            open=prices["open"],
            high=prices["high"],
            low=prices["low"],
            close=prices["close"],
            firsts=firsts,
            lasts=lasts,
            counts=counts,
            _places=tuple(places),
        )

    @property
    def symbols(self) -> tuple[str, ...]:
        return tuple(one.symbol for one in self.series)

    def span(self, start: dt.date | None, end: dt.date | None) -> tuple[int, int]:
        """Bars [first, stop) whose dates lie in start..end, both inclusive, None = open."""
        days = self.dates.astype("datetime64[D]")
        first = 0 if start is None else int(np.searchsorted(days, np.datetime64(start, "D"), side="left"))
        stop = len(days) if end is None else int(np.searchsorted(days, np.datetime64(end, "D"), side="right"))
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
        place = self._places[n]
        if isinstance(place, slice):
            return slice(min(place.start, stop), min(place.stop, stop))
        return place[: int(np.searchsorted(place, stop))]

    @cached_property
    def adjusted(self) -> bool:
        """Some price is not as traded."""
        return any(bool((one.factor != 1.0).any()) for one in self.series)

    @cached_property
    def close_only(self) -> tuple[str, ...]:
        return tuple(one.symbol for one in self.series if one.close_only)

    @cached_property
    def median_step_days(self) -> float:
        if len(self.dates) < 2:
            return float("inf")
        return float(np.median(np.diff(self.dates.astype("datetime64[D]")).astype(np.int64)))

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


@dataclass(frozen=True, eq=False)
class RunBars:
    """What a strategy sees: every bar up to the run's last one, and where the run starts.

    first: the run's first bar on the calendar; bars before it are warm-up
    stop:  one past the run's last bar; arrays are [N, stop], read-only, NaN = no bar
    """

    panel: Panel
    first: int
    stop: int

    @property
    def symbols(self) -> tuple[str, ...]:
        return self.panel.symbols

    @property
    def dates(self) -> DateArray:
        return self.panel.dates[: self.stop]

    @cached_property
    def open(self) -> FloatArray:
        return _read_only(self.panel.open[:, : self.stop])

    @cached_property
    def high(self) -> FloatArray:
        return _read_only(self.panel.high[:, : self.stop])

    @cached_property
    def low(self) -> FloatArray:
        return _read_only(self.panel.low[:, : self.stop])

    @cached_property
    def close(self) -> FloatArray:
        return _read_only(self.panel.close[:, : self.stop])

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

    def growth(self, at: IntArray, lookback: int, skip: int) -> FloatArray:
        """close[i-skip]/close[i-lookback] - 1 over own bars, i the last one by that day: [len(at), N], NaN before."""
        result = np.full((len(at), len(self.panel.series)), np.nan)
        for n in range(len(self.panel.series)):
            own = self.own(n)
            close = self.panel.close[n, own]
            i = at - own.start if isinstance(own, slice) else np.searchsorted(own, at, side="right") - 1
            i = np.minimum(i, len(close) - 1)
            known = i >= lookback
            result[known, n] = close[i[known] - skip] / close[i[known] - lookback] - 1.0
        return result


def content_hash(bars: Bars, run: RunBars, benchmark: str | None) -> str:
    """SHA-256 of all a run can read: dates, prices and factors up to its last bar, and which symbols end."""
    digest = hashlib.sha256()
    last = run.dates[-1]
    ended = dict(zip(run.symbols, (run.ended >= 0).tolist(), strict=True))
    for symbol in sorted({*run.symbols, *([benchmark] if benchmark else [])}):
        one = bars.series(symbol)
        count = int(np.searchsorted(one.dates, last, side="right"))
        digest.update(f"{symbol}\n{count}\n{one.close_only}\n{ended.get(symbol)}\n".encode())
        digest.update(one.dates[:count].astype("datetime64[us]").astype("<i8").tobytes())
        for values in (one.open, one.high, one.low, one.close, one.factor, one.volume):
            if values is None:
                digest.update(b"none")
            else:
                digest.update(np.where(np.isnan(values[:count]), np.nan, values[:count]).astype("<f8").tobytes())
    return digest.hexdigest()
