"""Adjusting and thinning out bars for a look at them."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backproof.domain.clock import NEW_YORK, MarketClock
from backproof.engine.calendar import CALENDARS, local_days
from backproof.engine.frames import adjustment
from backproof.marketdata.adjust import adjustment_factors, volume_factors
from backproof.marketdata.views import downsampled, json_rows, price_view, rows_between

UTC = MarketClock("24/7", "UTC")
DATES = np.datetime64("2020-01-01") + np.arange(5)


def test_factors_of_a_split_and_a_dividend() -> None:
    close = np.array([100.0, 50.0, 52.0, 51.0, 51.0])
    ratio = np.array([1.0, 2.0, 1.0, 1.0, 1.0])
    dividend = np.array([0.0, 0.0, 0.0, 1.0, 0.0])
    paid = 1 - 1 / 52
    expected = [paid / 2, paid, paid, 1.0, 1.0]
    np.testing.assert_allclose(adjustment_factors(close, None, dividend, ratio), expected, rtol=1e-15)
    np.testing.assert_array_equal(adjustment_factors(close, close / 4, dividend, ratio), np.full(5, 0.25))
    np.testing.assert_array_equal(adjustment_factors(close, None, None, None), np.ones(5))
    np.testing.assert_array_equal(volume_factors(ratio, 5), [2, 1, 1, 1, 1])


def test_a_split_and_a_dividend_on_one_day() -> None:
    # 100 before; each of two new shares is worth 50 and pays 5
    factors = adjustment_factors(np.array([100.0, 45.0]), None, np.array([0.0, 5.0]), np.array([1.0, 2.0]))
    np.testing.assert_allclose(factors, [0.45, 1.0], rtol=1e-15)


def test_an_event_on_the_first_bar_changes_nothing() -> None:
    factors = adjustment_factors(np.array([10.0, 10.0]), None, np.array([1.0, 0.0]), np.array([2.0, 1.0]))
    np.testing.assert_array_equal(factors, [1, 1])


@given(st.integers(1, 60), st.integers(0, 2**32))
def test_factors_are_the_very_bits_of_the_engines(rows: int, seed: int) -> None:
    """What a look at the bars shows is what a run trades."""
    chance = np.random.default_rng(seed)
    close = np.exp(chance.normal(3.0, 1.0, rows))
    split = np.where(chance.random(rows) < 0.2, chance.choice([2.0, 3.0, 0.5, 0.1, 1.05], rows), 1.0)
    room = np.append(close[:1], close[:-1]) / split  # a dividend is below the close before it
    dividend = np.where(chance.random(rows) < 0.3, chance.uniform(0.0, 0.9, rows) * room, 0.0)
    for given_split, given_dividend in ((split, dividend), (split, None), (None, None)):
        factor, impossible = adjustment(close, given_split, given_dividend)
        assert not len(impossible)
        assert adjustment_factors(close, None, given_dividend, given_split).tobytes() == factor.tobytes()


@given(st.integers(1, 300), st.integers(1, 60), st.integers(0, 2**32))
def test_thinned_bars_keep_what_bars_mean(rows: int, points: int, seed: int) -> None:
    points = min(points, rows)
    chance = np.random.default_rng(seed)
    low, open_, close, high = np.sort(chance.uniform(1, 2, (4, rows)), axis=0)
    columns = {"open": open_, "high": high, "low": low, "close": close, "volume": chance.uniform(0, 9, rows)}
    dates = np.datetime64("2020-01-01") + np.arange(rows)
    thin_dates, thin = downsampled(dates, columns, points)
    assert len(thin_dates) == points
    assert (thin["open"][0], thin["close"][-1]) == (open_[0], close[-1])
    assert (thin["high"].max(), thin["low"].min()) == (high.max(), low.min())
    assert thin["volume"].sum() == pytest.approx(columns["volume"].sum())
    assert (thin["low"] <= thin["open"]).all()
    assert (thin["high"] >= thin["close"]).all()
    starts = np.searchsorted(dates, thin_dates)
    np.testing.assert_array_equal(thin["open"], open_[starts])
    assert np.diff([*starts, rows]).max() - np.diff([*starts, rows]).min() <= 1


def test_ranges_of_days_also_of_intraday_bars() -> None:
    assert rows_between(DATES, dt.date(2020, 1, 2), dt.date(2020, 1, 3), UTC) == (1, 3)
    assert rows_between(DATES, None, None, UTC) == (0, 5)
    assert rows_between(DATES, dt.date(2021, 1, 1), dt.date(2020, 1, 1), UTC) == (5, 5)
    hours = np.datetime64("2020-01-01T00:00", "us") + np.arange(72) * np.timedelta64(1, "h")
    second = dt.date(2020, 1, 2)
    assert rows_between(hours, second, second, UTC) == (24, 48)
    assert rows_between(hours, second, second, MarketClock("XKRX", "Asia/Seoul")) == (15, 39)
    assert rows_between(hours, second, second, NEW_YORK) == (29, 53)
    assert rows_between(hours, dt.date.min, dt.date.max, NEW_YORK) == (0, 72)


@given(zone=st.sampled_from(sorted({calendar.zone for calendar in CALENDARS.values()})), data=st.data())
def test_days_are_cut_where_the_engine_has_them(zone: str, data: st.DataObject) -> None:
    """As engine.calendar.local_days, also over changes of the clock."""
    hour = data.draw(st.integers(0, 24 * 365 * 40))
    moments = np.datetime64("1985-01-01T00:30", "us") + (hour + np.arange(200)) * np.timedelta64(1, "h")
    days = local_days(moments, zone)
    day = data.draw(st.sampled_from(days.tolist()))
    first, last = rows_between(moments, day, day, MarketClock("any", zone))
    np.testing.assert_array_equal(np.flatnonzero(days == np.datetime64(day)), np.arange(first, last))


def test_rows_are_plain_json() -> None:
    assert json_rows(DATES[:2], {"close": np.array([1.0, np.inf])}) == [
        {"date": "2020-01-01", "close": 1.0},
        {"date": "2020-01-02", "close": None},
    ]
    moment = np.array(["2020-01-01T09:30"], "M8[us]")
    assert json_rows(moment, {"close": np.array([1.0])}) == [{"date": "2020-01-01T09:30:00Z", "close": 1.0}]


def test_raw_bars_show_events_and_adjusted_ones_have_them_in_the_prices() -> None:
    table = pa.table(
        {
            "symbol": ["A", "A"], "date": DATES[:2], "open": [4.0, 2.0], "high": [4.0, 2.0], "low": [4.0, 2.0],
            "close": [4.0, 2.0], "volume": [10.0, 20.0], "split_ratio": [1.0, 2.0],
        }
    )  # fmt: skip
    _, raw = price_view(table, adjusted=False)
    assert raw["close"].tolist() == [4.0, 2.0]
    assert raw["split_ratio"].tolist() == [1.0, 2.0]
    _, adjusted = price_view(table, adjusted=True)
    assert {name: values.tolist() for name, values in adjusted.items()} == {
        "open": [2.0, 2.0], "high": [2.0, 2.0], "low": [2.0, 2.0], "close": [2.0, 2.0], "volume": [20.0, 20.0],
    }  # fmt: skip
    _, alone = price_view(pa.table({"symbol": ["A"], "date": DATES[:1], "adj_close": [3.0]}), adjusted=False)
    assert {name: values.tolist() for name, values in alone.items()} == {"close": [3.0]}
