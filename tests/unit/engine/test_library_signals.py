"""The library's signal strategies decide on every bar what a computation in plain Python decides."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from library import Market, Own, Plain, atr, bits, columns, ema, random_market, rsi, sma
from markets import days, fills, prices, run, without

from backproof.engine.layout import ENTER_LONG, ENTER_SHORT, EXIT_LONG, EXIT_SHORT

UP, DOWN = ENTER_LONG | EXIT_SHORT, ENTER_SHORT | EXIT_LONG
P = dict[str, Any]


def mirrored(long: bool, out: bool, short: bool, cover: bool) -> int:
    return ENTER_LONG * long | EXIT_LONG * out | ENTER_SHORT * short | EXIT_SHORT * cover


def keltner(own: Own, p: P) -> list[int]:
    middle, reach = ema(own.close, p["period"]), atr(own, p["atr_period"])
    result = []
    for close, m, r in zip(own.close, middle, reach, strict=True):
        known = not math.isnan(m + r)
        above, below = close > m + p["width"] * r, close < m - p["width"] * r
        result.append(mirrored(above, known and close < m, below, known and close > m))
    return result


def supertrend(own: Own, p: P) -> list[int]:
    reach, upper, lower, side, result = atr(own, p["period"]), None, None, 0, []
    for i, close in enumerate(own.close):
        if not math.isnan(reach[i]):
            middle = (own.high[i] + own.low[i]) / 2
            basic_upper, basic_lower = middle + p["width"] * reach[i], middle - p["width"] * reach[i]
            before = own.close[i - 1]
            upper = basic_upper if upper is None or basic_upper < upper or before > upper else upper
            lower = basic_lower if lower is None or basic_lower > lower or before < lower else lower
            if side >= 0 and close < lower:
                side = -1 if not (side == 0 and close > upper) else 1
            elif side <= 0 and close > upper:
                side = 1
        result.append({1: UP, -1: DOWN, 0: 0}[side])
    return result


def adx_trend(own: Own, p: P) -> list[int]:
    """Wilder's sums: seeded with the first period - 1 movements, each then losing a period-th of itself."""
    n, result, strengths, adx = p["period"], [0], [], math.nan
    up = down = span = 0.0
    for i in range(1, len(own.close)):
        rise, fall = own.high[i] - own.high[i - 1], own.low[i - 1] - own.low[i]
        before, after = own.close[i - 1], (own.high[i], own.low[i])
        reach = max(after[0] - after[1], abs(after[0] - before), abs(after[1] - before))
        if i >= n:
            up, down, span = up - up / n, down - down / n, span - span / n
        up += rise if rise > 0 and rise > fall else 0.0
        down += fall if fall > 0 and fall > rise else 0.0
        span += reach
        plus, minus = (100 * up / span, 100 * down / span) if span else (0.0, 0.0)
        if i >= n:
            strengths.append(100 * abs(plus - minus) / (plus + minus) if plus + minus else 0.0)
        if i == 2 * n - 1:
            adx = sum(strengths) / n
        elif i >= 2 * n:
            adx = (adx * (n - 1) + strengths[-1]) / n
        known = i >= 2 * n - 1
        strong = known and adx > p["threshold"]
        result.append(
            mirrored(strong and plus > minus, known and plus <= minus, strong and minus > plus, known and minus <= plus)
        )
    return result


def parabolic_sar(own: Own, p: P) -> list[int]:
    """Wilder's stop: it nears the extreme by a factor that grows with each new one, outside the last two bars."""
    high, low, close = own.high, own.low, own.close
    if len(close) < 2:
        return [0] * len(close)
    rise, fall = high[1] - high[0], low[0] - low[1]
    long = not (fall > 0 and fall > rise)
    extreme, stop, factor = (high[1], low[0], p["acceleration"]) if long else (low[1], high[0], p["acceleration"])
    result = [0]
    for i in range(1, len(close)):
        before = max(i - 1, 1) if i == 1 else i - 1  # the first bar with a stop counts as its own predecessor
        turned = low[i] <= stop if long else high[i] >= stop
        if turned:
            long = not long
            stop, factor = extreme, p["acceleration"]
            stop = min(stop, low[before], low[i]) if long else max(stop, high[before], high[i])
            extreme = high[i] if long else low[i]
        shown = stop
        if not turned and (high[i] > extreme if long else low[i] < extreme):
            extreme = high[i] if long else low[i]
            factor = min(factor + p["acceleration"], p["maximum"])
        stop += factor * (extreme - stop)
        stop = min(stop, low[before], low[i]) if long else max(stop, high[before], high[i])
        result.append(UP if close[i] > shown else DOWN)
    return result


def stochastic(own: Own, p: P) -> list[int]:
    n, raw = p["period"], []
    for i in range(n - 1, len(own.close)):
        top, bottom = max(own.high[i - n + 1 : i + 1]), min(own.low[i - n + 1 : i + 1])
        raw.append(100 * (own.close[i] - bottom) / (top - bottom) if top > bottom else 0.0)
    slow = sma(raw, p["smooth"])[p["smooth"] - 1 :]
    signal = sma(slow, p["signal_period"])
    lost = len(own.close) - len(slow)
    result = [0] * lost
    for k, d in zip(slow, signal, strict=True):
        up, down = d < p["oversold"] and k > d, d > p["overbought"] and k < d
        result.append(UP if up else DOWN if down else 0)
    return result[: len(own.close)]


def rsi_pullback(own: Own, p: P) -> list[int]:
    strength, trend, leave = rsi(own.close, p["period"]), sma(own.close, p["trend"]), sma(own.close, p["exit"])
    result = []
    for close, r, t, e in zip(own.close, strength, trend, leave, strict=True):
        known = not math.isnan(r + t + e)
        long, short = close > t and r < p["oversold"], close < t and r > 100 - p["oversold"]
        result.append(mirrored(known and long, known and close > e, known and short, known and close < e))
    return result


CASES: list[tuple[str, Callable[[Own, P], list[int]], list[P]]] = [
    ("keltner_breakout", keltner, [
        {"period": 8, "atr_period": 5, "width": 1.0},
        {"period": 3, "atr_period": 9, "width": 0.5},
    ]),
    ("supertrend", supertrend, [
        {"period": 5, "width": 1.5},
        {"period": 1, "width": 0.5},
        {"period": 10, "width": 3.0},
    ]),
    ("adx_trend", adx_trend, [
        {"period": 5, "threshold": 25.0},
        {"period": 2, "threshold": 40.0},
        {"period": 14, "threshold": 15.0},
    ]),
    ("parabolic_sar", parabolic_sar, [
        {"acceleration": 0.02, "maximum": 0.2},
        {"acceleration": 0.1, "maximum": 0.15},
    ]),
    ("stochastic", stochastic, [
        {"period": 8, "smooth": 3, "signal_period": 3, "oversold": 30.0, "overbought": 70.0},
        {"period": 5, "smooth": 1, "signal_period": 2, "oversold": 45.0, "overbought": 55.0},
    ]),
    ("rsi_pullback", rsi_pullback, [
        {"period": 2, "oversold": 30.0, "trend": 30, "exit": 5},
        {"period": 4, "oversold": 45.0, "trend": 3, "exit": 7},
    ]),
]  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("name", "expected", "p"), [(name, f, p) for name, f, sets in CASES for p in sets], ids=lambda x: None
)
def test_signals_are_those_of_a_plain_computation(
    name: str, expected: Callable[[Own, P], list[int]], p: P, seed: int
) -> None:
    market = random_market(seed)
    plain = Plain.of(market)
    got = bits(market, name, p)
    for n, own in enumerate(plain.own.values()):
        wanted = np.zeros(len(plain.dates), dtype=np.uint8)
        wanted[own.bars] = expected(own, p)
        assert got[n].tolist() == wanted.tolist()
    assert (got & ENTER_LONG).any()
    assert (got & ENTER_SHORT).any()


@pytest.mark.parametrize("name", ["supertrend", "parabolic_sar", "adx_trend", "keltner_breakout"])
def test_signals_are_exact_where_prices_meet_their_levels(name: str) -> None:
    """Prices in quarters touch levels exactly; what is compared strictly and what not shows only there."""
    expected = {case[0]: case[1] for case in CASES}[name]
    p = {
        "supertrend": {"period": 1, "width": 1.0},
        "parabolic_sar": {"acceleration": 0.25, "maximum": 0.5},
        "adx_trend": {"period": 2, "threshold": 0.0},
        "keltner_breakout": {"period": 1, "atr_period": 1, "width": 1.0},
    }[name]
    for seed in range(10):
        market = random_market(seed, 120, ticks=True)
        plain = Plain.of(market)
        got = bits(market, name, p)
        for n, own in enumerate(plain.own.values()):
            assert got[n, own.bars].tolist() == expected(own, p)


# --- by hand


def test_a_supertrend_has_no_side_before_a_close_beyond_a_band_and_then_trails() -> None:
    """Bars of range 2 around 10, average range 2, width 1: bands 8 and 12. 13 is above, and the lower band follows."""
    highs = [11.0] * 4 + [13.5, 14.5, 15.5, 14.0, 11.0]
    closes = [10.0] * 4 + [13.0, 14.0, 15.0, 13.5, 10.5]
    lows = [9.0] * 4 + [11.5, 12.5, 13.5, 13.0, 10.0]
    given = {"date": days(9), "open": closes, "high": highs, "low": lows, "close": closes}
    assert bits({"A": given}, "supertrend", {"period": 2, "width": 1.0})[0].tolist() == [
        0,
        0,
        0,
        0,
        UP,
        UP,
        UP,
        UP,
        DOWN,
    ]


def month(days_held: Market, p: P, **more: Any) -> list[int]:
    return bits(days_held, "turn_of_month", p, **more)[0].tolist()


def dated(*dates: str) -> Market:
    return {"A": prices([10.0] * len(dates), dates=list(dates))}


JANUARY = (
    "2024-01-29",
    "2024-01-30",
    "2024-01-31",
    "2024-02-01",
    "2024-02-02",
    "2024-02-05",
    "2024-02-06",
    "2024-02-07",
)


@pytest.mark.parametrize(
    ("p", "held"),
    [
        ({}, [0, 1, 1, 1, 1, 0, 0, 0]),  # in from the close before the last bar to the one after which three are held
        ({"before": 0, "after": 3}, [0, 0, 1, 1, 1, 0, 0, 0]),
        ({"before": 2, "after": 0}, [1, 1, 0, 0, 0, 0, 0, 0]),
        ({"before": 5, "after": 9}, [1, 1, 1, 1, 1, 1, 1, 1]),
    ],
)
def test_turn_of_month_is_in_over_the_last_bars_of_a_month_and_the_first_of_the_next(p: P, held: list[int]) -> None:
    assert month(dated(*JANUARY), p) == [ENTER_LONG if one else EXIT_LONG for one in held]


def test_turn_of_month_earns_the_moves_of_those_bars_where_it_fills_at_its_own_close() -> None:
    closes = [10.0, 10.0, 11.0, 12.0, 13.0, 14.0, 20.0, 30.0]
    market = {"A": prices(closes, dates=list(JANUARY))}
    result = run(market, "turn_of_month", execution={"fill": "same_close"})
    assert [(bar, side) for bar, _, side, *_ in fills(result)] == [(1, "buy"), (5, "sell")]
    assert result.equity[-1] == pytest.approx(1000.0 * 14.0 / 10.0)


def test_the_runs_last_bar_ends_no_month() -> None:
    assert month(dated("2024-01-30", "2024-01-31"), {"before": 1}) == [EXIT_LONG, EXIT_LONG]


def test_turns_of_short_months_may_overlap() -> None:
    short = ("2024-01-31", "2024-02-29", "2024-03-28", "2024-04-01", "2024-04-02")
    got = month(dated(*short), {"before": 1, "after": 1}, periods_per_year=12.0)
    assert got == [ENTER_LONG, ENTER_LONG, ENTER_LONG, EXIT_LONG, EXIT_LONG]


def test_turn_of_month_says_nothing_on_a_missing_bar_and_enters_on_the_next() -> None:
    whole = prices([10.0] * 8, dates=list(JANUARY))
    got = bits({"A": without(whole, 1), "B": whole}, "turn_of_month", {})
    assert got[0].tolist() == [EXIT_LONG, 0, ENTER_LONG, ENTER_LONG, ENTER_LONG, EXIT_LONG, EXIT_LONG, EXIT_LONG]


def test_a_stochastic_without_a_range_is_zero_and_no_signal() -> None:
    got = bits({"A": prices([10.0] * 30)}, "stochastic", {"period": 5})
    assert not got.any()


def test_rsi_pullback_buys_a_dip_in_a_rise_and_sells_the_recovery() -> None:
    closes = [*(100.0 + t for t in range(12)), 108.0, 106.0, 112.0, 113.0, 114.0]
    result = run({"A": prices(closes)}, "rsi_pullback", {"period": 2, "oversold": 20.0, "trend": 14, "exit": 3})
    assert [(bar, side) for bar, _, side, *_ in fills(result)] == [(14, "buy"), (15, "sell")]


def test_an_entry_above_the_keltner_band_is_left_below_the_middle() -> None:
    closes = [10.0, 10.2, 10.0, 10.2, 10.0, 13.0, 13.5, 12.9, 9.0, 9.0]
    result = run({"A": prices(closes)}, "keltner_breakout", {"period": 3, "atr_period": 3, "width": 1.0})
    assert [(bar, side) for bar, _, side, *_ in fills(result)] == [(6, "buy"), (9, "sell")]


def test_level_strategies_follow_both_sides_under_long_short() -> None:
    market = {"A": columns(days(200), 3)}
    for name in ("supertrend", "parabolic_sar"):
        sides = {f["side"] for f in run(market, name, execution={"direction": "long_short"}).fills}
        assert sides == {"buy", "sell"}
