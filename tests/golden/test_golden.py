"""Equity curves made once by other engines (make_golden.py), equal at every bar to nine digits.

AAPL, GOOG, IBM and MSFT, 2003 to 2008, adjusted by stored closes; GOOG lists in August 2004.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from backproof.engine.bars import Bars
from backproof.engine.simulation import simulate

HERE = Path(__file__).parent
CURVES = pq.read_table(HERE / "curves.parquet")

SCENARIOS: dict[str, dict[str, Any]] = {
    "sma_next_open": {
        "strategy_type": "sma_crossover",
        "parameters": {"fast": 20, "slow": 50},
        "symbols": ["AAPL"],
        "costs": {"commission_rate": 0.001, "slippage_bps": 5.0},
    },
    "donchian_same_close": {
        "strategy_type": "donchian_breakout",
        "parameters": {"entry": 20, "exit": 10},
        "symbols": ["IBM"],
        "costs": {"commission_rate": 0.002},
        "execution": {"fill": "same_close"},
    },
    "short_sma_next_close": {
        "strategy_type": "sma_crossover",
        "parameters": {"fast": 10, "slow": 30},
        "symbols": ["MSFT"],
        "costs": {"commission_rate": 0.001},
        "execution": {"fill": "next_close", "direction": "short_only"},
    },
    "sma_whole_shares": {
        "strategy_type": "sma_crossover",
        "parameters": {"fast": 20, "slow": 50},
        "symbols": ["AAPL"],
        "start_date": "2003-03-17",  # where the other engine starts to decide
        "costs": {"commission_rate": 0.001},
        "execution": {"fractional_shares": False},
    },
    "equal_weight_monthly": {
        "strategy_type": "equal_weight",
        "symbols": ["AAPL", "IBM", "MSFT"],
        "execution": {"fill": "same_close"},
    },
    "equal_weight_late_listing": {
        "strategy_type": "equal_weight",
        "symbols": ["GOOG", "IBM", "MSFT"],
        "execution": {"fill": "same_close"},
    },
}


@pytest.fixture(scope="module")
def bars() -> Bars:
    return Bars.from_frame(pq.read_table(HERE / "prices.parquet"))


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_equity_curve_is_the_other_engines(name: str, bars: Bars) -> None:
    result = simulate({"name": name, **SCENARIOS[name]}, bars)
    curves = CURVES.slice(CURVES.num_rows - len(result.dates))
    expected = curves.column(name).to_numpy()
    assert [str(day) for day in result.dates] == [str(day) for day in curves.column("date").to_pylist()]
    np.testing.assert_allclose(result.equity, expected, rtol=1e-9)
    assert len(result.fills) > 20
    assert len(result.dates) > 1450


def test_every_golden_curve_is_compared() -> None:
    assert set(CURVES.column_names) == {"date", *SCENARIOS}
