"""The books of any run: cash, positions, the ledger and the trades add up."""

from typing import Any

import numpy as np
import numpy.typing as npt
from examples import examples
from hypothesis import given
from running import prepared, simulated
from worlds import CAPITAL, World, local, worlds

from backproof.engine import layout
from backproof.engine.result import Result

FloatArray = npt.NDArray[np.float64]


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
