"""The HTTP server of a web process, and how it stops without anybody noticing.

On SIGTERM it says on /health/ready that it is unready and goes on serving for a while (WEB_DRAIN_SECONDS), so that a
proxy looks elsewhere first. Then it takes no more connections, closes WebSockets with 1012 (their clients go on in
another process, by `seq`), and lets requests end. A second signal skips the waiting.
"""

import asyncio
import contextlib
import socket
from types import FrameType

import structlog
import uvicorn
from fastapi import FastAPI

from backproof.settings import Settings
from backproof.telemetry.beats import Beat

log = structlog.get_logger(__name__)
SOCKET_MESSAGE_BYTES = 65_536  # clients send next to nothing over a WebSocket


class Server(uvicorn.Server):
    """grace_seconds: for requests that are under way when it stops."""

    def __init__(self, app: FastAPI, settings: Settings, listener: socket.socket, grace_seconds: int) -> None:
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=settings.log_level == "debug",
            server_header=False,
            proxy_headers=False,
            ws="websockets-sansio",
            ws_max_size=SOCKET_MESSAGE_BYTES,
            ws_per_message_deflate=False,
            timeout_graceful_shutdown=grace_seconds,
            lifespan="on",
        )
        super().__init__(config)
        self._app = app
        self._settings = settings
        self._listener = listener
        self._loop: asyncio.AbstractEventLoop | None = None

    def serve_until_stopped(self) -> bool:
        """Whether it could start."""
        self.run(sockets=[self._listener])
        return self.started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)

    async def main_loop(self) -> None:
        beat = Beat("web", self._settings.health_timeout_seconds, _url(self._listener))
        beating = asyncio.create_task(beat.keep())
        try:
            await super().main_loop()
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)
            beat.end()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - as uvicorn calls it
        """Begin to drain; the signal is not raised again at the end, as uvicorn would, since stopping is no failure."""
        again, self._app.state.draining = self._app.state.draining, True
        if self._loop is None or again or not self._settings.web_drain_seconds:
            self.should_exit = True
            return
        with contextlib.suppress(RuntimeError):  # a loop that is closed already
            self._loop.call_soon_threadsafe(self._loop.call_later, self._settings.web_drain_seconds, self._stop)

    def _stop(self) -> None:
        self.should_exit = True


def _url(listener: socket.socket) -> str:
    """Where this machine reaches it."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - bound by an operator's decision
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
