"""POST /strategies/probe: the same checks as a submission, one answer, and never too many processes."""

import asyncio
from typing import Any

import httpx
import psutil
import pytest
from api_support import Json

from backproof.bootstrap import ServiceFactory
from backproof.services import probes

PATH = "/api/v1/strategies/probe"


async def test_a_built_in_is_clean_and_the_report_is_complete(client: httpx.AsyncClient, demo: Json) -> None:
    answer = await client.post(PATH, json=demo)
    assert answer.status_code == 200, answer.text
    report = answer.json()
    assert report["passed"] is True
    lookahead, amnesia = report["lookahead"], report["amnesia"]
    assert (lookahead["strategy"], lookahead["form"], lookahead["verdict"]) == ("sma_crossover", "signals", "clean")
    assert lookahead["comparisons"] > 50
    assert lookahead["finding"] is None
    assert (amnesia["verdict"], amnesia["warmup"], amnesia["enough"]) == ("clean", 49, 49)
    assert amnesia["start"] == "2003-01-02"


async def test_everything_wrong_is_said_at_once(client: httpx.AsyncClient, demo: Json) -> None:
    wrong = {**demo, "symbols": ["APPL"], "parameters": {"fast": 50, "slow": 20}, "end_date": "1999-01-01"}
    answer = await client.post(PATH, json={**wrong, "start_date": None})
    assert answer.status_code == 422
    pointers = {error["pointer"] for error in answer.json()["errors"]}
    assert {"/symbols/0", "/parameters/slow"} <= pointers
    assert (await client.post(PATH, json={**demo, "no_such": 1})).status_code == 422
    assert (await client.get(PATH)).status_code == 404, "probe is no strategy"


async def test_too_many_at_once_are_refused(
    client: httpx.AsyncClient, services: ServiceFactory, demo: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes, "MOST_WAITING", 1)
    answers = await asyncio.gather(*(client.post(PATH, json=demo) for _ in range(6)))
    statuses = sorted(answer.status_code for answer in answers)
    assert set(statuses) == {200, 429}
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.headers["Retry-After"] == "5"
    assert services.probes._waiting == 0


async def test_one_that_takes_too_long_is_ended_with_its_process(
    client: httpx.AsyncClient, demo: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes, "SECONDS", 0.2)
    answer = await client.post(PATH, json=demo)
    assert (answer.status_code, answer.json()["code"]) == (422, "strategy_error")
    assert "took longer than 0.2 seconds" in answer.json()["detail"]
    assert not probing()


async def test_one_whose_process_says_nothing_is_an_error(
    client: httpx.AsyncClient, demo: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes, "CHILD", "backproof.no_such_module")
    answer = await client.post(PATH, json=demo)
    assert answer.status_code == 422
    assert "ended without an answer (exit code 1)" in answer.json()["detail"]


async def test_a_request_that_is_given_up_leaves_no_process(
    services: ServiceFactory, demo: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = asyncio.create_task(services.probes.probe(demo))
    async with asyncio.timeout(60):
        while not probing():
            await asyncio.sleep(0.02)
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    assert not probing()


def probing() -> list[Any]:
    """Processes of this one that probe."""
    found = []
    for child in psutil.Process().children():
        try:
            if probes.CHILD in child.cmdline() and child.status() != psutil.STATUS_ZOMBIE:
                found.append(child)
        except psutil.NoSuchProcess:
            continue
    return found
