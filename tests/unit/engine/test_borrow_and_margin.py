"""What short positions cost over night, and what happens when there is not enough equity behind positions.

The days are Tuesday 2 January 2024 and on: bar 3 is Friday, bar 4 Monday. A rate of 0.365 is a thousandth per day.
"""

from typing import Any

import numpy as np
import pytest
from candles import candles, still, stories
from markets import codes, fills, prices, run_signals, run_weights, without

from backproof.domain.config import parse_config
from backproof.engine.result import Result
from backproof.errors import InvalidInput

RATE = {"borrow_rate": 0.365}
SHORT = {"direction": "short_only"}
FLAT = [100.0] * 6


def short(closes: list[float], wishes: list[str], **config: Any) -> Result:
    config = {"execution": SHORT, "costs": RATE, **config}
    return run_signals({"A": prices(closes)}, {"A": wishes}, **config)


def borrow_events(result: Result) -> list[tuple[int, float]]:
    return [(int(e["bar"]), round(float(e["cash"]), 9)) for e in result.events if e["kind"] == "borrow"]


# --- borrow


def test_borrowing_costs_the_last_closes_value_for_every_calendar_day_until_today() -> None:
    """Short 10 at 100 from bar 1: at 110 a night costs 1.1, at 120 the weekend 3 x 1.2."""
    result = short([100.0, 100.0, 110.0, 120.0, 120.0, 120.0], ["enter_short"])
    fees = [0.0, 0.0, 1.0, 1.0 + 1.1, 1.0 + 1.1 + 3.6, 1.0 + 1.1 + 3.6 + 1.2]
    prices_gone = [0.0, 0.0, 100.0, 200.0, 200.0, 200.0]
    np.testing.assert_allclose(result.equity, [1000.0 - a - b for a, b in zip(prices_gone, fees, strict=True)])
    assert result.costs["borrow"] == pytest.approx(fees[-1])


def test_long_positions_borrow_nothing() -> None:
    result = run_signals({"A": prices(FLAT)}, {"A": ["enter_long"]}, costs=RATE)
    assert result.equity.tolist() == [1000.0] * 6


def test_nothing_is_borrowed_where_no_rate_is_given() -> None:
    assert short(FLAT, ["enter_short"], costs={}).equity.tolist() == [1000.0] * 6


def test_the_last_night_is_paid_by_the_trade_that_was_short() -> None:
    """Short over the nights to bar 2 and 3, covered at the open of bar 3."""
    result = short(FLAT, ["enter_short", "", "exit"])
    assert fills(result)[1][:3] == (3, "A", "buy")
    assert borrow_events(result) == [(3, -2.0)]
    (trade,) = result.trades
    assert (trade["income"], trade["profit"]) == pytest.approx((-2.0, -2.0))
    assert result.equity[-1] == pytest.approx(998.0)


def test_the_weekend_before_a_flip_belongs_to_the_short_and_not_to_the_long() -> None:
    result = short(FLAT, ["", "enter_short", "", "enter_long"], execution={"direction": "long_short"})
    assert result.trades["side"].tolist() == ["short", "long"]
    assert borrow_events(result) == [(4, -4.0)]  # one night to Friday, three days to Monday
    np.testing.assert_allclose(result.trades["income"], [-4.0, 0.0])
    np.testing.assert_allclose(result.trades["profit"], [-4.0, 0.0], atol=1e-9)


def test_borrow_of_a_position_that_is_still_open_is_in_its_trade() -> None:
    result = short(FLAT, ["enter_short"])
    (trade,) = result.trades
    assert (trade["reason"], trade["income"]) == ("open", pytest.approx(-6.0))
    assert trade["profit"] == pytest.approx(result.equity[-1] - 1000.0)
    assert borrow_events(result) == []  # listed when the position changes
    assert result.costs["borrow"] == pytest.approx(6.0)


def test_borrow_is_listed_when_the_position_changes_for_all_days_before() -> None:
    result = run_weights({"A": prices(FLAT)}, {"A": [-1.0, None, -0.5]}, execution=SHORT, costs=RATE)
    assert borrow_events(result) == [(3, -2.0)]
    assert result.costs["borrow"] == pytest.approx(2.0 + (3 + 1) * 0.1 * float(-result.positions[3, 0]))


def test_a_shorts_borrow_goes_on_over_missing_bars_at_the_last_close() -> None:
    market = {"A": without(prices([100.0, 100.0, 110.0, 110.0, 110.0, 110.0]), 3, 4), "B": prices([1.0] * 6)}
    result = run_signals(market, {"A": ["enter_short"]}, execution={**SHORT, "sizing": {"value": 1.0}}, costs=RATE)
    np.testing.assert_allclose(1000.0 - result.equity, [0.0, 0.0, 101.0, 102.1, 105.4, 106.5])


def test_borrow_is_paid_at_the_close_after_the_days_orders() -> None:
    """Half short over the weekend: 1.5 are due on Monday, and Monday's entry is sized before."""
    market = {"A": prices(FLAT), "B": prices(FLAT)}
    wishes = {"A": ["", "", "enter_short"], "B": ["", "", "", "enter_short"]}
    result = run_signals(market, wishes, execution=SHORT, costs=RATE)
    assert fills(result) == [(3, "A", "sell", 5.0, 100.0), (4, "B", "sell", 5.0, 100.0)]
    np.testing.assert_allclose(result.equity, [1000.0, 1000.0, 1000.0, 1000.0, 998.5, 997.5])


def test_what_is_decided_before_the_first_bar_of_a_run_borrows_nothing_before_it() -> None:
    result = short(FLAT, ["enter_short"] * 6, start_date="2024-01-05")
    np.testing.assert_allclose(result.equity, [1000.0, 1000.0, 999.0])


# --- a price move beyond max_leverage, and margin


def test_max_leverage_limits_openings_only() -> None:
    """Twice long at 100; at 60 the position of 1200 stands on 200: six times, and nothing is sold."""
    market = {"A": prices([100.0, 100.0, 60.0, 60.0])}
    twice = {"max_leverage": 2.0, "sizing": {"value": 2.0}}
    result = run_signals(market, {"A": ["enter_long"]}, execution=twice)
    assert len(result.fills) == 1
    assert result.gross[-1] / result.equity[-1] == pytest.approx(6.0)


def margined(closes: list[float], margin: float = 0.3, wishes: Any = ("enter_long",), **config: Any) -> Result:
    """Twice long from bar 1 on: 20 shares for 2000, of which 1000 are debt."""
    execution = {"max_leverage": 2.0, "sizing": {"value": 2.0}, "maintenance_margin": margin}
    config["execution"] = execution | config.get("execution", {})
    return run_signals({"A": prices(closes)}, {"A": list(wishes)}, **config)


def test_a_margin_call_reduces_to_max_leverage_at_the_close() -> None:
    """At 70 equity is 400 and 0.3 x 1400 = 420 are needed: of 20 shares 2 x 400 / 1400 remain."""
    result = margined([100.0, 100.0, 70.0, 70.0])
    remain = 20.0 * 800.0 / 1400.0
    assert stories(result)[1] == (2, "sell", 70.0, "margin_call", "close")
    assert fills(result)[1][3] == pytest.approx(20.0 - remain)
    np.testing.assert_allclose(result.gross[2:], 800.0)
    np.testing.assert_allclose(result.equity[2:], 400.0)
    (notice,) = (notice for notice in result.notices if notice.code == "margin_call")
    assert "1 margin call:" in notice.message


def test_equity_that_just_reaches_the_margin_is_enough() -> None:
    """At 80: equity 600 and 0.375 x 1600 = 600."""
    assert len(margined([100.0, 100.0, 80.0], margin=0.375).fills) == 1
    assert len(margined([100.0, 100.0, 79.99], margin=0.375).fills) == 2
    market = {"A": prices([100.0, 100.0, 80.0]), "B": prices([10.0] * 3)}  # B's order, dropped, makes bar 2 a busy one
    execution = {"max_leverage": 2.0, "sizing": {"value": 2.0}, "maintenance_margin": 0.375}
    result = run_signals(market, {"A": ["enter_long"], "B": ["", "enter_long"]}, execution=execution)
    assert [symbol for _, symbol, *_ in fills(result)] == ["A"]


def test_margin_is_called_again_when_the_price_goes_on_falling() -> None:
    """400 behind 800 at 70; at 50 it is 400 - 11.43 x 20 = 171.4 behind 571.4, just enough; at 49 it is not."""
    result = margined([100.0, 100.0, 70.0, 50.0, 49.0, 49.0])
    assert [(bar, reason) for bar, _, _, reason, _ in stories(result)[1:]] == [(2, "margin_call"), (4, "margin_call")]
    (notice,) = (notice for notice in result.notices if notice.code == "margin_call")
    assert "2 margin calls:" in notice.message
    np.testing.assert_allclose(result.gross[4:] / result.equity[4:], 2.0)


def test_a_margin_call_pays_ordinary_costs() -> None:
    costs = {"slippage_bps": 100.0, "commission_fixed": 5.0}
    result = margined([100.0, 100.0, 70.0, 70.0], costs=costs)
    call = result.fills[1]
    assert (call["price"], call["commission"]) == (pytest.approx(69.3), 5.0)


def test_whole_shares_are_cut_toward_zero_by_a_margin_call() -> None:
    """20 x 4 / 7 = 11.43: 11 remain."""
    result = margined([100.0, 100.0, 70.0, 70.0], execution={"fractional_shares": False})
    assert result.positions[:, 0].tolist() == [0.0, 20.0, 11.0, 11.0]


def test_a_margin_call_cuts_all_positions_that_trade_that_day_by_one_factor() -> None:
    """Long 10 of A, short 10 of B; C, long 5, has no bar on the day of the call and stays as it is.

    Cash 500 from 1000 - 1000 + 1000 - 500; at 50 and 120: equity 500 + 500 - 1200 + 500 = 300 of gross 2200.
    """
    market = {
        "A": prices([100.0, 100.0, 50.0, 50.0]),
        "B": prices([100.0, 100.0, 120.0, 120.0]),
        "C": without(prices([100.0] * 4), 2),
    }
    result = run_weights(
        market,
        {"A": [1.0], "B": [-1.0], "C": [0.5]},
        execution={"direction": "long_short", "max_leverage": 3.0, "maintenance_margin": 0.2},
    )
    keep = 3.0 * 300.0 / 2200.0
    np.testing.assert_allclose(result.positions[2], [10.0 * keep, -10.0 * keep, 5.0])
    assert {str(f["symbol"]) for f in result.fills if f["reason"] == "margin_call"} == {"A", "B"}


def test_after_a_margin_call_stops_stand_where_they_stood() -> None:
    market = {"A": candles(still(100.0), still(100.0), still(70.0), (70.0, 70.0, 55.0, 60.0))}
    execution = {"max_leverage": 2.0, "sizing": {"value": 2.0}, "maintenance_margin": 0.3}
    result = run_signals(market, {"A": ["enter_long"]}, execution=execution, risk={"stop_loss": 0.4})
    assert [(bar, price, reason) for bar, _, price, reason, _ in stories(result)[1:]] == [
        (2, 70.0, "margin_call"),
        (3, 60.0, "stop_loss"),
    ]


def test_a_signal_at_the_close_of_a_margin_call_and_later_ones_count() -> None:
    """One whole share is sold altogether: an entry at that close, or later, is no entry while holding."""
    closes = [1000.0, 1000.0, 700.0, 500.0, 500.0, 500.0]
    for at in (2, 3):
        result = margined(
            closes,
            margin=0.45,
            wishes=["enter_long", *[""] * (at - 1), "enter_long"],
            initial_capital=600.0,
            execution={"fractional_shares": False},
        )
        assert [(bar, side, reason) for bar, side, _, reason, _ in stories(result)] == [
            (1, "buy", "entry"),
            (2, "sell", "margin_call"),
            (at + 1, "buy", "entry"),
        ]


def test_insolvency_comes_before_a_margin_call() -> None:
    result = margined([100.0, 100.0, 50.0, 50.0])
    assert stories(result)[1] == (2, "sell", 50.0, "insolvent", "close")
    assert result.insolvent
    assert "margin_call" not in codes(result)


def test_a_margin_call_whose_costs_leave_nothing_ends_the_account() -> None:
    """Equity of 400 pays 450 for the call and once more for the rest."""
    result = margined([100.0, 100.0, 70.0, 90.0], costs={"commission_fixed": 450.0}, initial_capital=1450.0)
    assert [(bar, reason) for bar, _, _, reason, _ in stories(result)[1:]] == [(2, "margin_call"), (2, "insolvent")]
    assert result.insolvent
    assert result.equity[2] == result.equity[3] < 0.0


def test_without_a_maintenance_margin_there_is_no_call() -> None:
    assert len(margined([100.0, 100.0, 51.0], margin=0.0).fills) == 1
    given = {"name": "x", "strategy_type": "buy_and_hold", "symbols": ["A"]}
    assert parse_config(given).execution.maintenance_margin is None


@pytest.mark.parametrize(
    ("execution", "word"),
    [
        ({"max_leverage": 2.0, "maintenance_margin": 0.5}, "must be below 1"),
        ({"maintenance_margin": 1.0}, "less than 1"),
        ({"maintenance_margin": -0.1}, "greater than or equal to 0"),
        ({"maintenance_margin": float("nan")}, "finite"),
    ],
)
def test_a_margin_that_cannot_be_kept_is_refused(execution: dict[str, float], word: str) -> None:
    given = {"name": "x", "strategy_type": "buy_and_hold", "symbols": ["A"], "execution": execution}
    with pytest.raises(InvalidInput, match=word) as caught:
        parse_config(given)
    assert caught.value.errors[0].pointer == "/execution/maintenance_margin"


# --- the end of an account


def test_insolvency_closes_what_has_no_bar_that_day_at_its_last_close() -> None:
    market = {
        "A": prices([100.0, 100.0, 400.0, 400.0]),
        "B": without(prices([100.0] * 4), 2),
    }
    result = run_weights(
        market, {"A": [-0.5], "B": [0.5]}, execution={"direction": "long_short"}, costs={"slippage_bps": 100.0}
    )
    assert result.insolvent
    assert [(bar, price, reason) for bar, _, price, reason, _ in stories(result)[2:]] == [
        (2, 404.0, "insolvent"),
        (2, 99.0, "insolvent"),
    ]
    assert result.equity[2] == result.equity[3] < 0.0
