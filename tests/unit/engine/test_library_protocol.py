"""What holds for every strategy of the library: no look-ahead, exact warm-up, the same bits, little data."""

from typing import Any

import numpy as np
import pytest
from harness import bars_of
from library import Market, bits, columns, config_of, decide, kept, random_market
from markets import days, prices, run
from twin import interpreted_engine

import backproof
from backproof.engine.decisions import Signals
from backproof.engine.strategies import SignalStrategy, all_strategies, check_config, find_strategy
from backproof.errors import InvalidInput

P = dict[str, Any]
SHORT = {"rebalance": "daily"}
# small lookbacks, so that short markets are long enough
SMALL: dict[str, list[P]] = {
    "sma_crossover": [{"fast": 2, "slow": 7}, {"fast": 2, "slow": 7, "signal": "cross"}],
    "ema_crossover": [{"fast": 2, "slow": 7}],
    "macd": [{"fast": 2, "slow": 5, "signal_period": 3}],
    "supertrend": [{"period": 6, "width": 0.2}],
    "adx_trend": [{"period": 4, "threshold": 5.0}],
    "parabolic_sar": [{}],
    "time_series_momentum": [
        {**SHORT, "lookback": 6},
        {**SHORT, "lookback": 3, "losers": "short", "target_volatility": 0.3, "volatility_lookback": 8},
    ],
    "moving_average_timing": [{**SHORT, "period": 8}],
    "donchian_breakout": [{"entry": 6, "exit": 6}],
    "keltner_breakout": [{"period": 8, "atr_period": 3, "width": 0.1}, {"period": 3, "atr_period": 8, "width": 0.1}],
    "rsi_mean_reversion": [{"period": 5}],
    "bollinger": [{"period": 6, "width": 1.0}],
    "stochastic": [{"period": 5, "smooth": 3, "signal_period": 3, "oversold": 50.0, "overbought": 51.0}],
    "rsi_pullback": [
        {"period": 2, "oversold": 50.0, "trend": 9, "exit": 3},
        {"period": 9, "oversold": 50.0, "trend": 3, "exit": 2},
        {"period": 2, "oversold": 50.0, "trend": 3, "exit": 9},
    ],
    "momentum_top_n": [{**SHORT, "lookback": 6, "top": 2}],
    "dual_momentum": [{**SHORT, "lookback": 6, "safe": "A"}],
    "near_52_week_high": [{**SHORT, "lookback": 7, "top": 2}],
    "low_volatility": [{**SHORT, "lookback": 6, "top": 2}],
    "pairs_spread": [
        {"lookback": 7, "entry": 0.5, "exit": 0.1},
        {"lookback": 7, "entry": 0.5, "exit": 0.1, "spread": "residual", "stop": 1.5},
    ],
    "turn_of_month": [{"before": 2, "after": 3}],
    "volatility_target": [{**SHORT, "lookback": 6}],
    "inverse_volatility": [{**SHORT, "lookback": 6}],
    "equal_weight": [SHORT],
    "fixed_weights": [{**SHORT, "weights": {"A": 0.5, "B": -0.2}}],
    "buy_and_hold": [{}],
}
EACH = [(name, p) for name, sets in SMALL.items() for p in sets]
EVERY = pytest.mark.parametrize(("name", "p"), EACH, ids=[f"{name}-{i}" for i, (name, _) in enumerate(EACH)])
BOTH_SIDES = {"execution": {"direction": "long_short"}}


def two(name: str, market: Market) -> Market:
    """The market, or the two symbols of it that a pair needs."""
    return {symbol: market[symbol] for symbol in ("B", "A")} if name == "pairs_spread" else market


def until(decided: Any, t: int) -> tuple[bytes, ...]:
    """What was decided up to bar t, as bytes."""
    if isinstance(decided, Signals):
        return (np.ascontiguousarray(decided.mask[:, : t + 1]).tobytes(),)
    known = decided.at <= t
    return decided.at[known].tobytes(), decided.values[known].tobytes()


def test_the_library_is_complete_and_every_strategy_is_tested_here() -> None:
    built_in = {strategy.name for strategy in all_strategies()} - {"rules"}
    assert set(SMALL) <= built_in
    assert len(SMALL) >= 25


# --- look-ahead


def noisy(market: Market, t: int, seed: int = 0) -> Market:
    """Other prices after bar t of the calendar; dates as they were."""
    rng = np.random.default_rng(seed)
    known = set(sorted({date for one in market.values() for date in one["date"]})[: t + 1])
    changed = {}
    for symbol, one in market.items():
        factor = np.array([1.0 if date in known else float(np.exp(rng.normal(0.0, 0.5))) for date in one["date"]])
        changed[symbol] = {
            name: values if name == "date" else (np.array(values) * factor).tolist() for name, values in one.items()
        }
    return changed


@EVERY
@pytest.mark.parametrize("t", [12, 40, 93, 118, 119])
def test_decisions_do_not_change_when_later_prices_become_noise(name: str, p: P, t: int) -> None:
    market = two(name, random_market(1, 121))
    before = until(decide(market, name, p, **BOTH_SIDES), t)
    assert before == until(decide(noisy(market, t), name, p, **BOTH_SIDES), t)


@EVERY
@pytest.mark.parametrize("t", [30, 77])
def test_decisions_do_not_change_when_later_bars_are_cut_away(name: str, p: P, t: int) -> None:
    """B keeps its dates, from which schedules come; the others have one bar more, their last, and are not delisted."""
    market = two(name, random_market(2, 121))
    market = {symbol: one for symbol, one in market.items() if symbol != "C"}
    dates = market["B"]["date"]
    cut = {
        symbol: one
        if symbol == "B"
        else kept(one, lambda i, one=one: one["date"][i] <= dates[t] or i == len(one["date"]) - 1)
        for symbol, one in market.items()
    }
    assert until(decide(market, name, p, **BOTH_SIDES), t) == until(decide(noisy(cut, t), name, p, **BOTH_SIDES), t)


HISTORY = ["inverse_volatility", "volatility_target", "low_volatility", "pairs_spread", "near_52_week_high",
           "dual_momentum", "time_series_momentum", "turn_of_month", "fixed_weights"]  # fmt: skip


@pytest.mark.parametrize("name", HISTORY)
def test_decisions_are_the_same_bits_with_less_history(name: str) -> None:
    """What lies before a lookback leaves no trace, not even a rounded sum: windows are summed by themselves."""
    market = two(name, {symbol: columns(days(150), n) for n, symbol in enumerate("BACD")})
    late = {symbol: kept(one, lambda i: i >= 37) for symbol, one in market.items()}
    start = market["B"]["date"][60]
    for p in SMALL[name]:
        whole = decide(market, name, p, start_date=start, **BOTH_SIDES)
        less = decide(late, name, p, start_date=start, **BOTH_SIDES)
        if isinstance(whole, Signals):
            assert whole.mask[:, 60:].tobytes() == less.mask[:, 23:].tobytes()
        else:
            assert (whole.at - 37).tolist() == less.at.tolist()
            assert whole.values.tobytes() == less.values.tobytes()


# --- warm-up


def first_decision(decided: Any) -> int | None:
    """First bar of any decision, exits included."""
    bars = np.flatnonzero(decided.mask.any(axis=0)) if isinstance(decided, Signals) else decided.at
    return int(bars[0]) if len(bars) else None


@EVERY
def test_there_is_no_decision_before_the_warm_up_and_the_first_one_can_be_just_after_it(name: str, p: P) -> None:
    """Over many random markets the earliest decision is on bar `warmup`, from 0."""
    strategy = find_strategy(name)
    assert strategy is not None
    found = []
    for seed in range(60):
        market = two(name, {symbol: columns(days(30), 7 * seed + n) for n, symbol in enumerate("BA")})
        config = config_of(name, market, p, **BOTH_SIDES)
        first = first_decision(decide(market, name, p, **BOTH_SIDES))
        if first is not None:
            found.append(first)
    assert min(found) == strategy(check_config(config)).warmup()


# --- the same bits


@EVERY
def test_decisions_are_the_same_bits_every_time_and_when_the_kernels_are_plain_python(name: str, p: P) -> None:
    market = two(name, random_market(3, 90))
    once = until(decide(market, name, p, **BOTH_SIDES), 90)
    assert once == until(decide(market, name, p, **BOTH_SIDES), 90)
    with interpreted_engine():
        assert once == until(decide(market, name, p, **BOTH_SIDES), 90)


@pytest.mark.parametrize("name", ["inverse_volatility", "dual_momentum", "low_volatility", "near_52_week_high"])
def test_the_order_of_symbols_does_not_matter(name: str) -> None:
    market = random_market(5, 100)
    turned = dict(reversed(market.items()))
    for p in SMALL[name]:
        one, other = decide(market, name, p), decide(turned, name, p)
        assert one.values.tobytes() == np.ascontiguousarray(other.values[:, ::-1]).tobytes()


INDEPENDENT = [
    (name, p)
    for name, p in EACH
    if issubclass(kind := find_strategy(name) or SignalStrategy, SignalStrategy) and kind.independent
]


def test_all_signal_strategies_of_the_library_are_independent() -> None:
    signal = {s.name for s in all_strategies() if issubclass(s, SignalStrategy)} - {"rules"}
    assert {name for name, _ in INDEPENDENT} == signal & set(SMALL)


@pytest.mark.parametrize(("name", "p"), INDEPENDENT)
def test_an_independent_strategy_decides_for_a_symbol_what_it_decides_for_it_alone(name: str, p: P) -> None:
    market = {symbol: columns(days(120), n) for n, symbol in enumerate("BAC")}
    together = bits(market, name, p)
    for n, symbol in enumerate(market):
        assert together[n].tobytes() == bits({symbol: market[symbol]}, name, p)[0].tobytes()


def test_a_grid_over_new_strategies_is_their_single_runs() -> None:
    market = {symbol: columns(days(120), n) for n, symbol in enumerate("BA")}
    bars = bars_of(market)
    for name, grid in (
        ("supertrend", {"period": [5, 9], "width": [1.0, 2.0]}),
        ("stochastic", {"period": [5, 9], "oversold": [30.0, 45.0]}),
        ("volatility_target", {"lookback": [5, 9], "target": [0.1, 0.2]}),
        ("turn_of_month", {"symbol": ["B", "A"], "before": [1, 2]}),
    ):
        table = backproof.simulate_grid({"name": "x", "strategy_type": name, "symbols": ["B", "A"]}, bars, grid)
        for row in range(table.rows):
            values = {key: np.asarray(table[key])[row].item() for key in grid}
            symbols = [values.pop("symbol")] if "symbol" in values else ["B", "A"]
            alone = backproof.simulate(
                {"name": "x", "strategy_type": name, "symbols": symbols, "parameters": values}, bars
            )
            assert table["final_equity"][row] == alone.equity[-1], (name, values)


# --- little data


@EVERY
def test_one_bar_gives_a_result(name: str, p: P) -> None:
    market = two(name, {symbol: prices([10.0]) for symbol in "BA"})
    result = run(market, name, p, **BOTH_SIDES)
    assert list(result.equity) == [1000.0]
    assert len(result.fills) == 0


@EVERY
def test_fewer_bars_than_the_lookback_give_no_decision(name: str, p: P) -> None:
    strategy = find_strategy(name)
    assert strategy is not None
    for count in (2, 3, 5):
        market = two(name, {symbol: columns(days(count), n) for n, symbol in enumerate("BA")})
        decided = decide(market, name, p, **BOTH_SIDES)
        if count <= strategy(check_config(config_of(name, market, p, **BOTH_SIDES))).warmup():
            assert first_decision(decided) is None
        assert np.isfinite(run(market, name, p, **BOTH_SIDES).equity).all()


@EVERY
def test_prices_that_never_move_give_a_result_and_no_trade_beyond_an_entry(name: str, p: P) -> None:
    market = two(name, {symbol: prices([10.0] * 60) for symbol in "BA"})
    result = run(market, name, p, **BOTH_SIDES)
    assert list(result.equity) == [1000.0] * 60
    fills = len(result.fills)
    assert fills <= 2 or name in ("turn_of_month",), fills


@EVERY
def test_a_symbol_that_does_not_trade_within_the_run_changes_nothing_but_its_share(name: str, p: P) -> None:
    """One is listed after the run's end, one has ended before its start: no weight, no signal, no error."""
    if name == "pairs_spread":
        return
    dates = days(100)
    market = {symbol: columns(dates, n) for n, symbol in enumerate("BA")}
    market["LATER"] = kept(columns(dates, 7), lambda i: i >= 90)
    market["LATER_WITH_A_HOLE"] = kept(columns(dates, 7), lambda i: i >= 90 and i != 95)
    market["BEFORE"] = kept(columns(dates, 8), lambda i: i < 20 and i != 5)
    decided = decide(market, name, p, start_date=dates[30], end_date=dates[80], **BOTH_SIDES)
    if isinstance(decided, Signals):
        assert not decided.mask[2:, 30:].any()
        assert decided.mask[:2, 30:].any()
    else:
        assert len(decided.at)
        assert not np.nan_to_num(decided.values[:, 2:]).any()
    result = run(market, name, p, start_date=dates[30], end_date=dates[80], **BOTH_SIDES)
    assert np.isfinite(result.equity).all()
    assert set(result.fills["symbol"]) <= {"A", "B"}


def test_a_pair_of_which_one_does_not_trade_within_the_run_does_nothing() -> None:
    dates = days(100)
    whole = columns(dates, 1)
    for other in (kept(columns(dates, 2), lambda i: i >= 90 and i != 95), kept(columns(dates, 2), lambda i: i < 20)):
        market = {"B": whole, "A": other}
        for p in SMALL["pairs_spread"]:
            result = run(market, "pairs_spread", p, start_date=dates[30], end_date=dates[80], **BOTH_SIDES)
            assert len(result.fills) == 0


@EVERY
def test_close_only_prices_are_enough_with_fills_at_the_close(name: str, p: P) -> None:
    market = two(name, {s: {"date": days(60), "close": columns(days(60), n)["close"]} for n, s in enumerate("BA")})
    result = run(market, name, p, execution={"direction": "long_short", "fill": "next_close"})
    assert np.isfinite(result.equity).all()


# --- description


def numbers_of(schema: dict[str, Any]) -> dict[str, Any]:
    """The part of a parameter's schema that is about a number."""
    for part in schema.get("anyOf", [schema]):
        if part.get("type") in ("integer", "number"):
            return {**part, **{key: schema[key] for key in ("sensible", "step", "default") if key in schema}}
    return {}


def test_every_strategy_says_its_rule_its_source_and_where_its_parameters_are_sensible() -> None:
    for strategy in all_strategies():
        if strategy.name == "rules":
            continue
        assert strategy.summary.endswith("."), strategy.name
        assert strategy.rule
        assert any(str(year) in strategy.source for year in range(1900, 2030)), strategy.name
        for name, schema in strategy.Params.model_json_schema().get("properties", {}).items():
            number = numbers_of(schema)
            if not number:
                continue
            (low, high), step, where = number["sensible"], number["step"], (strategy.name, name)
            assert low < high, where
            assert 0 < step <= high - low, where
            least = number.get("minimum", number.get("exclusiveMinimum"))
            assert least <= low, where
            assert "exclusiveMinimum" not in number or low > least, where
            assert high <= number["maximum"], where
            assert number["default"] is None or low <= number["default"] <= high, where
            if number["type"] == "integer":
                assert all(isinstance(value, int) for value in (low, high, step)), where


@pytest.mark.parametrize(
    ("strategy", "parameters", "pointer", "words"),
    [
        ("keltner_breakout", {"width": 0.0}, "/parameters/width", "greater than 0"),
        ("keltner_breakout", {"period": 0}, "/parameters/period", "greater than or equal to 1"),
        ("keltner_breakout", {"atr_period": 5001}, "/parameters/atr_period", "less than or equal to 5000"),
        ("supertrend", {"period": 2.5}, "/parameters/period", "integer"),
        ("adx_trend", {"period": 1}, "/parameters/period", "greater than or equal to 2"),
        ("adx_trend", {"threshold": 101.0}, "/parameters/threshold", "less than or equal to 100"),
        ("parabolic_sar", {"acceleration": 0.3}, "/parameters/maximum", "must not be less than acceleration"),
        ("parabolic_sar", {"acceleration": 0.0}, "/parameters/acceleration", "greater than 0"),
        ("stochastic", {"oversold": 90.0}, "/parameters/overbought", "greater than oversold"),
        ("stochastic", {"smooth": 0}, "/parameters/smooth", "greater than or equal to 1"),
        ("rsi_pullback", {"oversold": 51.0}, "/parameters/oversold", "less than or equal to 50"),
        ("rsi_pullback", {"period": 1}, "/parameters/period", "greater than or equal to 2"),
        ("turn_of_month", {"before": 0, "after": 0}, "/parameters", "no bar at all"),
        ("turn_of_month", {"before": -1}, "/parameters/before", "greater than or equal to 0"),
        ("moving_average_timing", {"period": 0}, "/parameters/period", "greater than or equal to 1"),
        ("time_series_momentum", {"losers": "sell"}, "/parameters/losers", "flat"),
        ("time_series_momentum", {"target_volatility": 0.0}, "/parameters/target_volatility", "greater than 0"),
        ("volatility_target", {"lookback": 1}, "/parameters/lookback", "greater than or equal to 2"),
        ("volatility_target", {"target": "0.1"}, "/parameters/target", "number"),
        ("volatility_target", {"cap": -1.0}, "/parameters/cap", "greater than 0"),
        ("volatility_target", {"exposure": 1.0}, "/parameters/exposure", "unknown parameter"),
        ("volatility_target", {"periods_per_year": 0.0}, "/parameters/periods_per_year", "greater than 0"),
        ("inverse_volatility", {"exposure": 0.0}, "/parameters/exposure", "greater than 0"),
        ("low_volatility", {"top": 0}, "/parameters/top", "greater than or equal to 1"),
        ("dual_momentum", {"threshold": -1.5}, "/parameters/threshold", "greater than or equal to -1"),
        ("dual_momentum", {"safe": 5}, "/parameters/safe", "string"),
        ("near_52_week_high", {"lookback": 1}, "/parameters/lookback", "greater than or equal to 2"),
        ("fixed_weights", {"weights": {"A": "half"}}, "/parameters/weights/A", "number"),
        ("fixed_weights", {"weights": {"A": 101.0}}, "/parameters/weights/A", "less than or equal to 100"),
        ("fixed_weights", {"weights": [0.5]}, "/parameters/weights", "named options"),
        ("pairs_spread", {"exit": 2.0}, "/parameters/exit", "less than entry"),
        ("pairs_spread", {"stop": 2.0}, "/parameters/stop", "greater than entry"),
        ("pairs_spread", {"lookback": 2}, "/parameters/lookback", "greater than or equal to 3"),
        ("pairs_spread", {"spread": "log"}, "/parameters/spread", "ratio"),
    ],
)
def test_a_wrong_parameter_of_the_library_is_named(strategy: str, parameters: P, pointer: str, words: str) -> None:
    market = {symbol: prices([1.0]) for symbol in "AB"}
    with pytest.raises(InvalidInput) as caught:
        check_config(config_of(strategy, market, parameters))
    (error,) = caught.value.errors
    assert error.pointer == pointer
    assert words in error.message, error.message
