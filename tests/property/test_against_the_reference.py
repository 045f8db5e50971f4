"""Random configurations through the engine and through the slow reference, which shares no code with it."""

from typing import Any

import numpy as np
import reference.engine
import reference.metrics
from harness import bars_of, differences, near, simulate_given
from hypothesis import HealthCheck, given, settings
from worlds import SIGNAL_KINDS, WEIGHT_KINDS, World, worlds

QUICK = settings(deadline=None, suppress_health_check=list(HealthCheck))


def reference_run(world: World) -> dict[str, Any]:
    """The reference's answer. It reads scripted weights by bar of the whole calendar: the warm-up goes in front."""
    config = world.config
    weights = config["parameters"].get("weights")
    if weights:
        every = {date for symbol in config["symbols"] for date in world.bars[symbol]["date"]}
        before = [None] * (len(every) - len(world.run_dates))
        config = {**config, "parameters": {"weights": {s: [*before, *w] for s, w in weights.items()}}}
    result: dict[str, Any] = reference.engine.run(config, world.bars)
    return result


def compare(world: World) -> None:
    expected = reference_run(world)
    result = simulate_given(world.config, bars_of(world.bars))
    # a liquidation has no order between symbols: the reference sells in the order of entry, the engine in the symbols'
    fills = sorted(expected["fills"], key=lambda fill: fill["symbol"] if fill["reason"] == "insolvent" else "")
    if result.insolvent:
        last = result.fills["reason"] == "insolvent"
        result.fills[last] = np.sort(result.fills[last], order=["symbol"])
    for fill in fills:
        fill["date"] = fill["date"].date()
    assert differences(result, {**expected, "fills": fills, "notices": []}) == []
    dropped = sum(
        sum(notice.details["symbols"].values()) for notice in result.notices if notice.code == "dropped_entries"
    )
    assert dropped == sum("dropped" in notice for notice in expected["notices"])
    assert result.insolvent == ("insolvent" in expected["notices"])
    metrics = reference.metrics.metrics(world.config, expected, world.bars)
    assert [(n, v, result.metrics[n]) for n, v in metrics.items() if not near(result.metrics[n], v)] == []


@settings(QUICK, max_examples=150)
@given(worlds(SIGNAL_KINDS))
def test_signal_strategies_agree_with_the_reference(world: World) -> None:
    compare(world)


@settings(QUICK, max_examples=150)
@given(worlds(WEIGHT_KINDS))
def test_weight_strategies_agree_with_the_reference(world: World) -> None:
    compare(world)
