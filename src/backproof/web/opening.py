"""Services of a web process whose store may be away when it starts: until they are there, every call that needs them
is answered with 503. Machines boot in any order."""

import asyncio
import contextlib
import resource
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import structlog
from fastapi import FastAPI

from backproof.bootstrap import ServiceFactory, patiently, verified
from backproof.engine.strategies import all_strategies
from backproof.errors import BackproofError, BrokerRefused, InvalidSettings, StoreRefused, StoreUnavailable
from backproof.messaging.line import CALL_SECONDS, Line
from backproof.messaging.redis import Presence, connect
from backproof.settings import Settings
from backproof.web.realtime import Hub

log = structlog.get_logger(__name__)
MOST_DESCRIPTORS = 65_536
FATAL = (StoreRefused, InvalidSettings)  # waiting would not help


def room_for_sockets() -> int:
    """How many WebSockets this process can hold without running out of file descriptors, of which it takes all it may.

    Otherwise viewers could use up what requests need, and the supervisor would end a process that does not answer.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_DESCRIPTORS if hard < 0 else min(hard, MOST_DESCRIPTORS)  # negative: no limit
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(16, soft - max(200, soft // 10))


class Opening:
    """Sets `services` and `hub` of the application's state, which are None until then.

    refused: told what has to be put right before this process can work. Without it, for an application that answers a
             few requests and ends, `start` raises whatever keeps the store from being opened.
    """

    def __init__(
        self,
        app: FastAPI,
        settings: Settings,
        factory: ServiceFactory | None,
        *,
        warm: bool,
        refused: Callable[[BackproofError], None] | None,
    ) -> None:
        self._app = app
        self._settings = settings
        self._factory = factory
        self._warm = warm
        self._refused = refused
        self._tasks: list[asyncio.Task[None]] = []
        self._warming: asyncio.Task[None] | None = None
        self._stopping = False
        self._reason = "the metadata store is being opened"

    async def start(self) -> None:
        """Open the services, or go on trying in the background."""
        if self._factory is not None:
            self._begin(self._factory)
            return
        if self._refused is not None:
            self._do(self._verify_broker(), "verifying")
        try:
            services = await ServiceFactory.open(self._settings, CALL_SECONDS)
        except FATAL as error:
            self._refuse(error)
        except StoreUnavailable as error:
            if self._refused is None:
                raise
            self._reason = error.message
            self._do(self._open_later(), "opening")
        else:
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=CALL_SECONDS)
            if self._stopping:
                await services.close()
            else:
                self._begin(services)

    async def stop(self) -> None:
        while pending := [task for task in self._tasks if not task.done()]:
            for task in pending:  # a cancel that meets redis-py while it connects is swallowed there
                task.cancel()
            await asyncio.wait(pending, timeout=0.1)
        if self._warming is not None:
            await asyncio.wait((self._warming,))
            if (error := self._warming.exception()) is not None:
                log.warning("not_warmed", reason=str(error))
        services: ServiceFactory | None = self._app.state.services
        if self._factory is None and services is not None:
            await services.close()

    @property
    def reason(self) -> str:
        """Why there are no services yet."""
        return self._reason

    async def workers(self) -> list[dict[str, str | int]]:
        """Those that can take work, asked without the services. Raises BrokerUnavailable."""
        client = connect(self._settings.redis, 1)
        try:
            return await Presence(client, Line()).workers()
        finally:
            await client.aclose()

    def _begin(self, services: ServiceFactory) -> None:
        settings, state = self._settings, self._app.state
        sockets = min(settings.ws_max_connections, room_for_sockets())
        state.hub = Hub(services.monitoring, settings.ws_max_connections_per_backtest, sockets)
        state.services = services
        self._do(state.hub.run(), "hub")
        self._do(state.hub.tell_places(), "places")
        if self._warm:
            self._warming = asyncio.create_task(_warm(services), name="warm")

    async def _open_later(self) -> None:
        def waiting(reason: str) -> None:
            self._reason = reason

        try:
            self._begin(await patiently(lambda: ServiceFactory.open(self._settings, CALL_SECONDS), waiting=waiting))
        except FATAL as error:
            self._refuse(error)

    async def _verify_broker(self) -> None:
        try:
            await verified(self._settings.redis)
        except BrokerRefused as error:
            self._refuse(error)

    def _refuse(self, error: BackproofError) -> None:
        if self._refused is None:
            raise error
        self._reason, self._stopping = error.message, True
        self._refused(error)

    def _do(self, work: Coroutine[Any, Any, None], name: str) -> None:
        self._tasks.append(asyncio.create_task(work, name=name))


async def _warm(services: ServiceFactory) -> None:
    # a daemon: a plug-in whose import never ends keeps nobody from stopping
    threading.Thread(target=all_strategies, name="plug-ins", daemon=True).start()
    await services.datasets.warm()
