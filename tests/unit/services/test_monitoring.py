"""What is told of runs: no event is missed on its way from the outbox to the log; numbers say what documents say."""

import asyncio
import datetime as dt
import random
from pathlib import Path
from typing import Any

import pytest
from lifecycle_support import OWNER, import_prices, left_in_the_outbox, mine, never, worker

from backproof.bootstrap import ServiceFactory
from backproof.domain.backtest import Backtest, Checkpoint
from backproof.domain.documents import Change, eq, utc_now
from backproof.domain.events import DURABLE, Event, EventType, RunEvent
from backproof.domain.lifecycle import Status
from backproof.errors import BrokerUnavailable
from backproof.messaging.redis import EventStream
from backproof.services.backtests.admission import SubmitOptions
from backproof.services.backtests.ledger import Draft
from backproof.services.backtests.transitions import Outcome
from backproof.storage.sqlite import SqliteRepository

COMPUTED = SubmitOptions(use_cache=False)


async def say(services: ServiceFactory, run: Backtest, count: int, *, relay: bool) -> Backtest:
    """Events of a run; without a relay they wait in its outbox."""
    current, lines = await services.orchestrator.get(run.id, OWNER), [str(n) for n in range(count)]
    if not relay:
        return await left_in_the_outbox(services, current, *lines)
    events = [(EventType.LOG, {"level": "info", "message": line}) for line in lines]
    said = await services.ledger.change(current, lambda _: Draft(events=events))
    assert said is not None
    return said


async def seqs(services: ServiceFactory, run: Backtest, **how: Any) -> list[int]:
    return [event.seq for event in await services.monitoring.events(run.id, **how)]


@pytest.fixture
async def run(services: ServiceFactory, demo_config: dict[str, object]) -> Backtest:
    return await services.orchestrator.submit(demo_config, OWNER)


# ---- events -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", ["before the first look", "between the looks", "after the last look"])
async def test_no_event_is_missed_while_it_moves_from_the_outbox_to_the_log(
    services: ServiceFactory, run: Backtest, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    said = await say(services, run, 3, relay=False)
    looks, get, find = [], SqliteRepository.get, SqliteRepository.find
    relays = {"before the first look": (0, False), "between the looks": (1, False), "after the last look": (1, True)}
    number, after = relays[at]

    async def moving(look: Any, model: Any, *arguments: Any) -> Any:
        if model not in (Backtest, RunEvent) or "relaying" in looks:
            return await look(services.repository, model, *arguments)
        looks.append(model.collection)
        mine_now = len(looks) == number + 1
        if mine_now and not after:
            await relay()
        found = await look(services.repository, model, *arguments)
        if mine_now and after:
            await relay()
        return found

    async def relay() -> None:
        looks.append("relaying")
        await services.ledger.relay(said)
        looks.remove("relaying")

    async def moving_get(_: SqliteRepository, model: Any, id: str) -> Any:
        return await moving(get, model, id)

    async def moving_find(_: SqliteRepository, model: Any, *arguments: Any) -> Any:
        return await moving(find, model, *arguments)

    monkeypatch.setattr(SqliteRepository, "get", moving_get)
    monkeypatch.setattr(SqliteRepository, "find", moving_find)
    assert await seqs(services, run) == [1, 2, 3, 4]
    assert sorted(looks) == ["backtest_logs", "backtests"]
    monkeypatch.undo()
    stored = await services.repository.get(Backtest, run.id)
    assert stored is not None
    assert stored.outbox == ()
    assert await seqs(services, run) == [1, 2, 3, 4]


async def test_readers_never_see_a_gap_while_writers_write(services: ServiceFactory, run: Backtest) -> None:
    """Any number of both; what a reader has seen is the beginning of what there is."""
    writing = True

    async def write(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(15):
            await say(services, run, chance.randrange(1, 4), relay=chance.random() < 0.5)

    async def read() -> None:
        seen = 0
        while writing:
            found = await seqs(services, run)
            assert found == list(range(1, len(found) + 1))
            assert len(found) >= seen, "what was there stays there"
            seen = len(found)

    readers = [asyncio.create_task(read()) for _ in range(2)]
    await asyncio.gather(*(write(seed) for seed in range(3)))
    await services.ledger.sweep()
    writing = False
    await asyncio.gather(*readers)
    last = await services.orchestrator.get(run.id, OWNER)
    assert await seqs(services, run) == list(range(1, last.seq + 1))


@pytest.mark.parametrize("relayed", [0, 3, 6], ids=["in the outbox", "half of them", "in the log"])
async def test_pages_of_events_make_up_all_of_them(services: ServiceFactory, run: Backtest, relayed: int) -> None:
    if relayed:
        await say(services, run, relayed, relay=True)
    if relayed < 6:
        await say(services, run, 6 - relayed, relay=False)
    assert await seqs(services, run) == [1, 2, 3, 4, 5, 6, 7]
    for limit in (1, 2, 3, 7, 100):
        paged: list[int] = []
        while page := await seqs(services, run, after=paged[-1] if paged else 0, limit=limit):
            assert len(page) <= limit
            paged += page
        assert paged == [1, 2, 3, 4, 5, 6, 7]
    assert await seqs(services, run, after=7) == []
    assert await seqs(services, run, after=99) == []


async def test_kinds_of_events_are_told_apart_wherever_they_are(services: ServiceFactory, run: Backtest) -> None:
    await say(services, run, 2, relay=True)
    await say(services, run, 1, relay=False)
    assert await seqs(services, run, types=[EventType.STATUS_CHANGE]) == [1]
    assert await seqs(services, run, types=[EventType.LOG]) == [2, 3, 4]
    assert await seqs(services, run, types=[EventType.LOG], after=2) == [3, 4]
    assert await seqs(services, run, types=[EventType.LOG], limit=2) == [2, 3]
    assert await seqs(services, run, types=[EventType.NOTICE, EventType.CHECKPOINT]) == []
    assert await seqs(services, run, types=sorted(DURABLE)) == [1, 2, 3, 4]


async def test_what_is_kept_no_longer_leaves_a_gap_and_not_an_end(services: ServiceFactory, run: Backtest) -> None:
    await services.runner(never).run_waiting()
    await services.repository.remove(RunEvent, (eq("run_id", run.id), eq("type", EventType.LOG)))
    events = await services.monitoring.events(run.id)
    assert [event.data["status"] for event in events] == ["queued", "running", "completed"]
    assert events[-1].seq == (await services.orchestrator.get(run.id, OWNER)).seq


async def test_an_unknown_run_has_no_events(services: ServiceFactory) -> None:
    assert await services.monitoring.events("bt-nothing") == []
    assert await services.monitoring.latest("bt-nothing") is None


async def test_what_redis_has_missed_is_in_the_store_at_once_and_on_the_stream_later(
    services: ServiceFactory, run: Backtest, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any) -> None:
        raise BrokerUnavailable("away")

    position = await services._stream.last_id()
    with monkeypatch.context() as patch:
        patch.setattr(EventStream, "publish", away)
        await say(services, run, 2, relay=True)
    assert await seqs(services, run) == [1, 2, 3]
    stored = await services.repository.get(Backtest, run.id)
    assert stored is not None
    assert (stored.outbox, stored.relay_pending) == ((), True)
    assert await services.ledger.sweep() == 1
    _, told = await services._stream.read(position)
    assert told[-1][1].seq == 3, "whoever hears of the last one reads the store for those before it"
    assert await services.ledger.sweep() == 0


async def test_the_live_stream_brings_only_what_is_wanted(
    services: ServiceFactory, run: Backtest, demo_config: dict[str, object]
) -> None:
    other = await services.orchestrator.submit(demo_config, OWNER, options=COMPUTED)
    wanted, writing = {other.id}, True

    async def write() -> None:
        while writing:
            for one in (run, other):
                await say(services, one, 1, relay=True)

    live = services.monitoring.live(wanted)

    async def heard(count: int) -> set[str]:
        """Whose the next events are."""
        found: list[str] = []
        while len(found) < count:
            if (item := await anext(live)) is not None:
                found.append(item[0])
        return set(found)

    writer = asyncio.create_task(write())
    assert await heard(3) == {other.id}
    wanted.add(run.id)
    while await heard(1) != {run.id}:
        assert wanted
    wanted.discard(other.id)
    position = await services._stream.last_id()
    _, found = await services._stream.read(position, wanted)
    assert {run_id for run_id, _ in found} <= {run.id}
    writing = False
    await writer
    await live.aclose()  # type: ignore[attr-defined]


# ---- numbers ----------------------------------------------------------------------------------------------------


async def test_execution_times_are_those_of_the_documents(services: ServiceFactory, tmp_path: Path) -> None:
    await import_prices(services, tmp_path, bars=60)
    took = (0.0, 0.05, 0.1, 0.1000001, 2.5, 59.9, 4000.0)
    ids = [(await services.orchestrator.submit(mine(), OWNER, options=COMPUTED)).id for _ in took]
    await services.runner(never).run_waiting()
    for run_id, seconds in zip(ids, took, strict=True):
        await services.repository.update(Backtest, run_id, (), Change(set={"execution_seconds": seconds}))
    given = await services.orchestrator.submit(mine(), OWNER)
    assert given.cached_from is not None, "it was not executed"
    await services.orchestrator.submit(mine(), OWNER, options=COMPUTED)
    bounds = (0.05, 0.1, 1.0, 60.0, 3600.0)
    within, count, total = await services.monitoring.execution_times(bounds)
    assert within == [sum(seconds <= bound for seconds in took) for bound in bounds] == [2, 3, 4, 6, 6]
    assert count == len(took)
    assert total == pytest.approx(sum(took), rel=1e-12)
    assert await services.monitoring.execution_times(()) == ([], count, total)


async def test_nothing_was_executed_in_an_empty_store(services: ServiceFactory) -> None:
    assert await services.monitoring.execution_times((1.0, 2.0)) == ([0, 0], 0, 0.0)
    assert await services.monitoring.counts() == {}
    assert await services.monitoring.running() == []


async def test_an_attempt_that_ended_a_run_is_timed_and_one_that_was_given_back_is_not(
    services: ServiceFactory, run: Backtest
) -> None:
    first = await services.orchestrator.claim_next(worker())
    assert first is not None
    await services.orchestrator.give_back(first, "worker_died")
    assert (await services.monitoring.execution_times(()))[1] == 0
    await services.runner(never).run_waiting()
    within, count, seconds = await services.monitoring.execution_times((3600.0,))
    done = await services.orchestrator.get(run.id, OWNER)
    assert (within, count, seconds) == ([1], 1, done.execution_seconds)


async def test_counts_are_by_status_and_without_the_bin(
    services: ServiceFactory, demo_config: dict[str, object]
) -> None:
    runs = [await services.orchestrator.submit(demo_config, OWNER, options=COMPUTED) for _ in range(5)]
    held = await services.orchestrator.claim_next(worker())
    assert held is not None
    for run in runs[2:4]:
        await services.orchestrator.cancel(run.id, OWNER)
    await services.orchestrator.delete(runs[3].id, OWNER)
    assert await services.monitoring.counts() == {"running": 1, "queued": 2, "cancelled": 1}
    assert [run.id for run in await services.monitoring.running()] == [held.id]
    await services.orchestrator.cancel(held.id, OWNER)
    assert [run.status for run in await services.monitoring.running()] == [Status.CANCELLING]
    await services.orchestrator.finish(held, Outcome(partial=True), [])
    assert await services.monitoring.running() == []


async def test_a_status_says_where_a_run_stands(services: ServiceFactory, run: Backtest) -> None:
    view = await services.monitoring.status(run)
    assert (view.status, view.progress, view.current_step, view.attempt) == (Status.QUEUED, 0.0, None, 0)
    held = await services.orchestrator.claim_next(worker())
    assert held is not None
    at = Checkpoint(
        path="runs/x/1/checkpoint-7.bin",
        sha256="0" * 64,
        bytes=1,
        bar=7,
        total_bars=100,
        fence=1,
        created_at=utc_now(),
    )
    changed = await services.orchestrator.record_checkpoint(held, at, "simulate")
    assert changed is not None
    view = await services.monitoring.status(changed)
    assert (view.status, view.attempt, view.checkpoint_bar) == (Status.RUNNING, 1, 7)
    assert view.queue_position is None
    await services.orchestrator.give_back(held, "worker_stopped")
    await services.runner(never).run_waiting()
    done = await services.orchestrator.get(run.id, OWNER)
    view = await services.monitoring.status(done)
    assert (view.status, view.progress, view.current_step, view.eta_seconds) == (Status.COMPLETED, 100.0, None, None)
    assert (view.completed_at, view.error, view.seq) == (done.completed_at, None, done.seq)


async def test_runs_that_ended_are_counted_by_the_hour(services: ServiceFactory, run: Backtest) -> None:
    await services.runner(never).run_waiting()
    hours = await services.monitoring.ended_by_hour(3)
    assert len(hours) == 3
    begins = [begin for begin, _ in hours]
    assert begins == sorted(begins)
    assert {begin.minute for begin in begins} == {0}
    assert [counts for _, counts in hours].count({"completed": 1}) == 1
    long_ago = Change(set={"completed_at": utc_now() - dt.timedelta(hours=5)})
    await services.repository.update(Backtest, run.id, (), long_ago)
    assert [counts for _, counts in await services.monitoring.ended_by_hour(3)] == [{}, {}, {}]


def test_an_event_and_what_is_stored_of_it_are_the_same() -> None:
    event = Event(type=EventType.LOG, seq=7, timestamp=utc_now(), data={"level": "info", "message": "한"})
    stored = RunEvent.of("bt-1", event)
    assert stored.id == "bt-1:00000007"
    assert stored.event() == event
