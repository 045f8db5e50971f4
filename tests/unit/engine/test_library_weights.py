"""The library's portfolios and pairs are those of a computation in plain Python, decided on the bars the rules say."""

import math
import statistics
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from library import Market, Plain, best, columns, config_of, kept, random_market, weights
from markets import days, fills, prices, run, without

from backproof.engine.strategies import check_config
from backproof.errors import InvalidInput

P = dict[str, Any]
Row = dict[str, float]
YEAR = 252.0


def volatility_target(plain: Plain, t: int, p: P) -> Row | None:
    risks = plain.scores(t, lambda own, i: own.volatility(i, p["lookback"]))
    shares = len(plain.listed(t))
    return {s: min(p["cap"], p["target"] / (v * math.sqrt(YEAR))) / shares for s, v in risks.items()} or None


def inverse_volatility(plain: Plain, t: int, p: P) -> Row | None:
    risks = plain.scores(t, lambda own, i: own.volatility(i, p["lookback"]))
    total = sum(1 / v for v in risks.values())
    return {s: p["exposure"] / v / total for s, v in risks.items()} or None


def low_volatility(plain: Plain, t: int, p: P) -> Row | None:
    risks = plain.scores(t, lambda own, i: own.volatility(i, p["lookback"]))
    return dict.fromkeys(best({s: -v for s, v in risks.items()}, p["top"]), p["exposure"] / p["top"]) or None


def dual_momentum(plain: Plain, t: int, p: P) -> Row | None:
    growth = plain.scores(t, lambda own, i: own.growth(i, p["lookback"]))
    growth.pop(p["safe"], None)
    if not growth:
        return None
    chosen = [s for s in best(growth, p["top"]) if growth[s] > p["threshold"]]
    row = dict.fromkeys(chosen, p["exposure"] / p["top"])
    if p["safe"] in plain.listed(t):
        row[p["safe"]] = p["exposure"] * (p["top"] - len(chosen)) / p["top"]
    return row


def near_52_week_high(plain: Plain, t: int, p: P) -> Row | None:
    n = p["lookback"]
    nearness = plain.scores(t, lambda own, i: own.close[i] / max(own.high[i - n + 1 : i + 1]) if i >= n - 1 else None)
    return dict.fromkeys(best(nearness, p["top"]), p["exposure"] / p["top"]) or None


def moving_average_timing(plain: Plain, t: int, p: P) -> Row | None:
    n = p["period"]
    averages = plain.scores(t, lambda own, i: sum(own.close[i - n + 1 : i + 1]) / n if i >= n - 1 else None)
    part, last = (
        p["exposure"] / len(plain.listed(t) or [0]),
        {s: one.close[one.last(t)] for s, one in plain.own.items()},
    )
    return {s: part if last[s] > average else 0.0 for s, average in averages.items()} or None


def time_series_momentum(plain: Plain, t: int, p: P) -> Row | None:
    growth = plain.scores(t, lambda own, i: own.growth(i, p["lookback"]))
    part = p["exposure"] / len(plain.listed(t) or [0])
    row = {s: part if g > 0 else -part if g < 0 and p["losers"] == "short" else 0.0 for s, g in growth.items()}
    if p["target_volatility"] is None:
        return row or None
    risks = plain.scores(t, lambda own, i: own.volatility(i, p["volatility_lookback"]))
    row = {s: w for s, w in row.items() if s in risks}
    return {s: w * min(p["cap"], p["target_volatility"] / (risks[s] * YEAR**0.5)) for s, w in row.items()} or None


def fixed_weights(plain: Plain, t: int, p: P) -> Row:
    given = p["weights"] or {s: 1 / len(plain.own) for s in plain.own}
    return {s: w for s, w in given.items() if s in plain.listed(t)}


SCHEDULE = {"rebalance": "monthly", "exposure": 1.0}
MOMENTUM = {"losers": "flat", "target_volatility": None}
SCALED = {"losers": "short", "target_volatility": 0.2, "volatility_lookback": 12, "cap": 1.5}
CASES: list[tuple[str, Callable[[Plain, int, P], Row | None], list[P]]] = [
    ("volatility_target", volatility_target, [
        {"target": 0.2, "lookback": 21, "cap": 1.0, "rebalance": "monthly"},
        {"target": 0.6, "lookback": 2, "cap": 1.7, "rebalance": "daily"},
    ]),
    ("inverse_volatility", inverse_volatility, [
        {**SCHEDULE, "lookback": 21},
        {"rebalance": "weekly", "lookback": 7, "exposure": 0.8},
    ]),
    ("low_volatility", low_volatility, [
        {**SCHEDULE, "lookback": 30, "top": 2},
        {**SCHEDULE, "lookback": 3, "top": 7, "rebalance": "daily"},
    ]),
    ("dual_momentum", dual_momentum, [
        {**SCHEDULE, "lookback": 21, "top": 1, "threshold": 0.0, "safe": "A"},
        {**SCHEDULE, "lookback": 5, "top": 2, "threshold": 0.02, "safe": None, "rebalance": "daily"},
        {**SCHEDULE, "lookback": 9, "top": 5, "threshold": -0.01, "safe": "C", "rebalance": "weekly"},
        {**SCHEDULE, "lookback": 9, "top": 2, "threshold": 0.05, "safe": "D", "rebalance": "daily"},
    ]),
    ("near_52_week_high", near_52_week_high, [
        {**SCHEDULE, "lookback": 40, "top": 2},
        {**SCHEDULE, "lookback": 2, "top": 1, "rebalance": "daily"},
    ]),
    ("moving_average_timing", moving_average_timing, [
        {**SCHEDULE, "period": 30},
        {"rebalance": "daily", "exposure": 1.4, "period": 6},
    ]),
    ("time_series_momentum", time_series_momentum, [
        {**SCHEDULE, **MOMENTUM, "lookback": 21},
        {**SCHEDULE, **MOMENTUM, "lookback": 3, "losers": "short", "rebalance": "daily"},
        {**SCHEDULE, **SCALED, "lookback": 5, "rebalance": "daily"},
        {**SCHEDULE, **SCALED, "lookback": 30, "losers": "flat", "rebalance": "weekly"},
    ]),
    ("fixed_weights", fixed_weights, [
        {"weights": {"A": 0.6, "D": -0.4}, "rebalance": "monthly"},
        {"weights": {}, "rebalance": "quarterly"},
    ]),
]  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("start", ["schedule", "first_bar"])
@pytest.mark.parametrize(
    ("name", "expected", "p"), [(name, f, p) for name, f, sets in CASES for p in sets], ids=lambda x: None
)
def test_weights_are_those_of_a_plain_computation(
    name: str, expected: Callable[[Plain, int, P], Row | None], p: P, start: str, seed: int
) -> None:
    market = random_market(seed)
    plain = Plain.of(market)
    got = weights(market, name, {**p, "start": start}, execution={"direction": "long_short", "max_leverage": 2.0})
    days_of = sorted({*plain.period_ends(p["rebalance"]), *([0] if start == "first_bar" else [])})
    wanted = {t: row for t in days_of if (row := expected(plain, t, p)) is not None}
    assert list(got) == list(wanted)
    for t, row in wanted.items():
        for symbol in market:
            assert got[t][symbol] == pytest.approx(row.get(symbol, 0.0), rel=1e-11, abs=1e-14), (t, symbol)
    assert any(any(row.values()) for row in got.values())


@pytest.mark.parametrize("rebalance", ["daily", "weekly", "monthly", "quarterly"])
def test_the_library_decides_at_the_ends_of_periods(rebalance: str) -> None:
    market = random_market(9, 300)
    for name in ("fixed_weights", "volatility_target"):
        lookback = {"lookback": 2} if name == "volatility_target" else {}
        got = weights(market, name, {"rebalance": rebalance, **lookback})
        wanted = [t for t in Plain.of(market).period_ends(rebalance) if t >= (2 if lookback else 0)]
        assert list(got) == wanted


def test_only_decisions_within_the_run_are_made_and_its_warm_up_is_used() -> None:
    market = random_market(4)
    start = Plain.of(market).dates[60]
    whole = weights(market, "inverse_volatility", {"lookback": 40, "rebalance": "daily"})
    late = weights(market, "inverse_volatility", {"lookback": 40, "rebalance": "daily"}, start_date=start)
    assert late == {t: row for t, row in whole.items() if t >= 60}


# --- by hand


def test_a_volatility_below_the_target_is_scaled_up_to_the_cap_and_one_above_it_down() -> None:
    """Returns of +10 % and -10 % in turn deviate by 0.1155 over three; 10 % a year of 4 bars asks for 0.433 of it."""
    wild = [100.0, 110.0, 99.0, 108.9, 98.01]
    market = {"A": prices(wild), "B": prices([50.0] * 5)}
    got = weights(
        market, "volatility_target", {"lookback": 3, "target": 0.1, "rebalance": "daily", "periods_per_year": 4.0}
    )
    deviation = statistics.stdev([0.1, -0.1, 0.1])
    assert got[3]["A"] == pytest.approx(0.1 / (deviation * 2.0) / 2.0)
    assert got[3]["B"] == 0.5  # it does not move: the cap


def test_a_year_has_the_calendars_days_or_52_weeks() -> None:
    closes = [100.0, 110.0, 99.0, 108.9, 98.01, 100.0]
    daily = weights({"A": prices(closes)}, "volatility_target", {"lookback": 3, "rebalance": "daily"})
    weekly_dates = ["2024-01-05", "2024-01-12", "2024-01-19", "2024-01-26", "2024-02-02", "2024-02-09"]
    weekly = weights(
        *({"A": prices(closes, dates=weekly_dates)}, "volatility_target", {"lookback": 3, "rebalance": "daily"}),
        timeframe="1w",
    )
    assert weekly[3]["A"] / daily[3]["A"] == pytest.approx(math.sqrt(252.0 / 52.0))


def test_bars_within_a_day_need_to_be_told_how_many_a_year_has() -> None:
    dates = [f"2024-01-0{day}T{hour}:30:00" for day in (2, 3, 4) for hour in (15, 16, 17, 18)]
    market = {"A": prices([10.0 + t % 3 for t in range(12)], dates=dates)}
    p = {"lookback": 3, "rebalance": "daily"}
    with pytest.raises(InvalidInput) as caught:
        weights(market, "volatility_target", p, timeframe="1h")
    assert caught.value.errors[0].pointer == "/parameters/periods_per_year"
    assert list(weights(market, "volatility_target", {**p, "periods_per_year": 1764.0}, timeframe="1h")) == [3, 7]
    assert list(weights(market, "inverse_volatility", p, timeframe="1h")) == [3, 7]


def test_a_symbol_that_does_not_move_has_no_inverse_volatility_and_is_not_the_least_volatile() -> None:
    market = {"A": columns(days(30), 1), "B": prices([50.0] * 30), "C": columns(days(30), 2)}
    for name, more in (("inverse_volatility", {}), ("low_volatility", {"top": 2})):
        got = weights(market, name, {"lookback": 5, "rebalance": "daily", **more})
        assert list(got) == list(range(5, 29))
        assert {row["B"] for row in got.values()} == {0.0}
        assert all(sum(row.values()) == pytest.approx(1.0) for row in got.values())


def test_dual_momentum_goes_to_the_safe_symbol_when_nothing_rises_and_back() -> None:
    up_then_down = [10.0, 11.0, 12.0, 11.0, 10.0, 9.0, 10.0, 11.0]
    market = {"A": prices(up_then_down), "B": prices([10.0] * 8), "BIL": prices([100.0 + t for t in range(8)])}
    got = weights(market, "dual_momentum", {"lookback": 2, "rebalance": "daily", "safe": "BIL"})
    assert [[s for s, w in row.items() if w] for row in got.values()] == [["A"], ["BIL"], ["BIL"], ["BIL"], ["BIL"]]
    assert list(got) == [2, 3, 4, 5, 6]  # at 3 the growth is 0, which does not exceed the threshold


def test_dual_momentum_without_a_safe_symbol_is_in_cash() -> None:
    falling = {"A": prices([10.0 - t for t in range(6)]), "B": prices([20.0 - t for t in range(6)])}
    got = weights(falling, "dual_momentum", {"lookback": 2, "rebalance": "daily"})
    assert [list(row.values()) for row in got.values()] == [[0.0, 0.0]] * 3


def test_ties_go_to_the_first_by_name() -> None:
    same = [10.0, 11.0, 12.0, 13.0, 14.0]
    market = {"C": prices(same), "A": prices(same), "B": prices(same)}
    for name in ("dual_momentum", "near_52_week_high", "low_volatility"):
        got = weights(market, name, {"lookback": 2, "top": 1, "rebalance": "daily"})
        assert all([s for s, w in row.items() if w] == ["A"] for row in got.values()), name


def test_a_listed_symbol_without_a_bar_on_the_day_keeps_its_last_value() -> None:
    market = {"A": without(prices([10, 10, 10, 20, 20, 20.0]), 4), "B": prices([10, 10, 10, 11, 11, 11.0])}
    for name, p in (
        ("dual_momentum", {"lookback": 1}),
        ("near_52_week_high", {"lookback": 2, "top": 1}),
        ("time_series_momentum", {"lookback": 1}),
        ("moving_average_timing", {"period": 3}),
    ):
        assert weights(market, name, {**p, "rebalance": "daily"})[4]["A"] > 0.0, name


def test_sixty_forty_is_restored_at_every_rebalance() -> None:
    market = {"A": prices([10.0, 10.0, 20.0, 20.0]), "B": prices([10.0] * 4)}
    result = run(market, "fixed_weights", {"weights": {"A": 0.6, "B": 0.4}, "rebalance": "daily"})
    assert fills(result) == [
        (1, "A", "buy", 60.0, 10.0), (1, "B", "buy", 40.0, 10.0),
        (2, "A", "sell", 12.0, 20.0), (2, "B", "buy", 24.0, 10.0),
    ]  # fmt: skip
    assert list(result.equity) == [1000.0, 1000.0, 1600.0, 1600.0]


# --- pairs


def pair_lines(plain: Plain, p: P) -> tuple[list[int], list[float], list[float]]:
    """Common bars, z-scores and hedges, from the definitions of statistics and of a least-squares line."""
    a, b = plain.own.values()
    close = [dict(zip(one.bars, one.close, strict=True)) for one in (a, b)]
    common = sorted(set(a.bars) & set(b.bars))
    n, scores, hedges = p["lookback"], [], []
    for i in range(len(common)):
        window = common[i - n + 1 : i + 1] if i >= n - 1 else []
        x, y = [close[1][t] for t in window], [close[0][t] for t in window]
        if not window:
            score, hedge = math.nan, math.nan
        elif p["spread"] == "ratio":
            ratios = [v / u for u, v in zip(x, y, strict=True)]
            score, hedge = (ratios[-1] - statistics.fmean(ratios)) / statistics.stdev(ratios), 1.0
        else:
            slope, intercept = statistics.linear_regression(x, y)
            left = [v - intercept - slope * u for u, v in zip(x, y, strict=True)]
            score, hedge = left[-1] / math.sqrt(sum(e * e for e in left) / (n - 2)), slope * x[-1] / y[-1]
        scores.append(score)
        hedges.append(hedge)
    return common, scores, hedges


def pair_weights(plain: Plain, p: P, first: int = 0) -> dict[int, tuple[float, float]]:
    side, waiting, result = "", "", {}
    lasts = [one.bars[-1] for one in plain.own.values()]
    end = min(lasts) if min(lasts) < len(plain.dates) - 1 else len(plain.dates)
    for t, z, hedge in zip(*pair_lines(plain, p), strict=True):
        before = side
        if t < first or t >= end or math.isnan(z):
            continue
        lost = p["stop"] is not None and ((side == "long" and z < -p["stop"]) or (side == "short" and z > p["stop"]))
        if lost:
            side, waiting = "", side
        elif (side == "long" and z >= -p["exit"]) or (side == "short" and z <= p["exit"]):
            side = ""
        if (waiting == "long" and z >= -p["exit"]) or (waiting == "short" and z <= p["exit"]):
            waiting = ""
        if not side and not waiting and hedge > 0 and (p["stop"] is None or abs(z) <= p["stop"]):
            side = "long" if z < -p["entry"] else "short" if z > p["entry"] else ""
        if side != before:
            size = p["exposure"] / (1 + hedge)
            result[t] = {"": (0.0, 0.0), "long": (size, -size * hedge), "short": (-size, size * hedge)}[side]
    if side and end < len(plain.dates):
        result[end] = (0.0, 0.0)
    return result


def pair_market(seed: int, count: int = 400) -> Market:
    """Two prices that share a random walk, each with holes; what is between them comes back and at times runs away."""
    rng = np.random.default_rng(seed)
    common, gap = np.cumsum(rng.normal(0.0, 0.02, count)), np.zeros(count)
    for t in range(1, count):
        gap[t] = 0.85 * gap[t - 1] + rng.normal(0.0, 0.02) + (0.15 if rng.random() < 0.02 else 0.0)
    dates = days(count)
    a, b = (
        prices((50.0 * np.exp(common + gap)).tolist(), dates=dates),
        prices((20 * np.exp(common)).tolist(), dates=dates),
    )
    holes = set(rng.choice(np.arange(1, count - 1), 30, replace=False).tolist())
    return {"B": without(a, *(t for t in holes if t % 2)), "A": without(b, *(t for t in holes if t % 2 == 0))}


PAIR = {"spread": "ratio", "lookback": 20, "entry": 1.5, "exit": 0.5, "stop": None, "exposure": 1.0}
PAIRS: list[P] = [
    PAIR,
    {**PAIR, "spread": "residual", "lookback": 30},
    {**PAIR, "stop": 2.2, "exit": 0.0, "exposure": 1.6},
    {**PAIR, "spread": "residual", "stop": 2.0, "entry": 1.0, "exit": 0.9, "lookback": 5},
    {**PAIR, "lookback": 3, "entry": 1.0},
]


@pytest.mark.parametrize("p", PAIRS)
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("shape", ["whole", "starts in the middle", "one ends", "other ends", "listed late"])
def test_pairs_are_those_of_a_plain_computation(p: P, seed: int, shape: str) -> None:
    market, more, first = pair_market(seed), {}, 0
    if shape == "starts in the middle":
        first = 200
        more = {"start_date": Plain.of(market).dates[first]}
    elif shape == "one ends":
        market["B"] = kept(market["B"], lambda i: i < 300)
    elif shape == "other ends":
        market["A"] = kept(market["A"], lambda i: i < 310)
    elif shape == "listed late":
        market["A"] = kept(market["A"], lambda i: i >= 90)
    got = weights(market, "pairs_spread", p, **more)
    wanted = pair_weights(Plain.of(market), p, first)
    assert list(got) == list(wanted)
    for t, row in wanted.items():
        assert list(got[t].values()) == pytest.approx(row, rel=1e-8), t
    assert {np.sign(row["B"]) for row in got.values()} == {-1.0, 0.0, 1.0}


def test_a_pair_is_short_the_dear_one_and_long_the_cheap_one_until_they_meet() -> None:
    """Ratios 1 or 1.02 in turn have the deviation 0.0108 over six; 1.1 is far beyond, and 1.02 is back inside."""
    b = [100.0] * 12
    a = [100.0, 102.0, 100.0, 102.0, 100.0, 102.0, 100.0, 110.0, 110.0, 102.0, 101.0, 101.0]
    given = {"lookback": 6, "entry": 1.8, "exit": 0.5}
    result = run({"X": prices(a), "Y": prices(b)}, "pairs_spread", given, execution={"direction": "long_short"})
    assert [(bar, symbol, side) for bar, symbol, side, *_ in fills(result)] == [
        (8, "X", "sell"), (8, "Y", "buy"), (10, "X", "buy"), (10, "Y", "sell"),
    ]  # fmt: skip
    assert fills(result)[0][3] == pytest.approx(500.0 / 110.0)
    assert fills(result)[1][3] == pytest.approx(5.0)


def test_the_other_leg_is_left_when_one_symbol_has_ended() -> None:
    b = [100.0] * 12
    a = [100.0, 102.0, 100.0, 102.0, 100.0, 102.0, 100.0, 110.0, 111.0, 112.0]
    given = {"lookback": 6, "entry": 1.8, "exit": 0.0}
    market = {"X": prices(a), "Y": prices(b)}
    assert weights(market, "pairs_spread", given)[9] == {"X": 0.0, "Y": 0.0}
    result = run(market, "pairs_spread", given, execution={"direction": "long_short"})
    assert [(f["symbol"], f["reason"]) for f in result.fills][2:] == [("X", "delisted"), ("Y", "rebalance")]
    assert result.fills["bar"][-1] == 10


@pytest.mark.parametrize("spread", ["ratio", "residual"])
def test_prices_that_do_not_move_against_each_other_have_no_score(spread: str) -> None:
    walk = columns(days(60), 5)["close"]
    for other in ([3.0 * price for price in walk], [7.0] * 60):
        market = {"X": prices(other), "Y": prices([7.0] * 60 if other[0] == 7.0 else walk)}
        assert not weights(market, "pairs_spread", {"lookback": 10, "spread": spread, "entry": 0.1, "exit": 0.0})


def test_symbols_that_never_trade_together_are_no_pair() -> None:
    market = {
        "X": kept(columns(days(40), 1), lambda i: i % 2 == 0),
        "Y": kept(columns(days(40), 2), lambda i: i % 2 == 1),
    }
    assert not weights(market, "pairs_spread", {"lookback": 3})


# --- what a configuration must have


@pytest.mark.parametrize(
    ("strategy", "symbols", "parameters", "direction", "pointer", "words"),
    [
        ("pairs_spread", "AB", {}, "long_only", "/execution/direction", "long_short"),
        ("pairs_spread", "A", {}, "long_short", "/symbols", "give two, not 1"),
        ("pairs_spread", "ABC", {}, "long_short", "/symbols", "give two, not 3"),
        ("dual_momentum", "AB", {"safe": "C"}, "long_only", "/parameters/safe", "C is not one of the run's symbols"),
        ("dual_momentum", "A", {"safe": "A"}, "long_only", "/symbols", "another symbol"),
        ("fixed_weights", "AB", {"weights": {"Z": 0.1}}, "long_only", "/parameters/weights/Z", "Z is not one"),
        ("fixed_weights", "AB", {"weights": {"Z/~": 0.1}}, "long_only", "/parameters/weights/Z~1~0", "Z/~ is not one"),
        ("fixed_weights", "AB", {"weights": {"A": -0.1}}, "long_only", "/parameters/weights/A", "against long_only"),
        ("fixed_weights", "AB", {"weights": {"A": 0.1}}, "short_only", "/parameters/weights/A", "against short_only"),
        ("fixed_weights", "AB", {}, "short_only", "/execution/direction", "short_only"),
        ("time_series_momentum", "A", {"losers": "short"}, "long_only", "/parameters/losers", "long_only"),
        ("time_series_momentum", "A", {}, "short_only", "/execution/direction", "short_only"),
        ("volatility_target", "A", {}, "short_only", "/execution/direction", "long positions only"),
        ("turn_of_month", "A", {}, "short_only", "/execution/direction", "long positions only"),
    ],
)
def test_what_a_strategy_cannot_be_run_with_is_named(
    strategy: str, symbols: str, parameters: P, direction: str, pointer: str, words: str
) -> None:
    market = {symbol: prices([1.0]) for symbol in symbols}
    with pytest.raises(InvalidInput) as caught:
        check_config(config_of(strategy, market, parameters, execution={"direction": direction}))
    (error,) = caught.value.errors
    assert error.pointer == pointer
    assert words in error.message


def test_fixed_weights_may_be_short_where_that_is_allowed() -> None:
    market = {"A": prices([10.0] * 4), "B": prices([10.0] * 4)}
    p = {"weights": {"A": 0.5, "B": -0.5}, "start": "first_bar"}
    result = run(market, "fixed_weights", p, execution={"direction": "long_short"})
    assert [(symbol, side, shares) for _, symbol, side, shares, _ in fills(result)] == [
        ("A", "buy", 50.0), ("B", "sell", 50.0),
    ]  # fmt: skip
