"""What the charts of a result show, and its tables as files."""

import csv
import io
import json
from typing import Any

import httpx
import numpy as np
import pyarrow.parquet as pq
import pytest
from api_support import Json

API = "/api/v1/backtests"
TABLES = ("equity", "fills", "trades", "account-events")


async def got(client: httpx.AsyncClient, path: str, **query: Any) -> Json:
    answer = await client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    body: Json = answer.json()
    return body


async def test_months_and_years_compound_to_the_total_return(client: httpx.AsyncClient, finish: Any) -> None:
    run_id = await finish()
    found = await got(client, f"{API}/{run_id}/charts")
    total = (await got(client, f"{API}/{run_id}"))["metrics"]["total_return"]
    for rows in (found["months"], found["years"]):
        assert np.prod([1.0 + row["return"] for row in rows]) - 1.0 == pytest.approx(total)
    assert [row["year"] for row in found["years"]] == [2003, 2004, 2005, 2006]
    assert len(found["months"]) == 48
    assert (found["period"], found["periods_per_year"], found["partial"]) == ("day", 252.0, False)


async def test_turnover_of_the_months_is_that_of_the_fills(client: httpx.AsyncClient, finish: Any) -> None:
    run_id = await finish()
    months = (await got(client, f"{API}/{run_id}/charts"))["months"]
    fills = (await got(client, f"{API}/{run_id}/fills", limit=1000))["items"]
    with_fills = {fill["date"][:7] for fill in fills}
    assert any(fill["date"].endswith("-01") for fill in fills)  # no clock moves a day into the month before
    assert {f"{row['year']}-{row['month']:02}" for row in months if row["turnover"]} == with_fills


async def test_the_benchmark_is_measured_as_a_run_is(client: httpx.AsyncClient, finish: Any) -> None:
    """A run that holds its benchmark from the first close has the benchmark's figures."""
    run_id = await finish(
        strategy_type="buy_and_hold",
        parameters={},
        benchmark="AAPL",
        costs={},
        execution={"fill": "same_close"},
        risk_free_rate=0.01,
    )
    charts = await got(client, f"{API}/{run_id}/charts")
    metrics = (await got(client, f"{API}/{run_id}"))["metrics"]
    for name, value in charts["benchmark"].items():
        assert value == pytest.approx(metrics[name], rel=1e-9), name
    rolling = charts["rolling"]
    assert rolling["window"] == 126
    assert rolling["beta"][-1] == pytest.approx(1.0)
    assert len(rolling["dates"]) == len(rolling["sharpe"]) == len(rolling["volatility"]) <= 600
    assert rolling["dates"][-1] == "2006-12-29"
    assert charts["exposure"]["values"][-1] == pytest.approx(1.0)


async def test_a_run_without_benchmark_trade_or_length_has_charts_too(client: httpx.AsyncClient, finish: Any) -> None:
    never = {"strategy_type": "rules", "parameters": {"entry": "close > 1000000", "exit": "close < 0"}}
    run_id = await finish(benchmark=None, start_date="2006-12-28", **never)
    found = await got(client, f"{API}/{run_id}/charts")
    assert (found["rolling"], found["distribution"], found["benchmark"]) == (None, None, None)
    assert found["months"] == [{"year": 2006, "return": 0.0, "month": 12, "turnover": 0.0}]
    assert found["exposure"] == {"dates": ["2006-12-28", "2006-12-29"], "values": [0.0, 0.0]}
    for table in TABLES[1:]:
        assert (await client.get(f"{API}/{run_id}/export", params={"table": table, "format": "json"})).json() == []


async def test_few_points_are_of_all_bars(client: httpx.AsyncClient, finish: Any) -> None:
    run_id = await finish()
    whole = await got(client, f"{API}/{run_id}/charts", max_points=10_000)
    few = await got(client, f"{API}/{run_id}/charts", max_points=5)
    assert few["distribution"] == whole["distribution"]
    assert len(few["rolling"]["dates"]) == len(few["exposure"]["dates"]) == 5
    by_date = dict(zip(whole["rolling"]["dates"], whole["rolling"]["sharpe"], strict=True))
    assert [by_date[date] for date in few["rolling"]["dates"]] == few["rolling"]["sharpe"]


async def test_every_table_leaves_whole_in_every_format(client: httpx.AsyncClient, finish: Any) -> None:
    run_id = await finish(
        symbols=["AAPL", "MSFT"],
        strategy_type="macd",
        parameters={},
        execution={"direction": "long_short", "price_mode": "raw"},
    )
    for table in TABLES:
        files = {}
        for form in ("csv", "json", "parquet"):
            answer = await client.get(f"{API}/{run_id}/export", params={"table": table, "format": form})
            assert answer.status_code == 200
            assert answer.headers["content-disposition"] == f'attachment; filename="{run_id}-{table}.{form}"'
            files[form] = answer
        assert files["csv"].headers["content-type"] == "text/csv; charset=utf-8"
        rows = files["json"].json()
        lines = list(csv.DictReader(io.StringIO(files["csv"].text)))
        stored = pq.read_table(io.BytesIO(files["parquet"].content))
        assert len(rows) == len(lines) == stored.num_rows > 0
        assert list(rows[0]) == list(lines[0]) == stored.column_names
        for row, line in zip(rows, lines, strict=True):
            for name, value in row.items():
                if isinstance(value, float):
                    assert float(line[name]) == value
                else:
                    assert line[name] == ("" if value is None else str(value))
        if table != "equity":
            listed = (await got(client, f"{API}/{run_id}/{table}", limit=1000))["items"]
            assert [{name: row[name] for name in rows[0]} for row in listed] == rows[:1000]


async def test_a_file_of_many_rows_comes_in_pieces(
    client: httpx.AsyncClient, finish: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = await finish()
    answers = {}
    for rows in (20_000, 7):
        monkeypatch.setattr("backproof.services.backtests.exports._ROWS", rows)
        for form in ("csv", "json"):
            answers[rows, form] = (await client.get(f"{API}/{run_id}/export", params={"format": form})).text
    assert answers[7, "csv"] == answers[20_000, "csv"]
    assert json.loads(answers[7, "json"]) == json.loads(answers[20_000, "json"])


async def test_nothing_is_exported_without_a_result(client: httpx.AsyncClient) -> None:
    waiting = (await client.post(API, json={"name": "w", "strategy_type": "buy_and_hold", "symbols": ["IBM"]})).json()
    for path in ("export", "charts"):
        refused = await client.get(f"{API}/{waiting['backtest_id']}/{path}")
        assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    wrong = await client.get(f"{API}/{waiting['backtest_id']}/export", params={"format": "xlsx"})
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/format")
