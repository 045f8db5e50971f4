"""Backtests over HTTP, on a real store: submit, find, read, change, end."""

import asyncio
from typing import Any

import httpx
import pytest
from api_support import Json, never
from stacks import spoil_results

from backproof.bootstrap import ServiceFactory
from backproof.web.examples import PATCH_EXAMPLES, SUBMIT_EXAMPLES

API = "/api/v1/backtests"


async def submit(client: httpx.AsyncClient, body: Json, **headers: str) -> str:
    answer = await client.post(API, json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["backtest_id"])


def problem(answer: httpx.Response, status: int, code: str) -> Json:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: Json = answer.json()
    assert body["code"] == code
    assert body["status"] == status
    assert body["request_id"] == answer.headers["x-request-id"]
    return body


async def test_a_submission_is_answered_with_its_id_and_place(client: httpx.AsyncClient, demo: Json) -> None:
    first = await client.post(API, json=demo)
    second = await client.post(API, json=demo)
    assert first.status_code == 200
    assert first.json() == {
        "backtest_id": first.json()["backtest_id"],
        "status": "queued",
        "estimated_duration": None,
        "queue_position": 1,
        "eta_seconds": None,
        "cached_from": None,
    }
    assert second.json()["queue_position"] == 2


@pytest.mark.parametrize("name", SUBMIT_EXAMPLES)
async def test_every_documented_body_is_accepted(client: httpx.AsyncClient, name: str) -> None:
    await submit(client, SUBMIT_EXAMPLES[name]["value"])


async def test_a_finished_run_is_read_in_all_its_parts(client: httpx.AsyncClient, finish: Any) -> None:
    run_id = await finish()
    run = (await client.get(f"{API}/{run_id}")).json()
    assert run["status"] == "completed"
    assert run["config"]["parameters"] == {"fast": 20, "slow": 50, "signal": "level"}
    status = (await client.get(f"{API}/{run_id}/status")).json()
    assert (status["progress"], status["current_step"], status["eta_seconds"]) == (100.0, None, None)
    curve = (await client.get(f"{API}/{run_id}/equity")).json()
    assert curve["total_bars"] == len(curve["dates"]) == len(curve["equity"]) == run["result"]["bars"]
    assert curve["dates"][0] == "2003-01-02"
    assert curve["dates"][-1] == "2006-12-29"
    few = (await client.get(f"{API}/{run_id}/equity", params={"max_points": 50})).json()
    assert len(few["equity"]) <= 50
    assert (max(few["equity"]), min(few["equity"])) == (max(curve["equity"]), min(curve["equity"]))
    metrics = (await client.get(f"{API}/{run_id}/metrics")).json()
    assert metrics["metrics"] == run["metrics"]
    assert metrics["metrics"]["total_return"] == pytest.approx(curve["equity"][-1] / 100_000 - 1)
    manifest = (await client.get(f"{API}/{run_id}/manifest")).json()
    assert manifest["fingerprint"] == run["fingerprint"]
    trades = (await client.get(f"{API}/{run_id}/trades")).json()
    assert trades["total"] == run["result"]["trades"] == len(trades["items"])
    assert {"return", "entry_date", "profit"} <= trades["items"][0].keys()
    assert len(trades["items"][0]["entry_date"]) == len("2003-01-02")


async def test_fills_come_in_pages_that_fit_together(client: httpx.AsyncClient, finish: Any) -> None:
    run_id = await finish(parameters={"fast": 2, "slow": 5})
    whole = (await client.get(f"{API}/{run_id}/fills", params={"limit": 1000})).json()
    assert whole["total"] == len(whole["items"]) > 100
    rows: list[Json] = []
    cursor: str | None = None
    while True:
        page = (
            await client.get(f"{API}/{run_id}/fills", params={"limit": 37, **({"cursor": cursor} if cursor else {})})
        ).json()
        rows += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert rows == whole["items"]


async def test_events_and_logs_are_numbered_without_gaps(client: httpx.AsyncClient, finish: Any) -> None:
    run_id = await finish()
    events = (await client.get(f"{API}/{run_id}/events")).json()
    assert [e["seq"] for e in events["items"]] == list(range(1, len(events["items"]) + 1))
    statuses = (await client.get(f"{API}/{run_id}/events", params={"type": "status_change"})).json()
    assert [e["data"]["status"] for e in statuses["items"]] == ["queued", "running", "completed"]
    first = (await client.get(f"{API}/{run_id}/events", params={"limit": 2})).json()
    assert first["more"]
    rest = (await client.get(f"{API}/{run_id}/events", params={"after": first["next_after"]})).json()
    assert [*first["items"], *rest["items"]] == events["items"]
    assert not rest["more"]
    logs = (await client.get(f"{API}/{run_id}/logs")).json()
    assert [line["seq"] for line in logs["items"]] == [e["seq"] for e in events["items"] if e["type"] == "log"]
    assert (await client.get(f"{API}/{run_id}/logs", params={"level": "error"})).json()["items"] == []
    one = (await client.get(f"{API}/{run_id}/logs", params={"limit": 1})).json()
    assert one["more"]
    next_one = (await client.get(f"{API}/{run_id}/logs", params={"limit": 1, "after": one["next_after"]})).json()
    assert [*one["items"], *next_one["items"]] == logs["items"][:2]


async def test_a_result_that_is_not_there_yet_is_a_conflict(client: httpx.AsyncClient, demo: Json) -> None:
    run_id = await submit(client, demo)
    for part in ("equity", "trades", "fills", "account-events", "metrics", "metrics?full=true", "manifest"):
        problem(await client.get(f"{API}/{run_id}/{part}"), 409, "conflict")


async def test_lists_filter_sort_and_page(client: httpx.AsyncClient, finish: Any) -> None:
    ids = {}
    for name, changes in {
        "alpha": {"tags": ["one"]},
        "beta": {"tags": ["two"], "strategy_type": "buy_and_hold", "parameters": {}},
        "gamma": {"symbols": ["MSFT"]},
    }.items():
        ids[await finish(name=name, **changes)] = name

    async def names(**query: Any) -> list[str]:
        answer = await client.get(API, params=query)
        assert answer.status_code == 200, answer.text
        assert answer.json()["total"] == len(answer.json()["items"])
        return [item["name"] for item in answer.json()["items"]]

    assert await names() == ["gamma", "beta", "alpha"]
    assert await names(sort="created_at") == ["alpha", "beta", "gamma"]
    assert await names(sort="-name") == ["gamma", "beta", "alpha"]
    assert sorted(await names(sort="-execution_seconds")) == sorted(await names(sort="trades", min_trades=0))
    assert await names(tag=["one", "two"]) == []
    assert await names(strategy_type=["buy_and_hold", "macd"]) == ["beta"]
    assert await names(q=next(run_id for run_id in ids if ids[run_id] == "beta")[:12]) == ["beta"]
    assert await names(tag="two") == ["beta"]
    assert await names(symbol="MSFT") == ["gamma"]
    assert await names(strategy_type="buy_and_hold") == ["beta"]
    assert await names(q="alp") == ["alpha"]
    assert await names(status=["queued", "failed"]) == []
    assert await names(status=["queued", "completed"], sort="name") == ["alpha", "beta", "gamma"]
    assert await names(created_to="2000-01-01") == []
    assert await names(created_from="2000-01-01T00:00:00Z", q="gamma") == ["gamma"]
    assert await names(created_from="2000-01-01T00:00:00 09:00", q="gamma") == ["gamma"]  # an unescaped +
    returns = {item["name"]: item["metrics"]["total_return"] for item in (await client.get(API)).json()["items"]}
    ordered = sorted(returns, key=lambda name: returns[name])
    assert await names(sort="total_return") == ordered
    middle = returns[ordered[1]]
    assert await names(min_total_return=middle, sort="total_return") == ordered[1:]
    assert await names(max_total_return=middle, sort="total_return") == ordered[:2]

    answer = (await client.get(API, params={"offset": 1, "limit": 1})).json()
    assert ([item["name"] for item in answer["items"]], answer["total"]) == (["beta"], 3)
    after = (await client.get(API, params={"cursor": answer["next_cursor"]})).json()
    assert [item["name"] for item in after["items"]] == ["alpha"]
    beyond = (await client.get(API, params={"offset": 9})).json()
    assert (beyond["items"], beyond["next_cursor"], beyond["total"]) == ([], None, 3)

    seen: list[str] = []
    cursor = None
    while True:
        page = (await client.get(API, params={"limit": 1, **({"cursor": cursor} if cursor else {})})).json()
        assert page["total"] == 3
        seen += [item["name"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == ["gamma", "beta", "alpha"]


async def test_a_cursor_fits_only_its_own_list(client: httpx.AsyncClient, demo: Json) -> None:
    for _ in range(2):
        await submit(client, demo)
    cursor = (await client.get(API, params={"limit": 1})).json()["next_cursor"]
    assert (await client.get(API, params={"limit": 1, "cursor": cursor})).status_code == 200
    for query in ({"cursor": cursor[:-1]}, {"cursor": cursor, "sort": "name"}, {"cursor": "zzz"}):
        body = problem(await client.get(API, params=query), 422, "invalid_input")
        assert body["errors"][0]["pointer"] == "/cursor"


async def test_labels_change_and_what_is_left_out_stays(client: httpx.AsyncClient, demo: Json) -> None:
    run_id = await submit(client, demo)
    for example in PATCH_EXAMPLES.values():
        assert (await client.patch(f"{API}/{run_id}", json=example["value"])).status_code == 200
    run = (await client.get(f"{API}/{run_id}")).json()
    assert (run["starred"], run["notes"]) == (True, "Holds up out of sample.")
    assert (run["name"], run["tags"]) == ("SMA 20/50, final", ["paper"])
    assert run["config"]["name"] == "SMA on Apple"
    body = problem(await client.patch(f"{API}/{run_id}", json={"status": "completed"}), 422, "invalid_input")
    assert body["errors"][0]["pointer"] == "/status"


async def test_facets_count_what_is_not_in_the_bin(client: httpx.AsyncClient, demo: Json) -> None:
    await submit(client, demo)
    await submit(client, {**demo, "symbols": ["AAPL", "MSFT"], "tags": ["demo", "한국"]})
    await client.delete(f"{API}/{await submit(client, {**demo, 'tags': ['gone']})}")

    async def facet(by: str) -> Json:
        answer: Json = (await client.get(f"{API}/facets", params={"by": by})).json()
        assert answer["total"] == len(answer["items"])
        return {item["value"]: item["count"] for item in answer["items"]}

    assert await facet("status") == {"queued": 2}
    assert await facet("strategy_type") == {"sma_crossover": 2}
    assert list((await facet("symbols")).items()) == [("AAPL", 2), ("MSFT", 1)]
    assert await facet("tags") == {"demo": 2, "한국": 1}
    problem(await client.get(f"{API}/facets", params={"by": "notes"}), 422, "invalid_input")


async def bulk(client: httpx.AsyncClient, action: str, ids: list[str], **more: object) -> list[Json]:
    answer = await client.post(f"{API}/bulk", json={"action": action, "ids": ids, **more})
    assert answer.status_code == 200, answer.text
    items: list[Json] = answer.json()["items"]
    assert [item["backtest_id"] for item in items] == list(dict.fromkeys(ids))
    return items


async def test_many_are_changed_at_once_and_each_keeps_what_it_had(client: httpx.AsyncClient, demo: Json) -> None:
    ids = [await submit(client, {**demo, "tags": tags}) for tags in (["a"], ["b", "c"], [])]
    changed = await bulk(client, "change", [*ids, ids[0]], add_tags=["x", "a"], remove_tags=["c"], starred=True)
    assert [(item["status"], item["error"]) for item in changed] == [("queued", None)] * 3
    runs = [(await client.get(f"{API}/{run_id}")).json() for run_id in ids]
    assert [run["tags"] for run in runs] == [["a", "x"], ["b", "x", "a"], ["x", "a"]]
    assert all(run["starred"] for run in runs)
    assert (await client.get(API, params={"q": "x", "tag": ["x", "a"]})).json()["total"] == 3
    await bulk(client, "change", ids[:1], priority="high")
    runs = (await client.get(API, params={"sort": "created_at"})).json()["items"]
    assert [run["priority"] for run in runs] == ["high", "normal", "normal"]
    more = [f"t{n}" for n in range(49)]
    assert (await bulk(client, "change", ids[:1], add_tags=more))[0]["error"]["code"] == "invalid_input"
    assert (await bulk(client, "change", ids[:1], add_tags=more, remove_tags=["a"]))[0]["error"] is None


async def test_what_one_run_refuses_keeps_the_others_from_nothing(client: httpx.AsyncClient, demo: Json) -> None:
    ids = [await submit(client, demo) for _ in range(2)]
    unknown = "bt-000000000000"
    cancelled = await bulk(client, "cancel", [ids[0], unknown, ids[1]])
    assert [item["status"] for item in cancelled] == ["cancelled", None, "cancelled"]
    assert cancelled[1]["error"]["code"] == "not_found"
    again = await bulk(client, "cancel", ids)
    assert [item["error"]["code"] for item in again] == ["conflict"] * 2
    resumed = await bulk(client, "resume", ids[:1])
    assert resumed[0]["status"] == "queued"
    repeated = await bulk(client, "rerun", ids)
    assert [item["status"] for item in repeated] == ["queued"] * 2
    run = (await client.get(f"{API}/{repeated[1]['new_backtest_id']}")).json()
    assert run["rerun_of"] == ids[1]


async def test_many_are_deleted_and_restored(client: httpx.AsyncClient, demo: Json) -> None:
    ids = [await submit(client, demo) for _ in range(3)]
    assert [item["error"] for item in await bulk(client, "delete", ids[:2])] == [None, None]
    assert (await client.get(API)).json()["total"] == 1
    assert (await client.get(API, params={"deleted": True})).json()["total"] == 2
    restored = await bulk(client, "restore", ids)
    assert [item["status"] for item in restored] == ["cancelled", "cancelled", None]
    assert restored[2]["error"]["code"] == "conflict"
    assert (await client.get(API)).json()["total"] == 3


@pytest.mark.parametrize(
    "body",
    [
        {"action": "delete", "ids": []},
        {"action": "delete", "ids": ["bt-000000000000"] * 201},
        {"action": "delete", "ids": ["x"]},
        {"action": "delete", "ids": ["bt-000000000000"], "starred": True},
        {"action": "change", "ids": ["bt-000000000000"]},
        {"action": "explode", "ids": ["bt-000000000000"]},
    ],
)
async def test_a_wrong_bulk_action_is_refused_as_a_whole(client: httpx.AsyncClient, body: Json) -> None:
    problem(await client.post(f"{API}/bulk", json=body), 422, "invalid_input")


async def test_notes_are_in_the_list_as_a_mark(client: httpx.AsyncClient, demo: Json) -> None:
    run_id = await submit(client, demo)
    assert not (await client.get(API)).json()["items"][0]["has_notes"]
    await client.patch(f"{API}/{run_id}", json={"notes": "again"})
    assert (await client.get(API)).json()["items"][0]["has_notes"]


async def test_a_waiting_run_is_cancelled_at_once_and_only_once(client: httpx.AsyncClient, demo: Json) -> None:
    run_id = await submit(client, demo)
    answer = await client.post(f"{API}/{run_id}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    problem(await client.post(f"{API}/{run_id}/cancel"), 409, "conflict")


async def test_a_deleted_run_is_gone_with_everything(client: httpx.AsyncClient, finish: Any) -> None:
    run_id = await finish()
    answer = await client.delete(f"{API}/{run_id}")
    assert (answer.status_code, answer.content) == (204, b"")
    for path in ("", "/status", "/events", "/equity"):
        problem(await client.get(f"{API}/{run_id}{path}"), 404, "not_found")
    problem(await client.delete(f"{API}/{run_id}"), 404, "not_found")


async def test_an_idempotency_key_makes_one_run_of_many_requests(client: httpx.AsyncClient, demo: Json) -> None:
    headers = {"Idempotency-Key": "k-1"}
    answers = await asyncio.gather(*(client.post(API, json=demo, headers=headers) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["backtest_id"] for answer in answers}) == 1
    assert (await client.get(API)).json()["total"] == 1
    other = await client.post(API, json={**demo, "name": "another"}, headers=headers)
    problem(other, 422, "idempotency_mismatch")


async def test_a_full_queue_says_when_to_come_back(
    client: httpx.AsyncClient, demo: Json, services: ServiceFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services.orchestrator, "_queue_max_size", 1)
    await submit(client, demo)
    answer = await client.post(API, json=demo)
    problem(answer, 429, "queue_full")
    assert int(answer.headers["retry-after"]) > 0


async def test_a_refused_submission_names_everything_that_is_wrong_at_once(
    client: httpx.AsyncClient, demo: Json
) -> None:
    """What its form shows, and what takes a look at the strategy and at the data."""
    wrong = demo | {"capital": 5, "parameters": {"fsat": 3}, "symbols": ["AAPL", "MSFTT"], "costs": {"fee": 1}}
    body = problem(await client.post(API, json=wrong, params={"use_cache": "perhaps"}), 422, "invalid_input")
    said = {error["pointer"]: error["message"] for error in body["errors"]}
    assert said.keys() == {"/use_cache", "/capital", "/parameters/fsat", "/symbols/1", "/costs/fee"}
    assert said["/capital"].endswith("did you mean initial_capital?")
    assert said["/symbols/1"].endswith("did you mean MSFT?")
    validated = (await client.post(f"{API}/validate", json=wrong)).json()
    assert {error["pointer"] for error in validated["errors"]} == said.keys() - {"/use_cache"}
    assert (await client.get(API)).json()["total"] == 0


async def test_validation_answers_with_everything_that_is_wrong(client: httpx.AsyncClient, demo: Json) -> None:
    body = {**demo, "parameters": {"fast": 0, "x": 1}, "symbols": ["APPL"]}
    answer = (await client.post(f"{API}/validate", json=body)).json()
    assert not answer["valid"]
    pointers = {error["pointer"] for error in answer["errors"]}
    assert {"/parameters/fast", "/parameters/x", "/symbols/0"} <= pointers
    good = (await client.post(f"{API}/validate", json=demo)).json()
    assert (good["valid"], good["errors"]) == (True, [])
    assert {series["symbol"] for series in good["coverage"]} == {"AAPL", "SPX"}
    assert good["estimate"]["queue_position"] == 1
    assert good["warmup"] == 49, "the slow average of 50 bars"
    assert [series["bars_before"] for series in good["coverage"]] == [712, 752]
    assert answer["warmup"] is None
    assert (await client.get(API)).json()["total"] == 0
    nothing = (await client.post(f"{API}/validate", json={})).json()
    assert {error["pointer"] for error in nothing["errors"]} == {"/name", "/strategy_type", "/symbols"}


async def test_validation_names_a_run_with_the_same_result(client: httpx.AsyncClient, finish: Any, demo: Json) -> None:
    run_id = await finish()
    assert (await client.post(f"{API}/validate", json={**demo, "name": "other name"})).json()["identical"] == run_id


async def test_a_failed_run_says_why(client: httpx.AsyncClient, services: ServiceFactory, demo: Json) -> None:
    run_id = await submit(client, demo)
    spoil_results(services.settings.data_dir)
    await services.runner(never).run_waiting()
    run = (await client.get(f"{API}/{run_id}")).json()
    assert run["status"] == "failed"
    assert run["error"]["code"] == "storage_failed"
    assert run["error"]["message"]
