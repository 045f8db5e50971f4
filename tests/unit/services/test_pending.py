"""Runs that wait for data: accepted where nothing else is wrong, started when it comes, ended when it does not."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from lifecycle_support import OWNER, import_prices, messages, mine, never, price_file, statuses, worker

from backproof.bootstrap import ServiceFactory
from backproof.domain.backtest import Backtest
from backproof.domain.documents import Change
from backproof.domain.events import EventType
from backproof.domain.lifecycle import Priority, Status
from backproof.errors import Conflict, InvalidInput, QueueFull
from backproof.services.backtests.admission import MISSING_DATA, SubmitOptions
from backproof.services.backtests.models import BacktestPatch, BacktestQuery

PATIENCE = 1000.0
LATE = {"start_date": "2016-06-01", "end_date": "2016-08-01"}


async def submit(services: ServiceFactory, config: dict[str, object], **how: Any) -> Backtest:
    key = how.pop("key", None)
    return await services.orchestrator.submit(config, OWNER, key, SubmitOptions(**{"wait_for_data": True, **how}))


async def admit(services: ServiceFactory, patience: float = PATIENCE) -> int:
    return await services.orchestrator.admit_pending(patience)


async def get(services: ServiceFactory, run: Backtest) -> Backtest:
    return await services.orchestrator.get(run.id, OWNER)


async def age(services: ServiceFactory, run: Backtest, seconds: float) -> None:
    """As if it had been waiting for so long."""
    found = await services.repository.get(Backtest, run.id)
    assert found is not None
    since = (found.pending_at or found.created_at) - dt.timedelta(seconds=seconds)
    await services.repository.update(Backtest, run.id, (), Change(set={"pending_at": since, "created_at": since}))


# ---- which ones may wait ----------------------------------------------------------------------------------------


async def test_a_run_whose_data_is_missing_is_accepted_where_its_owner_waits(services: ServiceFactory) -> None:
    with pytest.raises(InvalidInput):
        await services.orchestrator.submit(mine(), OWNER)
    hints = await services.execution.depth()
    run = await submit(services, mine(name="later", tags=["t"]), priority=Priority.HIGH)
    assert (run.status, run.priority, run.name, run.tags) == (Status.PENDING, Priority.HIGH, "later", ("t",))
    assert [(missing.pointer, missing.code) for missing in run.waiting_for] == [("/data_source", "unknown_data_source")]
    assert "mine" in run.waiting_for[0].message
    assert await statuses(services, run.id) == ["pending"]
    assert await services.execution.depth() == hints
    assert await services.orchestrator.claim_next(worker()) is None
    view = await services.monitoring.status(run)
    assert (view.status, view.queue_position, view.waiting_for) == (Status.PENDING, None, run.waiting_for)
    assert (await services.orchestrator.find(BacktestQuery(text="later", status=(Status.PENDING,)), OWNER)).total == 1


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        ({"symbols": ["A", "NEW"]}, {"/symbols/1": "unknown_symbol"}),
        ({"benchmark": "NEW"}, {"/benchmark": "unknown_symbol"}),
        ({"symbols": ["X", "Y"], "benchmark": "Z"}, dict.fromkeys(("/symbols/0", "/symbols/1", "/benchmark"), "")),
        ({"timeframe": "1h"}, {"/timeframe": "no_such_bars"}),
        (LATE, {"/start_date": "outside_the_data", "/end_date": "outside_the_data"}),
        ({"start_date": "2015-03-07", "end_date": "2015-03-08"}, {"/start_date": "no_bars"}),
    ],
    ids=str,
)
async def test_every_kind_of_missing_data_may_be_waited_for(
    services: ServiceFactory, tmp_path: Path, change: dict[str, object], codes: dict[str, str]
) -> None:
    await import_prices(services, tmp_path, bars=250)
    run = await submit(services, mine(**change))
    assert run.status == Status.PENDING
    found = {missing.pointer: missing.code for missing in run.waiting_for}
    assert found.keys() == codes.keys()
    assert all(code in (codes[pointer] or code, code) and code in MISSING_DATA for pointer, code in found.items())


@pytest.mark.parametrize(
    "change",
    [
        {"parameters": {"fast": 9, "slow": 3}},
        {"parameters": {"nonsense": 1}},
        {"strategy_type": "no_such_strategy"},
        {"symbols": []},
        {"initial_capital": -1.0},
        {"execution": {"fill": "same_close"}, "strategy_type": "nothing_known"},
        {"nonsense": 1},
        {"start_date": "2020-01-01", "end_date": "2019-01-01"},
    ],
    ids=str,
)
async def test_every_other_mistake_is_refused_at_once_with_what_is_missing(
    services: ServiceFactory, change: dict[str, object]
) -> None:
    with pytest.raises(InvalidInput) as caught:
        await submit(services, mine(**change))
    assert any(error.code not in MISSING_DATA for error in caught.value.errors)
    assert (await services.orchestrator.find(BacktestQuery(), OWNER)).total == 0


async def test_a_mistake_beside_what_is_missing_names_both(services: ServiceFactory) -> None:
    with pytest.raises(InvalidInput) as caught:
        await submit(services, mine(parameters={"fast": 9, "slow": 3}))
    assert {error.code for error in caught.value.errors} > {"unknown_data_source"}


async def test_pending_runs_take_places_of_the_queue(services: ServiceFactory) -> None:
    services.orchestrator._queue_max_size = 2
    for _ in range(2):
        await submit(services, mine())
    with pytest.raises(QueueFull):
        await submit(services, mine())


async def test_a_run_whose_data_is_there_does_not_wait_for_any(services: ServiceFactory, tmp_path: Path) -> None:
    await import_prices(services, tmp_path, bars=250)
    assert (await submit(services, mine())).status == Status.QUEUED


async def test_one_key_is_one_pending_run(services: ServiceFactory) -> None:
    first = await submit(services, mine(), key="k")
    assert (await submit(services, mine(), key="k")).id == first.id


# ---- the data comes ---------------------------------------------------------------------------------------------


async def test_a_pending_run_is_queued_as_soon_as_its_data_is_there(services: ServiceFactory, tmp_path: Path) -> None:
    run = await submit(services, mine())
    assert await admit(services) == 0
    assert await statuses(services, run.id) == ["pending"]
    hints = await services.execution.depth()
    await import_prices(services, tmp_path, bars=250)
    assert await admit(services) == 1
    queued = await get(services, run)
    assert (queued.status, queued.waiting_for) == (Status.QUEUED, ())
    assert queued.queued_at is not None
    assert queued.queued_at > run.created_at
    assert queued.work_units == 500
    assert queued.versions == {series.symbol: series.sha256 for series in services.lake.series("mine")}
    assert queued.request_hash is not None
    assert await services.execution.depth() == hints + 1
    told = await services.monitoring.events(run.id, types=[EventType.STATUS_CHANGE])
    assert [(event.data["status"], event.data.get("reason")) for event in told] == [
        ("pending", "waits_for_data"),
        ("queued", "data_arrived"),
    ]
    assert await admit(services) == 0, "it is queued once"
    assert await services.runner(never).run_waiting() == 1
    assert (await get(services, run)).status == Status.COMPLETED


async def test_its_result_is_that_of_a_request_made_now_and_is_given_to_it(
    services: ServiceFactory, tmp_path: Path
) -> None:
    run = await submit(services, mine())
    await import_prices(services, tmp_path, bars=250)
    await admit(services)
    await services.runner(never).run_waiting()
    assert (await services.orchestrator.submit(mine(), OWNER)).cached_from == run.id


async def test_what_it_still_lacks_is_said_as_data_comes(services: ServiceFactory, tmp_path: Path) -> None:
    run = await submit(services, mine(symbols=["A", "B", "C"]))
    seq = run.seq
    await import_prices(services, tmp_path, symbols="AB", bars=250)
    assert await admit(services) == 0
    waiting = await get(services, run)
    assert [(missing.pointer, missing.code) for missing in waiting.waiting_for] == [("/symbols/2", "unknown_symbol")]
    assert waiting.seq == seq
    await services.datasets.import_file(price_file(tmp_path / "c.csv", symbols="C", bars=250), "mine")
    assert await admit(services) == 1


async def test_longer_data_admits_a_run_that_was_outside_of_it(services: ServiceFactory, tmp_path: Path) -> None:
    await import_prices(services, tmp_path, bars=250)
    run = await submit(services, mine(**LATE))
    await import_prices(services, tmp_path, bars=500)
    assert await admit(services) == 1
    assert (await get(services, run)).status == Status.QUEUED


async def test_its_priority_and_name_may_be_changed_meanwhile(services: ServiceFactory, tmp_path: Path) -> None:
    first, second = await submit(services, mine()), await submit(services, mine())
    changed = BacktestPatch(priority=Priority.HIGH, name="first, please")
    assert (await services.orchestrator.patch(second.id, OWNER, changed)).status == Status.PENDING
    await import_prices(services, tmp_path, bars=250)
    assert await admit(services) == 2
    assert [await services.orchestrator.queue_position(await get(services, run)) for run in (first, second)] == [2, 1]
    assert (await get(services, second)).name == "first, please"


async def test_data_that_shows_another_mistake_ends_the_run_with_it(services: ServiceFactory, tmp_path: Path) -> None:
    run = await submit(services, mine(symbols=["X"], risk={"stop_loss": 0.1}))
    prices = tmp_path / "x.csv"
    prices.write_text("symbol,date,close\nX,2020-01-01,1\nX,2020-01-02,2\nX,2020-01-03,3\n")
    await services.datasets.import_file(prices, "mine")
    assert await admit(services) == 0
    failed = await get(services, run)
    assert failed.error is not None
    assert (failed.status, failed.error.code) == (Status.FAILED, "invalid_input")
    assert "close-only" in failed.error.message
    assert failed.completed_at is not None
    [last] = (await services.monitoring.events(run.id))[-1:]
    assert (last.data["status"], last.data["error"]["code"]) == ("failed", "invalid_input")


async def test_a_source_that_cannot_be_read_keeps_nobody_else_waiting(services: ServiceFactory, tmp_path: Path) -> None:
    damaged, other = await submit(services, mine(data_source="damaged")), await submit(services, mine())
    directory = services.settings.lake_path / "bars/damaged/1d"
    directory.mkdir(parents=True)
    (directory / "manifest.json").write_text("{")
    await import_prices(services, tmp_path, bars=250)
    assert await admit(services) == 1
    assert (await get(services, other)).status == Status.QUEUED
    assert (await get(services, damaged)).status == Status.PENDING


# ---- the data does not come -------------------------------------------------------------------------------------


async def test_patience_comes_to_an_end(services: ServiceFactory) -> None:
    run, young = await submit(services, mine()), await submit(services, mine())
    await age(services, run, PATIENCE + 1)
    await age(services, young, PATIENCE - 100)
    assert await admit(services) == 0
    failed = await get(services, run)
    assert failed.error is not None
    assert (failed.status, failed.error.code) == (Status.FAILED, "data_missing")
    assert "mine" in failed.error.message
    assert failed.completed_at is not None
    assert (await get(services, young)).status == Status.PENDING
    assert await statuses(services, run.id) == ["pending", "failed"]


async def test_data_that_comes_at_the_last_moment_counts(services: ServiceFactory, tmp_path: Path) -> None:
    run = await submit(services, mine())
    await age(services, run, PATIENCE + 1)
    await import_prices(services, tmp_path, bars=250)
    assert await admit(services) == 1
    assert (await get(services, run)).status == Status.QUEUED


async def test_a_pending_run_is_cancelled_at_once_and_stays_so(services: ServiceFactory, tmp_path: Path) -> None:
    run = await submit(services, mine())
    assert (await services.orchestrator.cancel(run.id, OWNER)).status == Status.CANCELLED
    await import_prices(services, tmp_path, bars=250)
    assert await admit(services) == 0
    assert await statuses(services, run.id) == ["pending", "cancelled"]
    with pytest.raises(Conflict):
        await services.orchestrator.cancel(run.id, OWNER)


async def test_a_pending_run_that_is_deleted_does_not_come_back(services: ServiceFactory, tmp_path: Path) -> None:
    run = await submit(services, mine())
    await services.orchestrator.delete(run.id, OWNER)
    await import_prices(services, tmp_path, bars=250)
    assert await admit(services) == 0
    kept = await services.repository.get(Backtest, run.id)
    assert kept is not None
    assert kept.status == Status.CANCELLED


@pytest.mark.parametrize("how", ["cancelled", "out of patience"])
async def test_resumed_without_its_data_it_waits_for_it_again_and_as_long(
    services: ServiceFactory, tmp_path: Path, how: str
) -> None:
    run = await submit(services, mine())
    if how == "cancelled":
        await age(services, run, PATIENCE + 1)
        await services.orchestrator.cancel(run.id, OWNER)
    else:
        await age(services, run, PATIENCE + 1)
        await admit(services)
    resumed = await services.orchestrator.resume(run.id, OWNER)
    assert (resumed.status, resumed.error, resumed.completed_at) == (Status.PENDING, None, None)
    assert resumed.waiting_for == run.waiting_for
    assert await admit(services) == 0
    assert (await get(services, run)).status == Status.PENDING, "its patience begins anew"
    await import_prices(services, tmp_path, bars=250)
    assert await admit(services) == 1
    await services.runner(never).run_waiting()
    done = await get(services, run)
    assert done.status == Status.COMPLETED
    assert await messages(services, run.id) != []


async def test_a_cancel_that_comes_while_it_is_admitted_is_not_lost(
    services: ServiceFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await submit(services, mine())
    await import_prices(services, tmp_path, bars=250)
    weigh = services.orchestrator._admission.weighed

    async def cancel_meanwhile(*arguments: Any) -> dict[str, object]:
        await services.orchestrator.cancel(run.id, OWNER)
        return await weigh(*arguments)

    monkeypatch.setattr(services.orchestrator._admission, "weighed", cancel_meanwhile)
    assert await admit(services) == 0
    assert await statuses(services, run.id) == ["pending", "cancelled"]


async def test_a_priority_that_is_changed_while_it_is_admitted_is_not_lost(
    services: ServiceFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await submit(services, mine())
    await import_prices(services, tmp_path, bars=250)
    weigh = services.orchestrator._admission.weighed

    async def patch_meanwhile(*arguments: Any) -> dict[str, object]:
        await services.orchestrator.patch(run.id, OWNER, BacktestPatch(priority=Priority.HIGH))
        return await weigh(*arguments)

    monkeypatch.setattr(services.orchestrator._admission, "weighed", patch_meanwhile)
    await admit(services)
    monkeypatch.undo()
    await admit(services)
    queued = await get(services, run)
    assert (queued.status, queued.priority) == (Status.QUEUED, Priority.HIGH)
    assert queued.queue_key.startswith("0/")
