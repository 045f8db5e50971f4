"""What a plug-in's tests can look like: small prices by hand, random ones for the probes."""

import numpy as np
import pytest
from backproof_example_strategies.high_water import HighWaterExit
from backproof_example_strategies.ibs import IbsReversion
from backproof_example_strategies.ranks import RankWeighted

import backproof

KINDS = (IbsReversion, RankWeighted, HighWaterExit)


def frame(closes, symbols=("A",), above=0.01, below=0.01):
    """Daily prices: [symbols, days] closes, each day's high and low so far above and below them, as fractions."""
    closes = np.atleast_2d(np.asarray(closes, dtype=float))
    days = np.datetime64("2020-01-01") + np.arange(2 * closes.shape[1])
    days = days[np.is_busday(days)][: closes.shape[1]]
    return {
        "symbol": np.repeat(symbols, closes.shape[1]).tolist(),
        "date": np.tile(days, len(symbols)),
        "open": closes.ravel(),
        "high": (closes * (1 + above)).ravel(),
        "low": (closes * (1 - below)).ravel(),
        "close": closes.ravel(),
    }


def random_bars(days=600, symbols=("A", "B", "C"), seed=1):
    rng = np.random.default_rng(seed)
    closes = 50.0 * np.exp(np.cumsum(rng.normal(0.0005, 0.02, (len(symbols), days)), axis=1))
    above, below = rng.uniform(0.0, 0.02, (2, *closes.shape))
    return backproof.Bars.from_frame(frame(closes, symbols, above, below))


def config(**more):
    return {"name": "test", "strategy_type": "mine", "symbols": ["A", "B", "C"], **more}


@pytest.mark.parametrize("kind", KINDS)
def test_it_neither_looks_ahead_nor_forgets(kind):
    probes = backproof.probe(config(), random_bars(), strategy=kind)
    assert probes.lookahead.verdict == "clean", probes.lookahead.finding
    assert probes.amnesia.verdict == "clean", probes.amnesia.checks
    assert probes.passed


@pytest.mark.parametrize("kind", KINDS)
def test_it_trades_on_random_prices(kind):
    result = backproof.simulate(config(), random_bars(), strategy=kind)
    assert len(result.fills) > 10


def test_ibs_buys_a_close_at_the_low_and_sells_one_at_the_high():
    data = frame([10.0, 10.0, 10.0, 10.0, 10.0])
    data["low"][1] = data["close"][1]  # the second day closes at its low, the fourth at its high
    data["high"][3] = data["close"][3]
    result = backproof.simulate(config(symbols=["A"]), backproof.Bars.from_frame(data), strategy=IbsReversion)
    assert [(int(fill["bar"]), str(fill["side"])) for fill in result.fills] == [(2, "buy"), (4, "sell")]


def test_ranks_are_the_weights():
    closes = np.full((3, 50), 10.0)
    closes[0, 10:], closes[1, 10:] = 12.0, 11.0
    given = config(parameters={"lookback": 20})
    result = backproof.simulate(given, backproof.Bars.from_frame(frame(closes, ("A", "B", "C"))), strategy=RankWeighted)
    first = {str(fill["symbol"]): float(fill["shares"] * fill["price"]) for fill in result.fills if fill["bar"] < 25}
    assert first == pytest.approx({"A": 50_000.0, "B": 100_000.0 / 3, "C": 100_000.0 / 6})


def test_high_water_leaves_after_the_fall_from_the_best_close():
    closes = [10.0] * 3 + [11.0, 13.0, 12.0, 11.6, 11.6]
    given = config(symbols=["A"], parameters={"lookback": 2, "fall": 0.1})
    result = backproof.simulate(given, backproof.Bars.from_frame(frame(closes)), strategy=HighWaterExit)
    assert [(int(fill["bar"]), str(fill["side"])) for fill in result.fills] == [(4, "buy"), (7, "sell")]
