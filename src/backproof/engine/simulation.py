"""One backtest: prepare the decisions, simulate in ranges of bars, give the result."""

import json
import math
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from pydantic import BaseModel

from backproof.domain.config import BacktestConfig
from backproof.engine import checkpoint, layout, statistics
from backproof.engine.arrays import FloatArray
from backproof.engine.bars import Bars, RunBars
from backproof.engine.calendar import DateArray
from backproof.engine.context import Context
from backproof.engine.decisions import Decisions, Signals, Weights, checked
from backproof.engine.fingerprint import ENGINE_SEMANTICS, identify
from backproof.engine.kernel import advance, decide
from backproof.engine.result import Result
from backproof.engine.scale import scale_of
from backproof.engine.setup import market_of, rules_of, run_of
from backproof.engine.strategies import (
    Strategy,
    check_config,
    configured,
    find_strategy,
)
from backproof.engine.strategies.failures import failure
from backproof.errors import BackproofError, DataError, InvalidInput, StrategyError

__all__ = ["ENGINE_SEMANTICS", "Result", "Simulation", "simulate"]

_NO_SIGNALS = np.zeros((1, 1), dtype=np.uint8)
_NO_WEIGHTS_AT = np.zeros(0, dtype=np.int64)
_NO_WEIGHTS = np.zeros((0, 1))
_NO_LEVELS = np.zeros((1, 1))
_FIRST_ROWS = 512  # room in the ledger at the start; it grows as needed


class Holding(NamedTuple):
    """A position at a close. shares < 0 is short; price and value in the account currency."""

    symbol: str
    shares: float
    price: float
    value: float


def simulate(
    config: Mapping[str, object] | BacktestConfig,
    bars: Bars,
    *,
    strategy: type[Strategy] | None = None,
    with_fingerprint: bool = False,
) -> Result:
    """Run one backtest and return its result. No service, no disk.

    config: the same description that the API and `backproof run` take, as a dict or a BacktestConfig
    bars:   Bars.from_frame(...) of the symbols and, when configured, the benchmark; with all history before
            `start_date` that is to serve as warm-up. Made once, used for any number of runs.
    strategy: your own strategy class, in place of the one that `strategy_type` names
    with_fingerprint: compute the fingerprint now rather than when it is first asked for

        bars = backproof.Bars.from_frame(frame)
        result = backproof.simulate(
            {
                "name": "SMA on Apple",
                "strategy_type": "sma_crossover",
                "parameters": {"fast": 20, "slow": 50},
                "symbols": ["AAPL"],
                "costs": {"commission_rate": 0.001},
            },
            bars,
        )
        result.metrics["sharpe"], result.equity, result.trades

    Raises InvalidInput (every wrong field named by a JSON pointer), DataError when the bars cannot serve this run,
    StrategyError when the strategy answers wrongly.
    """
    simulation = Simulation(configured(config, strategy), bars, strategy=strategy)
    simulation.advance(simulation.total_bars)
    result = simulation.result()
    if with_fingerprint:
        result.fingerprint()
    return result


class Simulation:
    """A run that can be stepped: `prepare` once, then `advance` over any ranges of bars; the result is the same bits.

    total_bars: bars of the run; position: bars simulated so far; dates: datetime64 [total_bars]
    scale: how returns are annualised
    state, orders, account, counters: all that a later bar needs to know of the earlier ones (see `layout`)
    path: float64 [PATH_ROWS, total_bars], what was recorded up to `position`; keys, values: the ledger
    """

    def __init__(
        self,
        config: BacktestConfig,
        bars: Bars,
        *,
        strategy: type[Strategy] | None = None,
        decide: Callable[[RunBars], Decisions] | None = None,
        forgetful: bool = False,
    ) -> None:
        """Prepare nothing yet.

        strategy:  a class, in place of the one the configuration names
        decide:    makes the decisions in place of any strategy (tests, research)
        forgetful: a strategy that decides bar by bar is made anew on every bar, with its state written out and read
                   back, which shows what it keeps elsewhere
        """
        if not isinstance(bars, Bars):  # the first thing that people give is a frame
            raise TypeError(f"bars are made of a {type(bars).__name__} with backproof.Bars.from_frame(...)")
        self.config = config
        self.bars = bars
        self.strategy_type = strategy
        self.params: BaseModel | None = None
        self._decide = decide
        self._forgetful = forgetful
        if decide is None:
            self.params = check_config(config, strategy)
            self.strategy_type = strategy or find_strategy(config.strategy_type)
        panel = bars.panel(config.symbols)
        self.run = run_of(config, bars, panel)
        self.market, self.actions = market_of(config, panel)
        self.scale = scale_of(config, bars.calendar)
        self.total_bars = self.run.stop - self.run.first
        self.position = 0
        self.dates: DateArray = panel.dates[self.run.first : self.run.stop]

        count = len(config.symbols)
        self.state = np.zeros((layout.STATE_ROWS, count))
        self.orders = np.zeros((layout.ORDER_ROWS, count), dtype=np.int64)
        self.account = np.zeros(layout.ACCOUNT_SIZE)
        self.account[layout.CASH] = config.initial_capital
        self.counters = np.zeros(layout.COUNTER_SIZE, dtype=np.int64)
        self.numbers, self.choices = rules_of(config)
        self.path = np.empty((layout.PATH_ROWS, self.total_bars))
        room = max(_FIRST_ROWS, 2 * layout.RECORDS_PER_BAR * count)
        self.keys = np.empty((room, layout.KEY_COLUMNS), dtype=np.int64)
        self.values = np.empty((room, layout.VALUE_COLUMNS))
        self._plan = np.empty((layout.PLAN_ROWS, count), dtype=np.int64)
        self._scratch = np.empty((layout.SCRATCH_ROWS, count))
        self.decisions: Decisions | None = None
        self.context: Context | None = None
        self._strategy: Strategy | None = None
        self._prepared = False

    def prepare(self) -> None:
        """Compute indicators and decisions for the whole run (they never depend on later bars). Idempotent.

        Raises StrategyError when the strategy fails or answers with the wrong shape or type.
        """
        if self._prepared:
            return
        try:
            decisions = self._decisions()
        except (BackproofError, MemoryError):
            raise
        except Exception as error:
            raise failure(self.config.strategy_type, error) from error
        if self.context is None:  # else it decides bar by bar
            self.decisions = checked(decisions, self.run, self.config)
            self.choices[layout.BY_WEIGHT] = isinstance(self.decisions, Weights)
        self._prepared = True

    def _decisions(self) -> Decisions | None:
        if self._decide is not None:
            return self._decide(self.run)
        if self.strategy_type is None or self.params is None:
            raise StrategyError("no strategy")
        strategy = self._strategy = self.strategy_type(self.params)
        if strategy.form != "events":
            return decide_with(strategy, self.run)
        if self.config.execution.fill == "same_close":
            message = f"{strategy.name} decides bar by bar, after the close: use next_open or next_close"
            raise InvalidInput.at("/execution/fill", "needs_next_bar", message)
        lines = strategy.indicators(self.run)
        self.context = Context(self.run, self.state, self.orders, self.account, self.path, lines, self.config)
        self.choices[layout.PLACED] = self.choices[layout.TRACKED] = 1
        return None

    def advance(self, stop: int) -> None:
        """Simulate bars [position, stop)."""
        self.prepare()
        stop = min(stop, self.total_bars)
        if self.context is None:
            self._simulate(stop)
        else:
            self._bar_by_bar(self.context, stop)
        if self.position and not math.isfinite(self.path[layout.PATH_EQUITY, self.position - 1]):
            raise DataError("the prices move so far that the account's value is no number any more")

    def _simulate(self, stop: int) -> None:
        before, after = self._arguments()
        while self.position < stop:
            at = self.run.first, self.position, stop
            self.position = advance(*before, self.keys, self.values, *after, *at)  # type: ignore[call-arg]
            if self.position < stop:  # the ledger might not hold the next bar
                self.make_room(4 * len(self.keys))

    def _arguments(self) -> tuple[Any, Any]:
        """The kernel's arrays, without the ledger, which may be replaced by a larger one."""
        run = self.run
        signals, levels, weights_at, weights = _NO_SIGNALS, _NO_LEVELS, _NO_WEIGHTS_AT, _NO_WEIGHTS
        if isinstance(self.decisions, Signals):
            signals = self.decisions.mask
            levels = _NO_LEVELS if self.decisions.levels is None else self.decisions.levels
        elif self.decisions is not None:
            weights_at, weights = self.decisions.at, self.decisions.values
        before = (self.state, self.orders, self.account, self.counters, self.numbers, self.choices)
        listing = (run.panel.firsts, run.ended, run.panel.gaps)
        wishes = (signals, levels, weights_at, weights)
        return before, (self._plan, self._scratch, *self.market, *listing, *self.actions, *wishes, self.path)

    def _bar_by_bar(self, context: Context, stop: int) -> None:
        """Simulate a bar, then let the strategy look at its close and place orders, until `stop`."""
        run, counters, choices = self.run, self.counters, self.choices
        before, after = self._arguments()
        account: Any = (self.state, self.orders, self.account, counters, choices)
        listing: Any = (run.panel.adjusted.close, run.panel.firsts, run.ended)
        while self.position < stop:
            t = self.position
            reached = advance(*before, self.keys, self.values, *after, run.first, t, t + 1)  # type: ignore[call-arg]
            if reached == t:  # the ledger might not hold this bar
                self.make_room(4 * len(self.keys))
                continue
            self.position = reached
            if counters[layout.INSOLVENT]:
                continue
            context.bar = bar = run.first + t
            self._look(context)
            if context.placed:
                choices[layout.BY_WEIGHT] = bool(context.weighted)
                decide(*account, *listing, *context.take(), bar)  # type: ignore[call-arg]
                context.forget()

    def _look(self, context: Context) -> None:
        """Show the strategy this close."""
        if self._forgetful:
            self._forget_all(context)
        try:
            self._strategy.on_bar(context)  # type: ignore[union-attr]
        except (BackproofError, MemoryError):
            raise
        except Exception as error:
            raise failure(self.config.strategy_type, error, f" on {context.date}") from error

    def _forget_all(self, context: Context) -> None:
        """What a resumed run would have: a new strategy, and the state as it was saved."""
        if self.strategy_type is not None and self.params is not None:
            self._strategy = self.strategy_type(self.params)
        context.state = json.loads(self.saved_state())

    def saved_state(self) -> str:
        """The state of a strategy that decides bar by bar, as JSON; StrategyError when it is not JSON-plain."""
        if self.context is None:
            return "null"
        try:
            return json.dumps(self.context.state, allow_nan=False)
        except (TypeError, ValueError) as error:
            name = self.config.strategy_type
            raise StrategyError(f"{name}: ctx.state cannot be saved: {error}", strategy=name) from None

    def make_room(self, rows: int) -> None:
        """Let the ledger hold at least so many rows."""
        size = len(self.keys)
        while size < rows:
            size *= 2
        used = self.ledger_rows
        keys = np.empty((size, layout.KEY_COLUMNS), dtype=np.int64)
        values = np.empty((size, layout.VALUE_COLUMNS))
        keys[:used], values[:used] = self.keys[:used], self.values[:used]
        self.keys, self.values = keys, values

    @property
    def ledger_rows(self) -> int:
        """Fills and account events so far."""
        return int(self.counters[layout.FILLS])

    @property
    def fills_so_far(self) -> int:
        used = self.keys[: self.ledger_rows, layout.KEY_REASON]
        return int((used < layout.FIRST_EVENT).sum())

    def trades_so_far(self) -> int:
        """Round trips from flat to flat, those under way among them."""
        totals = np.empty(statistics.TOTAL_SIZE)
        scratch = np.empty((statistics.TOTAL_ROOM, len(self.config.symbols)))
        statistics.trade_totals(self.keys, self.values, self.ledger_rows, scratch, totals)
        return int(totals[statistics.TOTAL_CLOSED]) + int(np.count_nonzero(self.state[layout.SHARES]))

    def holdings(self) -> list[Holding]:
        """What is held after the last simulated bar, the largest value first. Not while `advance` runs."""
        shares = self.state[layout.SHARES]
        marks = self.market.marks[:, self.run.first + max(self.position, 1) - 1]
        held = np.flatnonzero(shares)
        held = held[np.argsort(-np.abs(shares[held] * marks[held]), kind="stable")]
        symbols = self.config.symbols
        return [Holding(symbols[n], float(shares[n]), float(marks[n]), float(shares[n] * marks[n])) for n in held]

    def equity_so_far(self) -> FloatArray:
        """float64 [position], a view."""
        return self.path[layout.PATH_EQUITY, : self.position]

    def fingerprint(self) -> str:
        """Identity of the run: configuration, data, strategy code and engine."""
        return self.identity["fingerprint"]

    @cached_property
    def identity(self) -> dict[str, str]:
        """Hashes by part: config, data, code, fingerprint."""
        return identify(self.config, self.params, self.strategy_type, self.bars, self.run)

    def checkpoint(self) -> bytes:
        """Everything known after the last simulated bar; `resume` continues from it to the same bits."""
        return checkpoint.dump(self)

    def resume(self, data: bytes) -> None:
        """Go to where a checkpoint of this very run was taken.

        Raises CheckpointMismatch, naming the field, for another run, engine or format, or a flipped bit.
        """
        checkpoint.load(self, data)

    def result(self) -> Result:
        """The result over the bars simulated so far; after the last one it is the complete result."""
        return Result(self)


def decide_with(strategy: Strategy, run: RunBars) -> Decisions:
    """What the strategy wants, in whichever form it decides."""
    decider: Any = strategy
    indicators = strategy.indicators(run)
    if strategy.form == "signals":
        signals = decider.signals(run, indicators)
        return signals if isinstance(signals, Signals) else Signals(signals)
    if strategy.form == "weights":
        weights: Weights = decider.target_weights(run, indicators)
        return weights
    raise StrategyError(f"{strategy.name} gives neither signals nor target weights", strategy=strategy.name)
