"""The full metrics against empyrical and scipy, by hand, and the laws that hold for every curve."""

import math
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markets import prices, run, run_signals
from scipy import stats

from backproof.engine import metrics as headline
from backproof.engine import trade_analysis
from backproof.engine.analysis import (
    METRIC_NOTES,
    drawdown_table,
    full_metrics,
    last_of_day,
    monthly_returns,
    probabilistic_sharpe,
    yearly_returns,
)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import empyrical

REL = 1e-9
GOLDEN = Path(__file__).parents[2] / "golden" / "curves.parquet"
QUICK = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=150)
NAT = np.datetime64("NaT")
TRADE = np.dtype(
    [
        ("symbol", "U4"),
        ("side", "U5"),
        ("entry_date", "M8[D]"),
        ("exit_date", "M8[D]"),
        ("shares", "f8"),
        ("profit", "f8"),
        ("return", "f8"),
        ("costs", "f8"),
        ("bars", "i8"),
        ("reason", "U10"),
        ("mae", "f8"),
        ("mfe", "f8"),
    ]
)
NO_TRADES = np.empty(0, dtype=TRADE)


def trade(profit: float, entry: str = "2024-01-02", exit_: str = "2024-01-05", **given: Any) -> np.void:
    made = np.zeros(1, dtype=TRADE)[0]
    values = {
        "symbol": "A",
        "side": "long",
        "reason": "signal",
        "return": profit / 1000.0,
        "mae": np.nan,
        "mfe": np.nan,
    }
    for name, value in {**values, "profit": profit, "entry_date": entry, "exit_date": exit_, **given}.items():
        made[name] = value
    return made


def trades_of(*rows: np.void) -> np.ndarray:
    return np.array(list(rows), dtype=TRADE)


def weekdays(count: int, start: str = "2020-01-01") -> np.ndarray:
    return np.busday_offset(start, np.arange(count), roll="forward")


def returns_of(equity: np.ndarray) -> np.ndarray:
    """As the engine: the bar after equity <= 0 has return 0."""
    before = equity[:-1]
    with np.errstate(all="ignore"):
        return np.where(before > 0.0, equity[1:] / np.where(before > 0.0, before, 1.0) - 1.0, 0.0)


def measure(
    equity: Any,
    capital: float = 100.0,
    *,
    gross: Any = None,
    dates: Any = None,
    trades: Any = NO_TRADES,
    rf: float = 0.0,
) -> tuple[headline.Metrics, dict[str, str]]:
    equity = np.asarray(equity, dtype=np.float64)
    return full_metrics(
        returns=returns_of(equity),
        equity=equity,
        capital=capital,
        gross=np.zeros(len(equity)) if gross is None else np.asarray(gross, dtype=np.float64),
        dates=weekdays(len(equity)) if dates is None else np.asarray(dates),
        risk_free=rf,
        periods=252.0,
        trades=trades,
    )


def random_curve(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 100.0 * np.exp(np.cumsum(rng.standard_t(4, size=300 + 37 * seed) * 0.01))


def golden(scenario: str, engine: str) -> tuple[np.ndarray, np.ndarray]:
    """(dates, equity) of a curve that another engine made of real prices."""
    table = pq.read_table(GOLDEN, filters=[("scenario", "=", scenario), ("engine", "=", engine)])
    return table.column("date").to_numpy().astype("M8[D]"), table.column("equity").to_numpy()


REAL = [
    ("sma_next_open", "vectorbt"),
    ("sma_long_short", "backtrader"),
    ("sma_leverage_two", "backtesting"),
    ("momentum_monthly", "bt"),
    ("buy_and_hold_costs", "vectorbt"),
]
CURVES = {name: golden(name, engine)[1] for name, engine in REAL}
CURVES |= {f"random {seed}": random_curve(seed) for seed in range(6)}


@pytest.fixture(params=CURVES)
def curve(request: pytest.FixtureRequest) -> np.ndarray:
    return CURVES[request.param]


# --- against empyrical and scipy


@pytest.mark.parametrize("rf", [0.0, 0.0002])
def test_returns_are_measured_as_empyrical_and_scipy_do(curve: np.ndarray, rf: float) -> None:
    r = returns_of(curve)
    m, reasons = measure(curve, capital=curve[0], rf=rf)
    expected = {
        "omega": empyrical.omega_ratio(r, risk_free=rf),
        "tail_ratio": empyrical.tail_ratio(r) if np.percentile(r, 5) else None,
        "var_95": empyrical.value_at_risk(r),
        "skew": stats.skew(r),
        "kurtosis": stats.kurtosis(r),
        "stability": empyrical.stability_of_timeseries(r),
        "best_period": np.max(r),
        "worst_period": np.min(r),
    }
    assert {name: m[name] for name in expected} == pytest.approx(expected, rel=REL)
    assert set(reasons) >= {name for name in expected if m[name] is None}


@pytest.mark.parametrize("seed", range(6))
def test_the_mean_beyond_the_value_at_risk_is_empyricals_where_no_return_is_there_twice(seed: int) -> None:
    curve = random_curve(seed)
    m, _ = measure(curve)
    assert m["cvar_95"] == pytest.approx(empyrical.conditional_value_at_risk(returns_of(curve)), rel=REL)


def test_the_mean_beyond_the_value_at_risk_takes_every_return_equal_to_it() -> None:
    r = np.array([-0.1] * 3 + [0.01] * 37)  # the 5th percentile is -0.1; empyrical would average two of the three
    m, _ = measure(100.0 * np.cumprod(np.concatenate([[1.0], 1.0 + r])))
    assert m["var_95"] == pytest.approx(-0.1)
    assert m["cvar_95"] == pytest.approx(-0.1)


@pytest.mark.parametrize("rf", [0.0, 0.0002])
def test_the_probabilistic_sharpe_ratio_is_the_papers_formula(curve: np.ndarray, rf: float) -> None:
    r = returns_of(curve)
    sharpe = float((r - rf).mean() / r.std(ddof=1))
    error = math.sqrt(1.0 - stats.skew(r) * sharpe + (stats.kurtosis(r, fisher=False) - 1.0) / 4.0 * sharpe**2)
    m, _ = measure(curve, rf=rf)
    assert m["psr"] == pytest.approx(stats.norm.cdf(sharpe * math.sqrt(len(r) - 1) / error), rel=REL)


def test_the_probabilistic_sharpe_ratio_gives_the_papers_example() -> None:
    """Bailey and Lopez de Prado 2012, the hedge fund of 24 months: 0.982 if it were normal, 0.913 as it is."""
    assert probabilistic_sharpe(0.458, 0.0, 3.0, 24) == pytest.approx(0.982, abs=5e-4)
    assert probabilistic_sharpe(0.458, -2.448, 10.164, 24) == pytest.approx(0.913, abs=5e-4)


def test_trade_returns_are_measured_as_by_hand(rng_trades: np.ndarray) -> None:
    m, _ = measure([100.0, 101.0], trades=rng_trades)
    closed = [t for t in rng_trades if t["reason"] != "open"]
    profits, r = [t["profit"] for t in closed], [t["return"] for t in closed]
    wins, losses = [p for p in profits if p > 0], [p for p in profits if p < 0]
    longs, shorts = ([t["profit"] > 0 for t in closed if t["side"] == side] for side in ("long", "short"))
    held = [(t["exit_date"] - t["entry_date"]).astype(int) for t in closed]
    mae, mfe = ([t[name] for t in closed if not math.isnan(t[name])] for name in ("mae", "mfe"))
    expected = {
        "payoff": stats.tmean(wins) / -stats.tmean(losses),
        "average_win": sum(wins) / len(wins),
        "average_loss": sum(losses) / len(losses),
        "largest_win": max(profits),
        "largest_loss": min(profits),
        "sqn": math.sqrt(len(r)) * stats.tmean(r) / stats.tstd(r),
        "holding_days_mean": sum(held) / len(held),
        "holding_days_median": float(np.median(held)),
        "bars_held_mean": sum(t["bars"] for t in closed) / len(closed),
        "mae_mean": sum(mae) / len(mae),
        "mfe_mean": sum(mfe) / len(mfe),
        "mae_worst": min(mae),
        "long_trades": len(longs),
        "short_trades": len(shorts),
        "win_rate_long": sum(longs) / len(longs),
        "win_rate_short": sum(shorts) / len(shorts),
    }
    assert {name: m[name] for name in expected} == pytest.approx(expected, rel=REL)


@pytest.fixture(params=range(3))
def rng_trades(request: pytest.FixtureRequest) -> np.ndarray:
    return random_trades(60, request.param)


def random_trades(count: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    made = np.zeros(count, dtype=TRADE)
    made["side"] = rng.choice(["long", "short"], count)
    made["entry_date"] = np.datetime64("2020-01-01") + rng.integers(0, 500, count)
    made["bars"] = rng.integers(0, 40, count)
    made["exit_date"] = made["entry_date"] + made["bars"]
    made["return"] = rng.normal(0.002, 0.05, count)
    made["profit"] = 1e4 * made["return"]
    made["mae"] = np.where(rng.random(count) < 0.2, np.nan, -rng.random(count))
    made["mfe"] = np.where(rng.random(count) < 0.2, np.nan, rng.random(count))
    made["reason"] = np.where(np.arange(count) < count - 3, "signal", "open")
    made["exit_date"][-3:] = NAT
    made["profit"][-3:] = 1e9  # an open trade that counted would show everywhere
    return made


# --- by hand

#        bar    0     1     2      3     4      5      6      7
EIGHT = [90.0, 95.0, 110.0, 99.0, 104.5, 110.0, 121.0, 60.5]
EIGHT_DATES = np.array(
    ["2024-01-30", "2024-01-31", "2024-02-01", "2024-02-02", "2024-02-05", "2024-02-06", "2024-03-07", "2025-01-08"],
    dtype="M8[D]",
)


def test_drawdowns_of_eight_bars_are_as_counted_by_hand() -> None:
    table = drawdown_table(np.array(EIGHT), EIGHT_DATES, 100.0)
    assert [tuple(str(row[name]) for name in ("peak_date", "trough_date", "recovery_date")) for row in table] == [
        ("2024-03-07", "2025-01-08", "NaT"),
        ("2024-01-30", "2024-01-30", "2024-02-01"),  # from the initial capital, so the first bar stands for its peak
        ("2024-02-01", "2024-02-02", "2024-02-06"),
    ]
    assert table["depth"].tolist() == pytest.approx([-0.5, -0.1, -0.1])
    assert table[["bars", "days", "recovery_days"]].tolist() == [(1, 307, -1), (2, 2, 2), (3, 5, 4)]


def test_metrics_of_eight_bars_are_as_counted_by_hand() -> None:
    m, reasons = measure(EIGHT, dates=EIGHT_DATES, gross=[0.0, 47.5, 110.0, 297.0, 0.0, 0.0, 0.0, 0.0])
    fall = [-0.1, -0.05, 0.0, -0.1, -0.05, 0.0, 0.0, -0.5]
    expected = {
        "max_drawdown_duration_days": 307,
        "average_drawdown": -0.7 / 3,
        "ulcer_index": math.sqrt(sum(x * x for x in fall) / 8),
        "recovery_factor": -0.395 / 0.5,
        "max_leverage": 3.0,
        "mean_leverage": (0.5 + 1.0 + 3.0) / 3,
        "positive_periods": 5 / 7,
        "best_period": 110.0 / 95.0 - 1.0,
        "worst_period": -0.5,
    }
    assert {name: m[name] for name in expected} == pytest.approx(expected, rel=1e-12)
    assert type(m["max_drawdown_duration_days"]) is int
    assert set(reasons) == {name for name, value in m.items() if value is None}


def test_the_longest_drawdown_need_not_be_the_deepest() -> None:
    equity = [100.0, 50.0, 100.0, 99.0, 99.0, 99.0, 100.0]
    m, _ = measure(equity, dates=weekdays(7, "2024-01-01"))
    assert m["max_drawdown_duration_days"] == 6  # Wednesday to Tuesday
    assert drawdown_table(np.array(equity), weekdays(7, "2024-01-01"), 100.0)["days"].tolist() == [2, 6]


def test_a_fall_of_a_rounding_error_is_no_drawdown() -> None:
    wobble = np.array([100.0, np.nextafter(100.0, 0.0), 100.0, np.nextafter(100.0, 0.0)])
    assert len(drawdown_table(wobble, weekdays(4), 100.0)) == 0
    m, reasons = measure(wobble)
    assert m["average_drawdown"] is None
    assert m["max_drawdown_duration_days"] == 0
    assert reasons["average_drawdown"] == reasons["recovery_factor"] == "there is no drawdown"


def test_a_table_has_at_most_the_drawdowns_asked_for() -> None:
    curve = CURVES["momentum_monthly"]
    whole = drawdown_table(curve, weekdays(len(curve)), 100.0, top=10**6)
    assert len(whole) > 10
    assert drawdown_table(curve, weekdays(len(curve)), 100.0).tolist() == whole[:10].tolist()
    assert len(drawdown_table(curve, weekdays(len(curve)), 100.0, top=0)) == 0


def test_intraday_drawdowns_are_in_whole_days() -> None:
    dates = np.array(["2024-01-02T15:00", "2024-01-02T20:00", "2024-01-04T14:30"], dtype="M8[s]")
    table = drawdown_table(np.array([100.0, 90.0, 100.0]), dates, 100.0)
    assert table[["bars", "days", "recovery_days"]].tolist() == [(2, 1, 1)]
    assert table["recovery_date"].dtype == dates.dtype


def test_monthly_and_yearly_returns_start_from_the_initial_capital() -> None:
    months = monthly_returns(np.array(EIGHT), EIGHT_DATES, 100.0)
    assert months[["year", "month"]].tolist() == [(2024, 1), (2024, 2), (2024, 3), (2025, 1)]
    assert months["return"].tolist() == pytest.approx([-0.05, 110.0 / 95.0 - 1.0, 0.1, -0.5])
    years = yearly_returns(np.array(EIGHT), EIGHT_DATES, 100.0)
    assert years["year"].tolist() == [2024, 2025]
    assert years["return"].tolist() == pytest.approx([0.21, -0.5])


def test_months_before_1970_are_named_right() -> None:
    dates = np.array(["1969-11-28", "1969-12-31", "1970-01-01"], dtype="M8[D]")
    months = monthly_returns(np.array([1.0, 2.0, 3.0]), dates, 1.0)
    assert months[["year", "month"]].tolist() == [(1969, 11), (1969, 12), (1970, 1)]
    assert yearly_returns(np.array([1.0, 2.0, 3.0]), dates, 1.0)["year"].tolist() == [1969, 1970]


def test_months_are_empyricals() -> None:
    import pandas as pd

    dates, curve = golden(*REAL[0])
    r = pd.Series(np.concatenate([[curve[0] / 1e5 - 1.0], returns_of(curve)]), index=pd.DatetimeIndex(dates))
    months = monthly_returns(curve, dates, 1e5)
    np.testing.assert_allclose(
        months["return"], empyrical.aggregate_returns(r, "monthly").to_numpy(), rtol=REL, atol=1e-12
    )
    years = yearly_returns(curve, dates, 1e5)
    np.testing.assert_allclose(
        years["return"], empyrical.aggregate_returns(r, "yearly").to_numpy(), rtol=REL, atol=1e-12
    )


def test_the_last_bar_of_each_day_stands_for_the_day() -> None:
    days = np.array(["2024-01-02"] * 3 + ["2024-01-03"] + ["2024-01-05"] * 2, dtype="M8[D]")
    assert last_of_day(np.arange(6.0), days).tolist() == [2.0, 3.0, 5.0]
    assert last_of_day(days, days).astype(str).tolist() == ["2024-01-02", "2024-01-03", "2024-01-05"]
    assert last_of_day(np.empty(0), days[:0]).tolist() == []


def test_returns_of_days_go_with_an_intraday_curve() -> None:
    equity = np.array([100.0, 110.0, 90.0, 99.0])
    m, _ = full_metrics(
        returns=np.array([0.1]),  # two days, four bars
        equity=equity,
        capital=100.0,
        gross=equity,
        dates=np.array(["2024-01-02T15", "2024-01-02T16", "2024-01-03T15", "2024-01-03T16"], dtype="M8[h]"),
        risk_free=0.0,
        periods=252.0,
        trades=NO_TRADES,
    )
    assert (m["best_period"], m["worst_period"]) == (0.1, 0.1)
    assert m["average_drawdown"] == pytest.approx(90.0 / 110.0 - 1.0)


def test_an_insolvent_run_has_a_drawdown_beyond_everything_and_no_growth() -> None:
    equity = [100.0, 120.0, -6.0, -6.0, -6.0]
    m, reasons = measure(equity, gross=[100.0, 120.0, 0.0, 0.0, 0.0])
    assert m["average_drawdown"] == pytest.approx(-1.05)
    assert m["worst_period"] == pytest.approx(-1.05)
    assert m["stability"] is None
    assert reasons["stability"] == "nothing of the capital is left, so there is no growth rate"
    assert (m["max_leverage"], m["mean_leverage"]) == (1.0, 1.0)
    months = monthly_returns(np.array(equity), np.array(EIGHT_DATES[1:6]), 100.0)
    assert months["return"].tolist() == pytest.approx([0.0, -1.06])


def test_bars_without_equity_have_no_leverage() -> None:
    m, _ = measure([100.0, 0.0, -5.0], gross=[50.0, 50.0, 50.0])
    assert (m["max_leverage"], m["mean_leverage"]) == (0.5, 0.5)


def test_a_month_that_starts_in_debt_has_no_return() -> None:
    months = monthly_returns(np.array([-1.0, -2.0, 3.0]), EIGHT_DATES[[1, 2, 6]], 100.0)
    assert months["return"].tolist() == pytest.approx([-1.01, 0.0, 0.0])


def test_a_period_without_return_is_not_positive() -> None:
    m, _ = measure([100.0, 100.0, 101.0, 100.0, 100.0])
    assert m["positive_periods"] == 0.25


def test_returns_too_large_for_their_square_have_no_shape() -> None:
    m, reasons = measure([1.0, 1e200, 1.0, 2.0])
    for name in ("skew", "kurtosis", "psr"):
        assert m[name] is None
        assert reasons[name] == "the value is too large for a number"
    assert m["best_period"] == 1e200


def test_a_ratio_to_something_too_large_is_not_zero() -> None:
    m, reasons = measure([100.0, 101.0], trades=trades_of(trade(1.0), trade(-1.7e308), trade(-1.7e308)))
    assert m["payoff"] is None
    assert reasons["payoff"] == "the value is too large for a number"


def test_small_returns_are_not_taken_for_no_returns() -> None:
    """Their fourth power is below 1e-12, their deviation is not."""
    r = np.array([1.0, -2.0, 4.0, -1.0, 3.0, 0.5]) * 1e-5
    m, _ = measure(100.0 * np.cumprod(np.concatenate([[1.0], 1.0 + r])))
    assert m["kurtosis"] == pytest.approx(stats.kurtosis(r), rel=1e-6)
    assert m["psr"] is not None


def test_a_line_in_logarithms_is_perfectly_stable() -> None:
    m, _ = measure([100.0 * 1.01**t for t in range(50)])
    assert m["stability"] == pytest.approx(1.0, rel=1e-12)
    assert m["stability"] <= 1.0  # type: ignore[operator]


def test_streaks_follow_the_exits_and_end_at_a_trade_without_profit() -> None:
    rows = trades_of(
        trade(5.0, exit_="2024-01-10"),
        trade(5.0, exit_="2024-01-11"),
        trade(0.0, exit_="2024-01-12"),
        trade(5.0, exit_="2024-01-13"),
        trade(0.0, exit_="2024-01-14"),
        trade(-5.0, exit_="2024-01-15"),
        trade(-5.0, exit_="2024-01-16"),
        trade(5.0, exit_="2024-01-09"),  # ended first, listed last
        trade(-5.0, exit_="NaT", reason="open"),
    )
    m, _ = measure([100.0, 101.0], trades=rows)
    assert (m["max_consecutive_wins"], m["max_consecutive_losses"]) == (3, 2)
    assert m["long_trades"] == 8
    assert m["win_rate_long"] == pytest.approx(4 / 8)


def test_unknown_excursions_are_left_out() -> None:
    rows = trades_of(*(trade(1.0, mae=mae) for mae in (-0.1, -0.3, 0.0, np.nan)))
    m, reasons = measure([100.0, 101.0], trades=rows)
    assert (m["mae_worst"], m["mae_mean"]) == pytest.approx((-0.3, -0.4 / 3))
    assert reasons["mfe_mean"] == "no closed trade's excursion is known"


@pytest.mark.parametrize(
    ("profits", "name", "reason"),
    [
        ([], "sqn", "no trade was closed"),
        ([], "payoff", "no trade was closed"),
        ([1.0], "sqn", "fewer than two trades were closed"),
        ([1.0, 1.0], "sqn", "the trades' returns do not vary"),
        ([1.0], "payoff", "no closed trade lost money"),
        ([-1.0], "payoff", "no closed trade won money"),
        ([-1.0], "average_win", "no closed trade won money"),
        ([-1.0], "largest_win", "no closed trade won money"),
        ([1.0], "largest_loss", "no closed trade lost money"),
        ([1.0], "win_rate_short", "no short trade was closed"),
        ([1.0], "mae_worst", "no closed trade's excursion is known"),
    ],
)
def test_an_undefined_trade_metric_says_why(profits: list[float], name: str, reason: str) -> None:
    m, reasons = measure([100.0, 101.0], trades=trades_of(*map(trade, profits)))
    assert m[name] is None
    assert reasons[name] == reason


@pytest.mark.parametrize(
    ("equity", "name", "reason"),
    [
        ([], "ulcer_index", "the run has no bar"),
        ([], "max_leverage", "the run has no bar"),
        ([100.0], "var_95", "the run has too few bars"),
        ([100.0, 101.0], "skew", "the run has too few bars"),
        ([100.0, 101.0], "stability", "the run has too few bars"),
        ([100.0] * 9, "kurtosis", "the returns do not vary"),
        ([100.0, 110.0, 110.0], "stability", "the cumulated returns do not vary"),
        ([100.0] * 9, "tail_ratio", "the 5th percentile of the returns is zero"),
        ([100.0, 101.0, 102.0], "omega", "no return is below the risk-free rate"),
        ([100.0, 101.0, 102.0], "recovery_factor", "there is no drawdown"),
        ([100.0, 101.0, 102.0], "mean_leverage", "there was no position"),
    ],
)
def test_an_undefined_metric_of_the_curve_says_why(equity: list[float], name: str, reason: str) -> None:
    m, reasons = measure(equity)
    assert m[name] is None
    assert reasons[name] == reason


def test_a_sharpe_ratio_without_a_standard_error_has_no_probability() -> None:
    assert probabilistic_sharpe(1.0, 2.0, 5.0, 10) == "the Sharpe ratio has no standard error"


# --- laws


@st.composite
def accounts(draw: st.DrawFn) -> tuple[float, np.ndarray, np.ndarray]:
    """(initial capital, equity, dates): an account that may stay as it is, and may lose everything and more."""
    capital = draw(st.floats(1.0, 1e7))
    factors = draw(st.lists(st.one_of(st.just(1.0), st.floats(0.2, 4.0), st.floats(0.98, 1.02)), max_size=60))
    equity = capital * np.cumprod(np.array(factors))
    if len(factors) and draw(st.booleans()):
        equity[draw(st.integers(0, len(factors) - 1)) :] = draw(st.sampled_from([0.0, -0.5, -3.0])) * capital
    gaps = draw(st.lists(st.integers(1, 40), min_size=len(factors), max_size=len(factors)))
    return capital, equity, np.datetime64("2019-12-20") + np.cumsum(np.array(gaps, dtype=np.int64))


def slow_drawdowns(equity: np.ndarray, capital: float) -> list[tuple[int, int, int | None, float]]:
    """(peak, trough, recovery, depth) one bar after the other, in the order of time."""
    found: list[tuple[int, int, int | None, float]] = []
    peak, at, trough, depth = capital, 0, 0, 0.0
    for t, value in enumerate(equity.tolist()):
        fall = value / max(peak, value) - 1.0
        if fall > -1e-12:
            if depth < 0.0:
                found.append((at, trough, t, depth))
            at, depth = t, 0.0
        elif fall < depth:
            trough, depth = t, fall
        peak = max(peak, value)
    return [*found, (at, trough, None, depth)] if depth < 0.0 else found


@QUICK
@given(accounts())
def test_the_table_is_that_of_a_walk_over_the_bars(account: tuple[float, np.ndarray, np.ndarray]) -> None:
    capital, equity, dates = account
    expected = sorted(slow_drawdowns(equity, capital), key=lambda row: row[3])
    table = drawdown_table(equity, dates, capital, top=1000)
    assert len(table) == len(expected)
    for row, (peak, trough, recovery, depth) in zip(table, expected, strict=True):
        end = len(equity) - 1 if recovery is None else recovery
        assert row["depth"] == depth
        assert (row["peak_date"], row["trough_date"]) == (dates[peak], dates[trough])
        assert np.isnat(row["recovery_date"]) if recovery is None else row["recovery_date"] == dates[recovery]
        assert (row["bars"], row["days"]) == (end - peak, (dates[end] - dates[peak]).astype(int))
        assert row["recovery_days"] == (-1 if recovery is None else (dates[end] - dates[trough]).astype(int))


@QUICK
@given(accounts())
def test_the_deepest_drawdown_is_the_max_drawdown_and_none_overlap(
    account: tuple[float, np.ndarray, np.ndarray],
) -> None:
    capital, equity, dates = account
    table = drawdown_table(equity, dates, capital, top=1000)
    full = np.concatenate([[capital], equity])
    worst = float((full / np.maximum.accumulate(full) - 1.0).min())
    if worst > -1e-12:
        assert len(table) == 0
    else:
        assert table["depth"][0] == worst
    in_time = np.sort(table, order="peak_date")
    assert (in_time["recovery_date"][:-1] <= in_time["peak_date"][1:]).all()
    m, _ = measure(equity, capital, dates=dates)
    assert m.get("max_drawdown_duration_days") == (max(table["days"], default=0) if len(equity) else None)


@QUICK
@given(accounts())
def test_monthly_and_yearly_returns_compound_to_the_total_return(
    account: tuple[float, np.ndarray, np.ndarray],
) -> None:
    capital, equity, dates = account
    final = equity[-1] / capital if len(equity) else 1.0
    for table in (monthly_returns(equity, dates, capital), yearly_returns(equity, dates, capital)):
        assert np.prod(1.0 + table["return"]) == pytest.approx(final, rel=1e-9, abs=1e-12)
        assert len(np.unique(table[[name for name in table.dtype.names if name != "return"]])) == len(table)


def check_sound(m: headline.Metrics, reasons: dict[str, str]) -> None:
    for name, value in m.items():
        assert type(value) in (float, int, type(None)), name
        assert value is None or math.isfinite(value), name
        assert (value is None) == (name in reasons), name
    assert set(reasons) <= set(m)
    assert all(reason and not reason.endswith(".") for reason in reasons.values())


ANY = st.floats(allow_nan=False, allow_infinity=False)


@QUICK
@given(
    st.lists(st.tuples(ANY, st.one_of(st.just(0.0), ANY.map(abs))), max_size=40),
    st.one_of(st.just(100.0), st.floats(1e-3, 1e12)),
    st.one_of(st.just(0.0), st.floats(-0.5, 1e3)),
    st.lists(st.tuples(ANY, ANY, st.booleans(), st.sampled_from([np.nan, 0.0, 0.2, -1e300])), max_size=12),
)
def test_no_numbers_at_all_give_nan_or_infinity(
    bars: list[tuple[float, float]], capital: float, rf: float, rows: list[tuple[float, float, bool, float]]
) -> None:
    trades = trades_of(
        *(
            trade(profit, side="long" if is_long else "short", mae=mae, mfe=mae, **{"return": r})
            for profit, r, is_long, mae in rows
        )
    )
    m, reasons = measure([e for e, _ in bars], capital, gross=[g for _, g in bars], rf=rf, trades=trades)
    check_sound(m, reasons)


@QUICK
@given(accounts(), st.sampled_from([0.0, 1e-4, -0.01]))
def test_no_account_gives_nan_or_infinity(account: tuple[float, np.ndarray, np.ndarray], rf: float) -> None:
    capital, equity, dates = account
    m, reasons = measure(equity, capital, dates=dates, gross=np.abs(equity), rf=rf)
    check_sound(m, reasons)
    for table in (
        drawdown_table(equity, dates, capital)["depth"],
        monthly_returns(equity, dates, capital)["return"],
        yearly_returns(equity, dates, capital)["return"],
    ):
        assert np.isfinite(table).all()
    for name in ("psr", "positive_periods", "stability"):
        value = m[name]
        assert value is None or 0.0 <= value <= 1.0
    if m["cvar_95"] is not None and m["var_95"] is not None and m["worst_period"] is not None:
        assert m["cvar_95"] <= m["var_95"] + 1e-12
        assert m["cvar_95"] >= m["worst_period"] - 1e-12


@pytest.mark.parametrize(
    "equity",
    [[], [100.0], [0.0], [-5.0], [100.0] * 30, [99.0] * 30, [100.0 * 0.9**t for t in range(30)], [50.0, 0.0, 0.0]],
    ids=["no bar", "one bar", "nothing", "debt", "constant", "constant below", "only losses", "lost"],
)
def test_odd_curves_have_sound_metrics_and_tables(equity: list[float]) -> None:
    check_sound(*measure(equity))
    curve, dates = np.array(equity, dtype=np.float64), weekdays(len(equity))
    final = equity[-1] / 100.0 if equity else 1.0
    assert np.prod(1.0 + monthly_returns(curve, dates, 100.0)["return"]) == pytest.approx(final, abs=1e-15)
    assert len(drawdown_table(curve, dates, 100.0)) == int(bool(equity) and min(equity) < 100.0)


# --- as part of the product


def test_the_deepest_drawdown_is_the_headlines() -> None:
    result = run({"A": prices([10.0, 9.0, 12.0, 7.5, 11.0, 13.0])}, "buy_and_hold")
    table = drawdown_table(result.equity, result.dates, result.config.initial_capital)
    assert table["depth"][0] == result.metrics["max_drawdown"]


def test_the_trades_of_a_result_are_taken_as_they_are() -> None:
    market = {"A": prices([10.0, 11.0, 12.0, 9.0, 8.0, 9.0])}
    result = run_signals(market, {"A": ["enter_long", "", "exit", "", "enter_long"]})
    m, reasons = measure(result.equity, 1000.0, gross=result.gross, dates=result.dates, trades=result.trades)
    check_sound(m, reasons)
    assert len(result.trades) == 2  # one of them open
    assert m["long_trades"] == result.metrics["trades"] == 1
    assert m["average_loss"] == result.trades["profit"][0]
    assert m["bars_held_mean"] == 2.0


def test_every_metric_has_a_sentence_that_says_what_it_is() -> None:
    market = {"A": prices([10.0, 9.0, 12.0]), "I": prices([1.0, 2.0, 3.0])}
    result = run(market, "buy_and_hold", benchmark="I")
    assert set(METRIC_NOTES) == {*result.metrics, *(result.benchmark_metrics or {}), *measure(EIGHT)[0]}
    assert all(note.endswith(".") and note.count(". ") == 0 for note in METRIC_NOTES.values())


def test_the_threshold_of_undefined_ratios_is_the_headlines() -> None:
    assert trade_analysis.TINY == headline.TINY


def test_the_web_process_loads_no_kernel_for_it() -> None:
    code = (
        "import sys; import backproof.engine.analysis; "
        "print([name for name in ('numba', 'talib', 'pandas', 'scipy', 'pyarrow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_a_million_bars_with_countless_drawdowns_need_no_loop_over_bars() -> None:
    count = 1_000_000
    equity = 100.0 + np.arange(count) * 1e-3 + np.where(np.arange(count) % 3 == 1, -0.5, 0.0)
    dates = np.datetime64("2000-01-01T00:00", "s") + 60 * np.arange(count)
    started = time.process_time()
    m, _ = measure(equity, gross=equity, dates=dates)
    table = drawdown_table(equity, dates, 100.0)
    assert time.process_time() - started < 3.0  # measured 0.2 on an idle machine; quadratic would never end
    assert len(table) == 10
    assert m["average_drawdown"] is not None
