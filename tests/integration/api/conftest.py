"""The application over a real store, lake and Valkey. A worker's part is done by the real runner, in this process."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from api_support import BASE, Json, Redis, Server, broker, never, running, settings_of
from fastapi import FastAPI

from backproof.bootstrap import ServiceFactory
from backproof.settings import Settings
from backproof.web.app import create_app


@pytest.fixture(scope="session")
def shared_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    redis = broker(tmp_path_factory.mktemp("valkey"))
    redis.start()
    yield redis
    redis.stop()


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[Redis]:
    directory = tmp_path / "v"
    directory.mkdir()
    redis = broker(directory)
    redis.start()
    yield redis
    redis.stop()


@pytest.fixture
def settings(tmp_path: Path, shared_redis: Redis) -> Settings:
    return settings_of(tmp_path / "data", shared_redis.url)


@pytest.fixture
async def services(settings: Settings) -> AsyncIterator[ServiceFactory]:
    factory = await ServiceFactory.open(settings)
    yield factory
    await factory.close()


@pytest.fixture
async def app(settings: Settings, services: ServiceFactory) -> AsyncIterator[FastAPI]:
    async with running(create_app(settings, services)) as app:
        yield app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as client:
        yield client


@pytest.fixture
def demo() -> Json:
    return {
        "name": "SMA on Apple",
        "strategy_type": "sma_crossover",
        "parameters": {"fast": 20, "slow": 50},
        "symbols": ["AAPL"],
        "start_date": "2003-01-02",
        "end_date": "2006-12-29",
        "data_source": "demo",
        "benchmark": "SPX",
        "costs": {"commission_rate": 0.001},
        "tags": ["demo"],
    }


Finish = Callable[..., Awaitable[str]]


@pytest.fixture(scope="session")
def kernels() -> None:
    """Compiled before a run's heartbeat has to get a word in."""
    from backproof.engine.warm import warm

    warm()


@pytest.fixture
def finish(kernels: None, client: httpx.AsyncClient, services: ServiceFactory, demo: Json) -> Finish:
    """Submit the demo with changes, run it to its end, and give its id."""

    async def submit_and_run(**changes: Any) -> str:
        answer = await client.post("/api/v1/backtests", json={**demo, **changes})
        assert answer.status_code == 200, answer.text
        await services.runner(never).run_waiting()
        return str(answer.json()["backtest_id"])

    return submit_and_run


@pytest.fixture
async def server(app: FastAPI) -> AsyncIterator[Server]:
    async with Server(app) as server:
        yield server
