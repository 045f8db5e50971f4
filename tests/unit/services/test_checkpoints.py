"""Checkpoints: a run that is stopped anywhere goes on to every byte of the result that it would have had."""

import asyncio
import random
import time
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
    import_prices,
    messages,
    mine,
    never,
    statuses,
    until,
    worker,
)

from backproof import EventStrategy, Parameters
from backproof.bootstrap import ServiceFactory
from backproof.domain.backtest import Backtest, Checkpoint, Intermediate, RunError
from backproof.domain.documents import Change, utc_now
from backproof.domain.events import EventType
from backproof.domain.lifecycle import Stage, Status
from backproof.engine.strategies import plugins
from backproof.errors import Conflict, NotFound, StorageFailed
from backproof.services.backtests import attempt as attempt_module
from backproof.services.backtests import runner as runner_module
from backproof.services.backtests.admission import SubmitOptions
from backproof.services.backtests.attempt import Attempt
from backproof.services.backtests.runner import BacktestRunner
from backproof.services.backtests.transitions import Outcome
from backproof.storage.lake import Lake

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


@pytest.fixture(autouse=True)
def _strategies(monkeypatch: pytest.MonkeyPatch) -> None:
    source = plugins.Source("tests = here", "tests", "1")
    found = tuple(plugins.Plugin(strategy, source) for strategy in (AddsSlowly, Hoards))
    monkeypatch.setattr(plugins, "_loaded", plugins.Registry(plugins=found))


@pytest.fixture(autouse=True)
def _attentive(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that hears soon of what it was asked."""
    monkeypatch.setattr(runner_module, "REPORT_SECONDS", 0.01)


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few bars per chunk, and a checkpoint whenever the one before is written."""
    for name, value in (("FIRST_CHUNK_WORK", 1), ("FIRST_BARS_BY_HAND", 1), ("CHUNK_SECONDS", 0.0)):
        monkeypatch.setattr(attempt_module, name, value)
    monkeypatch.setenv("CHECKPOINT_SECONDS", "0")
    for name, value in (("CHECKPOINT_SHARE", float("inf")), ("KEEP_SECONDS", 0.0)):
        monkeypatch.setattr(attempt_module, name, value)


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
    return runner._current is not None and runner._current._cancelled


@pytest.fixture
async def runs(services: ServiceFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runs:
    await import_prices(services, tmp_path, bars=250)
    return Runs(services, monkeypatch)


# ---- what a run records -----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("kind", KINDS)
async def test_a_run_records_checkpoints_that_count_once_they_are_told(runs: Runs, kind: str) -> None:
    run_id = await runs.submit(mine(**KINDS[kind]))

    async def look(runner: BacktestRunner, _: Gate) -> None:
        at = (await until(runs.services, run_id, lambda r: r.checkpoint is not None)).checkpoint
        assert at is not None
        assert (at.fence, at.total_bars) == (1, 250)
        assert 0 < at.bar <= 120
        assert len(await runs.services.checkpoints.read(at)) == at.bytes
        await becomes(lambda: settled(runner))
        named = (await runs.get(run_id)).checkpoint
        assert named is not None
        assert runs.files(run_id) == {f"1/checkpoint-{named.bar}.bin"}, "the ones before it are gone"

    await runs.stopped(run_id, 120, look)
    done = await runs.get(run_id)
    told = await runs.services.monitoring.events(run_id, types=[EventType.CHECKPOINT])
    bars = [event.data["bar"] for event in told]
    assert bars == sorted(set(bars))
    assert len(bars) >= 2
    assert {(event.data["total_bars"], event.data["stage"]) for event in told} == {(250, "simulate")}
    assert (done.status, done.checkpoint) == (Status.COMPLETED, None)
    assert runs.files(run_id) == {"1/result.parquet"}, "the result tells it all"


async def settled(runner: BacktestRunner) -> bool:
    saving = runner._current._saving if runner._current is not None else None
    return saving is None or saving.done()


async def test_a_short_run_writes_no_checkpoint(runs: Runs) -> None:
    run_id = await runs.submit(mine())
    await runs.work()
    assert await runs.services.monitoring.events(run_id, types=[EventType.CHECKPOINT]) == []
    assert runs.files(run_id) == {"1/result.parquet"}


@pytest.mark.usefixtures("eager")
async def test_the_longer_a_checkpoint_takes_the_less_often_one_is_written(runs: Runs) -> None:
    """Of the time of a run no more than a certain share goes into them."""
    runs.monkeypatch.setitem(runs.services.settings.__dict__, "checkpoint_seconds", 1000.0)
    runs.monkeypatch.setattr(attempt_module, "CHECKPOINT_SHARE", 0.04)
    run_id = await runs.submit(mine())

    async def look(runner: BacktestRunner, _: Gate) -> None:
        attempt = runner._current
        assert attempt is not None
        simulation: Any = attempt._simulation
        assert (await runs.get(run_id)).checkpoint is None
        for took, pause in ((0.0, 1000.0), (100.0, 2500.0), (400.0, 10_000.0)):
            await attempt._write_checkpoint(
                simulation.checkpoint(), simulation.position, time.monotonic() - took, "simulate"
            )
            assert pause <= attempt._checkpoint_pause < pause + 500.0
        before = await runs.get(run_id)
        for waited, written in ((9_000.0, False), (11_000.0, True)):
            attempt._checkpointed_at = time.monotonic() - waited
            await attempt._checkpoint_when_due(simulation)
            await becomes(lambda: settled(runner))
            assert ((await runs.get(run_id)).seq > before.seq) is written

    await runs.stopped(run_id, 100, look)


# ---- a worker that dies -----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("kind", KINDS)
async def test_a_run_whose_workers_died_goes_on_to_the_same_bytes(runs: Runs, kind: str) -> None:
    config = mine(**KINDS[kind])
    whole = await runs.undisturbed(config)
    run_id, chance = await runs.submit(config), random.Random(kind)

    async def die(runner: BacktestRunner, _: Gate) -> None:
        held = await until(runs.services, run_id, lambda r: r.checkpoint is not None and r.checkpoint.fence == r.fence)
        assert await runs.services.orchestrator.give_back(held, "worker_died") is not None
        second = await runs.services.orchestrator.claim_next(worker())  # this one dies before it has begun
        assert second is not None
        assert await runs.services.orchestrator.give_back(second, "worker_died") is not None

    await runs.stopped(run_id, chance.randrange(30, 220), die)
    done = await runs.get(run_id)
    assert (done.attempt, done.crashes) == (3, 2)
    assert any(message.startswith("attempt 3: goes on after") for message in await messages(runs.services, run_id))
    runs.same(done, whole)


async def test_a_run_that_is_stopped_again_and_again_still_gets_the_same_bytes(runs: Runs) -> None:
    config = mine(**KINDS["events"])
    whole = await runs.undisturbed(config)
    run = await runs.cancelled(config, 40)
    for bar in (41, 100, 101, 249):
        await runs.services.orchestrator.resume(run.id, OWNER)

        async def cancel(runner: BacktestRunner, _: Gate) -> None:
            await runs.services.orchestrator.cancel(run.id, OWNER)
            await becomes(lambda: heard(runner))

        await runs.stopped(run.id, bar, cancel)
        assert (await runs.get(run.id)).status == Status.CANCELLED
    done = await runs.finish(run.id)
    runs.same(done, whole)
    assert runs.files(run.id) == {f"{done.fence}/result.parquet"}


async def robbed(runs: Runs, runner: BacktestRunner, run_id: str) -> tuple[Attempt, Backtest]:
    """The attempt, which has written a checkpoint and lost its claim, and the run as another worker has it now."""
    held = await until(runs.services, run_id, lambda r: r.checkpoint is not None)
    attempt = runner._current
    assert attempt is not None
    await becomes(lambda: settled(runner))
    await runs.services.orchestrator.give_back(held, "heartbeat_lost")
    fresh = await runs.services.orchestrator.claim_next(worker())
    assert fresh is not None
    return attempt, fresh


@pytest.mark.usefixtures("eager")
async def test_nothing_of_an_attempt_that_lost_its_claim_is_recorded(runs: Runs) -> None:
    run_id = await runs.submit(mine())

    async def lose(runner: BacktestRunner, _: Gate) -> None:
        attempt, fresh = await robbed(runs, runner, run_id)
        simulation: Any = attempt._simulation
        await attempt._write_checkpoint(simulation.checkpoint(), simulation.position, time.monotonic(), "simulate")
        assert (await runs.get(run_id)).checkpoint == fresh.checkpoint
        assert fresh.checkpoint is not None
        assert len(await runs.services.checkpoints.read(fresh.checkpoint)) == fresh.checkpoint.bytes
        await runs.services.orchestrator.give_back(fresh, "worker_stopped")

    await runs.stopped(run_id, 100, lose)
    assert (await runs.get(run_id)).status == Status.COMPLETED


@pytest.mark.usefixtures("eager")
async def test_what_an_attempt_wrote_after_it_had_lost_its_claim_is_deleted(runs: Runs) -> None:
    """Its process stood still, and the run had ended elsewhere by then."""
    run_id = await runs.submit(mine())

    async def end_elsewhere(runner: BacktestRunner, _: Gate) -> None:
        attempt, fresh = await robbed(runs, runner, run_id)
        error = RunError(code="strategy_error", message="it raised", stage=Stage.SIMULATE)
        await runs.services.orchestrator.finish(fresh, Outcome(error=error), [])
        simulation: Any = attempt._simulation
        await attempt._write_checkpoint(simulation.checkpoint(), 250, time.monotonic(), "simulate")
        assert "1/checkpoint-250.bin" in runs.files(run_id)

    await runs.stopped(run_id, 100, end_elsewhere)
    ended = await runs.get(run_id)
    assert (ended.status, ended.fence) == (Status.FAILED, 2)
    assert ended.checkpoint is not None
    assert runs.files(run_id) == {f"1/checkpoint-{ended.checkpoint.bar}.bin"}


# ---- cancel, deadline, resume -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
async def test_a_run_cancelled_at_any_bar_and_resumed_has_the_result_of_one_never_cancelled(
    runs: Runs, kind: str
) -> None:
    config, chance = mine(**KINDS[kind]), random.Random(kind)
    whole = await runs.undisturbed(config)
    for bar in (1, chance.randrange(2, 249), 249):
        run = await runs.cancelled(config, bar)
        assert (run.status, run.partial) == (Status.CANCELLED, True)
        assert run.result is not None
        assert run.checkpoint is not None
        assert run.result.bars == run.checkpoint.bar == bar
        assert runs.files(run.id) == {"1/result.parquet", f"1/checkpoint-{bar}.bin"}
        done = await runs.finish(run.id)
        assert (done.partial, done.attempt) == (False, 2)
        runs.same(done, whole)
        assert f"attempt 2: goes on after bar {bar} of 250" in await messages(runs.services, run.id)
        assert await statuses(runs.services, run.id) == [
            *("queued", "running", "cancelling", "cancelled"),
            *("queued", "running", "completed"),
        ]
        assert runs.files(run.id) == {"2/result.parquet"}


async def test_a_run_cancelled_before_its_first_bar_starts_from_there(runs: Runs) -> None:
    whole = await runs.undisturbed(mine())
    run_id = await runs.submit(mine())
    await runs.services.orchestrator.cancel(run_id, OWNER)
    runs.same(await runs.finish(run_id), whole)
    run_id = await runs.submit(mine())
    held = await runs.services.orchestrator.claim_next(worker())
    assert held is not None
    await runs.services.orchestrator.cancel(run_id, OWNER)
    await runs.services.orchestrator.finish(held, Outcome(partial=True), [])
    assert (await runs.get(run_id)).status == Status.CANCELLED
    done = await runs.finish(run_id)
    runs.same(done, whole)
    assert "attempt 2: started again from the first bar" in await messages(runs.services, run_id)


async def test_a_run_past_its_deadline_can_be_resumed_to_the_result_it_would_have_had(runs: Runs) -> None:
    whole = await runs.undisturbed(mine())
    run_id = await runs.submit(mine())

    async def be_late(runner: BacktestRunner, _: Gate) -> None:
        assert runner._current is not None
        runner._current._deadline = time.monotonic()

    await runs.stopped(run_id, 90, be_late)
    late = await runs.get(run_id)
    assert late.error is not None
    assert (late.status, late.error.code) == (Status.FAILED, "deadline_exceeded")
    assert late.checkpoint is not None
    assert late.checkpoint.bar == 90
    assert runs.files(run_id) == {"1/checkpoint-90.bin"}
    done = await runs.finish(run_id)
    assert (done.error, done.attempt) == (None, 2)
    runs.same(done, whole)


async def test_a_crash_loop_can_be_resumed_and_has_all_its_attempts_again(runs: Runs) -> None:
    whole = await runs.undisturbed(mine())
    run_id = await runs.submit(mine())
    for _ in range(3):
        held = await runs.services.orchestrator.claim_next(worker())
        assert held is not None
        await runs.services.orchestrator.give_back(held, "worker_died")
    failed = await runs.get(run_id)
    assert (failed.status, failed.crashes) == (Status.FAILED, 3)
    await runs.services.orchestrator.resume(run_id, OWNER)
    for _ in range(2):
        held = await runs.services.orchestrator.claim_next(worker())
        assert held is not None
        await runs.services.orchestrator.give_back(held, "worker_died")
    await runs.work()
    runs.same(await runs.get(run_id), whole)


async def test_an_attempt_that_comes_to_nothing_leaves_the_partial_result_of_the_one_before(runs: Runs) -> None:
    run = await runs.cancelled(mine(), 60)
    assert run.result is not None
    with runs.monkeypatch.context() as patch:

        def full(*_: Any) -> None:
            raise StorageFailed("cannot write the result: the disk is full")

        patch.setattr(Lake, "write_result", full)
        failed = await runs.finish(run.id)
    assert (failed.status, failed.partial, failed.result) == (Status.FAILED, True, run.result)
    assert (failed.metrics, failed.manifest) == (run.metrics, run.manifest)
    assert (await runs.services.results.equity(failed)).total_bars == 60
    runs.same(await runs.finish(run.id), await runs.undisturbed(mine()))


async def test_what_may_not_be_resumed_is_refused(runs: Runs) -> None:
    orchestrator = runs.services.orchestrator
    run_id = await runs.submit(mine())
    with pytest.raises(Conflict, match="queued"):
        await orchestrator.resume(run_id, OWNER)
    held = await orchestrator.claim_next(worker())
    assert held is not None
    with pytest.raises(Conflict, match="running"):
        await orchestrator.resume(run_id, OWNER)
    await orchestrator.cancel(run_id, OWNER)
    with pytest.raises(Conflict, match="cancelling"):
        await orchestrator.resume(run_id, OWNER)
    await orchestrator.finish(held, Outcome(partial=True), [])
    with pytest.raises(NotFound):
        await orchestrator.resume(run_id, "somebody else")
    await orchestrator.delete(run_id, OWNER)
    with pytest.raises(NotFound):
        await orchestrator.resume(run_id, OWNER)
    done = await runs.undisturbed(mine())
    with pytest.raises(Conflict, match="completed"):
        await orchestrator.resume(done.id, OWNER)


async def test_a_run_that_is_being_deleted_is_not_resumed(runs: Runs) -> None:
    """Whichever is first: it never waits in the bin."""
    orchestrator = runs.services.orchestrator
    for _ in range(10):
        run_id = await runs.submit(mine())
        await orchestrator.cancel(run_id, OWNER)
        await asyncio.gather(
            orchestrator.resume(run_id, OWNER), orchestrator.delete(run_id, OWNER), return_exceptions=True
        )
        run = await runs.services.repository.get(Backtest, run_id)
        assert run is not None
        assert (run.status, run.deleted_at is not None) in ((Status.QUEUED, False), (Status.CANCELLED, True))
        if run.status == Status.QUEUED:
            await orchestrator.cancel(run_id, OWNER)

    run_id = await runs.submit(mine())
    await orchestrator.cancel(run_id, OWNER)
    refuse = orchestrator._refuse_full_queue

    async def delete_meanwhile(owner: str) -> None:
        await refuse(owner)
        await orchestrator.delete(run_id, OWNER)

    runs.monkeypatch.setattr(orchestrator, "_refuse_full_queue", delete_meanwhile)
    with pytest.raises(NotFound):
        await orchestrator.resume(run_id, OWNER)


# ---- checkpoints that are of no use -----------------------------------------------------------------------------


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize("damage", [flipped, cut, Path.unlink], ids=["flipped bit", "missing byte", "missing file"])
async def test_a_checkpoint_that_is_damaged_or_gone_costs_work_and_nothing_else(
    runs: Runs, damage: Callable[[Path], None]
) -> None:
    whole = await runs.undisturbed(mine())
    run = await runs.cancelled(mine(), 99)
    assert run.checkpoint is not None
    damage(runs.path(run.checkpoint))
    done = await runs.finish(run.id)
    runs.same(done, whole)
    said = [message for message in await messages(runs.services, run.id) if "of no use" in message]
    assert len(said) == 1
    assert said[0].startswith("attempt 2: its checkpoint is of no use (")
    assert said[0].endswith("started from the first bar")
    assert str(runs.services.settings.data_dir) not in said[0]


async def test_a_checkpoint_of_another_run_is_not_used_even_where_it_is_recorded(runs: Runs) -> None:
    whole = await runs.undisturbed(mine())
    foreign = (await runs.cancelled(mine(parameters={"fast": 2, "slow": 9}), 99)).checkpoint
    run = await runs.cancelled(mine(), 50)
    assert foreign is not None
    await runs.services.repository.update(Backtest, run.id, (), Change(set={"checkpoint": foreign}))
    done = await runs.finish(run.id)
    runs.same(done, whole)
    assert any("the checkpoint is of another run" in message for message in await messages(runs.services, run.id))


async def test_a_path_that_is_no_checkpoint_is_not_read(runs: Runs) -> None:
    secret = runs.services.settings.data_dir / "secret"
    secret.write_bytes(b"x")
    run = await runs.cancelled(mine(), 50)
    assert run.checkpoint is not None
    for path in ("../secret", str(secret), "runs/x/1/result.parquet", f"runs/{run.id}/../{run.id}/1/checkpoint-50.bin"):
        with pytest.raises(NotFound):
            await runs.services.checkpoints.read(run.checkpoint.model_copy(update={"path": path}))


@pytest.mark.usefixtures("eager")
async def test_a_disk_that_is_full_for_checkpoints_fails_no_run(runs: Runs) -> None:
    whole = await runs.undisturbed(mine())

    def full(*_: Any) -> None:
        raise StorageFailed("cannot save a checkpoint: the disk is full")

    with runs.monkeypatch.context() as patch:
        patch.setattr(Lake, "write_checkpoint", full)
        done = await runs.undisturbed(mine())
        cancelled = await runs.cancelled(mine(), 60)
    runs.same(done, whole)
    said = await messages(runs.services, done.id)
    assert any(message.startswith("no checkpoint after bar") and "the disk is full" in message for message in said)
    assert await runs.services.monitoring.events(done.id, types=[EventType.CHECKPOINT]) == []
    assert (cancelled.status, cancelled.partial, cancelled.checkpoint) == (Status.CANCELLED, True, None)
    runs.same(await runs.finish(cancelled.id), whole)


@pytest.mark.usefixtures("eager")
async def test_a_strategy_whose_state_cannot_be_saved_runs_without_checkpoints_and_says_so(runs: Runs) -> None:
    """Whether it is slow enough for one or not."""
    config = mine(strategy_type="hoards", parameters={})
    slow = await runs.undisturbed(config)
    said = [message for message in await messages(runs.services, slow.id) if "ctx.state cannot be saved" in message]
    assert len(said) == 1
    assert await runs.services.monitoring.events(slow.id, types=[EventType.CHECKPOINT]) == []
    cancelled = await runs.cancelled(config, 60)
    assert (cancelled.status, cancelled.partial, cancelled.checkpoint) == (Status.CANCELLED, True, None)
    assert cancelled.result is not None
    assert cancelled.result.bars == 60
    runs.same(await runs.finish(cancelled.id), slow)
    runs.monkeypatch.setitem(runs.services.settings.__dict__, "checkpoint_seconds", 1000.0)
    runs.same(await runs.undisturbed(config), slow)


# ---- what earlier attempts leave --------------------------------------------------------------------------------


async def test_tidying_after_an_attempt_spares_what_a_later_one_has_written(runs: Runs) -> None:
    """Its owner had it resumed, and another worker was done with it, before this one had tidied."""
    keep_only, again = Lake.keep_only, []
    loop = asyncio.get_running_loop()

    async def resume() -> None:
        again.append(await runs.finish(run_id))

    def late(lake: Lake, *arguments: Any) -> int:
        found = asyncio.run_coroutine_threadsafe(runs.get(run_id), loop).result()
        if found.status == Status.CANCELLED and not again:
            asyncio.run_coroutine_threadsafe(resume(), loop).result()
        return keep_only(lake, *arguments)

    run_id = await runs.submit(mine())

    async def cancel(runner: BacktestRunner, _: Gate) -> None:
        await runs.services.orchestrator.cancel(run_id, OWNER)
        await becomes(lambda: heard(runner))

    runs.monkeypatch.setattr(Lake, "keep_only", late)
    await runs.stopped(run_id, 80, cancel)
    assert again
    done = await runs.get(run_id)
    assert done.status == Status.COMPLETED
    assert (await runs.services.results.equity(done)).total_bars == 250


@pytest.mark.usefixtures("eager")
async def test_the_intermediate_result_is_kept_for_who_looks_later_and_not_beside_the_result(runs: Runs) -> None:
    run = await runs.cancelled(mine(), 80)
    kept = await runs.services.checkpoints.intermediate(run.id)
    assert kept is not None
    assert (kept.fence, kept.total_bars) == (1, 250)
    assert 0 < kept.bars_done <= 80
    await runs.finish(run.id)
    assert await runs.services.checkpoints.intermediate(run.id) is None


async def test_an_older_attempt_does_not_overwrite_the_intermediate_result_of_a_newer_one(runs: Runs) -> None:
    def of(fence: int, bars: int) -> Intermediate:
        return Intermediate(
            id="bt-x",
            fence=fence,
            saved_at=utc_now(),
            bars_done=bars,
            total_bars=100,
            fills=0,
            trades=0,
            points=(),
            positions=(),
            position_count=0,
        )

    keep = runs.services.checkpoints.keep_intermediate
    for fence, bars, shown in ((1, 10, 10), (1, 20, 20), (2, 5, 5), (1, 30, 5), (2, 15, 15)):
        await keep(of(fence, bars))
        kept = await runs.services.checkpoints.intermediate("bt-x")
        assert kept is not None
        assert kept.bars_done == shown


async def test_an_attempt_that_never_began_to_simulate_saves_no_checkpoint(runs: Runs) -> None:
    run_id = await runs.submit(mine())
    held = await runs.services.orchestrator.claim_next(worker())
    assert held is not None
    attempt = Attempt(held, runs.services.runner(never)._e, 10.0, 1.0)
    await attempt.settle()
    assert await attempt.last_words() == []
    assert runs.files(run_id) == set()
