"""What a strategy answers is checked before anything is simulated."""

from typing import Any

import numpy as np
import pytest
from harness import bars_of
from markets import prices
from strategy_support import (
    config_of,
    walk,
)

from backproof.domain.config import parse_config
from backproof.engine.bars import Bars, RunBars
from backproof.engine.decisions import Signals, Weights
from backproof.engine.simulation import Simulation, simulate
from backproof.errors import StrategyError

# --- strategies that misbehave


def decided_by(given: Any, bars: Bars | None = None) -> Simulation:
    bars = bars or bars_of({"A": prices([1.0, 2.0, 3.0])})
    return Simulation(
        config_of("buy_and_hold", ["A"]), bars, decide=lambda run: given(run) if callable(given) else given
    )


@pytest.mark.parametrize(
    ("given", "word"),
    [
        (Signals(np.zeros((1, 2), dtype=np.uint8)), "uint8"),
        (Signals(np.zeros((1, 3), dtype=np.int64)), "uint8"),
        (Weights(np.array([0]), np.array([[0.5, 0.5]])), "target weights"),
        (Weights(np.array([1, 0]), np.array([[0.5], [0.5]])), "increase"),
        (Weights(np.array([7]), np.array([[0.5]])), "inside the run"),
        (Weights(np.array([0]), np.array([[np.inf]])), "infinite"),
        (42, "expected Signals or Weights"),
    ],
)
def test_decisions_of_the_wrong_shape_are_a_strategy_error(given: Any, word: str) -> None:
    with pytest.raises(StrategyError, match=word):
        decided_by(given).prepare()


def test_an_exception_in_a_strategy_is_a_strategy_error_with_its_message() -> None:
    def fails(run: RunBars) -> Any:
        raise KeyError("volume")

    with pytest.raises(StrategyError, match="KeyError: 'volume'"):
        decided_by(fails).prepare()


def test_a_strategy_cannot_change_the_bars_it_sees() -> None:
    def vandal(run: RunBars) -> Any:
        run.close[0, 0] = 1e9

    with pytest.raises(StrategyError, match="read-only"):
        decided_by(vandal).prepare()


def test_weights_that_are_rounding_noise_are_zero() -> None:
    simulation = decided_by(Weights(np.array([0]), np.array([[-2.8e-17]])))
    simulation.advance(3)
    assert len(simulation.result().fills) == 0


def test_a_dict_and_a_model_give_the_same_result() -> None:
    bars = bars_of({"A": walk(100, 30)})
    given = {"name": "x", "strategy_type": "sma_crossover", "symbols": ["A"]}
    assert simulate(given, bars).fingerprint() == simulate(parse_config(given), bars).fingerprint()
