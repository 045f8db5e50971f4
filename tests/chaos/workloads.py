"""What is run: backtests of about a second on prices made for them, and one of some milliseconds on the demo prices."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chaos.world import World

SYMBOLS = [f"S{i:03d}" for i in range(150)]
BARS = 4000
FEW_SYMBOLS = SYMBOLS[:50]
LONG: dict[str, Any] = {
    "strategy_type": "equal_weight",
    "parameters": {"rebalance": "daily", "start": "first_bar"},
    "symbols": SYMBOLS,
    "data_source": "chaos",
    "costs": {"commission_rate": 0.0005, "slippage_bps": 2.0},
}
OFTEN = {"CHECKPOINT_SECONDS": "0.2"}  # so that the long one has some however fast the machine is
KINDS: dict[str, dict[str, Any]] = {
    "long": LONG,  # one to three seconds, most of which a large result takes
    "slow": {  # about as long, most of which it simulates
        **LONG,
        "strategy_type": "dollar_cost_averaging",
        "parameters": {"rebalance": "daily", "instalments": BARS},
        "execution": {"fractional_shares": False},
        "initial_capital": 50_000_000,
    },
    "middle": {**LONG, "symbols": FEW_SYMBOLS},  # about half a second
    "short": {
        "strategy_type": "sma_crossover",
        "parameters": {"fast": 20, "slow": 50},
        "symbols": ["AAPL"],
        "start_date": "2003-01-02",
        "end_date": "2012-12-31",
        "data_source": "demo",
        "costs": {"commission_rate": 0.001},
    },
}


def config(kind: str, name: str) -> dict[str, Any]:
    return {**KINDS[kind], "name": name}


def import_prices(world: "World") -> None:
    """Write the prices and import them; the stack may run or not."""
    path = world.directory / "chaos.parquet"
    if not path.exists():
        write_prices(path)
    world.command("import", str(path), "--dataset", "chaos")


def write_prices(path: Path, bars: int = BARS) -> None:
    """Of SYMBOLS, as a Parquet file; the same every time."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(7)
    days = np.arange(np.datetime64("2000-01-03"), np.datetime64("2020-01-01"), dtype="datetime64[D]")
    days = days[np.is_busday(days)][:bars]
    close = 50 * np.exp(np.cumsum(rng.normal(0.0002, 0.015, (len(SYMBOLS), bars)), axis=1))
    open_ = close * np.exp(rng.normal(0, 0.003, close.shape))
    table = pa.table(
        {
            "symbol": np.repeat(SYMBOLS, bars),
            "date": np.tile(days, len(SYMBOLS)),
            "open": open_.ravel(),
            "high": (np.maximum(open_, close) * 1.005).ravel(),
            "low": (np.minimum(open_, close) * 0.995).ravel(),
            "close": close.ravel(),
            "volume": np.full(close.size, 1e6),
        }
    )
    pq.write_table(table, path)


def hashes(world: "World", run_id: str) -> dict[str, str]:
    """What must be equal in every run of the same backtest, whatever happened to it."""
    run = world.store.run(run_id)
    assert run is not None
    assert run["status"] == "completed", json.dumps(run["error"])
    return hashes_of(run)


def hashes_of(run: dict[str, Any]) -> dict[str, str]:
    manifest = run["manifest"] or {}
    return {
        "equity_hash": str(manifest.get("equity_hash")),
        "fills_hash": str(manifest.get("fills_hash")),
        "fingerprint": str(run["fingerprint"]),
    }
