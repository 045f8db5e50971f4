"""Parts of the API tests that are no fixtures."""

import asyncio
import socket
import subprocess
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

import uvicorn
from fastapi import FastAPI

import servers
from backproof.local import valkey
from backproof.settings import Settings
from servers.broker import RedisServer

BASE = "http://127.0.0.1:8000"
Json = dict[str, Any]
T = TypeVar("T")


def settings_of(data_dir: Path, redis_url: str, **more: Any) -> Settings:
    """Of a service whose data lies there, or in server mode where a service with this directory keeps it."""
    places = {name.lower(): value for name, value in places_of(data_dir).items()}
    return Settings(data_dir=data_dir, redis_url=redis_url, **places, **more)


def places_of(data_dir: Path) -> dict[str, str]:
    """The same as variables."""
    return servers.settings_for(data_dir) if servers.wanted() else {}


def broker(directory: Path) -> "Redis":
    return RedisServer(directory) if servers.wanted() else Valkey(directory)


async def eventually(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until the condition holds."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


def never(reason: str) -> None:
    raise AssertionError(f"the worker would have ended its process: {reason}")


class Valkey:
    """One of our own that tests may stop and start."""

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


Redis = Valkey | RedisServer


@asynccontextmanager
async def running(app: FastAPI) -> AsyncIterator[FastAPI]:
    async with app.router.lifespan_context(app):
        yield app


class _Uvicorn(uvicorn.Server):
    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        """Signals are the test run's."""
        return nullcontext()


class Server:
    """The application behind uvicorn on a port of its own, as `backproof web` serves it."""

    def __init__(self, app: FastAPI) -> None:
        # with the protocol named, or asyncio leaves Nagle on and every answer waits 40 ms for an acknowledgement
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self.app = app
        self.host = f"127.0.0.1:{self._listener.getsockname()[1]}"
        config = uvicorn.Config(
            app,
            log_config=None,
            lifespan="off",
            ws="websockets-sansio",
            ws_per_message_deflate=False,
            access_log=False,
            timeout_graceful_shutdown=2,
        )
        self._server = _Uvicorn(config)

    async def __aenter__(self) -> "Server":
        self._task = asyncio.create_task(self._server.serve([self._listener]))
        while not self._server.started:
            await asyncio.sleep(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.should_exit = True
        await self._task
        self._listener.close()

    def socket_url(self, run_id: str, query: str = "") -> str:
        return f"ws://{self.host}/ws/backtest/{run_id}{query}"


class ThreadServer:
    """A server on a thread, for clients that block. The application opens and closes its own services there."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._up = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))

    async def _serve(self) -> None:
        async with running(self._app), Server(self._app) as server:
            self.url = f"http://{server.host}"
            self._up.set()
            await self._stop.wait()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something on the server's own loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def __enter__(self) -> "ThreadServer":
        self._thread.start()
        assert self._up.wait(60), "the server did not start"
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop.close()
