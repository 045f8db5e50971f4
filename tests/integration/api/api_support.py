"""Parts of the API tests that are no fixtures."""

import asyncio
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI

from backproof.local import valkey

BASE = "http://127.0.0.1:8000"
Json = dict[str, Any]


def never(reason: str) -> None:
    raise AssertionError(f"the worker would have ended its process: {reason}")


class Redis:
    """A Valkey of our own that tests may stop and start."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.socket = directory / "s"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.socket}?db=0"

    def start(self) -> None:
        command = valkey.command(valkey.binary_path(), self._directory, self.socket)
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not valkey.answers(self.socket):
            assert self._process.poll() is None, "Valkey did not start"

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@asynccontextmanager
async def running(app: FastAPI) -> AsyncIterator[FastAPI]:
    async with app.router.lifespan_context(app):
        yield app


class Server:
    """The application behind uvicorn on a port of its own, as `backproof web` serves it."""

    def __init__(self, app: FastAPI) -> None:
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self.app = app
        self.host = f"127.0.0.1:{self._listener.getsockname()[1]}"
        config = uvicorn.Config(
            app, log_config=None, lifespan="off", ws="websockets-sansio", ws_per_message_deflate=False, access_log=False
        )
        self._server = uvicorn.Server(config)

    async def __aenter__(self) -> "Server":
        self._task = asyncio.create_task(self._server.serve([self._listener]))
        while not self._server.started:  # noqa: ASYNC110
            await asyncio.sleep(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.should_exit = True
        await self._task
        self._listener.close()

    def socket_url(self, run_id: str, query: str = "") -> str:
        return f"ws://{self.host}/ws/backtest/{run_id}{query}"
