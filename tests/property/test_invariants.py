"""What holds for every run: the books balance; ranges, the future and the order of symbols do not matter."""

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from examples import examples
from harness import scripted, simulate_given
from hypothesis import assume, given
from hypothesis import strategies as st
from twin import interpreted_engine, twin_of
from worlds import CAPITAL, PRICES, SIGNAL_KINDS, WEIGHT_KINDS, World, local, worlds

from backproof.domain.config import parse_config
from backproof.engine import kernel, layout, signals, simulation, statistics
from backproof.engine.result import Result
from backproof.engine.simulation import Simulation
from backproof.errors import BackproofError

FloatArray = npt.NDArray[np.float64]
COMPILED_ADVANCE = kernel.advance


def simulated(world: World) -> Result:
    return simulate_given(world.config, world.engine_bars())


def prepared(world: World) -> Simulation:
    config = parse_config(world.config)
    decide = scripted(config.parameters) if config.strategy_type == "scripted" else None
    return Simulation(config, world.engine_bars(), decide=decide)


def stepwise(world: World, stops: list[int]) -> Result:
    steps = prepared(world)
    for stop in stops:
        steps.advance(stop)
    steps.advance(steps.total_bars)
    return steps.result()


def same_bits(a: Result, b: Result) -> bool:
    arrays = ("equity", "cash", "gross", "fills", "events", "trades", "positions")
    return (
        all(getattr(a, name).tobytes() == getattr(b, name).tobytes() for name in arrays)
        and (a.metrics, a.benchmark_metrics, a.costs) == (b.metrics, b.benchmark_metrics, b.costs)
        and a.notices == b.notices
    )


# --- the books


def last_closes(world: World, result: Result) -> FloatArray:
    """Last close of each symbol in the run's price mode: [bars of the run, N], 0 before its first bar."""
    panel = world.engine_bars().panel(tuple(world.config["symbols"]))
    close = (panel.raw if world.raw else panel.adjusted).close.copy()
    for row in close:
        for t in range(1, len(row)):
            if np.isnan(row[t]):
                row[t] = row[t - 1]
    first = int(np.flatnonzero(panel.dates == result.dates[0])[0])
    return np.nan_to_num(close[:, first : first + len(result.dates)].T)


def signed_shares(fills: Any) -> FloatArray:
    signed: FloatArray = np.where(fills["side"] == "buy", 1.0, -1.0) * fills["shares"]
    return signed


def borrow_cost(world: World, result: Result) -> FloatArray:
    """What the shorts of the close before cost on each bar, all symbols together: [bars of the run]."""
    days = np.array([np.datetime64(day) for day in local_days(world)]).astype(np.int64)
    short = np.minimum(result.positions, 0.0) * last_closes(world, result)
    cost = np.zeros(len(result.dates))
    cost[1:] = -short[:-1].sum(axis=1) * np.diff(days) / 365.0
    return cost * world.config["costs"].get("borrow_rate", 0.0)


def local_days(world: World) -> list[str]:
    return [local(date, world.calendar).date().isoformat() for date in world.run_dates]


@examples(80)
@given(worlds())
def test_cash_and_positions_are_the_equity_at_every_bar(world: World) -> None:
    result = simulated(world)
    values = result.positions * last_closes(world, result)
    np.testing.assert_allclose(result.cash + values.sum(axis=1), result.equity, rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose(np.abs(values).sum(axis=1), result.gross, rtol=1e-9, atol=1e-6)


@examples(80)
@given(worlds())
def test_cash_changes_only_by_fills_events_and_borrowing(world: World) -> None:
    result = simulated(world)
    change = np.zeros(len(result.dates))
    fills, events = result.fills, result.events[result.events["kind"] != "borrow"]
    np.add.at(change, fills["bar"], -signed_shares(fills) * fills["price"] - fills["commission"])
    np.add.at(change, events["bar"], events["cash"])
    cash = CAPITAL + np.cumsum(change - borrow_cost(world, result))
    np.testing.assert_allclose(cash, result.cash, rtol=1e-9, atol=1e-6)


@examples(80)
@given(worlds())
def test_the_ledger_balances(world: World) -> None:
    """Capital and everything in the ledger, with the borrow that is not in it yet, is the cash at the end."""
    result = simulated(world)
    fills, events, costs = result.fills, result.events, result.costs
    traded = (-signed_shares(fills) * fills["price"] - fills["commission"]).sum()
    unpaid = costs["borrow"] + events["cash"][events["kind"] == "borrow"].sum()
    assert unpaid >= -1e-6
    cash = CAPITAL + traded + events["cash"].sum() - unpaid
    np.testing.assert_allclose(cash, result.cash[-1], rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose(costs["borrow"], borrow_cost(world, result).sum(), rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose(costs["commission"], result.metrics["costs_paid"], rtol=1e-9, atol=1e-6)


@examples(80)
@given(worlds())
def test_positions_can_be_rebuilt_from_fills_and_splits(world: World) -> None:
    result = simulated(world)
    held = np.zeros(len(world.config["symbols"]))
    rebuilt = np.zeros(result.positions.shape)
    for t in range(len(result.dates)):
        for n, symbol in enumerate(world.config["symbols"]):
            for event in result.events[(result.events["bar"] == t) & (result.events["symbol"] == symbol)]:
                if event["kind"] == "split":
                    np.testing.assert_allclose(held[n] * event["value"], held[n] + event["shares"], atol=1.0)
                held[n] += event["shares"]
            held[n] += signed_shares(
                result.fills[(result.fills["bar"] == t) & (result.fills["symbol"] == symbol)]
            ).sum()
        rebuilt[t] = held
    np.testing.assert_allclose(rebuilt, result.positions, rtol=1e-9, atol=1e-6)


@examples(80)
@given(worlds())
def test_the_ledger_adds_up_to_the_last_bit_of_each_position(world: World) -> None:
    """So what is flat for the account is flat in the tables that are made of the ledger."""
    whole = prepared(world)
    whole.advance(whole.total_bars)
    held, result = whole.state[layout.SHARES], whole.result()
    assert (result.positions[-1] + 0.0).tobytes() == (held + 0.0).tobytes()
    still = result.trades["symbol"][result.trades["reason"] == "open"].tolist()
    assert still == [symbol for symbol, shares in zip(result.symbols, held, strict=True) if shares]


@examples(80)
@given(worlds())
def test_the_profits_of_all_trades_are_what_the_account_gained(world: World) -> None:
    result = simulated(world)
    gained = result.equity[-1] - CAPITAL
    scale = max(1.0, np.abs(result.trades["profit"]).sum(), result.gross.max())
    assert abs(result.trades["profit"].sum() - gained) <= 1e-9 * scale
    assert abs(result.trades["costs"].sum() - result.costs["commission"]) <= 1e-9 * scale
    income = result.costs["dividends"] + result.costs["cash_in_lieu"] - result.costs["borrow"]
    assert abs(result.trades["income"].sum() - income) <= 1e-9 * scale


@examples(80)
@given(worlds())
def test_excursions_bound_the_prices_a_trade_was_closed_at(world: World) -> None:
    """MAE <= 0 <= MFE; both reach at least to each closing fill, and no further than the extremes of the bars held."""
    result = simulated(world)
    panel = world.engine_bars().panel(tuple(world.config["symbols"]))
    market = panel.raw if world.raw else panel.adjusted
    first = int(np.flatnonzero(panel.dates == result.dates[0])[0])
    for symbol, mine in trips_of(result).items():
        n = world.config["symbols"].index(symbol)
        trades = result.trades[result.trades["symbol"] == symbol]
        assert len(trades) == len(mine)
        for trade, trip in zip(trades, mine, strict=True):
            assert trade["mae"] <= 0.0 <= trade["mfe"]
            least, most = 0.0, 0.0
            for side, average, price in trip["closings"]:
                least, most = min(least, side * (price / average - 1.0)), max(most, side * (price / average - 1.0))
            assert trade["mae"] <= least + 1e-12
            assert trade["mfe"] >= most - 1e-12
            for t, side, average in trip["bars"]:
                if not np.isnan(market.close[n, first + t]):
                    reach = [side * (prices[n, first + t] / average - 1.0) for prices in (market.low, market.high)]
                    least, most = min(least, *reach), max(most, *reach)
            assert trade["mae"] >= least - 1e-12
            assert trade["mfe"] <= most + 1e-12


def trips_of(result: Result) -> dict[str, list[dict[str, Any]]]:
    """By symbol, from flat to flat: closings (side, average cost, price) and bars (number, side, average cost then)."""
    found: dict[str, list[dict[str, Any]]] = {}
    for symbol in result.symbols:
        fills = result.fills[result.fills["symbol"] == symbol]
        splits = result.events[(result.events["symbol"] == symbol) & (result.events["kind"] == "split")]
        held, average = 0.0, 0.0
        trips: list[dict[str, Any]] = []
        for t in range(len(result.dates)):
            for split in splits[splits["bar"] == t]:
                held, average = held + split["shares"], average / split["value"]
            if held:
                trips[-1]["bars"].append((t, np.sign(held), average))
            for fill, shares in zip(fills, signed_shares(fills), strict=True):
                if fill["bar"] != t:
                    continue
                if held * shares < 0.0:
                    trips[-1]["closings"].append((np.sign(held), average, fill["price"]))
                else:
                    if not held:
                        trips.append({"closings": [], "bars": []})
                    average = (average * abs(held) + fill["price"] * abs(shares)) / (abs(held) + abs(shares))
                held += shares
                if abs(held) <= 1e-12 * abs(shares):
                    held = 0.0
                trips[-1]["bars"].append((t, np.sign(held or -shares), average))
        if trips:
            found[symbol] = trips
    return found


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
