"""What tests of housekeeping share: runs of some age, and what is left of one."""

import datetime as dt

from lifecycle_support import OWNER, mine, never

from backproof.bootstrap import ServiceFactory
from backproof.domain.backtest import Backtest, Execution, Intermediate
from backproof.domain.documents import Change, Document, Where, eq, utc_now
from backproof.domain.events import RunEvent
from backproof.services.backtests.admission import SubmitOptions

COMPUTED = SubmitOptions(use_cache=False)


async def submit(services: ServiceFactory) -> str:
    return (await services.orchestrator.submit(mine(), OWNER, options=COMPUTED)).id


async def completed(services: ServiceFactory, count: int = 1) -> list[str]:
    ids = [await submit(services) for _ in range(count)]
    await services.runner(never).run_waiting()
    return ids


async def binned(services: ServiceFactory, run_id: str, ago: dt.timedelta) -> None:
    await services.orchestrator.delete(run_id, OWNER)
    await services.repository.update(Backtest, run_id, (), Change(set={"deleted_at": utc_now() - ago}))


async def older(services: ServiceFactory, run_id: str, days: float) -> None:
    """As if all of it had happened so long ago."""
    back = dt.timedelta(days=days)
    run = await services.repository.get(Backtest, run_id)
    assert run is not None
    moved = {"created_at": run.created_at - back}
    if run.completed_at is not None:
        moved["completed_at"] = run.completed_at - back
    await services.repository.update(Backtest, run_id, (), Change(set=dict(moved)))
    for event in await services.repository.find(RunEvent, (eq("run_id", run_id),), limit=1000):
        await services.repository.update(RunEvent, event.id, (), Change(set={"timestamp": event.timestamp - back}))


def intermediate(run_id: str) -> Intermediate:
    return Intermediate(
        id=run_id,
        fence=1,
        saved_at=utc_now(),
        bars_done=1,
        total_bars=2,
        fills=0,
        trades=0,
        points=(),
        positions=(),
        position_count=0,
    )


async def traces(services: ServiceFactory, run_id: str) -> list[str]:
    """Where something of the run is still found."""
    found = []
    owned: list[tuple[type[Document], Where]] = [
        (Backtest, (eq("id", run_id),)),
        (RunEvent, (eq("run_id", run_id),)),
        (Execution, (eq("run_id", run_id),)),
        (Intermediate, (eq("id", run_id),)),
    ]
    for model, where in owned:
        if await services.repository.count(model, where):
            found.append(model.collection)
    return found + (["files"] if run_id in services.lake.run_ids() else [])


ALL = ["backtests", "backtest_logs", "backtest_executions", "backtest_intermediates", "files"]
