"""Housekeeping: what is kept no longer goes with every trace, what is still needed stays, and a cut-off is no harm."""

import asyncio
import datetime as dt
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from housekeeping_support import ALL, binned, completed, intermediate, older, submit, traces
from lifecycle_support import OWNER, import_prices, mine, never, worker

from backproof.bootstrap import ServiceFactory
from backproof.domain.backtest import Backtest, Execution, IdempotencyKey
from backproof.domain.documents import Change, eq, utc_now
from backproof.domain.events import EventType, RunEvent
from backproof.domain.lifecycle import Status
from backproof.errors import BackproofError, NotFound, StorageFailed, StoreUnavailable
from backproof.services.backtests.housekeeping import Housekeeping
from backproof.services.backtests.transitions import Outcome
from backproof.storage.lake import Lake
from backproof.storage.sqlite import SqliteRepository

KEPT = {"logs": dt.timedelta(days=90), "checkpoints": dt.timedelta(days=7), "deleted": dt.timedelta(hours=24)}
HOUR = 3600.0


@pytest.fixture
def keeper(services: ServiceFactory) -> Housekeeping:
    return Housekeeping(services.repository, services.lake, **KEPT)


@pytest.fixture(autouse=True)
async def _prices(services: ServiceFactory, tmp_path: Path) -> None:
    await import_prices(services, tmp_path, bars=60)


# ---- the bin ----------------------------------------------------------------------------------------------------


async def test_a_deleted_run_is_gone_with_every_trace_after_its_time_and_not_before(
    services: ServiceFactory, keeper: Housekeeping
) -> None:
    young, old, kept = await completed(services, 3)
    for run_id in (young, old, kept):
        await services.repository.add(intermediate(run_id))
    await binned(services, young, dt.timedelta(hours=23, minutes=59))
    await binned(services, old, dt.timedelta(hours=24, seconds=1))
    assert await keeper.empty_bin() == 1
    assert await traces(services, old) == []
    assert await traces(services, young) == await traces(services, kept) == ALL
    restored = await services.orchestrator.restore(young, OWNER)
    assert (await services.results.equity(restored)).total_bars == 60
    with pytest.raises(NotFound):
        await services.orchestrator.restore(old, OWNER)
    assert await keeper.empty_bin() == 0


async def test_more_runs_than_fit_on_a_page_are_purged_at_once(
    services: ServiceFactory, keeper: Housekeeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backproof.services.backtests.housekeeping._PAGE", 2)
    for run_id in await completed(services, 5):
        await binned(services, run_id, dt.timedelta(days=2))
    assert await keeper.empty_bin() == 5
    assert await services.repository.count(RunEvent) == 0
    assert services.lake.run_ids() == []


async def test_a_run_that_is_just_being_purged_is_not_restored(
    services: ServiceFactory, keeper: Housekeeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    [run_id] = await completed(services)
    await binned(services, run_id, dt.timedelta(days=2))
    remove_run, tried = Lake.remove_run, []
    loop = asyncio.get_running_loop()

    def restore_meanwhile(lake: Lake, run_id: str) -> None:
        tried.append(asyncio.run_coroutine_threadsafe(attempted(services, run_id), loop).result())
        remove_run(lake, run_id)

    monkeypatch.setattr(Lake, "remove_run", restore_meanwhile)
    assert await keeper.empty_bin() == 1
    assert tried == [NotFound]
    assert await traces(services, run_id) == []


async def attempted(services: ServiceFactory, run_id: str) -> type[BackproofError] | None:
    try:
        await services.orchestrator.restore(run_id, OWNER)
    except BackproofError as error:
        return type(error)
    return None


async def test_a_run_that_was_restored_just_before_is_spared(
    services: ServiceFactory, keeper: Housekeeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    [run_id] = await completed(services)
    await binned(services, run_id, dt.timedelta(days=2))
    find = SqliteRepository.find

    async def restore_after(self: SqliteRepository, model: Any, *arguments: Any, **more: Any) -> list[Any]:
        found = await find(self, model, *arguments, **more)
        if model is Backtest and found and found[0].deleted_at is not None:
            await services.orchestrator.restore(run_id, OWNER)
        return found

    monkeypatch.setattr(SqliteRepository, "find", restore_after)
    assert await keeper.empty_bin() == 0
    monkeypatch.undo()
    assert (await services.results.equity(await services.orchestrator.get(run_id, OWNER))).total_bars == 60


# ---- logs -------------------------------------------------------------------------------------------------------


async def test_log_lines_are_forgotten_after_their_time_and_status_changes_are_not(
    services: ServiceFactory, keeper: Housekeeping
) -> None:
    old, young = await completed(services, 2)
    await older(services, old, 91)
    await older(services, young, 89)
    before = await services.monitoring.events(young)
    lines = len(await services.monitoring.events(old, types=[EventType.LOG]))
    assert lines >= 2
    assert await keeper.forget_logs() == lines
    assert [event.data["status"] for event in await services.monitoring.events(old)] == [
        "queued",
        "running",
        "completed",
    ]
    assert await services.monitoring.events(young) == before
    assert await keeper.forget_logs() == 0


async def test_lines_of_a_run_that_goes_on_are_kept_however_old_they_are(
    services: ServiceFactory, keeper: Housekeeping
) -> None:
    waiting, running, resumed = [await submit(services) for _ in range(3)]
    await services.orchestrator.cancel(resumed, OWNER)
    await services.orchestrator.resume(resumed, OWNER)
    await services.orchestrator.cancel(waiting, OWNER)
    await services.orchestrator.resume(waiting, OWNER)
    held = await services.orchestrator.claim_next(worker())
    assert held is not None
    assert held.id == running
    await services.orchestrator.log(held, [{"level": "info", "message": "still here"}])
    for run_id in (waiting, running, resumed):
        await older(services, run_id, 200)
    assert await keeper.forget_logs() == 0
    await services.orchestrator.finish(held, Outcome(), [])
    await services.orchestrator.cancel(resumed, OWNER)
    assert await keeper.forget_logs() == 0, "they ended a moment ago"


async def test_lines_of_a_run_that_is_gone_are_forgotten(services: ServiceFactory, keeper: Housekeeping) -> None:
    [run_id] = await completed(services)
    await older(services, run_id, 91)
    await services.repository.remove(Backtest, (eq("id", run_id),))
    assert await keeper.forget_logs() >= 2


async def test_old_lines_that_stay_do_not_keep_those_of_other_runs(
    services: ServiceFactory, keeper: Housekeeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backproof.services.backtests.housekeeping._PAGE", 3)
    waiting = await submit(services)
    held = await services.orchestrator.claim_next(worker())
    assert held is not None
    await services.orchestrator.log(held, [{"level": "info", "message": str(n)} for n in range(4)])
    await services.orchestrator.give_back(held, "worker_stopped")
    await older(services, waiting, 300)
    await services.orchestrator.cancel(waiting, OWNER)
    [done] = await completed(services)
    await services.orchestrator.resume(waiting, OWNER)
    await older(services, done, 100)
    assert await keeper.forget_logs() > 0


# ---- checkpoints ------------------------------------------------------------------------------------------------


async def cancelled_with_checkpoint(services: ServiceFactory) -> Backtest:
    run_id = await submit(services)
    held = await services.orchestrator.claim_next(worker())
    assert held is not None
    checkpoint = await services.checkpoints.write(held, b"state", 30, 60)
    assert await services.orchestrator.record_checkpoint(held, checkpoint, "simulate") is not None
    await services.orchestrator.cancel(run_id, OWNER)
    done = await services.orchestrator.finish(held, Outcome(partial=True), [])
    assert done is not None
    assert done.checkpoint is not None
    return done


async def test_a_checkpoint_that_nobody_has_resumed_is_forgotten_after_its_time(
    services: ServiceFactory, keeper: Housekeeping
) -> None:
    old, young = [await cancelled_with_checkpoint(services) for _ in range(2)]
    await older(services, old.id, 7.01)
    await older(services, young.id, 6.99)
    assert await keeper.forget_checkpoints() == 1
    assert (await services.orchestrator.get(old.id, OWNER)).checkpoint is None
    assert (await services.orchestrator.get(young.id, OWNER)).checkpoint == young.checkpoint
    assert services.lake.run_ids() == [young.id]
    assert await keeper.forget_checkpoints() == 0
    await services.orchestrator.resume(old.id, OWNER)
    await services.runner(never).run_waiting()
    assert (await services.orchestrator.get(old.id, OWNER)).status == Status.COMPLETED, "from the first bar"


async def test_the_partial_result_beside_a_checkpoint_stays(services: ServiceFactory, keeper: Housekeeping) -> None:
    run = await cancelled_with_checkpoint(services)
    [done] = await completed(services)
    source = await services.orchestrator.get(done, OWNER)
    assert source.result is not None
    path = services.lake.share_result(source.result.path, run.id, 1)
    kept = source.result.model_copy(update={"path": path})
    await services.repository.update(Backtest, run.id, (), Change(set={"result": kept}))
    await older(services, run.id, 8)
    assert await keeper.forget_checkpoints() == 1
    found = await services.orchestrator.get(run.id, OWNER)
    assert (await services.results.equity(found)).total_bars == 60
    assert files(services, run.id) == ["result.parquet"]


async def test_a_run_that_is_resumed_meanwhile_keeps_its_checkpoint(
    services: ServiceFactory, keeper: Housekeeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await cancelled_with_checkpoint(services)
    await older(services, run.id, 8)
    find = SqliteRepository.find

    async def resume_after(self: SqliteRepository, model: Any, *arguments: Any, **more: Any) -> list[Any]:
        found = await find(self, model, *arguments, **more)
        if found and found[0] == await services.orchestrator.get(run.id, OWNER):
            monkeypatch.undo()
            await services.orchestrator.resume(run.id, OWNER)
        return found

    monkeypatch.setattr(SqliteRepository, "find", resume_after)
    assert await keeper.forget_checkpoints() == 0
    assert (await services.orchestrator.get(run.id, OWNER)).checkpoint == run.checkpoint
    assert run.checkpoint is not None
    assert await services.checkpoints.read(run.checkpoint) == b"state"


# ---- strays -----------------------------------------------------------------------------------------------------


def files(services: ServiceFactory, run_id: str) -> list[str]:
    directory = services.settings.lake_path / "runs" / run_id
    return sorted(path.name for path in directory.rglob("*") if path.is_file())


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let the clock that files are compared with go on."""
    monkeypatch.setattr(time, "time", lambda now=time.time: now() + seconds)


async def test_files_that_nobody_has_recorded_go_after_an_hour_and_those_recorded_stay(
    services: ServiceFactory, keeper: Housekeeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    [done] = await completed(services)
    resumable = await cancelled_with_checkpoint(services)
    for run_id, fence in ((done, 1), (resumable.id, 1), ("bt-gone", 1)):
        services.lake.write_checkpoint(run_id, fence, 7, b"of an attempt that died")
    assert await keeper.remove_strays() == 0, "it may still be recorded"
    later(monkeypatch, HOUR + 1)
    assert await keeper.remove_strays() == 3
    assert files(services, done) == ["result.parquet"]
    assert files(services, resumable.id) == ["checkpoint-30.bin"]
    assert sorted(services.lake.run_ids()) == sorted([done, resumable.id])
    assert await keeper.remove_strays() == 0


async def test_nothing_is_taken_from_a_run_that_goes_on(
    services: ServiceFactory, keeper: Housekeeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = await submit(services)
    held = await services.orchestrator.claim_next(worker())
    assert held is not None
    await services.checkpoints.write(held, b"about to be recorded", 10, 60)
    later(monkeypatch, 10 * HOUR)
    assert await keeper.remove_strays() == 0
    await services.orchestrator.give_back(held, "worker_died")
    assert await keeper.remove_strays() == 0
    assert files(services, run_id) == ["checkpoint-10.bin"]


async def test_a_result_that_was_just_given_to_a_run_is_no_stray_however_old_its_bytes_are(
    services: ServiceFactory, keeper: Housekeeping
) -> None:
    [run_id] = await completed(services)
    run = await services.orchestrator.get(run_id, OWNER)
    assert run.result is not None
    os.utime(services.settings.lake_path / run.result.path, (time.time() - 5 * HOUR,) * 2)
    services.lake.share_result(run.result.path, "bt-to-be", 0)
    assert await keeper.remove_strays() == 0
    assert files(services, "bt-to-be") == ["result.parquet"]


async def test_a_run_that_was_given_its_result_keeps_it(
    services: ServiceFactory, keeper: Housekeeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    await completed(services)
    given = await services.orchestrator.submit(mine(), OWNER)
    assert given.cached_from is not None
    later(monkeypatch, 10 * HOUR)
    assert await keeper.remove_strays() == 0
    assert (await services.results.equity(given)).total_bars == 60


async def test_what_is_not_a_runs_does_not_stop_the_others(
    services: ServiceFactory, keeper: Housekeeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `lost+found` on a disk of its own, or a file that somebody has put there."""
    services.lake.write_checkpoint("bt-gone", 1, 7, b"x")
    runs = services.settings.lake_path / "runs"
    (runs / "lost+found").mkdir()
    (runs / "a note").write_text("x")
    later(monkeypatch, 2 * HOUR)
    assert await keeper.remove_strays() == 1
    await keeper.tidy()


async def test_files_that_cannot_be_deleted_are_left_for_the_next_time(
    services: ServiceFactory, keeper: Housekeeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    for run_id in ("bt-1", "bt-2", "bt-3"):
        services.lake.write_checkpoint(run_id, 1, 7, b"x")
    later(monkeypatch, 2 * HOUR)
    keep_only = Lake.keep_only

    def refuses(lake: Lake, run_id: str, *arguments: Any) -> int:
        if run_id == "bt-2":
            raise StorageFailed("cannot delete the files: the file system is read-only")
        return keep_only(lake, run_id, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Lake, "keep_only", refuses)
        assert await keeper.remove_strays() == 2
    assert await keeper.remove_strays() == 1


# ---- keys and attempts ------------------------------------------------------------------------------------------


async def test_keys_are_forgotten_after_a_week(services: ServiceFactory, keeper: Housekeeping) -> None:
    for name, days in (("old", 7.01), ("young", 6.99)):
        key = IdempotencyKey(
            id=f"{OWNER}:{name}", backtest_id="bt-1", body_hash="x", created_at=utc_now() - dt.timedelta(days=days)
        )
        await services.repository.add(key)
    assert await keeper.forget_keys() == 1
    assert [key.id for key in await services.repository.find(IdempotencyKey)] == [f"{OWNER}:young"]


async def test_attempts_whose_end_nobody_could_record_are_closed(
    services: ServiceFactory, keeper: Housekeeping
) -> None:
    [done] = await completed(services)
    again = await submit(services)
    first = await services.orchestrator.claim_next(worker())
    assert first is not None
    await services.orchestrator.give_back(first, "worker_died")
    second = await services.orchestrator.claim_next(worker())
    assert second is not None
    for attempt in (f"{done}:1", f"{again}:1"):
        await services.repository.update(Execution, attempt, (), Change(set={"ended_at": None, "outcome": None}))
    assert await keeper.close_attempts() == 2
    found = {one.id: one for one in await services.repository.find(Execution)}
    run = await services.orchestrator.get(done, OWNER)
    assert (found[f"{done}:1"].outcome, found[f"{done}:1"].ended_at) == ("completed", run.completed_at)
    assert (found[f"{again}:1"].outcome, found[f"{again}:1"].ended_at) == ("worker_died", second.started_at)
    assert found[f"{again}:2"].ended_at is None, "it is under way"


# ---- cut off anywhere -------------------------------------------------------------------------------------------


def cut_after(calls: int, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """From the n-th change on, the store or the disk is away. Answers with how many were asked for."""
    made, left = [0], [calls]

    def one() -> None:
        made[0] += 1
        left[0] -= 1
        if left[0] < 0:
            raise StoreUnavailable("cut off")

    remove, update, remove_run, keep_only = (
        SqliteRepository.remove,
        SqliteRepository.update,
        Lake.remove_run,
        Lake.keep_only,
    )

    async def cut_remove(self: SqliteRepository, *arguments: Any) -> int:
        one()
        return await remove(self, *arguments)

    async def cut_update(self: SqliteRepository, *arguments: Any) -> Any:
        one()
        return await update(self, *arguments)

    def cut_remove_run(self: Lake, *arguments: Any) -> None:
        one()
        remove_run(self, *arguments)

    def cut_keep_only(self: Lake, *arguments: Any) -> int:
        one()
        return keep_only(self, *arguments)

    monkeypatch.setattr(SqliteRepository, "remove", cut_remove)
    monkeypatch.setattr(SqliteRepository, "update", cut_update)
    monkeypatch.setattr(Lake, "remove_run", cut_remove_run)
    monkeypatch.setattr(Lake, "keep_only", cut_keep_only)
    return lambda: made[0]


async def test_cut_off_at_any_step_it_is_done_completely_the_next_time(
    services: ServiceFactory, keeper: Housekeeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = (await completed(services))[0]
    calls, done = 0, False
    while not done:
        purged, logged = [(await services.orchestrator.submit(mine(), OWNER)).id for _ in range(2)]
        await services.repository.add(intermediate(purged))
        attempt = Execution(id=f"{purged}:1", run_id=purged, attempt=1, fence=1, worker=worker(), started_at=utc_now())
        await services.repository.add(attempt)
        await binned(services, purged, dt.timedelta(days=2))
        await older(services, logged, 100)
        stale = await cancelled_with_checkpoint(services)
        await older(services, stale.id, 8)
        with monkeypatch.context() as patch:
            made = cut_after(calls, patch)
            try:
                await keeper.tidy()
                done = True
            except StoreUnavailable:
                assert made() == calls + 1
        await keeper.tidy()
        assert await traces(services, purged) == [], calls
        assert await services.monitoring.events(logged, types=[EventType.LOG]) == [], calls
        assert (await services.orchestrator.get(stale.id, OWNER)).checkpoint is None
        assert (await services.results.equity(await services.orchestrator.get(kept, OWNER))).total_bars == 60
        for run_id in (logged, stale.id):
            await binned(services, run_id, dt.timedelta(days=2))
        await keeper.empty_bin()
        calls += 1
    assert calls > 8, "every step of it was cut off once"
    assert await services.repository.count(Backtest) == 1


async def test_several_housekeepers_at_once_do_no_harm(services: ServiceFactory, keeper: Housekeeping) -> None:
    ids = await completed(services, 4)
    for run_id in ids[:2]:
        await binned(services, run_id, dt.timedelta(days=2))
    await older(services, ids[2], 100)
    others = [Housekeeping(services.repository, services.lake, **KEPT) for _ in range(3)]
    await asyncio.gather(*(one.tidy() for one in (keeper, *others)))
    assert await traces(services, ids[0]) == await traces(services, ids[1]) == []
    for run_id in ids[2:]:
        assert (await services.results.equity(await services.orchestrator.get(run_id, OWNER))).total_bars == 60
