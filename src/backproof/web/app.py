"""The web application: everything of `web` put together around one ServiceFactory."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.middleware import Middleware

from backproof import __version__
from backproof.bootstrap import ServiceFactory
from backproof.engine.strategies import all_strategies
from backproof.settings import Settings
from backproof.web import openapi, pages
from backproof.web.context import RequestContext
from backproof.web.errors import install_error_handlers
from backproof.web.realtime import Hub
from backproof.web.routes import backtests, definitions, live, market_data, probes, results, rules, strategies, system
from backproof.web.security import LocalOnly, require_loopback

log = structlog.get_logger(__name__)


async def _warm(services: ServiceFactory) -> None:
    # a daemon: a plug-in whose import never ends keeps nobody from stopping
    threading.Thread(target=all_strategies, name="plug-ins", daemon=True).start()
    await services.datasets.warm()


def create_app(settings: Settings, factory: ServiceFactory | None = None, *, warm: bool = True) -> FastAPI:
    """The application. Without `factory` it opens its own services when it starts and closes them when it stops.

    warm: load in the background what the first requests need; not worth it for one that answers a few and ends
    Raises InvalidSettings when it is to listen on anything but loopback.
    """
    require_loopback(settings.web_host)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        services = factory or await ServiceFactory.open(settings)
        app.state.services = services
        app.state.hub = Hub(services.monitoring, settings.ws_max_connections_per_backtest)
        reading = asyncio.create_task(app.state.hub.run(), name="hub")
        warming = asyncio.create_task(_warm(services), name="warm") if warm else None
        try:
            yield
        finally:
            while not reading.done():  # a cancel that meets redis-py while it connects is swallowed there
                reading.cancel()
                await asyncio.wait((reading,), timeout=0.1)
            if warming is not None:
                await asyncio.wait((warming,))
                if (error := warming.exception()) is not None:
                    log.warning("not_warmed", reason=str(error))
            if factory is None:
                await services.close()

    app = FastAPI(
        title="backproof",
        version=__version__,
        openapi_url=openapi.PATH,
        docs_url=None,  # the usual pages load scripts from elsewhere; /docs is our own
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        middleware=[Middleware(RequestContext), Middleware(LocalOnly)],
    )
    app.state.settings = settings
    modules = (backtests, results, definitions, rules, strategies, probes, market_data, system, live, pages)
    for module in modules:
        app.include_router(module.router)
    install_error_handlers(
        app, [route for module in modules for route in module.router.routes if isinstance(route, APIRoute)]
    )
    app.openapi = lambda: openapi.build(app)  # type: ignore[method-assign]
    return app
