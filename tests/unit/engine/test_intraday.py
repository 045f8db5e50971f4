"""Bars within a day: whose days they belong to, what counts by day and what by bar.

Bars are stamped with their start in UTC. New York is 5 hours behind until 9 March 2024 and 4 hours from 10 March on.
"""

import datetime as dt
import math
import warnings
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from candles import candles, still
from harness import bars_of, frame_of, simulate_given
from markets import Columns, fills, prices

from backproof.engine.bars import Bars
from backproof.engine.calendar import CALENDARS, local_days
from backproof.engine.result import Result
from backproof.errors import DataError, InvalidInput

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import empyrical

WINTER = ("14:30", "15:30", "16:30", "17:30")  # 9:30 to 12:30 in New York
SUMMER = ("13:30", "14:30", "15:30", "16:30")


def session(day: str, hours: Sequence[str] = WINTER) -> list[str]:
    return [f"{day}T{hour}:00" for hour in hours]


def simulate(
    market: dict[str, Columns],
    strategy: str = "buy_and_hold",
    parameters: dict[str, Any] | None = None,
    calendar: str = "XNYS",
    **config: Any,
) -> Result:
    given = {
        "name": "test",
        "strategy_type": strategy,
        "parameters": parameters or {},
        "symbols": [symbol for symbol in market if symbol != config.get("benchmark")],
        "initial_capital": 1000.0,
        "timeframe": "1h",
        **config,
    }
    return simulate_given(given, bars_of(market, calendar))


def signals(columns: Columns, wishes: list[str], **config: Any) -> Result:
    padded = [*wishes, *[""] * (len(columns["date"]) - len(wishes))]
    return simulate({"A": columns}, "scripted", {"signals": {"A": padded}}, **config)


def days_of(dates: list[str], calendar: str = "XNYS") -> list[str]:
    bars = bars_of({"A": prices([10.0] * len(dates), dates=dates)}, calendar)
    return [str(day) for day in bars.panel(("A",)).days]


# --- days


def test_a_bar_belongs_to_the_day_on_the_exchanges_clock_also_across_daylight_saving() -> None:
    """Midnight in New York is 05:00 UTC before 10 March 2024 and 04:00 UTC after."""
    dates = ["2024-03-08T04:30", "2024-03-08T05:00", "2024-03-11T03:30", "2024-03-11T04:00", "2024-03-12T03:59"]
    assert days_of(dates) == ["2024-03-07", "2024-03-08", "2024-03-10", "2024-03-11", "2024-03-11"]
    autumn = ["2024-11-01T03:59", "2024-11-01T04:00", "2024-11-04T04:59", "2024-11-04T05:00"]
    assert days_of(autumn) == ["2024-10-31", "2024-11-01", "2024-11-03", "2024-11-04"]


def test_other_exchanges_have_their_own_days() -> None:
    dates = ["2024-01-02T14:59", "2024-01-02T15:00", "2024-01-02T18:30", "2024-01-03T00:00"]
    assert days_of(dates, "XKRX") == ["2024-01-02", "2024-01-03", "2024-01-03", "2024-01-03"]
    assert days_of(dates, "XBOM") == ["2024-01-02", "2024-01-02", "2024-01-03", "2024-01-03"]
    assert days_of(dates, "24/7") == ["2024-01-02", "2024-01-02", "2024-01-02", "2024-01-03"]


@pytest.mark.parametrize("name", sorted(CALENDARS))
def test_days_are_those_of_the_time_zone_at_any_hour_of_four_years(name: str) -> None:
    zone = ZoneInfo(CALENDARS[name].zone)
    moments = np.datetime64("2022-01-01T00:10", "us") + np.arange(0, 1461 * 24, 7) * np.timedelta64(1, "h")
    expected = [
        moment.replace(tzinfo=dt.UTC).astimezone(zone).date() for moment in moments.astype(dt.datetime).tolist()
    ]
    assert local_days(moments, CALENDARS[name].zone).tolist() == expected


def test_start_and_end_dates_are_days_of_the_exchange_and_inclusive() -> None:
    """19:30 in New York on 1 February is the next day in UTC."""
    dates = [*session("2024-01-31"), *session("2024-02-01"), "2024-02-02T00:30:00", *session("2024-02-02")]
    result = simulate({"A": prices([10.0] * 13, dates=dates)}, start_date="2024-02-01", end_date="2024-02-01")
    assert [str(date)[:16] for date in result.dates] == [
        "2024-02-01T14:30", "2024-02-01T15:30", "2024-02-01T16:30", "2024-02-01T17:30", "2024-02-02T00:30",
    ]  # fmt: skip


def test_a_schedule_is_of_the_exchanges_days() -> None:
    """The bar of 00:30 UTC on 1 February is the last one of January in New York: the order fills at the next open."""
    dates = [*session("2024-01-31"), "2024-02-01T00:30:00", *session("2024-02-01"), *session("2024-02-02")]
    market = {"A": prices([10.0] * 13, dates=dates)}
    monthly = simulate(market, "equal_weight", {"rebalance": "monthly"})
    assert [bar for bar, *_ in fills(monthly)] == [5]
    daily = simulate({"A": prices([10.0 + t for t in range(13)], dates=dates)}, "equal_weight", {"rebalance": "daily"})
    assert [bar for bar, *_ in fills(daily)] == [5]  # all in: the second decision trades nothing
    utc = simulate(market, "equal_weight", {"rebalance": "monthly"}, calendar="24/7")
    assert [bar for bar, *_ in fills(utc)] == [4]


def test_orders_fill_on_the_next_bar_and_not_on_the_next_day() -> None:
    dates = [*session("2024-01-02"), *session("2024-01-03")]
    columns = prices([10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 16.0, 17.0], dates=dates)
    result = signals(columns, ["enter_long", "", "", "exit"])
    assert [(bar, price) for bar, *_, price in fills(result)] == [(1, 11.0), (4, 14.0)]
    assert str(result.fills["date"][0]) == "2024-01-02T15:30:00.000000"


def test_stops_are_checked_on_every_bar_of_a_day() -> None:
    bars = [still(100.0), still(100.0), (100.0, 101.0, 89.0, 99.0), still(99.0)]
    columns = candles(*bars, dates=session("2024-01-02"))
    result = signals(columns, ["enter_long"], risk={"stop_loss": 0.1})
    assert [(bar, price) for bar, *_, price in fills(result)] == [(1, 100.0), (2, 90.0)]


def test_borrowing_costs_something_over_night_only() -> None:
    """Short 10 at 100 from Friday noon on: three days to Monday, once, and nothing within the days."""
    dates = [*session("2024-03-08"), *session("2024-03-11", SUMMER)]
    result = signals(
        prices([100.0] * 8, dates=dates),
        ["enter_short"],
        execution={"direction": "short_only"},
        costs={"borrow_rate": 0.365},
    )
    np.testing.assert_allclose(result.equity, [1000.0] * 4 + [997.0] * 4)


# --- metrics


def random_days(count: int, seed: int = 4, start: str = "2024-02-20") -> Columns:
    """Four hourly bars a day, in New York, across the change of the clocks."""
    rng = np.random.default_rng(seed)
    dates: list[str] = []
    day = dt.date.fromisoformat(start)
    while len(dates) < 4 * count:
        if day.weekday() < 5:
            dates += session(day.isoformat(), WINTER if day < dt.date(2024, 3, 10) else SUMMER)
        day += dt.timedelta(days=1)
    closes = 50.0 * np.exp(np.cumsum(rng.normal(0.0005, 0.01, 4 * count)))
    return prices(closes.tolist(), dates=dates)


def test_returns_are_those_of_days_and_ratios_are_empyricals_on_the_days_last_equity() -> None:
    columns = random_days(60)
    result = simulate(
        {"A": columns, "I": random_days(60, 5)}, "sma_crossover", {"fast": 3, "slow": 9},
        risk_free_rate=0.02, benchmark="I",
    )  # fmt: skip
    new_york = pd.DatetimeIndex(result.dates).tz_localize("UTC").tz_convert("America/New_York").date
    last = pd.Series(result.equity).groupby(new_york).last()
    assert len(last) == 60
    r = last.pct_change().dropna()
    rate = 1.02 ** (1 / 252) - 1
    m = result.metrics
    assert result.periods_per_year == 252.0
    np.testing.assert_allclose(result.returns, r, rtol=1e-12, atol=1e-15)
    assert m["sharpe"] == pytest.approx(empyrical.sharpe_ratio(r, rate), rel=1e-9)
    assert m["sortino"] == pytest.approx(empyrical.sortino_ratio(r, rate), rel=1e-9)
    assert m["volatility"] == pytest.approx(empyrical.annual_volatility(r), rel=1e-9)
    growth = result.equity[-1] / 1000.0
    assert m["annual_return"] == pytest.approx(growth ** (252 / 59) - 1, rel=1e-9)
    notional = float((result.fills["shares"] * result.fills["price"]).sum())
    assert m["turnover"] == pytest.approx(notional / result.equity.mean() / (59 / 252), rel=1e-9)
    closes = pd.Series(bars_of({"I": random_days(60, 5)}).close[0]).groupby(new_york).last()
    assert result.benchmark_metrics is not None
    assert result.benchmark_metrics["beta"] == pytest.approx(
        empyrical.beta(r, closes.pct_change().dropna(), rate), rel=1e-9
    )
    assert result.benchmark_metrics["overlap"] == 240


def test_given_periods_per_year_take_the_returns_of_bars_as_they_are() -> None:
    columns = random_days(30)
    result = simulate({"A": columns}, periods_per_year=1008.0)
    r = pd.Series(result.equity).pct_change().dropna()
    assert len(result.returns) == 119
    assert result.metrics["volatility"] == pytest.approx(float(r.std(ddof=1)) * math.sqrt(1008.0), rel=1e-9)
    assert result.metrics["annual_return"] == pytest.approx((result.equity[-1] / 1000.0) ** (1008 / 119) - 1, rel=1e-9)


def test_drawdown_exposure_and_time_in_market_see_every_bar() -> None:
    """The price falls by half at noon and is back at the day's end: no daily return, and a drawdown of a half."""
    dates = [*session("2024-01-02"), *session("2024-01-03")]
    columns = prices([100.0, 100.0, 100.0, 100.0, 100.0, 50.0, 100.0, 100.0], dates=dates)
    result = signals(columns, ["", "enter_long"])
    assert result.metrics["max_drawdown"] == pytest.approx(-0.5)
    assert result.metrics["time_in_market"] == 0.75
    assert result.metrics["exposure"] == 0.75
    assert result.returns.tolist() == [0.0]


def test_the_last_day_counts_as_it_is_also_when_it_is_not_over() -> None:
    dates = [*session("2024-01-02"), "2024-01-03T14:30:00"]
    result = signals(prices([100.0, 100.0, 100.0, 110.0, 121.0], dates=dates), ["enter_long"])
    assert result.returns.tolist() == [pytest.approx(0.1)]


def test_cagr_counts_the_exchanges_calendar_days() -> None:
    """From Monday afternoon to Tuesday morning is a day, although it is 21 hours."""
    dates = ["2024-01-08T18:30:00", "2024-01-09T15:30:00"]
    result = signals(prices([100.0, 110.0], dates=dates), ["enter_long"], execution={"fill": "same_close"})
    assert result.metrics["cagr"] == pytest.approx(1.1**365.25 - 1.0)


@pytest.mark.parametrize(
    ("calendar", "timeframe", "dates", "periods"),
    [
        ("XNYS", "1h", session("2024-01-02"), 252.0),
        ("24/7", "1h", session("2024-01-02"), 365.0),
        ("24/7", "1d", ["2024-01-05", "2024-01-06", "2024-01-07", "2024-01-08"], 365.0),
        ("XKRX", "1d", ["2024-01-04", "2024-01-05", "2024-01-08", "2024-01-09"], 252.0),
        ("24/7", "1w", ["2024-01-07", "2024-01-14", "2024-01-21", "2024-01-28"], 52.0),
    ],
)
def test_a_year_has_252_days_of_an_exchange_365_of_a_market_that_never_closes_and_52_weeks(
    calendar: str, timeframe: str, dates: list[str], periods: float
) -> None:
    columns = prices([10.0, 11.0, 12.0, 11.0], dates=dates)
    result = simulate({"A": columns}, calendar=calendar, timeframe=timeframe)
    assert result.periods_per_year == periods


# --- bars and timeframes that do not fit


def intraday_error(dates: list[str], timeframe: str) -> str:
    with pytest.raises(InvalidInput) as caught:
        simulate({"A": prices([10.0] * len(dates), dates=dates)}, timeframe=timeframe)
    (error,) = caught.value.errors
    assert (error.pointer, error.code) == ("/timeframe", "bars_do_not_fit")
    return error.message


@pytest.mark.parametrize("timeframe", ["1d", "1w"])
def test_bars_with_times_of_day_are_not_taken_for_daily(timeframe: str) -> None:
    assert "times of day" in intraday_error(session("2024-01-02"), timeframe)


@pytest.mark.parametrize("timeframe", ["1m", "5m", "15m", "30m", "1h"])
def test_dates_are_not_taken_for_bars_within_a_day(timeframe: str) -> None:
    assert "dates only" in intraday_error(["2024-01-02", "2024-01-03"], timeframe)


def test_bars_closer_than_their_timeframe_are_refused() -> None:
    halves = ["2024-01-02T14:30:00", "2024-01-02T15:00:00"]
    assert intraday_error(halves, "1h") == "the bars of A are 30 minutes apart, which 1h bars cannot be"
    for timeframe in ("30m", "15m"):
        assert simulate({"A": prices([10.0, 11.0], dates=halves)}, timeframe=timeframe).complete


def test_a_short_first_hour_of_the_session_is_no_reason_to_refuse_hourly_bars() -> None:
    """9:30, 10:00, 11:00 … in New York: the usual distance counts."""
    dates = session("2024-01-02", ("14:30", "15:00", "16:00", "17:00", "18:00"))
    assert simulate({"A": prices([10.0] * 5, dates=dates)}, timeframe="1h").complete


def test_symbols_may_have_their_bars_at_different_minutes() -> None:
    market = {
        "A": prices([10.0] * 4, dates=session("2024-01-02")),
        "B": prices([10.0] * 4, dates=session("2024-01-02", ("14:00", "15:00", "16:00", "17:00"))),
    }
    assert len(simulate(market).dates) == 8


def test_symbols_with_dates_only_do_not_run_beside_symbols_with_times_of_day() -> None:
    market = {
        "A": prices([10.0] * 4, dates=session("2024-01-02")),
        "B": prices([10.0, 11.0], dates=["2024-01-02T00:00:00", "2024-01-03T00:00:00"]),
    }
    with pytest.raises(DataError, match="B has dates only") as caught:
        simulate(market)
    assert caught.value.details["symbol"] == "B"


# --- what times a frame may have


def test_a_column_with_a_time_zone_and_one_without_mean_the_same_moments() -> None:
    columns = prices([10.0, 11.0, 12.0, 13.0], dates=session("2024-01-02"))
    expected = bars_of({"A": columns})
    table = frame_of({"A": columns})
    utc = table["date"].cast(pa.timestamp("us")).cast(pa.timestamp("us", "UTC"))
    for zone in ("UTC", "America/New_York", "Asia/Tokyo"):
        aware = table.set_column(1, "timestamp", utc.cast(pa.timestamp("ns", zone)))
        for frame in (aware, aware.to_pandas()):
            bars = Bars.from_frame(frame)
            assert bars.dates.tolist() == expected.dates.tolist(), zone
            assert bars.dates.dtype == np.dtype("datetime64[us]")


def test_both_hours_of_the_night_in_which_clocks_go_back_are_two_bars() -> None:
    """01:30 in New York comes twice on 3 November 2024."""
    moments = pd.DatetimeIndex(["2024-11-03T05:30", "2024-11-03T06:30", "2024-11-03T07:30"], tz="UTC")
    frame = pd.DataFrame({"symbol": "A", "timestamp": moments.tz_convert("America/New_York"), "close": [1.0, 2.0, 3.0]})
    assert [str(date)[:16] for date in Bars.from_frame(frame).dates] == [
        "2024-11-03T05:30",
        "2024-11-03T06:30",
        "2024-11-03T07:30",
    ]


def test_midnights_on_the_columns_own_clock_are_dates() -> None:
    days = pd.DatetimeIndex(["2024-03-08", "2024-03-11"]).tz_localize("America/New_York")
    bars = Bars.from_frame(pd.DataFrame({"symbol": "A", "date": days, "close": [1.0, 2.0]}))
    assert [str(day) for day in bars.dates] == ["2024-03-08", "2024-03-11"]


def test_a_calendar_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(DataError, match=r"no calendar 'NYSE'; there are XNYS, .*24/7") as caught:
        bars_of({"A": prices([10.0])}, "NYSE")
    assert caught.value.details["calendar"] == "NYSE"


def test_months_and_years_are_those_of_the_market() -> None:
    """Two bars of Seoul: 2 January 08:30 there is still 1 January in UTC, and 31 December 22:00 UTC is the new year."""
    dates = ["2023-12-29T00:00:00", "2023-12-31T22:00:00", "2024-02-01T00:00:00"]
    result = simulate({"A": prices([10.0, 11.0, 12.1], dates=dates)}, calendar="XKRX")
    months = [(int(m["year"]), int(m["month"])) for m in result.monthly_returns]
    assert months == [(2023, 12), (2024, 1), (2024, 2)]
    assert [int(y["year"]) for y in result.yearly_returns] == [2023, 2024]
    growth = np.prod(1.0 + result.monthly_returns["return"]) - 1.0
    assert growth == pytest.approx(result.metrics["total_return"])
