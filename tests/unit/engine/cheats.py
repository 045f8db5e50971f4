"""Strategies that know what they cannot know yet, and honest ones that look much like them."""

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from backproof.engine.bars import RunBars
from backproof.engine.calendar import period_ends
from backproof.engine.context import Context
from backproof.engine.decisions import Signals, Weights
from backproof.engine.layout import ENTER_LONG, EXIT_LONG, LIMIT_ENTRY
from backproof.engine.strategies import EventStrategy, Parameters, SignalStrategy, Strategy, WeightStrategy

FloatArray = npt.NDArray[np.float64]
AROUND = 5  # bars that a centred window has on each side


def rolling(values: FloatArray, count: int) -> FloatArray:
    """Mean of the last `count` values of each row, NaN where there are fewer or one of them is missing."""
    windows = np.lib.stride_tricks.sliding_window_view(values, count, axis=1)
    return np.concatenate([np.full((len(values), count - 1), np.nan), windows.mean(axis=2)], axis=1)


def earlier(values: FloatArray, bars: int) -> FloatArray:
    """Each row `bars` later; with a negative number that many earlier, which is the future."""
    result = np.full_like(values, np.nan)
    if bars >= 0:
        result[:, bars:] = values[:, : values.shape[1] - bars]
    else:
        result[:, :bars] = values[:, -bars:]
    return result


class ByWeight(WeightStrategy):
    """Decides on every bar the weights that `wanted` says, 0 where it says nothing."""

    name: ClassVar[str] = "by_weight"
    version: ClassVar[str] = "1"
    kind = "other"
    summary: ClassVar[str] = "Of the tests."
    Params: ClassVar[type[Parameters]] = Parameters

    def wanted(self, bars: RunBars) -> FloatArray:
        """[N, T]"""
        raise NotImplementedError

    def target_weights(self, bars: RunBars, indicators: Any) -> Weights:
        wanted = np.clip(np.nan_to_num(self.wanted(bars)), 0.0, 1.0) / len(bars.symbols)
        return Weights(np.arange(bars.stop), np.ascontiguousarray(wanted.T))


class BySignal(SignalStrategy):
    """Long while `line` is above zero."""

    name: ClassVar[str] = "by_signal"
    version: ClassVar[str] = "1"
    kind = "other"
    summary: ClassVar[str] = "Of the tests."
    Params: ClassVar[type[Parameters]] = Parameters

    def line(self, bars: RunBars) -> FloatArray:
        """[N, T]"""
        raise NotImplementedError

    def indicators(self, bars: RunBars) -> dict[str, FloatArray]:
        return {"line": self.line(bars)}

    def signals(self, bars: RunBars, indicators: Any) -> npt.NDArray[np.uint8]:
        line = indicators["line"]
        return ((line > 0) * np.uint8(ENTER_LONG) + (line <= 0) * np.uint8(EXIT_LONG)).astype(np.uint8)


class ByOrder(EventStrategy):
    """Decides bar by bar."""

    name: ClassVar[str] = "by_order"
    version: ClassVar[str] = "1"
    kind = "other"
    summary: ClassVar[str] = "Of the tests."
    Params: ClassVar[type[Parameters]] = Parameters


# --- cheats; `ahead`: how many bars the cheat reads ahead, None: to the end of the run


class CentredWindow(ByWeight):
    ahead = AROUND

    def wanted(self, bars: RunBars) -> FloatArray:
        return bars.close / earlier(rolling(bars.close, 2 * AROUND + 1), -AROUND) - 0.5


class NextClose(ByWeight):
    ahead = 1

    def wanted(self, bars: RunBars) -> FloatArray:
        return (earlier(bars.close, -1) > bars.close).astype(float)


class NextCloseAsSignal(BySignal):
    ahead = 1

    def line(self, bars: RunBars) -> FloatArray:
        return earlier(bars.close, -1) - bars.close


class NextCandleOnly(BySignal):
    """Knows only whether the next bar closes above its open, which noise around the same candles would keep."""

    ahead = 1

    def line(self, bars: RunBars) -> FloatArray:
        return earlier(bars.close / bars.open - 1.0, -1)


class CrossesTomorrow(BySignal):
    """Decides on the few bars of a crossing only, one bar too early."""

    ahead = 1

    def line(self, bars: RunBars) -> FloatArray:
        above = bars.close > rolling(bars.close, 20)
        line = np.full(bars.close.shape, np.nan)
        line[:, :-1] = above[:, 1:].astype(float) - above[:, :-1]
        line[line == 0.0] = np.nan
        return line


class NormalisedByEverything(ByWeight):
    ahead = None

    def wanted(self, bars: RunBars) -> FloatArray:
        mean, deviation = np.nanmean(bars.close, axis=1), np.nanstd(bars.close, axis=1)
        return 0.5 + 0.1 * (bars.close - mean[:, None]) / deviation[:, None]


class FittedOnEverything(ByWeight):
    """A straight line through the whole series; it fails where a price is missing."""

    ahead = None

    def wanted(self, bars: RunBars) -> FloatArray:
        bar = np.arange(bars.stop)
        if np.isnan(bars.close).any():
            raise ValueError("no line goes through a hole")
        lines = np.array([np.polyval(np.polyfit(bar, close, 1), bar) for close in bars.close])
        return 0.5 + (bars.close / lines - 1.0) * 0.1


class LengthOfData(ByWeight):
    ahead = None

    def wanted(self, bars: RunBars) -> FloatArray:
        part = np.arange(bars.close.shape[1]) / bars.close.shape[1]
        return np.tile(part, (len(bars.symbols), 1))


class OutBeforeTheLastDate(ByWeight):
    ahead = None

    def wanted(self, bars: RunBars) -> FloatArray:
        left = (bars.days[-1] - bars.days).astype(int)
        return np.tile((left > 60).astype(float), (len(bars.symbols), 1))


class LastBarsOnly(ByWeight):
    """Honest but for the last four bars, whose weight it takes from the very last price."""

    ahead = 3

    def wanted(self, bars: RunBars) -> FloatArray:
        wanted = np.full(bars.close.shape, 0.5)
        wanted[:, -4:] = np.clip(bars.close[:, -1:] / bars.close[:, -10:-9] - 0.5, 0.01, 0.99)
        return wanted


class OneSymbolOnly(ByWeight):
    ahead = 1

    def wanted(self, bars: RunBars) -> FloatArray:
        wanted = (earlier(bars.close, 1) < bars.close).astype(float)
        wanted[1] = (earlier(bars.close, -1) > bars.close)[1]
        return wanted


class NextCloseAtMonthsEnd(ByWeight):
    ahead = 1

    def target_weights(self, bars: RunBars, indicators: Any) -> Weights:
        at = period_ends(bars.days, bars.first, "monthly")
        rises = earlier(bars.close, -1)[:, at] > bars.close[:, at]
        return Weights(at, np.ascontiguousarray(rises.T / len(bars.symbols)))


class FilledBackwards(BySignal):
    """Missing prices take the next one's place."""

    ahead = None

    def line(self, bars: RunBars) -> FloatArray:
        close = bars.close.copy()
        for row in close:
            for bar in range(len(row) - 2, -1, -1):
                if np.isnan(row[bar]):
                    row[bar] = row[bar + 1]
        return close - rolling(close, 3)


class LimitAtTheNextLow(SignalStrategy):
    name: ClassVar[str] = "limit_at_the_next_low"
    version: ClassVar[str] = "1"
    kind = "other"
    summary: ClassVar[str] = "Of the tests."
    Params: ClassVar[type[Parameters]] = Parameters
    ahead = 1

    def signals(self, bars: RunBars, indicators: Any) -> Signals:
        levels = np.where(np.isnan(earlier(bars.low, -1)), bars.low, earlier(bars.low, -1))
        return Signals(np.full(levels.shape, ENTER_LONG | LIMIT_ENTRY, dtype=np.uint8), levels)


class NextVolume(ByWeight):
    """Reads what is not among its prices."""

    ahead = 1

    def wanted(self, bars: RunBars) -> FloatArray:
        volume = np.array([one.volume for one in bars.panel.series])
        return (earlier(volume, -1) > volume).astype(float)


class BeyondTheRun(ByWeight):
    """Reads bars after the run's end, which are there when `end_date` is before the data's."""

    ahead = 1

    def wanted(self, bars: RunBars) -> FloatArray:
        wanted = np.full(bars.close.shape, 0.5)
        close = bars.panel.adjusted.close
        if close.shape[1] > bars.stop:
            wanted[:, -1] = 0.5 + np.clip(close[:, bars.stop] / close[:, bars.stop - 1] - 1.0, -0.4, 0.4)
        return wanted


class NextCloseBarByBar(ByOrder):
    ahead = 1

    def indicators(self, bars: RunBars) -> dict[str, FloatArray]:
        return {"next": earlier(bars.close, -1)}

    def on_bar(self, ctx: Context) -> None:
        for symbol in ctx.symbols:
            if ctx.value("next", symbol) > ctx.bars[symbol].close[-1]:
                ctx.buy(symbol)
            else:
                ctx.close(symbol)


class ScaledBarByBar(ByOrder):
    ahead = None

    def indicators(self, bars: RunBars) -> dict[str, FloatArray]:
        return {"scaled": bars.close / np.nanmax(bars.close, axis=1, keepdims=True)}

    def on_bar(self, ctx: Context) -> None:
        for symbol in ctx.symbols:
            ctx.target_percent(0.9 / len(ctx.symbols) * ctx.value("scaled", symbol), symbol)


class LeavesBeforeTheEnd(ByOrder):
    """Knows how long the run is from its indicators."""

    ahead = None

    def indicators(self, bars: RunBars) -> dict[str, FloatArray]:
        self.length = bars.stop
        return {}

    def on_bar(self, ctx: Context) -> None:
        if ctx.bar == ctx.first + 1:
            ctx.buy(ctx.symbols[0])
        if ctx.bar == self.length - 30:
            ctx.close(ctx.symbols[0])


CHEATS: list[type[Strategy]] = [
    CentredWindow,
    NextClose,
    NextCloseAsSignal,
    NextCandleOnly,
    CrossesTomorrow,
    NormalisedByEverything,
    FittedOnEverything,
    LengthOfData,
    OutBeforeTheLastDate,
    LastBarsOnly,
    OneSymbolOnly,
    NextCloseAtMonthsEnd,
    LimitAtTheNextLow,
    NextVolume,
    NextCloseBarByBar,
    ScaledBarByBar,
    LeavesBeforeTheEnd,
]


# --- honest


class TrailingWindow(ByWeight):
    def wanted(self, bars: RunBars) -> FloatArray:
        return bars.close / rolling(bars.close, 2 * AROUND + 1) - 0.5


class PreviousClose(BySignal):
    def line(self, bars: RunBars) -> FloatArray:
        return bars.close - earlier(bars.close, 1)


class NormalisedByThePast(ByWeight):
    def wanted(self, bars: RunBars) -> FloatArray:
        count = np.arange(1, bars.stop + 1)
        total, squares = np.cumsum(bars.close, axis=1), np.cumsum(bars.close**2, axis=1)
        mean = total / count
        deviation = np.sqrt(np.maximum(squares / count - mean**2, 1e-12))
        return 0.5 + 0.1 * (bars.close - mean) / deviation


class FittedOnThePast(ByWeight):
    def wanted(self, bars: RunBars) -> FloatArray:
        wanted = np.full(bars.close.shape, 0.5)
        for n, close in enumerate(bars.close):
            for bar in range(30, bars.stop, 7):
                slope = np.polyfit(np.arange(30), close[bar - 29 : bar + 1], 1)[0]
                wanted[n, bar : bar + 7] = 0.5 + slope / close[bar]
        return wanted


class CountsBars(ByWeight):
    def wanted(self, bars: RunBars) -> FloatArray:
        return np.tile((np.arange(bars.stop) % 10) / 10.0, (len(bars.symbols), 1))


class TurnOfTheMonth(ByWeight):
    """In from three bars before a month's end: the calendar is known in advance."""

    def wanted(self, bars: RunBars) -> FloatArray:
        wanted = np.zeros(bars.close.shape)
        for end in period_ends(bars.days, 0, "monthly"):
            wanted[:, max(end - 3, 0) : end + 1] = 1.0
        return wanted


class ByTheCalendar(ByWeight):
    def target_weights(self, bars: RunBars, indicators: Any) -> Weights:
        at = period_ends(bars.days, bars.first, "quarterly", also_first=True)
        listed = bars.listed(at)
        return Weights(at, listed / np.maximum(listed.sum(axis=1, keepdims=True), 1))


class FilledForwards(BySignal):
    def line(self, bars: RunBars) -> FloatArray:
        close = bars.close.copy()
        for row in close:
            for bar in range(1, len(row)):
                if np.isnan(row[bar]):
                    row[bar] = row[bar - 1]
        return close - rolling(close, 3)


class LimitAtTheLastLow(LimitAtTheNextLow):
    def signals(self, bars: RunBars, indicators: Any) -> Signals:
        traded = ~np.isnan(bars.low)
        mask = traded * np.uint8(ENTER_LONG | LIMIT_ENTRY)
        return Signals(mask.astype(np.uint8), np.where(traded, bars.low, 1.0))


class LastCloseBarByBar(ByOrder):
    """Counts in its state, and knows the account."""

    def on_bar(self, ctx: Context) -> None:
        ctx.state["bars"] = ctx.state.get("bars", 0) + 1
        for symbol in ctx.symbols:
            close = ctx.history("close", 2, symbol)
            if len(close) == 2 and close[1] > close[0] and ctx.state["bars"] % 3:
                ctx.buy(symbol, percent=0.3)
            elif ctx.position(symbol) and ctx.bars_held(symbol) > 5:
                ctx.close(symbol)


HONEST: list[type[Strategy]] = [
    TrailingWindow,
    PreviousClose,
    NormalisedByThePast,
    FittedOnThePast,
    CountsBars,
    TurnOfTheMonth,
    ByTheCalendar,
    FilledForwards,
    LimitAtTheLastLow,
    LastCloseBarByBar,
]


# --- strategies that leave it to chance


class TossesCoins(BySignal):
    def line(self, bars: RunBars) -> FloatArray:
        return np.random.default_rng().normal(size=bars.close.shape)


class TossesCoinsBarByBar(ByOrder):
    def on_bar(self, ctx: Context) -> None:
        if np.random.default_rng().random() < 0.5:
            ctx.buy(ctx.symbols[0])
        else:
            ctx.close(ctx.symbols[0])


# --- strategies that lose what they know


class KeepsInItself(ByOrder):
    def on_bar(self, ctx: Context) -> None:
        self.bars = getattr(self, "bars", 0) + 1
        act(ctx, self.bars)


class KeepsInItsClass(ByOrder):
    bars: ClassVar[int] = 0

    def on_bar(self, ctx: Context) -> None:
        if ctx.bar == ctx.first:
            type(self).bars = 0
        type(self).bars += 1
        act(ctx, type(self).bars)


class KeepsInTheModule(ByOrder):
    def on_bar(self, ctx: Context) -> None:
        if ctx.bar == ctx.first:
            _KEPT.clear()
        _KEPT.append(ctx.bar)
        act(ctx, len(_KEPT))


class KeepsInItsState(ByOrder):
    def on_bar(self, ctx: Context) -> None:
        ctx.state["bars"] = ctx.state.get("bars", 0) + 1
        act(ctx, ctx.state["bars"])


class KeepsOnlyTheLastBar(ByOrder):
    """Fails where a run is resumed: it looks at what it kept on the bar before."""

    def on_bar(self, ctx: Context) -> None:
        if ctx.bar > ctx.first and ctx.bars[0].close[-1] > self.last:
            ctx.buy(0)
        self.last = ctx.bars[0].close[-1]


class KeepsNumbersAsKeys(ByOrder):
    """JSON has texts as keys: what was kept under 1 comes back under "1"."""

    def on_bar(self, ctx: Context) -> None:
        ctx.state[1] = ctx.state.get(1, 0) + 1
        act(ctx, ctx.state[1])


class KeepsWhatIsNoJson(ByOrder):
    def on_bar(self, ctx: Context) -> None:
        ctx.state["when"] = ctx.date


class PreparesItself(ByOrder):
    """Its indicators leave something on the strategy, as they do again when a run is resumed."""

    def indicators(self, bars: RunBars) -> dict[str, FloatArray]:
        self.average = rolling(bars.close, 10)
        return {}

    def on_bar(self, ctx: Context) -> None:
        if ctx.bars[0].close[-1] > self.average[0, ctx.bar]:
            ctx.buy(0)
        else:
            ctx.close(0)


_KEPT: list[int] = []


def act(ctx: Context, bars: int) -> None:
    """In and out every few bars, counted."""
    if bars % 20 == 7:
        ctx.buy(ctx.symbols[0])
    if bars % 20 == 17:
        ctx.close(ctx.symbols[0])
