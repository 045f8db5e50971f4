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
}
PATCH_EXAMPLES: dict[str, Any] = {
    "label": {"summary": "Star it and say why", "value": {"starred": True, "notes": "Holds up out of sample."}},
    "rename": {"summary": "Rename and tag", "value": {"name": "SMA 20/50, final", "tags": ["paper"]}},
}
