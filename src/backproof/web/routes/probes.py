"""/api/v1/strategies/probe: does a strategy know what it cannot know?"""

from typing import Annotated

from fastapi import APIRouter, Body

from backproof.web.bodies import StrictRoute
from backproof.web.dependencies import Services
from backproof.web.examples import SUBMIT_EXAMPLES
from backproof.web.openapi import body_problems
from backproof.web.schemas.backtests import BacktestIn
from backproof.web.schemas.probes import ProbesOut

router = APIRouter(prefix="/api/v1/strategies", tags=["strategies"], route_class=StrictRoute)


@router.post(
    "/probe",
    operation_id="probe_strategy",
    summary="Look for look-ahead and amnesia",
    response_model=ProbesOut,
    responses=body_problems(404, 429),
)
async def probe(
    body: Annotated[BacktestIn, Body(openapi_examples=SUBMIT_EXAMPLES)],
    services: Services,
) -> ProbesOut:
    """Probe the strategy of a backtest on its own bars, at once and without keeping anything.

    Prices after some bars are cut off, replaced by noise and reversed, with all dates kept: no decision before them may
    change. Then history before the run is taken away. The answer takes a few seconds, at most a minute.
    """
    report = await services.probes.probe(body.model_dump(mode="json", exclude_unset=True))
    return ProbesOut.model_validate(report)
