"""Indicators: TA-Lib's definitions on a symbol's own bars."""

import math
from typing import Any

import numpy as np
import pytest
from markets import days, prices, without
from strategy_support import (
    run_bars,
    walk,
)

from backproof.engine import indicators

# --- indicators

EVERY_INDICATOR = [
    indicators.sma,
    indicators.ema,
    indicators.rsi,
    indicators.highest_before,
    indicators.lowest_before,
    pytest.param(lambda bars, period: indicators.macd(bars, period, 2 * period, 3)[0], id="macd"),
    pytest.param(lambda bars, period: indicators.macd(bars, period, 2 * period, 3)[1], id="macd's signal line"),
    pytest.param(lambda bars, period: indicators.bollinger(bars, period, 2.0)[0], id="upper band"),
    pytest.param(lambda bars, period: indicators.bollinger(bars, period, 2.0)[2], id="lower band"),
]


def test_rsi_is_wilders_seeded_by_a_plain_mean() -> None:
    columns = walk(60, 3)
    close = np.array(columns["close"])
    move = np.diff(close)
    gain, loss = np.maximum(move, 0), np.maximum(-move, 0)
    up, down = gain[:5].mean(), loss[:5].mean()
    expected = [100 * up / (up + down)]
    for i in range(5, len(move)):
        up, down = (up * 4 + gain[i]) / 5, (down * 4 + loss[i]) / 5
        expected.append(100 * up / (up + down))
    result = indicators.rsi(run_bars({"A": columns}), 5)[0]
    assert np.isnan(result[:5]).all()
    np.testing.assert_allclose(result[5:], expected, rtol=1e-12)


def test_sma_is_the_mean_of_the_last_closes_also_of_one() -> None:
    columns = walk(30, 4)
    close = np.array(columns["close"])
    np.testing.assert_allclose(
        indicators.sma(run_bars({"A": columns}), 4)[0, 3:], np.convolve(close, np.ones(4) / 4, "valid")
    )
    np.testing.assert_array_equal(indicators.sma(run_bars({"A": columns}), 1)[0], close)


def ema_by_hand(closes: list[float], period: int, seed_ends: int) -> list[float]:
    """e = the mean of the `period` closes up to `seed_ends`, then e + (close - e) x 2 / (period + 1); NaN before."""
    window = closes[seed_ends - period + 1 : seed_ends + 1]
    value = sum(window) / period
    line = [math.nan] * seed_ends + [value]
    for close in closes[seed_ends + 1 :]:
        value += (close - value) * 2.0 / (period + 1)
        line.append(value)
    return line


@pytest.mark.parametrize("period", [1, 2, 7])
def test_an_ema_is_seeded_by_the_plain_mean_of_its_first_closes(period: int) -> None:
    columns = walk(60, 31)
    result = indicators.ema(run_bars({"A": columns}), period)[0]
    np.testing.assert_allclose(result, ema_by_hand(columns["close"], period, period - 1), rtol=1e-12)


@pytest.mark.parametrize(("fast", "slow", "signal"), [(12, 26, 9), (2, 3, 1), (5, 8, 4)])
def test_macd_seeds_both_averages_on_the_bar_on_which_the_slow_one_begins(fast: int, slow: int, signal: int) -> None:
    """TA-Lib's way: the fast average is seeded by the last `fast` of the first `slow` closes, not by the first ones."""
    closes = walk(90, 32)["close"]
    quick, steady = ema_by_hand(closes, fast, slow - 1), ema_by_hand(closes, slow, slow - 1)
    whole = [a - b for a, b in zip(quick, steady, strict=True)][slow - 1 :]
    line = ema_by_hand(whole, signal, signal - 1)
    macd, average = indicators.macd(run_bars({"A": prices(closes)}), fast, slow, signal)
    begins = slow + signal - 2
    assert np.isnan(macd[0, :begins]).all()
    assert np.isnan(average[0, :begins]).all()
    np.testing.assert_allclose(macd[0, begins:], whole[signal - 1 :], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(average[0, begins:], line[signal - 1 :], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("period", "width"), [(20, 2.0), (2, 0.5), (5, 3.0)])
def test_bollinger_bands_have_the_population_deviation(period: int, width: float) -> None:
    closes = walk(60, 33)["close"]
    upper, middle, lower = (line[0] for line in indicators.bollinger(run_bars({"A": prices(closes)}), period, width))
    assert np.isnan(middle[: period - 1]).all()
    for t in range(period - 1, 60):
        window = closes[t - period + 1 : t + 1]
        mean = sum(window) / period
        spread = width * math.sqrt(sum((close - mean) ** 2 for close in window) / period)
        assert (upper[t], middle[t], lower[t]) == pytest.approx((mean + spread, mean, mean - spread), rel=1e-9)


@pytest.mark.parametrize("period", [1, 2, 5])
def test_a_channel_excludes_the_current_bar(period: int) -> None:
    columns = walk(30, 5)
    high, low = np.array(columns["high"]), np.array(columns["low"])
    highest, lowest = (
        f(run_bars({"A": columns}), period)[0] for f in (indicators.highest_before, indicators.lowest_before)
    )
    assert np.isnan(highest[:period]).all()
    for i in range(period, 30):
        assert highest[i] == high[i - period : i].max()
        assert lowest[i] == low[i - period : i].min()


@pytest.mark.parametrize("function", EVERY_INDICATOR)
def test_missing_bars_are_left_out_of_every_indicator(function: Any) -> None:
    """Lookbacks count the symbol's own bars: the values are those of the series without the holes."""
    whole = walk(60, 6)
    holes = (10, 11, 30, 45)
    with_holes = {"A": without(whole, *holes), "B": whole}
    close_up = {"A": {**without(whole, *holes), "date": days(56)}}
    result = function(run_bars(with_holes), 5)[0]
    assert np.isnan(result[list(holes)]).all()
    np.testing.assert_array_equal(np.delete(result, holes), function(run_bars(close_up), 5)[0])


def test_a_series_too_short_for_an_indicator_is_undefined() -> None:
    market = {"A": walk(3, 7), "B": walk(60, 8)}
    for function in (indicators.sma, indicators.ema, indicators.rsi, indicators.highest_before):
        assert np.isnan(function(run_bars(market), 20)[0]).all()
    for lines in (indicators.macd(run_bars(market), 5, 20, 9), indicators.bollinger(run_bars(market), 20, 2.0)):
        for line in lines:
            assert np.isnan(line[0]).all()
            assert np.isfinite(line[1]).any()


@pytest.mark.parametrize("function", EVERY_INDICATOR)
def test_indicators_do_not_depend_on_later_bars(function: Any) -> None:
    columns = walk(300, 9)
    full = function(run_bars({"A": columns}), 14)[0]
    for cut in (20, 77, 150, 299):
        part = function(run_bars({"A": {name: values[:cut] for name, values in columns.items()}}), 14)[0]
        assert part.tobytes() == full[:cut].tobytes()
