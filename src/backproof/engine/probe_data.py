"""The bars of a run with another future, or with less history: what the probes show a strategy.

Dates, listings and delistings stay as they are, because schedules come from them; only what a strategy must not know
yet is changed. Panels are made cheaply: one symbol's arrays are copied once, its past is never touched.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from backproof.engine.arrays import FloatArray, IntArray, Market
from backproof.engine.bars import Bars, Panel, RunBars
from backproof.engine.frames import Series

Change = Literal["cut", "noise", "mirrored noise", "reversed", "run ends"]

PRICE_CHANGES: tuple[Change, ...] = ("cut", "noise", "mirrored noise", "reversed")
_KEPT = ("days", "gaps", "median_step")  # of a panel: they depend on its dates only
_LEAST_SCALE = 0.01  # of a price that never moves
_FARTHEST = 5.0  # logarithm of the greatest move of a made-up price, so that every one is a possible price


def same(panel: Panel) -> Panel:
    """The same bars in arrays of their own."""
    copy = _with_dates_of(replace(panel, _memory={}), panel)
    copy.__dict__["adjusted"] = Market(*(values.copy() for values in panel.adjusted))
    return copy


def bars_of(bars: Bars, panel: Panel) -> Bars:
    """Bars whose symbols of the run are those of `panel`; the others (a benchmark) as they were."""
    others = [bars.series(symbol) for symbol in bars.symbols if symbol not in panel.symbols]
    changed = Bars([*panel.series, *others], bars.calendar.name)
    changed._panels[panel.symbols] = panel
    return changed


class Futures:
    """Panels that equal the given one up to a bar t, with other prices after it. Equal seeds give equal panels."""

    def __init__(self, panel: Panel, seed: int = 0) -> None:
        self._panel = panel
        self._seed = seed

    def changed(self, change: Change, t: int) -> Panel:
        """`run ends`: the calendar itself ends on bar t + 1, which has a made-up price."""
        if change == "cut":
            return self._replaced(t, _cut)
        if change == "run ends":
            return self._ended(t)
        if change == "reversed":
            return self._replaced(t, _reversed)
        mirrored = change == "mirrored noise"
        return self._replaced(t, lambda candles, known: candles.noise(known, mirrored=mirrored))

    def _replaced(self, t: int, future: Callable[["_Candles", int], Series]) -> Panel:
        """Each symbol's bars after t replaced; `future` is given how many of its own bars are known at t."""
        panel = self._panel
        series, places = list(panel.series), list(panel.places)
        counts = panel.counts.copy()
        for n, candles in enumerate(self._candles):
            known = own_bars(panel, n, t + 1)
            if known == panel.counts[n]:
                continue
            series[n] = future(candles, known)
            counts[n] = len(series[n].dates)
            places[n] = _first_places(panel.places[n], int(counts[n]))
        changed = replace(panel, series=tuple(series), places=tuple(places), counts=counts, _memory={})
        return _with_dates_of(changed, panel)

    def _ended(self, t: int) -> Panel:
        panel, stop = self._panel, t + 2
        series, places, counts = [], [], []
        for n, candles in enumerate(self._candles):
            kept, known = own_bars(panel, n, stop), own_bars(panel, n, t + 1)
            series.append(_until(candles.noise(known) if kept > known else panel.series[n], kept))
            places.append(_first_places(panel.places[n], kept))
            counts.append(kept)
        return replace(
            panel,
            series=tuple(series),
            dates=panel.dates[:stop],
            firsts=np.minimum(panel.firsts, stop - 1),
            lasts=np.minimum(panel.lasts, stop - 1),
            places=tuple(places),
            counts=np.array(counts, dtype=np.int64),
            _memory={},
        )

    @cached_property
    def _candles(self) -> "list[_Candles]":
        rng = np.random.default_rng(self._seed)
        return [_Candles(one, np.random.default_rng(rng.integers(2**63))) for one in self._panel.series]


class _Candles:
    """What made-up prices of one symbol are made of: its own scale, and the shapes of its own candles, shuffled."""

    def __init__(self, series: Series, rng: np.random.Generator) -> None:
        self.series = series
        self._rng = rng

    @cached_property
    def _shuffled(self) -> IntArray:
        return self._rng.permutation(len(self.series.dates))

    @cached_property
    def _steps(self) -> FloatArray:
        """Logarithms of made-up daily moves."""
        with np.errstate(divide="ignore", invalid="ignore"):
            moves = np.diff(np.log(self.series.close * self.series.factor))
        scale = float(np.std(moves)) if len(moves) > 1 else 0.0
        if not _LEAST_SCALE * 1e-3 < scale < np.inf:
            scale = _LEAST_SCALE
        return self._rng.normal(0.0, scale, len(self.series.dates))

    @cached_property
    def _shapes(self) -> tuple[FloatArray, ...]:
        """Logarithms of open, high and low over the close, of other bars than their own."""
        one = self.series
        return tuple(np.log(values / one.close)[self._shuffled] for values in (one.open, one.high, one.low))

    def noise(self, known: int, *, mirrored: bool = False) -> Series:
        """From own bar `known` on a random walk of the symbol's scale; mirrored: every rise of it a fall."""
        one = self.series
        sign = -1.0 if mirrored else 1.0
        start = float(one.close[max(known - 1, 0)] * one.factor[max(known - 1, 0)])
        walk = np.clip(np.cumsum(self._steps[known:]), -_FARTHEST, _FARTHEST)
        close = start * np.exp(sign * walk) / one.factor[known:]
        if one.close_only:
            return _continued(one, known, (close, close, close, close), self._shuffled)
        open_, high, low = (shape[known:] for shape in self._shapes)
        if mirrored:
            high, low = low, high
        around = tuple(close * np.exp(sign * shape) for shape in (open_, high, low))
        return _continued(one, known, (*around, close), self._shuffled)


def _cut(candles: _Candles, known: int) -> Series:
    return _until(candles.series, known)


def _reversed(candles: _Candles, known: int) -> Series:
    """The bars after `known` in the opposite order."""
    one = candles.series
    order = np.arange(len(one.dates))
    order[known:] = order[known:][::-1]
    ratio = (one.factor[order] / one.factor)[known:]
    prices = tuple(values[order][known:] * ratio for values in (one.open, one.high, one.low, one.close))
    return _continued(one, known, prices, order)


def _continued(one: Series, known: int, prices: tuple[FloatArray, ...], order: IntArray) -> Series:
    """The series with its first `known` bars and these after them; volumes in another order, no more events.

    prices: open, high, low, close of the bars from `known` on
    """
    open_, high, low, close = prices

    def joined(past: FloatArray, future: FloatArray) -> FloatArray:
        return np.concatenate((past[:known], future))

    def without_events(events: FloatArray | None, none: float) -> FloatArray | None:
        return None if events is None else joined(events, np.full(len(events) - known, none))

    new_close = joined(one.close, close)
    return replace(
        one,
        open=new_close if one.close_only else joined(one.open, open_),
        high=new_close if one.close_only else joined(one.high, high),
        low=new_close if one.close_only else joined(one.low, low),
        close=new_close,
        volume=None if one.volume is None else joined(one.volume, one.volume[order[known:]]),
        split=without_events(one.split, 1.0),
        dividend=without_events(one.dividend, 0.0),
    )


@dataclass(frozen=True, slots=True)
class Shortened:
    """A run that was given less history. skipped: bars of the calendar that are not there any more."""

    run: RunBars
    skipped: int


def shortened(panel: Panel, first: int, stop: int, history: int) -> Shortened:
    """The run from `first` on with each symbol's last `history` own bars before it, and none earlier."""
    begins = []
    for n in range(len(panel.series)):
        known = own_bars(panel, n, first)
        begins.append(max(known - history, 0))
    places = [_place_of(panel.places[n], begin) for n, begin in enumerate(begins)]
    skipped = int(min([first, *places]))
    series = [_from(one, begin) for one, begin in zip(panel.series, begins, strict=True)]
    changed = replace(
        panel,
        series=tuple(series),
        dates=panel.dates[skipped:],
        firsts=np.maximum(panel.firsts - skipped, 0),  # listed before: still listed
        lasts=panel.lasts - skipped,
        places=tuple(_later_places(panel.places[n], begin, skipped) for n, begin in enumerate(begins)),
        counts=np.array([len(one.dates) for one in series], dtype=np.int64),
        _memory={},
    )
    return Shortened(RunBars(changed, first - skipped, stop - skipped), skipped)


def own_bars(panel: Panel, n: int, stop: int) -> int:
    """How many bars symbol n has before calendar bar `stop`."""
    place = panel.places[n]
    if isinstance(place, slice):
        return int(min(max(stop - place.start, 0), place.stop - place.start))
    return int(np.searchsorted(place, stop))


def _place_of(place: "IntArray | slice", i: int) -> int:
    """Calendar bar of own bar i, one after the last where there are fewer."""
    if isinstance(place, slice):
        return int(min(place.start + i, place.stop))
    return int(place[i]) if i < len(place) else int(place[-1]) + 1


def _first_places(place: "IntArray | slice", count: int) -> "IntArray | slice":
    if isinstance(place, slice) or not count:
        start = place.start if isinstance(place, slice) else int(place[0])
        return slice(start, start + count)
    return place[:count]


def _later_places(place: "IntArray | slice", begin: int, skipped: int) -> "IntArray | slice":
    if isinstance(place, slice):
        return slice(place.start + begin - skipped, place.stop - skipped)
    return place[begin:] - skipped


def _until(one: Series, count: int) -> Series:
    return _part(one, slice(0, count))


def _from(one: Series, begin: int) -> Series:
    return _part(one, slice(begin, None))


def _part(one: Series, part: slice) -> Series:
    def of(values: FloatArray | None) -> FloatArray | None:
        return None if values is None else values[part]

    return replace(
        one,
        dates=one.dates[part],
        open=one.open[part],
        high=one.high[part],
        low=one.low[part],
        close=one.close[part],
        factor=one.factor[part],
        volume=of(one.volume),
        split=of(one.split),
        dividend=of(one.dividend),
    )


def _with_dates_of(changed: Panel, panel: Panel) -> Panel:
    """Spare it the work of computing again what its dates alone decide."""
    for name in _KEPT:
        changed.__dict__[name] = getattr(panel, name)
    return changed
