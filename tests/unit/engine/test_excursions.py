"""MAE and MFE: the worst and best price of a trade against its average cost, from the bars it was held through.

A bar that was held from its open to its close counts with its high and low. Of any other bar an extreme may lie before
the entry or after the exit: of it only the price at which shares were given up counts.
"""

from typing import Any

import numpy as np
import pytest
from candles import Candle, candles, still
from markets import prices, run_signals, run_weights, without

from backproof.engine.result import Result

BEFORE = (100.0, 500.0, 10.0, 100.0)  # its extremes never count
AFTER = (100.0, 500.0, 10.0, 100.0)


def trade_of(columns: Any, wishes: list[Any], **config: Any) -> tuple[float, float]:
    """(mae, mfe) of the only trade."""
    (trade,) = run_signals({"A": columns}, {"A": wishes}, **config).trades
    return float(trade["mae"]), float(trade["mfe"])


def test_a_bar_entered_at_the_open_counts_with_its_extremes_and_one_left_at_the_open_does_not() -> None:
    bars: list[Candle] = [(100.0, 110.0, 95.0, 104.0), (104.0, 125.0, 103.0, 120.0), (118.0, 500.0, 10.0, 100.0)]
    columns = candles(BEFORE, *bars, AFTER)
    assert trade_of(columns, ["enter_long", "", "exit"]) == pytest.approx((-0.05, 0.25))


def test_the_fill_that_ends_a_trade_counts_too() -> None:
    """It is left at an open of 90, below all that was seen before."""
    columns = candles(BEFORE, (100.0, 103.0, 98.0, 100.0), (90.0, 500.0, 10.0, 100.0), AFTER)
    assert trade_of(columns, ["enter_long", "exit"]) == pytest.approx((-0.10, 0.03))


def test_costs_of_slippage_are_in_the_cost_and_in_the_last_price() -> None:
    """Bought at 101, the low of 99 is 2 / 101 below it; sold at 99 x 0.99."""
    columns = candles(BEFORE, (100.0, 103.0, 99.0, 100.0), (99.0, 500.0, 10.0, 100.0), AFTER)
    expected = (99.0 * 0.99 / 101.0 - 1.0, 103.0 / 101.0 - 1.0)
    assert trade_of(columns, ["enter_long", "exit"], costs={"slippage_bps": 100.0}) == pytest.approx(expected)


def test_a_bar_entered_at_its_close_does_not_count_and_one_left_at_its_close_does() -> None:
    bars: list[Candle] = [(100.0, 105.0, 97.0, 101.0), (101.0, 112.0, 100.0, 108.0)]
    columns = candles(BEFORE, (100.0, 400.0, 20.0, 100.0), *bars, AFTER)
    wishes = ["enter_long", "", "exit"]
    assert trade_of(columns, wishes, execution={"fill": "next_close"}) == pytest.approx((-0.03, 0.12))


def test_of_a_bar_on_which_a_stop_ends_the_trade_only_the_stops_price_counts() -> None:
    columns = candles(BEFORE, (100.0, 104.0, 99.0, 103.0), (103.0, 130.0, 60.0, 70.0), AFTER)
    assert trade_of(columns, ["enter_long"], risk={"stop_loss": 0.1}) == pytest.approx((-0.10, 0.04))


def test_a_bar_entered_inside_does_not_count() -> None:
    wishes = [{"signal": "enter_long", "type": "limit", "price": 95.0}, "", "exit"]
    columns = candles(BEFORE, (100.0, 120.0, 90.0, 96.0), (96.0, 99.75, 94.05, 96.0), (97.0, 97.0, 97.0, 97.0))
    assert trade_of(columns, wishes) == pytest.approx((-0.01, 0.05))


def test_of_a_short_the_high_is_the_worst_and_the_low_the_best() -> None:
    columns = candles(BEFORE, (100.0, 108.0, 93.0, 95.0), (94.0, 500.0, 10.0, 100.0), AFTER)
    short = {"direction": "short_only"}
    assert trade_of(columns, ["enter_short", "exit"], execution=short) == pytest.approx((-0.08, 0.07))


def test_a_trade_that_never_went_wrong_has_no_adverse_excursion_and_one_that_never_went_well_no_favourable_one() -> (
    None
):
    up = candles(still(100.0), (100.0, 110.0, 100.0, 110.0), still(112.0))
    assert trade_of(up, ["enter_long"]) == pytest.approx((0.0, 0.12))
    down = candles(still(100.0), (100.0, 100.0, 90.0, 90.0), still(88.0))
    assert trade_of(down, ["enter_long"]) == pytest.approx((-0.12, 0.0))


def test_a_trade_that_is_still_open_counts_every_bar_to_the_end() -> None:
    columns = candles(BEFORE, (100.0, 103.0, 98.0, 100.0), (100.0, 100.0, 85.0, 99.0))
    assert trade_of(columns, ["enter_long"]) == pytest.approx((-0.15, 0.03))


def test_every_stretch_is_measured_against_the_average_cost_of_its_time() -> None:
    """5 at 100, high 120: +20 %. Then 5 more at 120 (weight 1 of 1100 is 9.17 shares): the low of 99 against 109.1."""
    market = {"A": candles(still(100.0), (100.0, 120.0, 100.0, 120.0), (120.0, 121.0, 99.0, 110.0))}
    result = run_weights(market, {"A": [0.5, 1.0]})
    (trade,) = result.trades
    more = 1100.0 / 120.0 - 5.0
    average = (500.0 + more * 120.0) / (5.0 + more)
    assert (trade["mae"], trade["mfe"]) == pytest.approx((99.0 / average - 1.0, 0.2))


def test_a_reduction_is_a_price_of_the_trade_and_leaves_its_cost() -> None:
    market = {"A": candles(still(100.0), still(100.0), still(130.0), still(104.0))}
    (trade,) = run_weights(market, {"A": [1.0, 0.5]}).trades
    assert (trade["mae"], trade["mfe"]) == pytest.approx((0.0, 0.3))


def test_a_split_divides_the_cost_that_prices_are_measured_against() -> None:
    columns = candles(
        still(100.0), (100.0, 110.0, 95.0, 100.0), (50.0, 56.0, 49.0, 50.0), still(50.0), split_ratio=[1, 1, 2, 1]
    )
    assert trade_of(columns, ["enter_long"], execution={"price_mode": "raw"}) == pytest.approx((-0.05, 0.12))


def test_missing_bars_add_nothing() -> None:
    columns = candles(still(100.0), (100.0, 103.0, 98.0, 100.0), AFTER, (100.0, 104.0, 99.0, 100.0))
    market = {"A": without(columns, 2), "B": prices([1.0] * 4)}
    (trade,) = run_signals(market, {"A": ["enter_long"]}).trades
    assert (trade["mae"], trade["mfe"]) == pytest.approx((-0.02, 0.04))


def test_closes_only_are_measured_by_their_closes() -> None:
    columns = {"date": prices([1.0] * 5)["date"], "close": [100.0, 100.0, 90.0, 120.0, 110.0]}
    wishes = ["enter_long", "", "", "exit"]
    assert trade_of(columns, wishes, execution={"fill": "next_close"}) == pytest.approx((-0.1, 0.2))


def test_each_trade_of_a_symbol_has_excursions_of_its_own() -> None:
    """Two trades, a long one and after the flip a short one, on one price path."""
    columns = candles(still(100.0), (100.0, 110.0, 96.0, 100.0), (100.0, 104.0, 92.0, 98.0), (99.0, 500.0, 10.0, 100.0))
    wishes = ["enter_long", "enter_short", "enter_long"]
    result: Result = run_signals({"A": columns}, {"A": wishes}, execution={"direction": "long_short"})
    first, second, third = result.trades
    assert (first["mae"], first["mfe"]) == pytest.approx((-0.04, 0.10))
    assert (second["mae"], second["mfe"]) == pytest.approx((-0.04, 0.08))
    assert (third["mae"], third["mfe"]) == pytest.approx((10.0 / 99.0 - 1.0, 500.0 / 99.0 - 1.0))


def test_excursions_enclose_the_return_of_a_trade_before_its_costs() -> None:
    rng = np.random.default_rng(9)
    closes = (100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.03, 400)))).tolist()
    opens = [100.0, *[c * 1.001 for c in closes[:-1]]]
    columns = candles(*((o, max(o, c) * 1.01, min(o, c) * 0.99, c) for o, c in zip(opens, closes, strict=True)))
    wishes = [["enter_long", "", "", "enter_short", "", ""][t % 6] for t in range(400)]
    risk = {"stop_loss": 0.04, "take_profit": 0.05}
    trades = run_signals({"A": columns}, {"A": wishes}, execution={"direction": "long_short"}, risk=risk).trades
    side = np.where(trades["side"] == "long", 1.0, -1.0)
    gained = side * (trades["exit_price"] / trades["entry_price"] - 1.0)
    assert len(trades) > 100
    assert (trades["mae"] <= np.minimum(gained, 0.0) + 1e-12).all()
    assert (trades["mfe"] >= np.maximum(gained, 0.0) - 1e-12).all()
