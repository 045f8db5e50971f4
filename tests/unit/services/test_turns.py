"""Whose turn it is: fewest running, then served longest ago, then waiting longest; priority among one owner's own."""

import asyncio
import itertools
import random

import pytest
from lifecycle_support import never, worker

from backproof.bootstrap import ServiceFactory
from backproof.domain.backtest import Backtest, Served
from backproof.domain.lifecycle import Priority, Status
from backproof.services.backtests.admission import SubmitOptions
from backproof.services.backtests.models import BacktestPatch
from backproof.services.backtests.transitions import Outcome

LOW, NORMAL, HIGH = Priority


class Queue:
    """Runs by names of the test: the owner's letter and a number."""

    def __init__(self, services: ServiceFactory, config: dict[str, object]) -> None:
        self.services = services
        self.orchestrator = services.orchestrator
        self.config = config
        self.ids: dict[str, str] = {}

    async def add(self, *names: str, priority: Priority = NORMAL) -> None:
        for name in names:
            options = SubmitOptions(use_cache=False, priority=priority)
            self.ids[name] = (await self.orchestrator.submit(self.config, name[0], options=options)).id

    async def run(self, name: str) -> Backtest:
        return await self.orchestrator.get(self.ids[name], name[0])

    async def claim(self) -> str | None:
        claimed = await self.orchestrator.claim_next(worker())
        return None if claimed is None else next(name for name, key in self.ids.items() if key == claimed.id)

    async def claims(self, count: int) -> list[str | None]:
        return [await self.claim() for _ in range(count)]

    async def finish(self, name: str) -> None:
        assert await self.orchestrator.finish(await self.run(name), Outcome(), []) is not None

    async def positions(self, *names: str) -> list[int | None]:
        return [await self.orchestrator.queue_position(await self.run(name)) for name in names]


@pytest.fixture
def queue(services: ServiceFactory, demo_config: dict[str, object]) -> Queue:
    return Queue(services, demo_config)


# ---- between owners ---------------------------------------------------------------------------------------------


async def test_the_owner_with_the_fewest_running_is_next(queue: Queue) -> None:
    await queue.add("a1", "a2", "a3", "a4", "b1", "c1")
    assert await queue.claims(6) == ["a1", "b1", "c1", "a2", "a3", "a4"]
    assert await queue.claim() is None


async def test_who_comes_late_is_not_behind_all_that_another_has_queued(queue: Queue) -> None:
    await queue.add(*(f"a{n}" for n in range(10)))
    assert await queue.claims(2) == ["a0", "a1"]
    await queue.add("b1", "b2")
    assert await queue.claims(3) == ["b1", "b2", "a2"]


async def test_with_one_place_owners_take_turns_however_many_one_has_queued_first(queue: Queue) -> None:
    """By age alone the one with the many runs would be next each time that one of them ends."""
    await queue.add(*(f"a{n}" for n in range(5)))
    await queue.add("b0", "b1", "c0")
    order = []
    while (name := await queue.claim()) is not None:
        order.append(name)
        await queue.finish(name)
    assert order == ["a0", "b0", "c0", "a1", "b1", "a2", "a3", "a4"]


async def test_of_two_with_equally_many_running_the_one_served_longest_ago_is_next(queue: Queue) -> None:
    await queue.add("a1", "a2", "b1")
    assert await queue.claims(2) == ["a1", "b1"]
    await queue.add("b2")
    await queue.finish("a1")
    await queue.finish("b1")
    assert await queue.claim() == "a2"
    await queue.add("c1", "a3")
    await queue.finish("a2")
    assert await queue.claims(3) == ["c1", "b2", "a3"], "who was never served, then who was served longest ago"


async def test_of_any_number_of_owners_the_one_who_waits_longest_is_next(queue: Queue) -> None:
    await queue.services.orchestrator.submit(queue.config, "zoe")
    for n in range(60):
        await queue.services.orchestrator.submit(queue.config, f"ann{n:02}")
    claimed = await queue.orchestrator.claim_next(worker())
    assert claimed is not None
    assert claimed.owner_id == "zoe"


async def test_a_priority_is_no_advantage_over_other_owners(queue: Queue) -> None:
    await queue.add("a1", priority=LOW)
    await queue.add("b1", "b2", priority=HIGH)
    assert await queue.claims(3) == ["a1", "b1", "b2"]


async def test_a_run_that_was_given_back_keeps_its_place(queue: Queue) -> None:
    await queue.add("a1", "a2")
    assert await queue.claim() == "a1"
    await queue.orchestrator.give_back(await queue.run("a1"), "worker_died")
    assert await queue.positions("a1", "a2") == [1, 2]
    assert await queue.claims(2) == ["a1", "a2"]


async def test_a_resumed_run_goes_to_the_end(queue: Queue) -> None:
    await queue.add("a1", "a2")
    await queue.orchestrator.cancel(queue.ids["a1"], "a")
    await queue.orchestrator.resume(queue.ids["a1"], "a")
    assert await queue.positions("a1", "a2") == [2, 1]
    assert await queue.claims(2) == ["a2", "a1"]


# ---- among one owner's runs -------------------------------------------------------------------------------------


async def test_among_one_owners_runs_the_higher_priority_is_next_and_then_the_older_run(queue: Queue) -> None:
    for priority, name in ((LOW, "a1"), (NORMAL, "a2"), (HIGH, "a3"), (LOW, "a4"), (NORMAL, "a5"), (HIGH, "a6")):
        await queue.add(name, priority=priority)
    assert await queue.positions("a3", "a6", "a2", "a5", "a1", "a4") == [1, 2, 3, 4, 5, 6]
    assert await queue.claims(6) == ["a3", "a6", "a2", "a5", "a1", "a4"]


async def test_another_priority_moves_a_waiting_run_to_where_it_would_have_been(queue: Queue) -> None:
    await queue.add("a1", "a2", "a3")
    changed = await queue.orchestrator.patch(queue.ids["a3"], "a", BacktestPatch(priority=HIGH))
    assert changed.priority == HIGH
    assert await queue.positions("a1", "a2", "a3") == [2, 3, 1]
    await queue.orchestrator.patch(queue.ids["a1"], "a", BacktestPatch(priority=LOW))
    assert await queue.positions("a1", "a2", "a3") == [3, 2, 1]
    await queue.orchestrator.patch(queue.ids["a1"], "a", BacktestPatch(priority=HIGH))
    assert await queue.positions("a1", "a2", "a3") == [1, 3, 2], "of equal priority the older one"
    await queue.orchestrator.patch(queue.ids["a2"], "a", BacktestPatch(name="another name"))
    assert await queue.claims(3) == ["a1", "a3", "a2"]


async def test_a_priority_that_was_changed_while_it_ran_counts_when_it_waits_again(queue: Queue) -> None:
    await queue.add("a1", "a2", "a3")
    assert await queue.claim() == "a1"
    await queue.orchestrator.patch(queue.ids["a1"], "a", BacktestPatch(priority=LOW))
    await queue.orchestrator.give_back(await queue.run("a1"), "worker_died")
    assert await queue.claims(3) == ["a2", "a3", "a1"]


async def test_a_priority_that_was_changed_while_it_was_cancelled_counts_when_it_is_resumed(queue: Queue) -> None:
    await queue.add("a1", "a2")
    await queue.orchestrator.cancel(queue.ids["a1"], "a")
    await queue.orchestrator.patch(queue.ids["a1"], "a", BacktestPatch(priority=HIGH))
    await queue.orchestrator.resume(queue.ids["a1"], "a")
    assert await queue.claims(2) == ["a1", "a2"]


async def test_what_is_patched_at_the_same_moment_is_all_there(queue: Queue) -> None:
    await queue.add("a1", "a2")
    await queue.orchestrator.claim_next(worker())
    for name in ("a1", "a2"):
        for n in range(5):
            mine = queue.orchestrator.patch
            await asyncio.gather(
                mine(queue.ids[name], "a", BacktestPatch(starred=n % 2 == 0)),
                mine(queue.ids[name], "a", BacktestPatch(name=f"name {n}")),
                mine(queue.ids[name], "a", BacktestPatch(notes=f"notes {n}")),
                mine(queue.ids[name], "a", BacktestPatch(tags=(f"tag {n}",))),
            )
            run = await queue.run(name)
            assert (run.starred, run.name, run.notes, run.tags) == (
                n % 2 == 0,
                f"name {n}",
                f"notes {n}",
                (f"tag {n}",),
            )
            assert f"tag{n}" not in run.search
            assert {"name", "notes", "tag", str(n)} <= set(run.search), "it is found by all of it"


# ---- queue_position ---------------------------------------------------------------------------------------------


async def test_what_does_not_wait_has_no_position(queue: Queue) -> None:
    await queue.add("a1", "a2", "a3", "a4")
    assert await queue.claims(2) == ["a1", "a2"]
    await queue.finish("a1")
    await queue.orchestrator.cancel(queue.ids["a3"], "a")
    assert await queue.positions("a1", "a2", "a3", "a4") == [None, None, None, 1]


async def test_the_position_of_one_owners_runs_counts_those_before_it(queue: Queue) -> None:
    await queue.add(*(f"a{n}" for n in range(5)))
    assert await queue.positions(*(f"a{n}" for n in range(5))) == [1, 2, 3, 4, 5]
    await queue.claims(2)
    assert await queue.positions("a2", "a3", "a4") == [1, 2, 3]


async def test_of_other_owners_only_what_they_may_start_before_counts(queue: Queue) -> None:
    await queue.add(*(f"a{n}" for n in range(10)))
    await queue.claims(2)
    await queue.add("b1", "b2", "b3")
    assert await queue.positions("b1", "b2") == [1, 2], "two of a run: b may start two before a's third"
    assert await queue.positions("a2") == [3]
    assert await queue.positions("a3", "b3") == [5, 4]


async def test_the_positions_of_owners_with_one_run_each_are_the_order_in_which_they_start(queue: Queue) -> None:
    await queue.add("c1", "a1", "b1")
    assert await queue.positions("c1", "a1", "b1") == [1, 2, 3]
    assert await queue.claims(3) == ["c1", "a1", "b1"]


async def test_positions_are_the_order_in_which_runs_start(queue: Queue) -> None:
    """Of owners without a history, when nothing runs yet and nothing ends."""
    for seed in range(6):
        chance = random.Random(seed)
        names = [f"{chance.choice('abc')}{seed}.{n}" for n in range(chance.randrange(4, 12))]
        await queue.add(*names)
        positions = dict(zip(await queue.positions(*names), names, strict=True))
        assert await queue.claims(len(names)) == [positions.get(n) for n in range(1, len(names) + 1)]
        for name in names:
            await queue.finish(name)
        await queue.services.repository.remove(Served, ())


@pytest.mark.parametrize("seed", range(4))
async def test_positions_with_a_history_are_in_order_and_within_the_queue(queue: Queue, seed: int) -> None:
    chance = random.Random(100 + seed)
    numbers, running = itertools.count(), []
    for _ in range(30):
        if running and chance.random() < 0.3:
            await queue.finish(running.pop(chance.randrange(len(running))))
        elif chance.random() < 0.3:
            running += [name for name in [await queue.claim()] if name is not None]
        else:
            await queue.add(f"{chance.choice('abc')}{next(numbers)}", priority=chance.choice(list(Priority)))
    waiting = [name for name in queue.ids if (await queue.run(name)).status == Status.QUEUED]
    positions = dict(zip(waiting, await queue.positions(*waiting), strict=True))
    assert all(position is not None and 1 <= position <= len(waiting) for position in positions.values())
    order: list[str] = []
    while (name := await queue.claim()) is not None:
        order.append(name)
    assert sorted(order) == sorted(waiting)
    for owner in "abc":
        mine = [positions[name] for name in order if name[0] == owner]
        assert mine == sorted(mine), "one owner's runs start in the order of their positions"
        assert len(set(mine)) == len(mine)


async def test_an_owner_who_is_alone_is_not_said_to_have_been_served(queue: Queue) -> None:
    """Or a day of work at night would put him behind everybody in the morning."""
    await queue.add("a1", "a2")
    await queue.claims(2)
    assert await queue.services.repository.count(Served) == 0
    await queue.add("a3", "b1")
    await queue.finish("a1")
    await queue.finish("a2")
    assert await queue.claims(2) == ["a3", "b1"]
    assert await queue.services.repository.count(Served) == 1, "the last one had nobody beside it"


async def test_the_status_of_a_waiting_run_tells_its_position(queue: Queue) -> None:
    await queue.add("a1", "a2")
    view = await queue.services.monitoring.status(await queue.run("a2"))
    assert (view.queue_position, view.priority) == (2, "normal")
    await queue.services.runner(never).run_waiting()
    assert (await queue.services.monitoring.status(await queue.run("a2"))).queue_position is None
