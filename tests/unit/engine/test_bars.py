"""Bars.from_frame: what it takes, what it makes of it, and how it says no."""

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from markets import days, prices, run

import backproof
from backproof.engine.bars import Bars
from backproof.errors import DataError


def long_frame(**columns: Any) -> dict[str, Any]:
    """Three bars of A and two of B, with columns replaced or (None) left out."""
    frame: dict[str, Any] = {
        "symbol": ["A", "A", "A", "B", "B"],
        "date": ["2024-01-02", "2024-01-03", "2024-01-04", "2024-01-03", "2024-01-05"],
        "open": [10.0, 11.0, 12.0, 20.0, 21.0],
        "high": [10.5, 11.5, 12.5, 20.5, 21.5],
        "low": [9.5, 10.5, 11.5, 19.5, 20.5],
        "close": [10.2, 11.2, 12.2, 20.2, 21.2],
        "volume": [100.0, 200.0, 300.0, 10.0, 20.0],
    }
    frame |= columns
    return {name: values for name, values in frame.items() if values is not None}


def same_bars(one: Bars, two: Bars) -> bool:
    names = ("open", "high", "low", "close", "dates")
    return one.symbols == two.symbols and all(
        np.array_equal(getattr(one, n), getattr(two, n), equal_nan=n != "dates") for n in names
    )


def test_pandas_polars_and_arrow_frames_give_the_same_bars() -> None:
    frame = long_frame()
    expected = Bars.from_frame(pa.table(frame))
    as_dates = [dt.date.fromisoformat(day) for day in frame["date"]]
    timestamps = pd.to_datetime(pd.Series(frame["date"]))
    for other in (
        pd.DataFrame(frame),
        pd.DataFrame(frame | {"date": timestamps}),
        pd.DataFrame(frame | {"date": timestamps}).set_index(["symbol", "date"]),
        pd.DataFrame(frame | {"date": timestamps.dt.tz_localize("America/New_York")}),
        pd.DataFrame(frame).astype({"symbol": "category"}),
        pl.DataFrame(frame),
        pl.DataFrame(frame | {"date": as_dates}).lazy(),
        pl.DataFrame(frame).with_columns(pl.col("symbol").cast(pl.Categorical)),
        pa.table(frame | {"date": pa.array(as_dates, pa.date32())}),
        pa.table(frame).rename_columns(["Symbol", "Timestamp", "Open", "High", "Low", "Close", "Volume"]),
    ):
        assert same_bars(Bars.from_frame(other), expected), type(other)


def test_bars_are_symbol_by_date_with_nan_where_a_symbol_has_no_bar() -> None:
    bars = backproof.Bars.from_frame(pd.DataFrame(long_frame()))
    assert bars.symbols == ("A", "B")
    assert [str(day) for day in bars.dates] == ["2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05"]
    np.testing.assert_array_equal(bars.close, [[10.2, 11.2, 12.2, np.nan], [np.nan, 20.2, np.nan, 21.2]])
    assert "B" in bars
    assert "C" not in bars


def test_symbols_may_alternate_as_long_as_each_goes_forward_in_time() -> None:
    frame = pd.DataFrame(long_frame())
    assert same_bars(Bars.from_frame(frame.sort_values("date", kind="stable")), Bars.from_frame(frame))


def test_one_symbol_needs_no_symbol_column_when_it_is_named() -> None:
    bars = Bars.from_frame(pa.table(long_frame(symbol=None)).slice(0, 3), symbol="A")
    assert bars.symbols == ("A",)
    with pytest.raises(DataError, match="symbol"):
        Bars.from_frame(pa.table(long_frame(symbol=None)).slice(0, 3))


def test_bars_cannot_be_changed_from_outside() -> None:
    bars = Bars.from_frame(pa.table(long_frame()))
    with pytest.raises(ValueError, match="read-only"):
        bars.close[0, 0] = 1.0


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"close": [10.2, float("nan"), 12.2, 20.2, 21.2]}, ("A", "2024-01-03", "close", "NaN")),
        ({"open": [10.0, 11.0, 12.0, None, 21.0]}, ("B", "2024-01-03", "open", "NaN")),
        ({"high": [10.5, 11.5, float("inf"), 20.5, 21.5]}, ("A", "2024-01-04", "high", "infinite")),
        ({"low": [9.5, 10.5, 11.5, 19.5, -1.0]}, ("B", "2024-01-05", "low", "negative")),
        ({"close": [10.2, 0.0, 12.2, 20.2, 21.2]}, ("A", "2024-01-03", "close", "zero")),
        ({"close": [10.2, 1e300, 12.2, 20.2, 21.2]}, ("A", "2024-01-03", "close", "not between")),
        ({"adj_close": [1.0, 1.0, 1e-300, 2.0, 2.0]}, ("A", "2024-01-04", "adj_close", "not between")),
        ({"low": [9.5, 12.0, 11.5, 19.5, 20.5]}, ("A", "2024-01-03", "high", "below low")),
        ({"adj_close": [1.0, 1.0, float("nan"), 2.0, 2.0]}, ("A", "2024-01-04", "adj_close", "NaN")),
        ({"volume": [1.0, -5.0, 1.0, 1.0, 1.0]}, ("A", "2024-01-03", "volume", "negative")),
        ({"dividend": [0.0, 0.0, -1.0, 0.0, 0.0]}, ("A", "2024-01-04", "dividend", "negative")),
        ({"dividend": [0.0, 10.2, 0.0, 0.0, 0.0]}, ("A", "2024-01-03", "dividend", "previous close")),
        ({"split_ratio": [1.0, 1.0, 1.0, 1.0, 0.0]}, ("B", "2024-01-05", "split_ratio", "above zero")),
        (
            {"date": ["2024-01-02", "2024-01-03", "2024-01-03", "2024-01-03", "2024-01-05"]},
            ("A", "2024-01-03", "date", "twice"),
        ),
        (
            {"date": ["2024-01-02", "2024-01-04", "2024-01-03", "2024-01-03", "2024-01-05"]},
            ("A", "2024-01-03", "date", "order"),
        ),
    ],
)
def test_a_wrong_price_is_named_by_symbol_date_and_column(
    columns: dict[str, Any], told: tuple[str, str, str, str]
) -> None:
    with pytest.raises(DataError) as caught:
        Bars.from_frame(pa.table(long_frame(**columns)))
    symbol, day, _, word = told
    assert (caught.value.details["symbol"], caught.value.details["date"], caught.value.details["column"]) == told[:3]
    assert all(part in caught.value.message for part in (symbol, day, word))


@pytest.mark.parametrize(
    ("frame", "word"),
    [
        (long_frame(close=None), "close"),
        (long_frame(date=None), "date"),
        (long_frame(symbol=None), "symbol"),
        (long_frame(high=None), "high"),
        ({name: values[:0] for name, values in long_frame().items()}, "no rows"),
        (long_frame(close=["1", "2", "3", "4", "5"]), "no numbers"),
        (long_frame(date=["2024-01-02", "yesterday", "2024-01-04", "2024-01-03", "2024-01-05"]), "date"),
        (long_frame(date=[1, 2, 3, 1, 2]), "no dates"),
        (long_frame(date=["2024-01-02", None, "2024-01-04", "2024-01-03", "2024-01-05"]), "empty"),
        (long_frame(symbol=["A", "A", None, "B", "B"]), "symbol is empty"),
    ],
)
def test_a_frame_that_cannot_be_bars_is_refused_with_the_reason(frame: dict[str, Any], word: str) -> None:
    with pytest.raises(DataError, match=word):
        Bars.from_frame(pa.table(frame))


def test_what_is_no_frame_is_refused() -> None:
    with pytest.raises(DataError, match="not as list"):
        Bars.from_frame([1, 2, 3])


def test_adjusted_prices_are_prices_times_adj_close_over_close_as_stored() -> None:
    bars = Bars.from_frame(pa.table(long_frame(adj_close=[5.1, 5.6, 6.1, 40.4, 42.4])))
    np.testing.assert_allclose(bars.close[0, :3], [5.1, 5.6, 6.1], rtol=1e-15)
    np.testing.assert_allclose(bars.open[0, :3], [5.0, 5.5, 6.0], rtol=1e-15)
    np.testing.assert_allclose(bars.high[1, [1, 3]], [41.0, 43.0], rtol=1e-15)


def test_without_adj_close_factors_are_computed_from_dividends_and_splits() -> None:
    """The day before a split and a dividend counts (1/ratio) x (1 - D/(previous close/ratio))."""
    frame = long_frame(dividend=[0, 0, 0.5, 0, 0], split_ratio=[1, 4.0, 1, 1, 1])
    bars = Bars.from_frame(pa.table(frame))
    after_dividend = 1.0 - 0.5 / 11.2
    np.testing.assert_allclose(bars.series("A").factor, [after_dividend / 4.0, after_dividend, 1.0], rtol=1e-15)
    both = Bars.from_frame(pa.table(long_frame(dividend=[0, 0, 0.5, 0, 0], split_ratio=[1, 1, 2.0, 1, 1])))
    np.testing.assert_allclose(both.series("A").factor[0], 0.5 * (1.0 - 0.5 / (11.2 / 2.0)), rtol=1e-15)


def test_adj_close_of_one_symbol_may_be_missing_altogether() -> None:
    bars = Bars.from_frame(
        pa.table(long_frame(adj_close=[None, None, None, 10.1, 10.6], split_ratio=[1, 2.0, 1, 1, 1]))
    )
    np.testing.assert_allclose(bars.series("A").factor, [0.5, 1.0, 1.0])
    np.testing.assert_allclose(bars.series("B").factor, 0.5)


def test_adj_close_alone_serves_as_close() -> None:
    frame = long_frame(
        open=None, high=None, low=None, close=None, adj_close=[1.0, 2.0, 3.0, 4.0, 5.0], dividend=[0.1] * 5
    )
    bars = Bars.from_frame(pa.table(frame))
    np.testing.assert_array_equal(bars.close[0, :3], [1.0, 2.0, 3.0])
    assert bars.series("A").close_only


def test_a_symbol_without_open_high_and_low_is_close_only_beside_others_that_have_them() -> None:
    holes = {name: [10.0, 11.0, 12.0, None, None] for name in ("open", "high", "low")}
    holes |= {"close": [10.0, 11.0, 12.0, 20.2, 21.2]}
    bars = Bars.from_frame(pa.table(long_frame(**holes)))
    assert [bars.series(symbol).close_only for symbol in ("A", "B")] == [False, True]


def test_real_adjusted_prices_do_not_crash_at_a_split() -> None:
    market = {"A": prices([100.0, 100.0, 50.0, 50.0]) | {"split_ratio": [1, 1, 2, 1]}}
    assert run(market, "buy_and_hold").metrics["max_drawdown"] == 0.0


def test_bars_are_made_once_and_serve_any_selection_of_symbols() -> None:
    bars = Bars.from_frame(pa.table(long_frame()))
    assert bars.panel(("B",)) is bars.panel(("B",))
    assert [str(day) for day in bars.panel(("B",)).dates] == ["2024-01-03", "2024-01-05"]
    assert repr(bars) == "Bars(2 symbols, 4 bars, 2024-01-02 to 2024-01-05)"


def test_times_of_day_are_kept_apart_from_dates() -> None:
    frame = pa.table(long_frame(date=[f"{day}T15:30:00" for day in days(5)], symbol=["A"] * 5))
    assert Bars.from_frame(frame).dates.dtype == np.dtype("datetime64[us]")
