"""A run uses the bars that were current when it was submitted, whatever is imported while it waits, runs or rests."""

import asyncio
from pathlib import Path

import pytest
from lifecycle_support import OWNER, becomes, gate_at, import_prices, mine, never, price_file

from backproof.bootstrap import ServiceFactory
from backproof.domain.backtest import Backtest
from backproof.domain.lifecycle import Status
from backproof.services.backtests import runner as runner_module
from backproof.services.backtests.admission import SubmitOptions

COMPUTED = SubmitOptions(use_cache=False)
CONFIG = mine(symbols=["A"], benchmark="B")


async def submitted(services: ServiceFactory, config: dict[str, object] = CONFIG) -> str:
    return (await services.orchestrator.submit(config, OWNER, options=COMPUTED)).id


async def done(services: ServiceFactory, run_id: str) -> Backtest:
    await services.runner(never).run_waiting()
    run = await services.orchestrator.get(run_id, OWNER)
    assert run.status == Status.COMPLETED, run.error
    return run


def result(run: Backtest) -> tuple[object, ...]:
    assert run.result is not None
    assert run.manifest is not None
    return run.fingerprint, run.result.sha256, run.manifest["data_hash"], run.metrics, run.benchmark_metrics


@pytest.fixture
async def before(services: ServiceFactory, tmp_path: Path) -> Backtest:
    """A run on the first import."""
    await import_prices(services, tmp_path, bars=250, seed=1)
    return await done(services, await submitted(services))


async def test_a_run_names_the_versions_that_it_uses(services: ServiceFactory, before: Backtest) -> None:
    current = {series.symbol: series.sha256 for series in services.lake.series("mine")}
    assert before.versions == current
    assert sorted(current) == ["A", "B"], "of its benchmark too"


@pytest.mark.parametrize("bars", [250, 100, 600], ids=["other prices", "fewer bars", "more bars"])
async def test_data_imported_while_a_run_waits_does_not_change_its_result(
    services: ServiceFactory, before: Backtest, tmp_path: Path, bars: int
) -> None:
    waiting = await submitted(services)
    await import_prices(services, tmp_path, bars=bars, seed=2)
    run = await done(services, waiting)
    assert result(run) == result(before)
    assert run.versions == before.versions
    after = await done(services, await submitted(services))
    assert result(after) != result(before)
    assert after.versions != before.versions


async def test_data_imported_while_a_run_runs_does_not_change_its_result(
    services: ServiceFactory, before: Backtest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = await submitted(services)
    with gate_at(100, monkeypatch) as gate:
        working = asyncio.create_task(services.runner(never).run_waiting())
        await gate.reached()
        await import_prices(services, tmp_path, bars=250, seed=2)
        held = await services.orchestrator.get(run_id, OWNER)
        await services.orchestrator.give_back(held, "worker_died")
        gate.let_go()
        await working
    run = await services.orchestrator.get(run_id, OWNER)
    assert run.attempt == 2
    assert result(run) == result(before)


async def test_a_resumed_run_goes_on_with_the_data_it_began_with(
    services: ServiceFactory, before: Backtest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "REPORT_SECONDS", 0.01)
    run_id = await submitted(services)
    runner = services.runner(never)
    with gate_at(100, monkeypatch) as gate:
        working = asyncio.create_task(runner.run_waiting())
        await gate.reached()
        await services.orchestrator.cancel(run_id, OWNER)

        async def heard() -> bool:
            return runner._current is not None and runner._current._cancelled

        await becomes(heard)
        gate.let_go()
        await working
    for seed in (2, 3):
        await import_prices(services, tmp_path, bars=300, seed=seed)
    resumed = await services.orchestrator.resume(run_id, OWNER)
    assert resumed.versions == before.versions
    run = await done(services, run_id)
    assert run.attempt == 2
    assert result(run) == result(before)


async def test_a_run_that_is_repeated_uses_the_data_as_it_is_now(
    services: ServiceFactory, before: Backtest, tmp_path: Path
) -> None:
    await import_prices(services, tmp_path, bars=250, seed=2)
    again = await services.orchestrator.rerun(before.id, OWNER, SubmitOptions())
    assert again.rerun_of == before.id
    assert again.status == Status.QUEUED, "its result is not the old one"
    run = await done(services, again.id)
    assert run.versions != before.versions
    assert result(run) != result(before)
    assert (run.name, run.tags, run.config) == (before.name, before.tags, before.config)


async def test_what_is_imported_beside_it_makes_no_other_version(
    services: ServiceFactory, before: Backtest, tmp_path: Path
) -> None:
    await services.datasets.import_file(price_file(tmp_path / "c.csv", symbols="C", seed=9), "mine")
    await import_prices(services, tmp_path, bars=250, seed=1)
    run = await done(services, await submitted(services))
    assert (run.versions, result(run)) == (before.versions, result(before))


async def test_a_version_that_somebody_has_removed_fails_the_run_and_no_other_is_taken(
    services: ServiceFactory, before: Backtest, tmp_path: Path
) -> None:
    waiting = await submitted(services)
    old = set((services.settings.lake_path / "bars/mine/1d").glob("*.parquet"))
    await import_prices(services, tmp_path, bars=250, seed=2)
    for path in old:
        path.unlink()
    await services.runner(never).run_waiting()
    run = await services.orchestrator.get(waiting, OWNER)
    assert run.error is not None
    assert (run.status, run.error.code, run.error.stage) == (Status.FAILED, "storage_failed", "collect_data")
    assert "it is missing" in run.error.message
