"""What a strategy that decides bar by bar sees at a close, and the orders it can place there."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from backproof.domain.config import BacktestConfig
from backproof.engine import layout as l
from backproof.engine.arrays import FloatArray, IntArray, MaskArray
from backproof.engine.bars import RunBars
from backproof.errors import InvalidInput, StrategyError

BUY = l.ENTER_LONG | l.EXIT_SHORT
SELL = l.ENTER_SHORT | l.EXIT_LONG
LEAVE = l.EXIT_LONG | l.EXIT_SHORT
_SIZES = {"percent": l.PERCENT_EQUITY, "shares": l.FIXED_SHARES, "cash": l.FIXED_CASH}
MOST_MESSAGES = 1_000

Symbol = str | int | None


class BarsUntilNow:
    """Adjusted prices of one symbol up to the close at hand, oldest first; NaN where it has no bar.

    ctx.bars.close[-1] is this close; ctx.bars["AAPL"].high[-20:] are the last 20 highs. Nothing later can be reached.
    """

    __slots__ = ("_context", "_n")

    def __init__(self, context: "Context", n: int | None) -> None:
        self._context, self._n = context, n

    def __getitem__(self, symbol: str | int) -> "BarsUntilNow":
        return BarsUntilNow(self._context, self._context.index(symbol))

    def _until_now(self, values: FloatArray) -> FloatArray:
        context = self._context
        n = context.index(None) if self._n is None else self._n
        return values[n, : context.bar + 1]

    @property
    def open(self) -> FloatArray:
        return self._until_now(self._context._run.open)

    @property
    def high(self) -> FloatArray:
        return self._until_now(self._context._run.high)

    @property
    def low(self) -> FloatArray:
        return self._until_now(self._context._run.low)

    @property
    def close(self) -> FloatArray:
        return self._until_now(self._context._run.close)


class IndicatorsUntilNow(Mapping[str, FloatArray]):
    """The strategy's indicators up to the close at hand: [t] where the run has one symbol, else [N, t]."""

    __slots__ = ("_context", "_lines")

    def __init__(self, context: "Context", lines: Mapping[str, FloatArray]) -> None:
        self._context, self._lines = context, lines

    def __getitem__(self, name: str) -> FloatArray:
        line = self._lines[name]
        stop = self._context.bar + 1
        return line[0, :stop] if line.shape[0] == 1 else line[:, :stop]

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)

    def __len__(self) -> int:
        return len(self._lines)


class Context:
    """The account and the market at the close of one bar.

    symbols: of the run; where it has one, every `symbol` argument may be left out
    bar:     number of the bar on the calendar, from 0 (bars before the run are warm-up); first: the run's first one
    bars, indicators: prices and the strategy's indicators, up to now
    state:   a dict of the strategy's own, JSON-plain; the only thing that is kept from bar to bar

    Orders fill on the symbol's next bar, as the configuration says. A newer order replaces one that waits. A strategy
    uses either buy, sell and close, which hold at most one position per symbol, or target_percent.
    """

    __slots__ = (
        "_account",
        "_asked",
        "_asked_as",
        "_capital",
        "_counts",
        "_entered",
        "_execution",
        "_levels",
        "_lines",
        "_orders",
        "_path",
        "_places",
        "_raw_close",
        "_run",
        "_shares",
        "_signals",
        "_state",
        "_weights",
        "bar",
        "bars",
        "first",
        "indicators",
        "messages",
        "placed",
        "state",
        "symbols",
        "weighted",
    )

    def __init__(
        self,
        run: RunBars,
        state: FloatArray,
        orders: IntArray,
        account: FloatArray,
        path: FloatArray,
        lines: Mapping[str, FloatArray],
        config: BacktestConfig,
    ) -> None:
        count = len(run.symbols)
        self._run, self._state, self._orders, self._account, self._path = run, state, orders, account, path
        self._shares, self._entered = state[l.SHARES], orders[l.ENTERED]
        self._asked, self._asked_as = np.zeros(count), np.zeros(count, dtype=np.int64)
        self._places = {symbol: n for n, symbol in enumerate(run.symbols)}
        self._signals = np.zeros((count, 1), dtype=np.uint8)
        self._levels = np.full((count, 1), np.nan)
        self._weights = np.full((1, count), np.nan)
        self._lines = lines
        self._execution = config.execution
        self._capital = config.initial_capital
        raw = config.execution.price_mode == "raw" and run.panel.is_adjusted
        self._raw_close = run.panel.raw.close if raw else None
        self._counts: IntArray | None = None
        self.symbols = run.symbols
        self.first = self.bar = run.first
        self.bars = BarsUntilNow(self, None)
        self.indicators = IndicatorsUntilNow(self, lines)
        self.state: dict[str, Any] = {}
        self.placed = False
        self.weighted: bool | None = None
        self.messages: list[str] = []

    # ---- what is known ----------------------------------------------------------------------------------------

    @property
    def date(self) -> np.datetime64:
        moment: np.datetime64 = self._run.panel.dates[self.bar]
        return moment

    @property
    def cash(self) -> float:
        """Account currency, after this bar."""
        return float(self._account[l.CASH])

    @property
    def initial_capital(self) -> float:
        """What the account began with."""
        return self._capital

    @property
    def equity(self) -> float:
        """Cash plus the value of all positions at this close."""
        return float(self._path[l.PATH_EQUITY, self.bar - self.first])

    def index(self, symbol: Symbol) -> int:
        """Number of a symbol in `symbols`."""
        if symbol is None:
            if len(self.symbols) > 1:
                raise StrategyError(f"the run has {len(self.symbols)} symbols: say which one")
            return 0
        if isinstance(symbol, int):
            return symbol
        n = self._places.get(symbol)
        if n is None:
            raise StrategyError(f"the run has no symbol {symbol!r}", symbol=str(symbol))
        return n

    def has_bar(self, symbol: Symbol = None) -> bool:
        """The symbol has a bar today; without one nothing can be decided for it."""
        return not math.isnan(self._run.panel.adjusted.close[self.index(symbol), self.bar])

    def position(self, symbol: Symbol = None) -> float:
        """Signed shares held, 0 when flat."""
        return float(self._shares[self.index(symbol)])

    def average_cost(self, symbol: Symbol = None) -> float:
        """Average slipped price of the position; NaN when flat."""
        n = self.index(symbol)
        return float(self._state[l.AVERAGE, n]) if self._shares[n] else math.nan

    def bars_held(self, symbol: Symbol = None) -> int:
        """The symbol's own bars since the one on which the position was opened, 0 at its close; -1 when flat."""
        n = self.index(symbol)
        if not self._shares[n]:
            return -1
        entered = int(self._entered[n])
        if self._run.panel.whole[n]:
            return self.bar - entered
        if self._counts is None:  # own bars so far, per symbol: only runs with holes need it
            self._counts = np.cumsum(~np.isnan(self._run.panel.adjusted.close), axis=1)
        return int(self._counts[n, self.bar] - self._counts[n, entered])

    def value(self, name: str, symbol: Symbol = None) -> float:
        """An indicator's value at this close, NaN where undefined."""
        return float(self._lines[name].item(self.index(symbol), self.bar))

    def history(self, field: str, length: int, symbol: Symbol = None) -> FloatArray:
        """The last `length` opens, highs, lows or closes of the symbol's own bars, oldest first; fewer at the start."""
        if length < 1:
            raise StrategyError(f"history of {length} bars: ask for at least one")
        n, panel = self.index(symbol), self._run.panel
        values: FloatArray = getattr(self._run, field)[n]
        stop = min(self.bar, int(panel.lasts[n])) + 1
        if panel.whole[n]:
            return values[max(int(panel.firsts[n]), stop - length) : stop]
        known = values[:stop]
        return known[~np.isnan(known)][-length:]

    # ---- orders -----------------------------------------------------------------------------------------------

    def buy(
        self,
        symbol: Symbol = None,
        *,
        percent: float | None = None,
        shares: float | None = None,
        cash: float | None = None,
        limit: float | None = None,
        stop: float | None = None,
        good_till_cancelled: bool = False,
        add: bool = False,
    ) -> None:
        """Enter long (after closing a short); ignored while long, unless `add` buys more.

        percent of equity as a fraction, shares or cash: the size, else the configuration's sizing; always cut to buying
        power. limit, stop: price (adjusted) the entry waits for, on the next bar or until replaced
        """
        sizes = {"percent": percent, "shares": shares, "cash": cash}
        self._enter(BUY, symbol, sizes, limit, stop, good_till_cancelled, add)

    def sell(
        self,
        symbol: Symbol = None,
        *,
        percent: float | None = None,
        shares: float | None = None,
        cash: float | None = None,
        limit: float | None = None,
        stop: float | None = None,
        good_till_cancelled: bool = False,
        add: bool = False,
    ) -> None:
        """Enter short (after closing a long) where the direction allows it, else close a long; as `buy` otherwise."""
        sizes = {"percent": percent, "shares": shares, "cash": cash}
        self._enter(SELL, symbol, sizes, limit, stop, good_till_cancelled, add)

    def close(self, symbol: Symbol = None) -> None:
        """Leave the position; also cancels an entry that waits."""
        n = self.index(symbol)
        if self.weighted:
            self.target_percent(0.0, n)
        else:
            self.order(n, LEAVE)

    def target_percent(self, weight: float, symbol: Symbol = None) -> None:
        """Trade to this signed fraction of equity, by the rules of target weights."""
        self._use(weighted=True)
        if not math.isfinite(weight):
            raise StrategyError(f"target_percent({weight}): the weight must be a finite number")
        n = self.index(symbol)
        weight = 0.0 if abs(weight) < l.ROUNDING else weight
        direction = self._execution.direction
        if (weight < 0.0 and direction == "long_only") or (weight > 0.0 and direction == "short_only"):
            raise StrategyError(f"{self.symbols[n]} on {self.date}: weight {weight:g} is against {direction}")
        self._weights[0, n] = weight
        self.placed = True

    def order(self, symbol: Symbol, bits: int, level: float = math.nan) -> None:
        """Place what a signal strategy would signal here: bits of `layout`, and the price that an entry waits for."""
        self._use(weighted=False)
        n = self.index(symbol)
        if bits & (l.LIMIT_ENTRY | l.STOP_ENTRY):
            level = self._waits_for(n, level)
        self._signals[n, 0] = bits
        self._levels[n, 0] = level
        self._asked_as[n] = 0
        self.placed = True

    def log(self, message: str) -> None:
        """Say something in the run's log (the first 1,000 times)."""
        if len(self.messages) < MOST_MESSAGES:
            self.messages.append(f"{self.date}: {message}")

    def _enter(
        self,
        bits: int,
        symbol: Symbol,
        sizes: dict[str, float | None],
        limit: float | None,
        stop: float | None,
        waits: bool,
        adds: bool,
    ) -> None:
        asked = [(name, size) for name, size in sizes.items() if size is not None]
        if len(asked) > 1 or (limit is not None and stop is not None):
            raise StrategyError("give one of percent, shares and cash, and one of limit and stop")
        level = math.nan
        if limit is not None:
            bits, level = bits | l.LIMIT_ENTRY, limit
        elif stop is not None:
            bits, level = bits | l.STOP_ENTRY, stop
        if waits:
            bits |= l.GTC_ENTRY
        if adds:
            bits |= l.ADD_ENTRY
        n = self.index(symbol)
        self.order(n, bits, level)
        for name, size in asked:
            if not (size > 0.0 and math.isfinite(size)):
                raise StrategyError(f"{name}={size} of {self.symbols[n]} on {self.date} is no size")
            self._asked_as[n] = 1 + _SIZES[name]
            self._asked[n] = size

    def _waits_for(self, n: int, level: float) -> float:
        """The level of an entry in the prices that fill."""
        if self._execution.fill != "next_open":
            message = "limit and stop entries work inside the next bar: they need fill next_open"
            raise InvalidInput.at("/execution/fill", "needs_next_open", message)
        if not (level > 0.0 and math.isfinite(level)):
            raise StrategyError(f"an entry of {self.symbols[n]} on {self.date} waits for the price {level:g}")
        if self._raw_close is None:
            return level
        return level * float(self._raw_close[n, self.bar] / self._run.panel.adjusted.close[n, self.bar])

    def _use(self, *, weighted: bool) -> None:
        if self.weighted is not weighted:
            if self.weighted is not None:
                raise StrategyError("a strategy uses either buy, sell and close, or target_percent, not both")
            self.weighted = weighted

    # ---- for the simulation -----------------------------------------------------------------------------------

    def take(self) -> tuple[MaskArray, FloatArray, FloatArray, IntArray, FloatArray]:
        """What was placed at this close: signals, levels, weights, asked_as, asked (see `kernel.decide`)."""
        return self._signals, self._levels, self._weights, self._asked_as, self._asked

    def forget(self) -> None:
        """Nothing is placed any more."""
        self._signals.fill(0)
        self._weights.fill(np.nan)
        self.placed = False
