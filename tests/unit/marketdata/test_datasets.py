"""DatasetService: what it finds wrong with a backtest's data, what it loads, and imports beside others."""

import asyncio
import datetime as dt
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from backproof.domain.config import BacktestConfig, parse_config
from backproof.errors import InvalidInput, NotFound
from backproof.marketdata.demo import demo_lake
from backproof.services.datasets import DatasetService, SourceInfo
from backproof.storage.lake import Lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake", demo_lake())


@pytest.fixture
def datasets(lake: Lake) -> DatasetService:
    return DatasetService(lake, "demo")


def config(**given: Any) -> BacktestConfig:
    return parse_config({"name": "x", "strategy_type": "sma_crossover", "symbols": ["AAPL"], **given})


def prices(tmp_path: Path, text: str, name: str = "prices.csv") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


async def pointers(datasets: DatasetService, **given: Any) -> dict[str, str]:
    with pytest.raises(InvalidInput) as raised:
        await datasets.check(config(**given))
    return {error.pointer: error.message for error in raised.value.errors}


# ---- check --------------------------------------------------------------------------------------------------------


async def test_coverage_counts_the_bars_of_the_run(datasets: DatasetService) -> None:
    coverage = await datasets.check(
        config(symbols=["FB", "AAPL"], benchmark="SPX", start_date="2012-01-03", end_date="2012-12-31")
    )
    assert [(one.symbol, one.bars_in_run) for one in coverage] == [("FB", 155), ("AAPL", 250), ("SPX", 250)]
    assert [one.bars_before for one in coverage] == [0, 2979, 3019]
    assert [bool(one.note) for one in coverage] == [False, False, True]
    assert (coverage[0].first, coverage[0].last, coverage[0].bars) == (dt.date(2012, 5, 18), dt.date(2013, 3, 1), 196)
    whole = await datasets.check(config(symbols=["AAPL"]))
    assert (whole[0].bars_before, whole[0].bars_in_run, whole[0].bars) == (0, 3270, 3270)
    assert (await datasets.check(config(benchmark="AAPL")))[0].symbol == "AAPL"


async def test_everything_wrong_is_said_at_once(datasets: DatasetService) -> None:
    found = await pointers(
        datasets,
        symbols=["APPL", "IBM", "aapl", "ZZZZ"],
        benchmark="SPY",
        start_date="1990-01-01",
        end_date="2020-06-30",
    )
    assert [*found] == ["/symbols/0", "/symbols/2", "/symbols/3", "/benchmark", "/start_date", "/end_date"]
    assert "did you mean AAPL?" in found["/symbols/0"]
    assert "did you mean AAPL?" in found["/symbols/2"]
    assert "it has AAPL, FB, GOOG, IBM, MSFT, SPX" in found["/symbols/3"]
    assert "did you mean SPX?" in found["/benchmark"]
    assert "from 2000-03-01 to 2013-03-01" in found["/start_date"]


async def test_dates_outside_the_data_are_refused_with_the_range(datasets: DatasetService) -> None:
    assert [*await pointers(datasets, start_date="1999-01-01")] == ["/start_date"]
    assert [*await pointers(datasets, end_date="2013-12-31")] == ["/end_date"]
    assert [*await pointers(datasets, symbols=["FB"], end_date="2005-01-01")] == ["/end_date"]
    assert [*await pointers(datasets, start_date="2005-01-01", end_date="2005-01-02")] == ["/start_date"]  # a weekend
    # a holiday before the first bar, and a symbol that is listed later than another, are fine
    await datasets.check(config(start_date="2000-02-25", end_date="2013-03-08"))
    await datasets.check(config(symbols=["FB", "IBM"], start_date="2001-01-01"))


async def test_a_benchmark_without_a_bar_in_the_run_is_refused(datasets: DatasetService) -> None:
    found = await pointers(datasets, benchmark="FB", end_date="2010-12-31")
    assert found == {"/benchmark": "FB has no bar in the run: its bars go from 2012-05-18 to 2013-03-01"}


async def test_unknown_sources_and_timeframes_are_refused(datasets: DatasetService, lake: Lake) -> None:
    assert await pointers(datasets, data_source="nothing") == {
        "/data_source": "there is no data source 'nothing'; there are demo"
    }
    assert await pointers(datasets, timeframe="1h") == {"/timeframe": "demo has no 1h bars, only 1d"}
    assert [*await pointers(DatasetService(lake, "elsewhere"))] == ["/data_source"]


async def test_close_only_data_cannot_fill_at_the_open(datasets: DatasetService, tmp_path: Path) -> None:
    await datasets.import_file(prices(tmp_path, "symbol,date,close\nC,2020-01-02,1\nC,2020-01-03,2\n"), "mine")
    found = await pointers(datasets, symbols=["C"], data_source="mine")
    assert [*found] == ["/execution/fill"]
    assert "next_close or same_close" in found["/execution/fill"]
    (coverage,) = await datasets.check(config(symbols=["C"], data_source="mine", execution={"fill": "next_close"}))
    assert coverage.close_only


CLOSES = "symbol,date,close\nC,2020-01-02,1\nC,2020-01-03,2\n"
ADJUSTED = (
    "symbol,date,open,high,low,close,volume,adj_close\n"
    "C,2020-01-02,4,4,4,4,9,2\nC,2020-01-03,2,2,2,2,9,2\nC,2020-01-06,2,2,2,2,9,2\n"
)
RAW = {"execution": {"price_mode": "raw"}}
EVENTS = (
    "symbol,date,open,high,low,close,volume,adj_close,split_ratio\n"
    "C,2020-01-02,4,4,4,4,9,2,1\nC,2020-01-03,2,2,2,2,9,2,2\nC,2020-01-06,2,2,2,2,9,2,1\n"
)


@pytest.mark.parametrize(
    ("text", "given", "expected"),
    [
        (CLOSES, {}, {("/execution/fill", "no_open_prices")}),
        (CLOSES, {"execution": {"fill": "next_close"}}, set()),
        (
            CLOSES,
            {"execution": {"fill": "next_close"}, "risk": {"stop_loss": 0.1, "trailing_stop": 0.1}},
            {("/risk/stop_loss", "no_high_and_low"), ("/risk/trailing_stop", "no_high_and_low")},
        ),
        (
            CLOSES,
            {"risk": {"take_profit": 0.1}},
            {("/execution/fill", "no_open_prices"), ("/risk/take_profit", "no_high_and_low")},
        ),
        (ADJUSTED, {}, set()),
        (ADJUSTED, RAW, {("/execution/price_mode", "no_events")}),
        (EVENTS, RAW, set()),
        (EVENTS.replace("9,2,2\n", "9,2,1\n"), RAW, {("/execution/price_mode", "no_events")}),
        (EVENTS.replace(",adj_close", ",x"), RAW, set()),
        (ADJUSTED.replace("9,2\n", "9,1.99\n", 1).replace("4,4,4,4", "2,2,2,2"), RAW, set()),
    ],
)  # fmt: skip
async def test_what_the_data_cannot_give_is_refused_as_the_engine_would(
    datasets: DatasetService, tmp_path: Path, text: str, given: dict[str, Any], expected: set[tuple[str, str]]
) -> None:
    from backproof.engine.bars import Bars
    from backproof.engine.setup import run_of

    await datasets.import_file(prices(tmp_path, text), "mine")
    asked = config(symbols=["C"], data_source="mine", **given)

    async def said_by_the_service() -> None:
        await datasets.check(asked)

    async def said_by_the_engine() -> None:
        loaded = await datasets.load(asked)
        bars = Bars.from_frame(loaded.table, calendar=loaded.calendar)
        run_of(asked, bars, bars.panel(asked.symbols))

    for ask in (said_by_the_service, said_by_the_engine):
        found: set[tuple[str, str]] = set()
        try:
            await ask()
        except InvalidInput as error:
            found = {(field.pointer, field.code) for field in error.errors}
        assert found == expected, ask.__name__


# ---- load ---------------------------------------------------------------------------------------------------------


async def test_a_run_gets_all_bars_of_its_series_in_their_order(datasets: DatasetService) -> None:
    loaded = await datasets.load(
        config(symbols=["MSFT", "FB"], benchmark="SPX", start_date="2012-06-01", end_date="2012-06-29")
    )
    table = loaded.table
    assert loaded.calendar == "XNYS"
    assert table["symbol"].unique().to_pylist() == ["MSFT", "FB", "SPX"]
    dates = table["date"].to_pylist()
    assert (min(dates), max(dates)) == (dt.date(2000, 1, 3), dt.date(2013, 12, 31))
    assert table.column_names == [
        "symbol", "date", "open", "high", "low", "close", "volume", "adj_close", "dividend", "split_ratio",
    ]  # fmt: skip
    once = await datasets.load(config(symbols=["AAPL"], benchmark="AAPL"))
    assert once.table.num_rows == 3270


async def test_what_went_away_since_the_check_is_said(datasets: DatasetService) -> None:
    with pytest.raises(NotFound, match="no 1d bars of ZZZZ"):
        await datasets.load(config(symbols=["ZZZZ"]))


# ---- symbols and bars ---------------------------------------------------------------------------------------------


async def test_symbols_of_every_source_or_of_one(datasets: DatasetService, tmp_path: Path) -> None:
    await datasets.import_file(prices(tmp_path, "symbol,date,close\nC,2020-01-02,1\n"), "mine")
    assert await datasets.sources() == [
        SourceInfo("demo", "XNYS", {"1d": 6}, default=True),
        SourceInfo("mine", "XNYS", {"1d": 1}),
    ]
    assert [(one.source, one.symbol) for one in await datasets.symbols()][-2:] == [("demo", "SPX"), ("mine", "C")]
    assert [one.symbol for one in await datasets.symbols("mine")] == ["C"]
    with pytest.raises(NotFound, match="no data source 'nothing'"):
        await datasets.symbols("nothing")


async def test_bars_are_plain_json(datasets: DatasetService) -> None:
    bars = await datasets.bars("AAPL", start=dt.date(2005, 2, 25), end=dt.date(2005, 2, 28), adjusted=False)
    assert bars.bars == [
        {"date": "2005-02-25", "open": 89.62, "high": 89.91, "low": 88.19, "close": 88.99, "volume": 16348400.0,
         "dividend": 0.0, "split_ratio": 1.0},
        {"date": "2005-02-28", "open": 44.68, "high": 45.14, "low": 43.96, "close": 44.86, "volume": 11635900.0,
         "dividend": 0.0, "split_ratio": 2.0},
    ]  # fmt: skip
    adjusted = await datasets.bars("AAPL", start=dt.date(2005, 2, 25), end=dt.date(2005, 2, 28))
    first, second = (bar["close"] for bar in adjusted.bars)
    assert second / first == pytest.approx(44.86 * 2 / 88.99)
    assert adjusted.bars[0]["volume"] == 2 * 16348400.0
    thin = await datasets.bars("AAPL", max_points=100)
    assert (len(thin.bars), thin.total_bars) == (100, 3270)
    json.dumps(thin.bars, allow_nan=False)
    assert (await datasets.bars("AAPL", start=dt.date(2050, 1, 1))).bars == []
    with pytest.raises(NotFound, match="did you mean AAPL"):
        await datasets.bars("APPL")
    with pytest.raises(NotFound, match="no data source"):
        await datasets.bars("AAPL", "nothing")


# ---- import -------------------------------------------------------------------------------------------------------


async def test_an_import_reports_what_it_did(datasets: DatasetService, tmp_path: Path) -> None:
    path = prices(tmp_path, "symbol,date,close,x\nB,2020-01-02,1,\nA,2020-01-02,1,\nA,2020-01-03,2,\n")
    report = await datasets.import_file(path, "mine")
    assert (report.dataset, report.timeframe, report.bars, report.replaced) == ("mine", "1d", 3, [])
    assert [(one.symbol, one.bars) for one in report.symbols] == [("B", 1), ("A", 2)]
    assert len(report.warnings) == 2
    again = await datasets.import_file(prices(tmp_path, "symbol,date,close\nA,2020-01-02,9\nC,2020-01-02,1\n"), "mine")
    assert again.replaced == ["A"]
    assert {one.symbol: one.bars for one in await datasets.symbols("mine")} == {"A": 1, "B": 1, "C": 1}


KOREAN = "symbol,timestamp,open,high,low,close,volume\n" + "".join(
    f"K,2024-03-{day:02}T{(minute // 60):02}:{minute % 60:02}:00Z,9,9,9,9,1\n"
    for day in (4, 5, 6)
    for minute in range(0, 390, 30)  # 09:00 to 15:00 in Seoul
)


async def test_intraday_bars_have_the_days_of_their_market(datasets: DatasetService, tmp_path: Path) -> None:
    # what trades at 08:30 in Seoul trades on the evening before, in UTC
    header, rest = KOREAN.split("\n", 1)
    early = f"{header}\nK,2024-03-03T23:30:00Z,9,9,9,9,1\n{rest}"
    report = await datasets.import_file(prices(tmp_path, early), "krx", "30m", "XKRX")
    assert (report.calendar, report.zone, report.times) == ("XKRX", "Asia/Seoul", ("08:30", "15:00"))
    [info] = await datasets.symbols("krx", "30m")
    assert (info.first, info.last, info.bars) == (dt.date(2024, 3, 4), dt.date(2024, 3, 6), 40)
    assert info.calendar == "XKRX"
    assert SourceInfo("krx", "XKRX", {"30m": 1}) in await datasets.sources()
    asked = config(symbols=["K"], data_source="krx", timeframe="30m", start_date="2024-03-04", end_date="2024-03-04")
    [coverage] = await datasets.check(asked)
    assert (coverage.bars_in_run, coverage.calendar) == (14, "XKRX")
    one_day = dt.date(2024, 3, 4)
    bars = await datasets.bars("K", "krx", "30m", one_day, one_day)
    assert (bars.total_bars, bars.calendar) == (14, "XKRX")
    assert [bar["date"] for bar in bars.bars][::13] == ["2024-03-03T23:30:00Z", "2024-03-04T06:00:00Z"]
    assert (await datasets.load(asked)).calendar == "XKRX"
    late = config(symbols=["K"], data_source="krx", timeframe="30m", start_date="2024-04-01")
    with pytest.raises(InvalidInput, match="go from 2024-03-04 to 2024-03-06"):
        await datasets.check(late)


async def test_times_without_a_zone_are_utc_or_the_exchanges(datasets: DatasetService, tmp_path: Path) -> None:
    local = "symbol,timestamp,close\nK,2024-03-04 09:00,1\nK,2024-03-04 15:00,2\n"
    there = await datasets.import_file(prices(tmp_path, local), "there", "1h", "XKRX", local_times=True)
    assert there.times == ("09:00", "15:00")
    utc = await datasets.import_file(prices(tmp_path, local), "utc", "1h", "XKRX")
    assert utc.times == ("00:00", "18:00")  # the second lies on the next day: what the report is there to show
    assert [info.last for info in await datasets.symbols("utc", "1h")] == [dt.date(2024, 3, 5)]


async def test_a_dataset_has_one_calendar(datasets: DatasetService, lake: Lake, tmp_path: Path) -> None:
    daily = prices(tmp_path, CLOSES)
    assert (await datasets.import_file(daily, "mine", "1d", "XLON")).calendar == "XLON"
    assert (await datasets.import_file(daily, "mine", "1d")).calendar == "XLON"
    assert (await datasets.import_file(daily, "mine", "1d", "XLON")).calendar == "XLON"
    hourly = prices(tmp_path, "symbol,timestamp,close\nC,2020-01-02T09:00Z,1\n", "hourly.csv")
    assert (await datasets.import_file(hourly, "mine", "1h")).calendar == "XLON"
    for path, timeframe in ((daily, "1d"), (hourly, "1h"), (daily, "1w")):
        with pytest.raises(InvalidInput) as raised:
            await datasets.import_file(path, "mine", timeframe, "XNYS")
        assert [(error.pointer, error.code) for error in raised.value.errors] == [("/calendar", "other_calendar")]
    with pytest.raises(InvalidInput, match="no calendar 'NYSE'; there are XNYS"):
        await datasets.import_file(daily, "other", "1d", "NYSE")
    assert (await datasets.import_file(daily, "other")).calendar == "XNYS"


def test_what_is_assumed_without_a_calendar_is_the_engines_default() -> None:
    from backproof.domain.clock import NEW_YORK
    from backproof.engine.calendar import DEFAULT_CALENDAR, find_calendar

    assert (NEW_YORK.calendar, NEW_YORK.zone) == (DEFAULT_CALENDAR, find_calendar(DEFAULT_CALENDAR).zone)


async def test_a_new_version_is_other_data(datasets: DatasetService, tmp_path: Path) -> None:
    wanted = config(symbols=["A"], data_source="mine", execution={"fill": "next_close"})

    async def imported(close: str) -> str:
        await datasets.import_file(prices(tmp_path, f"symbol,date,close\nA,2020-01-02,{close}\n"), "mine")
        return (await datasets.check(wanted))[0].sha256

    assert await imported("1") == await imported("1.0") != await imported("1.5")


async def test_nothing_is_imported_on_any_error(datasets: DatasetService, lake: Lake, tmp_path: Path) -> None:
    path = prices(tmp_path, "symbol,date,close\nA,2020-01-02,1\nB,2020-01-02,-1\n")
    with pytest.raises(InvalidInput, match="line 3, column close"):
        await datasets.import_file(path, "mine")
    assert [source.name for source in await datasets.sources()] == ["demo"]
    assert not (tmp_path / "lake").exists()


@pytest.mark.parametrize("name", ["demo", "alpha_vantage", "", "Mine", "../x", "a b", "1st", "a" * 51, "mine\n", "a\0"])
async def test_a_dataset_needs_a_name_of_its_own(datasets: DatasetService, tmp_path: Path, name: str) -> None:
    path = prices(tmp_path, "symbol,date,close\nA,2020-01-02,1\n")
    with pytest.raises(InvalidInput) as raised:
        await datasets.import_file(path, name, "2d")
    assert [error.pointer for error in raised.value.errors] == ["/dataset", "/timeframe"]


async def test_another_process_sees_an_import_at_once(datasets: DatasetService, lake: Lake, tmp_path: Path) -> None:
    """As `backproof import` beside a running server."""
    assert "mine" not in [source.name for source in await datasets.sources()]
    program = (
        "import asyncio, sys; from pathlib import Path\n"
        "from backproof.services.datasets import DatasetService; from backproof.storage.lake import Lake\n"
        "service = DatasetService(Lake(Path(sys.argv[1]), None), 'demo')\n"
        "asyncio.run(service.import_file(Path(sys.argv[2]), 'mine'))"
    )
    text = "symbol,date,close\n" + "".join(f"S{n},2020-01-02,{n + 1}\n" for n in range(20))
    imports = []
    for n in range(2):
        path = prices(tmp_path, text.replace("S", "ST"[n]), f"{n}.csv")
        imports.append(
            await asyncio.create_subprocess_exec(sys.executable, "-c", program, str(tmp_path / "lake"), str(path))
        )
    assert [await process.wait() for process in imports] == [0, 0]
    assert len(await datasets.symbols("mine")) == 40


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    program = (
        "import sys; import backproof.services.datasets, backproof.storage.sqlite, backproof.marketdata.demo\n"
        "print(sorted({'numpy', 'pyarrow', 'duckdb', 'pandas', 'numba'} & set(sys.modules)))\n"
        "import backproof.bootstrap\n"
        "print(sorted({'pymongo', 'beanie', 'bson', 'dns'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]", "[]"]


@pytest.mark.parametrize(
    ("dates", "options", "said"),
    [
        (["2020-01-03", "2020-01-06"], {}, None),
        (["2020-01-03", "2020-01-04", "2020-01-05"], {}, "2 bars are on a Saturday or Sunday (America/New_York)"),
        (["2020-01-04", "2020-01-06"], {}, "1 bar is on a Saturday or Sunday (America/New_York)"),
        (["2020-01-04", "2020-01-05"], {"calendar": "24/7"}, None),
        (["2020-01-05", "2020-01-12"], {"timeframe": "1w"}, None),
        # Friday evening of UTC is Saturday in Seoul: the times were Seoul's, and were taken for UTC
        (["2020-01-03 15:05", "2020-01-03 15:30"], {"timeframe": "5m", "calendar": "XKRX"}, "2 bars are on a Saturday"),
        (["2020-01-03 15:05"], {"timeframe": "5m", "calendar": "XKRX", "local_times": True}, None),
    ],
    ids=str,
)
async def test_bars_on_days_when_no_exchange_is_open_are_told(
    datasets: DatasetService, tmp_path: Path, dates: list[str], options: dict[str, Any], said: str | None
) -> None:
    file = prices(tmp_path, "symbol,date,close\n" + "".join(f"A,{date},10\n" for date in dates))
    report = await datasets.import_file(file, "weekends", **options)
    found = [warning for warning in report.warnings if "Saturday" in warning]
    assert len(found) == (said is not None)
    assert said is None or found[0].startswith(said)
