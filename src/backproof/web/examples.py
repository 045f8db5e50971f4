"""Bodies shown in the OpenAPI document; a test submits each of them."""

from typing import Any

SUBMIT_EXAMPLES: dict[str, Any] = {
    "crossover": {
        "summary": "Moving averages on one stock, with costs and a benchmark",
        "value": {
            "name": "SMA 20/50 on Apple",
            "strategy_type": "sma_crossover",
            "parameters": {"fast": 20, "slow": 50},
            "symbols": ["AAPL"],
            "start_date": "2003-01-02",
            "end_date": "2012-12-31",
            "data_source": "demo",
            "benchmark": "SPX",
            "initial_capital": 100000,
            "costs": {"commission_rate": 0.001, "slippage_bps": 5},
            "tags": ["demo"],
        },
    },
    "portfolio": {
        "summary": "A portfolio of five, rebalanced",
        "value": {
            "name": "Equal weight",
            "strategy_type": "equal_weight",
            "symbols": ["AAPL", "FB", "GOOG", "IBM", "MSFT"],
            "data_source": "demo",
        },
    },
    "long_short": {
        "summary": "Long and short with stops, borrow costs and a margin call",
        "value": {
            "name": "MACD, long and short",
            "strategy_type": "macd",
            "symbols": ["AAPL", "IBM"],
            "start_date": "2003-01-02",
            "end_date": "2012-12-31",
            "data_source": "demo",
            "execution": {"direction": "long_short", "maintenance_margin": 0.25},
            "costs": {"commission_rate": 0.0005, "slippage_bps": 2, "borrow_rate": 0.03},
            "risk": {"stop_loss": 0.08, "trailing_stop": 0.15, "take_profit": 0.5},
        },
    },
    "raw": {
        "summary": "Prices as traded: splits and dividends as events, dividends reinvested",
        "value": {
            "name": "IBM with its dividends",
            "strategy_type": "buy_and_hold",
            "symbols": ["IBM"],
            "data_source": "demo",
            "benchmark": "SPX",
            "execution": {"price_mode": "raw", "dividends": "reinvest", "fractional_shares": False},
        },
    },
}
PATCH_EXAMPLES: dict[str, Any] = {
    "label": {"summary": "Star it and say why", "value": {"starred": True, "notes": "Holds up out of sample."}},
    "rename": {"summary": "Rename and tag", "value": {"name": "SMA 20/50, final", "tags": ["paper"]}},
}
BULK_EXAMPLES: dict[str, Any] = {
    "tag": {
        "summary": "Tag two of them",
        "value": {"action": "change", "ids": ["bt-4f0k2m9q7xza", "bt-4f0k2m9q7xzb"], "add_tags": ["review"]},
    },
    "delete": {"summary": "Into the bin", "value": {"action": "delete", "ids": ["bt-4f0k2m9q7xza"]}},
}
