"""/api/v1/backtests/{id}/…: what happened to a run and what it computed."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from backproof.domain.backtest import Backtest
from backproof.domain.events import EventType
from backproof.errors import Conflict
from backproof.services.backtests.exports import MEDIA_TYPES
from backproof.services.backtests.models import Page
from backproof.web import cursors
from backproof.web.bodies import StrictRoute
from backproof.web.dependencies import Run, Services
from backproof.web.openapi import problems
from backproof.web.schemas.charts import ChartsIn, ChartsOut, ExportIn
from backproof.web.schemas.common import In, NoticeOut, PageOut
from backproof.web.schemas.results import (
    LEVELS,
    AccountEventOut,
    DrawdownOut,
    EquityOut,
    EventOut,
    EventsIn,
    EventsOut,
    ExecutionOut,
    ExecutionsOut,
    FillOut,
    IntermediateOut,
    LogOut,
    LogsIn,
    LogsOut,
    ManifestOut,
    MetricsIn,
    MetricsOut,
    RowsIn,
    TradeOut,
)

router = APIRouter(prefix="/api/v1/backtests/{backtest_id}", tags=["backtests"], route_class=StrictRoute)
_SCAN = 500


@router.get(
    "/events",
    operation_id="list_backtest_events",
    summary="What happened to a backtest",
    response_model=EventsOut,
    responses=problems(404),
)
async def events(asked: Annotated[EventsIn, Query()], run: Run, services: Services) -> EventsOut:
    """The same kept events that the WebSocket sends, in order."""
    types = tuple(EventType(kind) for kind in asked.type) or None
    found = await services.monitoring.events(run.id, asked.after, asked.limit + 1, types)
    items = found[: asked.limit]
    return EventsOut(
        items=[EventOut.model_validate(event) for event in items],
        next_after=items[-1].seq if items else asked.after,
        more=len(found) > asked.limit,
    )


@router.get(
    "/logs",
    operation_id="list_backtest_logs",
    summary="Log of a backtest",
    response_model=LogsOut,
    responses=problems(404),
)
async def logs(asked: Annotated[LogsIn, Query()], run: Run, services: Services) -> LogsOut:
    """Lines at least as serious as `level`, in order."""
    wanted = LEVELS[LEVELS.index(asked.level) :]
    items: list[LogOut] = []
    after, more = asked.after, True
    while more and len(items) <= asked.limit:
        found = await services.monitoring.events(run.id, after, _SCAN, (EventType.LOG,))
        items += [LogOut.of(event) for event in found if event.data.get("level") in wanted]
        more = len(found) == _SCAN
        after = found[-1].seq if found else after
    if len(items) > asked.limit:
        items, more = items[: asked.limit], True
        after = items[-1].seq
    return LogsOut(items=items, next_after=after, more=more)


@router.get(
    "/executions",
    operation_id="list_backtest_executions",
    summary="Attempts at a backtest",
    response_model=ExecutionsOut,
    responses=problems(404),
)
async def executions(run: Run, services: Services) -> ExecutionsOut:
    """Which worker took it when, and how that ended."""
    return ExecutionsOut(items=[ExecutionOut.of(found) for found in await services.orchestrator.executions(run)])


@router.get(
    "/intermediate",
    operation_id="get_backtest_intermediate",
    summary="What a backtest has computed so far",
    response_model=IntermediateOut,
    responses=problems(404, 409),
)
async def intermediate(run: Run, services: Services) -> IntermediateOut:
    """Curve, positions and counts of a running backtest, or of one that ended without a result. 409: there are none."""
    found = await services.monitoring.latest(run.id)
    if found is None:
        raise Conflict(f"backtest {run.id} is {run.status} and has no intermediate results", status=str(run.status))
    return IntermediateOut.model_validate({"backtest_id": run.id, **found})


class EquityIn(In):
    max_points: Annotated[
        int | None, Query(ge=2, le=100_000, description="At most so many bars; without it, every bar.")
    ] = None


@router.get(
    "/equity",
    operation_id="get_backtest_equity",
    summary="Equity curve of a backtest",
    response_model=EquityOut,
    responses=problems(404, 409, 507),
)
async def equity(asked: Annotated[EquityIn, Query()], run: Run, services: Services) -> EquityOut:
    """Equity, cash, drawdown and benchmark by bar. 409 while there is no result."""
    return EquityOut.of(run, await services.results.equity(run, asked.max_points))


@router.get(
    "/trades",
    operation_id="list_backtest_trades",
    summary="Round trips of a backtest",
    response_model=PageOut[TradeOut],
    responses=problems(404, 409, 507),
)
async def trades(asked: Annotated[RowsIn, Query()], run: Run, services: Services) -> Any:
    """From flat to flat, in the order they closed; then the ones still open, marked `open`. 409 without a result."""
    return await _page("trades", services.results.trades, run, asked)


@router.get(
    "/fills",
    operation_id="list_backtest_fills",
    summary="Fills of a backtest",
    response_model=PageOut[FillOut],
    responses=problems(404, 409, 507),
)
async def fills(asked: Annotated[RowsIn, Query()], run: Run, services: Services) -> Any:
    """Every execution, in order. 409 without a result."""
    return await _page("fills", services.results.fills, run, asked)


@router.get(
    "/account-events",
    operation_id="list_backtest_account_events",
    summary="Splits, dividends and borrow of a backtest",
    response_model=PageOut[AccountEventOut],
    responses=problems(404, 409, 507),
)
async def account_events(asked: Annotated[RowsIn, Query()], run: Run, services: Services) -> Any:
    """What changed the account and was no fill, in order; splits and dividends with raw prices. 409 without a result.

    What happened to the run itself is under `events`.
    """
    return await _page("account-events", services.results.account_events, run, asked)


@router.get(
    "/metrics",
    operation_id="get_backtest_metrics",
    summary="Metrics of a backtest",
    response_model=MetricsOut,
    responses=problems(404, 409, 507),
)
async def metrics(asked: Annotated[MetricsIn, Query()], run: Run, services: Services) -> MetricsOut:
    """Headline metrics, those against the benchmark, and what to know before trusting them. 409 without a result."""
    headline = _computed(run, run.metrics)
    full = await services.results.full_metrics(run) if asked.full else None
    return MetricsOut(
        backtest_id=run.id,
        partial=run.partial,
        metrics=headline,
        null_reasons=run.null_reasons,
        benchmark_metrics=run.benchmark_metrics,
        costs=run.trading.costs if run.trading else None,
        notices=[NoticeOut.model_validate(notice) for notice in run.notices],
        full_metrics=full.metrics if full else None,
        full_null_reasons=full.null_reasons if full else None,
        drawdowns=[DrawdownOut(**row) for row in full.drawdowns] if full else None,
    )


@router.get(
    "/charts",
    operation_id="get_backtest_charts",
    summary="Returns of a backtest by month, rolling figures, and how the returns spread",
    response_model=ChartsOut,
    responses=problems(404, 409, 507),
)
async def charts(asked: Annotated[ChartsIn, Query()], run: Run, services: Services) -> ChartsOut:
    """Of every bar, whatever number of points is asked for. 409 without a result."""
    return ChartsOut.of(run, await services.results.charts(run, asked.max_points))


_ROWS_SCHEMA = {"type": "array", "items": {"type": "object"}}
_FILES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file.",
        "content": {
            kind.partition(";")[0]: {"schema": _ROWS_SCHEMA if form == "json" else {"type": "string"}}
            for form, kind in MEDIA_TYPES.items()
        },
    }
}


@router.get(
    "/export",
    operation_id="export_backtest",
    summary="A table of a backtest as a file",
    response_class=StreamingResponse,
    responses={**problems(404, 409, 507), **_FILES},
)
async def export(asked: Annotated[ExportIn, Query()], run: Run, services: Services) -> StreamingResponse:
    """Every row of equity, fills, trades or account events as CSV, JSON or Parquet. 409 without a result."""
    pieces = await services.results.export(run, asked.table, asked.format)
    name = f"{run.id}-{asked.table}.{asked.format}"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(pieces, media_type=MEDIA_TYPES[asked.format], headers=headers)


@router.get(
    "/manifest",
    operation_id="get_backtest_manifest",
    summary="What a result was made from",
    response_model=ManifestOut,
    responses=problems(404, 409),
)
async def manifest(run: Run) -> ManifestOut:
    """Configuration, data, strategy code, engine and their hashes: enough to repeat the run. 409 without a result."""
    return ManifestOut.model_validate(_computed(run, run.manifest))


def _computed(run: Backtest, value: dict[str, Any] | None) -> dict[str, Any]:
    if value is None:
        raise Conflict(f"backtest {run.id} is {run.status} and has no result", status=str(run.status))
    return value


async def _page(
    name: str, read: Callable[[Backtest, int, int], Awaitable[Page[dict[str, Any]]]], run: Backtest, asked: RowsIn
) -> dict[str, Any]:
    """name: of the list, which its cursors belong to."""
    question = {"list": name, "run": run.id}
    page = await read(run, asked.limit, int(cursors.decode(asked.cursor, question) or 0))
    return {"items": page.items, "next_cursor": cursors.encode(page.next_cursor, question), "total": page.total}
