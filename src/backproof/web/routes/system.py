"""The service about itself: version and queue under /api/v1, health and metrics at the root."""

import asyncio
import platform
from functools import cache
from importlib import metadata
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from backproof import __version__
from backproof.bootstrap import ServiceFactory
from backproof.domain.lifecycle import CLAIMED, Status
from backproof.errors import BrokerUnavailable, StoreUnavailable
from backproof.services.backtests.monitoring import MonitoringService
from backproof.web.bodies import StrictRoute
from backproof.web.dependencies import Owner, Services
from backproof.web.openapi import problems
from backproof.web.opening import Opening
from backproof.web.realtime import Hub
from backproof.web.schemas.system import (
    ActivityIn,
    ActivityOut,
    HourOut,
    LimitOut,
    LimitsOut,
    LimitUnit,
    LiveOut,
    QueueOut,
    ReadyOut,
    RunningOut,
    VersionOut,
    WorkerOut,
    WorkersOut,
)

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
    responses={
        **problems(),
        503: {"model": ReadyOut, "description": "The store is away, or this web process is about to stop."},
    },
)
async def ready(request: Request, response: Response) -> ReadyOut:
    """200 as long as backtests are accepted; 503 without the store, and from a process that is about to stop."""
    services: ServiceFactory | None = request.app.state.services
    opening: Opening = request.app.state.opening
    hub: Hub | None = request.app.state.hub
    store: str | None
    if services is None:
        store, workers = opening.reason, await _workers(opening)
    else:
        store, workers = await asyncio.gather(_store(services), _workers(services.monitoring))
    reasons = [text for text in (store, workers if isinstance(workers, str) else None) if text]
    count = 0 if isinstance(workers, str) else workers
    if not isinstance(workers, str) and count == 0:
        reasons.append("no worker can take work")
    draining: bool = request.app.state.draining
    if draining:
        reasons.append("this web process is about to stop")
    if store is not None or draining:
        response.status_code = 503
    return ReadyOut(
        status="unavailable" if store or draining else "degraded" if reasons else "ready",
        store="unavailable" if store else "ok",
        broker="unavailable" if isinstance(workers, str) else "ok",
        workers=count,
        live_updates="ok" if hub is not None and hub.connected else "unavailable",
        reasons=reasons,
    )


LIMITS: tuple[tuple[str, LimitUnit], ...] = (
    ("max_concurrent_backtests", "backtests"),
    ("max_concurrent_backtests_per_user", "backtests"),
    ("backtest_queue_max_size", "backtests"),
    ("backtest_queue_max_per_user", "backtests"),
    ("max_backtest_duration", "seconds"),
    ("max_backtest_memory_mb", "megabytes"),
    ("pending_patience_seconds", "seconds"),
    ("ws_max_connections_per_backtest", "connections"),
    ("max_request_bytes", "bytes"),
    ("checkpoint_retention_days", "days"),
    ("log_retention_days", "days"),
    ("bin_retention_hours", "hours"),
)
LIBRARIES = ("numpy", "numba", "TA-Lib", "pyarrow", "duckdb", "fastapi", "celery", "redis")


@router.get(
    "/api/v1/system/version",
    operation_id="get_version",
    summary="What runs here",
    response_model=VersionOut,
    responses=problems(),
)
async def version() -> VersionOut:
    semantics, libraries = await asyncio.to_thread(_built_from)
    return VersionOut(
        version=__version__, engine_semantics=semantics, python=platform.python_version(), libraries=dict(libraries)
    )


@cache
def _built_from() -> tuple[int, tuple[tuple[str, str], ...]]:
    from backproof.engine.fingerprint import ENGINE_SEMANTICS  # late: it needs numpy

    return ENGINE_SEMANTICS, tuple((name, metadata.version(name)) for name in LIBRARIES)


@router.get(
    "/api/v1/system/limits",
    operation_id="list_limits",
    summary="What the service allows",
    response_model=LimitsOut,
    responses=problems(),
)
async def limits(services: Services) -> LimitsOut:
    """Limits and the times for which things are kept, with the names of their settings."""
    values = services.settings.model_dump(include={name for name, _ in LIMITS})
    return LimitsOut(items=[LimitOut(setting=name.upper(), value=values[name], unit=unit) for name, unit in LIMITS])


@router.get(
    "/api/v1/system/activity",
    operation_id="get_activity",
    summary="Backtests that ended, by hour",
    response_model=ActivityOut,
    responses=problems(),
)
async def activity(asked: Annotated[ActivityIn, Query()], services: Services) -> ActivityOut:
    counted = await services.monitoring.ended_by_hour(asked.hours)
    return ActivityOut(
        items=[
            HourOut(
                hour=hour,
                completed=counts.get(Status.COMPLETED, 0),
                failed=counts.get(Status.FAILED, 0),
                cancelled=counts.get(Status.CANCELLED, 0),
            )
            for hour, counts in counted
        ]
    )


@router.get(
    "/api/v1/system/queue",
    operation_id="get_queue",
    summary="How much work waits and runs",
    response_model=QueueOut,
    responses=problems(),
)
async def queue(services: Services) -> QueueOut:
    counts = await services.monitoring.counts()
    workers = await _workers(services.monitoring)
    return QueueOut(
        queued=counts.get(Status.QUEUED, 0),
        pending=counts.get(Status.PENDING, 0),
        running=sum(counts.get(status, 0) for status in CLAIMED),
        limit=services.settings.backtest_queue_max_size,
        max_concurrent=services.settings.max_concurrent_backtests,
        workers=workers if isinstance(workers, int) else None,
        by_status={str(status): counts.get(status, 0) for status in Status},
    )


@router.get(
    "/api/v1/system/workers",
    operation_id="list_workers",
    summary="Who can work, and what is being worked on",
    response_model=WorkersOut,
    responses=problems(),
)
async def workers(services: Services, owner: Owner) -> WorkersOut:
    running = [
        RunningOut(
            backtest_id=run.id,
            name=run.name,
            worker=run.worker.name if run.worker else "",
            attempt=run.attempt,
            progress=run.progress.percent,
            started_at=run.started_at,
        )
        for run in await services.monitoring.running()
        if run.owner_id == owner
    ]
    try:
        present = [WorkerOut.of(worker) for worker in await services.monitoring.workers()]
    except BrokerUnavailable:
        return WorkersOut(workers=None, running=running)
    return WorkersOut(workers=present, running=running)


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
    from backproof.web.metrics import BUCKETS, exposition

    hub: Hub = request.app.state.hub
    times = await services.monitoring.execution_times(BUCKETS)
    text = exposition(await services.monitoring.counts(), times, await _workers(services.monitoring), hub)
    return Response(text, headers={"content-type": METRICS_MEDIA_TYPE})


async def _store(services: ServiceFactory) -> str | None:
    try:
        await services.monitoring.ping_store()
    except StoreUnavailable as error:
        return error.message
    return None


async def _workers(source: MonitoringService | Opening) -> int | str:
    """How many, or why nobody knows."""
    try:
        return len(await source.workers())
    except BrokerUnavailable as error:
        return error.message
