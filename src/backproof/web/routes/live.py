"""The WebSocket of a run."""

from fastapi import APIRouter, WebSocket

from backproof.errors import NotFound
from backproof.web import security
from backproof.web.dependencies import known_form, services
from backproof.web.realtime import Hub
from backproof.web.session import BAD_AFTER, LATER, TOO_MANY, UNKNOWN, Session, close

router = APIRouter()
_DIGITS = 15


@router.websocket("/ws/backtest/{backtest_id}")
async def follow(socket: WebSocket, backtest_id: str) -> None:
    await socket.accept()
    after = socket.query_params.get("after", "0")
    if not (after.isascii() and after.isdigit() and len(after) <= _DIGITS):
        await close(socket, BAD_AFTER, "after is the seq of the last event seen")
        return
    try:
        known_form(backtest_id)
    except NotFound:
        await close(socket, UNKNOWN, "unknown backtest")
        return
    hub: Hub | None = socket.app.state.hub
    if hub is None:
        await close(socket, LATER, "the metadata store does not answer")
        return
    feed = hub.subscribe(backtest_id)
    if feed is None:
        await close(socket, TOO_MANY, "too many connections")
        return
    try:
        await Session(socket, await services(socket), hub, feed, security.owner(), int(after)).serve()
    finally:
        hub.unsubscribe(feed)
