"""Checkpoints: what a run records of them, those that are of no use, and what earlier attempts leave."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from checkpoint_support import KINDS, Runs, heard, settled
from lifecycle_support import (
    OWNER,
    PATIENCE,
    Gate,
    becomes,
    messages,
    mine,
    never,
    worker,
)

from backproof.domain.backtest import Backtest, Intermediate
from backproof.domain.documents import Change, utc_now
from backproof.domain.events import EventType
from backproof.domain.lifecycle import Status
from backproof.errors import NotFound, StorageFailed
from backproof.services.backtests import attempt as attempt_module
from backproof.services.backtests import runner as runner_module
from backproof.services.backtests.attempt import Attempt
from backproof.services.backtests.checkpoints import CheckpointService
from backproof.services.backtests.runner import BacktestRunner
from backproof.storage.lake import Lake

# ---- what a run records -----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("kind", KINDS)
async def test_a_run_records_checkpoints_that_count_once_they_are_told(runs: Runs, kind: str) -> None:
    run_id = await runs.submit(mine(**KINDS[kind]))

    async def look(runner: BacktestRunner, _: Gate) -> None:
        await becomes(lambda: settled(runner))  # or the next one takes the place of the one that is looked at
        at = (await runs.get(run_id)).checkpoint
        assert at is not None
        assert (at.fence, at.total_bars) == (1, 250)
        assert 0 < at.bar <= 120
        assert len(await runs.services.checkpoints.read(at)) == at.bytes
        assert runs.files(run_id) == {f"1/checkpoint-{at.bar}.bin"}, "the ones before it are gone"

    await runs.stopped(run_id, 120, look)
    done = await runs.get(run_id)
    told = await runs.services.monitoring.events(run_id, types=[EventType.CHECKPOINT])
    bars = [event.data["bar"] for event in told]
    assert bars == sorted(set(bars))
    assert len(bars) >= 2
    assert {(event.data["total_bars"], event.data["stage"]) for event in told} == {(250, "simulate")}
    assert (done.status, done.checkpoint) == (Status.COMPLETED, None)
    assert runs.files(run_id) == {"1/result.parquet"}, "the result tells it all"


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
            assert ((await runs.get(run_id)).checkpoint != before.checkpoint) is written

    await runs.stopped(run_id, 100, look)


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


@pytest.mark.usefixtures("eager")
async def test_nothing_is_kept_any_more_once_an_ended_run_is_tidied(runs: Runs) -> None:
    """An intermediate result that came after those before it were forgotten would stay beside the result."""

    def reporters() -> int:
        return sum("BacktestRunner._report" in repr(task.get_coro()) for task in asyncio.all_tasks())

    forget, beside = CheckpointService.forget_intermediate, []

    async def counted(self: CheckpointService, run: Backtest) -> None:
        beside.append(reporters())
        await forget(self, run)

    async def look(_: BacktestRunner, __: Gate) -> None:
        assert reporters() == 1

    runs.monkeypatch.setattr(runner_module, "REPORT_SECONDS", PATIENCE)
    runs.monkeypatch.setattr(CheckpointService, "forget_intermediate", counted)
    await runs.stopped(await runs.submit(mine()), 80, look)
    assert beside == [0]


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
