"""The HTTP side of the commands: requests, and problems turned back into the errors they were."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from backproof.errors import BackproofError, Conflict, FieldError, InvalidInput, NotFound
from backproof.local.directory import Server

Plain = dict[str, Any]
PAGE = 1000


class ApiError(BackproofError):
    """The server refused for a reason that is not the input's fault, or does not answer."""

    code = "api_error"


class Api:
    """What the commands ask a server. `transport` replaces the network when no server runs."""

    def __init__(self, url: str, transport: httpx.BaseTransport | None = None) -> None:
        self.url = url.rstrip("/")
        self._client = httpx.Client(base_url=self.url, timeout=30.0, trust_env=False, transport=transport)

    def close(self) -> None:
        self._client.close()

    def get(self, path: str, **query: Any) -> Any:
        given = {name: value for name, value in query.items() if value is not None}
        return self._answer(lambda: self._client.get("/api/v1" + path, params=given))

    def post(self, path: str, body: Mapping[str, object] | None = None) -> Any:
        return self._answer(lambda: self._client.post("/api/v1" + path, json=body))

    def health(self) -> Plain:
        """The answer of /health/ready, whatever its status."""
        try:
            answer = self._client.get("/health/ready", timeout=5.0).json()
        except (httpx.HTTPError, ValueError) as error:
            raise ApiError(f"the server at {self.url} does not answer: {_reason(error)}") from None
        return answer if isinstance(answer, dict) else {}

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
            return ApiError(detail)


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
