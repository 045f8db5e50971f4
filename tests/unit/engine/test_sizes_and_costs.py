"""How much is bought and what it costs."""

import numpy as np
import pytest
from markets import codes, fills, prices, run, run_signals, run_weights

from backproof.errors import StrategyError

FLAT = [10.0] * 6


def one_buy(**config: object) -> float:
    result = run_signals({"A": prices(FLAT)}, {"A": ["enter_long"]}, **config)
    return float(result.fills["shares"][0]) if len(result.fills) else 0.0


def test_the_default_size_is_one_part_of_equity_per_symbol() -> None:
    market = {"A": prices(FLAT), "B": prices([20.0] * 6)}
    result = run_signals(market, {"A": ["enter_long"], "B": ["enter_long"]})
    assert fills(result) == [(1, "A", "buy", 50.0, 10.0), (1, "B", "buy", 25.0, 20.0)]


@pytest.mark.parametrize(
    ("sizing", "shares"),
    [
        ({"type": "percent_equity", "value": 0.3}, 30.0),
        ({"type": "percent_equity", "value": 3.0}, 100.0),
        ({"type": "fixed_shares", "value": 7.5}, 7.5),
        ({"type": "fixed_shares", "value": 400.0}, 100.0),
        ({"type": "fixed_cash", "value": 250.0}, 25.0),
        ({"type": "fixed_cash", "value": 9999.0}, 100.0),
    ],
)
def test_every_sizing_type_is_cut_to_buying_power(sizing: dict[str, object], shares: float) -> None:
    assert one_buy(execution={"sizing": sizing}) == pytest.approx(shares)


def test_the_budget_pays_the_commission() -> None:
    assert one_buy(costs={"commission_rate": 0.25}) == pytest.approx(1000.0 / (10.0 * 1.25))
    assert one_buy(costs={"commission_fixed": 100.0}) == pytest.approx(90.0)
    assert one_buy(costs={"commission_per_share": 2.5}) == pytest.approx(80.0)
    assert one_buy(costs={"commission_rate": 0.01, "commission_min": 100.0}) == pytest.approx(90.0)
    fixed_cash = {"sizing": {"type": "fixed_cash", "value": 500.0}}
    assert one_buy(execution=fixed_cash, costs={"commission_fixed": 100.0}) == pytest.approx(40.0)


def test_fixed_shares_are_cut_so_that_buying_power_pays_their_costs_too() -> None:
    sizing = {"sizing": {"type": "fixed_shares", "value": 100.0}}
    assert one_buy(execution=sizing, costs={"commission_fixed": 100.0}) == pytest.approx(90.0)


def test_whole_shares_are_truncated_toward_zero_longs_and_shorts_alike() -> None:
    whole = {"fractional_shares": False, "sizing": {"value": 0.456}}
    assert one_buy(execution=whole) == 45.0
    short = run_signals({"A": prices(FLAT)}, {"A": ["enter_short"]}, execution={**whole, "direction": "short_only"})
    assert float(short.fills["shares"][0]) == 45.0


def test_an_entry_that_cannot_buy_one_lot_is_dropped_with_a_notice() -> None:
    result = run_signals(
        {"A": prices(FLAT), "B": prices([700.0] * 6)},
        {"A": ["enter_long"], "B": ["enter_long", "", "enter_long"]},
        execution={"fractional_shares": False},
    )
    assert [symbol for _, symbol, *_ in fills(result)] == ["A"]
    notice = next(notice for notice in result.notices if notice.code == "dropped_entries")
    assert notice.details["symbols"] == {"B": 2}


def test_commission_is_the_greater_of_minimum_and_the_sum_of_the_parts() -> None:
    costs = {"commission_fixed": 1.0, "commission_rate": 0.01, "commission_per_share": 0.1, "commission_min": 12.0}
    sizing = {"sizing": {"type": "fixed_shares", "value": 50.0}}
    big = run_signals({"A": prices(FLAT)}, {"A": ["enter_long"]}, execution=sizing, costs=costs)
    assert float(big.fills["commission"][0]) == 12.0  # more than 1 + 0.01 x 500 + 0.1 x 50
    costs["commission_min"] = 2.0
    big = run_signals({"A": prices(FLAT)}, {"A": ["enter_long"]}, execution=sizing, costs=costs)
    assert float(big.fills["commission"][0]) == pytest.approx(11.0)


def test_slippage_moves_every_fill_against_the_trader_and_is_not_clamped_to_the_bar() -> None:
    result = run_signals({"A": prices(FLAT)}, {"A": ["enter_long", "exit"]}, costs={"slippage_bps": 500.0})
    assert result.fills["price"].tolist() == pytest.approx([10.5, 9.5])  # both outside the bar's high and low
    short = {"direction": "short_only"}
    result = run_signals(
        {"A": prices(FLAT)}, {"A": ["enter_short", "exit"]}, execution=short, costs={"slippage_bps": 500.0}
    )
    assert result.fills["price"].tolist() == pytest.approx([9.5, 10.5])


def test_commission_is_on_the_slipped_notional() -> None:
    costs = {"slippage_bps": 1000.0, "commission_rate": 0.1}
    fixed = {"sizing": {"type": "fixed_shares", "value": 10.0}}
    result = run_signals({"A": prices(FLAT)}, {"A": ["enter_long"]}, execution=fixed, costs=costs)
    assert float(result.fills["commission"][0]) == pytest.approx(0.1 * 10.0 * 11.0)


def test_entries_follow_in_the_order_of_symbols_each_lowering_buying_power() -> None:
    market = {"B": prices(FLAT), "A": prices([20.0] * 6)}
    wishes = {"A": ["enter_long"], "B": ["enter_long"]}
    result = run_signals(market, wishes, execution={"sizing": {"value": 0.8}}, costs={"commission_fixed": 50.0})
    # B first: budget 800 pays 50; A gets what is left of 1000
    assert fills(result) == [(1, "B", "buy", 75.0, 10.0), (1, "A", "buy", 7.5, 20.0)]


def test_leverage_multiplies_equity_not_cash() -> None:
    leverage = {"max_leverage": 2.0, "sizing": {"value": 5.0}}
    result = run_signals({"A": prices(FLAT)}, {"A": ["enter_long"]}, execution=leverage)
    assert fills(result)[0][3] == 200.0
    assert result.cash[-1] == pytest.approx(-1000.0)
    np.testing.assert_allclose(result.equity, 1000.0)  # no interest on the debit


def test_targets_come_from_equity_at_the_unslipped_fill_price_before_commission() -> None:
    result = run_weights({"A": prices(FLAT)}, {"A": [0.5]}, costs={"slippage_bps": 1000.0, "commission_fixed": 20.0})
    assert fills(result) == [(1, "A", "buy", 50.0, 11.0)]


def test_reductions_always_pass_even_beyond_buying_power() -> None:
    market = {"A": prices([10.0, 10.0, 14.0, 14.0])}
    short = {"direction": "short_only"}
    result = run_weights(market, {"A": [-1.0, -0.5]}, execution=short)
    # at 14 the short of 100 is worth 1400 against equity 600: no buying power at all, and still 78.57 are bought back
    assert fills(result)[1] == (2, "A", "buy", round(100 - 0.5 * 600 / 14, 9), 14.0)


def test_openings_beyond_buying_power_are_scaled_by_one_factor() -> None:
    market = {"A": prices(FLAT), "B": prices([20.0] * 6)}
    result = run_weights(market, {"A": [1.0], "B": [0.5]})
    assert fills(result) == [(1, "A", "buy", round(100 / 1.5, 9), 10.0), (1, "B", "buy", round(25 / 1.5, 9), 20.0)]


def test_openings_are_dropped_with_a_notice_when_fees_alone_exceed_buying_power() -> None:
    market = {"A": prices(FLAT), "B": prices(FLAT)}
    result = run_weights(market, {"A": [0.5], "B": [0.5]}, costs={"commission_fixed": 600.0})
    assert fills(result) == []
    assert "dropped_entries" in codes(result)


def test_a_weight_against_direction_is_an_error() -> None:
    for direction, weight in (("long_only", -0.5), ("short_only", 0.5)):
        with pytest.raises(StrategyError, match=direction):
            run_weights({"A": prices(FLAT)}, {"A": [weight]}, execution={"direction": direction})


def test_between_rebalances_shares_are_held_not_weights() -> None:
    market = {"A": prices([10.0, 10.0, 20.0, 40.0, 80.0])}
    assert len(fills(run_weights(market, {"A": [0.5]}))) == 1


def test_a_rebalance_that_changes_nothing_trades_nothing() -> None:
    """Rounding is not an order: without it a fee would be paid every day for 1e-14 of a share."""
    rng = np.random.default_rng(1)
    closes = (10.0 * np.exp(np.cumsum(rng.normal(0, 0.02, 200)))).tolist()
    result = run({"A": prices(closes)}, "equal_weight", {"rebalance": "daily"}, costs={"slippage_bps": 1.0})
    assert len(result.fills) == 1
    assert "dropped_entries" not in codes(result)


def test_sizing_does_nothing_for_target_weights_and_the_result_says_so() -> None:
    sizing = {"sizing": {"type": "fixed_shares", "value": 3.0}}
    assert "sizing_ignored" in codes(run({"A": prices(FLAT)}, "buy_and_hold", execution=sizing))
    assert "sizing_ignored" not in codes(run({"A": prices(FLAT)}, "buy_and_hold"))


def test_no_costs_at_all_is_said() -> None:
    assert "no_costs" in codes(run({"A": prices(FLAT)}, "buy_and_hold"))
    assert "no_costs" not in codes(run({"A": prices(FLAT)}, "buy_and_hold", costs={"slippage_bps": 1.0}))


@pytest.mark.parametrize(
    ("execution", "costs"),
    [
        ({"fractional_shares": False}, {}),
        ({}, {"commission_per_share": 0.01}),
        ({}, {"commission_fixed": 1.0}),
        ({}, {"commission_min": 1.0}),
    ],
)
def test_counting_units_of_adjusted_prices_is_warned_of(execution: dict[str, object], costs: dict[str, float]) -> None:
    adjusted = {"A": prices(FLAT) | {"adj_close": [5.0] * 6}}
    assert "fictitious_units" in codes(run(adjusted, "buy_and_hold", execution=execution, costs=costs))
    assert "fictitious_units" not in codes(run({"A": prices(FLAT)}, "buy_and_hold", execution=execution, costs=costs))
    assert "fictitious_units" not in codes(run(adjusted, "buy_and_hold", costs={"commission_rate": 0.01}))
