"""The few pages for people: what runs here, and a reference of the API. No script, nothing from elsewhere."""

import re
from functools import cache
from html import escape
from importlib.resources import files

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from backproof.web.reference import reference_page

router = APIRouter(include_in_schema=False)
_TYPES = {"style.css": "text/css; charset=utf-8", "favicon.svg": "image/svg+xml"}


@cache
def _file(name: str) -> str:
    return files("backproof.web").joinpath("static", name).read_text("utf-8")


@router.get("/")
async def index(request: Request) -> HTMLResponse:
    host = request.headers["host"]  # checked by LocalOnly
    return HTMLResponse(_file("index.html").replace("<!-- host -->", escape(host)))


@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    return HTMLResponse(reference_page(request.app.openapi()))


def _static(name: str, media_type: str) -> None:
    async def send() -> Response:
        return Response(_file(name), headers={"cache-control": "max-age=3600"}, media_type=media_type)

    router.add_api_route(f"/static/{name}", send, methods=["GET"], name=re.sub(r"\W", "_", name))


for _name, _media_type in _TYPES.items():
    _static(_name, _media_type)
