"""When decisions are made and where orders fill; the conformance cases hold more of the arithmetic."""

import numpy as np
import pytest
from harness import bars_of
from markets import codes, days, fills, prices, run, run_signals, run_weights, without

from backproof.domain.config import parse_config
from backproof.engine.bars import RunBars
from backproof.engine.decisions import Signals
from backproof.engine.layout import ENTER_LONG, ENTER_SHORT
from backproof.engine.simulation import Simulation
from backproof.errors import InvalidInput

RISING = [10.0, 11.0, 12.0, 13.0, 14.0, 15.0]


@pytest.mark.parametrize(
    ("fill", "bar", "price"), [("next_open", 2, 20.0), ("next_close", 2, 12.0), ("same_close", 1, 11.0)]
)
def test_a_decision_at_a_close_fills_where_the_mode_says(fill: str, bar: int, price: float) -> None:
    market = {"A": prices(RISING, opens=[10.0, 10.5, 20.0, 13.0, 14.0, 15.0])}
    result = run_signals(market, {"A": ["", "enter_long"]}, execution={"fill": fill})
    assert fills(result) == [(bar, "A", "buy", round(1000.0 / price, 9), price)]


def test_same_close_is_labelled_optimistic() -> None:
    market = {"A": prices(RISING)}
    assert "optimistic_fill" in codes(run_signals(market, {"A": ["enter_long"]}, execution={"fill": "same_close"}))
    assert "optimistic_fill" not in codes(run_signals(market, {"A": ["enter_long"]}))


def test_an_order_decided_on_the_last_bar_is_never_filled_but_same_close_is() -> None:
    market = {"A": prices(RISING[:3])}
    wishes = {"A": ["", "", "enter_long"]}
    assert fills(run_signals(market, wishes)) == []
    assert fills(run_signals(market, wishes, execution={"fill": "next_close"})) == []
    assert len(fills(run_signals(market, wishes, execution={"fill": "same_close"}))) == 1


def test_an_open_position_at_the_end_is_marked_at_the_last_close_and_not_sold() -> None:
    result = run_signals({"A": prices(RISING)}, {"A": ["enter_long"]})
    assert [side for _, _, side, *_ in fills(result)] == ["buy"]
    assert result.equity[-1] == pytest.approx(1000.0 / 11.0 * 15.0)
    assert result.trades["reason"].tolist() == ["open"]
    assert np.isnat(result.trades["exit_date"][0])


def test_next_bar_is_the_symbols_own() -> None:
    market = {"A": without(prices(RISING), 1, 2), "B": prices(RISING)}
    result = run_signals(market, {"A": ["enter_long"]})
    assert fills(result) == [(3, "A", "buy", round(500.0 / 13.0, 9), 13.0)]


def test_a_waiting_order_meets_a_gap_of_missing_bars_and_the_mark_stays() -> None:
    market = {"A": without(prices(RISING), 2, 3), "B": prices([1.0] * 6)}
    result = run_signals(market, {"A": ["enter_long", "exit"]}, execution={"sizing": {"value": 1.0}})
    assert fills(result) == [
        (1, "A", "buy", round(1000.0 / 11.0, 9), 11.0),
        (4, "A", "sell", round(1000.0 / 11.0, 9), 14.0),
    ]
    np.testing.assert_allclose(result.equity[1:4], 1000.0)


@pytest.mark.parametrize(
    ("direction", "sides"),
    [("long_only", ["buy", "sell"]), ("short_only", ["sell", "buy"]), ("long_short", ["buy", "sell", "sell"])],
)
def test_direction_says_which_entries_count(direction: str, sides: list[str]) -> None:
    """Entries on the side that is not allowed do nothing; long_short flips on them."""
    wishes = {
        "long_only": ["enter_short", "enter_long", "enter_short", "exit"],
        "short_only": ["enter_long", "enter_short", "enter_long", "exit"],
        "long_short": ["enter_long", "enter_short", "", ""],
    }[direction]
    result = run_signals({"A": prices(RISING)}, {"A": wishes}, execution={"direction": direction})
    assert [side for _, _, side, *_ in fills(result)] == sides


def test_an_entry_while_holding_is_ignored_and_an_exit_while_flat_does_nothing() -> None:
    wishes = ["exit", "enter_long", "enter_long", "enter_long", "exit", "exit"]
    result = run_signals({"A": prices(RISING)}, {"A": wishes}, execution={"sizing": {"value": 0.5}})
    assert [(bar, side) for bar, _, side, *_ in fills(result)] == [(2, "buy"), (5, "sell")]


def test_of_entries_on_both_sides_at_once_the_long_one_counts() -> None:
    both = [ENTER_LONG | ENTER_SHORT] * 4

    def decide(run_bars: RunBars) -> Signals:
        return Signals(np.array([both], dtype=np.uint8))

    config = {"name": "x", "strategy_type": "x", "symbols": ["A"], "execution": {"direction": "long_short"}}
    simulation = Simulation(parse_config(config), bars_of({"A": prices(RISING[:4])}), decide=decide)
    simulation.advance(4)
    assert [side for _, _, side, *_ in fills(simulation.result())] == ["buy"]


def test_a_flip_is_two_fills_at_one_price_with_commission_on_both() -> None:
    result = run_signals(
        {"A": prices([10.0] * 4)},
        {"A": ["enter_long", "enter_short"]},
        execution={"direction": "long_short", "sizing": {"value": 0.5}},
        costs={"commission_fixed": 1.0},
    )
    close, opened = result.fills[1], result.fills[2]
    assert (close["bar"], close["price"], close["reason"]) == (2, 10.0, "signal")
    assert (opened["bar"], opened["price"], opened["reason"]) == (2, 10.0, "entry")
    assert [close["commission"], opened["commission"]] == [1.0, 1.0]
    # the new leg is sized from the equity left after closing: 0.5 x (1000 - 1 - 1) = 499, less its own commission
    assert opened["shares"] == pytest.approx((0.5 * 998.0 - 1.0) / 10.0)


def test_late_listing_takes_part_from_its_first_bar_on() -> None:
    market = {"A": prices(RISING), "B": prices(RISING[2:], dates=days(6)[2:])}
    result = run_signals(market, {"B": ["enter_long"]})
    assert fills(result) == [(3, "B", "buy", round(500.0 / 13.0, 9), 13.0)]


def test_delisting_closes_at_the_last_close_without_costs_and_is_counted() -> None:
    market = {"A": prices(RISING[:4]), "B": prices(RISING[:3]), "C": prices(RISING)}
    result = run_signals(
        market,
        {"A": ["enter_long"], "B": ["enter_long"]},
        costs={"commission_fixed": 1.0, "slippage_bps": 100.0},
    )
    last = {str(f["symbol"]): f for f in result.fills if f["reason"] == "delisted"}
    assert {s: (int(f["bar"]), float(f["price"]), float(f["commission"])) for s, f in last.items()} == {
        "A": (3, 13.0, 0.0),
        "B": (2, 12.0, 0.0),
    }
    notice = next(notice for notice in result.notices if notice.code == "delisted")
    assert sorted(notice.details["symbols"]) == ["A", "B"]
    assert result.gross[-1] == 0.0


def test_nothing_is_decided_on_the_last_bar_of_data_that_end_before_the_run() -> None:
    market = {"A": prices(RISING[:3]), "B": prices(RISING)}
    for fill in ("next_open", "next_close", "same_close"):
        result = run_signals(market, {"A": ["", "", "enter_long"]}, execution={"fill": fill})
        assert fills(result) == []
        weights = run_weights(market, {"A": [None, None, 0.5, 0.5]}, execution={"fill": fill})
        assert fills(weights) == []


def test_a_symbol_whose_data_go_on_after_the_run_is_not_delisted_by_a_hole_at_its_end() -> None:
    market = {"A": without(prices(RISING), 4), "B": prices(RISING)}
    result = run_signals(market, {"A": ["enter_long"]}, end_date=days(6)[4])
    assert [side for _, _, side, *_ in fills(result)] == ["buy"]
    assert "delisted" not in codes(result)


def test_data_that_end_on_the_runs_last_day_do_not_end_before_the_run() -> None:
    market = {"A": prices(RISING[:4]), "B": prices(RISING)}
    result = run_signals(market, {"A": ["enter_long"]}, end_date=days(6)[3])
    assert [side for _, _, side, *_ in fills(result)] == ["buy"]
    weights = run(market, "equal_weight", {"rebalance": "daily"}, end_date=days(6)[3], execution={"fill": "same_close"})
    assert weights.positions[-1, 0] > 0.0


def test_insolvency_liquidates_at_the_close_with_ordinary_costs_and_ends_trading() -> None:
    market = {"A": prices([100.0, 100.0, 300.0, 50.0, 50.0])}
    result = run_signals(
        market,
        {"A": ["enter_short", "", "", "enter_short"]},
        execution={"direction": "short_only"},
        costs={"commission_fixed": 10.0},
    )
    assert [(int(f["bar"]), str(f["reason"]), float(f["commission"])) for f in result.fills] == [
        (1, "entry", 10.0),
        (2, "insolvent", 10.0),
    ]
    assert result.insolvent
    assert "insolvent" in codes(result)
    assert len(set(result.equity[2:].tolist())) == 1
    assert result.equity[2] < 0.0
    assert result.metrics["annual_return"] is None
    assert "capital" in result.null_reasons["annual_return"]
    assert result.metrics["total_return"] == pytest.approx(result.equity[-1] / 1000.0 - 1.0)


def test_the_dates_of_a_run_are_the_union_of_its_symbols_and_not_the_benchmarks() -> None:
    market = {
        "A": prices(RISING[:2], dates=["2024-01-02", "2024-01-04"]),
        "B": prices(RISING[:2], dates=["2024-01-03", "2024-01-04"]),
        "I": prices(RISING),
    }
    result = run(market, "buy_and_hold", benchmark="I")
    assert [str(day) for day in result.dates] == ["2024-01-02", "2024-01-03", "2024-01-04"]


def test_start_and_end_are_inclusive() -> None:
    market = {"A": prices(RISING)}
    every = days(6)
    result = run(market, "buy_and_hold", start_date=every[1], end_date=every[3])
    assert [str(day) for day in result.dates] == every[1:4]


def test_dates_without_bars_are_an_error_that_names_the_range_that_is_there() -> None:
    for wrong, pointer in (({"start_date": "2030-01-01"}, "/start_date"), ({"end_date": "2001-01-01"}, "/end_date")):
        with pytest.raises(InvalidInput, match="2024-01-02 to 2024-01-09") as caught:
            run({"A": prices(RISING)}, "buy_and_hold", **wrong)
        assert caught.value.errors[0].pointer == pointer


def test_symbols_and_benchmarks_that_are_not_there_are_named() -> None:
    with pytest.raises(InvalidInput) as caught:
        run({"A": prices(RISING)}, "buy_and_hold", symbols=["A", "Z"])
    assert [(e.pointer, e.code) for e in caught.value.errors] == [("/symbols/1", "unknown_symbol")]
    with pytest.raises(InvalidInput) as caught:
        run({"A": prices(RISING)}, "buy_and_hold", benchmark="Z")
    assert caught.value.errors[0].pointer == "/benchmark"


def test_next_open_on_close_only_data_is_an_error_and_close_fills_run() -> None:
    market = {"A": {"date": days(6), "close": RISING}}
    with pytest.raises(InvalidInput, match="next_open needs open prices") as caught:
        run(market, "buy_and_hold")
    assert caught.value.errors[0].pointer == "/execution/fill"
    assert run(market, "buy_and_hold", execution={"fill": "next_close"}).equity[-1] == pytest.approx(1000 / 11 * 15)


def test_weekly_bars_run_and_are_annualised_with_52() -> None:
    weeks = ["2024-01-05", "2024-01-12", "2024-01-19", "2024-01-26"]
    result = run({"A": prices(RISING[:4], dates=weeks)}, "buy_and_hold", timeframe="1w")
    assert result.periods_per_year == 52.0


@pytest.mark.parametrize(
    ("timeframe", "dates", "word"),
    [
        ("1w", days(4), "use 1d"),
        ("1d", ["2024-01-05", "2024-01-12", "2024-01-19", "2024-01-26"], "use 1w"),
        ("1w", ["2024-01-31", "2024-02-29", "2024-03-28", "2024-04-30"], "periods_per_year"),
        ("1d", ["2024-01-31", "2024-02-29", "2024-03-28", "2024-04-30"], "periods_per_year"),
    ],
)
def test_bars_of_another_timeframe_are_refused(timeframe: str, dates: list[str], word: str) -> None:
    """They would be annualised wrongly and nobody would see it."""
    with pytest.raises(InvalidInput, match=word) as caught:
        run({"A": prices(RISING[:4], dates=dates)}, "buy_and_hold", timeframe=timeframe)
    assert [(error.pointer, error.code) for error in caught.value.errors] == [("/timeframe", "bars_do_not_fit")]


def test_bars_of_any_spacing_run_when_their_number_per_year_is_given() -> None:
    months = ["2024-01-31", "2024-02-29", "2024-03-28", "2024-04-30"]
    result = run({"A": prices(RISING[:4], dates=months)}, "buy_and_hold", periods_per_year=12.0)
    assert result.periods_per_year == 12.0


@pytest.mark.parametrize(("enter", "leave", "direction"), [(1, 2, "long_only"), (4, 8, "short_only")])
def test_of_an_entry_and_an_exit_at_once_the_exit_counts_while_held_and_the_entry_while_flat(
    enter: int, leave: int, direction: str
) -> None:
    """Both on every bar: in, out, in, out … at one open after the other."""
    market = bars_of({"A": prices([10.0] * 6)})
    execution = {"direction": direction}
    config = parse_config({"name": "x", "strategy_type": "scripted", "symbols": ["A"], "execution": execution})
    both = Signals(np.full((1, 6), enter | leave, dtype=np.uint8))
    simulation = Simulation(config, market, decide=lambda _: both)
    simulation.advance(6)
    assert simulation.result().fills["reason"].tolist() == ["entry", "signal", "entry", "signal", "entry"]
