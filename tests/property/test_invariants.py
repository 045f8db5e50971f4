"""What holds for every run: the books balance; ranges, the future and the order of symbols do not matter."""

from dataclasses import replace
from random import Random

import numpy as np
from harness import bars_of, scripted, simulate_given
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twin import interpreted_engine
from worlds import SIGNAL_KINDS, WEIGHT_KINDS, World, worlds

from backproof.domain.config import parse_config
from backproof.engine import kernel
from backproof.engine.result import Result
from backproof.engine.simulation import Simulation
from backproof.errors import BackproofError

QUICK = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=60)


def stepwise(world: World, stops: list[int]) -> Result:
    config = parse_config(world.config)
    decide = scripted(config.parameters) if config.strategy_type == "scripted" else None
    simulation = Simulation(config, bars_of(world.bars), decide=decide)
    for stop in stops:
        simulation.advance(stop)
    simulation.advance(simulation.total_bars)
    return simulation.result()


def same_bits(a: Result, b: Result) -> bool:
    arrays = ("equity", "cash", "gross", "fills", "trades", "positions")
    return all(getattr(a, name).tobytes() == getattr(b, name).tobytes() for name in arrays) and a.metrics == b.metrics


@QUICK
@given(worlds())
def test_cash_and_positions_are_the_equity_at_every_bar(world: World) -> None:
    result = simulate_given(world.config, bars_of(world.bars))
    close = bars_of(world.bars).panel(tuple(world.config["symbols"])).close
    for n in range(len(close)):  # the last close serves as mark where a symbol has no bar
        for t in range(1, close.shape[1]):
            if np.isnan(close[n, t]):
                close[n, t] = close[n, t - 1]
    marks = np.nan_to_num(close[:, close.shape[1] - len(result.dates) :].T)
    values = result.positions * marks
    np.testing.assert_allclose(result.cash + values.sum(axis=1), result.equity, rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose(np.abs(values).sum(axis=1), result.gross, rtol=1e-9, atol=1e-6)


@QUICK
@given(worlds())
def test_cash_changes_only_by_fills(world: World) -> None:
    result = simulate_given(world.config, bars_of(world.bars))
    signed = np.where(result.fills["side"] == "buy", 1.0, -1.0) * result.fills["shares"]
    paid = np.zeros(len(result.dates))
    np.add.at(paid, result.fills["bar"], signed * result.fills["price"] + result.fills["commission"])
    np.testing.assert_allclose(10000.0 - np.cumsum(paid), result.cash, rtol=1e-9, atol=1e-6)


@QUICK
@given(worlds(), st.data())
def test_any_sequence_of_ranges_gives_the_same_bits(world: World, data: st.DataObject) -> None:
    count = len(world.run_dates)
    stops = sorted(data.draw(st.lists(st.integers(0, count), max_size=8)))
    assert same_bits(stepwise(world, stops), stepwise(world, []))
    assert same_bits(stepwise(world, list(range(1, count + 1))), stepwise(world, []))


@QUICK
@given(worlds())
def test_the_interpreted_twin_gives_the_same_bits(world: World) -> None:
    compiled = simulate_given(world.config, bars_of(world.bars))
    with interpreted_engine():
        twin = simulate_given(world.config, bars_of(world.bars))
    assert kernel.advance.__class__.__name__ != "function"
    assert same_bits(compiled, twin)


@QUICK
@given(worlds(), st.integers(5, 60), st.booleans())
def test_the_future_cannot_change_the_past(world: World, cut: int, noise: bool) -> None:
    """Prices after bar `cut` become noise; the dates stay, since schedules come from them."""
    dates = world.run_dates
    cut = min(cut, len(dates) - 2)
    rng = np.random.default_rng(cut)
    changed = {}
    for symbol, columns in world.bars.items():
        later = np.array([date > dates[cut] for date in columns["date"]])
        # factors computed from later dividends, or stored, would rescale the past: the probe is about prices
        new = {"date": columns["date"]}
        for name in ("open", "high", "low", "close"):
            new[name] = np.array(columns[name])
        factor = np.exp(rng.normal(0.0, 0.3, len(later))) if noise else np.full(len(later), 1.7)
        for name in ("open", "high", "low", "close"):
            new[name] = np.where(later, new[name] * factor, new[name]).tolist()
        changed[symbol] = new
    plain = {s: {n: c[n] for n in ("date", "open", "high", "low", "close")} for s, c in world.bars.items()}
    before = simulate_given(world.config, bars_of(plain))
    after = simulate_given(world.config, bars_of(changed))
    upto = cut + 1
    assert before.equity[:upto].tobytes() == after.equity[:upto].tobytes()
    assert before.cash[:upto].tobytes() == after.cash[:upto].tobytes()
    assert [f for f in before.fills.tolist() if f[0] < upto] == [f for f in after.fills.tolist() if f[0] < upto]


@QUICK
@given(worlds(WEIGHT_KINDS), st.randoms(use_true_random=False))
def test_the_order_of_symbols_does_not_matter_for_weights(world: World, random: Random) -> None:
    shuffled = list(world.config["symbols"])
    random.shuffle(shuffled)
    other = replace(world, config={**world.config, "symbols": shuffled})
    one, two = simulate_given(world.config, bars_of(world.bars)), simulate_given(other.config, bars_of(other.bars))
    np.testing.assert_allclose(one.equity, two.equity, rtol=1e-9, atol=1e-6)

    a, b = (np.sort(run.fills, order=["bar", "symbol", "side"]) for run in (one, two))
    assert a[["bar", "symbol", "side", "reason"]].tolist() == b[["bar", "symbol", "side", "reason"]].tolist()
    np.testing.assert_allclose(a["shares"], b["shares"], rtol=1e-9, atol=1e-9)


@QUICK
@given(worlds(SIGNAL_KINDS), st.sampled_from(["next_close", "same_close"]))
def test_entries_never_take_gross_exposure_beyond_max_leverage(world: World, fill: str) -> None:
    """Right after an entry at the close, without costs, so that the recorded marks are the fill prices."""
    config = {**world.config, "costs": {}, "execution": {**world.config["execution"], "fill": fill}}
    result = simulate_given(config, bars_of(world.bars))
    entered = np.unique(result.fills["bar"][result.fills["reason"] == "entry"])
    limit = config["execution"]["max_leverage"] * result.equity[entered]
    assert (result.gross[entered] <= limit * (1 + 1e-9)).all()


@QUICK
@given(worlds())
def test_a_run_can_be_repeated_bit_for_bit(world: World) -> None:
    bars = bars_of(world.bars)
    one, two = simulate_given(world.config, bars), simulate_given(world.config, bars_of(world.bars))
    assert same_bits(one, two)
    assert one.fingerprint() == two.fingerprint()
    assert one.manifest() == two.manifest()


@QUICK
@given(worlds(), st.sampled_from([1e-9, 1.0, 1e15]), st.floats(1e-11, 1e12), st.floats(0.0, 0.999), st.booleans())
def test_no_number_that_is_none_ever_leaves_the_engine(
    world: World, capital: float, level: float, rate: float, wild: bool
) -> None:
    rng = np.random.default_rng(int(rate * 1e6))
    bars = {}
    for symbol, columns in world.bars.items():
        jumps = np.exp(rng.normal(0.0, 3.0 if wild else 0.1, len(columns["date"])))
        moved = {
            name: np.clip(np.array(columns[name]) * level * jumps, 1e-12, 1e15)
            for name in ("open", "high", "low", "close")
        }
        bars[symbol] = {"date": columns["date"], **{name: values.tolist() for name, values in moved.items()}}
    execution = {**world.config["execution"], "max_leverage": 100.0}
    costs = {"commission_rate": rate, "commission_fixed": capital, "slippage_bps": rate * 9_999.0}
    config = {**world.config, "initial_capital": capital, "execution": execution, "costs": costs}
    try:
        result = simulate_given(config, bars_of(bars))
    except BackproofError:
        return  # refused with a reason
    for array in (result.equity, result.cash, result.gross, result.positions):
        assert np.isfinite(array).all()
    assert all(value is None or np.isfinite(value) for value in result.metrics.values())
    assert {name for name, value in result.metrics.items() if value is None} == set(result.null_reasons)
    for name in ("shares", "price", "commission"):
        assert np.isfinite(result.fills[name]).all()
    for name in ("profit", "return", "entry_price", "exit_price"):
        assert np.isfinite(result.trades[name]).all()
