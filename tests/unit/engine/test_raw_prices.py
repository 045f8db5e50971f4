"""Raw prices: fills as traded, splits and dividends as events of the account.

Strategies still see adjusted prices: closes of 100, 100, 50 with a split of 2 are 50, 50, 50 to them.
"""

from typing import Any

import numpy as np
import pytest
from candles import candles, still, stories
from harness import bars_of
from markets import codes, fills, prices, run, run_signals, run_weights

from backproof.domain.config import parse_config
from backproof.engine.bars import RunBars
from backproof.engine.decisions import Decisions, Signals
from backproof.engine.result import Result
from backproof.engine.simulation import Simulation
from backproof.errors import DataError, InvalidInput

RAW = {"price_mode": "raw"}
SPLIT = {"split_ratio": [1, 1, 2, 1]}
HALVED = prices([100.0, 100.0, 50.0, 50.0]) | SPLIT


def raw(columns: Any, wishes: list[Any], **config: Any) -> Result:
    config["execution"] = {**RAW, **config.get("execution", {})}
    return run_signals({"A": columns}, {"A": wishes}, **config)


def events(result: Result) -> list[tuple[int, str, float, float, float]]:
    """(bar, kind, value, change of shares, cash) of every event, rounded to 9 decimals."""
    return [
        (int(e["bar"]), str(e["kind"]), *(round(float(e[name]), 9) for name in ("value", "shares", "cash")))
        for e in result.events
    ]


# --- what strategies see and what fills


def test_strategies_see_adjusted_prices_and_fills_are_as_traded() -> None:
    seen: list[list[float]] = []

    def decide(run_bars: RunBars) -> Decisions:
        seen.extend(getattr(run_bars, name)[0].tolist() for name in ("open", "high", "low", "close"))
        mask = np.zeros((1, run_bars.stop), dtype=np.uint8)
        mask[0, 0] = 1
        return Signals(mask)

    config = parse_config({"name": "x", "strategy_type": "x", "symbols": ["A"], "execution": RAW})
    simulation = Simulation(config, bars_of({"A": HALVED}), decide=decide)
    simulation.advance(4)
    assert seen == [[50.0] * 4] * 4
    assert fills(simulation.result()) == [(1, "A", "buy", 1000.0, 100.0)]


def test_a_split_is_no_crash_for_an_indicator() -> None:
    closes = [100.0 + t for t in range(20)] + [60.0 + t / 2.0 for t in range(20)]
    columns = prices(closes) | {"split_ratio": [1] * 20 + [2] + [1] * 19}
    result = run({"A": columns}, "sma_crossover", {"fast": 2, "slow": 4}, execution=RAW)
    assert [side for _, _, side, *_ in fills(result)] == ["buy"]


def test_with_splits_only_raw_and_adjusted_prices_give_the_same_equity() -> None:
    rng = np.random.default_rng(3)
    closes = 50.0 * np.exp(np.cumsum(rng.normal(0.0, 0.03, 200)))
    opens = closes * np.exp(rng.normal(0.0, 0.01, 200))
    ratios = np.ones(200)
    ratios[[40, 90, 130]] = [2.0, 0.1, 3.0]
    scale = np.prod(ratios) / np.cumprod(ratios)  # before a split prices are higher by its ratio
    columns = prices((closes * scale).tolist(), (opens * scale).tolist()) | {"split_ratio": ratios.tolist()}
    for strategy in ("sma_crossover", "bollinger"):
        risk = {"stop_loss": 0.05, "trailing_stop": 0.06, "take_profit": 0.2}
        same = [
            run({"A": columns}, strategy, execution={"price_mode": mode, "direction": "long_short"}, risk=risk)
            for mode in ("raw", "adjusted")
        ]
        assert len(same[0].fills) > 4
        np.testing.assert_allclose(same[0].equity, same[1].equity, rtol=1e-9)


# --- splits


def test_a_split_multiplies_shares_and_leaves_equity_as_it_was() -> None:
    result = raw(HALVED, ["enter_long"])
    assert result.positions[:, 0].tolist() == [0.0, 10.0, 20.0, 20.0]
    assert events(result) == [(2, "split", 2.0, 10.0, 0.0)]
    np.testing.assert_allclose(result.equity, 1000.0)
    short = raw(HALVED, ["enter_short"], execution={"direction": "short_only"})
    assert short.positions[:, 0].tolist() == [0.0, -10.0, -20.0, -20.0]
    np.testing.assert_allclose(short.equity, 1000.0)


def test_a_trade_over_a_split_is_told_in_todays_shares() -> None:
    columns = prices([100.0, 100.0, 50.0, 60.0, 60.0]) | {"split_ratio": [1, 1, 2, 1, 1]}
    (trade,) = raw(columns, ["enter_long", "", "exit"]).trades
    assert (trade["shares"], trade["entry_price"], trade["exit_price"]) == (20.0, 50.0, 60.0)
    assert trade["profit"] == pytest.approx(200.0)
    assert trade["return"] == pytest.approx(0.2)


def test_a_split_divides_the_levels_of_stops_and_targets() -> None:
    columns = candles(still(100.0), still(100.0), (49.0, 50.0, 44.0, 46.0), still(46.0), **SPLIT)
    stopped = raw(columns, ["enter_long"], risk={"stop_loss": 0.1})
    assert stories(stopped)[1] == (2, "sell", 45.0, "stop_loss", "inside")
    columns = candles(still(100.0), still(100.0), (51.0, 56.0, 50.0, 55.0), still(55.0), **SPLIT)
    assert stories(raw(columns, ["enter_long"], risk={"take_profit": 0.1}))[1][2] == 55.0
    short = raw(columns, ["enter_short"], risk={"stop_loss": 0.1}, execution={"direction": "short_only"})
    assert stories(short)[1] == (2, "buy", 55.0, "stop_loss", "inside")


def test_a_split_divides_the_peak_of_a_trailing_stop() -> None:
    """The peak of 120 becomes 60, the level 54."""
    columns = candles(still(100.0), (100.0, 120.0, 100.0, 118.0), (59.0, 59.0, 53.0, 54.0), still(54.0), **SPLIT)
    result = raw(columns, ["enter_long"], risk={"trailing_stop": 0.1})
    assert stories(result)[1] == (2, "sell", 54.0, "trailing_stop", "inside")


def test_a_split_divides_the_level_of_a_waiting_entry() -> None:
    """The strategy asks for 47.5 in its adjusted prices: 95 as traded before the split, 47.5 after it."""
    columns = candles(still(100.0), (99.0, 100.0, 96.0, 98.0), (49.0, 50.0, 47.0, 48.0), still(48.0), **SPLIT)
    wishes = [{"signal": "enter_long", "type": "limit", "price": 47.5, "valid": "gtc"}]
    assert stories(raw(columns, wishes)) == [(2, "buy", 47.5, "entry", "inside")]
    reached = candles(still(100.0), (99.0, 100.0, 94.0, 98.0), still(49.0), still(49.0), **SPLIT)
    assert stories(raw(reached, wishes)) == [(1, "buy", 95.0, "entry", "inside")]
    stop = candles(still(100.0), (99.0, 100.0, 96.0, 98.0), (49.0, 53.0, 48.0, 52.0), still(52.0), **SPLIT)
    wishes = [{"signal": "enter_long", "type": "stop", "price": 52.5, "valid": "gtc"}]
    assert stories(raw(stop, wishes)) == [(2, "buy", 52.5, "entry", "inside")]


def test_a_waiting_target_weight_is_sized_at_the_price_after_the_split() -> None:
    result = run_weights({"A": HALVED}, {"A": [None, 1.0]}, execution=RAW)
    assert fills(result) == [(2, "A", "buy", 20.0, 50.0)]


def test_with_whole_shares_a_splits_fraction_is_paid_in_cash_at_the_previous_close_over_the_ratio() -> None:
    """5 shares at 100 become 2 and half a share of 200: 100 in cash."""
    columns = prices([100.0, 100.0, 200.0, 220.0]) | {"split_ratio": [1, 1, 0.5, 1]}
    whole = {"fractional_shares": False}
    result = raw(columns, ["enter_long"], initial_capital=500.0, execution=whole)
    assert events(result) == [(2, "split", 0.5, -3.0, 100.0)]
    assert result.cash.tolist() == [500.0, 0.0, 100.0, 100.0]
    assert result.costs["cash_in_lieu"] == 100.0
    short = raw(columns, ["enter_short"], initial_capital=500.0, execution={**whole, "direction": "short_only"})
    assert events(short) == [(2, "split", 0.5, 3.0, -100.0)]
    assert short.equity.tolist() == [500.0, 500.0, 500.0, 460.0]


def test_a_split_that_leaves_no_whole_share_ends_the_trade() -> None:
    columns = prices([100.0, 100.0, 500.0, 500.0]) | {"split_ratio": [1, 1, 0.2, 1]}
    result = raw(columns, ["enter_long"], initial_capital=300.0, execution={"fractional_shares": False})
    assert events(result) == [(2, "split", 0.2, -3.0, 300.0)]
    (trade,) = result.trades
    assert (trade["reason"], result.metrics["trades"]) == ("split", 1)
    assert trade["profit"] == pytest.approx(0.0, abs=1e-9)
    assert np.isnan(trade["exit_price"])
    again = prices([100.0, 100.0, 500.0, 300.0]) | {"split_ratio": [1, 1, 0.2, 1]}
    whole = {"fractional_shares": False}
    for at in (2, 1):  # nothing is held at the close of bar 2, on bar 1 an entry would be one while holding
        wishes = ["enter_long", "", "enter_long"] if at == 2 else ["enter_long", "enter_long"]
        bought = fills(raw(again, wishes, initial_capital=300.0, execution=whole))
        assert [(bar, shares) for bar, _, _, shares, _ in bought] == [(1, 3.0), (3, 1.0)][:at]


# --- dividends


def test_a_dividend_credits_cash_on_the_ex_date_and_a_short_pays_it() -> None:
    columns = prices([100.0, 100.0, 95.0, 95.0]) | {"dividend": [0, 0, 5, 0]}
    result = raw(columns, ["enter_long"])
    assert events(result) == [(2, "dividend", 5.0, 0.0, 50.0)]
    np.testing.assert_allclose(result.equity, 1000.0)
    assert result.cash[2:].tolist() == [50.0, 50.0]
    assert result.costs["dividends"] == 50.0
    short = raw(columns, ["enter_short"], execution={"direction": "short_only"})
    assert events(short) == [(2, "dividend", 5.0, 0.0, -50.0)]
    np.testing.assert_allclose(short.equity, 1000.0)


def test_a_dividend_belongs_to_the_position_held_at_the_close_before() -> None:
    """Bought at the open of the ex-date: nothing. Sold there: paid."""
    columns = prices([100.0, 100.0, 95.0, 95.0]) | {"dividend": [0, 0, 5, 0]}
    assert events(raw(columns, ["", "enter_long"])) == []
    sold = raw(columns, ["enter_long", "exit"])
    assert events(sold) == [(2, "dividend", 5.0, 0.0, 50.0)]
    (trade,) = sold.trades
    assert (trade["income"], trade["profit"]) == (50.0, 0.0)


def test_a_split_comes_before_a_dividend_of_the_same_day() -> None:
    columns = prices([100.0, 100.0, 48.0, 48.0]) | SPLIT | {"dividend": [0, 0, 2, 0]}
    result = raw(columns, ["enter_long"])
    assert events(result) == [(2, "split", 2.0, 10.0, 0.0), (2, "dividend", 2.0, 0.0, 40.0)]
    np.testing.assert_allclose(result.equity, 1000.0)


def test_reinvested_dividends_buy_shares_at_the_ex_dates_close_without_costs() -> None:
    columns = prices([100.0, 100.0, 80.0, 80.0], opens=[100.0, 100.0, 95.0, 80.0]) | {"dividend": [0, 0, 5, 0]}
    costs = {"commission_fixed": 1.0, "slippage_bps": 10.0}
    result = raw(columns, ["enter_long"], execution={"dividends": "reinvest"}, costs=costs)
    held = 999.0 / 100.1
    assert stories(result)[1] == (2, "buy", 80.0, "dividend", "close")
    assert fills(result)[1][3] == pytest.approx(held * 5.0 / 80.0)
    assert result.fills["commission"].tolist() == [1.0, 0.0]
    assert result.cash[-1] == pytest.approx(0.0, abs=1e-9)
    whole = raw(columns, ["enter_long"], execution={"dividends": "reinvest", "fractional_shares": False})
    assert (whole.positions[-1, 0], whole.cash[-1]) == (10.0, 50.0)  # 50 buy no share of 80


def test_a_short_does_not_reinvest_what_it_pays() -> None:
    columns = prices([100.0, 100.0, 95.0, 95.0]) | {"dividend": [0, 0, 5, 0]}
    result = raw(columns, ["enter_short"], execution={"dividends": "reinvest", "direction": "short_only"})
    assert len(result.fills) == 1


def test_nothing_is_reinvested_in_a_position_that_was_closed_that_day() -> None:
    reinvest = {"dividends": "reinvest"}
    columns = candles(*(still(x) for x in (100.0, 100.0, 95.0, 95.0)), dividend=[0, 0, 5, 0])
    sold = raw(columns, ["enter_long", "exit"], execution=reinvest)
    assert [reason for *_, reason, _ in stories(sold)] == ["entry", "signal"]
    assert sold.cash[-1] == pytest.approx(1000.0)
    dips = candles(still(100.0), still(100.0), (95.0, 95.0, 85.0, 90.0), still(90.0), dividend=[0, 0, 5, 0])
    stopped = raw(dips, ["enter_long"], execution=reinvest, risk={"stop_loss": 0.1})
    assert [reason for *_, reason, _ in stories(stopped)] == ["entry", "stop_loss"]
    assert stopped.cash[-1] == pytest.approx(950.0)


def test_an_exit_that_fills_at_the_close_sells_what_was_reinvested_at_it() -> None:
    columns = prices([100.0, 100.0, 100.0, 95.0]) | {"dividend": [0, 0, 0, 5]}
    execution = {"dividends": "reinvest", "fill": "next_close"}
    result = raw(columns, ["enter_long", "", "exit"], execution=execution)
    assert [(bar, side, reason) for bar, side, _, reason, _ in stories(result)] == [
        (1, "buy", "entry"),
        (3, "buy", "dividend"),
        (3, "sell", "signal"),
    ]
    assert result.cash[-1] == pytest.approx(1000.0)


# --- what raw prices need


def test_raw_prices_are_refused_where_only_adjusted_closes_tell_of_events() -> None:
    columns = prices([100.0, 100.0, 50.0, 50.0]) | {"adj_close": [50.0, 50.0, 50.0, 50.0]}
    with pytest.raises(InvalidInput, match="raw prices need their splits and dividends") as caught:
        run({"A": columns}, "buy_and_hold", execution=RAW)
    assert [(e.pointer, e.code) for e in caught.value.errors] == [("/execution/price_mode", "no_events")]
    known = run({"A": columns | SPLIT}, "buy_and_hold", execution=RAW)
    assert "events_disagree" not in codes(known)


def test_raw_prices_are_refused_where_adjusted_closes_are_all_there_is() -> None:
    market = {"A": {"date": HALVED["date"], "adj_close": [50.0] * 4}}
    with pytest.raises(InvalidInput, match="adjusted closes only") as caught:
        run(market, "buy_and_hold", execution={**RAW, "fill": "next_close"})
    assert caught.value.errors[0].pointer == "/execution/price_mode"


def test_events_that_do_not_explain_the_adjusted_closes_are_said() -> None:
    columns = HALVED | {"adj_close": [40.0, 50.0, 50.0, 50.0]}
    assert "events_disagree" in codes(run({"A": columns}, "buy_and_hold", execution=RAW))
    assert "events_disagree" not in codes(run({"A": columns}, "buy_and_hold"))


def test_adjusted_closes_may_reinvest_a_dividend_before_the_ex_date_or_at_its_close() -> None:
    """A dividend of 20 on closes of 100 and 90: vendors have it as 1 - 20/100 or as 90 / (90 + 20)."""
    columns = prices([100.0, 100.0, 90.0, 90.0]) | {"dividend": [0, 0, 20, 0]}
    for factor, agrees in ((0.8, True), (90.0 / 110.0, True), (0.81, False)):
        adjusted = columns | {"adj_close": [100.0 * factor, 100.0 * factor, 90.0, 90.0]}
        found = codes(run({"A": adjusted}, "buy_and_hold", execution=RAW))
        assert ("events_disagree" not in found) == agrees, factor


def test_a_dividend_not_below_the_previous_close_is_never_paid() -> None:
    columns = prices([100.0, 100.0, 50.0, 50.0]) | {"adj_close": [100.0, 100.0, 50.0, 50.0], "dividend": [0, 0, 100, 0]}
    with pytest.raises(DataError, match="not below the previous close") as caught:
        run({"A": columns}, "buy_and_hold", execution=RAW)
    assert caught.value.details["symbol"] == "A"
    assert caught.value.details["date"] == columns["date"][2]
    assert run({"A": columns}, "buy_and_hold").equity[-1] == 500.0  # adjusted prices are as stored


def test_reinvesting_goes_with_raw_prices_only() -> None:
    with pytest.raises(InvalidInput, match="adjusted prices reinvest dividends already") as caught:
        run({"A": HALVED}, "buy_and_hold", execution={"dividends": "reinvest"})
    assert caught.value.errors[0].pointer == "/execution/dividends"


def test_units_of_raw_prices_are_real_and_not_warned_of() -> None:
    whole = {"fractional_shares": False}
    assert "fictitious_units" in codes(run({"A": HALVED}, "buy_and_hold", execution=whole))
    assert "fictitious_units" not in codes(run({"A": HALVED}, "buy_and_hold", execution=whole | RAW))
