"""The HTTP side of the commands: requests, and problems turned back into the errors they were."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx

from backproof.errors import BackproofError, Conflict, FieldError, InvalidInput, NotFound
from backproof.local.directory import Server

Plain = dict[str, Any]
PAGE = 1000
RETRY_SECONDS = 15.0  # a web process that was killed is up again by then


class ApiError(BackproofError):
    """The server refused for a reason that is not the input's fault, or does not answer."""

    code = "api_error"


class Api:
    """What the commands ask a server. `transport` replaces the network when no server runs."""

    def __init__(self, url: str, transport: httpx.BaseTransport | None = None) -> None:
        self.url = url.rstrip("/")
        self.offline = transport is not None
        self._client = httpx.Client(base_url=self.url, timeout=30.0, trust_env=False, transport=transport)

    def close(self) -> None:
        self._client.close()

    def move_to(self, url: str) -> None:
        """The server was started again at another address."""
        self.url = url.rstrip("/")
        self._client.base_url = self.url

    def get(self, path: str, **query: Any) -> Any:
        return self._answer(lambda: self._client.get("/api/v1" + path, params=_given(query)))

    def post(self, path: str, body: Mapping[str, object] | None = None, key: str | None = None, **query: Any) -> Any:
        """key: makes it safe to repeat; then a request whose answer was lost is sent again."""
        headers = {"Idempotency-Key": key} if key is not None else None

        def send() -> httpx.Response:
            return self._client.post("/api/v1" + path, json=body, params=_given(query), headers=headers)

        return self._answer(send if key is None else lambda: _insistent(send))

    def delete(self, path: str) -> None:
        self._answer(lambda: self._client.delete("/api/v1" + path))

    def health(self) -> Plain:
        """The answer of /health/ready, whatever its status."""
        try:
            answer = self._client.get("/health/ready", timeout=5.0).json()
        except (httpx.HTTPError, ValueError) as error:
            raise ApiError(f"the server at {self.url} does not answer: {_reason(error)}") from None
        return answer if isinstance(answer, dict) else {}

    def after(self, path: str, seq: int, **query: Any) -> Iterator[Plain]:
        """What is numbered by seq, from the one behind `seq` to the last."""
        more = True
        while more:
            page = self.get(path, after=seq, limit=PAGE, **query)
            yield from page["items"]
            seq, more = page["next_after"], page["more"]

    def all_rows(self, path: str) -> list[Plain]:
        """Every item of a paged list."""
        rows: list[Plain] = []
        cursor: str | None = None
        while True:
            page = self.get(path, limit=PAGE, cursor=cursor)
            rows += page["items"]
            cursor = page.get("next_cursor")
            if cursor is None:
                return rows

    def _answer(self, send: Callable[[], httpx.Response]) -> Any:
        try:
            response = send()
        except httpx.HTTPError as error:
            raise ApiError(f"the server at {self.url} does not answer: {_reason(error)}") from None
        try:
            body = response.json() if response.content else None
        except ValueError:
            raise ApiError(f"the server at {self.url} answered something that is not JSON") from None
        if response.is_success:
            return body
        raise _problem(response.status_code, body if isinstance(body, dict) else {})


def _given(query: Mapping[str, Any]) -> Plain:
    return {name: value for name, value in query.items() if value is not None}


def _insistent(send: Callable[[], httpx.Response]) -> httpx.Response:
    """The answer, however often the connection is lost on the way; nobody waits for a server that was never there."""
    try:
        return send()
    except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError):
        deadline, pause = time.monotonic() + RETRY_SECONDS, 0.1
    while True:
        time.sleep(pause)
        try:
            return send()
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
            pause = min(2 * pause, 1.0)


def answering(port: int) -> Server | None:
    """The backproof that listens on this port of this machine, if one does."""
    api = Api(f"http://127.0.0.1:{port}")
    try:
        health = api.health()
    except ApiError:
        return None
    finally:
        api.close()
    return Server(api.url, 0) if {"store", "broker", "workers"} <= health.keys() else None


def _problem(status: int, body: Plain) -> BackproofError:
    detail = str(body.get("detail") or body.get("title") or f"HTTP status {status}")
    if errors := [e for e in body.get("errors") or [] if isinstance(e, dict)]:
        return InvalidInput([FieldError(str(e["pointer"]), str(e["code"]), str(e["message"])) for e in errors])
    match status:
        case 404:
            return NotFound(detail)
        case 409:
            return Conflict(detail)
        case 400 | 413 | 415 | 422:
            return InvalidInput.at("", str(body.get("code", "invalid_input")), detail)
        case _:
            wait = (body.get("details") or {}).get("retry_after")
            return ApiError(f"{detail}; try again in {wait} s" if wait else detail)


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


def json_plain(value: object, pointer: str = "") -> object:
    """The value as JSON has it. Raises InvalidInput for what JSON cannot say."""
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidInput.at(pointer, "finite_number", "should be a finite number")
    if isinstance(value, dict):
        return {str(key): json_plain(item, f"{pointer}/{key}") for key, item in value.items()}
    if isinstance(value, list):
        return [json_plain(item, f"{pointer}/{i}") for i, item in enumerate(value)]
    return value
