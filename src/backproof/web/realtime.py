"""Hub: one reader of the event stream per web process, handing every event to the sockets that watch its run.

Only the store is the truth. A feed may lose what it holds (Redis away, a full buffer, an overtaken relay): the session
notices by `seq` and reads the store before it goes on.
"""

import asyncio
from collections import deque
from typing import Any

import structlog

from backproof.domain.events import DURABLE, Event, EventType
from backproof.errors import BrokerUnavailable, StoreUnavailable
from backproof.services.backtests.monitoring import MonitoringService

log = structlog.get_logger(__name__)
BUFFER = 256
RETRY_SECONDS = 0.5
PLACE_SECONDS = 2.0


class Feed:
    """What waits for one socket.

    durable:    events in the order of the stream, at most BUFFER
    latest:     the newest frame of each latest-value type
    reading:    the session reads the store now; durable events only note that there is more to read
    stale:      the store may hold events this feed missed
    overflowed: the socket did not keep up
    sending:    the time limit of the send that runs now, if one does
    waits:      the run waits for a worker or for data: its place in the queue is told
    """

    __slots__ = ("durable", "latest", "overflowed", "reading", "run_id", "sending", "stale", "waits", "wake")

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.durable: deque[Event] = deque()
        self.latest: dict[EventType, Event] = {}
        self.wake = asyncio.Event()
        self.reading = False
        self.stale = True
        self.overflowed = False
        self.sending: asyncio.Timeout | None = None
        self.waits = False

    def offer(self, event: Event) -> None:
        if event.type not in DURABLE:
            self.latest[event.type] = event
        elif self.reading:
            self.stale = True
        elif len(self.durable) < BUFFER:
            self.durable.append(event)
        elif not self.overflowed:
            self.overflowed = True
            self.durable.clear()
            if self.sending is not None:
                self.sending.reschedule(asyncio.get_running_loop().time())
        self.wake.set()

    def missed(self) -> None:
        self.stale = True
        self.wake.set()


class Hub:
    """connected: the stream is being read; while it is not, sessions ask the store twice a second."""

    def __init__(self, monitoring: MonitoringService, sockets_per_run: int, sockets_at_all: int) -> None:
        self._monitoring = monitoring
        self._sockets_per_run = sockets_per_run
        self._sockets_at_all = sockets_at_all
        self._feeds: dict[str, set[Feed]] = {}
        self.connected = False
        self.reason: str | None = "starting"

    @property
    def sockets(self) -> int:
        return sum(map(len, self._feeds.values()))

    def subscribe(self, run_id: str) -> Feed | None:
        """None when this run, or the whole process, has as many sockets here as it may."""
        feeds = self._feeds.get(run_id, set())
        if len(feeds) >= self._sockets_per_run or self.sockets >= self._sockets_at_all:
            return None
        feed = Feed(run_id)
        self._feeds.setdefault(run_id, feeds).add(feed)
        return feed

    def unsubscribe(self, feed: Feed) -> None:
        feeds = self._feeds[feed.run_id]
        feeds.discard(feed)
        if not feeds:
            del self._feeds[feed.run_id]

    async def run(self) -> None:
        """Read for as long as the process serves."""
        while True:
            try:
                async for item in self._monitoring.live(self._feeds):
                    if not self.connected:
                        self._is(True, None)
                    if item is not None:
                        for feed in self._feeds.get(item[0], ()):
                            feed.offer(item[1])
            except BrokerUnavailable as error:
                log.debug("live_stream_lost", reason=str(error))
                self._is(False, "Redis does not answer")
            except Exception:  # a bug; the store goes on serving the sessions
                log.exception("live_stream_failed")
                self._is(False, "reading the event stream failed")
            await asyncio.sleep(RETRY_SECONDS)

    async def tell_places(self) -> None:
        """Every few seconds, to who watches a waiting run: its place in the queue and expected wait, as they change.

        One look per run and process, however many watch.
        """
        told: dict[str, dict[str, Any]] = {}
        while True:
            await asyncio.sleep(PLACE_SECONDS)
            waiting = [run_id for run_id, feeds in self._feeds.items() if any(feed.waits for feed in feeds)]
            told = {run_id: told.get(run_id, {}) for run_id in waiting}
            for run_id in waiting:
                try:
                    frame = await self._monitoring.place(run_id)
                except StoreUnavailable:
                    break
                if frame is not None and frame.data != told[run_id]:
                    told[run_id] = frame.data
                    for feed in self._feeds.get(run_id, ()):
                        feed.offer(frame)

    def _is(self, connected: bool, reason: str | None) -> None:
        """Every session hears of a change, and reads what the stream did not bring until now."""
        if (connected, reason) == (self.connected, self.reason):
            return
        log.info("live_stream", connected=connected, reason=reason)
        self.connected, self.reason = connected, reason
        for feeds in self._feeds.values():
            for feed in feeds:
                feed.missed()
