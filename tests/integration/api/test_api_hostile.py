"""Bad input gets a 4xx problem that names the field; nothing gets a 500, and the service goes on."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from api_support import BASE, Json, places_of
from fastapi import FastAPI

from backproof.bootstrap import ServiceFactory

API = "/api/v1/backtests"
JSON = {"content-type": "application/json"}
UNKNOWN = "bt-000000000000"


def assert_problem(answer: httpx.Response, status: int | tuple[int, ...] = (400, 404, 413, 415, 422)) -> Json:
    statuses = (status,) if isinstance(status, int) else status
    assert answer.status_code in statuses, (answer.status_code, answer.text[:300])
    assert answer.headers["content-type"] == "application/problem+json"
    body: Json = json.loads(answer.content, parse_constant=pytest.fail)
    assert {"type", "title", "status", "detail", "instance", "code", "errors", "request_id"} <= body.keys()
    assert "Traceback" not in answer.text
    return body


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"unknown": 1}, "/unknown"),
        ({"strategy_type": "sma_crosover"}, "/strategy_type"),
        ({"strategy_type": "x" * 5000}, "/strategy_type"),
        ({"parameters": {"fas": 5}}, "/parameters/fas"),
        ({"parameters": {"fast": 50, "slow": 20}}, "/parameters/slow"),
        ({"parameters": {"fast": "20"}}, "/parameters/fast"),
        ({"parameters": {"fast": 2.5}}, "/parameters/fast"),
        ({"parameters": {"fast": True}}, "/parameters/fast"),
        ({"parameters": {"fast": 10**40}}, "/parameters/fast"),
        ({"parameters": []}, "/parameters"),
        ({"parameters": {"a/b~c": 1}}, "/parameters/a~1b~0c"),
        ({"symbols": []}, "/symbols"),
        ({"symbols": [f"S{i}" for i in range(10_000)]}, "/symbols"),
        ({"symbols": ["../../etc/passwd"]}, "/symbols/0"),
        ({"symbols": ["AAPL\u0000"]}, "/symbols/0"),
        ({"symbols": ["AAPL\n"]}, "/symbols/0"),
        ({"symbols": ["AAPL", "AAPL"]}, "/symbols"),
        ({"symbols": ["APPL"]}, "/symbols/0"),
        ({"symbols": "AAPL"}, "/symbols"),
        ({"symbols": {"0": "AAPL"}}, "/symbols"),
        ({"symbols": [None]}, "/symbols/0"),
        ({"start_date": "2010-01-01", "end_date": "2009-01-01"}, "/end_date"),
        ({"start_date": "1890-01-01", "end_date": "1891-01-01"}, "/start_date"),
        ({"start_date": "2100-01-01", "end_date": "2101-01-01"}, "/start_date"),
        ({"start_date": 20030102}, "/start_date"),
        ({"start_date": 0}, "/start_date"),
        ({"start_date": 1041465600}, "/start_date"),  # 2003-01-02 as seconds
        ({"start_date": 1.5}, "/start_date"),
        ({"start_date": "0"}, "/start_date"),
        ({"start_date": "2003-02-30"}, "/start_date"),
        ({"start_date": "2003-01-02T00:00:00Z"}, "/start_date"),
        ({"start_date": "10000-01-01"}, "/start_date"),
        ({"start_date": ""}, "/start_date"),
        ({"initial_capital": 0}, "/initial_capital"),
        ({"initial_capital": -1}, "/initial_capital"),
        ({"initial_capital": 1e300}, "/initial_capital"),
        ({"initial_capital": 10**299}, "/initial_capital"),
        ({"initial_capital": "100000"}, "/initial_capital"),
        ({"initial_capital": True}, "/initial_capital"),
        ({"initial_capital": None}, "/initial_capital"),
        ({"costs": {"commission_rate": 2.0}}, "/costs/commission_rate"),
        ({"costs": {"commission_rate": -0.1}}, "/costs/commission_rate"),
        ({"costs": {"slippage_bps": 20000}}, "/costs/slippage_bps"),
        ({"costs": None}, "/costs"),
        ({"costs": {"fee": 1}}, "/costs/fee"),
        ({"execution": {"fractional_shares": "yes"}}, "/execution/fractional_shares"),
        ({"execution": {"fractional_shares": 1}}, "/execution/fractional_shares"),
        ({"execution": {"fill": "yesterday"}}, "/execution/fill"),
        ({"execution": {"sizing": {"type": "fixed_cash"}}}, "/execution/sizing/value"),
        ({"benchmark": "NOPE"}, "/benchmark"),
        ({"benchmark": "../x"}, "/benchmark"),
        ({"data_source": "nowhere"}, "/data_source"),
        ({"data_source": "../demo"}, "/data_source"),
        ({"timeframe": "3d"}, "/timeframe"),
        ({"name": ""}, "/name"),
        ({"name": "   "}, "/name"),
        ({"name": "a\u0000b"}, "/name"),
        ({"name": "x" * 201}, "/name"),
        ({"name": 5}, "/name"),
        ({"tags": ["x"] * 51}, "/tags"),
        ({"tags": [""]}, "/tags/0"),
        ({"tags": "abc"}, "/tags"),
        ({"risk_free_rate": -1}, "/risk_free_rate"),
        ({"periods_per_year": 0}, "/periods_per_year"),
        ({"risk": {"stop_loss": 1.0}}, "/risk/stop_loss"),
        ({"strategy_type": "rules", "parameters": {"entry": "close >"}}, "/parameters/entry"),
        ({"execution": {"dividends": "reinvest"}}, "/execution/dividends"),
        ({"execution": {"maintenance_margin": 1.0}}, "/execution/maintenance_margin"),
    ],
)
async def test_a_wrong_field_is_named(client: httpx.AsyncClient, demo: Json, change: Json, pointer: str) -> None:
    body = assert_problem(await client.post(API, json={**demo, **change}), 422)
    assert body["errors"], body
    assert any(error["pointer"].startswith(pointer) for error in body["errors"]), body["errors"]
    assert len(json.dumps(body)) < 50_000
    assert (await client.get(API)).json()["total"] == 0


@pytest.mark.parametrize(
    ("data", "headers", "status"),
    [
        (b"", JSON, 422),
        (b"null", JSON, 422),
        (b"[]", JSON, 422),
        (b'"x"', JSON, 422),
        (b"{", JSON, 400),
        (b'{"initial_capital": NaN}', JSON, 400),
        (b'{"initial_capital": 1e999}', JSON, 400),
        (b'{"name": "a", "name": "b"}', JSON, 400),
        (b'{"name": "\\ud800"}', JSON, 400),
        (b"\xff\xfe", JSON, 400),
        (b"[" * 20_000 + b"]" * 20_000, JSON, 400),
        (b'{"parameters":' * 20_000 + b"1" + b"}" * 20_000, JSON, 400),
        (b'{"name": "' + b"x" * 1_000_000 + b'"}', JSON, 413),
        (b"{}", {"content-type": "text/plain"}, 415),
        (b"{}", {"content-type": ""}, 415),
        (b"{}", {}, 415),
        (b"name=x", {"content-type": "application/x-www-form-urlencoded"}, 415),
        (b"{}", {"content-type": "application/json; charset=utf-16"}, 415),
        (b"{}", {"content-type": "application/json, text/plain"}, 415),
        (b"{}", {"content-type": "application/problem+json"}, 415),
        (b"{}", {"content-type": "application/json", "content-encoding": "gzip"}, 415),
        (b"{}", {"content-type": "application/json; charset=UTF-8"}, 422),
        (b"{}", {"content-type": "Application/JSON"}, 422),
    ],
)
@pytest.mark.parametrize("path", [API, API + "/validate"])
async def test_a_body_that_is_no_json_object_is_refused(
    client: httpx.AsyncClient, path: str, data: bytes, headers: dict[str, str], status: int
) -> None:
    answer = await client.post(path, content=data, headers=headers)
    if status == 422 and path.endswith("validate") and data == b"{}":
        assert answer.status_code == 200
        return
    assert_problem(answer, status)
    assert (await client.get("/health/live")).status_code == 200


async def test_a_body_that_hides_its_length_is_counted(client: httpx.AsyncClient) -> None:
    sent = 0

    async def endless() -> Any:
        nonlocal sent
        while True:
            sent += 65_536
            yield b" " * 65_536

    assert_problem(await client.post(API, content=endless(), headers=JSON), 413)
    assert sent < 2_000_000


@pytest.mark.parametrize(
    "path", ["", "/status", "/events", "/logs", "/equity", "/trades", "/fills", "/metrics", "/manifest"]
)
@pytest.mark.parametrize(
    "run_id", [UNKNOWN, "x", "bt-", "bt-00000000000O", "%00", "..%2f..", "a" * 4000, "bt-000000000000%0a", "%ff"]
)
async def test_an_unknown_id_is_not_found(client: httpx.AsyncClient, path: str, run_id: str) -> None:
    assert_problem(await client.get(f"{API}/{run_id}{path}"), 404)


async def test_an_unknown_id_is_not_found_by_the_other_methods(client: httpx.AsyncClient) -> None:
    assert_problem(await client.post(f"{API}/{UNKNOWN}/cancel"), 404)
    assert_problem(await client.delete(f"{API}/{UNKNOWN}"), 404)
    assert_problem(await client.patch(f"{API}/{UNKNOWN}", json={"starred": True}), 404)
    assert_problem(await client.get("/api/v1/strategies/nope"), 404)
    assert_problem(await client.get("/api/v1/nope"), 404)
    assert_problem(await client.get("/api/v1/backtests/"), (404, 405))


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "limit=x", "limit=1e3", "limit=" + "9" * 5000, "limit=", "status=nope",
     "status=queued&status=x", "sort=owner_id", "sort=--name", "stauts=queued", "min_sharpe=nan",
     "max_sharpe=inf", "min_total_return=1e999", "created_from=yesterday", "created_from=0", "created_from=2024-13-01",
     "created_to=0001-01-01T00:00:00%2B14:00",
     "created_to=9999-12-31T23:59:59-14:00", "cursor=!!", "cursor=" + "A" * 600, "q=" + "x" * 201, "symbol=../x",
     "symbol=%00", "strategy_type=A", "tag=" + "x" * 51, "starred=maybe", "created_from=2024-01-01T25:00:00Z",
     "created_from=2024-01-01T00:00:00%2B99:99", "created_from=2024-01-01%2010:00", "cursor="],
)  # fmt: skip
async def test_a_wrong_query_names_the_parameter(client: httpx.AsyncClient, query: str) -> None:
    body = assert_problem(await client.get(f"{API}?{query}"), 422)
    assert body["errors"][0]["pointer"].startswith("/" + query.partition("=")[0])


@pytest.mark.parametrize(
    "query",
    ["q=%00", "q=%ff%fe", "tag=%00", "q='%20OR%201=1--", "tag=%22%5D", "q=%25", "q=" + "%F0%9F%98%80" * 50,
     "tag=%F0%9F%98%80", "created_from=9999-12-31T23:59:59.999999999Z", "min_sharpe=1e308", "min_sharpe=-0.0"],
)  # fmt: skip
async def test_an_odd_query_breaks_nothing(client: httpx.AsyncClient, demo: Json, query: str) -> None:
    await client.post(API, json=demo)
    answer = await client.get(f"{API}?{query}")
    assert answer.status_code == 200, answer.text
    assert answer.json()["total"] == len(answer.json()["items"]) <= 1


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 201, "\x7f", "k\u00e9y"])
async def test_a_wrong_idempotency_key_is_refused(client: httpx.AsyncClient, demo: Json, key: str) -> None:
    headers = {b"idempotency-key": key.encode("latin-1")}
    assert_problem(await client.post(API, json=demo, headers=headers), 422)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "../../x",
        "'; DROP TABLE backtests; --",
        "\U0001f600" * 50,
        "한국어 백테스트",
        "a\u202eb",
        "\uffff",
        "$ne",
        "{{7*7}}",
    ],
)
async def test_odd_texts_are_kept_as_they_are(client: httpx.AsyncClient, demo: Json, text: str) -> None:
    run_id = (await client.post(API, json={**demo, "name": text, "tags": [text[:50]]})).json()["backtest_id"]
    run = (await client.get(f"{API}/{run_id}")).json()
    assert (run["name"], run["tags"]) == (text, [text[:50]])
    assert (await client.get(API, params={"tag": text[:50]})).json()["total"] == 1
    notes = text + "\n\tmore"
    assert (await client.patch(f"{API}/{run_id}", json={"notes": notes})).json()["notes"] == notes


@pytest.mark.parametrize(
    "body",
    [
        {"notes": "a\u0000"},
        {"notes": "x" * 20_001},
        {"name": None, "x": 1},
        {"starred": 1},
        {"tags": [1]},
        {"tags": {"a": 1}},
        {"name": ["x"]},
        [],
    ],
)
async def test_a_wrong_label_is_named(client: httpx.AsyncClient, demo: Json, body: Any) -> None:
    run_id = (await client.post(API, json=demo)).json()["backtest_id"]
    assert_problem(await client.patch(f"{API}/{run_id}", json=body), 422)


async def test_a_foreign_page_gets_nothing(app: FastAPI, demo: Json) -> None:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://rebound.example:8000") as client:
        answer = await client.get("/api/v1/backtests")
        assert_problem(answer, 403)
        assert (await client.get("/")).status_code == 403
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        headers = {"origin": "https://evil.example"}
        assert_problem(await client.post(API, json=demo, headers=headers), 403)
        assert_problem(await client.get(API, headers=headers), 403)
        assert (await client.get(API)).json()["total"] == 0
        assert (await client.get(API, headers={"origin": BASE})).status_code == 200


async def test_every_answer_protects_the_browser(client: httpx.AsyncClient) -> None:
    for path in ("/", "/docs", "/api/v1/backtests", "/nope", "/metrics", "/static/style.css"):
        headers = (await client.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-request-id"]
        assert "access-control-allow-origin" not in headers


async def test_a_clients_request_id_is_kept_when_it_is_plain(client: httpx.AsyncClient) -> None:
    kept = await client.get("/nope", headers={"x-request-id": "abc-1"})
    assert kept.headers["x-request-id"] == kept.json()["request_id"] == "abc-1"
    for odd in ("a b", "x" * 65, "<x>", ""):
        assert (await client.get("/nope", headers={"x-request-id": odd})).headers["x-request-id"].startswith("req-")


FAULT = """
import asyncio, sys
from pathlib import Path
import httpx
from backproof.settings import Settings
from backproof.telemetry.logs import configure_logging
from backproof.web.app import create_app

async def broken():
    raise ZeroDivisionError("secret inside")

async def main():
    configure_logging("info", "json")
    app = create_app(Settings(data_dir=Path(sys.argv[1]), redis_url="unix:///nonexistent"))
    async with app.router.lifespan_context(app):
        app.state.services.monitoring.counts = broken
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            for path in ("/api/v1/system/queue", "/health/live"):
                answer = await client.get(path)
                print(answer.status_code, answer.headers["x-content-type-options"], answer.text)

asyncio.run(main())
"""


def test_an_unexpected_error_is_a_problem_with_a_logged_traceback(tmp_path: Path) -> None:
    given = {**os.environ, **places_of(tmp_path)}
    command = [sys.executable, "-c", FAULT, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=given)
    broken, alive = done.stdout.splitlines()
    status, nosniff, text = broken.split(" ", 2)
    body = json.loads(text)
    assert (status, nosniff, body["code"]) == ("500", "nosniff", "internal_error")
    assert "secret" not in text
    logged = [json.loads(line) for line in done.stderr.splitlines()]
    line = next(line for line in logged if line["event"] == "unexpected_error")
    assert line["request_id"] == body["request_id"]
    assert "ZeroDivisionError: secret inside" in line["exception"]
    assert alive.startswith("200 ")


async def test_next_open_on_close_only_prices_names_the_field(
    client: httpx.AsyncClient, services: ServiceFactory, demo: Json, tmp_path: Path
) -> None:
    prices = tmp_path / "closes.csv"
    prices.write_text("symbol,date,close\n" + "".join(f"X,2024-01-{day:02d},{100 + day}\n" for day in range(1, 31)))
    await services.datasets.import_file(prices, "closes")
    body = {**demo, "data_source": "closes", "symbols": ["X"], "benchmark": None, "start_date": None, "end_date": None}
    refused = assert_problem(await client.post(API, json=body), 422)
    assert [error["pointer"] for error in refused["errors"]] == ["/execution/fill"]
    accepted = await client.post(API, json={**body, "execution": {"fill": "next_close"}})
    assert accepted.status_code == 200, accepted.text


async def test_no_nan_leaves_even_when_one_is_stored(
    client: httpx.AsyncClient, services: ServiceFactory, demo: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = (await client.post(API, json=demo)).json()["backtest_id"]
    run = await services.orchestrator.get(run_id, "local")
    odd = run.model_copy(
        update={
            "metrics": {"sharpe": math.nan, "calmar": -math.inf, "trades": 3},
            "benchmark_metrics": {"beta": math.inf},
            "estimated_seconds": math.nan,
            "manifest": {
                **dict.fromkeys(("fingerprint", "config_hash", "data_hash", "equity_hash", "fills_hash"), "x"),
                "config": {"a": math.nan}, "strategy": {}, "engine_semantics": 1, "more": [math.inf],
            },
        }
    )  # fmt: skip

    async def stored(*_: object) -> Any:
        return odd

    monkeypatch.setattr(services.orchestrator, "get", stored)
    for path in ("", "/metrics", "/manifest", "/status"):
        answer = await client.get(f"{API}/{run_id}{path}")
        assert answer.status_code == 200
        json.loads(answer.content, parse_constant=pytest.fail)
    metrics = (await client.get(f"{API}/{run_id}/metrics")).json()
    assert metrics["metrics"] == {"sharpe": None, "calmar": None, "trades": 3}


async def test_without_the_store_everything_says_so_and_nothing_hangs(
    client: httpx.AsyncClient, services: ServiceFactory, demo: Json
) -> None:
    await services.repository.close()
    for answer in (await client.post(API, json=demo), await client.get(API), await client.get(f"{API}/{UNKNOWN}")):
        assert_problem(answer, 503)
        assert int(answer.headers["retry-after"]) > 0
    ready = await client.get("/health/ready")
    assert (ready.status_code, ready.json()["status"], ready.json()["store"]) == (503, "unavailable", "unavailable")
    assert (await client.get("/health/live")).status_code == 200
