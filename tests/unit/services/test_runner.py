"""The runner: cancel in the middle, deadline, failures with a reason, and what the world sees meanwhile."""

import asyncio
import errno
import math
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from checkpoint_support import heard
from lifecycle_support import OWNER, becomes, gate_at, import_prices, messages, mine, never, until

from backproof.bootstrap import ServiceFactory
from backproof.domain.backtest import Backtest
from backproof.domain.events import DURABLE, Event, EventType
from backproof.domain.lifecycle import Stage, Status
from backproof.errors import StorageFailed
from backproof.messaging.redis import EventStream
from backproof.services.backtests import attempt as attempt_module
from backproof.services.backtests import runner as runner_module
from backproof.services.backtests.admission import SubmitOptions
from backproof.services.backtests.orchestrator import BacktestOrchestrator


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """One bar per chunk, a look at each, and a report after each few of them, so that a short run has a middle."""
    monkeypatch.setattr(attempt_module, "FIRST_CHUNK_WORK", 1)
    monkeypatch.setattr(attempt_module, "CHUNK_SECONDS", 0.0)
    monkeypatch.setattr(attempt_module, "LIVE_SECONDS", 0.0)
    monkeypatch.setattr(attempt_module, "LOOK_SHARE", math.inf)
    monkeypatch.setattr(runner_module, "REPORT_SECONDS", 0.01)


@pytest.mark.usefixtures("slow")
async def test_a_cancelled_run_keeps_what_it_had_computed(
    services: ServiceFactory, demo_config: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, runner = await services.orchestrator.submit(demo_config, OWNER), services.runner(never)
    with gate_at(1000, monkeypatch) as gate:
        work = asyncio.create_task(runner.run_waiting())
        await gate.reached()
        await services.orchestrator.cancel(run.id, OWNER)
        await becomes(lambda: heard(runner))
    await work
    done = await services.orchestrator.get(run.id, OWNER)
    assert (done.status, done.partial) == (Status.CANCELLED, True)
    assert done.result is not None
    whole = await services.orchestrator.submit(demo_config, OWNER, options=SubmitOptions(use_cache=False))
    await services.runner(never).run_waiting()
    uncancelled = await services.results.equity(await services.orchestrator.get(whole.id, OWNER))
    partial = await services.results.equity(done)
    assert len(partial.equity) == 1000 < len(uncancelled.equity)
    assert partial.equity == uncancelled.equity[: len(partial.equity)]


@pytest.mark.usefixtures("slow")
async def test_progress_and_equity_are_told_while_bars_are_simulated(
    services: ServiceFactory, demo_config: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    position = await services._stream.last_id()
    run = await services.orchestrator.submit(demo_config, OWNER)

    async def sent() -> bool:
        frame = await services.monitoring.latest(run.id)
        return frame is not None and frame["bars_done"] == 1999

    with gate_at(2000, monkeypatch) as gate:
        work = asyncio.create_task(services.runner(never).run_waiting())
        await gate.reached()
        await becomes(sent)
    await work
    frames = []
    while True:
        position, found = await services._stream.read(position)
        frames += [event for run_id, event in found if run_id == run.id]
        if not found:
            break
    progress = [e.data["progress"] for e in frames if e.type == EventType.PROGRESS]
    assert progress == sorted(progress)
    assert {0.0, 5.0, 10.0, 95.0} <= set(progress)
    assert any(60 < value < 90 for value in progress), "the simulation's own share is work done, not steps"
    curves = [e.data for e in frames if e.type == EventType.EQUITY]
    assert curves
    assert all(len(c["points"]) <= 400 and c["bars_done"] <= c["total_bars"] for c in curves)
    durable = [e.seq for e in frames if e.type in DURABLE]
    assert durable == list(range(1, len(durable) + 1))
    late = await services.monitoring.latest(run.id)
    assert late is not None
    assert 1999 <= late["bars_done"] <= late["total_bars"]
    assert len(late["positions"]) == late["position_count"]
    assert late["trades"] > 5


async def test_what_is_told_of_a_stage_is_not_overtaken_by_what_comes_after_it(
    services: ServiceFactory, demo_config: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stage begins while the reporter is telling of the one before."""
    run = await services.orchestrator.submit(demo_config, OWNER)
    attempt = attempt_module.Attempt(run, services.runner(never)._e, 10.0, 1.0)
    go_on, told = asyncio.Event(), []

    async def publish(_: EventStream, __: str, events: Sequence[Event]) -> None:
        if attempt._stage == Stage.COLLECT_DATA:
            await go_on.wait()
        told.extend(event.data["progress"] for event in events)

    monkeypatch.setattr(EventStream, "publish", publish)
    running = run.model_copy(update={"status": Status.RUNNING})
    first = asyncio.create_task(attempt._send_live(running))
    await asyncio.sleep(0)
    attempt._stage = Stage.SAVE
    second = asyncio.create_task(attempt._send_live(running))
    for _ in range(20):
        await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(first, second)
    assert told == [0.0, 95.0]


@pytest.mark.usefixtures("slow")
async def test_a_run_past_its_deadline_fails_and_says_so(
    services: ServiceFactory, demo_config: dict[str, object]
) -> None:
    run = await services.orchestrator.submit(demo_config, OWNER)
    runner = services.runner(never)
    runner._max_seconds = 0.0
    await runner.run_waiting()
    done = await services.orchestrator.get(run.id, OWNER)
    assert done.error is not None
    assert (done.status, done.error.code) == (Status.FAILED, "deadline_exceeded")


async def test_a_result_that_cannot_be_written_fails_the_run_with_that_reason(
    services: ServiceFactory, demo_config: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise StorageFailed("cannot write the result: No space left on device", errno=errno.ENOSPC)

    run = await services.orchestrator.submit(demo_config, OWNER)
    monkeypatch.setattr(type(services.lake), "write_result", full)
    await services.runner(never).run_waiting()
    done = await services.orchestrator.get(run.id, OWNER)
    assert done.status == Status.FAILED
    assert done.error is not None
    assert "No space left" in done.error.message
    assert done.error.stage == "save"
    assert done.metrics is None


async def test_a_bug_in_the_engine_fails_the_run_and_not_the_worker(
    services: ServiceFactory, demo_config: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    from backproof.engine.simulation import Simulation

    def broken(_: Simulation) -> None:
        raise ZeroDivisionError("secret detail")

    first = await services.orchestrator.submit(demo_config, OWNER)
    with monkeypatch.context() as patch:
        patch.setattr(Simulation, "prepare", broken)
        await services.runner(never).run_waiting()
    failed = await services.orchestrator.get(first.id, OWNER)
    assert failed.error is not None
    assert (failed.status, failed.error.code) == (Status.FAILED, "internal_error")
    assert "secret detail" not in failed.error.message
    second = await services.orchestrator.submit(demo_config, OWNER)
    await services.runner(never).run_waiting()
    assert (await services.orchestrator.get(second.id, OWNER)).status == Status.COMPLETED


async def test_data_that_vanished_after_submit_fails_the_run_with_the_field(
    services: ServiceFactory, demo_config: dict[str, object], tmp_path: Path
) -> None:
    import pyarrow as pa

    table = pa.table(
        {"symbol": ["X"] * 3, "date": ["2020-01-01", "2020-01-02", "2020-01-03"], "close": [1.0, 2.0, 3.0]}
    )
    file = tmp_path / "x.csv"
    file.write_text("symbol,date,close\n" + "\n".join(",".join(map(str, row.values())) for row in table.to_pylist()))
    await services.datasets.import_file(file, "mine", "1d")
    run = await services.orchestrator.submit(
        {
            "name": "x",
            "strategy_type": "buy_and_hold",
            "symbols": ["X"],
            "data_source": "mine",
            "execution": {"fill": "next_close"},
        },
        OWNER,
    )
    for file in (services.settings.lake_path / "bars").rglob("*.parquet"):
        file.unlink()
    await services.runner(never).run_waiting()
    done = await services.orchestrator.get(run.id, OWNER)
    assert done.status == Status.FAILED
    assert done.error is not None
    assert done.error.code in ("storage_failed", "not_found")
    assert str(services.settings.data_dir) not in done.error.message


async def test_the_service_computes_what_the_library_computes(
    services: ServiceFactory, demo_config: dict[str, object]
) -> None:
    import backproof

    config = {**demo_config, "end_date": "2008-06-30"}
    run = await services.orchestrator.submit(config, OWNER)
    await services.runner(never).run_waiting()
    done = await services.orchestrator.get(run.id, OWNER)
    bars = backproof.Bars.from_frame(services.lake.read_bars("demo", "1d", ["AAPL", "SPX"]))
    result = backproof.simulate(config, bars)
    assert (await services.results.equity(done)).equity == result.equity.tolist()
    assert done.metrics == result.metrics
    assert done.fingerprint == result.fingerprint()


class Forever:
    """Stands in for what a strategy does in its thread; `let_go` ends it after the test."""

    def __init__(self) -> None:
        self.let_go = threading.Event()

    def __call__(self, *_: Any) -> None:
        self.let_go.wait(30)


async def ended_by_a_limit(
    services: ServiceFactory, demo_config: dict[str, object], monkeypatch: pytest.MonkeyPatch, **changes: Any
) -> tuple[Backtest, list[str]]:
    """A run whose strategy does not come back, and what the runner ended its process for.

    due: the strategy is called at the run's deadline
    """
    from backproof.engine.simulation import Simulation

    forever, ended = Forever(), []
    runner = services.runner(ended.append)

    def prepare(*_: Any) -> None:
        if changes.get("due"):
            assert runner._current is not None
            runner._current._deadline = time.monotonic()
        forever()

    monkeypatch.setattr(Simulation, "prepare", prepare)
    run = await services.orchestrator.submit(demo_config, OWNER)
    if "memory" in changes:
        runner._e = replace(runner._e, memory=changes["memory"])
    work = asyncio.create_task(runner.run_waiting())
    if "cancel" in demo_config["tags"]:  # type: ignore[operator]
        await until(services, run.id, lambda r: r.progress.stage == "indicators")
        await services.orchestrator.cancel(run.id, OWNER)
    await work
    forever.let_go.set()
    return await services.orchestrator.get(run.id, OWNER), ended


async def test_a_strategy_that_does_not_come_back_is_ended_at_the_deadline(
    services: ServiceFactory, demo_config: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt_module, "DEADLINE_GRACE", 0.2)
    done, ended = await ended_by_a_limit(services, demo_config, monkeypatch, due=True)
    assert done.error is not None
    assert (done.status, done.error.code, done.error.stage) == (Status.FAILED, "deadline_exceeded", "indicators")
    assert ended == ["the strategy did not stop at the run's deadline"]


async def test_a_strategy_that_does_not_come_back_can_be_cancelled(
    services: ServiceFactory, demo_config: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt_module, "CANCEL_GRACE_BEFORE", 0.2)
    done, ended = await ended_by_a_limit(services, {**demo_config, "tags": ["cancel"]}, monkeypatch)
    assert (done.status, done.partial, done.result) == (Status.CANCELLED, True, None)
    assert ended == ["the run was cancelled and did not stop"]


async def test_a_run_that_takes_too_much_memory_is_ended(
    services: ServiceFactory, demo_config: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    from backproof.services.backtests.limits import MemoryLimit

    limit = MemoryLimit(256, 1, enforce=False)
    limit.bytes = 1
    done, ended = await ended_by_a_limit(services, demo_config, monkeypatch, memory=limit)
    assert done.error is not None
    assert (done.status, done.error.code) == (Status.FAILED, "out_of_memory")
    assert "MAX_BACKTEST_MEMORY_MB" in done.error.message
    assert ended == ["a run needed more memory than it may have"]


async def test_lines_that_are_being_written_when_the_run_ends_are_not_lost(
    services: ServiceFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write of lines is under way when the run ends, and would come too late: the end waits for it."""
    await import_prices(services, tmp_path)
    run = await services.orchestrator.submit(mine(), OWNER)
    log, finish = BacktestOrchestrator.log, BacktestOrchestrator.finish
    writing, ended = asyncio.Event(), asyncio.Event()

    async def slow(self: BacktestOrchestrator, run: Backtest, lines: list[dict[str, Any]]) -> Backtest | None:
        writing.set()
        with suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), 0.5)
        return await log(self, run, lines)

    async def last(self: BacktestOrchestrator, *given: Any, **told: Any) -> Backtest | None:
        finished = await finish(self, *given, **told)
        ended.set()
        return finished

    monkeypatch.setattr(BacktestOrchestrator, "log", slow)
    monkeypatch.setattr(BacktestOrchestrator, "finish", last)
    with gate_at(100, monkeypatch) as gate:
        work = asyncio.create_task(services.runner(never).run_waiting())
        await gate.reached()
        await asyncio.wait_for(writing.wait(), 30)
        gate.let_go()
        await work
    said = await messages(services, run.id)
    assert len([line for line in said if line.endswith("loaded")]) == 1
    assert len(said) == len(set(said))
