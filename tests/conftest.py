"""For every test: nobody's settings and nobody's data but the test's own."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

import servers
from mongo_servers import Missing

SETTINGS = (
    *("DATA_DIR", "REDIS_URL", "WEB_HOST", "WEB_PORT", "MAX_CONCURRENT_BACKTESTS", "MAX_BACKTEST_DURATION"),
    *("WEB_ALLOWED_HOSTS", "WEB_DRAIN_SECONDS", "WORKER_DRAIN_SECONDS", "WORKER_CONCURRENCY", "HEALTH_TIMEOUT_SECONDS"),
    *("BACKTEST_QUEUE_MAX_SIZE", "LOG_LEVEL", "LOG_FORMAT", "DEFAULT_DATA_SOURCE", "WS_HEARTBEAT_INTERVAL"),
    *("MONGODB_URL", "REMAP_SIGTERM", "BACKPROOF_PARENT_PID", "MAX_BACKTEST_MEMORY_MB", "STORAGE_URL"),
    *("STORAGE_CACHE_MB", "AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"),
)


# the same examples in every ordinary run (see property/examples.py), and none fails because it took long
settings.register_profile(
    "ordinary", deadline=None, derandomize=not int(os.environ.get("PROPERTY_EXAMPLES", "0")), database=None
)
settings.load_profile("ordinary")


def pytest_configure(config: pytest.Config) -> None:
    """In server mode every test may be the one in which a socket is collected that PyMongo forgot when connecting."""
    if servers.wanted():
        config.addinivalue_line("filterwarnings", "ignore:unclosed <socket:ResourceWarning")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Browser tests are a step of their own: what drives the browser keeps a running event loop in the main thread."""
    if collection_path == Path(__file__).parent / "e2e":
        return not any("e2e" in Path(argument.partition("::")[0]).parts for argument in config.args)
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of only one size (see servers): marked, and left out in the other one with that reason."""
    in_servers = servers.wanted()
    for item in items:
        local, many = item.get_closest_marker("local_stack"), item.get_closest_marker("servers")
        if in_servers and local is not None:
            item.add_marker(pytest.mark.skip(reason=f"only on the local stack: {local.args[0]}"))
        if not in_servers and many is not None:
            item.add_marker(pytest.mark.skip(reason="for several servers: BACKPROOF_TEST_SERVERS=1"))


@pytest.fixture(scope="session")
def stores(_own_settings: None) -> Iterator[None]:
    """In server mode the stores that outlive every stack."""
    if not servers.wanted():
        yield
        return
    try:
        with servers.stores():
            yield
    except Missing as why:
        servers.missing(why)


@pytest.fixture(scope="session", autouse=True)
def _own_settings() -> Iterator[None]:
    kept = {name: os.environ.pop(name) for name in SETTINGS if name in os.environ}
    with tempfile.TemporaryDirectory(prefix="backproof-test-") as directory:
        os.environ["DATA_DIR"] = directory  # what forgets to name its own directory must not find the user's
        yield
    del os.environ["DATA_DIR"]
    os.environ.update(kept)
