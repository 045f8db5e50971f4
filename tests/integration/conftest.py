"""One real stack for all tests that only use it, and a way to run the command line beside it."""

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from stacks import COMMAND, LocalStack, environment, started


@pytest.fixture(scope="session", autouse=True)
def _stores(stores: None) -> None:
    """In server mode everything here uses them."""


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """The stack that most tests share: use it, do not break it."""
    with started(tmp_path_factory.mktemp("stack") / "data") as running:
        yield running


@pytest.fixture(scope="session")
def long_prices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A price file, and beside it (`.yaml`) a backtest on it that takes some seconds: many symbols, traded daily."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path_factory.mktemp("long") / "long.parquet"
    symbols, days = [f"L{i:03d}" for i in range(600)], 2500
    dates = np.arange(np.datetime64("2000-01-03"), np.datetime64("2000-01-03") + days)
    steps = np.random.default_rng(1).normal(0.0, 0.01, (len(symbols), days))
    table = pa.table(
        {
            "symbol": np.repeat(symbols, days),
            "date": pa.array(np.tile(dates, len(symbols)).astype("datetime64[D]")),
            "close": 100.0 * np.exp(np.cumsum(steps, axis=1)).ravel(),
        }
    )
    pq.write_table(table, path)
    config = {
        "name": "a long one",
        # simulates for most of its time, where one that rebalances spends it on saving what it did
        "strategy_type": "dollar_cost_averaging",
        "parameters": {"rebalance": "daily", "instalments": days},
        "initial_capital": 500_000_000,
        "symbols": symbols,
        "data_source": "long",
        "execution": {"fill": "next_close", "fractional_shares": False},
        "costs": {"commission_rate": 0.0001},
    }
    path.with_suffix(".yaml").write_text(json.dumps(config))  # JSON is YAML
    return path


Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Run `backproof …` to its end, in an empty directory."""

    def run(
        *arguments: str, data_dir: Path | None = None, timeout: float = 60.0, more: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        given = (*COMMAND, *arguments, *(("--data-dir", str(data_dir)) if data_dir else ()))
        return subprocess.run(
            given,
            check=False,
            capture_output=True,
            text=True,
            timeout=timeout,
            env=environment(data_dir, **(more or {})),
            cwd=tmp_path,
        )

    return run
