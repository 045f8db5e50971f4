"""What a run computed, over HTTP: full metrics, account events, intraday bars, and what a wrong question gets."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from api_support import Json, places_of
from fastapi import FastAPI

from backproof.bootstrap import ServiceFactory
from backproof.engine.analysis import METRIC_NOTES

API = "/api/v1/backtests"
SHORT: Json = {
    "symbols": ["AAPL", "MSFT"],
    "execution": {"direction": "long_short"},
    "costs": {"commission_rate": 0.001, "slippage_bps": 5, "borrow_rate": 0.02},
    "risk": {"stop_loss": 0.08},
}
RAW: Json = {
    "strategy_type": "buy_and_hold",
    "parameters": {},
    "symbols": ["AAPL", "IBM"],
    "execution": {"price_mode": "raw", "dividends": "reinvest"},
}
HALF_HOURS = "symbol,timestamp,open,high,low,close,volume\n" + "".join(
    f"K,2024-03-{day:02}T{minute // 60:02}:{minute % 60:02}:00Z,{day},{day + 1},{day},{day + minute / 400},1\n"
    for day in range(4, 9)
    for minute in range(0, 390, 30)  # 09:00 to 15:00 in Seoul
)


async def got(client: httpx.AsyncClient, path: str, **query: Any) -> Json:
    answer = await client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    body: Json = answer.json()
    return body


async def test_full_metrics_come_when_asked_for(client: httpx.AsyncClient, finish: Any) -> None:
    run_id = await finish(**SHORT)
    short = await got(client, f"{API}/{run_id}/metrics")
    assert (short["full_metrics"], short["full_null_reasons"], short["drawdowns"]) == (None, None, None)
    full = await got(client, f"{API}/{run_id}/metrics", full="true")
    assert {name: full[name] for name in ("metrics", "costs", "notices")} == {
        name: short[name] for name in ("metrics", "costs", "notices")
    }
    assert full["full_metrics"]["short_trades"] > 0
    assert {name for name, value in full["full_metrics"].items() if value is None} == full["full_null_reasons"].keys()
    deepest = full["drawdowns"][0]
    assert deepest["depth"] == pytest.approx(full["metrics"]["max_drawdown"])
    assert len(deepest["peak_date"]) == len("2003-01-02")
    assert [fall["depth"] for fall in full["drawdowns"]] == sorted(fall["depth"] for fall in full["drawdowns"])
    assert full["costs"]["commission"] == pytest.approx(full["metrics"]["costs_paid"])
    assert full["costs"]["borrow"] > 0
    assert full["costs"]["slippage"] > 0


async def test_a_row_of_the_list_has_a_small_curve(client: httpx.AsyncClient, finish: Any) -> None:
    run_id = await finish()
    row = (await got(client, API))["items"][0]
    curve = (await got(client, f"{API}/{run_id}/equity"))["equity"]
    assert 2 < len(row["sparkline"]) <= 48
    capital = row["initial_capital"]
    assert row["sparkline"][0] == pytest.approx(curve[0] / capital, abs=1e-4)
    assert row["sparkline"][-1] == pytest.approx(curve[-1] / capital, abs=1e-4)
    assert row["sparkline"][-1] - 1 == pytest.approx(row["metrics"]["total_return"], abs=1e-4)
    same = await finish(name="the same again")
    assert (await got(client, f"{API}/{same}"))["sparkline"] == row["sparkline"]


async def test_a_run_says_how_trades_ended_and_what_trading_cost(client: httpx.AsyncClient, finish: Any) -> None:
    run_id = await finish(**SHORT)
    run = await got(client, f"{API}/{run_id}")
    trades = (await got(client, f"{API}/{run_id}/trades", limit=1000))["items"]
    counted = {reason: sum(t["reason"] == reason for t in trades) for reason in {t["reason"] for t in trades}}
    assert run["exit_reasons"] == counted
    assert run["exit_reasons"]["stop_loss"] > 0
    assert all(-1 < trade["mae"] <= 0 <= trade["mfe"] for trade in trades)
    assert all(trade["income"] <= 0 for trade in trades if trade["side"] == "short")
    borrow = await got(client, f"{API}/{run_id}/account-events", limit=1000)
    assert borrow["total"] == run["account_events"]["borrow"] == run["result"]["events"] == len(borrow["items"])
    assert {(event["kind"], event["value"]) for event in borrow["items"]} == {("borrow", None)}
    fills = (await got(client, f"{API}/{run_id}/fills", limit=1000))["items"]
    assert {fill["order"] for fill in fills if fill["reason"] == "stop_loss"} == {"stop"}
    assert {fill["at"] for fill in fills} <= {"open", "inside"}
    waiting = (await client.post(API, json={"name": "w", "strategy_type": "buy_and_hold", "symbols": ["IBM"]})).json()
    run = await got(client, f"{API}/{waiting['backtest_id']}")
    assert (run["costs"], run["exit_reasons"], run["account_events"]) == (None, None, None)


async def test_raw_prices_list_splits_and_dividends_in_pages(client: httpx.AsyncClient, finish: Any) -> None:
    run_id = await finish(**RAW)
    whole = await got(client, f"{API}/{run_id}/account-events", limit=1000)
    assert whole["total"] == len(whole["items"]) > 10
    [split] = [event for event in whole["items"] if event["kind"] == "split"]
    assert (split["date"], split["symbol"], split["value"]) == ("2005-02-28", "AAPL", 2.0)
    rows: list[Json] = []
    page: Json = {"next_cursor": None}
    while not rows or page["next_cursor"]:
        query = {"cursor": page["next_cursor"]} if page["next_cursor"] else {}
        page = await got(client, f"{API}/{run_id}/account-events", limit=7, **query)
        rows += page["items"]
    assert rows == whole["items"]
    other = (await got(client, f"{API}/{run_id}/fills", limit=1))["next_cursor"]
    refused = await client.get(f"{API}/{run_id}/account-events", params={"cursor": other})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/cursor")
    # what happened to the run itself has its old place
    events = await got(client, f"{API}/{run_id}/events", type="status_change")
    assert events["items"][-1]["data"]["status"] == "completed"


async def test_every_metric_is_explained(client: httpx.AsyncClient, finish: Any) -> None:
    page = await got(client, "/api/v1/metrics/definitions")
    known = {metric["name"]: metric for metric in page["items"]}
    assert page["total"] == len(known) == len(METRIC_NOTES)
    assert {name: metric["description"] for name, metric in known.items()} == METRIC_NOTES
    full = await got(client, f"{API}/{await finish()}/metrics", full="true")
    assert {*full["metrics"], *full["benchmark_metrics"]} == {n for n, metric in known.items() if metric["headline"]}
    assert full["full_metrics"].keys() == {n for n, metric in known.items() if not metric["headline"]}


@pytest.mark.parametrize("query", ["full=maybe", "fully=true", "full=true&full=false&x=1"])
async def test_a_wrong_question_about_metrics_is_refused(client: httpx.AsyncClient, finish: Any, query: str) -> None:
    answer = await client.get(f"{API}/{await finish()}/metrics?{query}")
    assert answer.status_code == 422, answer.text


async def test_a_run_within_the_day_from_its_prices_to_its_curve(
    client: httpx.AsyncClient, services: ServiceFactory, finish: Any, tmp_path: Path
) -> None:
    path = tmp_path / "k.csv"
    path.write_text(HALF_HOURS)
    await services.datasets.import_file(path, "krx", "30m", "XKRX")
    sources = (await got(client, "/api/v1/market-data/sources"))["items"]
    assert {"name": "krx", "calendar": "XKRX", "timeframes": {"30m": 1}, "default": False} in sources
    [symbol] = (await got(client, "/api/v1/market-data/symbols", source="krx", timeframe="30m"))["items"]
    assert (symbol["calendar"], symbol["first"], symbol["last"]) == ("XKRX", "2024-03-04", "2024-03-08")
    query = {"source": "krx", "timeframe": "30m", "start": "2024-03-05", "end": "2024-03-05"}
    bars = await got(client, "/api/v1/market-data/K/bars", **query)
    assert (bars["total_bars"], bars["calendar"]) == (13, "XKRX")
    assert bars["bars"][0]["date"] == "2024-03-05T00:00:00Z"
    config = {
        "symbols": ["K"],
        "data_source": "krx",
        "timeframe": "30m",
        "benchmark": None,
        "parameters": {"fast": 2, "slow": 4},
        "start_date": "2024-03-05",
        "end_date": "2024-03-07",
    }
    run_id = await finish(**config)
    checked = (
        await client.post(f"{API}/validate", json={"name": "v", "strategy_type": "sma_crossover", **config})
    ).json()
    [coverage] = checked["coverage"]
    assert (coverage["calendar"], coverage["bars_in_run"]) == ("XKRX", 3 * 13)
    curve = await got(client, f"{API}/{run_id}/equity")
    assert (curve["total_bars"], curve["dates"][0]) == (3 * 13, "2024-03-05T00:00:00Z")
    assert curve["dates"][-1] == "2024-03-07T06:00:00Z"
    assert (await got(client, f"{API}/{run_id}/manifest"))["calendar"] == "XKRX"
    fills = (await got(client, f"{API}/{run_id}/fills"))["items"]
    assert all(fill["date"].endswith(":00Z") for fill in fills)
    full = await got(client, f"{API}/{run_id}/metrics", full="true")
    assert full["full_metrics"]["best_period"] is not None  # of days


PROCESS = """
import asyncio, sys
import httpx
from pathlib import Path
from backproof.settings import Settings
from backproof.web.app import create_app

async def main():
    app = create_app(Settings(data_dir=Path(sys.argv[1]), redis_url="unix:///nonexistent"))
    raw = {"name": "x", "strategy_type": "buy_and_hold", "symbols": ["IBM"], "execution": {"price_mode": "raw"}}
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost/api/v1") as client:
            for path in sys.argv[2].split():
                assert (await client.get(path)).status_code == 200, path
            assert (await client.post("/backtests/validate", json=raw)).json()["valid"]
    print(sorted({"numba", "llvmlite", "talib"} & set(sys.modules)))

asyncio.run(main())
"""


async def test_the_web_process_answers_everything_without_the_kernels(
    client: httpx.AsyncClient, services: ServiceFactory, finish: Any
) -> None:
    """numba and TA-Lib take a second and 100 MB, and belong to the workers."""
    run_id = await finish(**SHORT)
    parts = ["", "/equity", "/trades", "/fills", "/account-events", "/metrics?full=true", "/manifest", "/events"]
    parts += ["/charts", "/export?format=csv", "/export?format=json", "/export?format=parquet"]
    paths = [f"/backtests/{run_id}{part}" for part in parts]
    paths += ["/metrics/definitions", "/strategies", "/market-data/symbols", "/market-data/IBM/bars"]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROCESS, str(services.settings.data_dir), " ".join(paths)),
        env={**os.environ, **places_of(services.settings.data_dir)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, problem = await process.communicate()
    assert (process.returncode, said.decode().splitlines()[-1:]) == (0, ["[]"]), problem.decode()


async def test_new_fields_are_documented_with_examples(app: FastAPI) -> None:
    schemas = app.openapi()["components"]["schemas"]
    for schema, names in {
        "AccountEventOut": ("bar", "date", "symbol", "kind", "value", "shares", "cash"),
        "FillOut": ("reason", "order", "at"),
        "TradeOut": ("income", "mae", "mfe", "reason"),
        "MetricsOut": ("costs", "full_metrics", "full_null_reasons"),
        "DrawdownOut": ("peak_date", "trough_date", "recovery_date", "depth", "bars", "days", "recovery_days"),
        "MetricDefinitionOut": ("name", "group", "unit", "headline", "description"),
        "BacktestOut": ("costs", "exit_reasons", "account_events"),
        "ManifestOut": ("calendar",),
        "CoverageOut": ("calendar",),
        "SymbolOut": ("calendar",),
        "SourceOut": ("calendar",),
        "BarsOut": ("calendar",),
    }.items():
        for name in names:
            assert schemas[schema]["properties"][name].get("examples"), (schema, name)
    json.dumps(schemas, allow_nan=False)
