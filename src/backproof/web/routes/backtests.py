"""/api/v1/backtests: submit, find, read, change, end."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Header, Query, Response, status

from backproof.bootstrap import ServiceFactory
from backproof.domain.backtest import Backtest
from backproof.services.backtests import bulk
from backproof.web import cursors
from backproof.web.bodies import StrictRoute
from backproof.web.dependencies import Owner, Run, RunId, Services
from backproof.web.errors import SUBMIT
from backproof.web.examples import BULK_EXAMPLES, PATCH_EXAMPLES, SUBMIT_EXAMPLES
from backproof.web.openapi import body_problems, problems
from backproof.web.schemas.backtests import (
    BacktestIn,
    BacktestListIn,
    BacktestOut,
    BacktestPatchIn,
    BacktestSummaryOut,
    BulkIn,
    BulkOut,
    FacetIn,
    FacetOut,
    OutcomeOut,
    RerunQueryIn,
    StatusOut,
    SubmitQueryIn,
    SubmittedOut,
    ValidationOut,
    summary_of,
)
from backproof.web.schemas.common import PageOut

router = APIRouter(prefix="/api/v1/backtests", tags=["backtests"], route_class=StrictRoute)

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
        description="Repeating a request with the same key and body answers with the same backtest.",
    ),
]


@router.post(
    "",
    operation_id=SUBMIT,
    summary="Submit a backtest",
    response_model=SubmittedOut,
    response_description="Saved; it runs as soon as a worker is free.",
    responses=body_problems(429),
)
async def submit(
    body: Annotated[BacktestIn, Body(openapi_examples=SUBMIT_EXAMPLES)],
    asked: Annotated[SubmitQueryIn, Query()],
    services: Services,
    owner: Owner,
    idempotency_key: IdempotencyKey = None,
) -> SubmittedOut:
    """Check everything, save the backtest as queued and tell the workers; an identical one is completed at once."""
    given = body.model_dump(mode="json", exclude_unset=True)
    return await _submitted(
        await services.orchestrator.submit(given, owner, idempotency_key, asked.options()), services
    )


@router.post(
    "/validate",
    operation_id="validate_backtest",
    summary="Check a backtest without running it",
    response_model=ValidationOut,
    responses=body_problems(),
)
async def validate(
    body: Annotated[
        dict[str, Any],
        Body(openapi_examples=SUBMIT_EXAMPLES, description="What would be submitted; any JSON object is answered."),
    ],
    services: Services,
    owner: Owner,
) -> Any:
    """Every error at once (as the answer, not as a problem), the data that is there, an estimate of time and place."""
    return await services.orchestrator.validate(body, owner)


@router.get(
    "",
    operation_id="list_backtests",
    summary="Find backtests",
    response_model=PageOut[BacktestSummaryOut],
    responses=problems(),
)
async def find(asked: Annotated[BacktestListIn, Query()], services: Services, owner: Owner) -> Any:
    """All filters must hold."""
    question = {**asked.question(), "owner": owner}
    page = await services.orchestrator.find(asked.query(cursors.decode(asked.cursor, question)), owner)
    return PageOut[BacktestSummaryOut](
        items=[summary_of(run) for run in page.items],
        next_cursor=cursors.encode(page.next_cursor, question),
        total=page.total,
    )


@router.get(
    "/facets",
    operation_id="count_backtests",
    summary="Count backtests by what they have",
    response_model=FacetOut,
    responses=problems(),
)
async def facets(asked: Annotated[FacetIn, Query()], services: Services, owner: Owner) -> FacetOut:
    """What there is to filter by: statuses, strategies, tags or symbols. Those in the bin do not count."""
    return FacetOut.of(await services.orchestrator.facet(asked.by, owner))


@router.post(
    "/bulk",
    operation_id="change_backtests",
    summary="Do one thing to many backtests",
    response_model=BulkOut,
    response_description="What became of each; a refused one keeps the others from nothing.",
    responses=body_problems(),
)
async def change_many(
    body: Annotated[BulkIn, Body(openapi_examples=BULK_EXAMPLES)], services: Services, owner: Owner
) -> BulkOut:
    """`change` adds or removes tags, stars, or sets the priority; the others do what their single routes do."""
    ids = tuple(dict.fromkeys(body.ids))
    outcomes = await bulk.apply(services.orchestrator, owner, ids, body.action, body.patch())
    return BulkOut(items=[OutcomeOut.of(outcome) for outcome in outcomes])


@router.get(
    "/{backtest_id}",
    operation_id="get_backtest",
    summary="Read a backtest",
    response_model=BacktestOut,
    responses=problems(404),
)
async def read(run: Run) -> BacktestOut:
    """Everything but the series, which have their own addresses."""
    return BacktestOut.of(run)


@router.patch(
    "/{backtest_id}",
    operation_id="update_backtest",
    summary="Change name, tags, notes or star",
    response_model=BacktestOut,
    responses=body_problems(404),
)
async def change(
    body: Annotated[BacktestPatchIn, Body(openapi_examples=PATCH_EXAMPLES)], id: RunId, services: Services, owner: Owner
) -> BacktestOut:
    """Possible at any time; what is left out stays as it is."""
    return BacktestOut.of(await services.orchestrator.patch(id, owner, body.patch()))


@router.delete(
    "/{backtest_id}",
    operation_id="delete_backtest",
    summary="Delete a backtest",
    status_code=status.HTTP_204_NO_CONTENT,
    response_class=Response,
    responses=problems(404, 409),
)
async def delete(id: RunId, services: Services, owner: Owner) -> None:
    """A waiting one is cancelled first; a running one is refused (409). For a day it can be restored."""
    await services.orchestrator.delete(id, owner)


@router.post(
    "/{backtest_id}/restore",
    operation_id="restore_backtest",
    summary="Restore a deleted backtest",
    response_model=BacktestOut,
    responses=problems(404, 409),
)
async def restore(id: RunId, services: Services, owner: Owner) -> BacktestOut:
    """Undo its deletion, which is possible for a day (BIN_RETENTION_HOURS)."""
    return BacktestOut.of(await services.orchestrator.restore(id, owner))


@router.get(
    "/{backtest_id}/status",
    operation_id="get_backtest_status",
    summary="Where a backtest stands",
    response_model=StatusOut,
    responses=problems(404),
)
async def read_status(run: Run, services: Services) -> StatusOut:
    return StatusOut.of(await services.monitoring.status(run))


@router.post(
    "/{backtest_id}/cancel",
    operation_id="cancel_backtest",
    summary="Cancel a backtest",
    response_model=StatusOut,
    responses=problems(404, 409),
)
async def cancel(id: RunId, services: Services, owner: Owner) -> StatusOut:
    """A waiting one ends at once; a running one becomes `cancelling` and keeps what it has computed."""
    run = await services.orchestrator.cancel(id, owner)
    return StatusOut.of(await services.monitoring.status(run))


@router.post(
    "/{backtest_id}/resume",
    operation_id="resume_backtest",
    summary="Resume a backtest",
    response_model=StatusOut,
    responses=problems(404, 409, 429),
)
async def resume(id: RunId, services: Services, owner: Owner) -> StatusOut:
    """A cancelled or failed one waits for a worker again and goes on from its checkpoint, to the same bits."""
    run = await services.orchestrator.resume(id, owner)
    return StatusOut.of(await services.monitoring.status(run))


@router.post(
    "/{backtest_id}/rerun",
    operation_id="rerun_backtest",
    summary="Run a backtest again",
    response_model=SubmittedOut,
    responses=problems(404, 422, 429),
)
async def rerun(id: RunId, asked: Annotated[RerunQueryIn, Query()], services: Services, owner: Owner) -> SubmittedOut:
    """A new backtest of the same description on the data as it is now; computed, unless `use_cache` is set."""
    return await _submitted(await services.orchestrator.rerun(id, owner, asked.options()), services)


async def _submitted(run: Backtest, services: ServiceFactory) -> SubmittedOut:
    view = await services.monitoring.status(run)
    return SubmittedOut(
        backtest_id=run.id,
        status=run.status,
        estimated_duration=run.estimated_seconds,
        queue_position=view.queue_position,
        eta_seconds=view.eta_seconds,
        cached_from=run.cached_from,
    )
