"""Bad input: every mistake is a typed error that names symbol, bar or field, and never a silently wrong number."""

import datetime as dt
import decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from candles import candles, still
from harness import bars_of
from markets import Columns, codes, days, prices, run, run_signals, run_weights

import backproof
from backproof.domain.config import parse_config
from backproof.engine.bars import Bars
from backproof.engine.decisions import Signals, Weights
from backproof.engine.layout import ENTER_LONG, LIMIT_ENTRY, STOP_ENTRY
from backproof.engine.simulation import Simulation, simulate
from backproof.errors import DataError, InvalidInput, StrategyError

NAN, INFINITE = float("nan"), float("inf")
GOOD = candles((10.0, 10.5, 9.5, 10.2), (11.0, 11.5, 10.5, 11.2), (12.0, 12.5, 11.5, 12.2))
FLAT = prices([10.0] * 6)


def refused(columns: Columns, **more: Any) -> DataError:
    with pytest.raises(DataError) as caught:
        bars_of({"A": columns | more})
    return caught.value


# --- prices


@pytest.mark.parametrize("column", ["open", "high", "low", "close"])
@pytest.mark.parametrize(
    ("value", "word"),
    [
        (NAN, "missing (NaN)"),
        (INFINITE, "infinite"),
        (-INFINITE, "infinite"),
        (0.0, "zero"),
        (-1.0, "negative"),
        (1e-13, "not between"),
        (1e16, "not between"),
    ],
)
def test_no_column_takes_a_price_that_is_none(column: str, value: float, word: str) -> None:
    error = refused(GOOD, **{column: [GOOD[column][0], value, GOOD[column][2]]})
    assert (error.details["symbol"], error.details["date"]) == ("A", GOOD["date"][1])
    assert error.details["column"] == column
    assert word in error.message


@pytest.mark.parametrize(("column", "value"), [("open", 12.0), ("open", 10.0), ("close", 12.0), ("close", 10.0)])
def test_an_open_or_close_outside_high_and_low_is_refused(column: str, value: float) -> None:
    """No stop could be told from such a bar: the close would lie beyond a level that the bar never reached."""
    error = refused(GOOD, **{column: [GOOD[column][0], value, GOOD[column][2]]})
    assert error.details == {"symbol": "A", "date": GOOD["date"][1], "column": column}
    assert f"{column} is not between low and high" in error.message


def test_an_open_or_close_outside_high_and_low_by_rounding_is_taken() -> None:
    for column, value in (("close", 11.5 * (1 + 9e-7)), ("open", 10.5 * (1 - 9e-7))):
        values = [GOOD[column][0], value, GOOD[column][2]]
        assert bars_of({"A": GOOD | {column: values}}).symbols == ("A",)
    assert refused(GOOD, close=[10.2, 11.5 * (1 + 2e-6), 12.2]).details["column"] == "close"


def test_a_high_below_its_low_is_refused() -> None:
    assert "high is below low" in refused(GOOD, high=[10.5, 10.4, 12.5]).message


def test_a_symbol_of_which_every_price_is_missing_is_refused() -> None:
    nothing: Columns = {name: [NAN] * 3 for name in ("open", "high", "low", "close")}
    with pytest.raises(DataError, match="close is missing") as caught:
        bars_of({"B": GOOD, "A": GOOD | nothing})
    assert caught.value.details["symbol"] == "A"


def test_open_high_and_low_need_a_close_of_their_own_kind() -> None:
    """Adjusted closes beside opens as traded would be two price lists in one bar."""
    frame = {name: values for name, values in GOOD.items() if name != "close"}
    with pytest.raises(DataError, match="open, high and low but no close") as caught:
        bars_of({"A": frame | {"adj_close": [5.1, 5.6, 12.2]}})
    assert caught.value.details["symbol"] == "A"


@pytest.mark.parametrize(
    ("column", "values", "word"),
    [
        ("adj_close", [10.2, NAN, 12.2], "missing"),
        ("adj_close", [10.2, -1.0, 12.2], "negative"),
        ("dividend", [0.0, -0.5, 0.0], "negative"),
        ("dividend", [0.0, INFINITE, 0.0], "infinite"),
        ("dividend", [0.0, 10.2, 0.0], "not below the previous close"),
        ("split_ratio", [1.0, 0.0, 1.0], "not above zero"),
        ("split_ratio", [1.0, -2.0, 1.0], "not above zero"),
        ("split_ratio", [1.0, INFINITE, 1.0], "infinite"),
        ("volume", [1.0, -1.0, 1.0], "negative or infinite"),
    ],
)
def test_events_and_volume_that_cannot_be_are_refused(column: str, values: list[float], word: str) -> None:
    error = refused(GOOD, **{column: values})
    assert error.details == {"symbol": "A", "date": GOOD["date"][1], "column": column}
    assert word in error.message


def test_a_dividend_is_compared_with_the_close_after_a_split_of_the_same_day() -> None:
    """2.5 of a close of 10.2 is fine, of 2.04 after a split of 5 it is not."""
    bars_of({"A": GOOD | {"dividend": [0.0, 2.5, 0.0]}})
    assert "previous close" in refused(GOOD, dividend=[0.0, 2.5, 0.0], split_ratio=[1.0, 5.0, 1.0]).message


def test_empty_events_are_none() -> None:
    bars = bars_of({"A": GOOD | {"dividend": [NAN] * 3, "split_ratio": [NAN, 1.0, NAN]}})
    assert bars.series("A").split is bars.series("A").dividend is None


# --- dates and frames


def test_dates_that_repeat_or_go_back_are_refused() -> None:
    first, second, third = GOOD["date"]
    assert "twice" in refused(GOOD, date=[first, second, second]).message
    assert "increasing" in refused(GOOD, date=[first, third, second]).message


def test_no_bar_at_all_is_refused() -> None:
    with pytest.raises(DataError, match="no rows"):
        bars_of({"A": {name: [] for name in GOOD}})


def test_one_bar_is_a_run_that_says_how_little_it_is() -> None:
    result = run_signals({"A": candles(still(10.0))}, {"A": ["enter_long"]}, execution={"fill": "same_close"})
    assert (len(result.fills), result.metrics["total_return"]) == (1, 0.0)
    assert result.null_reasons["sharpe"] == "the run has too few bars"


@pytest.mark.parametrize(
    "dates",
    [
        ["2024-01-02", "2024-01-03 25:00", "2024-01-04"],
        ["2024-01-02", "2024-02-30", "2024-01-04"],
        ["2024-01-02T09:30:00Z", "2024-01-03T09:30:00Z", "2024-01-04T09:30:00Z"],
        [dt.time(9), dt.time(10), dt.time(11)],
        [decimal.Decimal(1), decimal.Decimal(2), decimal.Decimal(3)],
    ],
)
def test_what_is_no_date_is_refused(dates: list[Any]) -> None:
    frame = pa.table({"symbol": ["A"] * 3, "date": dates, "close": [1.0, 2.0, 3.0]})
    with pytest.raises(DataError, match="date") as caught:
        Bars.from_frame(frame)
    assert caught.value.details["column"] == "date"


def test_a_frame_of_objects_is_refused_and_not_guessed_at() -> None:
    frame = pd.DataFrame({"symbol": "A", "date": ["2024-01-02", dt.date(2024, 1, 3)], "close": [1.0, 2.0]})
    with pytest.raises(DataError, match="cannot be read"):
        Bars.from_frame(frame)
    with pytest.raises(DataError, match="holds no numbers"):
        Bars.from_frame({"symbol": ["A"], "date": ["2024-01-02"], "close": [True]})


def test_whole_numbers_and_decimals_are_prices() -> None:
    frame = {"symbol": ["A", "A"], "date": days(2), "close": [decimal.Decimal("1.5"), decimal.Decimal("2.5")]}
    assert Bars.from_frame(frame).close.tolist() == [[1.5, 2.5]]
    assert Bars.from_frame({**frame, "close": [1, 2]}).close.tolist() == [[1.0, 2.0]]


# --- decisions


def decided(decisions: Any, market: dict[str, Columns] | None = None, **config: Any) -> Simulation:
    market = market or {"A": FLAT, "B": FLAT}
    given = {"name": "x", "strategy_type": "mine", "symbols": list(market), **config}
    simulation = Simulation(parse_config(given), bars_of(market), decide=lambda run: decisions)
    simulation.prepare()
    return simulation


@pytest.mark.parametrize("value", [INFINITE, -INFINITE])
def test_an_infinite_weight_is_refused_with_symbol_and_date(value: float) -> None:
    with pytest.raises(StrategyError, match="target weight is infinite") as caught:
        decided(Weights(np.array([0, 2]), np.array([[0.5, 0.5], [0.5, value]])))
    assert caught.value.details == {"symbol": "B", "date": days(3)[2]}


def test_a_weight_that_is_nan_leaves_the_symbol_as_it_is() -> None:
    result = run_weights({"A": FLAT, "B": FLAT}, {"A": [0.5, None, 0.2], "B": [0.5, None, None]})
    assert result.positions[-1].tolist() == [pytest.approx(20.0), pytest.approx(50.0)]


def test_weights_far_above_the_limit_are_scaled_to_it_and_are_no_error() -> None:
    result = run_weights({"A": FLAT, "B": FLAT}, {"A": [1e6], "B": [3e6]}, costs={"commission_rate": 0.01})
    np.testing.assert_allclose(result.positions[-1] * 10.0 * 1.01, [250.0, 750.0])


def test_a_weight_against_direction_is_refused_with_symbol_and_date() -> None:
    with pytest.raises(StrategyError, match=r"weight -0\.1 is against long_only") as caught:
        decided(Weights(np.array([3]), np.array([[0.5, -0.1]])))
    assert caught.value.details == {"symbol": "B", "date": days(4)[3]}


@pytest.mark.parametrize("price", [NAN, -1.0, 0.0, INFINITE])
def test_a_limit_that_is_no_price_is_refused_with_symbol_and_date(price: float) -> None:
    mask = np.zeros((2, 6), dtype=np.uint8)
    mask[1, 2] = ENTER_LONG | LIMIT_ENTRY
    levels = np.full((2, 6), 10.0)
    levels[1, 2] = price
    with pytest.raises(StrategyError, match="an entry waits for the price") as caught:
        decided(Signals(mask, levels))
    assert caught.value.details == {"symbol": "B", "date": days(3)[2]}


def test_prices_where_no_entry_waits_may_be_anything() -> None:
    mask = np.zeros((2, 6), dtype=np.uint8)
    mask[0, 0] = ENTER_LONG
    simulation = decided(Signals(mask, np.full((2, 6), NAN)))
    simulation.advance(6)
    assert simulation.fills_so_far == 1


def mask_of(bits: int, shape: tuple[int, ...] = (2, 6)) -> Any:
    return np.full(shape, bits, dtype=np.uint8)


@pytest.mark.parametrize(
    ("given", "word"),
    [
        (None, "expected Signals or Weights, got NoneType"),
        (Signals(mask_of(1).astype(bool)), r"uint8 \[2, 6\]"),
        (Signals(mask_of(1, (6, 2))), r"uint8 \[2, 6\]"),
        (Signals([[1] * 6] * 2), "uint8"),  # type: ignore[arg-type]
        (Signals(mask_of(ENTER_LONG | LIMIT_ENTRY)), "need their prices"),
        (Signals(mask_of(ENTER_LONG | LIMIT_ENTRY | STOP_ENTRY), np.ones((2, 6))), "A on 2024-01-02: .* at once"),
        (Signals(mask_of(ENTER_LONG | STOP_ENTRY), np.ones((2, 5))), r"prices of entries must be \[2, 6\]"),
        (Signals(mask_of(ENTER_LONG | STOP_ENTRY), np.full((2, 6), "dear")), "prices of entries must be float64"),
        (Weights(np.array([0]), np.array([["a", "b"]])), "weights must be float64 numbers"),
        (Weights(np.array([0]), np.array([[1j, 1.0]])), "weights must be float64 numbers"),
        (Weights(np.array([0]), [[0.5], [0.5, 0.1]]), "weights must be float64 numbers"),  # type: ignore[arg-type]
        (Weights(np.array([0.5]), np.array([[0.5, 0.5]])), "bars must be int64 numbers"),
        (Weights(np.array(0), np.array([[0.5, 0.5]])), "one list of numbers"),
        (Weights(np.array([[0]]), np.array([[0.5, 0.5]])), "one list of numbers"),
        (Weights(np.array([0]), np.array([0.5, 0.5])), r"target weights must be \[1, 2\]"),
        (Weights(np.array([-1]), np.array([[0.5, 0.5]])), "lie inside the run"),
        (Weights(np.array([6]), np.array([[0.5, 0.5]])), "lie inside the run"),
        (Weights(np.array([1, 1]), np.array([[0.5, 0.5]] * 2)), "must increase"),
    ],
)
def test_what_is_no_decision_is_a_strategy_error(given: Any, word: str) -> None:
    with pytest.raises(StrategyError, match=word):
        decided(given)


def test_no_decision_at_all_is_a_decision() -> None:
    for none in (Weights(np.array([]), np.zeros((0, 2))), Signals(mask_of(0))):
        simulation = decided(none)
        simulation.advance(6)
        assert simulation.result().equity.tolist() == [100_000.0] * 6


# --- configuration against data


@pytest.mark.parametrize(
    ("strategy", "parameters"),
    [
        ("sma_crossover", {"fast": 50, "slow": 5000}),
        ("ema_crossover", {"fast": 50, "slow": 5000}),
        ("macd", {"fast": 12, "slow": 26}),
        ("bollinger", {"period": 5000}),
        ("rsi_mean_reversion", {"period": 5000}),
        ("donchian_breakout", {"entry": 5000}),
        ("momentum_top_n", {"lookback": 5000, "rebalance": "daily"}),
    ],
)
def test_windows_longer_than_the_data_run_without_a_trade(strategy: str, parameters: dict[str, Any]) -> None:
    result = run({"A": FLAT}, strategy, parameters)
    assert (len(result.fills), result.equity.tolist()) == (0, [1000.0] * 6)
    assert "few_trades" in codes(result)


def test_everything_that_closes_alone_cannot_do_is_named_at_once() -> None:
    market = {"A": {"date": days(6), "close": [10.0] * 6}}
    with pytest.raises(InvalidInput) as caught:
        run(market, "buy_and_hold", risk={"stop_loss": 0.1, "take_profit": 0.2, "trailing_stop": 0.3})
    assert [(e.pointer, e.code) for e in caught.value.errors] == [
        ("/execution/fill", "no_open_prices"),
        ("/risk/stop_loss", "no_high_and_low"),
        ("/risk/take_profit", "no_high_and_low"),
        ("/risk/trailing_stop", "no_high_and_low"),
    ]
    assert "A has closes only" in caught.value.errors[1].message


@pytest.mark.parametrize(
    ("section", "value", "pointer"),
    [
        ("risk", {"stop_loss": 1.0}, "/risk/stop_loss"),
        ("risk", {"stop_loss": 0.0}, "/risk/stop_loss"),
        ("risk", {"trailing_stop": -0.1}, "/risk/trailing_stop"),
        ("risk", {"take_profit": NAN}, "/risk/take_profit"),
        ("risk", {"take_profit": "10%"}, "/risk/take_profit"),
        ("risk", {"stops_active": "always"}, "/risk/stops_active"),
        ("risk", {"stop": 0.1}, "/risk/stop"),
        ("costs", {"borrow_rate": -0.01}, "/costs/borrow_rate"),
        ("costs", {"borrow_rate": 1.5}, "/costs/borrow_rate"),
        ("costs", {"slippage_bps": 10_000.0}, "/costs/slippage_bps"),
        ("execution", {"max_leverage": 0.0}, "/execution/max_leverage"),
        ("execution", {"max_leverage": INFINITE}, "/execution/max_leverage"),
        ("execution", {"price_mode": "total_return"}, "/execution/price_mode"),
        ("execution", {"sizing": {"type": "fixed_cash"}}, "/execution/sizing/value"),
        ("timeframe", "2h", "/timeframe"),
        ("periods_per_year", 0.0, "/periods_per_year"),
        ("initial_capital", 0.0, "/initial_capital"),
        ("end_date", "2024-13-01", "/end_date"),
        ("symbols", ["A", "A"], "/symbols"),
        ("symbols", [], "/symbols"),
    ],
)
def test_a_wrong_option_is_named_by_its_pointer(section: str, value: Any, pointer: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        run({"A": FLAT}, "buy_and_hold", **{section: value})
    assert [error.pointer for error in caught.value.errors] == [pointer]


def test_a_run_of_symbols_dates_and_a_benchmark_that_are_not_there_names_them() -> None:
    bars = bars_of({"A": FLAT})
    given = {"name": "x", "strategy_type": "buy_and_hold", "symbols": ["A"]}
    for more, pointers in (
        ({"symbols": ["Y", "A", "Z"]}, ["/symbols/0", "/symbols/2"]),
        ({"benchmark": "SPX"}, ["/benchmark"]),
        ({"start_date": "2025-01-01"}, ["/start_date"]),
        ({"end_date": "2023-01-01"}, ["/end_date"]),
        ({"start_date": "2024-01-06", "end_date": "2024-01-07"}, ["/end_date"]),  # a weekend inside the data
    ):
        with pytest.raises(InvalidInput) as caught:
            simulate({**given, **more}, bars)
        assert [error.pointer for error in caught.value.errors] == pointers


def test_a_frame_in_place_of_bars_is_told_how_to_become_some() -> None:
    frame: Any = pa.table({"symbol": ["A"], "date": ["2024-01-02"], "close": [1.0]})
    config = {"name": "x", "strategy_type": "buy_and_hold", "symbols": ["A"]}
    with pytest.raises(TypeError, match=r"Table with backproof\.Bars\.from_frame"):
        simulate(config, frame)


def test_the_package_shows_what_it_offers() -> None:
    assert {"simulate", "Bars", "__version__"} <= set(dir(backproof))
