"""The pages for people: the built web application, and a reference of the API. Nothing comes from elsewhere.

The application is files made by `make web`: what is under /assets/ has its content's hash in its name, and one page
serves every address of the application (a link into it works like any other).
"""

import gzip
import hashlib
import mimetypes
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from backproof.web.reference import reference_page

router = APIRouter(include_in_schema=False)
STATIC = Path(__file__).parent / "static"
APPLICATION = STATIC / "app"

# scripts, styles, fonts and pictures from here only, none of them inline; the API and the WebSocket of this service
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
FOR_EVER = "public, max-age=31536000, immutable"
ASK_AGAIN = "no-cache"
AN_HOUR = "max-age=3600"
# the addresses that the application knows; it says itself when it has no page for one below /runs
CLIENT_ROUTES = ("/", "/runs", "/runs/{rest:path}", "/system")
# addresses for programs, where an unknown path stays a problem whatever the client would like to read
NOT_PAGES = ("api", "ws", "health", "metrics", "static", "assets")
ROOT_FILES = ("boot.js", "icon.svg", "licenses.md")
_TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",  # mimetypes asks the system, which may not know better
    "md": "text/plain; charset=utf-8",
    "svg": "image/svg+xml",
    "woff2": "font/woff2",
}
_COMPRESSED_ALREADY = ("font/woff2",)
_NOT_BUILT = """<!doctype html><html lang="en"><meta charset="utf-8"><title>backproof</title>
<link rel="stylesheet" href="/static/style.css">
<body><main><h1>backproof</h1>
<p>The service runs, but its web application is not built: <code>make web</code> does that.</p>
<p><a href="/docs">API reference</a></p></main></body></html>"""


@dataclass(frozen=True, slots=True)
class Page:
    """A file that comes with the package. zipped: None where compressing it gains nothing"""

    content: bytes
    zipped: bytes | None
    media_type: str
    tag: str


@cache
def _page(file: Path) -> Page | None:
    """None: there is no such file. Only for names that the package has: what is asked for is kept."""
    try:
        content = file.read_bytes()
    except OSError:
        return None
    kind = _TYPES.get(file.suffix[1:]) or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    zipped = None if kind in _COMPRESSED_ALREADY else gzip.compress(content, mtime=0)
    return Page(content, zipped, kind, f'"{hashlib.sha256(content).hexdigest()[:32]}"')


@cache
def _assets() -> dict[str, Path]:
    try:
        return {file.name: file for file in (APPLICATION / "assets").iterdir()}
    except OSError:
        return {}


def _answer(request: Request, file: Path, caching: str, status: int = 200) -> Response:
    page = _page(file)
    if page is None:
        raise HTTPException(404)
    headers = {"cache-control": caching, "etag": page.tag, "content-security-policy": POLICY, "vary": "accept-encoding"}
    if status == 200 and page.tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if page.zipped is not None and "gzip" in request.headers.get("accept-encoding", ""):
        headers["content-encoding"] = "gzip"
        return Response(page.zipped, status, headers, page.media_type)
    return Response(page.content, status, headers, page.media_type)


def _application(request: Request, status: int = 200) -> Response:
    index = APPLICATION / "index.html"
    return HTMLResponse(_NOT_BUILT, 503) if _page(index) is None else _answer(request, index, ASK_AGAIN, status)


async def application(request: Request) -> Response:
    """The page of the application, the same for all its addresses."""
    return _application(request)


for _path in CLIENT_ROUTES:
    router.add_api_route(_path, application, methods=["GET"], name="application")


def unknown_address(otherwise: ASGIApp) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """What answers where no route does: for people the application, which says so in their language; else a problem."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "GET":
            request = Request(scope)
            place = scope["path"].split("/")[1]
            if place not in NOT_PAGES and "text/html" in request.headers.get("accept", ""):
                await _application(request, 404)(scope, receive, send)
                return
        await otherwise(scope, receive, send)

    return answer


@router.get("/assets/{name}")
async def asset(name: str, request: Request) -> Response:
    if name not in _assets():
        raise HTTPException(404)
    return _answer(request, _assets()[name], FOR_EVER)


@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    return HTMLResponse(reference_page(request.app.openapi()))


def _file(path: str, file: Path, caching: str) -> None:
    async def send(request: Request) -> Response:
        return _answer(request, file, caching)

    router.add_api_route(path, send, methods=["GET"], name=path[1:].replace("/", "_").replace(".", "_"))


for _name in ROOT_FILES:
    _file(f"/{_name}", APPLICATION / _name, ASK_AGAIN)
_file("/favicon.ico", APPLICATION / "icon.svg", AN_HOUR)  # what a browser asks for beside a plain file
_file("/static/style.css", STATIC / "style.css", AN_HOUR)
_file("/static/favicon.svg", STATIC / "favicon.svg", AN_HOUR)
