"""Load everything a simulation needs, so that a forked worker starts at once."""


def warm() -> None:
    """Compile or load every kernel and TA-Lib, and run once (in the parent, before it forks)."""
    import numpy as np

    from backproof.engine.bars import Bars
    from backproof.engine.frames import Series
    from backproof.engine.grid import simulate_grid
    from backproof.engine.simulation import simulate

    dates = np.datetime64("2024-01-01") + np.arange(8)
    prices = np.array([1.0, 2.0, 3.0, 4.0, 3.0, 2.0, 1.0, 2.0])
    series = [
        Series(symbol, dates, prices, prices, prices, prices, np.ones(8), None, close_only=False)
        for symbol in ("A", "B")
    ]
    bars = Bars(series)
    run = {"name": "warm", "strategy_type": "sma_crossover", "symbols": ["A", "B"], "benchmark": "A"}
    simulate_grid({**run, "parameters": {"fast": 1, "signal": "cross"}}, bars, {"slow": [2]})
    for strategy, parameters in (("sma_crossover", {"fast": 1, "slow": 2}), ("equal_weight", {"rebalance": "daily"})):
        _ = simulate({**run, "strategy_type": strategy, "parameters": parameters}, bars).trades
