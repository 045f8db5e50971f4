"""Metrics against empyrical, and every undefined value null with a reason."""

import math
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from harness import bars_of, simulate_given
from markets import days, prices, run, run_signals, run_weights

from backproof.engine.result import Result
from backproof.errors import DataError, InvalidInput

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import empyrical

REL = 1e-9
COUNT = 600
RISK_FREE = 0.03


def market(seed: int = 1) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    made = {}
    for symbol in "ABI":
        closes = 50.0 * np.exp(np.cumsum(rng.normal(0.0004, 0.02, COUNT)))
        opens = closes * np.exp(rng.normal(0, 0.005, COUNT))
        made[symbol] = prices(closes.tolist(), opens.tolist(), days(COUNT, "2019-01-01"))
    return made


@pytest.fixture(scope="module", params=["sma_crossover", "equal_weight", "rsi_mean_reversion"])
def result(request: pytest.FixtureRequest) -> Result:
    config = {
        "name": "x",
        "strategy_type": request.param,
        "symbols": ["A", "B"],
        "benchmark": "I",
        "risk_free_rate": RISK_FREE,
        "execution": {"direction": "long_only" if request.param == "equal_weight" else "long_short"},
        "costs": {"commission_rate": 0.002, "slippage_bps": 3.0},
    }
    return simulate_given(config, bars_of(market()))


def returns(result: Result) -> pd.Series:
    return pd.Series(result.equity[1:] / result.equity[:-1] - 1.0)


def benchmark_returns(result: Result) -> pd.Series:
    close = bars_of(market()).panel(("I",)).adjusted.close[0]
    return pd.Series(close[1:] / close[:-1] - 1.0)


def per_bar() -> float:
    return (1.0 + RISK_FREE) ** (1.0 / 252.0) - 1.0


def test_ratios_are_empyricals(result: Result) -> None:
    r, m = returns(result), result.metrics
    assert m["sharpe"] == pytest.approx(empyrical.sharpe_ratio(r, per_bar()), rel=REL)
    assert m["sortino"] == pytest.approx(empyrical.sortino_ratio(r, per_bar()), rel=REL)
    assert m["volatility"] == pytest.approx(empyrical.annual_volatility(r), rel=REL)


def test_totals_and_drawdown_start_from_the_initial_capital(result: Result) -> None:
    """empyrical starts from the first bar; with one more return in front it starts from the capital."""
    capital = result.config.initial_capital
    full = pd.Series(np.concatenate([[result.equity[0] / capital - 1.0], returns(result)]))
    m = result.metrics
    assert m["total_return"] == pytest.approx(empyrical.cum_returns_final(full), rel=REL)
    assert m["max_drawdown"] == pytest.approx(empyrical.max_drawdown(full), rel=REL)
    growth = result.equity[-1] / capital
    assert m["annual_return"] == pytest.approx(growth ** (252.0 / (len(result.dates) - 1)) - 1.0, rel=REL)
    calendar_days = (result.dates[-1] - result.dates[0]).astype(int)
    assert m["cagr"] == pytest.approx(growth ** (365.25 / calendar_days) - 1.0, rel=REL)
    assert m["calmar"] == pytest.approx(m["annual_return"] / -m["max_drawdown"], rel=REL)


def test_annual_return_and_calmar_are_empyricals_when_the_first_bar_is_flat(result: Result) -> None:
    assert result.equity[0] == result.config.initial_capital
    r = returns(result)
    assert result.metrics["annual_return"] == pytest.approx(empyrical.annual_return(r), rel=REL)
    assert result.metrics["calmar"] == pytest.approx(empyrical.calmar_ratio(r), rel=REL)


def test_statistics_against_the_benchmark_are_empyricals(result: Result) -> None:
    r, b = returns(result), benchmark_returns(result)
    m = result.benchmark_metrics
    assert m is not None
    assert m["beta"] == pytest.approx(empyrical.beta(r, b, per_bar()), rel=REL)
    assert m["alpha"] == pytest.approx(empyrical.alpha(r, b, per_bar()), rel=REL)
    assert m["correlation"] == pytest.approx(float(np.corrcoef(r, b)[0, 1]), rel=REL)
    active = r - b
    assert m["tracking_error"] == pytest.approx(float(active.std(ddof=1)) * math.sqrt(252), rel=REL)
    # empyrical's excess_sharpe is the information ratio per bar
    assert m["information_ratio"] == pytest.approx(empyrical.excess_sharpe(r, b) * math.sqrt(252), rel=REL)
    assert m["overlap"] == COUNT


def test_the_benchmark_curve_grows_the_capital_like_the_benchmark(result: Result) -> None:
    close = bars_of(market()).panel(("I",)).adjusted.close[0]
    assert result.benchmark is not None
    np.testing.assert_allclose(result.benchmark, 100_000.0 * close / close[0], rtol=1e-12)


def test_exposure_and_turnover_are_as_defined(result: Result) -> None:
    m = result.metrics
    assert m["exposure"] == pytest.approx(float(np.mean(result.gross / result.equity)), rel=REL)
    assert m["time_in_market"] == pytest.approx(float(np.mean(result.gross > 0)), rel=REL)
    notional = float((result.fills["shares"] * result.fills["price"]).sum())
    years = (len(result.dates) - 1) / 252.0
    assert m["turnover"] == pytest.approx(notional / float(result.equity.mean()) / years, rel=REL)
    assert m["costs_paid"] == pytest.approx(float(result.fills["commission"].sum()), rel=REL)


def test_trade_statistics_are_on_closed_trades_net_of_costs(result: Result) -> None:
    closed = result.trades[result.trades["reason"] != "open"]
    m = result.metrics
    assert m["trades"] == len(closed)
    if len(closed):
        profit = closed["profit"]
        assert m["win_rate"] == pytest.approx(float((profit > 0).mean()), rel=REL)
        assert m["profit_factor"] == pytest.approx(float(profit[profit > 0].sum() / -profit[profit < 0].sum()), rel=REL)
        assert m["expectancy"] == pytest.approx(float(closed["return"].mean()), rel=REL)


def test_the_profit_of_all_trades_is_the_gain_of_the_account(result: Result) -> None:
    assert result.trades["profit"].sum() == pytest.approx(result.equity[-1] - 100_000.0, rel=1e-9, abs=1e-6)


def test_trades_hold_their_dividends_and_borrow_and_so_does_what_is_measured_of_them() -> None:
    rng = np.random.default_rng(8)
    columns = market()["A"] | {"dividend": np.where(rng.random(COUNT) < 0.05, 0.4, 0.0).tolist()}
    result = run(
        {"A": columns},
        "sma_crossover",
        {"fast": 3, "slow": 9},
        execution={"price_mode": "raw", "direction": "long_short"},
        costs={"borrow_rate": 0.2, "commission_rate": 0.001},
    )
    trades = result.trades
    assert trades["profit"].sum() == pytest.approx(result.equity[-1] - 1000.0, rel=1e-9)
    costs = result.costs
    assert trades["income"].sum() == pytest.approx(costs["dividends"] - costs["borrow"], rel=1e-9)
    assert costs["borrow"] > 1.0
    closed = trades[trades["reason"] != "open"]
    gross = np.where(closed["side"] == "long", 1.0, -1.0) * closed["shares"]
    gross *= closed["exit_price"] - closed["entry_price"]
    np.testing.assert_allclose(closed["profit"], gross + closed["income"] - closed["costs"], rtol=1e-9, atol=1e-9)
    bought = closed["shares"] * closed["entry_price"]
    np.testing.assert_allclose(closed["return"], closed["profit"] / bought, rtol=1e-9)
    m, profit = result.metrics, closed["profit"]
    assert m["trades"] == len(closed) > 30
    assert m["win_rate"] == pytest.approx(float((profit > 0).mean()), rel=REL)
    assert m["profit_factor"] == pytest.approx(float(profit[profit > 0].sum() / -profit[profit < 0].sum()), rel=REL)
    assert m["expectancy"] == pytest.approx(float(closed["return"].mean()), rel=REL)
    assert m["costs_paid"] == pytest.approx(float(trades["costs"].sum()), rel=REL)


def test_the_risk_free_rate_is_turned_into_a_rate_per_bar() -> None:
    columns = market()
    plain = run({"A": columns["A"]}, "buy_and_hold")
    rich = run({"A": columns["A"]}, "buy_and_hold", risk_free_rate=0.05)
    r = returns(plain)
    rate = 1.05 ** (1 / 252) - 1
    assert rich.metrics["sharpe"] == pytest.approx(float((r - rate).mean() / r.std(ddof=1)) * math.sqrt(252), rel=REL)
    assert rich.metrics["volatility"] == plain.metrics["volatility"]


def test_periods_per_year_can_be_given() -> None:
    columns = market()
    one = run({"A": columns["A"]}, "buy_and_hold")
    other = run({"A": columns["A"]}, "buy_and_hold", periods_per_year=365.0)
    assert other.metrics["volatility"] == pytest.approx(one.metrics["volatility"] * math.sqrt(365 / 252), rel=REL)


# --- undefined values


def test_nothing_undefined_is_nan_or_infinite_and_each_has_a_reason() -> None:
    flat = prices([10.0] * 5)
    results = [
        run_signals({"A": flat}, {}),
        run_signals({"A": flat}, {}, benchmark=None),
        run_signals({"A": prices([10.0])}, {}),
        run_signals({"A": prices([10.0, 11.0])}, {"A": ["enter_long"]}, execution={"fill": "same_close"}),
        run_signals({"A": prices([10.0, 11.0, 13.0])}, {"A": ["enter_long"]}, execution={"fill": "same_close"}),
        run({"A": prices([10.0, 11.0, 13.0]), "I": flat}, "buy_and_hold", benchmark="I"),
        run({"A": prices([10.0, 11.0, 13.0]), "I": prices([1.0], dates=["2020-01-01"])}, "buy_and_hold", benchmark="I"),
        run_weights({"A": prices([10.0, 10.0, 40.0, 40.0])}, {"A": [-1.0]}, execution={"direction": "short_only"}),
    ]
    for result in results:
        values = {**result.metrics, **(result.benchmark_metrics or {})}
        for name, value in values.items():
            assert value is None or math.isfinite(value), name
            assert type(value) in (float, int, type(None)), name
            assert (value is None) == (name in result.null_reasons), name
        assert all(reason and not reason.endswith(".") for reason in result.null_reasons.values())


def test_no_trades_leave_trade_statistics_undefined() -> None:
    result = run_signals({"A": prices([10.0, 11.0, 12.0])}, {})
    for name in ("win_rate", "profit_factor", "expectancy"):
        assert result.metrics[name] is None
        assert result.null_reasons[name] == "no trade was closed"
    assert result.metrics["trades"] == 0
    assert result.null_reasons["sharpe"] == "the returns do not vary"


def test_a_run_of_one_bar_says_that_it_is_too_short() -> None:
    result = run({"A": prices([10.0])}, "buy_and_hold")
    assert result.metrics["total_return"] == 0.0
    assert result.null_reasons["sharpe"] == "the run has too few bars"
    assert result.null_reasons["cagr"] == "the run has too few bars"


def test_a_return_too_large_to_annualise_is_null_not_infinite() -> None:
    market = {"A": prices([1.0, 1.0, 1e9])}
    result = run(market, "buy_and_hold", periods_per_year=1e6)
    assert result.metrics["annual_return"] is None
    assert result.null_reasons["annual_return"] == "the run is too short to annualise its return"


def test_so_few_periods_per_year_that_no_rate_per_bar_is_left_are_refused() -> None:
    with pytest.raises(InvalidInput) as caught:
        run({"A": prices([1.0, 2.0])}, "buy_and_hold", periods_per_year=1e-5, risk_free_rate=0.05)
    assert caught.value.errors[0].pointer == "/periods_per_year"


def test_an_account_that_grows_beyond_all_numbers_is_a_data_error() -> None:
    wild = [1e-6, 1e6] * 45
    wishes = ["enter_long", "exit"] * 45
    with pytest.raises(DataError, match="no number"):
        run_signals({"A": prices(wild)}, {"A": wishes}, execution={"fill": "same_close"})


def test_a_benchmark_without_a_bar_in_the_run_is_all_null() -> None:
    market = {"A": prices([10.0, 11.0, 13.0, 12.0]), "I": prices([1.0], dates=["2020-01-01"])}
    result = run(market, "buy_and_hold", benchmark="I")
    assert result.benchmark_metrics is not None
    assert result.benchmark_metrics["overlap"] == 0
    assert result.benchmark_metrics["beta"] is None
    assert result.null_reasons["benchmark_return"] == "the benchmark has no bar in the run"


def test_a_missing_benchmark_bar_counts_as_no_return_and_the_overlap_is_stated() -> None:
    market = {
        "A": prices([10.0, 11.0, 12.0, 13.0]),
        "I": prices([10.0, 20.0, 40.0], dates=[days(4)[i] for i in (0, 1, 3)]),
    }
    result = run(market, "buy_and_hold", benchmark="I")
    assert result.benchmark is not None
    assert result.benchmark_metrics is not None
    assert result.benchmark.tolist() == [1000.0, 2000.0, 2000.0, 4000.0]
    assert result.benchmark_metrics["overlap"] == 3
