"""Protection of a service with one owner and no login: only its own pages may use it, under the names it goes by.

A web page from anywhere can make a browser send requests to 127.0.0.1, and DNS rebinding makes such a page look like
the same origin. Both show in headers a page cannot forge: Host names the rebound name, Origin the page's site.
"""

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from backproof.domain.backtest import LOCAL_OWNER
from backproof.web.errors import EDGE_KINDS, problem

HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "cache-control": "no-store",
}


def with_headers(given: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The headers of an answer, with those of HEADERS that it does not set itself."""
    names = {name.lower() for name, _ in given}
    return [*given, *((n.encode(), v.encode()) for n, v in HEADERS.items() if n.encode() not in names)]


def is_loopback(host: str) -> bool:
    """localhost, 127.0.0.0/8 or ::1, with or without brackets."""
    host = host.strip("[]").lower()
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def owner() -> str:
    """The owner of everything in local mode."""
    return LOCAL_OWNER


def refusal(headers: Headers, allowed: Collection[str] = ()) -> tuple[str, str] | None:
    """(problem code, detail) of a request that does not come from the service's own pages, or from a program.

    allowed: names besides those of this machine (WEB_ALLOWED_HOSTS)
    """
    host = headers.get("host", "")
    name = _name(host)
    if len(headers.getlist("host")) != 1 or not (is_loopback(name) or name in allowed):
        detail = "not a name of this machine (localhost, 127.0.0.1, [::1]) nor one of WEB_ALLOWED_HOSTS."
        return "host_not_allowed", f"Host {host[:100]!r} is {detail}"
    for origin in headers.getlist("origin"):
        parts = _split(origin)
        if parts is None or parts != _split(f"{parts[0]}://{host}"):
            return "origin_not_allowed", f"Origin {origin[:100]!r} is not this service ({host})."
    return None


def _name(host: str) -> str:
    parts = _split(f"http://{host}")
    return parts[1] if parts else ""


def _split(url: str) -> tuple[str, str, int] | None:
    """(scheme, host, port) of an origin, None for anything else ("null", a path, credentials)."""
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
            return None
        if parts.path or parts.query or parts.fragment or any(c.isspace() for c in url):
            return None
        return parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return None


class KnownHosts:
    """Refuses foreign Host and Origin headers, for HTTP and WebSocket alike."""

    def __init__(self, app: ASGIApp, allowed: Collection[str] = ()) -> None:
        self._app = app
        self._allowed = frozenset(allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refused = refusal(Headers(scope=scope), self._allowed)
        if scope["type"] == "websocket":
            if refused is not None:
                await receive()
                await send({"type": "websocket.close", "code": 4403, "reason": refused[0]})  # before accept: HTTP 403
                return
            await self._app(scope, receive, send)
            return

        if refused is not None:
            code, detail = refused
            await problem(scope, code, EDGE_KINDS[code], detail)(scope, receive, send)
            return
        await self._app(scope, receive, send)
