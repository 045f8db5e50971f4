"""The services as one process sees them: a real SQLite store, a real lake, a real Valkey, and no Celery worker."""

import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from checkpoint_support import AddsSlowly, Hoards, Runs
from lifecycle_support import PATIENCE, import_prices

from backproof.bootstrap import ServiceFactory
from backproof.engine.strategies import plugins
from backproof.local import valkey
from backproof.messaging.queue import BACKTEST_EXECUTION
from backproof.services.backtests import attempt as attempt_module
from backproof.services.backtests import runner as runner_module
from backproof.settings import Settings


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory = tmp_path_factory.mktemp("valkey")
    socket = directory / "s"
    process = subprocess.Popen(
        valkey.command(valkey.binary_path(), directory, socket), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while not valkey.answers(socket):
            assert process.poll() is None, "Valkey did not start"
        yield f"unix://{socket}?db=0"
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="session", autouse=True)
def _warm_engine() -> None:
    """As a worker's parent does: compiling in the middle of a run would starve its heartbeat."""
    from backproof.engine.warm import warm

    warm()


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No run is ended and no call given up because the machine stood still: a test of such a limit sets it itself."""
    for name in ("DEADLINE_GRACE", "CANCEL_GRACE", "CANCEL_GRACE_BEFORE"):
        monkeypatch.setattr(attempt_module, name, PATIENCE)
    monkeypatch.setattr(runner_module, "HAND_OVER_SECONDS", PATIENCE)
    for module in ("messaging.redis", "messaging.queue", "services.backtests.execution"):
        monkeypatch.setattr(f"backproof.{module}.CALL_SECONDS", PATIENCE)


@pytest.fixture
def settings(tmp_path: Path, redis_url: str) -> Settings:
    return Settings(data_dir=tmp_path / "data", redis_url=redis_url, worker_lease_seconds=PATIENCE)


@pytest.fixture
async def services(settings: Settings) -> AsyncIterator[ServiceFactory]:
    factory = await ServiceFactory.open(settings, PATIENCE)
    await factory._redis.delete(BACKTEST_EXECUTION)  # hints of other tests
    yield factory
    await factory.close()


@pytest.fixture
async def runs(services: ServiceFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runs:
    """On prices of 250 bars, with strategies of the tests and a worker that hears soon of what it was asked."""
    source = plugins.Source("tests = here", "tests", "1")
    found = tuple(plugins.Plugin(strategy, source, b"its code") for strategy in (AddsSlowly, Hoards))
    monkeypatch.setattr(plugins, "_loaded", plugins.Registry(plugins=found))
    monkeypatch.setattr(runner_module, "REPORT_SECONDS", 0.01)
    await import_prices(services, tmp_path, bars=250)
    return Runs(services, monkeypatch)


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few bars per chunk, and a checkpoint whenever the one before is written."""
    for name, value in (("FIRST_CHUNK_WORK", 1), ("FIRST_BARS_BY_HAND", 1), ("CHUNK_SECONDS", 0.0)):
        monkeypatch.setattr(attempt_module, name, value)
    monkeypatch.setenv("CHECKPOINT_SECONDS", "0")
    for name, value in (("CHECKPOINT_SHARE", float("inf")), ("KEEP_SECONDS", 0.0)):
        monkeypatch.setattr(attempt_module, name, value)


@pytest.fixture
def demo_config() -> dict[str, object]:
    return {
        "name": "SMA on Apple",
        "strategy_type": "sma_crossover",
        "parameters": {"fast": 20, "slow": 50},
        "symbols": ["AAPL"],
        "start_date": "2003-01-02",
        "end_date": "2012-12-31",
        "data_source": "demo",
        "benchmark": "SPX",
        "costs": {"commission_rate": 0.001},
        "tags": ["demo"],
    }
