"""The API inside this process, for commands that only read while no server runs. No port, no queue, no worker."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
from pydantic import SecretStr

from backproof.cli.api import Api

if TYPE_CHECKING:
    from backproof.settings import Settings

T = TypeVar("T")
NO_REDIS = "unix:///nonexistent/backproof.sock?db=0"


@contextmanager
def offline_api(settings: "Settings") -> Iterator[Api]:
    """The same routes over the same store; whatever needs the queue says that it is away."""
    from backproof.telemetry.logs import configure_logging
    from backproof.web.app import create_app

    configure_logging("error", settings.log_format)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="offline-api", daemon=True)
    thread.start()

    def run(work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, loop).result()

    app = create_app(settings.model_copy(update={"redis_url": settings.redis_url or SecretStr(NO_REDIS)}), warm=False)
    lifespan = app.router.lifespan_context(app)
    run(lifespan.__aenter__())
    try:
        api = Api("http://127.0.0.1", _Transport(httpx.ASGITransport(app), run))
        yield api
        api.close()
    finally:
        run(lifespan.__aexit__(None, None, None))
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5.0)


class _Transport(httpx.BaseTransport):
    """A synchronous face of the in-process application."""

    def __init__(self, inner: httpx.ASGITransport, run: Any) -> None:
        self._inner = inner
        self._run = run

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        async def send() -> httpx.Response:
            response = await self._inner.handle_async_request(request)
            content = await response.aread()
            return httpx.Response(response.status_code, headers=response.headers, content=content)

        response: httpx.Response = self._run(send())
        return response
