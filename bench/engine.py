"""How long the engine takes. `python bench/engine.py [--json FILE]` prints a table; minimum and median over repeats.

The kernel alone, `backproof.simulate` with everything a caller waits for, many symbols, and the cost of calling the
kernel in ranges. Machines are noisy: compare minima, or the ratios within one run.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from backproof.domain.config import parse_config
from backproof.engine.bars import Bars
from backproof.engine.frames import Series
from backproof.engine.simulation import Simulation, simulate

BARS = 2_520


def random_bars(symbols: int, bars: int, seed: int = 7) -> Bars:
    rng = np.random.default_rng(seed)
    dates = np.datetime64("2003-01-01") + np.arange(bars)
    series = []
    for number in range(symbols):
        close = 50.0 * np.exp(np.cumsum(rng.normal(0.0002, 0.02, bars)))
        open_ = close * np.exp(rng.normal(0.0, 0.005, bars))
        high, low = np.maximum(open_, close) * 1.005, np.minimum(open_, close) * 0.995
        series.append(Series(f"S{number:03}", dates, open_, high, low, close, np.ones(bars), None, close_only=False))
    return Bars(series)


def config_for(bars: Bars, strategy: str, parameters: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": "bench",
        "strategy_type": strategy,
        "parameters": parameters,
        "symbols": list(bars.symbols),
        "costs": {"commission_rate": 0.001, "slippage_bps": 2.0},
    }


def timed(run: Callable[[], object], repeats: int, before: Callable[[], Any] | None = None) -> dict[str, float]:
    """Microseconds: {min, median} of `run`; `before` makes its argument outside the measurement."""
    times = []
    for _ in range(repeats):
        argument = before() if before else None
        start = time.perf_counter()
        run() if argument is None else run(argument)  # type: ignore[call-arg]
        times.append((time.perf_counter() - start) * 1e6)
    return {"min_us": round(min(times), 1), "median_us": round(statistics.median(times), 1)}


def kernel_time(bars: Bars, config: dict[str, Any], repeats: int, chunk: int | None = None) -> dict[str, float]:
    """The kernel over the whole run, decisions made before; with `chunk`, called for that many bars at a time."""
    parsed = parse_config(config)

    def prepared() -> Simulation:
        simulation = Simulation(parsed, bars)
        simulation.prepare()
        if chunk is None:  # room for every fill, so that the kernel is called once
            while len(simulation.fill_keys) < 4 * len(bars.symbols) + 2 * fills:
                simulation._more_room()
        return simulation

    fills = len(simulate(parsed, bars)._fill_keys)

    def run(simulation: Simulation) -> None:
        if chunk is None:
            simulation.advance(simulation.total_bars)
            return
        for stop in range(chunk, simulation.total_bars + chunk, chunk):
            simulation.advance(stop)

    return {**timed(run, repeats, prepared), "fills": fills}  # type: ignore[arg-type]


def measure(quick: bool = False) -> dict[str, dict[str, float]]:
    few = 5 if quick else 15
    many = 60 if quick else 400
    one, crowd = random_bars(1, BARS), random_bars(500, BARS)
    sma = {"fast": 20, "slow": 50}
    rows: dict[str, dict[str, float]] = {}
    single = config_for(one, "sma_crossover", sma)
    rows["kernel, 1 x 2,520, SMA crossover"] = kernel_time(one, single, many)
    rows["simulate, 1 x 2,520, SMA crossover, dict"] = timed(lambda: simulate(single, one), many)
    model = parse_config(single)
    rows["simulate, same, validated model"] = timed(lambda: simulate(model, one), many)
    versus = parse_config({**single, "benchmark": one.symbols[0]})
    rows["simulate, same, with a benchmark"] = timed(lambda: simulate(versus, one), many)
    rows["simulate, same, with fingerprint"] = timed(lambda: simulate(model, one, with_fingerprint=True), many)
    for name, parameters in (("rsi_mean_reversion", {}), ("donchian_breakout", {}), ("buy_and_hold", {})):
        other = parse_config(config_for(one, name, parameters))
        rows[f"simulate, 1 x 2,520, {name}"] = timed(lambda other=other: simulate(other, one), many)  # type: ignore[misc]
    whole, chunked = rows["kernel, 1 x 2,520, SMA crossover"], kernel_time(one, single, max(many // 10, 10), chunk=1)
    rows["kernel, 1 x 2,520, one bar per call"] = chunked
    rows["one more call of the kernel"] = {
        name: round((chunked[name] - whole[name]) / BARS, 2) for name in ("min_us", "median_us")
    }
    for label, name, parameters in (
        ("SMA crossover", "sma_crossover", sma),
        ("top 5, monthly", "momentum_top_n", {"top": 5}),
        ("equal weight, daily", "equal_weight", {"rebalance": "daily"}),
    ):
        config = config_for(crowd, name, parameters)
        rows[f"kernel, 500 x 2,520, {label}"] = kernel_time(crowd, config, few)
        rows[f"simulate, 500 x 2,520, {label}"] = timed(lambda config=config: simulate(config, crowd), few)  # type: ignore[misc]
    panel = crowd.panel(crowd.symbols)
    rows["read open, high, low, close of 500 x 2,520"] = timed(
        lambda: [array.sum() for array in (panel.open, panel.high, panel.low, panel.close)], few
    )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--quick", action="store_true", help="fewer repeats")
    options = parser.parse_args()
    rows = measure(options.quick)
    width = max(map(len, rows))
    print(f"{'':{width}}  {'min':>12}  {'median':>12}")
    for name, row in rows.items():
        print(f"{name:{width}}  {row['min_us']:9,.1f} us  {row['median_us']:9,.1f} us")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
