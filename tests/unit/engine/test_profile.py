"""What charts of a curve show, against definitions written out plainly and against the engine's own figures."""

import math

import numpy as np
import pytest

from backproof.engine import analysis, profile
from backproof.engine.calendar import days_spanned

RNG = np.random.default_rng(11)
RETURNS = RNG.normal(0.0004, 0.012, 700)
OTHERS = 0.6 * RETURNS + RNG.normal(0.0001, 0.008, 700)


def test_a_window_is_half_a_year_and_less_in_a_short_run() -> None:
    assert profile.window_of(5000, 252.0) == 126
    assert profile.window_of(5000, 365.0) == 182
    assert profile.window_of(5000, 52.0) == 26
    assert profile.window_of(200, 252.0) == 50
    assert profile.window_of(20, 252.0) == 10
    assert profile.window_of(19, 252.0) is None
    assert profile.window_of(0, 252.0) is None


@pytest.mark.parametrize(("count", "limit"), [(0, 2), (1, 2), (2, 2), (7, 3), (100, 100), (1_000_000, 600)])
def test_evenly_chosen_places_hold_both_ends(count: int, limit: int) -> None:
    places = profile.evenly(count, limit)
    assert len(places) == min(count, limit)
    assert (np.diff(places) > 0).all()
    assert set(places.tolist()) >= ({0, count - 1} if count else set())


def test_rolling_figures_are_those_of_each_window() -> None:
    found = profile.rolling(RETURNS, OTHERS, 126, 0.0001, 252.0, 50)
    assert found.beta is not None
    assert (found.ends[0], found.ends[-1], len(found.ends)) == (125, 699, 50)
    for n, end in enumerate(found.ends.tolist()):
        part, market = RETURNS[end - 125 : end + 1], OTHERS[end - 125 : end + 1]
        assert found.volatility[n] == pytest.approx(part.std(ddof=1) * math.sqrt(252))
        assert found.sharpe[n] == pytest.approx((part.mean() - 0.0001) / part.std(ddof=1) * math.sqrt(252))
        assert found.beta[n] == pytest.approx(np.cov(part, market)[0, 1] / market.var(ddof=1))


def test_the_window_of_the_whole_run_has_the_headline_figures() -> None:
    curve = 100.0 * np.cumprod(1.0 + np.concatenate([[0.0], RETURNS]))
    found = profile.rolling(RETURNS, None, len(RETURNS), 0.0, 252.0, 10)
    whole = profile.performance(curve, curve, 100.0, 1000, 0.0, 252.0)
    assert found.beta is None
    assert found.sharpe.tolist() == [pytest.approx(whole["sharpe"])]
    assert found.volatility.tolist() == [pytest.approx(whole["volatility"])]


def test_returns_that_do_not_vary_have_no_ratio() -> None:
    found = profile.rolling(np.zeros(40), np.zeros(40), 10, 0.0, 252.0, 10)
    assert found.beta is not None
    assert np.isnan(found.sharpe).all()
    assert np.isnan(found.beta).all()
    assert (found.volatility == 0.0).all()


def test_every_return_is_counted_once() -> None:
    returns = np.concatenate([RETURNS, np.zeros(30), [0.9, -0.8]])
    found = profile.spread(returns)
    assert found is not None
    assert found.counts.sum() + found.below + found.above + found.flat == len(returns)
    assert (found.flat, found.below >= 1, found.above >= 1) == (30, True, True)
    assert found.mean == pytest.approx(returns[returns != 0.0].mean())
    assert found.deviation == pytest.approx(returns[returns != 0.0].std(ddof=1))
    edges = found.low + found.width * np.arange(len(found.counts) + 1)
    middle = len(found.counts) // 2
    assert edges[middle] == pytest.approx(0.0, abs=1e-15)
    # zero is an edge: no bin mixes gains and losses
    assert found.counts[middle:].sum() + found.above == np.count_nonzero(returns > 0)
    assert 30 <= len(found.counts) <= 62


@pytest.mark.parametrize("returns", [[0.01], [-0.01], [1e-12, -1e-12], [0.01] * 5, [-1.0, 3.0]])
def test_few_returns_spread_as_well(returns: list[float]) -> None:
    found = profile.spread(np.array(returns))
    assert found is not None
    assert found.counts.sum() + found.below + found.above == len(returns)
    assert found.below + found.above == 0


def test_no_move_has_no_spread() -> None:
    assert profile.spread(np.zeros(5)) is None
    assert profile.spread(np.empty(0)) is None


def test_a_curve_that_ends_at_nothing_has_no_growth_rate() -> None:
    curve = np.array([100.0, 50.0, 0.0, 0.0])
    found = profile.performance(curve, curve, 100.0, 3, 0.0, 252.0)
    assert (found["total_return"], found["max_drawdown"], found["annual_return"]) == (-1.0, -1.0, None)
    assert profile.performance(np.empty(0), np.empty(0), 100.0, 0, 0.0, 252.0) == {}


def test_one_bar_has_a_return_and_nothing_else() -> None:
    found = profile.performance(np.array([110.0]), np.array([110.0]), 100.0, 0, 0.0, 252.0)
    assert found["total_return"] == pytest.approx(0.1)
    assert found["max_drawdown"] == 0.0
    assert {found[name] for name in ("annual_return", "cagr", "volatility", "sharpe", "sortino", "calmar")} == {None}


def test_exposure_is_the_mean_of_stretches_that_cover_the_run() -> None:
    equity = np.linspace(100.0, 200.0, 10)
    starts, shares = profile.exposure(equity, equity * np.arange(10), 5)
    assert starts.tolist() == [0, 2, 4, 6, 8]
    assert shares.tolist() == pytest.approx([0.5, 2.5, 4.5, 6.5, 8.5])
    assert profile.exposure(equity, equity, 600)[1].tolist() == pytest.approx([1.0] * 10)
    assert profile.exposure(np.array([100.0, -5.0]), np.array([50.0, 0.0]), 9)[1].tolist() == [0.5, 0.0]
    assert len(profile.exposure(np.empty(0), np.empty(0), 9)[0]) == 0


def test_turnover_has_every_month_with_a_bar() -> None:
    days = np.array(["2020-01-30", "2020-01-31", "2020-02-03", "2020-04-01"], dtype="datetime64[D]")
    equity = np.array([100.0, 300.0, 50.0, 0.0])
    months, turnover = profile.monthly_turnover(days, equity, days[[1, 1, 2]], np.array([100.0, 300.0, 25.0]))
    assert [str(month) for month in months] == ["2020-01", "2020-02", "2020-04"]
    assert turnover[:2].tolist() == [2.0, 0.5]
    assert math.isnan(turnover[2])


def test_drawdown_and_growth_agree_with_the_drawdown_table() -> None:
    curve = 100.0 * np.cumprod(1.0 + RETURNS)
    days = np.datetime64("2020-01-01") + np.arange(len(curve))
    found = profile.performance(curve, curve, 100.0, days_spanned(days), 0.0, 252.0)
    assert found["max_drawdown"] == pytest.approx(analysis.drawdown_table(curve, days, 100.0)["depth"][0])
    grown = np.prod(1.0 + analysis.monthly_returns(curve, days, 100.0)["return"]) - 1.0
    assert found["total_return"] == pytest.approx(grown)
