"""Limit and stop entries: when they are reached, at what price, how long they wait, what pays for them.

The market stands at 100 until the entry is decided at the close of bar 0; an account of 1000 buys 1000 / price shares.
"""

from typing import Any

import pytest
from candles import Candle, candles, still, stories
from markets import codes, fills, prices, run_signals, without

from backproof.engine.result import Result
from backproof.errors import InvalidInput

BEFORE = still(100.0)


def wish(signal: str, kind: str, price: float, valid: str = "bar") -> dict[str, Any]:
    return {"signal": signal, "type": kind, "price": price, "valid": valid}


def buy(kind: str, price: float, *bars: Candle, valid: str = "bar", more: Any = (), **config: Any) -> Result:
    wishes = [wish("enter_long", kind, price, valid), *more]
    return run_signals({"A": candles(BEFORE, *bars)}, {"A": wishes}, **config)


def sell(kind: str, price: float, *bars: Candle, **config: Any) -> Result:
    wishes = [wish("enter_short", kind, price)]
    config["execution"] = {"direction": "short_only", **config.get("execution", {})}
    return run_signals({"A": candles(BEFORE, *bars)}, {"A": wishes}, **config)


# --- price


def test_a_limit_entry_fills_at_its_level_when_the_bar_reaches_it() -> None:
    result = buy("limit", 95.0, (99.0, 100.0, 94.0, 98.0))
    assert stories(result) == [(1, "buy", 95.0, "entry", "inside")]
    assert fills(result)[0][3] == pytest.approx(1000.0 / 95.0)
    assert result.fills["order"].tolist() == ["limit"]
    short = sell("limit", 105.0, (101.0, 106.0, 100.0, 102.0))
    assert stories(short) == [(1, "sell", 105.0, "entry", "inside")]


def test_a_limit_entry_fills_at_the_open_when_the_open_is_at_it_or_better() -> None:
    assert stories(buy("limit", 95.0, (95.0, 99.0, 94.0, 98.0))) == [(1, "buy", 95.0, "entry", "open")]
    better = buy("limit", 95.0, (80.0, 99.0, 79.0, 98.0))
    assert stories(better) == [(1, "buy", 80.0, "entry", "open")]
    assert fills(better)[0][3] == 12.5  # sized at the price it fills at, not at its level
    assert stories(sell("limit", 105.0, (120.0, 121.0, 90.0, 91.0))) == [(1, "sell", 120.0, "entry", "open")]


def test_a_level_that_is_exactly_the_bars_extreme_is_reached() -> None:
    assert len(buy("limit", 95.0, (99.0, 100.0, 95.0, 98.0)).fills) == 1
    assert len(buy("limit", 95.0, (99.0, 100.0, 95.01, 98.0)).fills) == 0
    assert len(buy("stop", 105.0, (99.0, 105.0, 95.0, 98.0)).fills) == 1
    assert len(buy("stop", 105.0, (99.0, 104.99, 95.0, 98.0)).fills) == 0
    assert len(sell("limit", 105.0, (99.0, 105.0, 95.0, 98.0)).fills) == 1
    assert len(sell("stop", 95.0, (99.0, 105.0, 95.0, 98.0)).fills) == 1


def test_a_stop_entry_waits_for_the_price_to_run_away() -> None:
    assert stories(buy("stop", 105.0, (101.0, 106.0, 100.0, 104.0))) == [(1, "buy", 105.0, "entry", "inside")]
    assert stories(sell("stop", 95.0, (99.0, 100.0, 94.0, 96.0))) == [(1, "sell", 95.0, "entry", "inside")]


def test_a_stop_entry_beyond_the_gap_fills_at_the_open_with_slippage_and_a_limit_has_none() -> None:
    costs = {"slippage_bps": 100.0}
    gap = buy("stop", 105.0, (110.0, 112.0, 109.0, 111.0), costs=costs)
    assert stories(gap) == [(1, "buy", 111.1, "entry", "open")]
    assert gap.fills["order"].tolist() == ["stop"]
    inside = buy("stop", 105.0, (101.0, 106.0, 100.0, 104.0), costs=costs)
    assert stories(inside)[0][2] == pytest.approx(105.0 * 1.01)
    below = sell("stop", 95.0, (90.0, 91.0, 89.0, 90.0), costs=costs)
    assert stories(below) == [(1, "sell", 89.1, "entry", "open")]
    limit = buy("limit", 95.0, (99.0, 100.0, 94.0, 98.0), costs=costs)
    assert stories(limit)[0][2] == 95.0
    at_open = buy("limit", 95.0, (80.0, 99.0, 79.0, 98.0), costs=costs)
    assert stories(at_open)[0][2] == 80.0
    assert limit.costs["slippage"] == at_open.costs["slippage"] == 0.0


# --- how long it waits


def test_an_entry_that_is_not_reached_on_the_next_bar_expires_and_is_counted() -> None:
    result = buy("limit", 95.0, (99.0, 100.0, 96.0, 98.0), (97.0, 97.0, 90.0, 91.0))
    assert len(result.fills) == 0
    (notice,) = (notice for notice in result.notices if notice.code == "expired_entries")
    assert notice.details["symbols"] == {"A": 1}


def test_an_entry_good_till_cancelled_waits_until_it_is_reached() -> None:
    above = (99.0, 100.0, 96.0, 98.0)
    result = buy("limit", 95.0, above, above, above, (97.0, 97.0, 90.0, 91.0), valid="gtc")
    assert stories(result) == [(4, "buy", 95.0, "entry", "inside")]
    assert "expired_entries" not in codes(result)


def test_a_newer_signal_replaces_a_waiting_entry() -> None:
    above, falls = (99.0, 100.0, 96.0, 98.0), (97.0, 97.0, 80.0, 81.0)
    other = buy("limit", 95.0, above, falls, valid="gtc", more=[wish("enter_long", "limit", 85.0)])
    assert stories(other) == [(2, "buy", 85.0, "entry", "inside")]
    market = buy("limit", 95.0, above, falls, valid="gtc", more=["enter_long"])
    assert stories(market) == [(2, "buy", 97.0, "entry", "open")]
    cancelled = buy("limit", 95.0, above, falls, valid="gtc", more=["exit"])
    assert len(cancelled.fills) == 0


def test_the_next_bar_of_a_limit_entry_is_the_symbols_own() -> None:
    columns = without(candles(BEFORE, still(90.0), (99.0, 100.0, 94.0, 98.0)), 1)
    market = {"A": columns, "B": prices([1.0] * 3)}
    result = run_signals(market, {"A": [wish("enter_long", "limit", 95.0)]})
    assert stories(result) == [(2, "buy", 95.0, "entry", "inside")]


def test_a_waiting_entry_is_gone_when_the_data_of_its_symbol_end() -> None:
    market = {"A": candles(BEFORE, still(99.0), still(98.0)), "B": prices([1.0] * 6)}
    result = run_signals(market, {"A": [wish("enter_long", "limit", 95.0, "gtc")]})
    assert len(result.fills) == 0
    market = {"A": candles(BEFORE, still(99.0), (98.0, 98.0, 94.0, 97.0)), "B": prices([1.0] * 6)}
    result = run_signals(market, {"A": [wish("enter_long", "limit", 95.0, "gtc")]})
    assert [reason for *_, reason, _ in stories(result)] == ["entry", "delisted"]  # reached on its very last bar


# --- with other orders


def test_entries_reached_inside_the_bar_come_after_those_at_the_open() -> None:
    """A is first in the list, but B buys 600 at the open before; A's limit gets the 400 that are left."""
    market = {"A": candles(BEFORE, (99.0, 100.0, 94.0, 98.0)), "B": prices([10.0, 10.0])}
    wishes = {"A": [wish("enter_long", "limit", 95.0)], "B": ["enter_long"]}
    result = run_signals(market, wishes, execution={"sizing": {"value": 0.6}})
    assert fills(result) == [(1, "B", "buy", 60.0, 10.0), (1, "A", "buy", round(400.0 / 95.0, 9), 95.0)]


def test_entries_inside_the_bar_follow_in_the_order_of_symbols() -> None:
    """Equity is taken once, at the opens; nobody knows which limit was reached first."""
    dips = (99.0, 100.0, 90.0, 98.0)
    market = {"A": candles(BEFORE, dips), "B": candles(BEFORE, dips)}
    wishes = {"A": [wish("enter_long", "limit", 92.0)], "B": [wish("enter_long", "limit", 95.0)]}
    result = run_signals(market, wishes, execution={"sizing": {"value": 0.6}})
    assert [(symbol, price) for _, symbol, _, _, price in fills(result)] == [("A", 92.0), ("B", 95.0)]
    assert fills(result)[1][3] == pytest.approx(400.0 / 95.0)


def test_the_proceeds_of_a_bars_stops_do_not_pay_for_its_entries() -> None:
    """All money is in A, whose stop ends it on the bar that reaches B's limit: B is dropped."""
    market = {
        "A": candles(BEFORE, still(100.0), (98.0, 98.0, 85.0, 86.0)),
        "B": candles(BEFORE, still(100.0), (99.0, 100.0, 94.0, 98.0)),
    }
    wishes = {"A": ["enter_long"], "B": ["", wish("enter_long", "limit", 95.0)]}
    result = run_signals(market, wishes, execution={"sizing": {"value": 1.0}}, risk={"stop_loss": 0.1})
    assert [symbol for _, symbol, *_ in fills(result)] == ["A", "A"]
    assert "dropped_entries" in codes(result)


def test_a_flip_by_a_limit_leaves_the_old_side_at_the_open_and_waits_with_the_new_one() -> None:
    bars = (still(100.0), (101.0, 102.0, 99.0, 100.0), (101.0, 111.0, 100.0, 105.0))
    for valid, last in (("bar", []), ("gtc", [(3, "sell", 110.0, "entry", "inside")])):
        market = {"A": candles(BEFORE, *bars)}
        wishes = {"A": ["enter_long", wish("enter_short", "limit", 110.0, valid)]}
        result = run_signals(market, wishes, execution={"direction": "long_short"})
        assert stories(result) == [
            (1, "buy", 100.0, "entry", "open"),
            (2, "sell", 101.0, "signal", "open"),
            *last,
        ]


def test_a_limit_entry_while_holding_or_on_a_side_that_is_not_allowed_is_ignored() -> None:
    falls = (99.0, 100.0, 80.0, 81.0)
    holding = run_signals(
        {"A": candles(BEFORE, still(100.0), falls)},
        {"A": ["enter_long", wish("enter_long", "limit", 90.0)]},
        execution={"sizing": {"value": 0.2}},
    )
    assert len(holding.fills) == 1
    refused = run_signals(
        {"A": candles(BEFORE, (99.0, 120.0, 80.0, 81.0))}, {"A": [wish("enter_short", "limit", 110.0)]}
    )
    assert len(refused.fills) == 0


def test_limit_and_stop_entries_need_next_open() -> None:
    for fill in ("next_close", "same_close"):
        with pytest.raises(InvalidInput, match="need fill next_open") as caught:
            buy("limit", 95.0, still(90.0), execution={"fill": fill})
        assert caught.value.errors[0].pointer == "/execution/fill"


# --- stops on the bar of the entry


def test_after_an_entry_inside_the_bar_its_stop_is_checked_at_its_level() -> None:
    """Entered at 95, stopped at 85.5 on the same bar, although the open of 99 is above both."""
    result = buy("limit", 95.0, (99.0, 100.0, 80.0, 82.0), still(82.0), risk={"stop_loss": 0.1})
    assert stories(result) == [
        (1, "buy", 95.0, "entry", "inside"),
        (1, "sell", 85.5, "stop_loss", "inside"),
    ]
    above = sell("stop", 95.0, (110.0, 111.0, 94.0, 96.0), risk={"stop_loss": 0.1})
    assert stories(above)[1] == (1, "buy", 104.5, "stop_loss", "inside")  # never at the open before the entry


def test_after_an_entry_inside_the_bar_neither_its_target_nor_the_bars_high_counts() -> None:
    """They may have come before the entry: the target of 104.5 waits a bar, the peak stays at 95."""
    bars = ((100.0, 120.0, 94.0, 98.0), (97.0, 106.0, 96.0, 97.0))
    result = buy("limit", 95.0, *bars, risk={"take_profit": 0.1})
    assert stories(result)[1] == (2, "sell", 104.5, "take_profit", "inside")
    trailing = buy("limit", 95.0, *bars, risk={"trailing_stop": 0.1})
    assert len(trailing.fills) == 1  # from a peak of 120 it would have been sold at 108


def test_after_an_entry_at_the_open_the_whole_bar_counts() -> None:
    result = buy("limit", 95.0, (94.0, 120.0, 93.0, 98.0), risk={"take_profit": 0.1})
    assert stories(result)[1] == (1, "sell", 103.4, "take_profit", "inside")
