"""What the tests of strategies share: random walks, and the decisions of a strategy on a small market."""

from typing import Any

import numpy as np
from harness import bars_of
from markets import Columns, prices

from backproof.domain.config import BacktestConfig, parse_config
from backproof.engine.bars import RunBars
from backproof.engine.decisions import Signals
from backproof.engine.layout import ENTER_LONG, ENTER_SHORT, EXIT_LONG, EXIT_SHORT
from backproof.engine.simulation import Simulation
from backproof.engine.strategies import all_strategies

UP, DOWN = ENTER_LONG | EXIT_SHORT, ENTER_SHORT | EXIT_LONG
NAMES = [strategy.name for strategy in all_strategies()]


def walk(count: int, seed: int, drift: float = 0.0) -> Columns:
    rng = np.random.default_rng(seed)
    closes = 50.0 * np.exp(np.cumsum(rng.normal(drift, 0.03, count)))
    opens = closes * np.exp(rng.normal(0, 0.01, count))
    return prices(closes.tolist(), opens.tolist())


def config_of(
    strategy: str, symbols: list[str], parameters: dict[str, Any] | None = None, **more: Any
) -> BacktestConfig:
    return parse_config(
        {"name": "x", "strategy_type": strategy, "symbols": symbols, "parameters": parameters or {}, **more}
    )


def decisions(market: dict[str, Columns], strategy: str, parameters: dict[str, Any] | None = None, **more: Any) -> Any:
    simulation = Simulation(config_of(strategy, list(market), parameters, **more), bars_of(market))
    simulation.prepare()
    return simulation.decisions


def mask(market: dict[str, Columns], strategy: str, parameters: dict[str, Any]) -> np.ndarray:
    decided = decisions(market, strategy, parameters)
    assert isinstance(decided, Signals)
    return decided.mask


def run_bars(market: dict[str, Columns]) -> RunBars:
    return bars_of(market).panel(tuple(market)).run(None, None)
