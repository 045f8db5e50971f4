"""/api/v1/metrics: what the metrics mean."""

from fastapi import APIRouter

from backproof.services.backtests.definitions import definitions
from backproof.web.bodies import StrictRoute
from backproof.web.openapi import problems
from backproof.web.schemas.common import PageOut
from backproof.web.schemas.results import MetricDefinitionOut

router = APIRouter(prefix="/api/v1/metrics", tags=["metrics"], route_class=StrictRoute)


@router.get(
    "/definitions",
    operation_id="list_metric_definitions",
    summary="What the metrics mean",
    response_model=PageOut[MetricDefinitionOut],
    responses=problems(),
)
async def find() -> PageOut[MetricDefinitionOut]:
    """Every metric of a backtest with its group, its unit and its definition, in the order of a table."""
    items = [MetricDefinitionOut.model_validate(metric) for metric in definitions()]
    return PageOut[MetricDefinitionOut](items=items, next_cursor=None, total=len(items))
