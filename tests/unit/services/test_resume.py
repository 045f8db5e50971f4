"""A run that is stopped anywhere goes on to every byte of the result that it would have had."""

import asyncio
import random
import time
from typing import Any

import pytest
from checkpoint_support import KINDS, Runs, heard, settled
from lifecycle_support import (
    OWNER,
    Gate,
    becomes,
    messages,
    mine,
    statuses,
    until,
    worker,
)

from backproof.domain.backtest import Backtest, RunError
from backproof.domain.lifecycle import Stage, Status
from backproof.engine.strategies import plugins
from backproof.errors import Conflict, InvalidInput, NotFound, StorageFailed
from backproof.services.backtests.attempt import Attempt
from backproof.services.backtests.runner import BacktestRunner
from backproof.services.backtests.transitions import Outcome
from backproof.storage.lake import Lake

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


async def test_a_run_whose_strategy_is_gone_is_not_resumed_and_stays_as_it_is(runs: Runs) -> None:
    run = await runs.cancelled(mine(**KINDS["events"]), 60)
    with runs.monkeypatch.context() as patch:
        patch.setattr(plugins, "_loaded", plugins.Registry(plugins=()))
        with pytest.raises(InvalidInput, match="no strategy is called adds_slowly"):
            await runs.services.orchestrator.resume(run.id, OWNER)
    kept = await runs.get(run.id)
    assert (kept.status, kept.result, kept.checkpoint) == (Status.CANCELLED, run.result, run.checkpoint)
    assert (await runs.finish(run.id)).status == Status.COMPLETED


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
