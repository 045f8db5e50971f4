"""An identical request is given the result that is there: its own copy, and only where it must be the same."""

import asyncio
import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from lifecycle_support import OWNER, becomes, gate_at, import_prices, messages, mine, never, statuses, worker

from backproof.bootstrap import ServiceFactory
from backproof.domain.backtest import Backtest, Execution, RunError
from backproof.domain.config import BacktestConfig
from backproof.domain.documents import Change, eq, utc_now
from backproof.domain.lifecycle import Status
from backproof.engine import fingerprint
from backproof.errors import IdempotencyMismatch, NotFound, QueueFull
from backproof.services.backtests import runner as runner_module
from backproof.services.backtests.admission import SubmitOptions
from backproof.services.backtests.models import BacktestQuery
from backproof.services.backtests.transitions import Outcome


async def submit(services: ServiceFactory, config: dict[str, object], owner: str = OWNER, **how: Any) -> Backtest:
    key = how.pop("key", None)
    return await services.orchestrator.submit(config, owner, key, SubmitOptions(**how))


async def work(services: ServiceFactory, run_id: str, owner: str = OWNER) -> Backtest:
    await services.runner(never).run_waiting()
    return await services.orchestrator.get(run_id, owner)


@pytest.fixture
async def first(services: ServiceFactory, tmp_path: Path) -> Backtest:
    """A completed run."""
    await import_prices(services, tmp_path, bars=250)
    run = await work(services, (await submit(services, mine())).id)
    assert run.status == Status.COMPLETED
    return run


async def purge(services: ServiceFactory, run_id: str) -> None:
    """Delete it, and let its time in the bin pass."""
    await services.orchestrator.delete(run_id, OWNER)
    long_ago = Change(set={"deleted_at": utc_now() - dt.timedelta(days=2)})
    await services.repository.update(Backtest, run_id, (), long_ago)
    assert await services.housekeeping().empty_bin() == 1


# ---- what is given ----------------------------------------------------------------------------------------------


async def test_an_identical_request_is_done_at_once_with_the_same_result(
    services: ServiceFactory, first: Backtest
) -> None:
    hints = await services.execution.depth()
    run = await submit(services, mine(name="another name", tags=["t"]))
    assert (run.status, run.cached_from) == (Status.COMPLETED, first.id)
    assert (run.name, run.tags, run.owner_id) == ("another name", ("t",), OWNER)
    for name in ("fingerprint", "metrics", "benchmark_metrics", "null_reasons", "notices", "manifest", "trading"):
        assert getattr(run, name) == getattr(first, name), name
    assert run.sparkline == first.sparkline
    assert run.progress.percent == 100.0
    assert run.versions == first.versions
    assert await services.results.equity(run) == await services.results.equity(first)
    assert await services.results.trades(run, 100) == await services.results.trades(first, 100)
    assert (run.fence, run.attempt, run.execution_seconds, run.partial, run.error) == (0, 0, None, False, None)
    assert run.started_at == run.completed_at
    assert await services.execution.depth() == hints, "there is no work"
    assert await services.repository.count(Execution, (eq("run_id", run.id),)) == 0


async def test_a_source_that_is_left_out_is_written_down(services: ServiceFactory, demo_config: dict[str, Any]) -> None:
    """Another default tomorrow changes no run of today, and saying what is the default anyway changes nothing."""
    named = {**demo_config, "data_source": "demo"}
    unnamed = {name: value for name, value in named.items() if name != "data_source"}
    first = await submit(services, unnamed)
    assert first.config.data_source == "demo"
    await services.runner(never).run_waiting()
    assert (await submit(services, named)).cached_from == first.id
    services.datasets._default = "another"
    again = await services.orchestrator.rerun(first.id, OWNER, SubmitOptions())
    assert (again.config.data_source, again.cached_from) == ("demo", first.id)
    waits = await services.orchestrator.submit(unnamed, OWNER, options=SubmitOptions(wait_for_data=True))
    assert (waits.status, waits.config.data_source) == (Status.PENDING, "another")


async def test_its_history_says_where_the_result_is_from(services: ServiceFactory, first: Backtest) -> None:
    run = await submit(services, mine())
    events = await services.monitoring.events(run.id)
    assert [event.seq for event in events] == [1, 2, 3]
    assert await statuses(services, run.id) == ["queued", "completed"]
    assert events[2].data["reason"] == "cached"
    assert await messages(services, run.id) == [f"identical to {first.id}, whose result it was given"]
    assert events[1].data["values"] == {"id": first.id}
    stored = await services.repository.get(Backtest, run.id)
    assert stored is not None
    assert (stored.seq, stored.outbox, stored.relay_pending) == (3, (), False)


async def test_its_file_is_its_own_and_outlives_the_run_it_is_from(services: ServiceFactory, first: Backtest) -> None:
    run = await submit(services, mine())
    assert run.result is not None
    assert first.result is not None
    assert run.result.path == f"runs/{run.id}/0/result.parquet"
    assert run.result.sha256 == first.result.sha256
    curve = await services.results.equity(first)
    await purge(services, first.id)
    assert await services.results.equity(run) == curve
    assert (await services.orchestrator.get(run.id, OWNER)).cached_from == first.id
    await services.housekeeping().tidy()
    assert await services.results.equity(run) == curve


async def test_what_was_given_is_given_on_and_always_names_who_computed_it(
    services: ServiceFactory, first: Backtest
) -> None:
    second = await submit(services, mine())
    await purge(services, first.id)
    third = await submit(services, mine())
    assert (second.cached_from, third.cached_from) == (first.id, first.id)
    assert third.result is not None
    assert third.result.path == f"runs/{third.id}/0/result.parquet"
    await services.results.equity(third)


async def test_a_dry_run_names_the_run_whose_result_would_be_given(services: ServiceFactory, first: Backtest) -> None:
    assert (await services.orchestrator.validate(mine(), OWNER)).identical == first.id
    assert (await services.orchestrator.validate(mine(), "somebody else")).identical is None
    assert (await services.orchestrator.validate(mine(initial_capital=5.0), OWNER)).identical is None


async def test_defaults_that_are_written_out_make_no_other_request(services: ServiceFactory, first: Backtest) -> None:
    whole: Any = BacktestConfig.model_validate(first.config).model_dump(mode="json")
    assert (await submit(services, whole)).cached_from == first.id


@pytest.mark.parametrize(
    "change",
    [
        {"parameters": {"fast": 3, "slow": 9}},
        {"symbols": ["B", "A"]},
        {"symbols": ["A"]},
        {"start_date": "2015-02-02"},
        {"initial_capital": 99_999.0},
        {"benchmark": "A"},
        {"costs": {"commission_rate": 0.002}},
        {"risk": {"stop_loss": 0.5}},
        {"execution": {"fill": "next_close"}},
        {"risk_free_rate": 0.01},
        {"strategy_type": "ema_crossover"},
    ],
    ids=str,
)
async def test_every_other_request_is_computed(
    services: ServiceFactory, first: Backtest, change: dict[str, object]
) -> None:
    run = await submit(services, mine(**change))
    assert (run.status, run.cached_from) == (Status.QUEUED, None)


# ---- what is not given ------------------------------------------------------------------------------------------


async def test_who_does_not_want_it_has_it_computed(services: ServiceFactory, first: Backtest) -> None:
    run = await submit(services, mine(), use_cache=False)
    assert run.status == Status.QUEUED
    run = await work(services, run.id)
    assert run.cached_from is None
    assert run.fingerprint == first.fingerprint


async def test_nobody_is_given_the_result_of_another_owner(services: ServiceFactory, first: Backtest) -> None:
    run = await submit(services, mine(), owner="ann")
    assert (run.status, run.cached_from) == (Status.QUEUED, None)
    await work(services, run.id, "ann")
    assert (await submit(services, mine(), owner="ann")).cached_from == run.id
    assert (await submit(services, mine())).cached_from == first.id


async def test_other_data_is_another_result(services: ServiceFactory, first: Backtest, tmp_path: Path) -> None:
    await import_prices(services, tmp_path, bars=250, seed=2)
    assert (await submit(services, mine())).status == Status.QUEUED
    await import_prices(services, tmp_path, bars=250, seed=1)
    assert (await submit(services, mine())).cached_from == first.id, "the same bars as then"


async def test_data_that_is_imported_while_the_first_one_waits_is_not_what_it_used(
    services: ServiceFactory, tmp_path: Path
) -> None:
    await import_prices(services, tmp_path, bars=250, seed=1)
    waiting = await submit(services, mine())
    await import_prices(services, tmp_path, bars=250, seed=2)
    await work(services, waiting.id)
    assert (await submit(services, mine())).status == Status.QUEUED


async def test_other_code_of_the_strategy_is_another_result(
    services: ServiceFactory, first: Backtest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fingerprint, "code_hash", lambda _: "edited")
    assert (await submit(services, mine())).status == Status.QUEUED


async def test_another_engine_is_another_result(
    services: ServiceFactory, first: Backtest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fingerprint, "ENGINE_SEMANTICS", fingerprint.ENGINE_SEMANTICS + 1)
    assert (await submit(services, mine())).status == Status.QUEUED


async def test_a_partial_result_is_not_given_and_the_whole_one_is_once_it_was_resumed(
    services: ServiceFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "REPORT_SECONDS", 0.01)
    await import_prices(services, tmp_path, bars=250)
    run, runner = await submit(services, mine()), services.runner(never)
    with gate_at(100, monkeypatch) as gate:
        working = asyncio.create_task(runner.run_waiting())
        await gate.reached()
        await services.orchestrator.cancel(run.id, OWNER)

        async def heard() -> bool:
            return runner._current is not None and runner._current._cancelled

        await becomes(heard)
        gate.let_go()
        await working
    cancelled = await services.orchestrator.get(run.id, OWNER)
    assert cancelled.result is not None
    other = await submit(services, mine())
    assert (other.status, other.cached_from) == (Status.QUEUED, None)
    await services.orchestrator.cancel(other.id, OWNER)
    await services.orchestrator.resume(run.id, OWNER)
    await work(services, run.id)
    assert (await submit(services, mine())).cached_from == run.id


async def test_a_failed_run_gives_nothing(services: ServiceFactory, tmp_path: Path) -> None:
    await import_prices(services, tmp_path, bars=250)
    await submit(services, mine())
    held = await services.orchestrator.claim_next(worker())
    assert held is not None
    assert (await submit(services, mine())).status == Status.QUEUED, "nor one that is under way"
    await services.orchestrator.finish(held, Outcome(error=RunError(code="x", message="x")), [])
    assert (await submit(services, mine())).status == Status.QUEUED


async def test_a_deleted_run_gives_nothing_until_it_is_restored(services: ServiceFactory, first: Backtest) -> None:
    await services.orchestrator.delete(first.id, OWNER)
    run = await submit(services, mine())
    assert run.status == Status.QUEUED
    await services.orchestrator.cancel(run.id, OWNER)
    await services.orchestrator.restore(first.id, OWNER)
    assert (await submit(services, mine())).cached_from == first.id


async def test_where_the_file_is_gone_it_is_computed_again(services: ServiceFactory, first: Backtest) -> None:
    assert first.result is not None
    (services.settings.lake_path / first.result.path).unlink()
    run = await submit(services, mine())
    assert (run.status, run.cached_from) == (Status.QUEUED, None)
    run = await work(services, run.id)
    assert run.fingerprint == first.fingerprint
    assert (await submit(services, mine())).cached_from == run.id, "the newest one is asked first"


async def test_a_result_that_is_given_needs_no_place_in_the_queue(services: ServiceFactory, first: Backtest) -> None:
    services.orchestrator._queue_max_size = 1
    await submit(services, mine(), use_cache=False)
    assert (await submit(services, mine())).status == Status.COMPLETED
    with pytest.raises(QueueFull):
        await submit(services, mine(), use_cache=False)


# ---- once more, with a key --------------------------------------------------------------------------------------


async def test_the_same_key_gives_the_same_run(services: ServiceFactory, first: Backtest) -> None:
    run = await submit(services, mine(), key="k")
    again = await submit(services, mine(), key="k")
    assert (again.id, again.cached_from) == (run.id, first.id)
    with pytest.raises(IdempotencyMismatch):
        await submit(services, mine(), key="k", use_cache=False)
    with pytest.raises(IdempotencyMismatch):
        await submit(services, mine(name="other"), key="k")
    assert (await submit(services, mine(), owner="ann", key="k")).id != run.id


@pytest.mark.parametrize("key", [None, "k"], ids=["without a key", "with one key"])
async def test_twenty_identical_requests_at_once_are_all_answered(
    services: ServiceFactory, first: Backtest, key: str | None
) -> None:
    runs = await asyncio.gather(*(submit(services, mine(), key=key) for _ in range(20)))
    found = {run.id: run for run in runs}
    assert len(found) == (20 if key is None else 1)
    assert (await services.orchestrator.find(BacktestQuery(), OWNER)).total == 1 + len(found)
    for run_id in found:
        run = await services.orchestrator.get(run_id, OWNER)
        assert (run.status, run.cached_from, run.seq) == (Status.COMPLETED, first.id, 3)
        assert run.result is not None
        assert run.result.path == f"runs/{run_id}/0/result.parquet"
        assert await services.results.equity(run) == await services.results.equity(first)


@pytest.mark.parametrize("key", [None, "k"], ids=["without a key", "with one key"])
async def test_twenty_requests_at_once_with_nothing_to_give_are_all_computed(
    services: ServiceFactory, tmp_path: Path, key: str | None
) -> None:
    await import_prices(services, tmp_path, bars=250)
    runs = await asyncio.gather(*(submit(services, mine(), key=key) for _ in range(20)))
    count = 20 if key is None else 1
    assert len({run.id for run in runs}) == count
    assert {run.status for run in runs} == {Status.QUEUED}
    assert await services.runner(never).run_waiting() == count


async def test_a_key_whose_run_was_purged_stands_for_a_new_run(services: ServiceFactory, first: Backtest) -> None:
    run = await submit(services, mine(), key="k")
    await purge(services, run.id)
    with pytest.raises(NotFound):
        await services.orchestrator.get(run.id, OWNER)
    again = await submit(services, mine(), key="k")
    assert again.cached_from == first.id
    await services.results.equity(again)
