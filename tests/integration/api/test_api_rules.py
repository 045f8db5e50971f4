"""The language of rules over HTTP: checking, completing, and running what was checked."""

from typing import Any

import httpx
import pytest
from api_support import Json, Server

from backproof.engine.rules.functions import FUNCTIONS
from backproof.web.schemas.rules import CHECK_EXAMPLES

CHECK = "/api/v1/strategies/rules/check"


async def check(client: httpx.AsyncClient, **body: Any) -> Json:
    answer = await client.post(CHECK, json=body)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    assert found["valid"] is not bool(found["errors"])
    return found


async def test_right_rules_are_answered_with_what_they_come_to(client: httpx.AsyncClient) -> None:
    parameters = {"entry": "close>sma( close, n )", "exit": "bars_held >= 3", "values": {"n": 20, "old": 1}}
    assert await check(client, parameters=parameters) == {
        "valid": True,
        "errors": [],
        "notes": ["the named value old is used nowhere"],
        "texts": {"entry": "close > sma(close, n)", "exit": "bars_held >= 3", "values.n": "20", "values.old": "1"},
        "form": "events",
        "functions": ["sma"],
        "warmup": 19,
        "work": 10,
    }


async def test_every_mistake_comes_with_its_place_and_what_was_meant(client: httpx.AsyncClient) -> None:
    found = await check(client, parameters={"entry": "close > 1\n and smaa(close, 3) > close[-1]", "top": 3})
    assert [(error["pointer"], error["code"]) for error in found["errors"]] == [
        ("/parameters/top", "needs_rank"),
        ("/parameters/entry", "unknown_function"),
        ("/parameters/entry", "future_lag"),
    ]
    mistake = found["errors"][1]
    assert (mistake["line"], mistake["column"], mistake["stop"], mistake["suggestion"]) == (2, 6, 10, "sma")
    assert mistake["excerpt"] == " and smaa(close, 3) > close[-1]"
    assert mistake["caret"] == "     ^^^^"
    assert found["errors"][0]["line"] is None
    assert (found["texts"], found["form"], found["work"]) == ({}, None, 0)


async def test_the_direction_is_taken_into_account(client: httpx.AsyncClient) -> None:
    found = await check(client, parameters={"entry": "close > 1"}, direction="short_only")
    assert [(error["pointer"], error["code"]) for error in found["errors"]] == [
        ("/execution/direction", "direction_mismatch")
    ]


@pytest.mark.parametrize("name", CHECK_EXAMPLES)
async def test_every_documented_body_is_answered(client: httpx.AsyncClient, name: str) -> None:
    found = await check(client, **CHECK_EXAMPLES[name]["value"])
    assert found["valid"] is (name != "wrong")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/parameters"),
        ({"parameters": "close > 1"}, "/parameters"),
        ({"parameters": {}, "direction": "up"}, "/direction"),
        ({"parameters": {}, "more": 1}, "/more"),
    ],
)
async def test_a_body_that_asks_nothing_is_a_problem(client: httpx.AsyncClient, body: Json, pointer: str) -> None:
    answer = await client.post(CHECK, json=body)
    assert answer.status_code == 422
    assert pointer in {error["pointer"] for error in answer.json()["errors"]}


@pytest.mark.parametrize(
    "entry", ["close > 1 and " * 7200, "(" * 5000, "clоse > 1", "\x00", 5, None, ["close"], {"a": 1}]
)
async def test_hostile_texts_are_answered_and_the_service_goes_on(client: httpx.AsyncClient, entry: Any) -> None:
    found = await check(client, parameters={"entry": entry})
    assert not found["valid"]
    assert (await check(client, parameters={"entry": "close > 1"}))["valid"]


async def test_completions_are_all_words_with_their_meaning(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/v1/strategies/rules/completions")
    assert answer.status_code == 200
    words = {word["name"]: word for word in answer.json()["items"]}
    assert words.keys() >= FUNCTIONS.keys() | {"close", "volume", "bars_held", "and", "crosses_above"}
    assert words["sma"]["insert"] == "sma($)"
    assert [parameter["name"] for parameter in words["macd"]["parameters"]] == ["x", "fast", "slow", "signal"]
    assert answer.json()["total"] == len(words)


async def test_it_is_all_there_over_a_real_connection(server: Server) -> None:
    async with httpx.AsyncClient(base_url=f"http://{server.host}", trust_env=False) as client:
        assert (await check(client, **CHECK_EXAMPLES["right"]["value"]))["valid"]
        strategy = (await client.get("/api/v1/strategies/rules")).json()
        assert strategy["kind"] == "rules"
        assert {"entry", "rank", "values"} <= strategy["parameters"]["properties"].keys()


@pytest.mark.parametrize(
    "parameters",
    [
        {"entry": "close crosses_above sma(close, n)", "exit": "close < sma(close, n)", "values": {"n": 50}},
        {"entry": "rsi(close, 5) < 40", "exit": "bars_held >= 5"},
        {
            "entry": "rsi(close, 5) < 40",
            "entry_order": {"type": "limit", "price": "0.99 * close"},
            "exit": "close > open",
        },
        {"rank": "roc(close, 20)", "top": 1, "entry": "roc(close, 20) > 0"},
    ],
)
async def test_rules_of_every_form_are_submitted_and_run(
    client: httpx.AsyncClient, finish: Any, parameters: Json
) -> None:
    run_id = await finish(strategy_type="rules", parameters=parameters)
    run = (await client.get(f"/api/v1/backtests/{run_id}")).json()
    assert run["status"] == "completed"
    assert run["metrics"]["trades"] > 0
    assert (
        run["config"]["parameters"].items()
        >= {**parameters, "entry_order": run["config"]["parameters"]["entry_order"]}.items()
    )


async def test_a_submission_with_wrong_rules_names_every_mistake(client: httpx.AsyncClient, demo: Json) -> None:
    body = {**demo, "strategy_type": "rules", "parameters": {"entry": "smaa(close, 2) > 1", "exit": "close"}}
    answer = await client.post("/api/v1/backtests", json=body)
    assert answer.status_code == 422
    problem = answer.json()
    assert {(error["pointer"], error["code"]) for error in problem["errors"]} == {
        ("/parameters/entry", "unknown_function"),
        ("/parameters/exit", "wrong_type"),
    }
    assert "did you mean sma?" in problem["errors"][0]["message"]
