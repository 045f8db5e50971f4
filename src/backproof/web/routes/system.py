"""The service about itself: version and queue under /api/v1, health and metrics at the root."""

import asyncio
import platform

from fastapi import APIRouter, Request, Response

from backproof import __version__
from backproof.bootstrap import ServiceFactory
from backproof.domain.lifecycle import CLAIMED, Status
from backproof.errors import BrokerUnavailable, StoreUnavailable
from backproof.web.bodies import StrictRoute
from backproof.web.dependencies import Services
from backproof.web.openapi import problems
from backproof.web.realtime import Hub
from backproof.web.schemas.system import LiveOut, QueueOut, ReadyOut, VersionOut

router = APIRouter(tags=["system"], route_class=StrictRoute)
METRICS_MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@router.get(
    "/health/live",
    operation_id="health_live",
    summary="Whether the process answers",
    response_model=LiveOut,
    responses=problems(),
)
async def live() -> LiveOut:
    return LiveOut()


@router.get(
    "/health/ready",
    operation_id="health_ready",
    summary="Whether backtests can be accepted and run",
    response_model=ReadyOut,
    responses={**problems(), 503: {"model": ReadyOut, "description": "The store is away: nothing is accepted."}},
)
async def ready(request: Request, response: Response, services: Services) -> ReadyOut:
    """200 as long as backtests are accepted, 503 without the store."""
    store, workers = await asyncio.gather(_store(services), _workers(services))
    hub: Hub = request.app.state.hub
    reasons = [text for text in (store, workers if isinstance(workers, str) else None) if text]
    count = 0 if isinstance(workers, str) else workers
    if not isinstance(workers, str) and count == 0:
        reasons.append("no worker can take work")
    if store is not None:
        response.status_code = 503
    return ReadyOut(
        status="unavailable" if store else "degraded" if reasons else "ready",
        store="unavailable" if store else "ok",
        broker="unavailable" if isinstance(workers, str) else "ok",
        workers=count,
        live_updates="ok" if hub.connected else "unavailable",
        reasons=reasons,
    )


@router.get(
    "/api/v1/system/version",
    operation_id="get_version",
    summary="What runs here",
    response_model=VersionOut,
    responses=problems(),
)
async def version() -> VersionOut:
    return VersionOut(version=__version__, python=platform.python_version())


@router.get(
    "/api/v1/system/queue",
    operation_id="get_queue",
    summary="How much work waits and runs",
    response_model=QueueOut,
    responses=problems(),
)
async def queue(services: Services) -> QueueOut:
    counts = await services.monitoring.counts()
    workers = await _workers(services)
    return QueueOut(
        queued=counts.get(Status.QUEUED, 0),
        running=sum(counts.get(status, 0) for status in CLAIMED),
        limit=services.settings.backtest_queue_max_size,
        max_concurrent=services.settings.max_concurrent_backtests,
        workers=workers if isinstance(workers, int) else None,
        by_status={str(status): counts.get(status, 0) for status in Status},
    )


@router.get(
    "/metrics",
    operation_id="get_prometheus_metrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={
        **problems(),
        200: {"description": "Text format 0.0.4", "content": {METRICS_MEDIA_TYPE: {"schema": {"type": "string"}}}},
    },
)
async def metrics(request: Request, services: Services) -> Response:
    """Taken from the store when asked for, so they are right after any crash."""
    from backproof.web.metrics import exposition

    hub: Hub = request.app.state.hub
    text = exposition(await services.monitoring.counts(), await _workers(services), hub)
    return Response(text, headers={"content-type": METRICS_MEDIA_TYPE})


async def _store(services: ServiceFactory) -> str | None:
    try:
        await services.monitoring.ping_store()
    except StoreUnavailable as error:
        return error.message
    return None


async def _workers(services: ServiceFactory) -> int | str:
    """How many, or why nobody knows."""
    try:
        return len(await services.monitoring.workers())
    except BrokerUnavailable as error:
        return error.message
