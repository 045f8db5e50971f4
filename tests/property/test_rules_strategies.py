"""Rules run as strategies: the built-ins written as text, the forms they take, random rules over random markets."""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from rules_worlds import VALUES, conditions, market, numbers
from worlds import World, worlds

import backproof
from backproof.domain.config import parse_config
from backproof.engine.decisions import Signals, Weights
from backproof.engine.result import Result
from backproof.engine.rules.tree import Node, printed
from backproof.engine.simulation import Simulation
from backproof.engine.strategies import check_config, find_strategy
from backproof.errors import InvalidInput

QUICK = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=60)
SIGNALS = ("sma_crossover", "ema_crossover", "macd", "rsi_mean_reversion", "bollinger", "donchian_breakout")
Given = dict[str, Any]


def as_rules(kind: str, p: Given) -> Given:
    """A built-in strategy as text, its short side included."""
    match kind:
        case "sma_crossover" | "ema_crossover":
            average = kind[:3]
            return lines(f"{average}(close, {p['fast']})", f"{average}(close, {p['slow']})", p["signal"])
        case "macd":
            inside = f"close, {p['fast']}, {p['slow']}, {p['signal_period']}"
            return lines(f"macd({inside})", f"macd_signal({inside})", p.get("signal", "level"))
        case "rsi_mean_reversion":
            low, high = (f"rsi(close, {p['period']}) {side}" for side in (f"< {p['oversold']}", f"> {p['overbought']}"))
            return {"entry": low, "exit": high, "short_entry": high, "short_exit": low}
        case "bollinger":
            n, width = p["period"], p["width"]
            below, above = f"close < bb_lower(close, {n}, {width})", f"close > bb_upper(close, {n}, {width})"
            middle = f"bb_middle(close, {n})"
            return {
                "entry": below,
                "exit": f"close > {middle} or {above}",
                "short_entry": above,
                "short_exit": f"close < {middle} or {below}",
            }
        case "donchian_breakout":
            return {
                "entry": f"close > highest(high, {p['entry']})[1]",
                "short_entry": f"close < lowest(low, {p['entry']})[1]",
                "exit": f"close < lowest(low, {p['exit']})[1]",
                "short_exit": f"close > highest(high, {p['exit']})[1]",
            }
        case "momentum_top_n":
            schedule = {name: p[name] for name in ("top", "rebalance", "exposure", "start")}
            return {"rank": f"close[{p['skip']}] / close[{p['lookback']}] - 1", **schedule}
    raise KeyError(kind)


def lines(fast: str, slow: str, act: str) -> Given:
    up, down = (">", "<=") if act == "level" else ("crosses_above", "crosses_below")
    up, down = f"{fast} {up} {slow}", f"{fast} {down} {slow}"
    return {"entry": up, "exit": down, "short_entry": down, "short_exit": up}


def decided(config: Given, world: World) -> Signals | Weights:
    simulation = Simulation(parse_config(config), world.engine_bars())
    simulation.prepare()
    assert simulation.decisions is not None
    return simulation.decisions


@QUICK
@given(worlds((*SIGNALS, "momentum_top_n")))
def test_a_built_in_strategy_written_as_rules_is_that_strategy(world: World) -> None:
    kind = world.config["strategy_type"]
    config = {**world.config, "strategy_type": "rules", "parameters": as_rules(kind, world.config["parameters"])}
    here, there = decided(world.config, world), decided(config, world)
    if isinstance(here, Signals):
        assert isinstance(there, Signals)
        assert here.mask.tobytes() == there.mask.tobytes()
    else:
        assert isinstance(there, Weights)
        assert here.at.tolist() == there.at.tolist()
        assert here.values.tobytes() == there.values.tobytes()
    bars = world.engine_bars()
    assert backproof.simulate(world.config, bars).equity.tobytes() == backproof.simulate(config, bars).equity.tobytes()


def written(entry: Node, exit_: Node, **more: Any) -> Given:
    values = {name: printed(tree) for name, tree in VALUES.items()}
    return {"entry": printed(entry), "exit": printed(exit_), "values": values, **more}


def simulated(parameters: Given, seed: int, **config: Any) -> Result:
    bars, _ = market(seed)
    given = {"name": "x", "strategy_type": "rules", "symbols": list(bars.symbols), "parameters": parameters, **config}
    try:
        return backproof.simulate(given, bars)
    except InvalidInput as error:
        assume({one.code for one in error.errors} != {"no_volume"})
        raise


@QUICK
@given(conditions(2), conditions(2), st.integers(0, 2**32 - 1), st.booleans())
def test_rules_decide_the_same_by_signals_and_bar_by_bar(entry: Node, leave: Node, seed: int, short: bool) -> None:
    """bars_held < 0 is never true, but to know that takes orders bar by bar."""
    exclusive = f"({printed(leave)})"
    sides = {"short_entry": "close < low[1]", "short_exit": "close >= low[1] and close > high[1]"} if short else {}
    plain = {**written(entry, leave), "exit": exclusive, **sides}
    held = {**plain, "exit": f"{exclusive} or bars_held < 0"}
    config: Given = {"execution": {"direction": "long_short" if short else "long_only"}, "risk": {"stop_loss": 0.05}}
    by_signals, by_bars = simulated(plain, seed, **config), simulated(held, seed, **config)
    assert by_signals.fills.tobytes() == by_bars.fills.tobytes()
    assert by_signals.equity.tobytes() == by_bars.equity.tobytes()


@QUICK
@given(conditions(2), conditions(2, held=True), st.integers(0, 2**32 - 1), st.lists(st.integers(0, 36), max_size=3))
def test_rules_that_decide_bar_by_bar_go_on_after_any_interruption(
    entry: Node, leave: Node, seed: int, stops: list[int]
) -> None:
    parameters = written(entry, leave, entry_order={"type": "limit", "price": "0.99 * close", "time_in_force": "gtc"})
    whole = simulated(parameters, seed)
    bars, _ = market(seed)
    config = parse_config(
        {"name": "x", "strategy_type": "rules", "symbols": list(bars.symbols), "parameters": parameters}
    )
    current, forgetful = Simulation(config, bars), Simulation(config, bars, forgetful=True)
    for stop in sorted(stops):
        current.advance(stop)
        saved = current.checkpoint()
        current = Simulation(config, bars)
        current.resume(saved)
    for other in (current, forgetful):
        other.advance(other.total_bars)
        assert other.result().equity.tobytes() == whole.equity.tobytes()
        assert other.result().fills.tobytes() == whole.fills.tobytes()


@QUICK
@given(numbers(2), conditions(2), st.integers(0, 2**32 - 1), st.integers(1, 3))
def test_a_rotation_holds_those_that_rank_highest_and_pass(rank: Node, entry: Node, seed: int, top: int) -> None:
    bars, _ = market(seed)
    values = {name: printed(tree) for name, tree in VALUES.items()}
    rotation = {"rank": printed(rank), "entry": printed(entry), "top": top, "rebalance": "weekly"}
    parameters = {**rotation, "values": values}
    config = parse_config(
        {"name": "x", "strategy_type": "rules", "symbols": list(bars.symbols), "parameters": parameters}
    )
    simulation = Simulation(config, bars)
    try:
        simulation.prepare()
    except InvalidInput:
        assume(False)
    weights = simulation.decisions
    assert isinstance(weights, Weights)
    held = weights.values != 0.0
    assert (held.sum(axis=1) <= top).all()
    assert set(np.unique(weights.values)) <= {0.0, 1.0 / top}


@QUICK
@given(conditions(2), conditions(2), st.integers(0, 2**32 - 1), st.sampled_from([None, "limit", "stop"]))
def test_a_grid_of_rules_is_its_runs(entry: Node, leave: Node, seed: int, order: str | None) -> None:
    bars, _ = market(seed)
    more = {} if order is None else {"entry_order": {"type": order, "price": "close * (1 - below / 1e3)"}}
    parameters = written(entry, leave, **more)
    given = {"name": "x", "strategy_type": "rules", "symbols": list(bars.symbols), "parameters": parameters}
    try:
        table = backproof.simulate_grid(given, bars, {"values.fast": [2, 3], "values.below": [-1.5, 2.0]})
    except InvalidInput as error:
        assume({one.code for one in error.errors} != {"no_volume"})
        raise
    for row in range(table.rows):
        varied = {name: table[f"values.{name}"][row].item() for name in ("fast", "below")}
        values = {**parameters["values"], **varied}
        result = backproof.simulate({**given, "parameters": {**parameters, "values": values}}, bars)
        assert table["final_equity"][row] == result.equity[-1]


@pytest.mark.parametrize("kind", [*SIGNALS, "momentum_top_n"])
def test_warm_up_is_that_of_the_built_in(kind: str) -> None:
    built_in = find_strategy(kind)
    assert built_in is not None
    params = built_in.Params()
    rules = find_strategy("rules")
    assert rules is not None
    config = {
        "name": "x",
        "strategy_type": "rules",
        "symbols": ["A"],
        "parameters": as_rules(kind, params.model_dump()),
    }
    given = check_config(parse_config({**config, "execution": {"direction": "long_short"}}))
    assert rules(given).warmup() == built_in(params).warmup()
