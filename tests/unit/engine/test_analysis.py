"""The full metrics against empyrical and scipy, by hand, and why a metric is undefined."""

import math
import warnings

import numpy as np
import pytest
from analysis_support import (
    CURVES,
    EIGHT,
    NAT,
    NO_TRADES,
    REAL,
    REL,
    TRADE,
    golden,
    measure,
    random_curve,
    returns_of,
    trade,
    trades_of,
    weekdays,
)
from scipy import stats

from backproof.engine.analysis import (
    drawdown_table,
    full_metrics,
    monthly_returns,
    probabilistic_sharpe,
    simple_returns,
    yearly_returns,
)
from backproof.engine.calendar import last_of_each

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import empyrical


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
    assert last_of_each(days).tolist() == [2, 3, 5]
    assert last_of_each(days[:0]).tolist() == []


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([100.0, 110.0, 99.0], [0.1, -0.1]),
        ([100.0, 0.0, 0.0], [-1.0, 0.0]),
        ([100.0, -50.0, -50.0], [-1.5, 0.0]),
        ([0.0, 0.0], [0.0]),
        ([100.0], []),
        ([], []),
    ],
)
def test_returns_are_from_value_to_value_and_zero_once_the_account_is_gone(
    values: list[float], expected: list[float]
) -> None:
    assert simple_returns(np.array(values)).tolist() == pytest.approx(expected)


def test_returns_of_days_go_with_an_intraday_curve() -> None:
    equity = np.array([100.0, 110.0, 90.0, 99.0])
    m, _ = full_metrics(
        returns=np.array([0.1]),  # two days, four bars
        equity=equity,
        capital=100.0,
        gross=equity,
        dates=np.array(["2024-01-02T15", "2024-01-02T16", "2024-01-03T15", "2024-01-03T16"], dtype="M8[h]"),
        risk_free=0.0,
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
