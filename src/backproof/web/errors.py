"""Errors as RFC 9457 problem+json: the only place where an error gets an HTTP status."""

import errno
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from backproof import errors
from backproof.domain.config import field_message, pointer_of
from backproof.errors import BackproofError, FieldError, InvalidInput

if TYPE_CHECKING:
    from backproof.bootstrap import ServiceFactory

log = structlog.get_logger(__name__)
MEDIA_TYPE = "application/problem+json"
MAX_FIELD_ERRORS = 100
MAX_INSTANCE = 500
SUBMIT = "submit_backtest"  # the operation whose body is looked into as a whole


@dataclass(frozen=True, slots=True)
class Kind:
    """What a class of errors is over HTTP. retry_after: seconds, where trying again may help."""

    status: int
    title: str
    meaning: str
    retry_after: int | None = None


KINDS: dict[type[BackproofError], Kind] = {
    BackproofError: Kind(500, "Error", "Something went wrong that has no better name."),
    InvalidInput: Kind(422, "Invalid input", "The request was read, but says something that cannot be done."),
    errors.DataError: Kind(422, "Unfit data", "The bars are wrong or missing for what was asked."),
    errors.StrategyError: Kind(422, "Strategy failed", "The strategy raised an error or gave a wrong answer."),
    errors.NotFound: Kind(404, "Not found", "There is no such thing, or it is not yours."),
    errors.Conflict: Kind(409, "Conflict", "The state of the thing does not allow this."),
    errors.QueueFull: Kind(429, "Queue full", "A limit on waiting work is reached; try again later.", 10),
    errors.StoreUnavailable: Kind(503, "Store unavailable", "The metadata store does not answer or cannot write.", 5),
    errors.StoreRefused: Kind(503, "Store refused", "The metadata store is not set up for this service.", 30),
    errors.StorageFailed: Kind(503, "Storage failed", "A result or bar file could not be read or written.", 5),
    errors.CheckpointMismatch: Kind(409, "Checkpoint mismatch", "The checkpoint is damaged or of another run."),
    errors.LostClaim: Kind(409, "Claim lost", "Somebody else works on this run now."),
    errors.InvalidSettings: Kind(500, "Wrong settings", "The service is set up wrongly; its operator can mend it."),
    errors.StackError: Kind(503, "Stack not ready", "A part of the local stack is not there.", 5),
    errors.BrokerUnavailable: Kind(503, "Queue unavailable", "Redis or Valkey does not answer.", 5),
    errors.BrokerRefused: Kind(503, "Queue refused", "Redis or Valkey is not set up for this service.", 30),
    errors.IdempotencyMismatch: Kind(
        422, "Idempotency-Key used before", "This Idempotency-Key was sent before with another body."
    ),
}
DISK_FULL = Kind(507, "Disk full", "There is no space left for a result or bar file.")

# problems of HTTP itself, by code
EDGE_KINDS: dict[str, Kind] = {
    "malformed_json": Kind(400, "Malformed JSON", "The body is no JSON document as RFC 8259 has it."),
    "host_not_allowed": Kind(
        403, "Host not allowed", "The service answers only under names of its own machine and of WEB_ALLOWED_HOSTS."
    ),
    "origin_not_allowed": Kind(403, "Origin not allowed", "Another web site's page may not use this service."),
    "no_such_route": Kind(404, "No such route", "Nothing is served under this path."),
    "method_not_allowed": Kind(405, "Method not allowed", "The path exists, but not with this method (see Allow)."),
    "body_too_large": Kind(413, "Body too large", "The body is longer than this service reads."),
    "unsupported_media_type": Kind(415, "Unsupported media type", "A body must be application/json."),
    "internal_error": Kind(500, "Internal error", "A fault in the service; its log has the details."),
}


class EdgeProblem(HTTPException):
    """A request refused before any service saw it. An HTTPException, so that FastAPI passes it on unchanged."""

    def __init__(self, code: str, detail: str, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(EDGE_KINDS[code].status, detail)
        self.code = code
        self.errors = errors


def kind_of(error: BackproofError) -> Kind:
    if isinstance(error, errors.StorageFailed) and error.details.get("errno") in (errno.ENOSPC, errno.EDQUOT):
        return DISK_FULL
    return next(KINDS[base] for base in type(error).__mro__ if base in KINDS)


def problem(
    scope: Mapping[str, Any],
    code: str,
    kind: Kind,
    detail: str,
    *,
    field_errors: Sequence[FieldError] = (),
    details: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The response for one problem."""
    body: dict[str, Any] = {
        "type": f"/docs#problem-{code}",
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        "instance": scope.get("path", "")[:MAX_INSTANCE],
        "code": code,
        "errors": [
            {"pointer": e.pointer, "code": e.code, "message": e.message} for e in field_errors[:MAX_FIELD_ERRORS]
        ],
        "details": dict(details or {}),
        "request_id": scope.get("state", {}).get("request_id", ""),
    }
    given = dict(headers or {})
    if kind.retry_after is not None:
        given.setdefault("Retry-After", str(kind.retry_after))
    return Response(_encoded(body), kind.status, given, MEDIA_TYPE)


def _encoded(body: dict[str, Any]) -> bytes:
    try:
        text = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=str)
    except ValueError:  # a NaN among the facts: the facts are the least important part
        text = json.dumps({**body, "details": {}}, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace")


def internal_error(scope: Mapping[str, Any]) -> Response:
    return problem(scope, "internal_error", EDGE_KINDS["internal_error"], "The service met an error it did not expect.")


async def _backproof_error(request: Request, error: BackproofError) -> Response:
    kind = kind_of(error)
    field_errors: Sequence[FieldError] = error.errors if isinstance(error, InvalidInput) else ()
    details = dict(error.details)
    if isinstance(error, errors.StoreUnavailable | errors.BrokerUnavailable):
        # every request says so while a server is away: a traceback of each would take longer than the answer
        log.warning("request_failed", code=error.code, reason=error.message)
    elif kind.status >= 500:
        log.error("request_failed", code=error.code, reason=error.message, exc_info=error)
    headers = {}
    if isinstance(error, errors.QueueFull):
        headers["Retry-After"] = str(error.retry_after)
    if len(field_errors) > MAX_FIELD_ERRORS:
        details["total_errors"] = len(field_errors)
    detail = error.message
    if field_errors:
        shown = "; ".join(f"{e.pointer or 'input'}: {e.message}" for e in field_errors[:3])
        rest = len(field_errors) - 3
        detail = f"{shown}; and {rest} more" if rest > 0 else shown
    return problem(request.scope, error.code, kind, detail, field_errors=field_errors, details=details, headers=headers)


async def _request_validation(request: Request, error: RequestValidationError) -> Response:
    found = []
    everything = await _wrong_with_a_backtest(request, error.body)
    for e in error.errors():
        where, *location = e["loc"]  # body, query, path or header
        if where == "body" and everything:
            continue
        message = field_message(str(e["type"]), str(e["msg"]), tuple(location))
        found.append(FieldError(pointer_of(tuple(location)), str(e["type"]), message))
    return await _backproof_error(request, InvalidInput([*found, *everything]))


async def _wrong_with_a_backtest(request: Request, body: object) -> Sequence[FieldError]:
    """All that is wrong with a submitted backtest, not only its form; empty for every other request."""
    from backproof.web import security  # late: it needs this module

    route, services = request.scope.get("route"), cast("ServiceFactory | None", request.app.state.services)
    if not isinstance(route, APIRoute) or route.operation_id != SUBMIT or not isinstance(body, dict) or not services:
        return ()
    try:
        return (await services.orchestrator.validate(body, security.owner())).errors
    except BackproofError as error:  # its form is wrong all the same
        log.warning("backtest_not_looked_into", reason=str(error))
        return ()


async def _http_exception(request: Request, error: HTTPException) -> Response:
    if isinstance(error, EdgeProblem):
        return problem(request.scope, error.code, EDGE_KINDS[error.code], error.detail, field_errors=error.errors)
    codes = {404: "no_such_route", 405: "method_not_allowed", 413: "body_too_large", 400: "malformed_json"}
    if (code := codes.get(error.status_code)) is not None:
        kind = EDGE_KINDS[code]
        headers = {**(error.headers or {}), **_allow(request)} if code == "method_not_allowed" else error.headers
        return problem(request.scope, code, kind, kind.meaning, headers=headers)
    phrase = HTTPStatus(error.status_code).phrase
    kind = Kind(error.status_code, phrase, phrase)
    return problem(request.scope, f"http_{error.status_code}", kind, str(error.detail), headers=error.headers)


def _allow(request: Request) -> dict[str, str]:
    """The methods of all routes of this path, of which the framework names one; a literal path beats a pattern."""
    routes: Sequence[APIRoute] = request.app.state.routes
    matching = [route for route in routes if route.path_regex.match(request.url.path)]
    fewest = min((len(route.param_convertors) for route in matching), default=0)
    allowed = {m for route in matching if len(route.param_convertors) == fewest for m in route.methods or ()}
    return {"Allow": ", ".join(sorted(allowed))} if allowed else {}


def install_error_handlers(app: FastAPI, routes: Sequence[APIRoute]) -> None:
    app.state.routes = routes
    app.exception_handler(BackproofError)(_backproof_error)
    app.exception_handler(RequestValidationError)(_request_validation)
    app.exception_handler(HTTPException)(_http_exception)
