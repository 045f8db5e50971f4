"""What is shown of a run while it is simulated: the curve so far, what it holds, how often it has traded."""

from typing import TYPE_CHECKING

import numpy as np

from backproof.domain.backtest import Backtest, Intermediate
from backproof.domain.documents import utc_now

if TYPE_CHECKING:
    from backproof.engine.result import Result
    from backproof.engine.simulation import Simulation

LIVE_POINTS = 400
LIVE_POSITIONS = 50
SPARKLINE_POINTS = 48


def seen_now(simulation: "Simulation", run: Backtest) -> Intermediate:
    """At no more than LIVE_POINTS evenly chosen bars, the last one always among them. Not while `advance` runs."""
    done = simulation.position
    picked = np.unique(np.linspace(0, done - 1, min(done, LIVE_POINTS)).astype(np.int64))
    times = simulation.dates[picked].astype("datetime64[ms]").astype(np.int64).tolist()
    equity = np.round(simulation.equity_so_far()[picked], 4).tolist()
    held = simulation.holdings()
    return Intermediate(
        id=run.id,
        fence=run.fence,
        saved_at=utc_now(),
        bars_done=done,
        total_bars=simulation.total_bars,
        fills=simulation.fills_so_far,
        trades=simulation.trades_so_far(),
        points=tuple(zip(times, equity, strict=True)),
        positions=tuple(holding._asdict() for holding in held[:LIVE_POSITIONS]),
        position_count=len(held),
    )


def sparkline(result: "Result", capital: float) -> tuple[float, ...]:
    """Equity as a multiple of the initial capital, at no more than SPARKLINE_POINTS evenly chosen bars."""
    bars = len(result.equity)
    picked = np.unique(np.linspace(0, bars - 1, min(bars, SPARKLINE_POINTS)).astype(np.int64))
    return tuple(np.round(result.equity[picked] / capital, 4).tolist())
