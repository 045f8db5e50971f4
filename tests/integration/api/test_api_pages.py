"""What is not about backtests: strategies, data, health, metrics, pages, the OpenAPI document."""

import json
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable

import httpx
import numpy as np
import pytest
from api_support import Json
from fastapi import FastAPI
from openapi_spec_validator import validate

from backproof.engine.fingerprint import ENGINE_SEMANTICS
from backproof.errors import InvalidSettings
from backproof.settings import Settings
from backproof.web.app import create_app


async def test_strategies_come_with_schema_and_defaults(client: httpx.AsyncClient) -> None:
    listed = (await client.get("/api/v1/strategies")).json()
    by_name = {item["name"]: item for item in listed["items"]}
    assert {"sma_crossover", "rsi_mean_reversion", "donchian_breakout", "buy_and_hold"} <= by_name.keys()
    one = (await client.get("/api/v1/strategies/sma_crossover")).json()
    assert one == by_name["sma_crossover"]
    assert one["parameters"]["properties"]["fast"]["type"] == "integer"
    assert one["parameters"]["properties"]["fast"]["sensible"] == [5, 50]
    assert one["defaults"]["fast"] == 20
    assert all(item["rule"] for item in listed["items"])
    assert "Wilder" in by_name["rsi_mean_reversion"]["source"]


async def test_the_demo_prices_are_there(client: httpx.AsyncClient) -> None:
    symbols = (await client.get("/api/v1/market-data/symbols", params={"source": "demo"})).json()
    assert {"AAPL", "SPX"} <= {item["symbol"] for item in symbols["items"]}
    assert "demo" in [item["name"] for item in (await client.get("/api/v1/market-data/sources")).json()["items"]]
    query = {"source": "demo", "start": "2003-01-02", "end": "2003-01-31"}
    bars = (await client.get("/api/v1/market-data/AAPL/bars", params=query)).json()
    assert bars["bars"][0]["date"] == "2003-01-02"
    assert len(bars["bars"]) == bars["total_bars"] == 21
    few = (await client.get("/api/v1/market-data/AAPL/bars", params={"source": "demo", "max_points": 10})).json()
    assert len(few["bars"]) <= 10 < few["total_bars"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("NOPE/bars?source=demo", 404),
        ("AAPL/bars?source=nowhere", 404),
        ("AAPL/bars?source=../x", 422),
        ("..%2f..%2fx/bars?source=demo", 404),
        ("%00/bars?source=demo", (404, 422)),
        ("AAPL/bars?source=demo&timeframe=3d", 422),
        ("AAPL/bars?source=demo&start=x", 422),
        ("AAPL/bars?source=demo&start=0", 422),
        ("AAPL/bars?source=demo&start=2010-01-02&end=2010-01-01", (200, 422)),
        ("AAPL/bars?source=demo&max_points=1", 422),
        ("AAPL/bars?source=demo&maxpoints=1", 422),
        ("symbols?source=nowhere", 404),
        ("symbols?sauce=demo", 422),
        ("symbols?timeframe=1h", (200, 404)),
    ],
)
async def test_wrong_questions_about_prices_are_answered_with_a_problem(
    client: httpx.AsyncClient, path: str, status: int | tuple[int, ...]
) -> None:
    answer = await client.get(f"/api/v1/market-data/{path}")
    assert answer.status_code in ((status,) if isinstance(status, int) else status), answer.text


async def test_health_tells_store_broker_and_workers(client: httpx.AsyncClient) -> None:
    assert (await client.get("/health/live")).json() == {"status": "ok"}
    ready = await client.get("/health/ready")
    assert ready.status_code == 200
    body = ready.json()
    assert (body["status"], body["store"], body["broker"], body["workers"]) == ("degraded", "ok", "ok", 0)
    assert body["reasons"] == ["no worker can take work"]


async def test_metrics_count_what_the_store_holds(client: httpx.AsyncClient, demo: Json) -> None:
    await client.post("/api/v1/backtests", json=demo)
    answer = await client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'backtest_total{status="queued"} 1.0' in answer.text
    assert "backtest_queue_size 1.0" in answer.text
    assert "active_backtests_count 0.0" in answer.text
    queue = (await client.get("/api/v1/system/queue")).json()
    assert (queue["queued"], queue["running"], queue["by_status"]["queued"]) == (1, 0, 1)


async def test_limits_are_told_with_the_names_of_their_settings(client: httpx.AsyncClient, settings: Settings) -> None:
    items = (await client.get("/api/v1/system/limits")).json()["items"]
    by_name = {item["setting"]: item for item in items}
    assert by_name["MAX_CONCURRENT_BACKTESTS"] == {
        "setting": "MAX_CONCURRENT_BACKTESTS",
        "value": settings.max_concurrent_backtests,
        "unit": "backtests",
    }
    assert by_name["BACKTEST_QUEUE_MAX_PER_USER"]["value"] is None
    assert all(hasattr(settings, name.lower()) for name in by_name)


async def test_the_version_names_what_computes(client: httpx.AsyncClient) -> None:
    version = (await client.get("/api/v1/system/version")).json()
    assert version["engine_semantics"] == ENGINE_SEMANTICS
    assert version["libraries"]["numpy"] == np.__version__


async def test_activity_counts_what_ended_in_each_hour(
    client: httpx.AsyncClient, demo: Json, finish: Callable[[], Awaitable[str]]
) -> None:
    idle = (await client.get("/api/v1/system/activity", params={"hours": 3})).json()["items"]
    assert [hour["completed"] for hour in idle] == [0, 0, 0]
    await finish()
    waiting = await client.post("/api/v1/backtests", json=demo, params={"use_cache": False})
    await client.post(f"/api/v1/backtests/{waiting.json()['backtest_id']}/cancel")
    hours = (await client.get("/api/v1/system/activity")).json()["items"]
    assert len(hours) == 24
    assert sum(hour["completed"] for hour in hours) == 1
    assert sum(hour["cancelled"] for hour in hours) == 1
    assert (await client.get("/api/v1/system/activity", params={"hours": 0})).status_code == 422


def has_inline_code_or_foreign_links(text: str) -> bool:
    return bool(re.search(r"<script(?! [^>]*src=)|<style|\son\w+=|\sstyle=|(src|href)=.(https?:)?//", text))


async def test_pages_load_nothing_from_elsewhere_and_hold_no_inline_code(client: httpx.AsyncClient) -> None:
    for path in ("/", "/docs"):
        page = await client.get(path)
        assert page.headers["content-type"].startswith("text/html")
        text = page.text
        assert not has_inline_code_or_foreign_links(text)
        for link in re.findall(r'(?:src|href)="(/[^"#]*)"', text):
            assert (await client.get(link)).status_code == 200, link
        for anchor in re.findall(r'href="#([^"]+)"', text):
            assert f'id="{anchor}"' in text


@pytest.mark.parametrize("path", ["/", "/runs", "/runs/new", "/runs/bt-4f0k2m9q7xza?tab=trades", "/system"])
async def test_every_address_of_the_application_gives_its_page(client: httpx.AsyncClient, path: str) -> None:
    page = await client.get(path)
    assert page.status_code == 200
    assert 'id="root"' in page.text
    assert page.headers["cache-control"] == "no-cache"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy


async def test_a_page_that_has_not_changed_is_not_sent_again(client: httpx.AsyncClient) -> None:
    page = await client.get("/")
    again = await client.get("/runs", headers={"if-none-match": page.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    plain = await client.get("/", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.text == page.text


async def test_what_has_its_hash_in_its_name_is_kept_for_ever(client: httpx.AsyncClient) -> None:
    script = next(iter(re.findall(r'src="(/assets/[^"]+)"', (await client.get("/")).text)))
    answer = await client.get(script)
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-encoding"] == "gzip"


@pytest.mark.parametrize("name", ["nope.js", "%2e%2e", "%00", "x" * 300, "index-%E2%9C%93.js"])
async def test_an_asset_that_does_not_exist_is_a_problem(client: httpx.AsyncClient, name: str) -> None:
    answer = await client.get(f"/assets/{name}", headers={"accept": "text/html"})
    assert answer.status_code == 404
    assert answer.json()["code"] == "no_such_route"


async def test_an_unknown_address_is_a_page_for_people_and_a_problem_for_programs(client: httpx.AsyncClient) -> None:
    people = {"accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}
    page = await client.get("/nope", headers=people)
    assert (page.status_code, 'id="root"' in page.text) == (404, True)
    for path, headers in (("/nope", {}), ("/api/v1/nope", people), ("/api", people), ("/health/nope", people)):
        answer = await client.get(path, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (404, "no_such_route"), path
    assert (await client.post("/nope", headers=people)).headers["content-type"] == "application/problem+json"


async def test_every_problem_type_is_explained_in_the_reference(client: httpx.AsyncClient) -> None:
    kind = (await client.get("/nope")).json()["type"]
    page, _, anchor = kind.partition("#")
    assert f'id="{anchor}"' in (await client.get(page)).text


async def test_the_openapi_document_is_valid_and_complete(client: httpx.AsyncClient, app: FastAPI) -> None:
    document = (await client.get("/api/v1/openapi.json")).json()
    validate(document)
    assert document["openapi"].startswith("3.1")
    operations = [o for item in document["paths"].values() for o in item.values()]
    ids = [o["operationId"] for o in operations]
    assert len(ids) == len(set(ids)) >= 24
    for operation in operations:
        assert operation["summary"], operation["operationId"]
        assert operation["tags"]
        for status, response in operation["responses"].items():
            assert response["description"]
            if int(status) >= 400 and (operation["operationId"], status) != ("health_ready", "503"):
                assert list(response["content"]) == ["application/problem+json"]
        assert {"403", "422", "500", "503"} <= operation["responses"].keys()
        if "requestBody" in operation:
            assert {"400", "413", "415"} <= operation["responses"].keys()
            assert operation["requestBody"]["content"]["application/json"]["examples"]
    assert "HTTPValidationError" not in json.dumps(document)
    assert "/ws/backtest/{backtest_id}" in document["info"]["description"]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "TRACE", "HEAD", "OPTIONS"])
async def test_a_wrong_method_says_which_are_right(client: httpx.AsyncClient, method: str) -> None:
    answer = await client.request(method, "/api/v1/backtests")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, POST"


def test_the_web_process_starts_without_what_only_engines_and_files_need(tmp_path: object) -> None:
    code = (
        "import sys; from backproof.settings import Settings; from backproof.web.app import create_app;"
        f"create_app(Settings(data_dir={str(tmp_path)!r}, redis_url='unix:///x'));"
        "print([m for m in ('numba','talib','pandas','pyarrow','duckdb','polars','numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_it_does_not_listen_to_the_world() -> None:
    with pytest.raises(InvalidSettings):
        create_app(Settings(web_host="0.0.0.0"))
