"""One WebSocket: first where the run stands, then every event after the client's cursor, then live until the end."""

import asyncio
import time
from contextlib import suppress
from typing import Any

import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from backproof.bootstrap import ServiceFactory
from backproof.domain.backtest import Backtest
from backproof.domain.documents import utc_now
from backproof.domain.events import Event, EventType
from backproof.domain.lifecycle import FINAL, Status
from backproof.errors import NotFound, StoreUnavailable
from backproof.services.backtests.monitoring import plain_view
from backproof.web.realtime import Feed, Hub

log = structlog.get_logger(__name__)
SEND_SECONDS = 10.0
CLOSE_SECONDS = 10.0
POLL_SECONDS = 0.5
WAITING = (Status.QUEUED, Status.PENDING)
PAGE = 500
GAP_SECONDS = 1.0
CLIENT_MESSAGES_PER_MINUTE = 100

NORMAL, POLICY, FAULT, LATER = 1000, 1008, 1011, 1013
BAD_AFTER, UNKNOWN, TOO_MANY = 4400, 4404, 4429


class Closed(Exception):
    """The server ends this socket."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Session:
    """cursor: seq of the last durable event this socket was given; frames without a number of their own carry it."""

    def __init__(
        self, socket: WebSocket, services: ServiceFactory, hub: Hub, feed: Feed, owner: str, after: int
    ) -> None:
        self._socket = socket
        self._services = services
        self._hub = hub
        self._feed = feed
        self._owner = owner
        self.cursor = after
        self._ended = False
        self._final_seen = False
        self._told: tuple[bool, str | None] = (True, None)
        self._shown: dict[str, Any] = {}
        self._store_away = False

    async def serve(self) -> None:
        """Until the client leaves or the server has a reason to end it."""
        listening = asyncio.create_task(self._listen())
        telling = asyncio.create_task(self._tell())
        try:
            done, _ = await asyncio.wait((listening, telling), return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except Closed as closed:
            await close(self._socket, closed.code, closed.reason)
        except WebSocketDisconnect:
            pass
        except StoreUnavailable:
            await close(self._socket, LATER, "the metadata store does not answer")
        except Exception:
            log.exception("session_failed", run_id=self._feed.run_id)
            await close(self._socket, FAULT, "internal error")
        finally:
            for task in (listening, telling):
                task.cancel()
            await asyncio.gather(listening, telling, return_exceptions=True)

    async def _listen(self) -> None:
        """Clients have nothing to say here; what they send is dropped, and too much of it ends the socket."""
        window, count = time.monotonic(), 0
        while True:
            if (await self._socket.receive())["type"] == "websocket.disconnect":
                return
            if time.monotonic() - window > 60:
                window, count = time.monotonic(), 0
            count += 1
            if count > CLIENT_MESSAGES_PER_MINUTE:
                raise Closed(POLICY, "too many messages")

    async def _tell(self) -> None:
        await self._start()
        interval = self._services.settings.ws_heartbeat_interval
        beat_at = time.monotonic() + interval
        while True:
            await self._guarded()
            if self._ended:
                raise Closed(NORMAL, "final")
            now = time.monotonic()
            if self._live_state() != self._told or now >= beat_at:
                if now >= beat_at:
                    # also finds what a stream that lost events without an error did not bring
                    self._feed.stale = True
                    beat_at = now + interval
                await self._heartbeat()
                continue
            wait = beat_at - now if self._live_state()[0] else min(beat_at - now, POLL_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._feed.wake.wait()

    async def _start(self) -> None:
        run = await self._run()
        self.cursor = min(self.cursor, run.seq)
        view = plain_view(await self._services.monitoring.status(run))
        equity = await self._services.monitoring.latest(run.id) if run.attempt and run.result is None else None
        self._shown = view
        await self._send(EventType.INITIAL_STATUS, {**view, "equity": equity})
        self._final_seen, self._feed.waits = run.final, run.status in WAITING
        if run.final:
            await self._read_store()
            self._ended = await self._is_over()

    async def _guarded(self) -> None:
        """One round of delivering; a store that is away is waited for."""
        try:
            await self._deliver()
            self._store_away = False
        except StoreUnavailable as error:
            if not self._store_away:
                log.warning("session_waits_for_store", reason=str(error))
            self._store_away = self._feed.stale = True

    async def _deliver(self) -> None:
        feed = self._feed
        feed.wake.clear()
        polling = not self._hub.connected
        if feed.overflowed:
            raise Closed(LATER, "too slow")
        if feed.stale or polling:
            await self._read_store()
        while feed.durable:
            event = feed.durable.popleft()
            if event.seq > self.cursor + 1:
                await self._fill_gap(event)
            await self._send_durable(event)
        if self._final_seen and await self._is_over():
            self._ended = True
            # the status of the end once more, whole: error, times, progress
            await self._send(EventType.PROGRESS, plain_view(await self._services.monitoring.status(await self._run())))
            return
        if polling:
            await self._poll_status()
        while feed.latest:
            kind = next(iter(feed.latest))
            await self._send(kind, feed.latest.pop(kind).data)

    async def _read_store(self) -> None:
        """Send what the store holds after the cursor, until it holds no more."""
        feed = self._feed
        feed.reading = True
        try:
            while True:
                feed.stale = False
                events = await self._services.monitoring.events(feed.run_id, self.cursor, PAGE)
                for event in events:
                    await self._send_durable(event)
                if len(events) < PAGE and not feed.stale:
                    return
        except BaseException:
            feed.stale = True
            raise
        finally:
            feed.reading = False

    async def _fill_gap(self, event: Event) -> None:
        """An event is here before its predecessors: they are in the store, at the latest in a moment."""
        until = time.monotonic() + GAP_SECONDS
        while True:
            await self._read_store()
            if event.seq <= self.cursor + 1 or time.monotonic() > until:
                break
            await asyncio.sleep(0.02)
        if event.seq > self.cursor + 1:
            await self._run()  # deleted meanwhile?
            log.error("event_gap", run_id=self._feed.run_id, cursor=self.cursor, seq=event.seq)

    async def _is_over(self) -> bool:
        """Whether the run has ended and everything of it is told; its owner may have had it resumed."""
        run = await self._run()
        if run.seq > self.cursor:
            self._feed.missed()
            return False
        return run.final

    async def _poll_status(self) -> None:
        view = plain_view(await self._services.monitoring.status(await self._run()))
        if view != self._shown:
            self._shown = view
            await self._send(EventType.PROGRESS, view)

    async def _run(self) -> Backtest:
        try:
            return await self._services.orchestrator.get(self._feed.run_id, self._owner)
        except NotFound:
            raise Closed(UNKNOWN, "unknown backtest") from None

    def _live_state(self) -> tuple[bool, str | None]:
        if self._store_away:
            return False, "the metadata store does not answer"
        return self._hub.connected, self._hub.reason

    async def _heartbeat(self) -> None:
        self._told = self._live_state()
        live, reason = self._told
        await self._send(EventType.HEARTBEAT, {"live": live, "reason": reason})

    async def _send_durable(self, event: Event) -> None:
        if event.seq <= self.cursor:
            return
        await self._send_text(event)
        self.cursor = event.seq
        if event.type is EventType.STATUS_CHANGE:
            self._final_seen = event.data.get("status") in FINAL
            self._feed.waits = event.data.get("status") in WAITING

    async def _send(self, kind: EventType, data: dict[str, Any]) -> None:
        await self._send_text(Event(type=kind, seq=self.cursor, timestamp=utc_now(), data=data))

    async def _send_text(self, event: Event) -> None:
        try:
            async with asyncio.timeout(SEND_SECONDS) as limit:
                self._feed.sending = limit
                await self._socket.send_text(event.model_dump_json())
        except TimeoutError:
            raise Closed(LATER, "too slow") from None
        finally:
            self._feed.sending = None


async def close(socket: WebSocket, code: int, reason: str) -> None:
    """Close, waiting a while for a client that does not read."""
    if socket.application_state is WebSocketState.CONNECTED:
        with suppress(TimeoutError, RuntimeError, WebSocketDisconnect):
            async with asyncio.timeout(CLOSE_SECONDS):
                await socket.close(code, reason)
