"""What tests of the lifecycle share: workers that are alive, dead or elsewhere, own data, and runs with a middle."""

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backproof.bootstrap import ServiceFactory
from backproof.domain.backtest import Backtest, Worker
from backproof.domain.events import EventType
from backproof.engine.simulation import Simulation
from backproof.services.backtests.host import this_host
from backproof.services.backtests.ledger import Draft

OWNER = "local"
PATIENCE = 60.0  # seconds: a limit that no machine comes to, however long it stands still in between
DEAD_PID = 2**22 + 1  # beyond every kernel's pid limit


def worker(pid: int | None = None, host: str | None = None, name: str = "test") -> Worker:
    return Worker(name=name, host=host or this_host(), pid=pid or os.getpid())


def never(reason: str) -> None:
    raise AssertionError(f"the process would have ended: {reason}")


async def until(services: ServiceFactory, run_id: str, condition: Callable[[Backtest], bool]) -> Backtest:
    """The run as soon as it is so."""
    async with asyncio.timeout(20):
        while not condition(run := await services.orchestrator.get(run_id, OWNER)):
            await asyncio.sleep(0)
        return run


async def becomes(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await condition():
            await asyncio.sleep(0)


async def messages(services: ServiceFactory, run_id: str) -> list[str]:
    """The run's log."""
    return [e.data["message"] for e in await services.monitoring.events(run_id, types=[EventType.LOG])]


async def statuses(services: ServiceFactory, run_id: str) -> list[str]:
    """The run's statuses, in the order in which it had them."""
    return [e.data["status"] for e in await services.monitoring.events(run_id, types=[EventType.STATUS_CHANGE])]


class Died(Exception):
    """A writer's end."""


async def left_in_the_outbox(services: ServiceFactory, run: Backtest, *lines: str) -> Backtest:
    """Log lines of a writer that died before it told anybody; the run with them."""

    def die() -> None:
        raise Died

    events = [(EventType.LOG, {"level": "info", "message": line}) for line in lines]
    with suppress(Died):
        await services.ledger.change(run, lambda _: Draft(events=events), written=die)
    return await services.orchestrator.get(run.id, OWNER)


# ---- own data ---------------------------------------------------------------------------------------------------


def price_file(path: Path, symbols: str = "AB", bars: int = 300, seed: int = 1) -> Path:
    """A CSV of random walks, one bar a weekday from 2015 on."""
    rng = np.random.default_rng(seed)
    days = np.arange(np.datetime64("2015-01-01"), np.datetime64("2015-01-01") + 2 * bars)
    days = days[np.is_busday(days)][:bars]
    lines = ["symbol,date,open,high,low,close,volume"]
    for symbol in symbols:
        closes = 50.0 * np.exp(np.cumsum(rng.normal(0.0003, 0.02, bars)))
        opens = closes * np.exp(rng.normal(0.0, 0.005, bars))
        highs, lows = np.maximum(opens, closes) * 1.004, np.minimum(opens, closes) * 0.996
        lines += [
            f"{symbol},{day},{o:.6f},{h:.6f},{low:.6f},{c:.6f},1000"
            for day, o, h, low, c in zip(days, opens, highs, lows, closes, strict=True)
        ]
    path.write_text("\n".join(lines) + "\n")
    return path


async def import_prices(services: ServiceFactory, directory: Path, **prices: Any) -> None:
    """Into the dataset `mine`, in place of what it has of these symbols."""
    await services.datasets.import_file(price_file(directory / "prices.csv", **prices), "mine")


def mine(**changes: Any) -> dict[str, object]:
    """A backtest on that dataset that trades often."""
    return {
        "name": "mine",
        "strategy_type": "sma_crossover",
        "parameters": {"fast": 3, "slow": 8},
        "symbols": ["A", "B"],
        "data_source": "mine",
        "costs": {"commission_rate": 0.001},
        **changes,
    }


# ---- runs with a middle -----------------------------------------------------------------------------------------


class Gate:
    """Stops the simulation after a certain bar, in its thread, until it is let go."""

    def __init__(self, bar: int) -> None:
        self.bar = bar
        self._reached = threading.Event()
        self._open = threading.Event()

    async def reached(self) -> None:
        assert await asyncio.to_thread(self._reached.wait, 20), "the simulation did not come so far"

    def let_go(self) -> None:
        self._open.set()

    def passed(self, position: int) -> None:
        if position >= self.bar and not self._open.is_set():
            self._reached.set()
            assert self._open.wait(PATIENCE), "nobody has opened the gate"


@contextmanager
def gate_at(bar: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """Simulations wait at this bar while the block lasts."""
    gate, advance = Gate(bar), Simulation.advance

    def gated(simulation: Simulation, stop: int) -> None:
        if simulation.position < bar < stop:
            advance(simulation, bar)
        else:
            advance(simulation, stop)
        gate.passed(simulation.position)

    with monkeypatch.context() as patch:
        patch.setattr(Simulation, "advance", gated)
        try:
            yield gate
        finally:
            gate.let_go()
