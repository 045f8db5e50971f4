"""Runs of a world: at once, prepared, in steps; and whether two are the same to the bit."""

from harness import scripted, simulate_given
from worlds import World

from backproof.domain.config import parse_config
from backproof.engine.result import Result
from backproof.engine.simulation import Simulation


def simulated(world: World) -> Result:
    return simulate_given(world.config, world.engine_bars())


def prepared(world: World) -> Simulation:
    config = parse_config(world.config)
    decide = scripted(config.parameters) if config.strategy_type == "scripted" else None
    return Simulation(config, world.engine_bars(), decide=decide)


def stepwise(world: World, stops: list[int]) -> Result:
    steps = prepared(world)
    for stop in stops:
        steps.advance(stop)
    steps.advance(steps.total_bars)
    return steps.result()


def same_bits(a: Result, b: Result) -> bool:
    arrays = ("equity", "cash", "gross", "fills", "events", "trades", "positions")
    return (
        all(getattr(a, name).tobytes() == getattr(b, name).tobytes() for name in arrays)
        and (a.metrics, a.benchmark_metrics, a.costs) == (b.metrics, b.benchmark_metrics, b.costs)
        and a.notices == b.notices
    )
