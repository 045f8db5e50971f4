"""How long the engine takes: `python bench/bench_engine.py [--peers DIRECTORY] [--json FILE] [--quick] [--full]`.

Every row is what a caller waits for, headline metrics included, warm. With --peers, the engines in DIRECTORY/venv-NAME
(see peers/README.md) do the same work on the same arrays, turn by turn with ours. A ratio is the smaller of those of
CPU time and of wall time, minimum against minimum, for the faster of the peer's modes. Targets are compared with CPU
time, which other work on the machine disturbs least; kernels use one thread.

--quick: a few calls per row; --full: one more size in W7, which takes about 10 GB
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from support import data, workloads
from support.clock import Times, measure
from support.peer import Peer, peers_in

import backproof
from backproof.domain.config import parse_config
from backproof.engine.bars import Bars
from backproof.engine.simulation import Simulation

ROUNDS = 4
SECONDS, QUICK_SECONDS = 0.3, 0.1  # per row, round and engine
UNITS = {"s": 1.0, "ms": 1e3, "us": 1e6}


@dataclass
class Line:
    """One line of the table. Figures are in `unit`; one above its target misses it, a ratio below its.

    value: CPU minimum, or what is no time; wall, median: wall time
    apart: of the peer's final equity from ours, relative
    """

    row: str
    what: str
    unit: str
    value: float
    target: float | None = None
    wall: float | None = None
    median: float | None = None
    ratio: float | None = None
    ratio_target: float | None = None
    apart: float | None = None

    @property
    def verdict(self) -> str:
        missed = self.target is not None and self.value > self.target
        missed |= self.ratio is not None and self.ratio_target is not None and self.ratio < self.ratio_target
        return "" if self.target is None and self.ratio_target is None else "MISSED" if missed else "ok"


class Bench:
    def __init__(self, peers: list[Peer], quick: bool, full: bool) -> None:
        self.peers, self.full = peers, full
        self.rounds, self.seconds = (1, QUICK_SECONDS) if quick else (ROUNDS, SECONDS)

    def timed(
        self,
        row: str,
        what: str,
        run: Callable[[], float],
        unit: str,
        target: float | None = None,
        peer_row: str | None = None,
        ratio_target: float | None = None,
    ) -> Iterator[Line]:
        """Ours and the peers' of `peer_row`, turn by turn. run: gives the final equity, summed where there are many."""
        run()
        times = Times()
        theirs: dict[str, dict[str, Times]] = {peer.name: {} for peer in self.peers if peer_row in peer.rows}
        for _ in range(self.rounds):
            measure(run, self.seconds, times)
            for peer in self.peers:
                if peer.name in theirs:
                    peer.measure(str(peer_row), self.seconds, theirs[peer.name])
        scale = UNITS[unit]
        yield Line(row, what, unit, target=target, **figures(times, scale))
        for name, modes in theirs.items():
            ratio, mode = min(
                (min(other.cpu_min / times.cpu_min, other.wall_min / times.wall_min), mode)
                for mode, other in modes.items()
            )
            yield Line(
                "",
                f"  {name} {mode}".rstrip(),
                unit,
                **figures(modes[mode], scale),
                ratio=ratio,
                ratio_target=ratio_target if name == "vectorbt" else None,
                apart=abs(modes[mode].value / times.value - 1.0),
            )

    def all_rows(self) -> Iterator[Line]:
        for rows in (self.calls, self.grids, self.accounts, self.minutes, self.portfolios, self.scaling, self.starts):
            yield from rows()

    def calls(self) -> Iterator[Line]:
        bars, config = workloads.single(), workloads.sma(["S000"])
        yield from self.timed("W1", "simulate, 1 x 2,520, SMA cross", final(config, bars), "us", 200.0, "W1", 80.0)
        yield from self.timed("", "  with a validated model", final(parse_config(config), bars), "us")
        yield from self.timed("", "  with a benchmark", final({**config, "benchmark": "S000"}, bars), "us")
        fingerprinted = lambda: float(backproof.simulate(config, bars, with_fingerprint=True).equity[-1])  # noqa: E731
        yield from self.timed("", "  with its fingerprint", fingerprinted, "us")

        for strategy in (
            "ema_crossover",
            "rsi_mean_reversion",
            "donchian_breakout",
            "macd",
            "bollinger",
            "buy_and_hold",
        ):
            run = final(workloads.plain(strategy, ["S000"]), bars)
            yield from self.timed("", f"  {strategy}", run, "us")

    def grids(self) -> Iterator[Line]:
        bars, config = workloads.single(), workloads.sma(["S000"])
        pairs = {"fast": [*data.FASTS], "slow": [*data.SLOWS]}
        yield from self.timed("W2", "simulate_grid, 1,000 SMA pairs", grid(config, bars, pairs), "ms", 20.0, "W2", 17.0)

    def accounts(self) -> Iterator[Line]:
        bars = workloads.wide()
        alone = grid(workloads.sma(["S000"]), bars, {"symbol": [*bars.symbols]})
        yield from self.timed("W3", "simulate_grid, 500 symbols alone", alone, "ms", 20.0, "W3", 10.0)
        together = final(workloads.sma([*bars.symbols]), bars)
        yield from self.timed("", "  500 symbols in one account", together, "ms")

    def minutes(self) -> Iterator[Line]:
        bars = workloads.long()
        yield from self.timed("W4", "simulate, 1 x 1,000,000", final(workloads.minutes(False), bars), "ms", None, "W4")
        stopped = final(workloads.minutes(True), bars)
        yield from self.timed("", "  with stop, target, trailing stop", stopped, "ms", 16.0, "W4s")
        for stops in (0, 1):
            what = f"  memory over the arrays{', with stops' if stops else ''}"
            yield Line("", what, "MB", child("long_memory", stops)["memory_mb"], 150.0)

    def portfolios(self) -> Iterator[Line]:
        bars = workloads.portfolio()
        equal = final(workloads.plain("equal_weight", [*bars.symbols]), bars)
        yield from self.timed("W5", "simulate, 100 symbols, monthly equal", equal, "ms", 2.0, "W5", 35.0)
        bars = workloads.wide()
        arrays = [bars.open, bars.high, bars.low, bars.close]
        top_config = workloads.plain("momentum_top_n", [*bars.symbols], top=5)
        top = final(top_config, bars)
        rotation, reading = Times(), Times()
        for _ in range(self.rounds):
            measure(top, self.seconds, rotation)
            measure(lambda: [array.sum() for array in arrays], self.seconds, reading)
        yield Line("W6", "simulate, 500 symbols, top 5 monthly", "ms", **figures(rotation, 1e3))
        yield Line("", "  one read of its prices by numpy", "ms", **figures(reading, 1e3))
        yield Line("", "  times that read", "x", rotation.cpu_min / reading.cpu_min, 2.0)
        yield Line("", "  Simulation.advance alone", "ms", **figures(self.kernel(top_config, bars), 1e3))
        daily = final(workloads.plain("equal_weight", [*bars.symbols], rebalance="daily"), bars)
        yield from self.timed("", "  500 symbols, rebalanced every day", daily, "ms")

    def scaling(self) -> Iterator[Line]:
        sizes = [100_000, 1_000_000, 10_000_000] + [100_000_000] * self.full
        measured = [child("linear", cells) for cells in sizes]
        for cells, seen in zip(sizes, measured, strict=True):
            what = f"{cells:,} bar-symbols, SMA cross"
            yield Line("W7", what, "ms", 1e3 * seen["cpu_s"], wall=1e3 * seen["wall_s"])
        cost = [seen["cpu_s"] for seen in measured]
        yield Line("", "  exponent of the cost", "", float(np.polyfit(np.log(sizes), np.log(cost), 1)[0]), 1.05)
        yield Line("", "  memory over the arrays, largest", "MB", measured[-1]["memory_mb"])
        yield from self.chunk()

    def kernel(self, config: Any, bars: Bars, step: int | None = None) -> Times:
        """The simulation of decisions made before, without results; in ranges of `step` bars."""
        model = parse_config(config)

        def prepared() -> Simulation:
            simulation = Simulation(model, bars)
            simulation.prepare()
            return simulation

        def run(simulation: Simulation) -> None:
            end = simulation.total_bars
            for stop in [end] if step is None else range(step, end + step, step):
                simulation.advance(stop)

        return measure(run, self.seconds, before=prepared)

    def chunk(self) -> Iterator[Line]:
        """What one more call costs: a run in ranges of one bar less a run in one."""
        bars, config = workloads.single(), workloads.sma(["S000"])
        whole, steps = self.kernel(config, bars), self.kernel(config, bars, step=1)
        more = (steps.cpu_min - whole.cpu_min) / (len(bars.dates) - 1)
        yield Line("W8", "one more call of Simulation.advance", "us", 1e6 * more, 4.0)
        yield Line("", "  Simulation.advance, 1 x 2,520, alone", "us", **figures(whole, 1e6))

    def starts(self) -> Iterator[Line]:
        child("warm_kernels")  # fills the cache of compiled kernels
        repeats = range(self.rounds + 1)
        for name, what, key, unit, target in (
            ("import_package", "import backproof", "cpu_s", "s", 0.25),
            ("import_engine", "  from backproof import simulate", "cpu_s", "s", None),
            ("warm_kernels", "  the same and warm(), kernels cached", "cpu_s", "s", 1.2),
            ("fork_to_result", "  fork of a warm process to result, wall", "wall_s", "ms", 10.0),
        ):
            value = min(child(name)[key] for _ in repeats)
            yield Line("" if what[0] == " " else "W9", what, unit, UNITS[unit] * value, target)


def figures(times: Times, scale: float) -> dict[str, float]:
    return {"value": scale * times.cpu_min, "wall": scale * times.wall_min, "median": scale * times.wall_median}


def final(config: Any, bars: Bars) -> Callable[[], float]:
    def run() -> float:
        result = backproof.simulate(config, bars)
        return float(result.equity[-1]) if result.metrics else 0.0

    return run


def grid(config: Any, bars: Bars, parameters: dict[str, list[Any]]) -> Callable[[], float]:
    def run() -> float:
        table = backproof.simulate_grid(config, bars, parameters)
        return float(table["final_equity"].sum()) if len(table["sharpe"]) else 0.0

    return run


def child(name: str, *arguments: int) -> dict[str, float]:
    command = [sys.executable, "-m", "support.children", name, *map(str, arguments)]
    done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


def number(value: float | None) -> str:
    return "" if value is None else f"{value:,.{0 if value >= 1000 else 1 if value >= 100 else 2}f}"


def show(line: Line) -> None:
    cells = [f"{line.row:3} {line.what:40}"]
    cells += [f"{number(value):>8}" for value in (line.value, line.wall, line.median, line.target)]
    cells += [f"{line.unit:3}", f"{number(line.ratio):>7}", f"{number(line.ratio_target):>6}"]
    cells += [f"{'' if line.apart is None else f'{line.apart:.0e}':>6}", line.verdict]
    print(" ".join(cells).rstrip(), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path, help="directory of the peers' environments")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--full", action="store_true")
    options = parser.parse_args()
    peers = peers_in(options.peers)
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, numpy {np.__version__}")
    heads = ["CPU min", "wall min", "median", "target"]
    print(f"{'':44} " + " ".join(f"{head:>8}" for head in heads) + f" {'':3} {'ratio':>7} {'wanted':>6} {'apart':>6}")
    lines = []
    try:
        for line in Bench(peers, options.quick, options.full).all_rows():
            show(line)
            lines.append(line)
    finally:
        for peer in peers:
            peer.close()
    if options.json:
        options.json.write_text(json.dumps([asdict(line) for line in lines], indent=1) + "\n")


if __name__ == "__main__":
    main()
