"""Reading request bodies: at most so many bytes, JSON only, and JSON as RFC 8259 has it.

Python's own reader takes NaN, Infinity, 1e999, repeated keys and lone surrogates; none of them has a meaning here.
"""

import json
import math
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from backproof.web.errors import EdgeProblem

MAX_DEPTH = 32
MAX_DIGITS = 300


class _NotJson(ValueError):
    """What is wrong, in one sentence."""


def read_json(data: bytes) -> Any:
    """The document; EdgeProblem (400) says what is wrong with it, and where."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise EdgeProblem("malformed_json", f"The body is not UTF-8 (byte {error.start}).") from None
    try:
        document = json.loads(
            text, parse_constant=_no_constant, parse_float=_finite, parse_int=_short, object_pairs_hook=_once
        )
        _check(document)
    except json.JSONDecodeError as error:
        detail = f"The body is not JSON: {error.msg} (line {error.lineno}, column {error.colno})."
        raise EdgeProblem("malformed_json", detail) from None
    except RecursionError:
        raise EdgeProblem("malformed_json", _too_deep()) from None
    except _NotJson as error:
        raise EdgeProblem("malformed_json", str(error)) from None
    return document


def _no_constant(name: str) -> float:
    raise _NotJson(f"{name} is not a JSON number.")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise _NotJson(f"The number {digits[:40]} is too large.")
    return value


def _short(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise _NotJson(f"The number {digits[:40]}… is too large.")
    return int(digits)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                shown = key[:40].encode("utf-8", "backslashreplace").decode()
                raise _NotJson(f'The key "{shown}" appears twice in one object.')
            seen.add(key)
    return found


def _check(document: Any) -> None:
    """Depth and text, without recursion."""
    level = [document]
    depth = 0
    while level:
        if depth > MAX_DEPTH:
            raise _NotJson(_too_deep())
        below: list[Any] = []
        for value in level:
            if isinstance(value, str):
                _whole(value)
            elif isinstance(value, dict):
                for key in value:
                    _whole(key)
                below.extend(value.values())
            elif isinstance(value, list):
                below.extend(value)
        level, depth = below, depth + 1


def _whole(text: str) -> None:
    if not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text):
        raise _NotJson("A text holds half of a surrogate pair, which is no character.")


def _too_deep() -> str:
    return f"The body is nested deeper than {MAX_DEPTH} levels."


class StrictRequest(Request):
    """A request whose body is bounded and whose JSON is strict."""

    async def body(self) -> bytes:
        if not hasattr(self, "_body"):
            limit: int = self.app.state.settings.max_request_bytes
            declared = self.headers.get("content-length", "")
            if declared.isascii() and declared.isdigit() and len(declared) < 20 and int(declared) > limit:
                raise _too_large(limit)
            chunks: list[bytes] = []
            size = 0
            async for chunk in self.stream():
                size += len(chunk)
                if size > limit:
                    raise _too_large(limit)
                chunks.append(chunk)
            self._body = b"".join(chunks)
            if self._body:
                self._check_media_type()
        return self._body

    async def json(self) -> Any:
        return read_json(await self.body())

    def _check_media_type(self) -> None:
        given = self.headers.get("content-type", "")
        kind, _, parameters = given.partition(";")
        charset = parameters.replace(" ", "").replace('"', "").lower()
        if kind.strip().lower() != "application/json" or charset not in ("", "charset=utf-8"):
            shown = given[:100] or "none"
            raise EdgeProblem("unsupported_media_type", f"The body must be application/json in UTF-8, not {shown}.")
        if self.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
            raise EdgeProblem("unsupported_media_type", "The body must not be compressed.")


def _too_large(limit: int) -> EdgeProblem:
    return EdgeProblem("body_too_large", f"The body is longer than {limit} bytes (MAX_REQUEST_BYTES).")


class StrictRoute(APIRoute):
    """A route that reads its body as StrictRequest does."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handler(StrictRequest(request.scope, request.receive))

        return strict
