"""Stored results: what is read from the file is what the engine computed, also intraday, with raw prices, short."""

import asyncio
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lifecycle_support import OWNER, never

import backproof
from backproof.bootstrap import ServiceFactory
from backproof.domain.backtest import Backtest
from backproof.domain.config import parse_config
from backproof.domain.lifecycle import Status
from backproof.engine.analysis import METRIC_NOTES
from backproof.services.backtests.definitions import definitions

RAW: dict[str, object] = {
    "name": "raw IBM",
    "strategy_type": "buy_and_hold",
    "symbols": ["IBM", "AAPL"],
    "start_date": "2004-06-01",
    "end_date": "2008-12-31",
    "data_source": "demo",
    "benchmark": "SPX",
    "execution": {"price_mode": "raw", "dividends": "reinvest"},
    "costs": {"commission_rate": 0.001},
}
SHORT: dict[str, object] = {
    "name": "long and short",
    "strategy_type": "sma_crossover",
    "symbols": ["AAPL", "MSFT"],
    "start_date": "2003-01-02",
    "end_date": "2006-12-29",
    "data_source": "demo",
    "risk_free_rate": 0.03,
    "execution": {"direction": "long_short", "maintenance_margin": 0.25},
    "costs": {"commission_rate": 0.001, "slippage_bps": 5, "borrow_rate": 0.02},
    "risk": {"stop_loss": 0.08, "take_profit": 0.25},
}
RUINED: dict[str, object] = {
    "name": "ruined",
    "strategy_type": "sma_crossover",
    "symbols": ["AAPL"],
    "start_date": "2000-07-03",
    "end_date": "2000-12-29",
    "data_source": "demo",
    "execution": {"max_leverage": 4.0, "sizing": {"type": "percent_equity", "value": 4.0}},
}
INTRADAY: dict[str, object] = {
    "name": "half hours in Seoul",
    "strategy_type": "ema_crossover",
    "parameters": {"fast": 3, "slow": 8},
    "symbols": ["K1", "K2"],
    "timeframe": "30m",
    "start_date": "2024-03-05",
    "end_date": "2024-03-22",
    "data_source": "krx",
    "benchmark": "K2",
    "risk_free_rate": 0.02,
    "costs": {"commission_rate": 0.0005},
    "risk": {"trailing_stop": 0.02},
}


def korean_prices(path: Path) -> Path:
    """Half hours from 08:30 to 15:00 in Seoul, on weekdays of March 2024; a day's first lies before it in UTC."""
    chance = np.random.default_rng(7)
    days = [day for day in np.arange("2024-03-01", "2024-04-01", dtype="M8[D]") if np.is_busday(day)]
    lines = ["symbol,timestamp,open,high,low,close,volume"]
    for symbol in ("K1", "K2"):
        close = 100.0
        for day in days:
            for step in range(14):
                moment = np.datetime64(day, "m") - np.timedelta64(30, "m") + np.timedelta64(30 * step, "m")
                open_, close = close, close * math.exp(chance.normal(0.0, 0.01))
                high, low = max(open_, close) * 1.002, min(open_, close) * 0.998
                lines.append(f"{symbol},{moment}:00Z,{open_:.6f},{high:.6f},{low:.6f},{close:.6f},100")
    path.write_text("\n".join(lines) + "\n")
    return path


async def finished(services: ServiceFactory, config: dict[str, object]) -> Backtest:
    run = await services.orchestrator.submit(config, OWNER)
    await services.runner(never).run_waiting()
    done = await services.orchestrator.get(run.id, OWNER)
    assert done.status == Status.COMPLETED, done.error
    return done


async def computed(services: ServiceFactory, config: dict[str, object]) -> Any:
    loaded = await services.datasets.load(parse_config(config))
    return backproof.simulate(config, backproof.Bars.from_frame(loaded.table, calendar=loaded.calendar))


@pytest.mark.parametrize("config", [RAW, SHORT, RUINED, INTRADAY], ids=lambda config: str(config["name"]))
async def test_the_file_gives_what_the_engine_computed(
    services: ServiceFactory, tmp_path: Path, config: dict[str, object]
) -> None:
    await services.datasets.import_file(korean_prices(tmp_path / "k.csv"), "krx", "30m", "XKRX")
    done, result = await finished(services, config), await computed(services, config)
    assert result.insolvent == (config is RUINED)
    full = await services.results.full_metrics(done)
    assert full.metrics == result.full_metrics
    assert full.null_reasons == result.full_null_reasons
    assert [row["depth"] for row in full.drawdowns] == result.drawdowns["depth"].tolist()
    assert [row["recovery_date"] is None for row in full.drawdowns] == np.isnat(
        result.drawdowns["recovery_date"]
    ).tolist()
    assert all((row["recovery_date"] is None) == (row["recovery_days"] is None) for row in full.drawdowns)
    assert done.metrics == result.metrics
    assert done.trading is not None
    assert done.result is not None
    assert done.trading.costs == result.costs
    assert sum(done.trading.exit_reasons.values()) == done.result.trades == len(result.trades)
    assert sum(done.trading.account_events.values()) == done.result.events == len(result.events)
    events = await services.results.account_events(done, 10_000)
    assert (events.total, events.next_cursor) == (len(result.events), None)
    assert [event["cash"] for event in events.items] == result.events["cash"].tolist()
    fills = (await services.results.fills(done, 10_000)).items
    assert [(fill["order"], fill["at"]) for fill in fills] == [
        *zip(result.fills["order"], result.fills["at"], strict=True)
    ]
    trades = (await services.results.trades(done, 10_000)).items
    assert [trade["income"] for trade in trades] == result.trades["income"].tolist()
    known = {metric.name for metric in definitions()}
    assert {*result.metrics, *result.full_metrics, *(result.benchmark_metrics or {})} <= known


async def test_raw_prices_show_their_events(services: ServiceFactory) -> None:
    done = await finished(services, RAW)
    assert done.trading is not None
    assert set(done.trading.account_events) == {"split", "dividend"}
    events = (await services.results.account_events(done, 1000)).items
    [split] = [event for event in events if event["kind"] == "split"]
    assert (split["symbol"], split["date"], split["value"], split["cash"]) == ("AAPL", "2005-02-28", 2.0, 0.0)
    assert split["shares"] > 0
    fills = (await services.results.fills(done, 1000)).items
    assert {fill["reason"] for fill in fills} == {"rebalance", "dividend"}
    assert [e["symbol"] for e in events if e["kind"] == "dividend"] == ["IBM"] * done.trading.account_events["dividend"]


async def test_intraday_dates_are_utc_seconds_and_days_those_of_the_market(
    services: ServiceFactory, tmp_path: Path
) -> None:
    await services.datasets.import_file(korean_prices(tmp_path / "k.csv"), "krx", "30m", "XKRX")
    done = await finished(services, INTRADAY)
    curve = await services.results.equity(done)
    assert (curve.dates[0], curve.dates[-1]) == ("2024-03-04T23:30:00Z", "2024-03-22T06:00:00Z")
    assert curve.total_bars == 14 * 14  # weekdays of the run, bars of a day
    assert done.manifest is not None
    assert (done.manifest["calendar"], done.manifest["periods_per_year"]) == ("XKRX", 252.0)
    assert done.work_units == 2 * curve.total_bars
    few = await services.results.equity(done, 10)
    assert all(len(date) == len("2024-03-04T23:30:00Z") for date in few.dates)
    [first, *_] = (await services.results.fills(done, 1)).items
    assert len(first["date"]) == len("2024-03-04T23:30:00Z")
    full = await services.results.full_metrics(done)
    assert all(row["peak_date"].endswith("Z") for row in full.drawdowns)
    by_bar = await finished(services, {**INTRADAY, "periods_per_year": 252.0 * 14})
    assert (await services.results.full_metrics(by_bar)).metrics["worst_period"] != full.metrics["worst_period"]


async def test_a_market_that_never_closes_has_its_own_year(services: ServiceFactory, tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text(
        "symbol,date,open,high,low,close,volume\n"
        + "".join(f"C,2024-01-{day:02},{day},{day},{day},{day},1\n" for day in range(1, 32))
    )
    await services.datasets.import_file(path, "coins", "1d", "24/7")
    config = {"name": "c", "strategy_type": "buy_and_hold", "symbols": ["C"], "data_source": "coins"}
    done = await finished(services, config)
    assert done.manifest is not None
    assert (done.manifest["calendar"], done.manifest["periods_per_year"]) == ("24/7", 365.0)


async def test_a_result_of_an_older_version_is_still_read(services: ServiceFactory) -> None:
    """Without account events, without what fills and trades have learned since, with a manifest of its time."""
    done = await finished(services, SHORT)
    result = await computed(services, SHORT)
    tables = result.to_tables()
    del tables["events"]
    for name in ("order", "at"):
        del tables["fills"][name]
    for name in ("income", "mae", "mfe"):
        del tables["trades"][name]
    file = services.lake.write_result("bt-old", 1, tables)
    assert done.manifest is not None
    manifest = {name: value for name, value in done.manifest.items() if name != "calendar"}
    old = Backtest.model_validate(
        {
            **done.model_dump(exclude={"trading", "result", "manifest"}),
            "result": file.model_dump(exclude={"events"}),
            "manifest": manifest,
        }
    )
    assert old.trading is None
    assert old.result is not None
    assert old.result.events == 0
    assert (await services.results.account_events(old, 10)).total == 0
    assert (await services.results.fills(old, 10)).total == len(result.fills)
    full = await services.results.full_metrics(old)
    assert full.metrics["mae_mean"] is None
    assert "excursion" in full.null_reasons["mae_mean"]
    for name in ("mae_mean", "mae_worst", "mfe_mean"):
        assert full.metrics.pop(name) is None
    assert full.metrics.items() <= result.full_metrics.items()


def test_every_metric_is_defined_once() -> None:
    names = [metric.name for metric in definitions()]
    assert len(names) == len(set(names))
    assert set(names) == set(METRIC_NOTES)


async def test_full_metrics_load_neither_numba_nor_ta_lib(services: ServiceFactory) -> None:
    """The web process computes them; it has no kernels."""
    done = await finished(services, SHORT)
    program = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from backproof.domain.backtest import Backtest\n"
        "from backproof.services.backtests.definitions import definitions\n"
        "from backproof.services.backtests.results import ResultService\n"
        "from backproof.storage.lake import Lake\n"
        "run = Backtest.model_validate_json(sys.stdin.read())\n"
        "full = asyncio.run(ResultService(Lake(Path(sys.argv[1]), None)).full_metrics(run))\n"
        "assert full.metrics['payoff'] and definitions()\n"
        "print(sorted({'numba', 'llvmlite', 'talib'} & set(sys.modules)))\n"
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program, str(services.settings.lake_path)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate(done.model_dump_json().encode())
    assert (process.returncode, said.decode().strip()) == (0, "[]")
