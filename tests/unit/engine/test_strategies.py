"""The built-in strategies decide what the contract's table says, on the bars it says, and never look ahead."""

import subprocess
import sys
from typing import Any, get_args

import numpy as np
import pytest
import talib
from markets import days, fills, prices, run, without
from strategy_support import (
    DOWN,
    NAMES,
    UP,
    config_of,
    decisions,
    mask,
    walk,
)

from backproof.engine.calendar import period_ends
from backproof.engine.decisions import Signals, Weights
from backproof.engine.layout import ENTER_LONG, ENTER_SHORT, EXIT_LONG, EXIT_SHORT
from backproof.engine.strategies import EventStrategy, Strategy, all_strategies, check_config, find_strategy
from backproof.engine.strategies.base import Kind
from backproof.errors import InvalidInput

# --- signals


def test_sma_level_is_up_while_fast_is_above_slow_and_down_while_not() -> None:
    columns = walk(80, 10)
    close = np.array(columns["close"])
    fast, slow = talib.SMA(close, 5), talib.SMA(close, 12)
    got = mask({"A": columns}, "sma_crossover", {"fast": 5, "slow": 12})[0]
    assert (got[:11] == 0).all()
    assert got[11:].tolist() == [UP if f > s else DOWN for f, s in zip(fast[11:], slow[11:], strict=True)]


def test_equal_averages_are_not_above() -> None:
    got = mask({"A": prices([10.0] * 20)}, "sma_crossover", {"fast": 2, "slow": 4})[0]
    assert (got[3:] == DOWN).all()
    crossed = mask({"A": prices([10.0] * 20)}, "sma_crossover", {"fast": 2, "slow": 4, "signal": "cross"})[0]
    assert not crossed.any()


def test_sma_cross_acts_on_the_bar_of_the_crossing_only() -> None:
    columns = walk(120, 11)
    close = np.array(columns["close"])
    fast, slow = talib.SMA(close, 3), talib.SMA(close, 8)
    got = mask({"A": columns}, "sma_crossover", {"fast": 3, "slow": 8, "signal": "cross"})[0]
    for t in range(120):
        up = t > 0 and fast[t - 1] <= slow[t - 1] and fast[t] > slow[t]
        down = t > 0 and fast[t - 1] >= slow[t - 1] and fast[t] < slow[t]
        assert got[t] == (UP if up else DOWN if down else 0), t
    assert got.any()


@pytest.mark.parametrize("signal", ["level", "cross"])
def test_ema_crossover_and_macd_follow_the_rule_of_the_moving_averages(signal: str) -> None:
    """Level: up while the one line is above the other; cross: on the bar where it comes to be, both defined on both."""
    columns = walk(150, 34)
    close = np.array(columns["close"])
    macd = talib.MACD(close, 4, 9, 3)
    for name, parameters, (above, below) in (
        ("ema_crossover", {"fast": 4, "slow": 9}, (talib.EMA(close, 4), talib.EMA(close, 9))),
        ("macd", {"fast": 4, "slow": 9, "signal_period": 3}, macd[:2]),
    ):
        got = mask({"A": columns}, name, {**parameters, "signal": signal})[0]
        for t in range(150):
            a, b = above[t], below[t]
            if signal == "level":
                expected = UP if a > b else DOWN if a <= b else 0
            else:
                up = t > 0 and above[t - 1] <= below[t - 1] and a > b
                down = t > 0 and above[t - 1] >= below[t - 1] and a < b
                expected = UP if up else DOWN if down else 0
            assert got[t] == expected, (name, t)
        assert {UP, DOWN} <= set(got.tolist())


def test_a_crossing_may_start_from_equality() -> None:
    for closes, bits in (([10.0, 10.0, 10.0, 12.0], UP), ([10.0, 10.0, 10.0, 8.0], DOWN)):
        got = mask({"A": prices(closes)}, "sma_crossover", {"fast": 1, "slow": 3, "signal": "cross"})[0]
        assert got.tolist() == [0, 0, 0, bits]


def test_a_crossing_is_between_the_symbols_own_bars() -> None:
    """A hole between the two bars of a crossing does not hide it."""
    columns = prices([10, 9, 8, 7, 6, 5, 5, 20, 21, 22])
    got = mask({"A": without(columns, 6), "B": columns}, "sma_crossover", {"fast": 1, "slow": 3, "signal": "cross"})
    assert got[0].tolist() == [0, 0, 0, 0, 0, 0, 0, UP, 0, 0]


def test_cross_may_look_at_the_last_warm_up_bar() -> None:
    columns = prices([10, 9, 8, 7, 20, 21, 22.0, 23.0])
    result = run({"A": columns}, "sma_crossover", {"fast": 1, "slow": 3, "signal": "cross"}, start_date=days(8)[4])
    assert [(bar, side) for bar, _, side, *_ in fills(result)] == [(1, "buy")]


def test_rsi_is_up_below_oversold_and_down_above_overbought() -> None:
    columns = walk(120, 12)
    rsi = talib.RSI(np.array(columns["close"]), 5)
    got = mask({"A": columns}, "rsi_mean_reversion", {"period": 5, "oversold": 35.0, "overbought": 65.0})[0]
    assert got.tolist() == [UP if r < 35 else DOWN if r > 65 else 0 for r in rsi]


def test_bollinger_enters_beyond_a_band_and_leaves_beyond_the_middle() -> None:
    columns = walk(200, 35)
    close = np.array(columns["close"])
    upper, middle, lower = talib.BBANDS(close, 10, 1.5, 1.5)
    got = mask({"A": columns}, "bollinger", {"period": 10, "width": 1.5})[0]
    for t in range(200):
        c = close[t]
        expected = ENTER_LONG * (c < lower[t]) | EXIT_LONG * (c > middle[t])
        expected |= ENTER_SHORT * (c > upper[t]) | EXIT_SHORT * (c < middle[t])
        assert got[t] == expected, t
    assert (got & ENTER_LONG).any()
    assert (got & ENTER_SHORT).any()


def test_bollinger_buys_below_the_lower_band_and_sells_above_the_middle() -> None:
    """10, 10, 8.5 have the mean 9.5 and the deviation 0.707: 8.5 is below the band; 8.8 is above 8.6, the next mean."""
    market = {"A": prices([10.0, 10.0, 10.0, 8.5, 8.5, 8.8, 9.5, 9.5, 9.5])}
    result = run(market, "bollinger", {"period": 3, "width": 1.0})
    assert [(bar, side) for bar, _, side, *_ in fills(result)] == [(4, "buy"), (6, "sell")]


def test_donchian_breaks_out_of_the_channel_of_the_bars_before() -> None:
    columns = walk(150, 13)
    close, high, low = (np.array(columns[name]) for name in ("close", "high", "low"))
    got = mask({"A": columns}, "donchian_breakout", {"entry": 8, "exit": 4})[0]
    for t in range(8, 150):
        expected = ENTER_LONG * (close[t] > high[t - 8 : t].max()) | ENTER_SHORT * (close[t] < low[t - 8 : t].min())
        expected |= EXIT_LONG * (close[t] < low[t - 4 : t].min()) | EXIT_SHORT * (close[t] > high[t - 4 : t].max())
        assert got[t] == expected
    assert set(got.tolist()) > {0}


def test_donchian_under_short_only_leaves_on_its_exit_channel_only() -> None:
    closes = [10, 10, 10, 10, 9, 8, 7, 7.5, 8, 8.5, 12.0, 12.0]
    market = {"A": prices(closes)}
    result = run(market, "donchian_breakout", {"entry": 2, "exit": 6}, execution={"direction": "short_only"})
    assert [(bar, side) for bar, _, side, *_ in fills(result)] == [(5, "sell"), (11, "buy")]


def test_no_signal_is_not_an_exit_where_an_indicator_is_undefined() -> None:
    got = mask({"A": walk(30, 14)}, "sma_crossover", {"fast": 10, "slow": 25})[0]
    assert not got[:24].any()
    assert got[24:].all()


def test_all_bars_before_the_start_are_warm_up_and_the_first_decision_is_at_the_first_close() -> None:
    columns = walk(120, 15, drift=0.02)
    start = days(120)[60]
    warm = run({"A": columns}, "sma_crossover", {"fast": 5, "slow": 50}, start_date=start)
    assert (int(warm.fills["bar"][0]), str(warm.dates[0])) == (1, start)
    cold = {name: values[60:] for name, values in columns.items()}
    assert int(run({"A": cold}, "sma_crossover", {"fast": 5, "slow": 50}).fills["bar"][0]) == 50


# --- schedules and weights


@pytest.mark.parametrize(
    ("period", "ends"),
    [
        ("daily", ["2024-01-30", "2024-01-31", "2024-02-01", "2024-02-02", "2024-02-05", "2024-03-28", "2024-04-01"]),
        ("weekly", ["2024-02-02", "2024-02-05", "2024-03-28", "2024-04-01"]),
        ("monthly", ["2024-01-31", "2024-02-05", "2024-03-28", "2024-04-01"]),
        ("quarterly", ["2024-03-28"]),
    ],
)
def test_a_period_ends_where_the_next_bar_lies_in_another_one(period: Any, ends: list[str]) -> None:
    text = [
        "2024-01-30",
        "2024-01-31",
        "2024-02-01",
        "2024-02-02",
        "2024-02-05",
        "2024-03-28",
        "2024-04-01",
        "2024-05-02",
    ]
    dates = np.array(text, dtype="datetime64[D]")
    assert [str(dates[t]) for t in period_ends(dates, 0, period)] == ends
    assert len(dates) - 1 not in period_ends(dates, 0, period)


def test_the_first_bar_is_a_decision_only_when_asked_for() -> None:
    dates = np.array(["2024-01-30", "2024-01-31", "2024-02-01"], dtype="datetime64[D]")
    assert period_ends(dates, 0, "monthly").tolist() == [1]
    assert period_ends(dates, 0, "monthly", also_first=True).tolist() == [0, 1]
    assert period_ends(dates, 1, "monthly", also_first=True).tolist() == [1]


def test_buy_and_hold_buys_what_is_listed_on_the_first_bar_and_never_again() -> None:
    market = {"A": prices([10.0] * 6), "B": prices([20.0] * 6), "C": prices([5.0] * 4, dates=days(6)[2:])}
    assert fills(run(market, "buy_and_hold")) == [(1, "A", "buy", 50.0, 10.0), (1, "B", "buy", 25.0, 20.0)]


def test_buy_and_hold_counts_a_listed_symbol_without_a_bar_on_the_first_day() -> None:
    market = {"A": prices([10.0] * 6), "B": without(prices([20.0] * 6), 2)}
    result = run(market, "buy_and_hold", start_date=days(6)[2])
    assert fills(result) == [(1, "A", "buy", 50.0, 10.0), (1, "B", "buy", 25.0, 20.0)]


def test_equal_weight_shares_among_the_listed_and_not_ended() -> None:
    market = {
        "A": prices([10.0] * 6),
        "B": prices([10.0] * 3, dates=days(6)[2:5]),
        "C": prices([10.0] * 2, dates=days(6)[:2]),
    }
    decided = decisions(market, "equal_weight", {"rebalance": "daily", "exposure": 0.9})
    assert isinstance(decided, Weights)
    assert decided.at.tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(
        decided.values, [[0.45, 0, 0.45], [0.9, 0, 0], [0.45, 0.45, 0], [0.45, 0.45, 0], [0.9, 0, 0]]
    )


def test_momentum_takes_the_strongest_and_leaves_empty_places_in_cash() -> None:
    market = {
        "A": prices([10, 10, 11, 11.0]),
        "B": prices([10, 10, 12, 12.0]),
        "C": prices([5.0, 5.0], dates=days(4)[2:]),
    }
    decided = decisions(market, "momentum_top_n", {"lookback": 2, "top": 4, "rebalance": "daily", "exposure": 0.8})
    assert decided.at.tolist() == [2]  # the last bar is no period end, and before it nobody has two own bars
    np.testing.assert_allclose(decided.values, [[0.2, 0.2, 0.0]])
    best = decisions(market, "momentum_top_n", {"lookback": 2, "top": 1, "rebalance": "daily"})
    np.testing.assert_allclose(best.values, [[0.0, 1.0, 0.0]])


def test_momentum_skips_the_latest_bars_and_breaks_ties_by_symbol() -> None:
    market = {"B": prices([10, 12, 1, 1.0]), "A": prices([10, 12, 50, 50.0])}
    decided = decisions(market, "momentum_top_n", {"lookback": 2, "skip": 1, "top": 1, "rebalance": "daily"})
    np.testing.assert_allclose(decided.values, [[0.0, 1.0]])


def test_momentum_counts_own_bars_and_holds_the_last_value_over_a_hole() -> None:
    market = {"A": without(prices([10, 10, 10, 20, 20, 20.0]), 4), "B": prices([10, 10, 10, 11, 11, 11.0])}
    decided = decisions(market, "momentum_top_n", {"lookback": 1, "top": 1, "rebalance": "daily"})
    at = decided.at.tolist()
    assert decided.values[at.index(4)].tolist() == [1.0, 0.0]


# --- look-ahead


def fits(name: str, direction: str) -> bool:
    """The strategy can be run in this direction with its own parameters."""
    try:
        check_config(config_of(name, ["A", "B"], execution={"direction": direction}))
    except InvalidInput:
        return False
    return True


BY_BAR = [
    name for name in NAMES if issubclass(find_strategy(name) or Strategy, EventStrategy)
]  # probed by their orders
DIRECTED = [
    (name, direction)
    for name in NAMES
    for direction in ("long_only", "long_short")
    if name not in BY_BAR and fits(name, direction)
]


@pytest.mark.parametrize(("name", "direction"), DIRECTED)
def test_decisions_do_not_change_when_the_future_becomes_noise(name: str, direction: str) -> None:
    symbols = "AB" if name == "pairs_spread" else "ABC"
    market = {symbol: walk(400, seed, drift=0.001) for seed, symbol in enumerate(symbols, start=20)}
    before = decisions(market, name, execution={"direction": direction})
    rng = np.random.default_rng(1)
    for cut in (130, 200, 300):
        changed = {}
        for symbol, columns in market.items():
            factor = np.concatenate([np.ones(cut + 1), np.exp(rng.normal(0, 0.5, 399 - cut))])
            changed[symbol] = {"date": columns["date"]} | {
                field: (np.array(columns[field]) * factor).tolist() for field in ("open", "high", "low", "close")
            }
        after = decisions(changed, name, execution={"direction": direction})
        if isinstance(before, Signals):
            assert before.mask[:, : cut + 1].tobytes() == after.mask[:, : cut + 1].tobytes()
            assert before.mask.any()
        else:
            early, late = before.at <= cut, after.at <= cut
            assert before.at[early].tolist() == after.at[late].tolist()
            assert before.values[early].tobytes() == after.values[late].tobytes()


# --- parameters and the check of a configuration


def test_every_strategy_describes_itself_for_a_form() -> None:
    for strategy in all_strategies():
        schema = strategy.Params.model_json_schema()
        assert strategy.kind in get_args(Kind)
        assert strategy.summary.endswith(".")
        assert strategy.version
        assert schema["additionalProperties"] is False
        for name, entry in schema.get("properties", {}).items():
            assert "description" in entry, (strategy.name, name)
            assert "default" in entry, (strategy.name, name)
    assert set(NAMES) >= {
        "sma_crossover", "ema_crossover", "macd", "rsi_mean_reversion", "bollinger", "donchian_breakout",
        "buy_and_hold", "equal_weight", "momentum_top_n",
    }  # fmt: skip


def test_warmup_is_the_number_of_bars_before_the_first_decision() -> None:
    """The first signal is exactly `warmup` bars after the first bar, where the indicators allow one at all."""
    rising = {"A": prices([10.0 + t for t in range(60)])}
    for name, parameters in (
        ("sma_crossover", {"fast": 5, "slow": 20}),
        ("ema_crossover", {"fast": 5, "slow": 20}),
        ("macd", {"fast": 5, "slow": 20, "signal_period": 6}),
        ("rsi_mean_reversion", {"period": 9}),
        ("bollinger", {"period": 12}),
        ("donchian_breakout", {"entry": 12, "exit": 6}),
    ):
        strategy = next(s for s in all_strategies() if s.name == name)
        first = int(np.flatnonzero(mask(rising, name, parameters)[0] & (ENTER_LONG | EXIT_LONG))[0])
        assert strategy(check_config(config_of(name, ["A"], parameters))).warmup() == first, name


@pytest.mark.parametrize(
    ("strategy", "parameters", "pointer", "words"),
    [
        ("sma_crossover", {"fast": 50, "slow": 20}, "/parameters/slow", ("20", "greater than fast", "50")),
        ("sma_crossover", {"fast": 60}, "/parameters/slow", ("50", "60")),
        ("sma_crossover", {"fast": 0}, "/parameters/fast", ("greater than or equal to 1",)),
        ("sma_crossover", {"fast": "20"}, "/parameters/fast", ("integer",)),
        ("sma_crossover", {"fast": True}, "/parameters/fast", ("integer",)),
        ("sma_crossover", {"speed": 3}, "/parameters/speed", ("unknown parameter", "fast, slow, signal")),
        ("sma_crossover", {"signal": "both"}, "/parameters/signal", ("level", "cross")),
        ("ema_crossover", {"fast": 50, "slow": 50}, "/parameters/slow", ("50", "greater than fast")),
        ("macd", {"fast": 26, "slow": 12}, "/parameters/slow", ("12", "greater than fast", "26")),
        ("macd", {"fast": 1}, "/parameters/fast", ("greater than or equal to 2",)),
        ("macd", {"signal_period": 0}, "/parameters/signal_period", ("greater than or equal to 1",)),
        ("macd", {"signal_period": 9.5}, "/parameters/signal_period", ("integer",)),
        ("bollinger", {"period": 1}, "/parameters/period", ("greater than or equal to 2",)),
        ("bollinger", {"width": 0.0}, "/parameters/width", ("greater than 0",)),
        ("bollinger", {"width": "2"}, "/parameters/width", ("number",)),
        ("donchian_breakout", {"exit": 0}, "/parameters/exit", ("greater than or equal to 1",)),
        ("rsi_mean_reversion", {"oversold": 80.0}, "/parameters/overbought", ("greater than oversold",)),
        ("rsi_mean_reversion", {"period": 1}, "/parameters/period", ("2",)),
        ("momentum_top_n", {"lookback": 5, "skip": 5}, "/parameters/skip", ("less than lookback",)),
        ("equal_weight", {"rebalance": "hourly"}, "/parameters/rebalance", ("monthly",)),
        ("buy_and_hold", {"fast": 5}, "/parameters/fast", ("no parameters",)),
        ("sma_crosover", {}, "/strategy_type", ("did you mean sma_crossover",)),
        ("zzz", {}, "/strategy_type", ("there are sma_crossover",)),
    ],
)
def test_a_wrong_parameter_is_named(
    strategy: str, parameters: dict[str, Any], pointer: str, words: tuple[str, ...]
) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_config(config_of(strategy, ["A"], parameters))
    (error,) = caught.value.errors
    assert error.pointer == pointer
    assert all(word in error.message for word in words), error.message


def test_every_wrong_field_is_named_at_once() -> None:
    config = config_of("equal_weight", ["A"], {"exposure": 0.0, "x": 1}, execution={"direction": "short_only"})
    with pytest.raises(InvalidInput) as caught:
        check_config(config)
    assert {error.pointer for error in caught.value.errors} == {
        "/parameters/exposure", "/parameters/x", "/execution/direction",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["buy_and_hold", "equal_weight", "momentum_top_n"])
def test_a_strategy_that_only_buys_cannot_be_short_only(name: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_config(config_of(name, ["A"], execution={"direction": "short_only"}))
    assert caught.value.errors[0].pointer == "/execution/direction"


def test_check_config_gives_the_parsed_parameters_with_defaults() -> None:
    params = check_config(config_of("sma_crossover", ["A"], {"fast": 7}))
    assert params.model_dump() == {"fast": 7, "slow": 50, "signal": "level"}


def test_strategies_can_be_listed_and_checked_without_loading_numba_or_talib() -> None:
    code = (
        "import sys; from backproof.engine.strategies import all_strategies, check_config;"
        "from backproof.domain.config import parse_config;"
        "check_config(parse_config(dict(name='x', strategy_type='sma_crossover', symbols=['A'])));"
        "[s.Params.model_json_schema() for s in all_strategies()];"
        "print([m for m in ('numba', 'talib', 'pandas', 'pyarrow', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
