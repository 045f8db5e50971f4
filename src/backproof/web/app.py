"""The web application: everything of `web` put together around one ServiceFactory."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.middleware import Middleware

from backproof import __version__
from backproof.bootstrap import ServiceFactory
from backproof.errors import BackproofError
from backproof.settings import Settings
from backproof.web import openapi, pages
from backproof.web.context import RequestContext
from backproof.web.errors import install_error_handlers
from backproof.web.opening import Opening
from backproof.web.routes import backtests, definitions, live, market_data, probes, results, rules, strategies, system
from backproof.web.security import KnownHosts


def create_app(
    settings: Settings,
    factory: ServiceFactory | None = None,
    *,
    warm: bool = True,
    refused: Callable[[BackproofError], None] | None = None,
) -> FastAPI:
    """The application. Without `factory` it opens its own services when it starts and closes them when it stops.

    warm: load in the background what the first requests need; not worth it for one that answers a few and ends
    refused: see Opening; with it, the application starts although a server is away
    Raises InvalidSettings when it is to listen where everybody could reach it.
    """
    settings.web_address()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        opening = app.state.opening = Opening(app, settings, factory, warm=warm, refused=refused)
        try:
            await opening.start()
            yield
        finally:
            await opening.stop()

    app = FastAPI(
        title="backproof",
        version=__version__,
        openapi_url=openapi.PATH,
        docs_url=None,  # the usual pages load scripts from elsewhere; /docs is our own
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        middleware=[Middleware(RequestContext), Middleware(KnownHosts, allowed=settings.web_allowed_hosts)],
    )
    app.state.settings = settings
    app.state.draining = False  # this process is about to stop
    app.state.services = app.state.hub = None  # until the store answers
    modules = (backtests, results, definitions, rules, strategies, probes, market_data, system, live, pages)
    for module in modules:
        app.include_router(module.router)
    install_error_handlers(
        app, [route for module in modules for route in module.router.routes if isinstance(route, APIRoute)]
    )
    app.router.default = pages.unknown_address(app.router.default)
    app.openapi = lambda: openapi.build(app)  # type: ignore[method-assign]
    return app
