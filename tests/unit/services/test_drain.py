"""A runner that drains: it claims nothing more, finishes what ends in time, and hands the rest over as it stands."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from lifecycle_support import OWNER, becomes, gate_at, import_prices, messages, mine, never, statuses

from backproof.bootstrap import ServiceFactory
from backproof.domain.backtest import Backtest
from backproof.domain.lifecycle import Status
from backproof.services.backtests import runner as runner_module
from backproof.services.backtests.admission import SubmitOptions
from backproof.services.backtests.slots import Slots
from backproof.services.backtests.transitions import WORKER_STOPPED

LONG = 3600.0
AGAIN = SubmitOptions(use_cache=False)


@pytest.fixture(autouse=True)
async def _prices(services: ServiceFactory, tmp_path: Path) -> None:
    await import_prices(services, tmp_path)


async def submitted(services: ServiceFactory) -> Backtest:
    return await services.orchestrator.submit(mine(), OWNER, options=AGAIN)


async def seen(services: ServiceFactory, run: Backtest) -> Backtest:
    return await services.orchestrator.get(run.id, OWNER)


async def asked_to_stop(runner: runner_module.BacktestRunner) -> None:
    """As soon as the run that it holds is to stop at its next bar."""

    async def asked() -> bool:
        return runner._current is not None and runner._current.asked_at is not None

    await becomes(asked)


async def hashes(services: ServiceFactory, run: Backtest) -> dict[str, Any]:
    manifest = (await seen(services, run)).manifest or {}
    return {name: manifest[name] for name in ("equity_hash", "fills_hash", "fingerprint")}


async def test_what_ends_in_time_is_finished_and_nothing_more_is_claimed(
    services: ServiceFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await submitted(services), await submitted(services)
    runner = services.runner(never)
    with gate_at(100, monkeypatch) as gate:
        work = asyncio.create_task(runner.run_waiting())
        await gate.reached()
        draining = asyncio.create_task(runner.drain(LONG))
        await asyncio.sleep(0)
        assert not draining.done(), "it waits for the run"
        gate.let_go()
        await draining
    assert work.done()
    assert (await seen(services, first)).status == Status.COMPLETED
    assert (await seen(services, second)).status == Status.QUEUED
    assert await Slots(services.repository).taken() == []
    assert await runner.run_waiting() == 0, "one more hint changes nothing"


async def test_what_takes_longer_goes_on_elsewhere_to_the_same_bits(
    services: ServiceFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = await submitted(services)
    await services.runner(never).run_waiting()
    run = await submitted(services)
    runner = services.runner(never)
    with gate_at(100, monkeypatch) as gate:
        work = asyncio.create_task(runner.run_waiting())
        await gate.reached()
        draining = asyncio.create_task(runner.drain(0.0))
        await asked_to_stop(runner)
        gate.let_go()
        await draining
    await work
    given = await seen(services, run)
    assert (given.status, given.attempt, given.crashes, given.worker) == (Status.QUEUED, 1, 0, None)
    assert given.checkpoint is not None
    assert given.checkpoint.bar == 100
    assert await Slots(services.repository).taken() == []
    assert (await statuses(services, run.id))[-2:] == ["running", "queued"]

    await services.runner(never).run_waiting()
    done = await seen(services, run)
    assert (done.status, done.attempt) == (Status.COMPLETED, 2)
    assert "attempt 2: goes on after bar 100 of 300" in await messages(services, run.id)
    assert await hashes(services, run) == await hashes(services, undisturbed)


async def test_three_stops_are_no_crash_loop(services: ServiceFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    run = await submitted(services)
    for bar in (100, 140, 180, 220):
        await runner_stopped_at(bar, services.runner(never), monkeypatch)
        assert (await seen(services, run)).status == Status.QUEUED
    await services.runner(never).run_waiting()
    done = await seen(services, run)
    assert (done.status, done.attempt, done.crashes) == (Status.COMPLETED, 5, 0)


async def runner_stopped_at(bar: int, runner: runner_module.BacktestRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    with gate_at(bar, monkeypatch) as gate:
        work = asyncio.create_task(runner.run_waiting())
        await gate.reached()
        draining = asyncio.create_task(runner.drain(0.0))
        await asked_to_stop(runner)
        gate.let_go()
        await draining
        await work


async def test_a_run_that_does_not_come_to_its_next_bar_is_given_back_all_the_same(
    services: ServiceFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "HAND_OVER_SECONDS", 0.1)
    run = await submitted(services)
    runner = services.runner(never)
    with gate_at(100, monkeypatch) as gate:
        work = asyncio.create_task(runner.run_waiting())
        await gate.reached()
        async with asyncio.timeout(10):
            await runner.drain(0.0)
        given = await seen(services, run)
    await work
    assert (given.status, given.crashes) == (Status.QUEUED, 0)
    assert any(WORKER_STOPPED in line for line in await messages(services, run.id))


async def test_a_run_without_a_bar_so_far_is_given_back_at_once(
    services: ServiceFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await submitted(services)
    loading, never_comes = asyncio.Event(), asyncio.Event()

    async def load(*_: Any) -> None:
        loading.set()
        await never_comes.wait()

    monkeypatch.setattr(runner_module, "HAND_OVER_SECONDS", LONG)
    monkeypatch.setattr(type(services.datasets), "load", load)
    runner = services.runner(never)
    work = asyncio.create_task(runner.run_waiting())
    await loading.wait()
    async with asyncio.timeout(10):
        await runner.drain(0.0)
    await work
    given = await seen(services, run)
    assert (given.status, given.checkpoint) == (Status.QUEUED, None)


async def test_a_claim_that_was_on_its_way_is_seen_to_an_end(
    services: ServiceFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await submitted(services)
    claiming, go_on = asyncio.Event(), asyncio.Event()
    claim_next = services.orchestrator.claim_next

    async def slowly(*arguments: Any) -> Backtest | None:
        claiming.set()
        await go_on.wait()
        return await claim_next(*arguments)

    monkeypatch.setattr(services.orchestrator, "claim_next", slowly)
    runner = services.runner(never)
    work = asyncio.create_task(runner.run_waiting())
    await claiming.wait()
    draining = asyncio.create_task(runner.drain(0.0))
    await asyncio.sleep(0)
    go_on.set()
    await draining
    await work
    assert (await seen(services, run)).status in (Status.QUEUED, Status.COMPLETED), "and not left with a dead process"


async def test_a_run_that_its_owner_has_cancelled_ends_cancelled(
    services: ServiceFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await submitted(services)
    runner = services.runner(never)
    with gate_at(100, monkeypatch) as gate:
        work = asyncio.create_task(runner.run_waiting())
        await gate.reached()
        await services.orchestrator.cancel(run.id, OWNER)
        draining = asyncio.create_task(runner.drain(0.0))
        await asked_to_stop(runner)
        gate.let_go()
        await draining
        await work
    assert (await seen(services, run)).status == Status.CANCELLED


async def test_nobody_waits_for_a_run_that_is_known_to_take_longer(
    services: ServiceFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    await submitted(services)
    runner = services.runner(never)
    with gate_at(100, monkeypatch) as gate:
        work = asyncio.create_task(runner.run_waiting())
        await gate.reached()
        attempt, now = runner._current, time.monotonic()
        assert attempt is not None
        for bar, at in ((0, now - 100.0), (100, now)):  # 100 of 300 bars in so many seconds: 200 seconds are left
            attempt._pace.passed(bar, at)
        assert attempt.ends_after(now + 150.0)
        assert not attempt.ends_after(now + 250.0)
        gate.let_go()
        await work
