"""One backtest: prepare the decisions, simulate in ranges of bars, give the result."""

import math
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from backproof.domain.config import BacktestConfig, parse_config
from backproof.engine import layout
from backproof.engine.bars import Bars, Panel, RunBars
from backproof.engine.decisions import Decisions, Signals, Weights, checked
from backproof.engine.fingerprint import ENGINE_SEMANTICS
from backproof.engine.kernel import advance
from backproof.engine.metrics import period_rate, periods_per_year
from backproof.engine.result import Result
from backproof.engine.strategies import (
    SignalStrategy,
    Strategy,
    WeightStrategy,
    check_config,
    check_features,
    find_strategy,
)
from backproof.errors import BackproofError, DataError, InvalidInput, StrategyError

__all__ = ["ENGINE_SEMANTICS", "Result", "Simulation", "simulate"]

FloatArray = npt.NDArray[np.float64]
DateArray = npt.NDArray[np.datetime64]

_FILL_AT = {"next_open": layout.NEXT_OPEN, "next_close": layout.NEXT_CLOSE, "same_close": layout.SAME_CLOSE}
_SIZING = {
    "percent_equity": layout.PERCENT_EQUITY,
    "fixed_shares": layout.FIXED_SHARES,
    "fixed_cash": layout.FIXED_CASH,
}
_NO_SIGNALS = np.zeros((1, 1), dtype=np.uint8)
_NO_WEIGHTS_AT = np.zeros(0, dtype=np.int64)
_NO_WEIGHTS = np.zeros((0, 1))
_FIRST_FILLS = 512  # room for fills at the start; it grows as needed


def simulate(config: Mapping[str, object] | BacktestConfig, bars: Bars, *, with_fingerprint: bool = False) -> Result:
    """Run one backtest and return its result. No service, no disk.

    config: the same description that the API and `backproof run` take, as a dict or a BacktestConfig
    bars:   Bars.from_frame(...) of the symbols and, when configured, the benchmark; with all history before
            `start_date` that is to serve as warm-up. Made once, used for any number of runs.
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

    Raises InvalidInput (every wrong field named by a JSON pointer; code `not_yet` for what is still to come), DataError
    when the bars cannot serve this run, StrategyError when the strategy answers wrongly.
    """
    simulation = Simulation(parse_config(config), bars)
    simulation.prepare()
    simulation.advance(simulation.total_bars)
    result = simulation.result()
    if with_fingerprint:
        result.fingerprint()
    return result


class Simulation:
    """A run that can be stepped: `prepare` once, then `advance` over any ranges of bars; the result is the same bits.

    total_bars: bars of the run; position: bars simulated so far; dates: datetime64 [total_bars]
    periods_per_year: A; risk_free: the rate of one bar
    state, orders, account, counters: all that a later bar needs to know of the earlier ones (see `layout`)
    path: float64 [PATH_ROWS, total_bars], what was recorded up to `position`
    """

    def __init__(
        self, config: BacktestConfig, bars: Bars, *, decide: Callable[[RunBars], Decisions] | None = None
    ) -> None:
        """decide: makes the decisions in place of the configured strategy (tests, research)."""
        self.config = config
        self.bars = bars
        self.strategy_type: type[Strategy] | None = None
        self.params: BaseModel | None = None
        self._decide = decide
        if decide is None:
            self.params = check_config(config)
            self.strategy_type = find_strategy(config.strategy_type)
        else:
            check_features(config)
        self.periods_per_year = periods_per_year(config.timeframe, config.periods_per_year)
        try:
            self.risk_free = period_rate(config.risk_free_rate, self.periods_per_year)
        except OverflowError:
            message = "so few periods per year leave no risk-free rate per bar"
            raise InvalidInput.at("/periods_per_year", "too_small", message) from None
        panel = bars.panel(config.symbols)
        self.run = _run_of(config, bars, panel)
        self.total_bars = self.run.stop - self.run.first
        self.position = 0
        self.dates: DateArray = panel.dates[self.run.first : self.run.stop]

        count = len(config.symbols)
        self.state = np.zeros((layout.STATE_ROWS, count))
        self.orders = np.zeros((layout.ORDER_ROWS, count), dtype=np.int64)
        self.account = np.array([config.initial_capital], dtype=np.float64)
        self.counters = np.zeros(layout.COUNTER_SIZE, dtype=np.int64)
        self.numbers, self.choices = _numbers(config), _choices(config)
        self.path = np.empty((layout.PATH_ROWS, self.total_bars))
        room = max(_FIRST_FILLS, 8 * count)
        self.fill_keys = np.empty((room, layout.KEY_COLUMNS), dtype=np.int64)
        self.fill_values = np.empty((room, layout.VALUE_COLUMNS))
        self.decisions: Decisions | None = None

    def prepare(self) -> None:
        """Compute indicators and decisions for the whole run (they never depend on later bars). Idempotent.

        Raises StrategyError when the strategy fails or answers with the wrong shape or type.
        """
        if self.decisions is not None:
            return
        name = self.config.strategy_type
        try:
            decisions = self._decisions()
        except BackproofError:
            raise
        except Exception as error:
            raise StrategyError(f"{name} failed: {type(error).__name__}: {error}", strategy=name) from error
        self.decisions = checked(decisions, self.run, self.config.execution.direction, name)
        self.choices[layout.BY_WEIGHT] = isinstance(self.decisions, Weights)

    def _decisions(self) -> Decisions:
        if self._decide is not None:
            return self._decide(self.run)
        if self.strategy_type is None or self.params is None:
            raise StrategyError("no strategy")
        strategy = self.strategy_type(self.params)
        indicators = strategy.indicators(self.run)
        if isinstance(strategy, SignalStrategy):
            return Signals(strategy.signals(self.run, indicators))
        if isinstance(strategy, WeightStrategy):
            return strategy.target_weights(self.run, indicators)
        raise StrategyError(f"{strategy.name} gives neither signals nor target weights", strategy=strategy.name)

    def advance(self, stop: int) -> None:
        """Simulate bars [position, stop)."""
        self.prepare()
        run, panel = self.run, self.run.panel
        stop = min(stop, self.total_bars)
        signals, weights_at, weights = _NO_SIGNALS, _NO_WEIGHTS_AT, _NO_WEIGHTS
        if isinstance(self.decisions, Signals):
            signals = self.decisions.mask
        elif self.decisions is not None:
            weights_at, weights = self.decisions.at, self.decisions.values
        while self.position < stop:
            self.position = advance(
                self.state,
                self.orders,
                self.account,
                self.counters,
                self.numbers,
                self.choices,
                panel.open,
                panel.close,
                panel.firsts,
                run.ended,
                signals,
                weights_at,
                weights,
                self.path,
                self.fill_keys,
                self.fill_values,
                run.first,
                self.position,
                stop,
            )
            if self.position < stop:
                self._more_room()
        if self.position and not math.isfinite(self.path[layout.PATH_EQUITY, self.position - 1]):
            raise DataError("the prices move so far that the account's value is no number any more")

    def _more_room(self) -> None:
        """Double the fill arrays: the kernel stopped because they might not hold the next bar."""
        used = self.fills_so_far
        keys = np.empty((2 * len(self.fill_keys), layout.KEY_COLUMNS), dtype=np.int64)
        values = np.empty((2 * len(self.fill_keys), layout.VALUE_COLUMNS))
        keys[:used], values[:used] = self.fill_keys[:used], self.fill_values[:used]
        self.fill_keys, self.fill_values = keys, values

    @property
    def fills_so_far(self) -> int:
        return int(self.counters[layout.FILLS])

    def equity_so_far(self) -> FloatArray:
        """float64 [position], a view."""
        return self.path[layout.PATH_EQUITY, : self.position]

    def result(self) -> Result:
        """The result over the bars simulated so far; after the last one it is the complete result."""
        return Result(self)


def _run_of(config: BacktestConfig, bars: Bars, panel: Panel) -> RunBars:
    """The bars of the run, or an error that says why these bars cannot serve this configuration."""
    benchmark = config.benchmark
    if benchmark is not None and benchmark not in bars:
        raise InvalidInput.at("/benchmark", "unknown_symbol", f"the bars have no symbol {benchmark}")
    if config.execution.fill == "next_open" and panel.close_only:
        raise InvalidInput.at(
            "/execution/fill",
            "no_open_prices",
            f"next_open needs open prices, and {', '.join(panel.close_only[:5])} has closes only: "
            "use next_close or same_close",
        )
    if panel.dates.dtype != np.dtype("datetime64[D]"):
        raise InvalidInput.at(
            "/timeframe", "not_yet", "the bars carry times of day: intraday bars are not supported yet, use dates"
        )
    if config.timeframe == "1w" and panel.median_step_days < 4.0:
        raise InvalidInput.at("/timeframe", "bars_do_not_fit", "the bars are daily, not weekly: use 1d")
    run = panel.run(config.start_date, config.end_date)
    if run.stop <= run.first:
        late = config.start_date is not None and np.datetime64(config.start_date) > panel.dates[-1]
        raise InvalidInput.at(
            "/start_date" if late else "/end_date",
            "outside_data",
            f"no bar lies between these dates: the data are from {panel.dates[0]} to {panel.dates[-1]}",
        )
    return run


def _numbers(config: BacktestConfig) -> FloatArray:
    costs, execution = config.costs, config.execution
    size = execution.sizing.value
    return np.array(
        [
            costs.commission_rate,
            costs.commission_per_share,
            costs.commission_fixed,
            costs.commission_min,
            costs.slippage_bps / 10_000.0,
            execution.max_leverage,
            1.0 / len(config.symbols) if size is None else size,
        ],
        dtype=np.float64,
    )


def _choices(config: BacktestConfig) -> npt.NDArray[np.int64]:
    execution = config.execution
    return np.array(
        [
            _FILL_AT[execution.fill],
            not execution.fractional_shares,
            execution.direction != "short_only",
            execution.direction != "long_only",
            _SIZING[execution.sizing.type],
            0,
        ],
        dtype=np.int64,
    )
