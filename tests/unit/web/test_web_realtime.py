"""Feeds: what a socket is owed is kept, and bounded."""

import asyncio
from collections.abc import AsyncIterator, Container

import pytest

from backproof.domain.documents import utc_now
from backproof.domain.events import Event, EventType
from backproof.errors import BrokerUnavailable
from backproof.web import realtime
from backproof.web.realtime import BUFFER, Feed, Hub


def event(kind: EventType, seq: int) -> Event:
    return Event(type=kind, seq=seq, timestamp=utc_now(), data={})


async def test_only_the_newest_progress_and_equity_wait() -> None:
    feed = Feed("bt-1")
    for seq in range(1000):
        feed.offer(event(EventType.PROGRESS, seq))
        feed.offer(event(EventType.EQUITY, seq))
    assert {kind: e.seq for kind, e in feed.latest.items()} == {EventType.PROGRESS: 999, EventType.EQUITY: 999}
    assert not feed.overflowed
    assert feed.wake.is_set()


async def test_durable_events_wait_in_order_up_to_the_buffer() -> None:
    feed = Feed("bt-1")
    for seq in range(1, BUFFER + 1):
        feed.offer(event(EventType.LOG, seq))
    assert [e.seq for e in feed.durable] == list(range(1, BUFFER + 1))
    assert not feed.overflowed
    feed.offer(event(EventType.LOG, BUFFER + 1))
    assert feed.overflowed
    assert not feed.durable


async def test_an_overflow_ends_the_send_that_hangs() -> None:
    feed = Feed("bt-1")

    async def hang() -> None:
        async with asyncio.timeout(60) as limit:
            feed.sending = limit
            for seq in range(1, BUFFER + 2):
                feed.offer(event(EventType.LOG, seq))
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await hang()


async def test_while_the_store_is_read_events_only_say_that_there_is_more() -> None:
    feed = Feed("bt-1")
    feed.stale, feed.reading = False, True
    for seq in range(1, 10 * BUFFER):
        feed.offer(event(EventType.LOG, seq))
    assert feed.stale
    assert not feed.durable
    assert not feed.overflowed


class Stream:
    """Stands in for MonitoringService.live: what a test puts in comes out, an exception is raised.

    wanted: what the reader asks for, whose contents may change at any time
    """

    def __init__(self) -> None:
        self.items: asyncio.Queue[tuple[str, Event] | Exception | None] = asyncio.Queue()
        self.wanted: Container[str] | None = None

    async def live(self, wanted: Container[str] | None = None) -> AsyncIterator[tuple[str, Event] | None]:
        self.wanted = wanted
        while True:
            item = await self.items.get()
            if isinstance(item, Exception):
                raise item
            yield item


async def test_a_stream_that_comes_back_makes_every_feed_read_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(realtime, "RETRY_SECONDS", 0.0)
    stream = Stream()
    hub = Hub(stream, 10, 100)  # type: ignore[arg-type]
    feed = hub.subscribe("bt-1")
    assert feed is not None
    reading = asyncio.create_task(hub.run())
    for item, connected in ((None, True), (BrokerUnavailable("gone"), False), (None, True), (ValueError("bug"), False)):
        feed.stale = False
        feed.wake.clear()
        stream.items.put_nowait(item)
        await asyncio.wait_for(feed.wake.wait(), 20)
        assert hub.connected is connected
        assert feed.stale
        assert (hub.reason is None) is connected
    reading.cancel()
    await asyncio.wait((reading,))


async def test_a_hub_hands_events_to_the_feeds_of_their_run_only(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Stream()
    hub = Hub(stream, 2, 100)  # type: ignore[arg-type]
    mine, also_mine, other = hub.subscribe("bt-1"), hub.subscribe("bt-1"), hub.subscribe("bt-2")
    assert None not in (mine, also_mine, other)
    assert hub.subscribe("bt-1") is None
    reading = asyncio.create_task(hub.run())
    stream.items.put_nowait(None)
    stream.items.put_nowait(("bt-1", event(EventType.LOG, 1)))
    stream.items.put_nowait(("bt-3", event(EventType.LOG, 1)))
    while not mine.durable:
        await asyncio.sleep(0)
    assert [len(feed.durable) for feed in (mine, also_mine, other)] == [1, 1, 0]
    hub.unsubscribe(mine)
    assert hub.sockets == 2
    assert hub.subscribe("bt-1") is not None
    reading.cancel()
    await asyncio.wait((reading,))


async def test_a_hub_asks_for_the_runs_that_somebody_watches_at_the_moment() -> None:
    stream = Stream()
    hub = Hub(stream, 10, 100)  # type: ignore[arg-type]
    reading = asyncio.create_task(hub.run())
    first = hub.subscribe("bt-1")
    assert first is not None
    while stream.wanted is None:
        await asyncio.sleep(0)
    second = hub.subscribe("bt-2")
    assert second is not None
    assert [run_id in stream.wanted for run_id in ("bt-1", "bt-2", "bt-3")] == [True, True, False]
    hub.unsubscribe(first)
    assert [run_id in stream.wanted for run_id in ("bt-1", "bt-2")] == [False, True]
    reading.cancel()
    await asyncio.wait((reading,))
