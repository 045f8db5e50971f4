"""What rules decide, on small markets by hand; what a run asks of its data; fingerprints and sweeps."""

from typing import Any

import numpy as np
import pytest

import backproof
from backproof.domain.config import parse_config
from backproof.engine.bars import Bars
from backproof.engine.fingerprint import canonical_config, config_hash
from backproof.engine.frames import Series
from backproof.engine.rules import compute
from backproof.engine.simulation import Simulation
from backproof.engine.strategies import check_config
from backproof.errors import InvalidInput

Given = dict[str, Any]
DAYS = np.datetime64("2024-01-01") + np.arange(100)


def series(symbol: str, closes: list[float | None], volume: list[float] | None = None, **more: list[float]) -> Series:
    """One price a bar, high and low a half away; None: no bar."""
    at = np.array([close is not None for close in closes])
    close = np.array([one for one in closes if one is not None], dtype=float)
    columns = {"open": close, "high": close + 0.5, "low": close - 0.5, "close": close}
    columns |= {name: np.array(values) for name, values in more.items()}
    traded = None if volume is None else np.array(volume)
    prices = (columns[name] for name in ("open", "high", "low", "close"))
    return Series(symbol, DAYS[: len(closes)][at], *prices, np.ones(len(close)), traded, close_only=False)


def signals_of(closes: list[float | None], parameters: Given, **config: Any) -> list[int]:
    """The bits of every bar of one symbol; another one has a bar on every day."""
    bars = Bars([series("A", closes), series("B", [1.0] * len(closes))])
    given = {"name": "x", "strategy_type": "rules", "symbols": ["A", "B"], "parameters": parameters, **config}
    simulation = Simulation(parse_config(given), bars)
    simulation.prepare()
    bits: list[int] = simulation.decisions.mask[0].tolist()  # type: ignore[union-attr]
    return bits


def run(one: Series, parameters: Given, **config: Any) -> list[tuple[int, str, float]]:
    """(bar, side, price) of every fill."""
    given = {"name": "x", "strategy_type": "rules", "symbols": [one.symbol], "parameters": parameters, **config}
    fills = backproof.simulate(given, Bars([one])).fills
    return [(int(f["bar"]), str(f["side"]), float(f["price"])) for f in fills]


def entries(closes: list[float | None], text: str, **values: Any) -> list[bool]:
    return [bool(bits & 1) for bits in signals_of(closes, {"entry": text, "values": values})]


def test_lags_and_windows_count_own_bars() -> None:
    closes: list[float | None] = [1.0, 2.0, None, 3.0, None, None, 2.0, 5.0]
    assert entries(closes, "close > close[1]") == [False, True, False, True, False, False, False, True]
    assert entries(closes, "close > close[2]") == [False, False, False, True, False, False, False, True]
    assert entries(closes, "sma(close, 3) == 2") == [False, False, False, True, False, False, False, False]
    assert entries(closes, "(close > close[1])[1]") == [False, False, False, True, False, False, True, False]


def test_crossing_is_one_bar_and_needs_both_bars() -> None:
    closes: list[float | None] = [3.0, 1.0, 2.0, 3.0, None, 4.0, 2.0, 2.0, 5.0]
    assert [i for i, there in enumerate(entries(closes, "close crosses_above 2.5")) if there] == [3, 8]
    assert [i for i, there in enumerate(entries(closes, "close crosses_below 2.5")) if there] == [1, 6]
    assert [i for i, there in enumerate(entries(closes, "not close crosses_above 2.5")) if there] == [1, 2, 5, 6, 7]


@pytest.mark.parametrize(
    ("text", "there"),
    [
        ("close / 0 > 1", False),
        ("not close / 0 > 1", False),
        ("close / (close - close) == close / 0", False),
        ("close / 0 != 1", False),
        ("not (close / 0 == 1 or close / 0 != 1)", False),
        ("close / 0 > 1 or close > 0", True),
        ("not (close / 0 > 1 and close < 0)", True),
        ("close / 0 > 1 and close > 0", False),
        ("sqrt(-close) > 0 or sqrt(-close) <= 0", False),
        ("max(close, close / 0) > 0", False),
        ("close * 1e15 * 1e15 * 1e15 * 1e15 * 1e15 * 1e15 * 1e15 * 1e15 * 1e15 * 1e15 * 1e15 * 1e15 > 0", True),
        (" * ".join(["1e15"] * 21) + " > 0", False),
        ("-(" + " * ".join(["close * 1e15"] * 21) + ") < 0", False),
        ("close[50] > 0 or not close[50] > 0", False),
        ("1 > 0", True),
        ("1 / 0 > 0", False),
        ("not 1 > 0", False),
        ("(1 > 0)[0]", True),
    ],
)
def test_undefined_is_neither_true_nor_false(text: str, there: bool) -> None:
    assert entries([2.0, 3.0], text)[-1] is there


def test_a_constant_condition_holds_on_own_bars_only() -> None:
    assert entries([1.0, None, 1.0], "1 > 0") == [True, False, True]
    assert entries([1.0, None, 1.0, 1.0], "(1 > 0)[2]") == [False, False, False, True]


def test_named_values_are_numbers_numbers_as_text_and_parts_of_rules() -> None:
    closes: list[float | None] = [1.0, 2.0, 3.0, 2.0, 4.0]
    plain = entries(closes, "close > sma(close, 2) and close[1] < 3")
    assert plain == entries(closes, "up and close[k] < top", up="close > sma(close, n)", n="2", k=1, top="(3)")
    assert plain == entries(closes, "up and early", early="close[1] < 3", up="close > average", average="sma(close, 2)")


def test_an_entry_without_an_exit_is_ended_by_stops_alone() -> None:
    one = series("A", [10.0, 10.0, 12.0, 12.0, 9.0, 9.0, 9.0])
    assert run(one, {"entry": "close == 10"}) == [(1, "buy", 10.0)]
    stopped = run(one, {"entry": "close == 10"}, risk={"stop_loss": 0.08})
    assert stopped[:2] == [(1, "buy", 10.0), (4, "sell", 9.0)]


def test_short_rules_count_where_the_direction_allows_them() -> None:
    one = series("A", [10.0, 11.0, 12.0, 11.0, 10.0, 11.0, 12.0])
    rules = {
        "entry": "close > close[1]",
        "exit": "close < close[1]",
        "short_entry": "close < close[1] and close < 11",
        "short_exit": "close > close[1]",
    }
    assert [side for _, side, _ in run(one, rules)] == ["buy", "sell", "buy"]
    both = run(one, rules, execution={"direction": "long_short"})
    assert both == [(2, "buy", 12.0), (4, "sell", 10.0), (5, "sell", 11.0), (6, "buy", 12.0), (6, "buy", 12.0)]
    assert run(one, rules, execution={"direction": "short_only"}) == [(5, "sell", 11.0), (6, "buy", 12.0)]


def test_a_limit_waits_for_one_bar_or_until_replaced() -> None:
    one = series("A", [10.0, 11.0, 12.0, 9.0, 10.5])
    order = {"type": "limit", "price": "close - 1"}
    assert run(one, {"entry": "close == 10", "entry_order": order}) == []
    waits = run(one, {"entry": "close == 10", "entry_order": {**order, "time_in_force": "gtc"}})
    assert waits == [(3, "buy", 9.0)]


def test_a_stop_entry_is_reached_from_below() -> None:
    one = series("A", [10.0, 10.25, 12.0, 12.0])
    order = {"type": "stop", "price": "high + 0.5", "time_in_force": "gtc"}
    assert run(one, {"entry": "close == 10", "entry_order": order}) == [(2, "buy", 12.0)]


def test_an_entry_whose_price_is_undefined_or_not_above_zero_is_none() -> None:
    closes: list[float | None] = [1.0, 2.0, 3.0, 4.0]
    parameters = {"entry": "close > 0", "entry_order": {"type": "limit", "price": "close[1] - 2"}}
    assert signals_of(closes, parameters) == [0, 0, 0, 1 | 16]


def test_a_market_order_may_be_named() -> None:
    one = series("A", [10.0, 10.0, 12.0])
    named = run(one, {"entry": "close > 0", "entry_order": {"type": "market"}})
    assert named == run(one, {"entry": "close > 0"}) == [(1, "buy", 10.0)]


def test_bars_held_counts_own_bars_from_the_bar_of_the_entry() -> None:
    one = series("A", [10.0, 10.0, None, 11.0, 12.0, 13.0, 14.0])
    assert run(one, {"entry": "close == 10", "exit": "bars_held >= 2"})[:2] == [(1, "buy", 10.0), (4, "sell", 13.0)]


def test_bars_held_may_stand_anywhere_in_an_exit() -> None:
    one = series("A", [10.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 16.0])
    for text, last in (
        ("bars_held * 2 >= 5", 5),
        ("not bars_held < 3", 5),
        ("close - 10 >= bars_held and bars_held > 0", 3),
        ("old and close > 0", 4),
        ("max(bars_held, 1) == 3", 5),
        ("-bars_held / 2 <= -1.5", 5),
        ("abs(bars_held - 3) == 0 and sqrt(bars_held) > 1", 5),
        ("close / bars_held < 5", 5),
        ("bars_held >= 2 and (close > 100 or close > sma(close, 3))", 4),
    ):
        parameters = {"entry": "close == 10", "exit": text, "values": {"old": "bars_held >= 2"}}
        fills = run(one, parameters)
        assert fills[:2] == [(1, "buy", 10.0), (last, "sell", 10.0 + last - 1)], text


def test_without_a_position_bars_held_is_undefined_and_an_exit_is_a_signal_all_the_same() -> None:
    """A signal replaces an order that waits, an exit too: with bars_held as without."""
    one = series("A", [10.0, 10.25, 12.0, 9.0, 8.0, 8.0])
    order = {"type": "limit", "price": "close - 1", "time_in_force": "gtc"}
    for leave in ("close > 11", "close > 11 or bars_held > 100", "not (close <= 11 and bars_held >= 0)"):
        assert run(one, {"entry": "close == 10", "exit": leave, "entry_order": order}) == [], leave
    waits = run(one, {"entry": "close == 10", "exit": "bars_held > 100", "entry_order": order})
    assert waits == [(3, "buy", 9.0)]


def test_an_exit_counts_while_holding_though_the_entry_is_true_as_well() -> None:
    one = series("A", [10.0, 10.0, 11.0, 12.0, 13.0, 14.0])
    fills = run(one, {"entry": "close > 0", "exit": "close == 12 and bars_held >= 0"})
    assert fills == [(1, "buy", 10.0), (4, "sell", 13.0), (5, "buy", 14.0)]


def test_rank_compares_the_symbols_that_have_a_bar() -> None:
    bars = Bars([series("B", [1.0, 5.0, 5.0]), series("A", [2.0, 5.0, None]), series("C", [3.0, None, 1.0])])
    given = {
        "name": "x",
        "strategy_type": "rules",
        "symbols": ["B", "A", "C"],
        "parameters": {"entry": "rank(close) == 1"},
    }
    simulation = Simulation(parse_config(given), bars)
    simulation.prepare()
    mask = simulation.decisions.mask  # type: ignore[union-attr]
    assert mask.tolist() == [[0, 0, 1], [0, 1, 0], [1, 0, 0]]


def test_a_rotation_leaves_out_whoever_fails_the_entry_and_keeps_their_place_in_cash() -> None:
    bars = Bars([series("A", [10.0, 12.0, 14.0]), series("B", [10.0, 11.0, 9.0])])
    parameters = {"rank": "roc(close, 1)", "top": 2, "rebalance": "daily", "entry": "roc(close, 1) > 0"}
    given = {"name": "x", "strategy_type": "rules", "symbols": ["A", "B"], "parameters": parameters}
    simulation = Simulation(parse_config(given), bars)
    simulation.prepare()
    weights = simulation.decisions
    assert weights.at.tolist() == [1]  # type: ignore[union-attr]
    assert weights.values.tolist() == [[0.5, 0.5]]  # type: ignore[union-attr]
    falling = {**given, "parameters": {**parameters, "entry": "roc(close, 1) > 0.15"}}
    simulation = Simulation(parse_config(falling), bars)
    simulation.prepare()
    assert simulation.decisions.values.tolist() == [[0.5, 0.0]]  # type: ignore[union-attr]


def test_rules_that_read_volume_say_so_when_there_is_none() -> None:
    bars = Bars([series("A", [1.0, 2.0], volume=[1.0, 2.0]), series("B", [1.0, 2.0])])
    parameters = {
        "entry": "big",
        "exit": "close < 1",
        "values": {"big": "obv() > 0"},
        "entry_order": {"type": "limit", "price": "close * (volume / volume)"},
    }
    given = {"name": "x", "strategy_type": "rules", "symbols": ["A", "B"], "parameters": parameters}
    with pytest.raises(InvalidInput) as caught:
        backproof.simulate(given, bars)
    assert [(error.pointer, error.code) for error in caught.value.errors] == [
        ("/parameters/entry", "no_volume"),
        ("/parameters/entry_order/price", "no_volume"),
    ]
    assert "B have none" in caught.value.message
    assert backproof.simulate({**given, "symbols": ["A"]}, bars).metrics


def test_texts_that_differ_in_layout_alone_have_one_fingerprint() -> None:
    def hashed(**parameters: Any) -> str:
        given = {"name": "x", "strategy_type": "rules", "symbols": ["A"], "parameters": parameters}
        config = parse_config(given)
        return config_hash(canonical_config(config, check_config(config)))

    one = hashed(entry="close > sma(close, n) and (volume > 0)", values={"n": 20})
    assert one == hashed(entry=" close>sma( close,n )\n and volume>0.0", values={"n": 20.0})
    assert one == hashed(entry="close > sma(close, n) and volume > 0", values={"n": "(20)"})
    assert one != hashed(entry="close > sma(close, n) and volume > 0", values={"n": 21})
    assert one != hashed(entry="close >= sma(close, n) and volume > 0", values={"n": 20})
    limit = {"type": "limit", "price": "close*0.9"}
    same = {"type": "limit", "price": " (close) * .9", "time_in_force": "next_bar"}
    assert hashed(entry="close > 1", entry_order=limit) == hashed(entry="close > 1", entry_order=same)
    assert hashed(entry="close > 1", entry_order={"type": "limit", "price": 9}) == hashed(
        entry="close > 1", entry_order={"type": "limit", "price": "9.0"}
    )


def test_a_grid_varies_named_values_and_computes_what_is_the_same_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    closes = (50.0 + np.cumsum(rng.normal(0.0, 1.0, 100))).tolist()
    bars = Bars([series("A", closes), series("B", closes[::-1])])
    parameters = {
        "entry": "sma(close, fast) > sma(close, slow) and close > sma(close, 30)",
        "exit": "sma(close, fast) < sma(close, slow)",
        "values": {"slow": 20},
    }
    given = {"name": "x", "strategy_type": "rules", "symbols": ["A", "B"], "parameters": parameters}
    windows: list[int] = []
    plain = compute.LINES["sma"]
    monkeypatch.setitem(compute.LINES, "sma", lambda x, n: (windows.append(n), plain(x, n))[1])
    grid = {"values.fast": [3, 5, 8], "parameters.values.slow": [15, 20], "risk.stop_loss": [0.04, 0.05]}
    table = backproof.simulate_grid(given, bars, grid)
    assert sorted(windows) == sorted([3, 5, 8, 15, 20, 30] * 2)  # once for each symbol
    assert table.rows == 12
    for row in range(12):
        values = {"fast": table["values.fast"][row].item(), "slow": table["parameters.values.slow"][row].item()}
        config = {
            **given,
            "parameters": {**parameters, "values": values},
            "risk": {"stop_loss": table["risk.stop_loss"][row]},
        }
        assert table["final_equity"][row] == backproof.simulate(config, bars).equity[-1]


def test_a_grid_names_a_value_that_is_in_no_rule() -> None:
    bars = Bars([series("A", [1.0, 2.0, 3.0])])
    parameters = {"entry": "close > close[lag]", "values": {"lag": 1}}
    given = {"name": "x", "strategy_type": "rules", "symbols": ["A"], "parameters": parameters}
    with pytest.raises(InvalidInput, match=r"did you mean values\.lag"):
        backproof.simulate_grid(given, bars, {"values.lagg": [1, 2]})
    with pytest.raises(InvalidInput, match="never forward") as caught:
        backproof.simulate_grid(given, bars, {"values.lag": [1, -1]})
    assert caught.value.errors[0].pointer == "/parameters/entry"
    with pytest.raises(InvalidInput, match=r"values\.lag"):
        backproof.simulate_grid(
            {**given, "strategy_type": "sma_crossover", "parameters": {}}, bars, {"values.lag": [1]}
        )


@pytest.mark.parametrize(
    "parameters",
    [
        {"entry": "close > close[lag]", "exit": "bars_held >= 2"},
        {"entry": "close > close[lag]", "entry_order": {"type": "limit", "price": "close"}},
        {"entry": "rank(close[lag]) == 1", "exit": "rank(close) == 2"},
        {"rank": "close / close[lag]", "top": 1, "rebalance": "weekly"},
    ],
)
def test_a_grid_runs_rules_of_every_form_together_and_symbol_by_symbol(parameters: Given) -> None:
    rng = np.random.default_rng(2)
    walks = [(50.0 + np.cumsum(rng.normal(0.0, 1.0, 60))).tolist() for _ in "ABC"]
    bars = Bars([series(symbol, walk) for symbol, walk in zip("ABC", walks, strict=True)])
    given = {
        "name": "x",
        "strategy_type": "rules",
        "symbols": list("ABC"),
        "parameters": {**parameters, "values": {"lag": 1}},
    }
    table = backproof.simulate_grid(given, bars, {"values.lag": [1, 2]})
    alone = backproof.simulate_grid(given, bars, {"values.lag": [1, 2], "symbol": ["A", "B"]})
    for row in range(2):
        config = {**given, "parameters": {**parameters, "values": {"lag": row + 1}}}
        assert table["final_equity"][row] == backproof.simulate(config, bars).equity[-1]
        for n, symbol in enumerate("AB"):
            single = backproof.simulate({**config, "symbols": [symbol]}, bars)
            assert alone["final_equity"][2 * row + n] == single.equity[-1]
