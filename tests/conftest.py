"""For every test: nobody's settings and nobody's data but the test's own."""

import os
import tempfile
from collections.abc import Iterator

import pytest

SETTINGS = (
    *("DATA_DIR", "REDIS_URL", "WEB_HOST", "WEB_PORT", "MAX_CONCURRENT_BACKTESTS", "MAX_BACKTEST_DURATION"),
    *("BACKTEST_QUEUE_MAX_SIZE", "LOG_LEVEL", "LOG_FORMAT", "DEFAULT_DATA_SOURCE", "WS_HEARTBEAT_INTERVAL"),
    *("REMAP_SIGTERM", "BACKPROOF_PARENT_PID", "MAX_BACKTEST_MEMORY_MB"),
)


@pytest.fixture(scope="session", autouse=True)
def _own_settings() -> Iterator[None]:
    kept = {name: os.environ.pop(name) for name in SETTINGS if name in os.environ}
    with tempfile.TemporaryDirectory(prefix="backproof-test-") as directory:
        os.environ["DATA_DIR"] = directory  # what forgets to name its own directory must not find the user's
        yield
    del os.environ["DATA_DIR"]
    os.environ.update(kept)
