"""Around every request: its id in the answer and in every log line, headers that protect, no exception gets past."""

import re
import secrets
import time

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backproof.web.errors import internal_error
from backproof.web.security import with_headers

log = structlog.get_logger(__name__)
REQUEST_ID = "x-request-id"
_GIVEN = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestContext:
    """Outermost. A client's own X-Request-ID is kept when it is short and plain."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(REQUEST_ID, "")
        request_id = given if _GIVEN.fullmatch(given) else "req-" + secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id
        status = 0

        async def tagged(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = with_headers(list(message.get("headers", [])))
                message["headers"] = [*headers, (REQUEST_ID.encode(), request_id.encode())]
            await send(message)

        began = time.perf_counter()
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, tagged)
            except Exception:
                log.exception("unexpected_error", method=scope.get("method"), path=scope["path"])
                if scope["type"] != "http" or status:
                    raise  # too late for an answer: the server closes the connection
                await internal_error(scope)(scope, receive, tagged)
            if scope["type"] == "http":
                took = round((time.perf_counter() - began) * 1000, 1)
                log.debug("request", method=scope["method"], path=scope["path"], status=status, milliseconds=took)
