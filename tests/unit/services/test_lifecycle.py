"""The promises of the lifecycle, one process at a time: what is saved, who may change it, what is told."""

import asyncio
import os
import threading
from collections.abc import Mapping

import pytest
from lifecycle_support import DEAD_PID, OWNER, left_in_the_outbox, never, worker

from backproof.bootstrap import ServiceFactory
from backproof.domain.backtest import Backtest, Execution, Progress, RunError
from backproof.domain.config import BacktestConfig
from backproof.domain.documents import Change, eq
from backproof.domain.events import EventType, RunEvent
from backproof.domain.lifecycle import FINAL, TRANSITIONS, Status
from backproof.engine.strategies import inspected
from backproof.errors import Conflict, FieldError, IdempotencyMismatch, InvalidInput, NotFound, QueueFull
from backproof.services.backtests import checking
from backproof.services.backtests.admission import SubmitOptions
from backproof.services.backtests.ledger import Draft
from backproof.services.backtests.models import BacktestPatch, BacktestQuery, MetricRange
from backproof.services.backtests.reaper import Reaper
from backproof.services.backtests.slots import Slots
from backproof.services.backtests.transitions import Outcome


async def seqs(services: ServiceFactory, run_id: str) -> list[int]:
    return [event.seq for event in await services.monitoring.events(run_id)]


def test_final_statuses_lead_nowhere_but_back_to_the_queue_and_every_other_leads_to_a_final_one() -> None:
    for status in Status:
        reached, todo = {status}, [status]
        while todo:
            for after in TRANSITIONS[todo.pop()] - reached:
                reached.add(after)
                todo.append(after)
        if status in FINAL:
            resumed = frozenset() if status == Status.COMPLETED else frozenset({Status.QUEUED, Status.PENDING})
            assert TRANSITIONS[status] == resumed
        assert reached & FINAL


async def test_a_submitted_run_is_durable_queued_and_announced(
    services: ServiceFactory, demo_config: dict[str, object]
) -> None:
    before = await services.execution.depth()
    run = await services.orchestrator.submit(demo_config, OWNER)
    assert run.status == Status.QUEUED
    assert (await services.orchestrator.get(run.id, OWNER)).config.costs.commission_rate == 0.001
    assert await services.execution.depth() == before + 1
    events = await services.monitoring.events(run.id)
    assert [(e.seq, e.type, e.data["status"]) for e in events] == [(1, EventType.STATUS_CHANGE, "queued")]
    stored = await services.repository.get(Backtest, run.id)
    assert stored is not None
    assert (stored.outbox, stored.relay_pending) == ((), False)


async def test_a_strategy_that_is_slow_to_check_keeps_nobody_else_waiting(
    services: ServiceFactory, demo_config: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a plug-in may be, whose import or whose validators are anybody's code."""
    began, let_go = threading.Event(), threading.Event()

    def slow(given: Mapping[str, object]) -> tuple[BacktestConfig | None, list[FieldError]]:
        began.set()
        assert let_go.wait(20), "the event loop waits for it"
        return inspected(given)

    monkeypatch.setattr(checking, "inspected", slow)
    work = asyncio.create_task(services.orchestrator.submit(demo_config, OWNER))
    assert await asyncio.to_thread(began.wait, 20)
    assert (await services.orchestrator.find(BacktestQuery(), OWNER)).items == []
    let_go.set()
    assert (await work).status == Status.QUEUED


async def test_a_run_goes_from_queued_to_completed_with_everything_recorded(
    services: ServiceFactory, demo_config: dict[str, object]
) -> None:
    run = await services.orchestrator.submit(demo_config, OWNER)
    assert await services.runner(never).run_waiting() == 1
    done = await services.orchestrator.get(run.id, OWNER)
    assert done.status == Status.COMPLETED
    assert (done.fence, done.attempt, done.worker, done.partial) == (1, 1, None, False)
    assert done.progress.percent == 100.0
    assert done.metrics is not None
    assert done.metrics["total_return"] > 0
    assert done.benchmark_metrics is not None
    assert done.result is not None
    assert done.fingerprint is not None
    assert len(done.fingerprint) == 64
    curve = await services.results.equity(done)
    assert len(curve.equity) == curve.total_bars == done.result.bars
    assert curve.dates[0] == "2003-01-02"
    assert await seqs(services, run.id) == list(range(1, done.seq + 1))
    attempt = await services.repository.get(Execution, f"{run.id}:1")
    assert attempt is not None
    assert attempt.outcome == "completed"
    assert any(notice.code == "data_note" for notice in done.notices), "SPX is an index: the result must say so"


async def test_the_same_request_gives_the_same_fingerprint_and_bits(
    services: ServiceFactory, demo_config: dict[str, object]
) -> None:
    first = await services.orchestrator.submit(demo_config, OWNER)
    again = {**demo_config, "name": "another name", "tags": []}
    second = await services.orchestrator.submit(again, OWNER, options=SubmitOptions(use_cache=False))
    await services.runner(never).run_waiting()
    one = await services.orchestrator.get(first.id, OWNER)
    two = await services.orchestrator.get(second.id, OWNER)
    assert one.fingerprint == two.fingerprint
    assert one.manifest is not None
    assert two.manifest is not None
    assert one.manifest["equity_hash"] == two.manifest["equity_hash"]
    validation = await services.orchestrator.validate(demo_config, OWNER)
    assert validation.identical in (first.id, second.id)
    assert validation.estimate is not None
    assert validation.estimate.seconds is not None, "a run of this strategy has finished: its duration is known"


async def test_a_waiting_run_is_cancelled_at_once_and_never_claimed(
    services: ServiceFactory, demo_config: dict[str, object]
) -> None:
    run = await services.orchestrator.submit(demo_config, OWNER)
    assert (await services.orchestrator.cancel(run.id, OWNER)).status == Status.CANCELLED
    assert await services.orchestrator.claim_next(worker()) is None
    with pytest.raises(Conflict, match="cancelled already"):
        await services.orchestrator.cancel(run.id, OWNER)


async def test_a_cancel_that_comes_before_the_end_wins_over_completion(
    services: ServiceFactory, demo_config: dict[str, object]
) -> None:
    await services.orchestrator.submit(demo_config, OWNER)
    claimed = await services.orchestrator.claim_next(worker())
    assert claimed is not None
    assert (await services.orchestrator.cancel(claimed.id, OWNER)).status == Status.CANCELLING
    assert (await services.orchestrator.cancel(claimed.id, OWNER)).status == Status.CANCELLING, "asking twice is fine"
    finished = await services.orchestrator.finish(claimed, Outcome(), [])
    assert finished is not None
    assert finished.status == Status.CANCELLED


async def test_a_run_is_claimed_by_exactly_one_of_many_workers(
    services: ServiceFactory, demo_config: dict[str, object]
) -> None:
    runs = [await services.orchestrator.submit(demo_config, OWNER) for _ in range(4)]
    claims = await asyncio.gather(*(services.orchestrator.claim_next(worker()) for _ in range(12)))
    taken = [claim.id for claim in claims if claim is not None]
    assert sorted(taken) == sorted(run.id for run in runs)


async def test_the_oldest_waiting_run_is_next(services: ServiceFactory, demo_config: dict[str, object]) -> None:
    first = await services.orchestrator.submit(demo_config, OWNER)
    second = await services.orchestrator.submit(demo_config, OWNER)
    assert (await services.monitoring.status(first)).queue_position == 1
    assert (await services.monitoring.status(second)).queue_position == 2
    claimed = await services.orchestrator.claim_next(worker())
    assert claimed is not None
    assert claimed.id == first.id


async def test_a_worker_with_an_older_fence_can_write_nothing(
    services: ServiceFactory, demo_config: dict[str, object]
) -> None:
    await services.orchestrator.submit(demo_config, OWNER)
    stale = await services.orchestrator.claim_next(worker())
    assert stale is not None
    await services.orchestrator.give_back(stale, "heartbeat_lost")
    fresh = await services.orchestrator.claim_next(worker(pid=os.getppid()))
    assert fresh is not None
    assert fresh.fence == stale.fence + 1
    assert await services.orchestrator.renew(stale, Progress(percent=50)) is None
    assert await services.orchestrator.log(stale, [{"level": "info", "message": "from the grave"}]) is None
    assert await services.orchestrator.finish(stale, Outcome(), []) is None
    assert await services.orchestrator.give_back(stale, "worker_stopped") is None
    assert (await services.orchestrator.get(stale.id, OWNER)).status == Status.RUNNING
    assert await services.orchestrator.finish(fresh, Outcome(), []) is not None


async def test_a_run_whose_process_is_gone_is_given_back_without_waiting_for_the_lease(
    services: ServiceFactory, demo_config: dict[str, object]
) -> None:
    run = await services.orchestrator.submit(demo_config, OWNER)
    await services.orchestrator.claim_next(worker(pid=DEAD_PID))
    assert await services.reaper().look() == 1
    again = await services.orchestrator.get(run.id, OWNER)
    assert (again.status, again.attempt, again.worker) == (Status.QUEUED, 1, None)
    assert await services.runner(never).run_waiting() == 1
    done = await services.orchestrator.get(run.id, OWNER)
    assert (done.status, done.attempt, done.fence) == (Status.COMPLETED, 2, 2)
    messages = [e.data["message"] for e in await services.monitoring.events(run.id, types=[EventType.LOG])]
    assert any("worker_died" in message for message in messages)
    assert any("started again from the first bar" in message for message in messages)


async def test_a_silent_worker_of_another_host_loses_its_run_after_the_lease_on_the_reapers_clock(
    services: ServiceFactory, demo_config: dict[str, object]
) -> None:
    run = await services.orchestrator.submit(demo_config, OWNER)
    claimed = await services.orchestrator.claim_next(worker(host="elsewhere"))
    assert claimed is not None
    now = 0.0
    reaper = Reaper(services.repository, services.orchestrator, Slots(services.repository), 10.0, clock=lambda: now)
    assert await reaper.look() == 0
    now = 9.0
    await services.orchestrator.renew(claimed, Progress())
    assert await reaper.look() == 0
    now = 18.9
    assert await reaper.look() == 0, "the heartbeat moved at 9"
    now = 19.0
    assert await reaper.look() == 1
    assert (await services.orchestrator.get(run.id, OWNER)).status == Status.QUEUED


async def test_a_reaper_that_stood_still_takes_no_run_for_what_it_asked_before(
    services: ServiceFactory, demo_config: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    await services.orchestrator.submit(demo_config, OWNER)
    assert await services.orchestrator.claim_next(worker(host="elsewhere")) is not None
    now = 0.0
    reaper = Reaper(services.repository, services.orchestrator, Slots(services.repository), 10.0, clock=lambda: now)
    assert await reaper.look() == 0
    claimed = reaper._claimed

    async def stand_still() -> list[Backtest]:
        nonlocal now
        answer = await claimed()
        now = 60.0
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(reaper, "_claimed", stand_still)
        now = 0.5
        assert await reaper.look() == 0, "the worker may have beaten its heart meanwhile"
    assert await reaper.look() == 1, "it has not"


async def test_three_dead_workers_end_a_run_as_a_crash_loop(
    services: ServiceFactory, demo_config: dict[str, object]
) -> None:
    run = await services.orchestrator.submit(demo_config, OWNER)
    for _ in range(3):
        assert await services.orchestrator.claim_next(worker(pid=DEAD_PID)) is not None
        await services.reaper().look()
    ended = await services.orchestrator.get(run.id, OWNER)
    assert ended.status == Status.FAILED
    assert ended.error is not None
    assert ended.error.code == "crash_loop"


async def test_a_worker_that_stops_on_purpose_costs_no_attempt(
    services: ServiceFactory, demo_config: dict[str, object]
) -> None:
    run = await services.orchestrator.submit(demo_config, OWNER)
    for _ in range(5):
        claimed = await services.orchestrator.claim_next(worker())
        assert claimed is not None
        await services.orchestrator.give_back(claimed, "worker_stopped")
    assert (await services.orchestrator.get(run.id, OWNER)).status == Status.QUEUED


async def test_cancelling_a_run_whose_worker_died_ends_it_as_cancelled(
    services: ServiceFactory, demo_config: dict[str, object]
) -> None:
    run = await services.orchestrator.submit(demo_config, OWNER)
    await services.orchestrator.claim_next(worker(pid=DEAD_PID))
    await services.orchestrator.cancel(run.id, OWNER)
    await services.reaper().look()
    assert (await services.orchestrator.get(run.id, OWNER)).status == Status.CANCELLED


async def test_a_full_queue_says_when_to_come_back(services: ServiceFactory, demo_config: dict[str, object]) -> None:
    services.orchestrator._queue_max_size = 2
    await services.orchestrator.submit(demo_config, OWNER)
    await services.orchestrator.submit(demo_config, OWNER)
    with pytest.raises(QueueFull) as caught:
        await services.orchestrator.submit(demo_config, OWNER)
    assert caught.value.retry_after > 0


async def test_the_same_idempotency_key_is_one_run(services: ServiceFactory, demo_config: dict[str, object]) -> None:
    runs = await asyncio.gather(
        *(services.orchestrator.submit(demo_config, OWNER, idempotency_key="k-1") for _ in range(10))
    )
    assert len({run.id for run in runs}) == 1
    assert (await services.orchestrator.find(BacktestQuery(), OWNER)).total == 1
    with pytest.raises(IdempotencyMismatch):
        await services.orchestrator.submit({**demo_config, "name": "other"}, OWNER, idempotency_key="k-1")


async def test_another_owners_run_does_not_exist(services: ServiceFactory, demo_config: dict[str, object]) -> None:
    run = await services.orchestrator.submit(demo_config, OWNER)
    for call in (services.orchestrator.get, services.orchestrator.cancel, services.orchestrator.delete):
        with pytest.raises(NotFound):
            await call(run.id, "somebody else")


async def test_all_wrong_fields_are_named_at_once(services: ServiceFactory, demo_config: dict[str, object]) -> None:
    wrong = {**demo_config, "parameters": {"fast": 50, "slow": 20}, "symbols": ["APPL"], "benchmark": "SPY"}
    with pytest.raises(InvalidInput) as caught:
        await services.orchestrator.submit(wrong, OWNER)
    pointers = {error.pointer for error in caught.value.errors}
    assert {"/symbols/0", "/benchmark"} <= pointers
    assert any(pointer.startswith("/parameters") for pointer in pointers)
    assert (await services.orchestrator.find(BacktestQuery(), OWNER)).total == 0


async def test_events_that_a_dead_writer_left_in_the_outbox_are_relayed_by_the_sweep(
    services: ServiceFactory, demo_config: dict[str, object]
) -> None:
    run = await services.orchestrator.submit(demo_config, OWNER)
    await left_in_the_outbox(services, run, "said just before the end")
    assert await services.repository.count(RunEvent, (eq("run_id", run.id),)) == 1
    assert await seqs(services, run.id) == [1, 2], "readers see what waits in the outbox"
    position = await services._stream.last_id()
    assert await services.ledger.sweep() == 1
    assert await services.repository.count(RunEvent, (eq("run_id", run.id),)) == 2
    _, told = await services._stream.read(position)
    assert [(run_id, event.seq) for run_id, event in told] == [(run.id, 2)]
    assert await services.ledger.sweep() == 0


async def test_writers_in_parallel_never_skip_or_repeat_a_number(
    services: ServiceFactory, demo_config: dict[str, object]
) -> None:
    run = await services.orchestrator.submit(demo_config, OWNER)

    async def say(text: str) -> None:
        draft = Draft(events=[(EventType.LOG, {"level": "info", "message": text})])
        assert await services.ledger.change(run, lambda _: draft) is not None

    await asyncio.gather(*(say(str(i)) for i in range(20)))
    await services.ledger.sweep()
    events = await services.monitoring.events(run.id)
    assert [event.seq for event in events] == list(range(1, 22))
    assert {event.data.get("message") for event in events[1:]} == {str(i) for i in range(20)}


async def test_a_failed_run_says_what_and_where(services: ServiceFactory, demo_config: dict[str, object]) -> None:
    run = await services.orchestrator.submit(demo_config, OWNER)
    claimed = await services.orchestrator.claim_next(worker())
    assert claimed is not None
    error = RunError(code="storage_failed", message="no space left on device")
    finished = await services.orchestrator.finish(claimed, Outcome(error=error), [])
    assert finished is not None
    assert (finished.status, finished.error) == (Status.FAILED, error)
    last = (await services.monitoring.events(run.id))[-1]
    assert last.data["error"]["code"] == "storage_failed"


async def test_runs_are_found_by_every_filter_and_paged_without_gaps(
    services: ServiceFactory, demo_config: dict[str, object]
) -> None:
    for i in range(7):
        await services.orchestrator.submit(
            {**demo_config, "name": f"Momentum test {i}", "tags": ["a" if i % 2 else "b"]}, OWNER
        )
    await services.runner(never).run_waiting()
    find = services.orchestrator.find
    assert (await find(BacktestQuery(text="momen"), OWNER)).total == 7
    assert (await find(BacktestQuery(text="momen 3"), OWNER)).total == 1
    assert (await find(BacktestQuery(tags=("a",)), OWNER)).total == 3
    assert (await find(BacktestQuery(symbols=("AAPL",), status=(Status.COMPLETED,)), OWNER)).total == 7
    assert (await find(BacktestQuery(metrics=(MetricRange("sharpe", minimum=99.0),)), OWNER)).total == 0
    assert (await find(BacktestQuery(strategies=("macd", "sma_crossover")), OWNER)).total == 7
    assert (await find(BacktestQuery(tags=("a", "b")), OWNER)).total == 0
    seen: list[str] = []
    cursor = None
    while True:
        page = await find(BacktestQuery(limit=3, cursor=cursor, sort="total_return"), OWNER)
        seen += [run.id for run in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 7


async def test_patch_changes_what_an_owner_may_change_and_the_search_follows(
    services: ServiceFactory, demo_config: dict[str, object]
) -> None:
    run = await services.orchestrator.submit(demo_config, OWNER)
    await services.orchestrator.patch(run.id, OWNER, BacktestPatch(name="새 이름", tags=("x",), starred=True))
    assert (await services.orchestrator.find(BacktestQuery(text="새 이"), OWNER)).total == 1
    changed = await services.orchestrator.get(run.id, OWNER)
    assert (changed.name, changed.tags, changed.starred, changed.config.name) == (
        "새 이름",
        ("x",),
        True,
        "SMA on Apple",
    )


async def test_a_deleted_run_is_gone_and_a_running_one_is_refused(
    services: ServiceFactory, demo_config: dict[str, object]
) -> None:
    run = await services.orchestrator.submit(demo_config, OWNER)
    claimed = await services.orchestrator.claim_next(worker())
    assert claimed is not None
    with pytest.raises(Conflict, match="cancel it before"):
        await services.orchestrator.delete(run.id, OWNER)
    await services.orchestrator.give_back(claimed, "worker_stopped")
    await services.runner(never).run_waiting()
    await services.orchestrator.delete(run.id, OWNER)
    with pytest.raises(NotFound):
        await services.orchestrator.get(run.id, OWNER)
    assert (await services.orchestrator.find(BacktestQuery(), OWNER)).items == []
    assert [r.id for r in (await services.orchestrator.find(BacktestQuery(deleted=True), OWNER)).items] == [run.id]
    restored = await services.orchestrator.restore(run.id, OWNER)
    assert (await services.results.equity(restored)).total_bars > 0


async def test_a_document_changed_by_hand_between_read_and_write_is_read_again(
    services: ServiceFactory, demo_config: dict[str, object]
) -> None:
    run = await services.orchestrator.submit(demo_config, OWNER)
    await services.repository.update(Backtest, run.id, (), Change(inc={"fence": 5}))
    claimed = await services.ledger.change(run, lambda current: Draft(set={"notes": f"fence {current.fence}"}))
    assert claimed is not None
    assert claimed.notes == "fence 5"
