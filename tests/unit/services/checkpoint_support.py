"""What tests of checkpoints share: strategies with a state, and runs that are stopped at a bar of their own."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
from lifecycle_support import (
    OWNER,
    Gate,
    becomes,
    gate_at,
    never,
)

from backproof import EventStrategy, Parameters
from backproof.bootstrap import ServiceFactory
from backproof.domain.backtest import Backtest, Checkpoint
from backproof.domain.lifecycle import Status
from backproof.services.backtests.admission import SubmitOptions
from backproof.services.backtests.runner import BacktestRunner

COMPUTED = SubmitOptions(use_cache=False)
SECTIONS = ("equity", "fills", "trades", "events")


class AddsSlowly(EventStrategy):
    """What it decides depends on all that it has seen: counters by symbol, a sum that grows, a list."""

    name = "adds_slowly"
    version = "1"
    summary = "Buys after falls, sells after rises, more and more seldom."
    Params: ClassVar[Any] = Parameters

    def on_bar(self, ctx: Any) -> None:
        falls = ctx.state.setdefault("falls", {})
        ctx.state["sum"] = ctx.state.get("sum", 0.0) * 0.999 + ctx.equity / 7.0
        for symbol in ctx.symbols:
            closes = ctx.history("close", 2, symbol)
            fell = len(closes) == 2 and closes[1] < closes[0]
            falls[symbol] = falls.get(symbol, 0) + 1 if fell else 0
            if falls[symbol] == 2:
                held = ctx.position(symbol) * float(closes[-1]) / ctx.equity
                ctx.target_percent(min(held + 0.1 + ctx.state["sum"] % 0.01, 0.5), symbol)
            elif not fell and len(ctx.state.setdefault("rises", [])) % 5 == 4:
                ctx.target_percent(0.0, symbol)
            if not fell:
                ctx.state["rises"] = [*ctx.state.get("rises", []), ctx.bar][-9:]
        if ctx.bar % 50 == 0:
            ctx.log(f"bar {ctx.bar}")


class Hoards(EventStrategy):
    """Remembers what cannot be written down."""

    name = "hoards"
    version = "1"
    summary = "Keeps a set."
    Params: ClassVar[Any] = Parameters

    def on_bar(self, ctx: Any) -> None:
        ctx.state["seen"] = {ctx.bar}
        ctx.target_percent(0.2, ctx.symbols[0])


KINDS: dict[str, dict[str, object]] = {
    "signals": {"risk": {"trailing_stop": 0.05}, "execution": {"direction": "long_short"}},
    "weights": {"strategy_type": "inverse_volatility", "parameters": {"lookback": 10, "rebalance": "weekly"}},
    "events": {"strategy_type": "adds_slowly", "parameters": {}},
}


@dataclass
class Runs:
    """A service with prices of its own."""

    services: ServiceFactory
    monkeypatch: pytest.MonkeyPatch

    async def submit(self, config: dict[str, object]) -> str:
        return (await self.services.orchestrator.submit(config, OWNER, options=COMPUTED)).id

    async def get(self, run_id: str) -> Backtest:
        return await self.services.orchestrator.get(run_id, OWNER)

    async def work(self) -> None:
        await self.services.runner(never).run_waiting()

    async def undisturbed(self, config: dict[str, object]) -> Backtest:
        run_id = await self.submit(config)
        await self.work()
        done = await self.get(run_id)
        assert (done.status, done.attempt) == (Status.COMPLETED, 1), done.error
        return done

    async def stopped(self, run_id: str, bar: int, stop: Callable[[BacktestRunner, Gate], Any]) -> None:
        """Work until the simulation is at this bar, do something there, and work on to where that leads."""
        with gate_at(bar, self.monkeypatch) as gate:
            runner = self.services.runner(never)
            working = asyncio.create_task(runner.run_waiting())
            try:
                await gate.reached()
                await stop(runner, gate)
            finally:
                gate.let_go()
                await working

    async def cancelled(self, config: dict[str, object], bar: int) -> Backtest:
        """A run that was cancelled while it was at this bar."""
        run_id = await self.submit(config)

        async def cancel(runner: BacktestRunner, _: Gate) -> None:
            await self.services.orchestrator.cancel(run_id, OWNER)
            await becomes(lambda: heard(runner))

        await self.stopped(run_id, bar, cancel)
        return await self.get(run_id)

    async def finish(self, run_id: str) -> Backtest:
        """Resumed, and done."""
        await self.services.orchestrator.resume(run_id, OWNER)
        await self.work()
        return await self.get(run_id)

    def files(self, run_id: str) -> set[str]:
        directory = self.services.settings.lake_path / "runs" / run_id
        return {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()}

    def path(self, checkpoint: Checkpoint) -> Path:
        return self.services.settings.lake_path / checkpoint.path

    def same(self, run: Backtest, other: Backtest) -> None:
        """Every byte of the results, and what the documents say of them."""
        assert run.status == other.status == Status.COMPLETED, run.error
        assert run.result is not None
        assert other.result is not None
        for section in SECTIONS:
            read = self.services.lake.read_result
            assert read(run.result.path, section).equals(read(other.result.path, section)), section
        assert run.result.sha256 == other.result.sha256
        assert (run.fingerprint, run.metrics, run.trading) == (other.fingerprint, other.metrics, other.trading)
        assert run.manifest is not None
        assert other.manifest is not None
        for name in ("equity_hash", "fills_hash", "data_hash", "complete"):
            assert run.manifest[name] == other.manifest[name]


async def heard(runner: BacktestRunner) -> bool:
    """Whether it has heard of a cancel."""
    return runner._current is not None and runner._current._cancelled


async def settled(runner: BacktestRunner) -> bool:
    """Whether no checkpoint is being written."""
    saving = runner._current._saving if runner._current is not None else None
    return saving is None or saving.done()
