"""Equity curves made once by other engines (make_golden.py), equal at every bar to nine digits.

AAPL, GOOG, IBM and MSFT, 2003 to 2008; GOOG lists in August 2004. README.md says which engine does what.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from harness import simulate_given

from backproof.engine.bars import Bars

HERE = Path(__file__).parent
CURVES = pq.read_table(HERE / "curves.parquet")
WEIGHTS = pq.read_table(HERE / "weights.parquet")

Config = dict[str, Any]


def crossover(symbol: str, fast: int, slow: int, commission: float, **config: Any) -> Config:
    """sma_crossover of one symbol at its level."""
    return {
        "strategy_type": "sma_crossover",
        "parameters": {"fast": fast, "slow": slow},
        "symbols": [symbol],
        "costs": {"commission_rate": commission},
        **config,
    }


def portfolio(strategy: str, symbols: list[str], parameters: Config | None = None, **config: Any) -> Config:
    return {"strategy_type": strategy, "symbols": symbols, "parameters": parameters or {}, **config}


THREE = ["AAPL", "IBM", "MSFT"]
LATE = ["GOOG", "IBM", "MSFT"]
FOUR = ["AAPL", "GOOG", "IBM", "MSFT"]
WHOLE = {"fractional_shares": False}
CLOSE = {"fill": "same_close"}
FEES = {"commission_fixed": 1.0, "commission_rate": 0.0002, "commission_per_share": 0.005, "commission_min": 5.0}
SMALL_FEES = {"commission_fixed": 2.0, "commission_rate": 0.0001, "commission_per_share": 0.002, "commission_min": 8.0}
SLIPPED = {"commission_rate": 0.0005, "slippage_bps": 20.0}
CROSS = {"parameters": {"fast": 10, "slow": 40, "signal": "cross"}}
NEXT_BAR = {"stops_active": "next_bar"}

# name: (configuration, the engines whose curves it must equal)
SCENARIOS: dict[str, tuple[Config, str]] = {
    # signals
    "sma_next_open": (
        crossover("AAPL", 20, 50, 0.0, costs={"commission_rate": 0.001, "slippage_bps": 5.0}),
        "backtrader vectorbt",
    ),
    "sma_commission": (crossover("AAPL", 20, 50, 0.001), "backtesting backtrader vectorbt"),
    "sma_whole_shares": (crossover("AAPL", 20, 50, 0.001, execution=WHOLE), "backtesting vectorbt"),
    "sma_half_of_equity": (
        crossover("AAPL", 20, 50, 0.001, execution={"sizing": {"type": "percent_equity", "value": 0.5}}),
        "backtesting vectorbt",
    ),
    "donchian_same_close": (
        {
            "strategy_type": "donchian_breakout",
            "parameters": {"entry": 20, "exit": 10},
            "symbols": ["IBM"],
            "costs": {"commission_rate": 0.002},
            "execution": CLOSE,
        },
        "bt vectorbt",
    ),
    "short_sma_next_close": (
        crossover("MSFT", 10, 30, 0.001, execution={"fill": "next_close", "direction": "short_only"}),
        "vectorbt",
    ),
    "short_sma_next_open": (
        crossover("MSFT", 10, 30, 0.001, execution={"direction": "short_only"}),
        "backtesting backtrader vectorbt",
    ),
    "sma_long_short": (
        crossover("IBM", 10, 40, 0.001, execution={"direction": "long_short"}),
        "backtesting backtrader vectorbt",
    ),
    "sma_long_short_slipped": (
        crossover(
            *("IBM", 10, 40, 0.0),
            execution={"direction": "long_short"},
            costs={"commission_rate": 0.0005, "slippage_bps": 10.0},
        ),
        "backtrader vectorbt",
    ),
    "ema_cross_long_short": (
        {
            "strategy_type": "ema_crossover",
            "parameters": {"fast": 8, "slow": 21, "signal": "cross"},
            "symbols": ["MSFT"],
            "costs": {"commission_rate": 0.0005},
            "execution": {"direction": "long_short"},
        },
        "backtesting vectorbt",
    ),
    "macd_same_close": (
        {"strategy_type": "macd", "symbols": ["AAPL"], "costs": {"commission_rate": 0.001}, "execution": CLOSE},
        "bt vectorbt",
    ),
    "rsi_next_open": (
        {
            "strategy_type": "rsi_mean_reversion",
            "parameters": {"period": 7, "oversold": 30.0, "overbought": 65.0},
            "symbols": ["MSFT"],
            "costs": {"commission_rate": 0.001},
        },
        "backtesting vectorbt",
    ),
    "rsi_long_short": (
        {
            "strategy_type": "rsi_mean_reversion",
            "parameters": {"period": 7, "oversold": 30.0, "overbought": 65.0},
            "symbols": ["MSFT"],
            "costs": {"commission_rate": 0.001},
            "execution": {"direction": "long_short"},
        },
        "backtesting vectorbt",
    ),
    "bollinger_next_open": (
        {"strategy_type": "bollinger", "symbols": ["IBM"], "costs": {"commission_rate": 0.001}},
        "backtrader vectorbt",
    ),
    "sma_leverage_two": (
        crossover(
            *("AAPL", 20, 50, 0.001),
            execution={**WHOLE, "max_leverage": 2.0, "sizing": {"type": "percent_equity", "value": 2.0}},
        ),
        "backtesting backtrader",
    ),
    # costs and sizes
    "fixed_fee_whole_shares": (
        crossover("IBM", 5, 20, 0.0, execution=WHOLE, costs={"commission_rate": 0.0005, "commission_fixed": 10.0}),
        "backtrader vectorbt",
    ),
    "per_share_fee": (
        crossover("IBM", 5, 20, 0.0, execution=WHOLE, costs={"commission_rate": 0.0005, "commission_per_share": 0.01}),
        "backtesting backtrader",
    ),
    "all_fees_fixed_shares": (
        crossover(
            *("IBM", 5, 20, 0.0),
            execution={"direction": "short_only", "sizing": {"type": "fixed_shares", "value": 150.0}},
            costs=FEES,
        ),
        "backtesting backtrader",
    ),
    "all_fees_whole_same_close": (
        crossover("IBM", 5, 20, 0.0, execution={**WHOLE, **CLOSE}, costs=SMALL_FEES),
        "bt",
    ),
    "fixed_cash_same_close": (
        crossover(
            *("MSFT", 5, 20, 0.0),
            execution={**CLOSE, "sizing": {"type": "fixed_cash", "value": 40_000.0}},
            costs=SMALL_FEES,
        ),
        "bt",
    ),
    # stops
    "stops_entry_bar": (
        crossover("AAPL", 10, 40, 0.001, risk={"stop_loss": 0.05, "take_profit": 0.12}),
        "backtesting backtrader",
    ),
    "stops_next_bar": (
        crossover("AAPL", 10, 40, 0.001, risk={"stop_loss": 0.04, "take_profit": 0.08, **NEXT_BAR}),
        "backtesting backtrader vectorbt",
    ),
    "stops_both_in_a_bar": (
        crossover("AAPL", 10, 40, 0.0001, risk={"stop_loss": 0.01, "take_profit": 0.01, **NEXT_BAR}),
        "backtesting backtrader",
    ),
    "stops_short": (
        crossover(
            *("MSFT", 10, 40, 0.001),
            execution={"direction": "short_only"},
            risk={"stop_loss": 0.03, "take_profit": 0.06, **NEXT_BAR},
        ),
        "backtesting backtrader vectorbt",
    ),
    "stops_long_short": (
        crossover(
            *("IBM", 5, 20, 0.0005),
            execution={"direction": "long_short"},
            risk={"stop_loss": 0.04, "take_profit": 0.08},
        ),
        "backtesting backtrader",
    ),
    "stops_same_close": (
        crossover("AAPL", 10, 40, 0.001, **CROSS, execution=CLOSE, risk={"stop_loss": 0.04, "take_profit": 0.08}),
        "vectorbt",
    ),
    "stop_slipped": (
        crossover("AAPL", 10, 40, 0.0, **CROSS, costs=SLIPPED, risk={"stop_loss": 0.03, **NEXT_BAR}),
        "backtrader vectorbt",
    ),
    "stop_slipped_entry_bar": (
        crossover("IBM", 5, 20, 0.0, execution={"direction": "long_short"}, costs=SLIPPED, risk={"stop_loss": 0.02}),
        "backtrader",
    ),
    "trailing_same_close": (
        crossover(
            *("AAPL", 10, 40, 0.0),
            **CROSS,
            execution=CLOSE,
            costs={"commission_rate": 0.001, "slippage_bps": 10.0},
            risk={"trailing_stop": 0.06},
        ),
        "vectorbt",
    ),
    "trailing_next_bar": (
        crossover("AAPL", 10, 40, 0.001, **CROSS, risk={"trailing_stop": 0.06, **NEXT_BAR}),
        "backtesting vectorbt",
    ),
    "trailing_short": (
        crossover(
            *("MSFT", 10, 40, 0.001),
            execution={"direction": "short_only"},
            risk={"trailing_stop": 0.05, **NEXT_BAR},
        ),
        "backtesting vectorbt",
    ),
    # portfolios
    "equal_weight_monthly": (portfolio("equal_weight", THREE, execution=CLOSE), "bt vectorbt"),
    "equal_weight_late_listing": (portfolio("equal_weight", LATE, execution=CLOSE), "bt vectorbt"),
    "equal_weight_weekly": (portfolio("equal_weight", THREE, {"rebalance": "weekly"}, execution=CLOSE), "bt vectorbt"),
    "equal_weight_costs": (
        portfolio(
            *("equal_weight", THREE, {"exposure": 0.9}),
            costs={"commission_rate": 0.001, "slippage_bps": 5.0},
        ),
        "vectorbt",
    ),
    "equal_weight_costs_weekly": (
        portfolio(
            *("equal_weight", LATE, {"exposure": 0.9, "rebalance": "weekly"}),
            execution={"fill": "next_close"},
            costs={"commission_rate": 0.001},
        ),
        "vectorbt",
    ),
    "momentum_monthly": (portfolio("momentum_top_n", FOUR, {"top": 2}, execution=CLOSE), "bt vectorbt"),
    "momentum_costs": (
        portfolio("momentum_top_n", FOUR, {"top": 2, "exposure": 0.9}, costs={"commission_rate": 0.001}),
        "vectorbt",
    ),
    "long_short_weights": (
        portfolio("scripted", THREE, execution={**CLOSE, "direction": "long_short"}),
        "bt vectorbt",
    ),
    "long_short_weights_costs": (
        portfolio(
            *("scripted", THREE),
            execution={"direction": "long_short"},
            costs={"commission_rate": 0.001, "slippage_bps": 5.0},
        ),
        "vectorbt",
    ),
    "buy_and_hold_whole_shares": (portfolio("buy_and_hold", THREE, execution={**CLOSE, **WHOLE}), "bt vectorbt"),
    "buy_and_hold_costs": (
        portfolio("buy_and_hold", ["IBM"], execution=WHOLE, costs={"commission_rate": 0.001}),
        "backtrader vectorbt",
    ),
    # prices as traded, borrow
    "raw_equal_weight": (
        portfolio("equal_weight", THREE, {"exposure": 0.9}, execution={**CLOSE, "price_mode": "raw"}),
        "bt",
    ),
    "raw_long_short_weights": (
        portfolio("scripted", THREE, execution={**CLOSE, "direction": "long_short", "price_mode": "raw"}),
        "bt",
    ),
    "raw_sma_whole_shares": (
        crossover("AAPL", 10, 40, 0.0, execution={**CLOSE, **WHOLE, "price_mode": "raw"}, costs=SMALL_FEES),
        "bt",
    ),
    "raw_sma_next_open": (
        crossover("MSFT", 10, 30, 0.001, execution={"direction": "long_short", "price_mode": "raw"}),
        "bt",
    ),
    "borrow": (
        portfolio("scripted", ["MSFT"], execution={**CLOSE, "direction": "short_only"}, costs={"borrow_rate": 0.06}),
        "bt",
    ),
}


def config_of(name: str, dates: list[str]) -> Config:
    """The scenario's configuration; `scripted` gets its weights, listed for every bar of the run."""
    config = {"name": name, **SCENARIOS[name][0]}
    if config["strategy_type"] == "scripted":
        weights: dict[str, list[float | None]] = {symbol: [None] * len(dates) for symbol in config["symbols"]}
        for row in WEIGHTS.filter(pc.field("scenario") == name).to_pylist():
            weights[row["symbol"]][dates.index(str(row["date"])[:10])] = row["weight"]
        config["parameters"] = {"weights": weights}
    return config


def curve_of(name: str, engine: str) -> pa.Table:
    return CURVES.filter((pc.field("scenario") == name) & (pc.field("engine") == engine))


@pytest.fixture(scope="module")
def bars() -> Bars:
    return Bars.from_frame(pq.read_table(HERE / "prices.parquet"))


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_equity_curve_is_the_other_engines(name: str, bars: Bars) -> None:
    engines = SCENARIOS[name][1].split()
    dates = [str(day) for day in curve_of(name, engines[0]).column("date").to_pylist()]
    result = simulate_given(config_of(name, dates), bars)
    assert [str(day) for day in result.dates] == dates
    assert len(dates) > 1450
    assert len(result.fills) > (0 if name.startswith("buy_and_hold") else 20)
    for engine in engines:
        expected = curve_of(name, engine).column("equity").to_numpy()
        np.testing.assert_allclose(result.equity, expected, rtol=1e-9, err_msg=engine)


def test_every_golden_curve_is_compared() -> None:
    made = {(row["scenario"], row["engine"]) for row in CURVES.select(["scenario", "engine"]).to_pylist()}
    assert made == {(name, engine) for name, (_, engines) in SCENARIOS.items() for engine in engines.split()}
