"""Feeds: what a socket is owed is kept, and bounded."""

import asyncio

import pytest

from backproof.domain.documents import utc_now
from backproof.domain.events import Event, EventType
from backproof.web.realtime import BUFFER, Feed


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
