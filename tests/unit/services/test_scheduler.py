"""The scheduler: every one looks often for the dead of its host, one of them leads and does the rounds."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from lifecycle_support import DEAD_PID, OWNER, import_prices, left_in_the_outbox, mine, worker

from backproof.bootstrap import ServiceFactory
from backproof.domain.backtest import Backtest, Slot
from backproof.domain.documents import eq
from backproof.domain.events import RunEvent
from backproof.domain.lifecycle import Status
from backproof.errors import BrokerUnavailable, StoreUnavailable
from backproof.messaging.queue import ENOUGH_HINTS
from backproof.services.backtests.admission import SubmitOptions
from backproof.services.backtests.execution import ExecutionManager
from backproof.services.backtests.housekeeping import Housekeeping
from backproof.services.backtests.ledger import RunLedger
from backproof.services.backtests.reaper import Reaper
from backproof.services.backtests.slots import Slots
from backproof.tasks.scheduler import HOUSEKEEPING_SECONDS, Leadership, Scheduler

COMPUTED = SubmitOptions(use_cache=False)
LEASE = 10.0


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Calls:
    """What was asked for, in order."""

    made: list[str] = field(default_factory=list)

    def wrap(self, monkeypatch: pytest.MonkeyPatch, kind: type, name: str) -> None:
        original = getattr(kind, name)

        async def counted(this: Any, *arguments: Any) -> Any:
            self.made.append(name)
            return await original(this, *arguments)

        monkeypatch.setattr(kind, name, counted)

    def take(self) -> list[str]:
        made, self.made = self.made, []
        return made


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    found = Calls()
    for kind, name in ((Reaper, "look_here"), (Reaper, "look"), (RunLedger, "sweep"), (Housekeeping, "tidy")):
        found.wrap(monkeypatch, kind, name)
    return found


@pytest.fixture
def lead(services: ServiceFactory, clock: Clock) -> Callable[..., Leadership]:
    """A scheduler process that would lead."""

    def make(**who: Any) -> Leadership:
        return Leadership(Slots(services.repository), worker(**who), LEASE, clock)

    return make


async def tick(scheduler: Scheduler, leadership: Leadership) -> None:
    await scheduler.tick(leadership)
    await tidied(scheduler)


async def whole_round(scheduler: Scheduler) -> None:
    await scheduler.round()
    await tidied(scheduler)


async def tidied(scheduler: Scheduler) -> None:
    if scheduler._tidying is not None:
        await scheduler._tidying


async def leaders(services: ServiceFactory) -> list[str]:
    return [slot.worker.name for slot in await Slots(services.repository).taken("leader")]


# ---- when -------------------------------------------------------------------------------------------------------


async def test_the_dead_of_this_host_are_looked_for_at_every_tick_and_the_rest_in_rounds(
    services: ServiceFactory, clock: Clock, calls: Calls, lead: Callable[..., Leadership]
) -> None:
    scheduler, leadership = Scheduler(services, clock), lead()
    await tick(scheduler, leadership)
    assert calls.take() == ["look_here", "look", "sweep", "tidy"]
    interval = services.settings.reaper_interval_seconds
    for _ in range(3):
        clock.now += interval / 4
        await tick(scheduler, leadership)
        assert calls.take() == ["look_here"]
    clock.now += interval / 4
    await tick(scheduler, leadership)
    assert calls.take() == ["look_here", "look", "sweep"]


async def test_it_tidies_now_and_then(
    services: ServiceFactory, clock: Clock, calls: Calls, lead: Callable[..., Leadership]
) -> None:
    scheduler, leadership = Scheduler(services, clock), lead()
    tidied = 0
    for _ in range(10):
        await tick(scheduler, leadership)
        tidied += calls.take().count("tidy")
        clock.now += HOUSEKEEPING_SECONDS / 4
    assert tidied == 3


async def test_who_does_not_lead_only_looks_for_the_dead_of_its_host(
    services: ServiceFactory, clock: Clock, calls: Calls, lead: Callable[..., Leadership]
) -> None:
    leader, other = lead(name="leader"), lead(name="other")
    first, second = Scheduler(services, clock), Scheduler(services, clock)
    await tick(first, leader)
    calls.take()
    for _ in range(5):
        await tick(second, other)
        assert calls.take() == ["look_here"]
        clock.now += 4.0
        await tick(first, leader)
        assert calls.take() == ["look_here", "look", "sweep"]
    assert await leaders(services) == ["leader"]


async def test_a_round_that_fails_is_done_again_and_the_dead_are_looked_for_meanwhile(
    services: ServiceFactory,
    clock: Clock,
    calls: Calls,
    lead: Callable[..., Leadership],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def away(_: RunLedger) -> int:
        raise StoreUnavailable("the store is away")

    scheduler, leadership = Scheduler(services, clock), lead()
    with monkeypatch.context() as patch:
        patch.setattr(RunLedger, "sweep", away)
        with pytest.raises(StoreUnavailable):
            await tick(scheduler, leadership)
        await tick(scheduler, leadership)
    assert calls.take() == ["look_here", "look", "look_here"]
    clock.now += services.settings.reaper_interval_seconds
    await tick(scheduler, leadership)
    assert calls.take() == ["look_here", "look", "sweep", "tidy"]


# ---- who leads --------------------------------------------------------------------------------------------------


async def test_exactly_one_of_several_leads(services: ServiceFactory, lead: Callable[..., Leadership]) -> None:
    several = [lead(name=f"s{n}") for n in range(5)]
    for _ in range(3):
        held = [await one.held() for one in several]
        assert held == [True, False, False, False, False]


async def test_a_leader_that_gives_up_is_followed_at_once(
    services: ServiceFactory, lead: Callable[..., Leadership]
) -> None:
    first, second = lead(name="first"), lead(name="second")
    assert await first.held()
    assert not await second.held()
    await first.give_up()
    assert await leaders(services) == []
    assert await second.held()
    await first.give_up()
    assert await leaders(services) == ["second"], "what is not one's own is not given up"


async def test_a_leader_of_this_host_that_died_is_followed_at_once(
    services: ServiceFactory, lead: Callable[..., Leadership]
) -> None:
    assert await lead(name="dead", pid=DEAD_PID).held()
    second = lead(name="second")
    assert await second.held()
    assert await leaders(services) == ["second"]


async def test_a_silent_leader_of_another_host_is_followed_after_the_lease_on_ones_own_clock(
    services: ServiceFactory, clock: Clock, lead: Callable[..., Leadership]
) -> None:
    first, second = lead(name="first", host="elsewhere"), lead(name="second", host="here too")
    assert await first.held()
    assert not await second.held()
    clock.now += LEASE - 0.1
    assert await first.held()
    assert not await second.held()
    clock.now += LEASE - 0.1
    assert not await second.held(), "it was heard of meanwhile"
    clock.now += 0.1
    assert await second.held()
    assert not await first.held(), "it hears that it does not lead any more"
    assert await leaders(services) == ["second"]


async def test_who_follows_a_silent_leader_is_one_of_those_who_wait(
    services: ServiceFactory, clock: Clock, lead: Callable[..., Leadership]
) -> None:
    assert await lead(name="gone", host="elsewhere").held()
    several = [lead(name=f"s{n}") for n in range(4)]
    assert not any([await one.held() for one in several])
    clock.now += LEASE
    assert [await one.held() for one in several].count(True) == 1
    assert [await one.held() for one in several].count(True) == 1


async def test_leading_takes_no_slot_of_the_runs(services: ServiceFactory, lead: Callable[..., Leadership]) -> None:
    assert await lead().held()
    assert await Slots(services.repository).take("slot", 1, worker()) is not None
    await services.reaper().look()
    assert await services.repository.count(Slot) == 2


# ---- what a round does ------------------------------------------------------------------------------------------


async def test_a_dead_process_of_this_host_loses_its_run_without_a_leader(
    services: ServiceFactory, clock: Clock, lead: Callable[..., Leadership], demo_config: dict[str, object]
) -> None:
    assert await lead(name="elsewhere", host="elsewhere").held()
    run = await services.orchestrator.submit(demo_config, OWNER)
    assert await services.orchestrator.claim_next(worker(pid=DEAD_PID)) is not None
    await Slots(services.repository).take("slot", 5, worker(pid=DEAD_PID))
    await Scheduler(services, clock).tick(lead())
    assert (await services.orchestrator.get(run.id, OWNER)).status == Status.QUEUED
    assert [slot.id for slot in await Slots(services.repository).taken()] == ["leader:0"]


async def test_lost_hints_are_sent_again_and_no_more_than_are_needed(
    services: ServiceFactory,
    clock: Clock,
    lead: Callable[..., Leadership],
    demo_config: dict[str, object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def lost(_: ExecutionManager) -> bool:
        return False

    scheduler = Scheduler(services, clock)
    await whole_round(scheduler)
    assert await services.execution.depth() == 0, "nobody waits"
    with monkeypatch.context() as patch:
        patch.setattr(ExecutionManager, "hint", lost)
        for _ in range(3):
            await services.orchestrator.submit(demo_config, OWNER, options=COMPUTED)
    for _ in range(3):
        await whole_round(scheduler)
        assert await services.execution.depth() == 3
    with monkeypatch.context() as patch:
        patch.setattr(ExecutionManager, "hint", lost)
        for _ in range(ENOUGH_HINTS):
            await services.orchestrator.submit(demo_config, OWNER, options=COMPUTED)
    await whole_round(scheduler)
    assert await services.execution.depth() == ENOUGH_HINTS
    await services.orchestrator.submit(demo_config, OWNER, options=COMPUTED)
    await whole_round(scheduler)
    assert await services.execution.depth() == ENOUGH_HINTS, "as many as make everybody look"


async def test_without_redis_the_round_does_all_the_rest(
    services: ServiceFactory,
    clock: Clock,
    calls: Calls,
    demo_config: dict[str, object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def away(*_: Any) -> int:
        raise BrokerUnavailable("away")

    await services.orchestrator.submit(demo_config, OWNER)
    monkeypatch.setattr(ExecutionManager, "depth", away)
    await whole_round(Scheduler(services, clock))
    assert calls.take() == ["look", "sweep", "tidy"]


async def test_tidying_that_takes_long_or_fails_holds_nothing_else_up(
    services: ServiceFactory,
    clock: Clock,
    calls: Calls,
    lead: Callable[..., Leadership],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_: Housekeeping) -> None:
        begun.set()
        await go_on.wait()
        raise StoreUnavailable("away")

    monkeypatch.setattr(Housekeeping, "tidy", slow)
    scheduler, leadership = Scheduler(services, clock), lead()
    await scheduler.tick(leadership)
    await begun.wait()
    calls.take()
    for _ in range(2):
        clock.now += HOUSEKEEPING_SECONDS
        await scheduler.tick(leadership)
        assert calls.take() == ["look_here", "look", "sweep"]
    begun.clear()
    go_on.set()
    await tidied(scheduler)
    clock.now += HOUSEKEEPING_SECONDS
    await scheduler.tick(leadership)
    await begun.wait()
    await scheduler.stop()


async def test_what_dead_writers_left_in_outboxes_is_told(
    services: ServiceFactory, clock: Clock, demo_config: dict[str, object]
) -> None:
    run = await services.orchestrator.submit(demo_config, OWNER)
    await left_in_the_outbox(services, run, "last words")
    await whole_round(Scheduler(services, clock))
    assert await services.repository.count(RunEvent, (eq("run_id", run.id),)) == 2
    assert await services.repository.count(Backtest, (eq("relay_pending", True),)) == 0


async def test_runs_whose_data_has_come_are_queued(services: ServiceFactory, clock: Clock, tmp_path: Path) -> None:
    waits = SubmitOptions(wait_for_data=True)
    run = await services.orchestrator.submit(mine(), OWNER, options=waits)
    scheduler = Scheduler(services, clock)
    await whole_round(scheduler)
    assert (await services.orchestrator.get(run.id, OWNER)).status == Status.PENDING
    await import_prices(services, tmp_path, bars=60)
    await whole_round(scheduler)
    assert (await services.orchestrator.get(run.id, OWNER)).status == Status.QUEUED


async def test_a_pending_run_that_cannot_be_looked_at_does_not_end_the_round(
    services: ServiceFactory, clock: Clock, calls: Calls
) -> None:
    directory = services.settings.lake_path / "bars/mine/1d"
    directory.mkdir(parents=True)
    await services.orchestrator.submit(mine(), OWNER, options=SubmitOptions(wait_for_data=True))
    (directory / "manifest.json").write_text("not a manifest")
    await whole_round(Scheduler(services, clock))
    assert calls.take() == ["look", "sweep", "tidy"]
