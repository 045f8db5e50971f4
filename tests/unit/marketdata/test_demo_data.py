"""The packaged prices are what their README says."""

import datetime as dt
from pathlib import Path

import numpy as np
import pytest

from backproof.marketdata.adjust import adjustment_factors
from backproof.marketdata.demo import DEMO_SOURCE, demo_lake
from backproof.storage.lake import Lake

README = {
    "AAPL": (3270, "2000-03-01", "2013-03-01", 3, ["2000-06-21", "2005-02-28"]),
    "FB": (196, "2012-05-18", "2013-03-01", 0, []),
    "GOOG": (2148, "2004-08-19", "2013-03-01", 0, []),
    "IBM": (3270, "2000-03-01", "2013-03-01", 52, []),
    "MSFT": (3270, "2000-03-01", "2013-03-01", 37, ["2003-02-18"]),
    "SPX": (3521, "2000-01-03", "2013-12-31", 0, []),
}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path, demo_lake())


def test_the_demo_has_its_symbols(lake: Lake) -> None:
    assert lake.sources() == [DEMO_SOURCE]
    assert [series.symbol for series in lake.series(DEMO_SOURCE)] == [*README]
    assert {series.symbol for series in lake.series(DEMO_SOURCE) if series.note} == {"SPX"}
    assert {series.currency for series in lake.series(DEMO_SOURCE)} == {"USD"}


@pytest.mark.parametrize("symbol", README)
def test_bars_and_events_are_those_of_the_readme(lake: Lake, symbol: str) -> None:
    bars, first, last, dividends, splits = README[symbol]
    (series,) = [series for series in lake.series(DEMO_SOURCE) if series.symbol == symbol]
    assert (series.bars, str(series.first), str(series.last)) == (bars, first, last)
    table = lake.read_bars(DEMO_SOURCE, "1d", [symbol])
    assert table.num_rows == bars
    assert (table["dividend"].to_numpy() > 0).sum() == dividends
    assert [str(day) for day in table["date"].to_numpy()[table["split_ratio"].to_numpy() != 1.0]] == splits
    row = f"| {symbol} | {bars} | {first}"
    assert row in (demo_lake() / "README.md").read_text()


def test_known_closes(lake: Lake) -> None:
    table = lake.read_bars(DEMO_SOURCE, "1d", ["AAPL"], dt.date(2005, 2, 25), dt.date(2005, 2, 28))
    assert table["close"].to_pylist() == [88.99, 44.86]  # as traded: the split halves it
    assert lake.read_bars(DEMO_SOURCE, "1d", ["MSFT"]).select(["close"]).slice(0, 1).to_pylist() == [{"close": 90.81}]


@pytest.mark.parametrize("symbol", README)
def test_the_events_rebuild_the_adjusted_closes(lake: Lake, symbol: str) -> None:
    table = lake.read_bars(DEMO_SOURCE, "1d", [symbol])
    close, adjusted, dividend, ratio = (
        table[name].to_numpy() for name in ("close", "adj_close", "dividend", "split_ratio")
    )
    factors = adjusted / close
    np.testing.assert_allclose(factors[1:] / factors[:-1], (ratio * (close + dividend) / close)[1:], rtol=1e-11)
    # the product's own rule, for data without adjusted closes, takes the close before the dividend instead
    own = adjustment_factors(close, None, dividend, ratio)
    np.testing.assert_allclose(own, factors / factors[-1], rtol=2.5e-3)


def test_sources_and_terms_are_in_the_package() -> None:
    notice = (demo_lake() / "NOTICE").read_text()
    assert "public domain" in notice
    assert "Copyright (c) 2014 Kevin Sheppard" in notice
    assert not list(demo_lake().rglob(".*"))
