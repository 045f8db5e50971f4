"""Notices: what a reader must know before trusting the numbers. Others stand beside the rules they belong to."""

import datetime as dt
import json

import numpy as np
import pytest
from markets import codes, days, prices, run, run_signals, without

from backproof.domain.backtest import Notice
from backproof.engine.result import Result


def notice(result: Result, code: str) -> Notice:
    (found,) = (one for one in result.notices if one.code == code)
    return found


def every_third_day(count: int) -> list[str]:
    return [(dt.date(2023, 1, 2) + dt.timedelta(days=3 * n)).isoformat() for n in range(count)]


def test_missing_bars_are_counted_by_symbol() -> None:
    market = {"A": without(prices([10.0] * 8), 2, 3), "B": without(prices([10.0] * 8), 5), "C": prices([10.0] * 8)}
    found = notice(run(market, "buy_and_hold"), "gaps")
    assert found.details["missing"] == {"A": 2, "B": 1}
    assert "3 bars are missing in A, B" in found.message


def test_a_late_listing_and_an_early_end_are_no_gaps() -> None:
    market = {"A": prices([10.0] * 8), "B": prices([10.0] * 4, dates=days(8)[2:6])}
    assert "gaps" not in codes(run(market, "buy_and_hold"))


def test_gaps_outside_the_run_are_not_told() -> None:
    market = {"A": without(prices([10.0] * 8), 2), "B": prices([10.0] * 8)}
    assert "gaps" in codes(run(market, "buy_and_hold"))
    assert "gaps" not in codes(run(market, "buy_and_hold", start_date=days(8)[3]))


def test_more_than_ten_days_without_any_bar_are_told_with_the_longest() -> None:
    dates = ["2024-01-02", "2024-01-03", "2024-01-04", "2024-01-15", "2024-01-16", "2024-01-29", "2024-01-30"]
    found = notice(run({"A": prices([10.0] * 7, dates=dates)}, "buy_and_hold"), "gaps")
    assert found.details["long_gaps"] == [["2024-01-04", "2024-01-15"], ["2024-01-16", "2024-01-29"]]
    assert "2 times (longest from 2024-01-16 to 2024-01-29)" in found.message
    ten = ["2024-01-02", "2024-01-03", "2024-01-04", "2024-01-14", "2024-01-15"]
    assert "gaps" not in codes(run({"A": prices([10.0] * 5, dates=ten)}, "buy_and_hold"))


def test_many_symbols_over_years_of_which_none_ended_are_called_survivors() -> None:
    dates = [(dt.date(2020, 1, 6) + dt.timedelta(days=t)).isoformat() for t in range(0, 1150, 3)]
    long = {symbol: prices([10.0] * len(dates), dates=dates) for symbol in "ABCDE"}
    assert "survivorship" in codes(run(long, "buy_and_hold"))
    assert "survivorship" not in codes(run(long, "buy_and_hold", start_date="2020-06-01"))  # under three years
    assert "survivorship" not in codes(run({s: long[s] for s in "ABCD"}, "buy_and_hold"))
    ended = {**long, "C": prices([10.0] * 100, dates=dates[:100])}
    assert "survivorship" not in codes(run(ended, "buy_and_hold"))


def test_few_trades_are_fewer_than_thirty() -> None:
    for trades in (29, 30):
        count = 2 * trades + 1
        result = run_signals(
            {"A": prices([10.0 + t % 2 for t in range(count)])}, {"A": ["enter_long", "exit"] * trades}
        )
        assert result.metrics["trades"] == trades
        assert ("few_trades" in codes(result)) == (trades < 30)


def test_a_message_names_five_symbols_and_the_details_all() -> None:
    market = {symbol: without(prices([10.0] * 6), 3) for symbol in "ABCDEFG"} | {"Z": prices([10.0] * 6)}
    found = notice(run(market, "buy_and_hold"), "gaps")
    assert found.message.endswith("A, B, C, D, E and 2 more")
    assert list(found.details["missing"]) == list("ABCDEFG")


def test_a_clean_run_of_the_baseline_has_nothing_to_say() -> None:
    market = {"A": prices([10.0] * 130, dates=every_third_day(130))}
    result = run(market, "buy_and_hold", costs={"commission_rate": 0.001})
    assert result.notices == []


def test_a_run_of_less_than_a_year_says_that_figures_per_year_are_extrapolated() -> None:
    for count, short in ((120, True), (126, False)):
        found = run({"A": prices([10.0] * count, dates=every_third_day(count))}, "buy_and_hold")
        assert ("short_run" in codes(found)) is short
    part = run({"A": prices([10.0] * 200, dates=every_third_day(200))}, "buy_and_hold", start_date="2024-01-01")
    assert notice(part, "short_run").details["days"] < 365


def test_borrowed_cash_is_said_to_cost_nothing() -> None:
    execution = {"max_leverage": 2.0, "sizing": {"value": 1.5}}
    result = run_signals({"A": prices([100.0] * 5)}, {"A": ["enter_long"]}, execution=execution)
    assert notice(result, "free_credit").details["most"] == pytest.approx(-result.cash.min())
    assert result.cash.min() == pytest.approx(-500.0)
    whole = run_signals({"A": prices([100.0, 99.7, 101.3])}, {"A": ["enter_long"]}, costs={"commission_rate": 0.0013})
    assert "free_credit" not in codes(whole), "all of the cash is none too much"


def test_a_symbol_with_fewer_bars_than_a_strategy_needs_is_named() -> None:
    market = {"A": prices([10.0 + t % 3 for t in range(60)]), "B": prices([10.0] * 20)}
    sma = {"parameters": {"fast": 5, "slow": 30}}
    found = notice(run(market, "sma_crossover", **sma), "never_decided")
    assert found.details["symbols"] == ["B"]
    assert found.details["needed"] <= 30
    enough = {"A": market["A"], "B": prices([10.0] * (found.details["needed"] + 1))}
    assert "never_decided" not in codes(run(enough, "sma_crossover", **sma))
    before = run(market, "sma_crossover", **sma, symbols=["A"], start_date=market["A"]["date"][50])
    assert "never_decided" not in codes(before), "bars before the run warm it up"


def test_borrow_alone_is_a_run_without_trading_costs() -> None:
    assert "no_costs" in codes(run({"A": prices([10.0] * 3)}, "buy_and_hold", costs={"borrow_rate": 0.01}))


def test_notices_are_plain_json_and_each_is_there_once() -> None:
    """A run in which nearly everything goes wrong."""
    rng = np.random.default_rng(2)
    closes = (100.0 * np.exp(np.cumsum(rng.normal(-0.01, 0.05, 60)))).tolist()
    market = {
        "A": without(prices(closes), 20, 21),
        "B": prices([50.0] * 30),
        "C": prices([1e6] * 60),
        "D": prices([1.0, 1.0], dates=["2020-01-06", "2020-01-07"]),
    }
    wishes = {
        "A": ["enter_long", *[{"signal": "enter_long", "type": "limit", "price": 1.0}] * 50],
        "B": ["enter_long"],
        "C": ["enter_long"] * 50,
    }
    result = run_signals(
        market,
        wishes,
        start_date="2024-01-01",
        execution={
            "fractional_shares": False,
            "max_leverage": 3.0,
            "maintenance_margin": 0.3,
            "sizing": {"value": 1.4},
        },
        risk={"stop_loss": 0.3},
    )
    found = [one.code for one in result.notices]
    assert len(found) == len(set(found))
    assert {
        "no_costs", "symbol_without_bars", "gaps", "dropped_entries", "expired_entries", "delisted", "few_trades",
    } <= set(found)  # fmt: skip
    for one in result.notices:
        assert json.loads(json.dumps(one.details, allow_nan=False)) == one.details
        assert not one.message[0].isupper()
        assert not one.message.endswith(".")


@pytest.mark.parametrize("code", ["margin_call", "insolvent"])
def test_what_ended_badly_says_when(code: str) -> None:
    closes = [100.0, 100.0, 70.0 if code == "margin_call" else 40.0, 70.0]
    execution = {"max_leverage": 2.0, "maintenance_margin": 0.3, "sizing": {"value": 2.0}}
    result = run_signals({"A": prices(closes)}, {"A": ["enter_long"]}, execution=execution)
    details = notice(result, code).details
    assert details in ({"bars": [2]}, {"date": days(4)[2]})


def test_a_percent_that_was_written_for_a_fraction_is_said() -> None:
    market = {"A": prices([100.0 + t for t in range(6)])}
    given = {
        "costs": {"commission_rate": 0.1, "borrow_rate": 0.5},
        "risk": {"take_profit": 10.0},
        "risk_free_rate": 5.0,
        "execution": {"sizing": {"value": 50.0}},
    }
    found = notice(run_signals(market, {"A": ["enter_long"]}, **given), "likely_percent")
    assert found.details["fields"] == {
        "/costs/commission_rate": 0.1,
        "/costs/borrow_rate": 0.5,
        "/risk/take_profit": 10.0,
        "/risk_free_rate": 5.0,
        "/execution/sizing/value": 50.0,
    }
    assert "/risk_free_rate 5 is 500%" in found.message
    usual = {
        "costs": {"commission_rate": 0.0149, "borrow_rate": 0.3},
        "risk": {"take_profit": 2.0},
        "risk_free_rate": 0.2,
        "execution": {"sizing": {"value": 2.5}, "max_leverage": 3.0},
    }
    assert "likely_percent" not in codes(run_signals(market, {"A": ["enter_long"]}, **usual))
    shares = {"execution": {"sizing": {"type": "fixed_shares", "value": 50.0}}}
    assert "likely_percent" not in codes(run_signals(market, {"A": ["enter_long"]}, **shares))
