"""The OpenAPI document: problems declared on every operation, tags described, the WebSocket explained in words."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from backproof import __version__
from backproof.web.errors import EDGE_KINDS, KINDS, MEDIA_TYPE, Kind
from backproof.web.schemas.common import Problem

PATH = "/api/v1/openapi.json"
TAGS = [
    {"name": "backtests", "description": "Submit, follow, read, find, label and delete backtests."},
    {"name": "metrics", "description": "What every metric means."},
    {"name": "strategies", "description": "What `strategy_type` may be, with the JSON Schema of its parameters."},
    {"name": "market-data", "description": "The prices that are there: sources, symbols, bars."},
    {"name": "system", "description": "Version, queue, health and metrics."},
]
DESCRIPTION = """\
Backtests as a service: describe one, watch it run, keep a result that can be trusted and repeated.

**Conventions.** JSON in and out, snake_case, numbers as numbers, rates as fractions (0.05 is 5 %), times in RFC 3339
UTC, never NaN or Infinity: an undefined number is null. Lists are pages `{items, next_cursor, total}`; give
`next_cursor` back as `cursor` with the same filters. Unknown fields and query parameters are errors, not ignored.

**Errors** are RFC 9457 `application/problem+json`. `code` is stable; `errors` names every wrong field by JSON pointer;
`request_id` is in the answer's `X-Request-ID` and in the server's log. 429 and 503 carry `Retry-After`.

**Access.** A service has one owner and no login. It answers only to Host names of its own machine and of
`WEB_ALLOWED_HOSTS`, and refuses requests that carry another site's Origin (403).

**Live updates.** `GET /ws/backtest/{backtest_id}?after=SEQ` is a WebSocket. Every frame is
`{"type", "seq", "timestamp", "data"}`:

| type | data | kept |
|---|---|---|
| `initial_status` | first frame: the body of `GET …/status`, and `equity`: the newest equity frame's data or null | |
| `status_change` | `status`, `attempt`, and where they apply `reason`, `error`, `worker` | yes |
| `log` | `level`, `message`, further fields | yes |
| `notice` | `code`, `message`, further fields | yes |
| `checkpoint` | `bar`, `stage` | yes |
| `progress` | the body of `GET …/status` | |
| `equity` | `points` `[[epoch_ms, equity], …]` of the whole curve so far, `bars_done`, `total_bars` | |
| `heartbeat` | every `WS_HEARTBEAT_INTERVAL` seconds and when `live` changes: `live` (false: updates come \
from the store, slower), `reason` | |

Kept frames are numbered 1, 2, 3 … per run and come complete and in order; after `initial_status` the server sends all
with `seq` > SEQ, then goes on live. The other frames carry the number of the last kept frame sent before them, so the
greatest `seq` seen is always the right `after` for the next connection. After the final `status_change` the server
sends one last `progress` frame and closes with 1000 `final`. Other close codes: 4400 wrong `after`, 4404 unknown
backtest, 4429 too many connections to this backtest (`WS_MAX_CONNECTIONS_PER_BACKTEST`), 1008 the client talks too
much, 1013 the client reads too slowly or the store is away (connect again with `after`), 1001 or 1012 the server goes
down. A foreign Origin or Host is refused with HTTP 403 before the socket opens. `GET …/events?after=` gives the same
kept events over HTTP.
"""
_EXAMPLE = {
    422: {
        "type": "/docs#problem-invalid_input",
        "title": "Invalid input",
        "status": 422,
        "detail": "/symbols/0: no symbol APPL in demo; did you mean AAPL?",
        "instance": "/api/v1/backtests",
        "code": "invalid_input",
        "errors": [
            {"pointer": "/symbols/0", "code": "unknown_symbol", "message": "no symbol APPL in demo; did you mean AAPL?"}
        ],
        "details": {},
        "request_id": "req-5f0c9d0b6c1f4a7e",
    },
    404: {
        "type": "/docs#problem-not_found",
        "title": "Not found",
        "status": 404,
        "detail": "there is no backtest 'bt-4f0k2m9q7xza'",
        "instance": "/api/v1/backtests/bt-4f0k2m9q7xza",
        "code": "not_found",
        "errors": [],
        "details": {"backtest_id": "bt-4f0k2m9q7xza"},
        "request_id": "req-5f0c9d0b6c1f4a7e",
    },
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of an operation: these problems, and those that any operation may answer with."""
    return {status: _response(status) for status in sorted({403, 422, 500, 503, *statuses})}


def body_problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The same for an operation that reads a body."""
    return problems(400, 413, 415, *statuses)


def all_kinds() -> dict[str, Kind]:
    """Every problem there is, by code."""
    return {**{error.code: kind for error, kind in KINDS.items()}, **EDGE_KINDS}


def _response(status: int) -> dict[str, Any]:
    kinds = [kind for kind in all_kinds().values() if kind.status == status]
    content: dict[str, Any] = {"schema": {"$ref": "#/components/schemas/Problem"}}
    if status in _EXAMPLE:
        content["example"] = _EXAMPLE[status]
    headers = {"X-Request-ID": {"$ref": "#/components/headers/RequestId"}}
    if any(kind.retry_after for kind in kinds):
        headers["Retry-After"] = {"$ref": "#/components/headers/RetryAfter"}
    described = "; ".join(dict.fromkeys(kind.title for kind in kinds)) or "Problem"
    return {"description": described, "headers": headers, "content": {MEDIA_TYPE: content}}


def build(app: FastAPI) -> dict[str, Any]:
    """The document, made once."""
    if app.openapi_schema is None:
        document = get_openapi(
            title="backproof",
            version=__version__,
            openapi_version="3.1.0",
            summary="A backtest service",
            description=DESCRIPTION,
            tags=TAGS,
            routes=app.routes,
            license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
            servers=[{"url": "/", "description": "This service"}],
        )
        components = document.setdefault("components", {})
        schemas = components.setdefault("schemas", {})
        made = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(made.pop("$defs", {}))
        schemas["Problem"] = made
        components["headers"] = {
            "RequestId": {"description": "Id of this request in the server's log.", "schema": {"type": "string"}},
            "RetryAfter": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 0}},
        }
        app.openapi_schema = document
    return app.openapi_schema
