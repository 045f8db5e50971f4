"""What holds for every run: ranges, the future and the order of symbols do not matter."""

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from examples import examples
from hypothesis import assume, given
from hypothesis import strategies as st
from running import prepared, same_bits, simulated, stepwise
from twin import interpreted_engine, twin_of
from worlds import CAPITAL, PRICES, SIGNAL_KINDS, WEIGHT_KINDS, World, worlds

from backproof.engine import kernel, layout, signals, simulation, statistics
from backproof.errors import BackproofError

FloatArray = npt.NDArray[np.float64]
COMPILED_ADVANCE = kernel.advance


# --- ways of running it


@examples(80)
@given(worlds(), st.data())
def test_any_sequence_of_ranges_gives_the_same_bits(world: World, data: st.DataObject) -> None:
    count = len(world.run_dates)
    stops = sorted(data.draw(st.lists(st.integers(0, count), max_size=8)))
    whole = stepwise(world, [])
    assert same_bits(stepwise(world, stops), whole)
    assert same_bits(stepwise(world, list(range(1, count + 1))), whole)


@examples(80)
@given(worlds())
def test_a_ledger_that_is_almost_full_gives_the_same_bits(world: World) -> None:
    """The kernel stops when the next bar might not fit: here after almost every bar with a fill."""
    least = layout.RECORDS_PER_BAR * len(world.config["symbols"])
    tight = prepared(world)

    def resize(rows: int = 0) -> None:
        used = tight.ledger_rows
        for name in ("keys", "values"):
            old = getattr(tight, name)
            new = np.full((used + least, old.shape[1]), -1, dtype=old.dtype)
            new[:used] = old[:used]
            setattr(tight, name, new)

    resize()
    tight.make_room = resize  # type: ignore[method-assign]
    tight.advance(tight.total_bars)
    assert len(tight.keys) <= tight.ledger_rows + least
    assert same_bits(tight.result(), stepwise(world, []))


@pytest.mark.parametrize("rows", [1, 3, 50])
def test_the_first_room_of_the_ledger_does_not_matter(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    world = busy_world()
    whole = stepwise(world, [])
    monkeypatch.setattr(simulation, "_FIRST_ROWS", rows)
    small = prepared(world)
    before = len(small.keys)
    small.advance(small.total_bars)
    assert len(small.keys) > before
    assert same_bits(small.result(), whole)


def busy_world() -> World:
    """A symbol that is bought at every other open and sold at the next: a fill on almost every bar."""
    dates = [str(np.datetime64("2020-01-01") + t) for t in range(200)]
    walk = 20.0 * np.exp(np.cumsum(np.random.default_rng(5).normal(0.0, 0.02, len(dates))))
    columns = {"date": dates, **{name: walk.tolist() for name in PRICES}}
    signals = ["enter_long" if t % 2 == 0 else "exit" for t in range(len(dates))]
    config = {"name": "busy", "strategy_type": "scripted", "parameters": {"signals": {"A": signals}}, "symbols": ["A"]}
    return World({"A": columns}, config)


@examples(60)
@given(worlds())
def test_the_interpreted_twin_gives_the_same_bits(world: World) -> None:
    compiled = simulated(world)
    trades = compiled.trades
    with interpreted_engine():
        assert simulation.advance is twin_of(COMPILED_ADVANCE)
        twin = simulated(world)
        assert twin.trades.tobytes() == trades.tobytes()  # made inside, by the interpreted `round_trips`
    assert simulation.advance is COMPILED_ADVANCE
    assert same_bits(compiled, twin)


def test_the_twin_of_every_kernel_is_plain_python_and_calls_only_twins() -> None:
    for function in (kernel.advance, statistics.curve_moments, statistics.round_trips, signals.level_signals):
        pending, seen = [twin_of(function)], set()
        while pending:
            twin = pending.pop()
            assert type(twin) is type(twin_of)
            seen.add(twin)
            called = [twin.__globals__.get(name) for name in twin.__code__.co_names]
            assert not any(hasattr(one, "py_func") for one in called)
            pending += [one for one in called if callable(one) and hasattr(one, "__code__") and one not in seen]


@examples(60)
@given(worlds())
def test_a_run_can_be_repeated_bit_for_bit(world: World) -> None:
    one, two = simulated(world), simulated(world)
    assert same_bits(one, two)
    assert one.fingerprint() == two.fingerprint()
    assert one.manifest() == two.manifest()


@examples(60)
@given(worlds(), st.integers(0, 2**32 - 1))
def test_symbols_that_are_not_traded_change_nothing(world: World, seed: int) -> None:
    """Only the dates of the run's own symbols make its calendar; neither other bars nor the benchmark do."""
    plain = replace(world, bars={symbol: world.bars[symbol] for symbol in world.config["symbols"]})
    plain = plain.configured(benchmark=None)
    rng = np.random.default_rng(seed)
    dates = [f"20{year}-0{month}-1{day}" for year in (19, 24, 30) for month in (1, 5) for day in range(10)]
    if world.intraday:
        dates = [f"{date}T03:00:00" for date in dates]
    walk = (5.0 * np.exp(np.cumsum(rng.normal(0.0, 0.05, len(dates))))).tolist()
    more = replace(plain, bars={"Z": {"date": dates, **dict.fromkeys(PRICES, walk)}, **plain.bars})
    one, two = simulated(plain), simulated(more)
    assert same_bits(one, two)
    assert one.fingerprint() == two.fingerprint()
    measured = simulated(more.configured(benchmark="Z"))
    for name in ("equity", "cash", "fills", "events", "trades"):
        assert getattr(measured, name).tobytes() == getattr(one, name).tobytes()


# --- the future, the order, the unit


@examples(120)
@given(worlds(), st.integers(5, 60), st.booleans())
def test_the_future_cannot_change_the_past(world: World, cut: int, noise: bool) -> None:
    """Prices after bar `cut` become noise; dates and splits stay, since schedules and share counts come from them.

    Adjusted prices of the past are not of the past alone: dividends later on, and stored adjusted closes, rescale them.
    So there are no such events after the cut, in both runs.
    """
    cut = min(cut, len(world.run_dates) - 2)
    assume(cut >= 0)
    past = world.run_dates[cut]
    rng = np.random.default_rng(cut)
    before, after = {}, {}
    for symbol, columns in world.bars.items():
        later = np.array([date > past for date in columns["date"]])
        kept = dict(columns)
        if "dividend" in kept:
            # one on the first bar after the cut would rescale the past by a price that both runs share
            kept["dividend"] = np.where(later, 0.0, columns["dividend"]).tolist()
        if "adj_close" in kept and "close" in kept:
            del kept["adj_close"]
        before[symbol] = kept
        factor = np.exp(rng.normal(0.0, 0.3, len(later))) if noise else np.full(len(later), 1.7)
        after[symbol] = kept | {
            name: np.where(later, np.array(kept[name]) * factor, kept[name]).tolist()
            for name in (*PRICES, "adj_close")
            if name in kept
        }
    one, two = simulated(replace(world, bars=before)), simulated(replace(world, bars=after))
    for name in ("equity", "cash", "gross", "positions"):
        assert getattr(one, name)[: cut + 1].tobytes() == getattr(two, name)[: cut + 1].tobytes()
    for name in ("fills", "events"):
        have, want = (getattr(run, name) for run in (one, two))
        assert have[have["bar"] <= cut].tobytes() == want[want["bar"] <= cut].tobytes()


@examples(80)
@given(worlds(WEIGHT_KINDS, prices=("walk",)), st.randoms(use_true_random=False))
def test_the_order_of_symbols_does_not_matter_for_weights(world: World, random: Random) -> None:
    shuffled = list(world.config["symbols"])
    random.shuffle(shuffled)
    other = replace(world, config={**world.config, "symbols": shuffled})
    one, two = simulated(world), simulated(other)
    np.testing.assert_allclose(one.equity, two.equity, rtol=1e-9, atol=1e-6)
    keys = ["bar", "symbol", "at", "side", "reason"]
    a, b = (np.sort(run.fills, order=keys) for run in (one, two))
    assert a[keys].tolist() == b[keys].tolist()
    np.testing.assert_allclose(a["shares"], b["shares"], rtol=1e-9, atol=1e-9)


@examples(80)
@given(worlds())
def test_the_unit_of_money_does_not_matter(world: World) -> None:
    """All prices and amounts in a unit worth a quarter: four times the numbers, the same shares, to the last bit."""
    amounts = ("commission_per_share", "commission_fixed", "commission_min")
    costs = {n: v * 4.0 if n in amounts else v for n, v in world.config["costs"].items()}
    sizing = dict(world.config["execution"].get("sizing", {}))
    if sizing.get("type") == "fixed_cash":
        sizing["value"] *= 4.0
    money = (*PRICES, "adj_close", "dividend")
    scaled = replace(
        world.configured(initial_capital=CAPITAL * 4.0, costs=costs, execution={"sizing": sizing} if sizing else {}),
        bars={
            symbol: {name: [v * 4.0 for v in values] if name in money else values for name, values in columns.items()}
            for symbol, columns in world.bars.items()
        },
    )
    one, two = simulated(world), simulated(with_levels(scaled, lambda level: level * 4.0))
    assert (one.equity * 4.0).tobytes() == two.equity.tobytes()
    assert (
        one.fills[["bar", "symbol", "shares", "reason"]].tolist()
        == two.fills[["bar", "symbol", "shares", "reason"]].tolist()
    )
    assert one.trades["return"].tobytes() == two.trades["return"].tobytes()


def with_levels(world: World, change: Callable[[float], float]) -> World:
    """The same scripted signals with other prices of their limit and stop entries."""
    given = world.config["parameters"].get("signals")
    if given is None:
        return world
    changed = {
        symbol: [{**wish, "price": change(wish["price"])} if "price" in wish else wish for wish in wishes]
        for symbol, wishes in given.items()
    }
    return world.configured(parameters={"signals": changed})


@examples(80)
@given(worlds(events=True))
def test_raw_prices_with_splits_only_are_adjusted_prices(world: World) -> None:
    """Without dividends, whole shares and costs per share, a split is a change of the unit of shares and no more."""
    bars = {
        symbol: {n: v for n, v in columns.items() if n not in ("dividend", "adj_close")}
        for symbol, columns in world.bars.items()
    }
    execution: dict[str, Any] = {"fractional_shares": True, "dividends": "cash"}
    if world.config["execution"].get("sizing", {}).get("type") == "fixed_shares":
        execution["sizing"] = {"type": "percent_equity", "value": 0.7}
    world = replace(world, bars=bars).configured(execution=execution, costs={"commission_per_share": 0.0})
    # levels exactly on a bar's extreme may lie on either side of it once both are multiplied by factors
    world = with_levels(world, lambda level: level * 1.0001)
    raw, adjusted = simulated(world), simulated(world.configured(execution={"price_mode": "adjusted"}))
    np.testing.assert_allclose(raw.equity, adjusted.equity, rtol=1e-9, atol=1e-6)
    assert (
        raw.fills[["bar", "symbol", "side", "reason"]].tolist()
        == adjusted.fills[["bar", "symbol", "side", "reason"]].tolist()
    )


@examples(80)
@given(worlds(SIGNAL_KINDS), st.sampled_from(["next_close", "same_close"]))
def test_entries_never_take_gross_exposure_beyond_max_leverage(world: World, fill: str) -> None:
    """Right after an entry at the close, without costs, so that the recorded marks are the fill prices."""
    world = with_market_entries(replace(world, config={**world.config, "costs": {}})).configured(
        execution={"fill": fill}
    )
    result = simulated(world)
    entered = np.unique(result.fills["bar"][result.fills["reason"] == "entry"])
    limit = world.config["execution"]["max_leverage"] * result.equity[entered]
    assert (result.gross[entered] <= limit * (1 + 1e-9)).all()


def with_market_entries(world: World) -> World:
    """The same scripted signals without limit and stop entries, which need next_open."""
    given = world.config["parameters"].get("signals")
    if given is None:
        return world
    plain = {
        symbol: [{"signal": w["signal"], "add": w["add"]} if isinstance(w, dict) else w for w in wishes]
        for symbol, wishes in given.items()
    }
    return world.configured(parameters={"signals": plain})


@examples(100)
@given(worlds(), st.sampled_from([1e-9, 1.0, 1e15]), st.floats(1e-11, 1e12), st.floats(0.0, 0.999), st.booleans())
def test_no_number_that_is_none_ever_leaves_the_engine(
    world: World, capital: float, level: float, rate: float, wild: bool
) -> None:
    rng = np.random.default_rng(int(rate * 1e6))
    bars = {}
    for symbol, columns in world.bars.items():
        jumps = np.exp(rng.normal(0.0, 3.0 if wild else 0.1, len(columns["date"])))
        bars[symbol] = columns | {
            name: np.clip(np.array(columns[name]) * level * jumps, 1e-12, 1e15).tolist()
            for name in (*PRICES, "adj_close", "dividend")
            if name in columns
        }
    costs = {"commission_rate": rate, "commission_fixed": capital, "slippage_bps": rate * 9_999.0, "borrow_rate": rate}
    execution = {"max_leverage": 100.0, "maintenance_margin": None}
    world = replace(world, bars=bars).configured(initial_capital=capital, costs=costs, execution=execution)
    try:
        result = simulated(with_levels(world, lambda price: price * level))
    except BackproofError:
        return  # refused with a reason
    for array in (result.equity, result.cash, result.gross, result.positions):
        assert np.isfinite(array).all()
    assert all(value is None or np.isfinite(value) for value in result.metrics.values())
    undefined = {n for n, v in {**result.metrics, **(result.benchmark_metrics or {})}.items() if v is None}
    assert undefined == set(result.null_reasons)
    for name in ("shares", "price", "commission"):
        assert np.isfinite(result.fills[name]).all()
    for name in ("profit", "return", "entry_price"):
        assert np.isfinite(result.trades[name]).all()
    closed_by_split = result.trades["reason"] == "split"  # no share was left to sell
    assert np.isfinite(result.trades["exit_price"][~closed_by_split]).all()
