"""What the tests of the full metrics share: curves, trades and the call that measures them."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from hypothesis import HealthCheck, settings

from backproof.engine import metrics as headline
from backproof.engine.analysis import (
    full_metrics,
)

REL = 1e-9
GOLDEN = Path(__file__).parents[2] / "golden" / "curves.parquet"
QUICK = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=150)
NAT = np.datetime64("NaT")
TRADE = np.dtype(
    [
        ("symbol", "U4"),
        ("side", "U5"),
        ("entry_date", "M8[D]"),
        ("exit_date", "M8[D]"),
        ("shares", "f8"),
        ("profit", "f8"),
        ("return", "f8"),
        ("costs", "f8"),
        ("bars", "i8"),
        ("reason", "U10"),
        ("mae", "f8"),
        ("mfe", "f8"),
    ]
)
NO_TRADES = np.empty(0, dtype=TRADE)


def trade(profit: float, entry: str = "2024-01-02", exit_: str = "2024-01-05", **given: Any) -> np.void:
    made = np.zeros(1, dtype=TRADE)[0]
    values = {
        "symbol": "A",
        "side": "long",
        "reason": "signal",
        "return": profit / 1000.0,
        "mae": np.nan,
        "mfe": np.nan,
    }
    for name, value in {**values, "profit": profit, "entry_date": entry, "exit_date": exit_, **given}.items():
        made[name] = value
    return made


def trades_of(*rows: np.void) -> np.ndarray:
    return np.array(list(rows), dtype=TRADE)


def weekdays(count: int, start: str = "2020-01-01") -> np.ndarray:
    return np.busday_offset(start, np.arange(count), roll="forward")


def returns_of(equity: np.ndarray) -> np.ndarray:
    """As the engine: the bar after equity <= 0 has return 0."""
    before = equity[:-1]
    with np.errstate(all="ignore"):
        return np.where(before > 0.0, equity[1:] / np.where(before > 0.0, before, 1.0) - 1.0, 0.0)


def measure(
    equity: Any,
    capital: float = 100.0,
    *,
    gross: Any = None,
    dates: Any = None,
    trades: Any = NO_TRADES,
    rf: float = 0.0,
) -> tuple[headline.Metrics, dict[str, str]]:
    equity = np.asarray(equity, dtype=np.float64)
    return full_metrics(
        returns=returns_of(equity),
        equity=equity,
        capital=capital,
        gross=np.zeros(len(equity)) if gross is None else np.asarray(gross, dtype=np.float64),
        dates=weekdays(len(equity)) if dates is None else np.asarray(dates),
        risk_free=rf,
        trades=trades,
    )


def random_curve(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 100.0 * np.exp(np.cumsum(rng.standard_t(4, size=300 + 37 * seed) * 0.01))


def golden(scenario: str, engine: str) -> tuple[np.ndarray, np.ndarray]:
    """(dates, equity) of a curve that another engine made of real prices."""
    table = pq.read_table(GOLDEN, filters=[("scenario", "=", scenario), ("engine", "=", engine)])
    return table.column("date").to_numpy().astype("M8[D]"), table.column("equity").to_numpy()


REAL = [
    ("sma_next_open", "vectorbt"),
    ("sma_long_short", "backtrader"),
    ("sma_leverage_two", "backtesting"),
    ("momentum_monthly", "bt"),
    ("buy_and_hold_costs", "vectorbt"),
]
CURVES = {name: golden(name, engine)[1] for name, engine in REAL}
CURVES |= {f"random {seed}": random_curve(seed) for seed in range(6)}

EIGHT = [90.0, 95.0, 110.0, 99.0, 104.5, 110.0, 121.0, 60.5]
