"""The HTTP side of the commands: what is asked again, and what problems are told as."""

from collections.abc import Callable
from contextlib import closing

import httpx
import pytest

from backproof.cli import api as module
from backproof.cli.api import Api, ApiError
from backproof.errors import BackproofError, Conflict, InvalidInput, NotFound

Answer = Callable[[httpx.Request], httpx.Response]


def asked(answer: Answer) -> Api:
    return Api("http://127.0.0.1:1", httpx.MockTransport(answer))


def test_a_submission_whose_answer_was_lost_is_sent_again_with_the_same_key(monkeypatch: pytest.MonkeyPatch) -> None:
    keys: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        keys.append(request.headers.get("Idempotency-Key"))
        if len(keys) == 1:
            raise httpx.RemoteProtocolError("Server disconnected")
        if len(keys) == 2:
            raise httpx.ConnectError("Connection refused")  # just being started again
        return httpx.Response(200, json={"backtest_id": "bt-1"})

    with closing(asked(answer)) as api:
        assert api.post("/backtests", {}, key="k", use_cache=False)["backtest_id"] == "bt-1"
    assert keys == ["k", "k", "k"]


def test_what_is_not_safe_to_repeat_is_not_and_a_server_that_is_not_there_is_not_waited_for() -> None:
    def lose(_: httpx.Request) -> httpx.Response:
        raise httpx.RemoteProtocolError("Server disconnected")

    def refuse(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("Connection refused")

    with closing(asked(lose)) as api, pytest.raises(ApiError, match="does not answer: Server disconnected"):
        api.post("/backtests/bt-1/cancel")
    with closing(asked(refuse)) as api, pytest.raises(ApiError, match="does not answer: Connection refused"):
        api.post("/backtests", {}, key="k")


def test_a_server_that_stays_away_after_a_submission_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.1)

    def lose(_: httpx.Request) -> httpx.Response:
        raise httpx.ReadError("Connection reset")

    with closing(asked(lose)) as api, pytest.raises(ApiError, match="Connection reset"):
        api.post("/backtests", {}, key="k")


@pytest.mark.parametrize(
    ("status", "body", "kind", "said"),
    [
        (404, {"detail": "there is no backtest 'x'"}, NotFound, "there is no backtest 'x'"),
        (409, {"detail": "it is completed"}, Conflict, "it is completed"),
        (422, {"detail": "no", "code": "idempotency_mismatch"}, InvalidInput, "input: no"),
        (429, {"detail": "100 wait", "details": {"retry_after": 12}}, ApiError, "100 wait; try again in 12 s"),
        (503, {"title": "Store unavailable"}, ApiError, "Store unavailable"),
    ],
)
def test_a_problem_is_one_sentence(status: int, body: dict[str, object], kind: type[BackproofError], said: str) -> None:
    with closing(asked(lambda _: httpx.Response(status, json=body))) as api, pytest.raises(kind) as raised:
        api.get("/backtests")
    assert raised.value.message == said


def test_what_is_numbered_by_seq_is_read_page_by_page() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        after = int(request.url.params["after"])
        assert request.url.params["level"] == "info"
        return httpx.Response(200, json={"items": [after + 1], "next_after": after + 1, "more": after < 2})

    with closing(asked(answer)) as api:
        assert list(api.after("/backtests/bt-1/logs", 0, level="info")) == [1, 2, 3]
