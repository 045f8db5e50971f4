"""Random configurations through the engine and through the slow reference, which shares no code with it."""

import datetime as dt
from typing import Any

import numpy as np
import pytest
from examples import examples
from harness import differences, near, simulate_given
from hypothesis import given
from oracle import oracle_metrics, oracle_run
from worlds import BUILT_IN, SIGNAL_KINDS, WEIGHT_KINDS, World, market, worlds

from backproof.engine import kernel
from backproof.engine.result import Result


def comparable(world: World) -> World:
    """Without the borrow cost where there are margin calls: see Oracle."""
    if world.config["execution"]["maintenance_margin"]:
        return world.configured(costs={"borrow_rate": 0.0})
    return world


def disagreements(world: World) -> list[Any]:
    """What the engine's result has other than the reference's: fills, curves, trades, notices and metrics."""
    world = comparable(world)
    expected = oracle_run(world)
    result = simulate_given(world.config, world.engine_bars())
    shown = [dt.datetime.fromisoformat(date) for date in world.run_dates]
    for fill in expected["fills"]:
        fill["date"] = shown[fill["bar"]] if world.intraday else shown[fill["bar"]].date()
    if result.insolvent:
        in_order_of_symbols(result, expected)
    wrong: list[Any] = differences(result, {**expected, "notices": []})
    wrong += trade_differences(result, expected["trips"], dict(zip(expected["dates"], shown, strict=True)))
    for code, words in (("dropped_entries", "dropped"), ("expired_entries", "expired")):
        have = sum(sum(one.details["symbols"].values()) for one in result.notices if one.code == code)
        want = sum(words in notice for notice in expected["notices"])
        if have != want:
            wrong.append(f"{have} {code}, expected {want}")
    if result.insolvent != ("insolvent" in expected["notices"]):
        wrong.append(f"insolvent: {result.insolvent}")
    metrics = {**result.metrics, **(result.benchmark_metrics or {})}
    wrong += [
        f"{name} {metrics[name]!r}, expected {value!r}"
        for name, value in oracle_metrics(world, expected).items()
        if not near(metrics[name], value)
    ]
    return wrong


def in_order_of_symbols(result: Result, expected: dict[str, Any]) -> None:
    """A liquidation has no order between symbols: the reference sells in the order of entry, the engine in theirs."""
    for records in (result.fills, result.trades):
        last = records["reason"] == "insolvent"
        records[last] = np.sort(records[last], order=["symbol"])
    for name in ("fills", "trips"):
        expected[name].sort(key=lambda one: one["symbol"] if one["reason"] == "insolvent" else "")


def trade_differences(result: Result, trips: list[dict[str, Any]], shown: dict[dt.datetime, dt.datetime]) -> list[Any]:
    """The closed trades that are other than the reference's trips."""
    closed = result.trades[result.trades["reason"] != "open"]
    if len(closed) != len(trips):
        return [f"{len(closed)} trades, expected {len(trips)}"]
    wrong = []
    for trade, trip in zip(closed, trips, strict=True):
        have = [trade[name].item() for name in ("symbol", "reason", "profit", "return")]
        have += [trade[name].astype("datetime64[us]").item() for name in ("entry_date", "exit_date")]
        want = [trip[name] for name in ("symbol", "reason", "profit", "trade_return")]
        want += [shown[trip[name]] for name in ("opened", "closed")]
        wrong += [f"trade {a!r}, expected {b!r}" for a, b in zip(have, want, strict=True) if not near(a, b)]
    return wrong


@examples(200)
@given(worlds(("scripted_signals",)))
def test_scripted_signals_agree_with_the_reference(world: World) -> None:
    assert disagreements(world) == []


@examples(200)
@given(worlds(("scripted_weights",)))
def test_scripted_weights_agree_with_the_reference(world: World) -> None:
    assert disagreements(world) == []


@examples(200)
@given(worlds(tuple(kind for kind in SIGNAL_KINDS if kind in BUILT_IN)))
def test_built_in_signal_strategies_agree_with_the_reference(world: World) -> None:
    assert disagreements(world) == []


@examples(150)
@given(worlds(tuple(kind for kind in WEIGHT_KINDS if kind in BUILT_IN)))
def test_built_in_weight_strategies_agree_with_the_reference(world: World) -> None:
    assert disagreements(world) == []


@pytest.mark.parametrize("stop", [None, 0.3])
def test_a_position_held_over_thousands_of_quiet_bars_agrees_with_the_reference(stop: float | None) -> None:
    """Longer than what the kernel values in one go."""
    rng = np.random.default_rng(3)
    dates = [str(np.datetime64("1970-01-01") + t) for t in range(2 * kernel.VALUED_AT_ONCE + 100)]
    bars = market(rng, ["A", "B"], dates, holes=True, prices="walk", events=True)
    costs = {"commission_rate": 0.001}
    config = {"name": "long", "strategy_type": "buy_and_hold", "parameters": {}, "symbols": ["A", "B"], "costs": costs}
    execution = {"maintenance_margin": 0.1, "price_mode": "raw"}
    more = {"execution": execution, "risk": {"trailing_stop": stop}, "initial_capital": 10000.0, "timeframe": "1d"}
    assert disagreements(World(bars, {**config, **more, "risk_free_rate": 0.0}, "24/7")) == []
