"""Stop-loss, take-profit and trailing stop: where they stand, when they are looked at, at what price they fill.

Positions of 10 shares are entered at the open of bar 1 at 100, so a level of 10 % stands at 90 or 110.
"""

from typing import Any

import numpy as np
import pytest
from candles import Candle, candles, still, stories
from harness import bars_of
from markets import codes, fills, prices, run, run_signals, run_weights, without

from backproof.domain.config import parse_config
from backproof.engine.result import Result
from backproof.engine.simulation import Simulation

BEFORE = still(100.0)
QUIET = (100.0, 101.0, 99.0, 100.0)


def held_long(*bars: Candle, wishes: list[Any] | None = None, **config: Any) -> Result:
    """Long from the open of the first of `bars` (which is bar 1); `wishes` at the closes from bar 1 on."""
    return run_signals({"A": candles(BEFORE, *bars)}, {"A": ["enter_long", *(wishes or [])]}, **config)


def held_short(*bars: Candle, **config: Any) -> Result:
    config["execution"] = {"direction": "short_only", **config.get("execution", {})}
    return run_signals({"A": candles(BEFORE, *bars)}, {"A": ["enter_short"]}, **config)


# --- price of the fill


def test_a_stop_inside_the_bar_fills_at_its_level() -> None:
    result = held_long(QUIET, (98.0, 99.0, 85.0, 87.0), risk={"stop_loss": 0.1})
    assert stories(result)[1] == (2, "sell", 90.0, "stop_loss", "inside")
    assert result.equity[-1] == pytest.approx(900.0)
    above = held_short(QUIET, (102.0, 115.0, 101.0, 113.0), risk={"stop_loss": 0.1})
    assert stories(above)[1] == (2, "buy", 110.0, "stop_loss", "inside")


def test_a_stop_beyond_the_gap_fills_at_the_open() -> None:
    result = held_long(QUIET, (80.0, 95.0, 75.0, 94.0), risk={"stop_loss": 0.1})
    assert stories(result)[1] == (2, "sell", 80.0, "stop_loss", "open")
    above = held_short(QUIET, (120.0, 121.0, 100.0, 101.0), risk={"stop_loss": 0.1})
    assert stories(above)[1] == (2, "buy", 120.0, "stop_loss", "open")


def test_a_target_inside_the_bar_fills_at_its_level_and_beyond_the_gap_at_the_open() -> None:
    inside = held_long(QUIET, (102.0, 115.0, 101.0, 103.0), risk={"take_profit": 0.1})
    assert stories(inside)[1] == (2, "sell", 110.0, "take_profit", "inside")
    gap = held_long(QUIET, (125.0, 130.0, 124.0, 129.0), risk={"take_profit": 0.1})
    assert stories(gap)[1] == (2, "sell", 125.0, "take_profit", "open")
    below = held_short(QUIET, (75.0, 76.0, 70.0, 71.0), risk={"take_profit": 0.1})
    assert stories(below)[1] == (2, "buy", 75.0, "take_profit", "open")


def test_a_level_that_is_just_touched_is_reached() -> None:
    assert len(held_long(QUIET, (95.0, 95.0, 90.0, 95.0), risk={"stop_loss": 0.1}).fills) == 2
    assert len(held_long(QUIET, (95.0, 95.0, 90.01, 95.0), risk={"stop_loss": 0.1}).fills) == 1
    assert len(held_long(QUIET, (105.0, 150.0, 105.0, 105.0), risk={"take_profit": 0.5}).fills) == 2
    assert len(held_long(QUIET, (105.0, 149.99, 105.0, 105.0), risk={"take_profit": 0.5}).fills) == 1


def test_the_stop_is_tested_before_the_target_also_when_the_open_lies_beyond_the_target() -> None:
    """Which came first inside a bar is not known: the worse one is taken."""
    both = {"stop_loss": 0.1, "take_profit": 0.1}
    assert stories(held_long(QUIET, (100.0, 115.0, 85.0, 100.0), risk=both))[1][2:4] == (90.0, "stop_loss")
    assert stories(held_long(QUIET, (120.0, 125.0, 85.0, 100.0), risk=both))[1][2:4] == (90.0, "stop_loss")
    assert stories(held_short(QUIET, (80.0, 115.0, 75.0, 100.0), risk=both))[1][2:4] == (110.0, "stop_loss")


def test_stops_slip_against_the_trader_and_targets_do_not() -> None:
    """The entry slips to 101, from which levels are measured: the stop at 90.9 fills 1 % below, the target at 111.1."""
    costs = {"slippage_bps": 100.0}
    stopped = held_long(QUIET, (98.0, 99.0, 85.0, 87.0), risk={"stop_loss": 0.1}, costs=costs)
    assert stories(stopped)[1] == (2, "sell", round(101.0 * 0.9 * 0.99, 9), "stop_loss", "inside")
    gap = held_long(QUIET, (80.0, 81.0, 75.0, 76.0), risk={"stop_loss": 0.1}, costs=costs)
    assert stories(gap)[1][2] == pytest.approx(80.0 * 0.99)
    reached = held_long(QUIET, (102.0, 115.0, 101.0, 103.0), risk={"take_profit": 0.1}, costs=costs)
    assert stories(reached)[1][2] == pytest.approx(111.1)
    assert reached.costs["slippage"] == pytest.approx(1000.0 / 101.0 * 1.0)  # the entry's only
    assert stopped.costs["slippage"] == pytest.approx(1000.0 / 101.0 * (1.0 + 0.909))
    assert [str(f["order"]) for f in (*stopped.fills, *reached.fills)] == ["market", "stop", "market", "limit"]


def test_a_stop_pays_ordinary_commission() -> None:
    result = held_long(QUIET, (98.0, 99.0, 85.0, 87.0), risk={"stop_loss": 0.1}, costs={"commission_fixed": 10.0})
    assert result.fills["commission"].tolist() == [10.0, 10.0]


# --- the trailing stop


def test_a_trailing_stops_peak_takes_a_bars_high_after_that_bars_check() -> None:
    """Bar 1: the level is 90, its high of 120 counts from bar 2 on: 108."""
    result = held_long((100.0, 120.0, 95.0, 118.0), (117.0, 118.0, 105.0, 106.0), risk={"trailing_stop": 0.1})
    assert stories(result)[1] == (2, "sell", 108.0, "trailing_stop", "inside")
    gap = held_long((100.0, 120.0, 95.0, 118.0), (103.0, 104.0, 102.0, 103.0), risk={"trailing_stop": 0.1})
    assert stories(gap)[1] == (2, "sell", 103.0, "trailing_stop", "open")


def test_a_trailing_stop_of_a_short_follows_the_low() -> None:
    result = held_short((100.0, 105.0, 80.0, 82.0), (83.0, 90.0, 82.0, 89.0), risk={"trailing_stop": 0.1})
    assert stories(result)[1] == (2, "buy", 88.0, "trailing_stop", "inside")


def test_of_stop_loss_and_trailing_stop_the_tighter_counts() -> None:
    risk = {"stop_loss": 0.05, "trailing_stop": 0.1}
    first = held_long(QUIET, (98.0, 98.0, 94.0, 96.0), risk=risk)
    assert stories(first)[1][2:4] == (95.0, "stop_loss")  # the trailing stop stands at 90.9
    later = held_long((100.0, 120.0, 100.0, 118.0), (117.0, 118.0, 94.0, 96.0), risk=risk)
    assert stories(later)[1][2:4] == (108.0, "trailing_stop")


def test_a_trailing_stop_follows_over_many_bars_and_never_falls_back() -> None:
    """The peak is 130 when the price has long come down: 117 is reached on the fifth bar."""
    bars = [(100.0, 105.0, 100.0, 104.0), (104.0, 130.0, 104.0, 128.0), (128.0, 129.0, 120.0, 121.0)]
    result = held_long(*bars, (121.0, 122.0, 118.0, 119.0), (119.0, 119.0, 100.0, 101.0), risk={"trailing_stop": 0.1})
    assert stories(result)[1] == (5, "sell", 117.0, "trailing_stop", "inside")


# --- when they are looked at


def test_stops_are_checked_on_the_entry_bar_unless_asked_to_wait_for_the_next() -> None:
    bars = ((100.0, 100.0, 88.0, 95.0), (95.0, 95.0, 89.0, 92.0))
    assert stories(held_long(*bars, risk={"stop_loss": 0.1}))[1][:3] == (1, "sell", 90.0)
    late = held_long(*bars, risk={"stop_loss": 0.1, "stops_active": "next_bar"})
    assert stories(late)[1][:3] == (2, "sell", 90.0)


def test_with_next_bar_the_entry_bar_is_neither_checked_nor_taken_into_the_peak() -> None:
    """The entry bar's high of 150 does not count; bar 2 is checked against 90 and lifts the peak to 140, so 126."""
    bars = ((100.0, 150.0, 80.0, 130.0), (130.0, 140.0, 100.0, 138.0), (137.0, 138.0, 120.0, 121.0))
    result = held_long(*bars, risk={"trailing_stop": 0.1, "stops_active": "next_bar"})
    assert stories(result)[1] == (3, "sell", 126.0, "trailing_stop", "inside")


@pytest.mark.parametrize("fill", ["next_close", "same_close"])
def test_the_bar_of_a_fill_at_its_close_is_neither_checked_nor_taken(fill: str) -> None:
    """It was over before the position began: neither its low of 50 nor its high of 200 counts."""
    wild = (100.0, 200.0, 50.0, 100.0)
    market = {"A": candles(BEFORE, wild, (100.0, 110.0, 92.0, 108.0), (107.0, 108.0, 95.0, 96.0))}
    wishes = ["enter_long"] if fill == "next_close" else ["", "enter_long"]
    result = run_signals(market, {"A": wishes}, execution={"fill": fill}, risk={"trailing_stop": 0.1})
    assert stories(result) == [(1, "buy", 100.0, "entry", "close"), (3, "sell", 99.0, "trailing_stop", "inside")]


def test_a_stop_waits_over_missing_bars_and_fills_at_the_open_after_them() -> None:
    market = {"A": without(candles(BEFORE, QUIET, still(50.0), (85.0, 86.0, 84.0, 85.0)), 2), "B": prices([1.0] * 4)}
    result = run_signals(market, {"A": ["enter_long"]}, risk={"stop_loss": 0.1})
    assert stories(result)[1] == (3, "sell", 85.0, "stop_loss", "open")


def test_an_exit_at_the_open_comes_before_the_stop() -> None:
    result = held_long(QUIET, (98.0, 99.0, 85.0, 87.0), wishes=["exit"], risk={"stop_loss": 0.1})
    assert stories(result)[1:] == [(2, "sell", 98.0, "signal", "open")]


# --- what a stop does to orders, and what comes after it


def test_when_a_stop_ends_a_position_its_waiting_exit_is_void() -> None:
    """The exit would fill at the close of bar 2, on which the stop came first."""
    bars = (QUIET, (98.0, 99.0, 85.0, 87.0), QUIET)
    close = {"fill": "next_close"}
    result = held_long(QUIET, *bars, wishes=["", "exit"], risk={"stop_loss": 0.1}, execution=close)
    assert stories(result)[1:] == [(3, "sell", 90.0, "stop_loss", "inside")]


def test_after_a_stop_the_opening_leg_of_a_waiting_flip_still_fills() -> None:
    bars = (QUIET, QUIET, (98.0, 99.0, 85.0, 87.0), still(87.0))
    execution = {"fill": "next_close", "direction": "long_short"}
    result = held_long(*bars, wishes=["", "enter_short"], risk={"stop_loss": 0.1}, execution=execution)
    assert stories(result)[1:] == [
        (3, "sell", 90.0, "stop_loss", "inside"),
        (3, "sell", 87.0, "entry", "close"),
    ]
    assert result.positions[-1, 0] == pytest.approx(-900.0 / 87.0)


def test_an_entry_signal_at_the_close_of_a_bar_on_which_a_stop_ended_the_position_counts() -> None:
    bars = (QUIET, (98.0, 99.0, 85.0, 87.0), (88.0, 89.0, 87.0, 88.0))
    result = held_long(*bars, wishes=["", "enter_long"], risk={"stop_loss": 0.1})
    assert stories(result)[1:] == [(2, "sell", 90.0, "stop_loss", "inside"), (3, "buy", 88.0, "entry", "open")]
    same = held_long(
        QUIET, *bars, wishes=["enter_long", "", "enter_long"], risk={"stop_loss": 0.1}, execution={"fill": "same_close"}
    )
    assert stories(same)[1:3] == [(3, "sell", 90.0, "stop_loss", "inside"), (3, "buy", 87.0, "entry", "close")]


def test_an_exit_signal_after_a_stop_does_nothing() -> None:
    result = held_long(QUIET, (98.0, 99.0, 85.0, 87.0), QUIET, wishes=["", "exit"], risk={"stop_loss": 0.1})
    assert len(result.fills) == 2


def test_a_level_signal_enters_again_after_a_stop_and_a_crossing_does_not() -> None:
    bars = [still(100.0), still(101.0), still(102.0), (103.0, 103.0, 80.0, 103.0), still(104.0), still(105.0)]
    for signal, sides in (("level", ["buy", "sell", "buy"]), ("cross", ["buy", "sell"])):
        result = run(
            {"A": candles(still(100.0), still(100.0), *bars)},
            "sma_crossover",
            {"fast": 1, "slow": 2, "signal": signal},
            risk={"stop_loss": 0.1},
        )
        assert [str(f["side"]) for f in result.fills] == sides, signal


def test_weights_stay_out_of_a_stopped_symbol_until_they_are_decided_again() -> None:
    market = {"A": candles(BEFORE, QUIET, (98.0, 99.0, 85.0, 87.0), still(87.0), still(87.0), still(87.0))}
    result = run_weights(market, {"A": [1.0, None, None, 0.5]}, risk={"stop_loss": 0.1})
    assert [(bar, reason) for bar, _, _, reason, _ in stories(result)] == [
        (1, "rebalance"),
        (2, "stop_loss"),
        (4, "rebalance"),
    ]


def test_a_waiting_target_weight_fills_although_a_stop_ended_the_position_before_it() -> None:
    market = {"A": candles(BEFORE, QUIET, (98.0, 99.0, 85.0, 87.0), still(87.0))}
    result = run_weights(market, {"A": [1.0, 1.0]}, risk={"stop_loss": 0.1}, execution={"fill": "next_close"})
    assert [(bar, price, reason) for bar, _, price, reason, _ in stories(result)] == [
        (1, 100.0, "rebalance"),
        (2, 90.0, "stop_loss"),
        (2, 87.0, "rebalance"),
    ]


# --- positions built up


def test_a_stop_of_a_position_built_up_stands_below_its_average_cost() -> None:
    """5 at 100, then equity 950 at 90: weight 1 adds 5.5556; average (500 + 500) / 10.5556 = 94.7368, level 85.2632."""
    market = {"A": candles(BEFORE, QUIET, still(90.0), (88.0, 88.0, 80.0, 81.0), still(81.0))}
    result = run_weights(market, {"A": [0.5, 1.0]}, risk={"stop_loss": 0.1})
    average = (500.0 + 500.0) / (5.0 + 500.0 / 90.0)
    assert stories(result)[2] == (3, "sell", round(0.9 * average, 9), "stop_loss", "inside")


def test_a_reduction_leaves_the_level_where_it_was() -> None:
    market = {"A": candles(BEFORE, QUIET, still(95.0), (94.0, 94.0, 89.0, 91.0), still(91.0))}
    result = run_weights(market, {"A": [1.0, 0.5]}, risk={"stop_loss": 0.1})
    assert stories(result)[2] == (3, "sell", 90.0, "stop_loss", "inside")


def test_adding_does_not_reset_the_peak_of_a_trailing_stop() -> None:
    """The peak of 120 of bar 2 stays when more is bought at 112 on bar 3: 108 is reached there and then."""
    market = {"A": candles(BEFORE, QUIET, (100.0, 120.0, 100.0, 112.0), (112.0, 112.0, 107.0, 110.0), still(110.0))}
    result = run_weights(market, {"A": [0.2, None, 0.8]}, risk={"trailing_stop": 0.1})
    assert [(bar, price) for bar, _, price, *_ in stories(result)] == [(1, 100.0), (3, 112.0), (3, 108.0)]


def test_a_flip_measures_its_stop_from_its_own_price() -> None:
    bars = (QUIET, still(105.0), (106.0, 116.0, 106.0, 108.0), still(108.0))
    result = held_long(*bars, wishes=["enter_short"], risk={"stop_loss": 0.1}, execution={"direction": "long_short"})
    assert stories(result)[3] == (3, "buy", 115.5, "stop_loss", "inside")


# --- the end of data


def test_a_stop_on_the_last_bar_of_ended_data_comes_before_the_delisting() -> None:
    other = {"B": prices([1.0] * 5)}
    market = {"A": candles(BEFORE, QUIET, (98.0, 99.0, 85.0, 87.0)), **other}
    result = run_signals(market, {"A": ["enter_long"]}, risk={"stop_loss": 0.1})
    assert [reason for *_, reason, _ in stories(result)] == ["entry", "stop_loss"]
    assert "delisted" not in codes(result)
    market = {"A": candles(BEFORE, QUIET, (98.0, 99.0, 91.0, 92.0)), **other}
    result = run_signals(market, {"A": ["enter_long"]}, risk={"stop_loss": 0.1})
    assert stories(result)[1] == (2, "sell", 92.0, "delisted", "close")


def test_stops_are_the_same_in_one_go_and_bar_by_bar() -> None:
    """What is remembered between two calls is all that a stop needs."""
    rng = np.random.default_rng(5)
    closes = (100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.03, 300)))).tolist()
    opens = [100.0, *closes[:-1]]
    bars = candles(*((o, max(o, c) * 1.01, min(o, c) * 0.99, c) for o, c in zip(opens, closes, strict=True)))
    config = parse_config(
        {
            "name": "x",
            "strategy_type": "sma_crossover",
            "parameters": {"fast": 2, "slow": 5},
            "symbols": ["A"],
            "execution": {"direction": "long_short"},
            "risk": {"stop_loss": 0.05, "take_profit": 0.08, "trailing_stop": 0.06},
        }
    )
    whole, steps = Simulation(config, bars_of({"A": bars})), Simulation(config, bars_of({"A": bars}))
    whole.advance(300)
    for stop in range(1, 301):
        steps.advance(stop)
    assert steps.result().equity.tobytes() == whole.result().equity.tobytes()
    assert fills(steps.result()) == fills(whole.result())
    assert {"stop_loss", "take_profit", "trailing_stop"} <= set(whole.result().fills["reason"].tolist())
