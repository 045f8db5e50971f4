"""Slots: never more runs at once than the limit, a dead or silent holder's slot is free again, nobody is forgotten."""

import asyncio
import sys
from pathlib import Path

import pytest
from lifecycle_support import DEAD_PID, OWNER, PATIENCE, becomes, gate_at, messages, never, statuses, worker
from slot_takers import Inside, opened, take_turns

from backproof.bootstrap import ServiceFactory
from backproof.domain.backtest import Backtest, Slot, Worker
from backproof.domain.documents import Condition, Op, eq
from backproof.domain.lifecycle import Status
from backproof.services.backtests import runner as runner_module
from backproof.services.backtests.admission import SubmitOptions
from backproof.services.backtests.orchestrator import BacktestOrchestrator
from backproof.services.backtests.reaper import Reaper
from backproof.services.backtests.runner import BacktestRunner
from backproof.services.backtests.slots import Seat, Slots
from backproof.settings import Settings

COMPUTED = SubmitOptions(use_cache=False)
TAKERS = Path(__file__).with_name("slot_takers.py")


def of_parent(pid: int) -> Worker:
    return worker().model_copy(update={"parent": pid})


def seat(services: ServiceFactory, limit: int = 5, owner_limit: int | None = None) -> Seat:
    return Seat(Slots(services.repository), worker(), limit, owner_limit)


def runner(services: ServiceFactory, limit: int = 5, owner_limit: int | None = None) -> BacktestRunner:
    made = services.runner(never)
    made._seat = Seat(Slots(services.repository), made._e.worker, limit, owner_limit, beat_seconds=0.0)
    return made


async def held(services: ServiceFactory) -> list[str]:
    return [slot.id for slot in await Slots(services.repository).taken()]


async def count(services: ServiceFactory, status: Status) -> int:
    return await services.repository.count(Backtest, (eq("status", status),))


# ---- never more than the limit ----------------------------------------------------------------------------------


async def test_of_many_who_take_at_once_exactly_the_limit_gets_one(services: ServiceFactory) -> None:
    seats = [seat(services, limit=3) for _ in range(20)]
    taken = await asyncio.gather(*(one.take() for one in seats))
    assert sum(taken) == 3
    assert await held(services) == ["slot:0", "slot:1", "slot:2"]
    for one in seats:
        await one.leave()
    assert await held(services) == []


async def test_takers_in_several_processes_never_hold_more_than_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite3"
    repository = await opened(path)
    await repository.add(Inside(id="inside"))
    others = [await asyncio.create_subprocess_exec(sys.executable, str(TAKERS), str(path), "2", "40") for _ in range(2)]
    here = await asyncio.gather(*(take_turns(repository, 2, 40) for _ in range(3)))
    assert [await other.wait() for other in others] == [0, 0]
    assert max(here) <= 2
    inside = await repository.get(Inside, "inside")
    assert inside is not None
    assert (inside.now, inside.ever) == (0, 200)
    assert await Slots(repository).taken() == []
    await repository.close()


async def test_runners_in_several_processes_never_run_more_than_the_limit(
    services: ServiceFactory, settings: Settings, demo_config: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each with a store of its own to talk to, as processes have."""
    monkeypatch.setattr(runner_module, "REPORT_SECONDS", 0.01)
    claim, most = BacktestOrchestrator.claim_next, 0

    async def counted(self: BacktestOrchestrator, *arguments: object) -> Backtest | None:
        nonlocal most
        claimed = await claim(self, *arguments)  # type: ignore[arg-type]
        most = max(most, await count(services, Status.RUNNING))
        return claimed

    monkeypatch.setattr(BacktestOrchestrator, "claim_next", counted)
    for _ in range(12):
        await services.orchestrator.submit(demo_config, OWNER, options=COMPUTED)
    factories = [await ServiceFactory.open(settings, PATIENCE) for _ in range(4)]

    async def two_run() -> bool:
        return await count(services, Status.RUNNING) == 2

    try:
        with gate_at(500, monkeypatch):  # or one could be done with all of them before another has begun
            working = [asyncio.create_task(runner(factory, limit=2).run_waiting()) for factory in factories]
            await becomes(two_run)
        taken = await asyncio.gather(*working)
    finally:
        for factory in factories:
            await factory.close()
    assert sum(taken) == await count(services, Status.COMPLETED) == 12
    assert most == 2
    assert await held(services) == []


async def test_an_owner_runs_no_more_than_an_owner_may(
    services: ServiceFactory, demo_config: dict[str, object]
) -> None:
    for owner in ("ann", "ann", "ann", "bob"):
        await services.orchestrator.submit(demo_config, owner, options=COMPUTED)
    seats = [seat(services, limit=10, owner_limit=2) for _ in range(6)]
    assert all([await one.take() for one in seats])
    claims = await asyncio.gather(*(services.orchestrator.claim_next(worker(), one) for one in seats))
    owners = sorted(claim.owner_id for claim in claims if claim is not None)
    assert owners == ["ann", "ann", "bob"]
    assert {slot for slot in await held(services) if slot.startswith("user:")} == {
        "user:ann:0",
        "user:ann:1",
        "user:bob:0",
    }
    idle = next(one for one, claim in zip(seats, claims, strict=True) if claim is None)
    ended = next(n for n, claim in enumerate(claims) if claim is not None and claim.owner_id == "ann")
    await services.orchestrator.give_back(claims[ended], "worker_stopped")  # type: ignore[arg-type]
    await seats[ended].leave()
    again = await services.orchestrator.claim_next(worker(), idle)
    assert again is not None
    assert again.owner_id == "ann"


async def test_processes_in_reserve_take_only_runs_of_owners_who_have_none_running(
    services: ServiceFactory, demo_config: dict[str, object]
) -> None:
    for owner in ("ann", "ann", "ann", "ann"):
        await services.orchestrator.submit(demo_config, owner, options=COMPUTED)
    seats = [Seat(Slots(services.repository), of_parent(7), 10, None, for_all=2) for _ in range(4)]
    other = Seat(Slots(services.repository), of_parent(8), 10, None, for_all=2)
    assert await asyncio.gather(*(one.take() for one in (*seats, other))) == [True] * 5
    assert sorted(one.for_newcomers for one in seats) == [False, False, True, True]
    assert not other.for_newcomers, "of another worker"
    [*regular, third, fourth] = sorted(seats, key=lambda one: one.for_newcomers)
    for one, owner in ((regular[0], "ann"), (third, None), (regular[1], "ann"), (third, None), (fourth, None)):
        claimed = await services.orchestrator.claim_next(worker(), one)
        assert (claimed and claimed.owner_id) == owner
    await services.orchestrator.submit(demo_config, "bob", options=COMPUTED)
    await services.orchestrator.submit(demo_config, "bob", options=COMPUTED)
    claimed = await services.orchestrator.claim_next(worker(), third)
    assert claimed is not None
    assert claimed.owner_id == "bob"
    assert await services.orchestrator.claim_next(worker(), fourth) is None
    await regular[0].leave()
    await fourth.leave()
    assert await fourth.take()
    assert not fourth.for_newcomers, "one of those for all has left"
    assert await services.orchestrator.claim_next(worker(), fourth) is not None


async def test_owners_whose_names_begin_alike_do_not_share_their_slots(services: ServiceFactory) -> None:
    slots = Slots(services.repository)
    assert await slots.take("user:ann", 1, worker()) is not None
    assert await slots.take("user:anna", 1, worker()) is not None
    assert await slots.take("user:ann:0", 1, worker()) is not None
    assert await slots.take("user:ann", 1, worker()) is None


# ---- who is forgotten -------------------------------------------------------------------------------------------


async def test_a_runner_that_finds_every_slot_taken_leaves_at_once(
    services: ServiceFactory, demo_config: dict[str, object]
) -> None:
    await services.orchestrator.submit(demo_config, OWNER)
    other = seat(services, limit=1)
    assert await other.take()
    assert await runner(services, limit=1).run_waiting() == 0
    assert await count(services, Status.QUEUED) == 1
    await other.leave()
    assert await runner(services, limit=1).run_waiting() == 1


async def test_a_run_that_came_while_all_slots_were_taken_starts_when_one_is_free(
    services: ServiceFactory, demo_config: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    await services.orchestrator.submit(demo_config, OWNER, options=COMPUTED)
    with gate_at(500, monkeypatch) as gate:
        working = asyncio.create_task(runner(services, limit=1).run_waiting())
        await gate.reached()
        await services.orchestrator.submit(demo_config, OWNER, options=COMPUTED)
        assert await runner(services, limit=1).run_waiting() == 0, "its hint is lost"
        gate.let_go()
        assert await working == 2
    assert await count(services, Status.COMPLETED) == 2


async def test_a_run_that_came_between_the_last_look_and_the_leaving_is_not_forgotten(
    services: ServiceFactory, demo_config: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    leave, came = Seat.leave, []

    async def leave_late(self: Seat) -> None:
        if not came and self._mine is not None:
            came.append(await services.orchestrator.submit(demo_config, OWNER))
            assert await runner(services, limit=1).run_waiting() == 0
        await leave(self)

    monkeypatch.setattr(Seat, "leave", leave_late)
    assert await runner(services, limit=1).run_waiting() == 1
    assert (await services.orchestrator.get(came[0].id, OWNER)).status == Status.COMPLETED


async def test_a_runner_does_not_wait_for_what_its_owner_may_not_run_yet(
    services: ServiceFactory, demo_config: dict[str, object]
) -> None:
    for _ in range(2):
        await services.orchestrator.submit(demo_config, OWNER, options=COMPUTED)
    other = seat(services, owner_limit=1)
    assert await other.take()
    first = await services.orchestrator.claim_next(worker(), other)
    assert first is not None
    async with asyncio.timeout(20):
        assert await runner(services, owner_limit=1).run_waiting() == 0
    await services.orchestrator.give_back(first, "worker_stopped")
    await other.leave()
    assert await runner(services, owner_limit=1).run_waiting() == 2


# ---- dead and silent holders ------------------------------------------------------------------------------------


async def test_a_dead_process_loses_its_slots_at_once(services: ServiceFactory) -> None:
    slots = Slots(services.repository)
    for kind in ("slot", "user:ann"):
        assert await slots.take(kind, 2, worker(pid=DEAD_PID)) is not None
        assert await slots.take(kind, 2, worker()) is not None
    await services.reaper().look_here()
    assert await held(services) == ["slot:1", "user:ann:1"]


async def test_a_silent_host_loses_its_slots_after_the_lease_on_the_reapers_clock(services: ServiceFactory) -> None:
    now, slots = 0.0, Slots(services.repository)
    reaper = Reaper(services.repository, services.orchestrator, slots, 10.0, clock=lambda: now)
    silent = await slots.take("slot", 5, worker(host="elsewhere", pid=DEAD_PID))
    alive = await slots.take("slot", 5, worker(host="elsewhere", pid=DEAD_PID))
    assert silent is not None
    assert alive is not None
    await reaper.look()
    now = 9.9
    assert await slots.keep(alive)
    await reaper.look_here()
    await reaper.look()
    assert await held(services) == ["slot:0", "slot:1"]
    now = 10.0
    await reaper.look()
    assert await held(services) == ["slot:1"]
    assert not await slots.keep(silent), "it is heard that it was taken away"
    assert await slots.keep(alive)


async def test_a_slot_taken_anew_does_not_inherit_the_silence_of_the_one_before(services: ServiceFactory) -> None:
    now, slots = 0.0, Slots(services.repository)
    reaper = Reaper(services.repository, services.orchestrator, slots, 10.0, clock=lambda: now)
    first = await slots.take("slot", 1, worker(host="elsewhere"))
    assert first is not None
    await reaper.look()
    now = 9.0
    await slots.give_up(first)
    assert await slots.take("slot", 1, worker(host="elsewhere")) is not None
    now = 18.0
    await reaper.look()
    assert await held(services) == ["slot:0"]


async def test_who_lost_a_slot_cannot_give_up_the_next_ones(services: ServiceFactory) -> None:
    slots = Slots(services.repository)
    lost = await slots.take("slot", 1, worker())
    assert lost is not None
    await services.repository.remove(Slot, ())
    new = await slots.take("slot", 1, worker())
    assert new is not None
    assert not await slots.give_up(lost)
    assert await slots.keep(new)


async def test_a_process_that_lost_its_slot_before_it_began_gives_the_run_back(
    services: ServiceFactory, demo_config: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await services.orchestrator.submit(demo_config, OWNER)
    claim, lost = BacktestOrchestrator.claim_next, []

    async def claim_late(self: BacktestOrchestrator, *arguments: object) -> Backtest | None:
        claimed = await claim(self, *arguments)  # type: ignore[arg-type]
        if claimed is not None and not lost:
            lost.append(await services.repository.remove(Slot, ()))
        return claimed

    monkeypatch.setattr(BacktestOrchestrator, "claim_next", claim_late)
    assert await runner(services, limit=1).run_waiting() == 2
    assert await statuses(services, run.id) == ["queued", "running", "queued", "running", "completed"]
    done = await services.orchestrator.get(run.id, OWNER)
    assert (done.attempt, done.crashes) == (2, 0)
    assert await held(services) == []


async def test_a_process_that_lost_its_slot_in_the_middle_gives_the_run_back(
    services: ServiceFactory, demo_config: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many others run as may: it has to stop, and that is not the run's fault."""
    monkeypatch.setattr(runner_module, "REPORT_SECONDS", 0.01)
    run = await services.orchestrator.submit(demo_config, OWNER)
    with gate_at(500, monkeypatch) as gate:
        first = runner(services, limit=1)
        working = asyncio.create_task(first.run_waiting())
        await gate.reached()
        await services.repository.remove(Slot, (Condition("id", Op.PREFIX, "slot:"),))
        other = seat(services, limit=1)
        assert await other.take()

        async def has_heard() -> bool:
            return first._current is not None and first._current.slot_lost

        await becomes(has_heard)
        gate.let_go()
        await working
    given = await services.orchestrator.get(run.id, OWNER)
    assert (given.status, given.crashes, given.worker) == (Status.QUEUED, 0, None)
    assert any("worker_stopped" in message for message in await messages(services, run.id))
    await other.leave()
    await runner(services, limit=1).run_waiting()
    assert (await services.orchestrator.get(run.id, OWNER)).status == Status.COMPLETED


async def test_a_runner_beats_its_slots_several_times_within_the_shortest_lease(redis_url: str, tmp_path: Path) -> None:
    for seconds in (1.0, 10.0, 60.0):
        factory = await ServiceFactory.open(
            Settings(data_dir=tmp_path, redis_url=redis_url, worker_lease_seconds=seconds)
        )
        beat = factory.runner(never)._seat._beat_seconds
        assert beat + runner_module.REPORT_SECONDS < seconds
        assert beat <= seconds / 3
        await factory.close()
