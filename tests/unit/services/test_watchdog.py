"""The watchdog ends a process that cannot renew its claim, and only such a one."""

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from lifecycle_support import OWNER, import_prices, mine

from backproof.bootstrap import ServiceFactory
from backproof.domain.backtest import Backtest, Intermediate
from backproof.domain.events import Event, EventType
from backproof.domain.lifecycle import Status
from backproof.messaging.redis import EventStream
from backproof.services.backtests import runner as runner_module
from backproof.services.backtests import watchdog as watchdog_module
from backproof.services.backtests.watchdog import Watchdog

LIMIT = 0.05  # seconds: the thread looks ten times as often


class Clock:
    """What the watchdog takes for the time, and how often it looked."""

    def __init__(self) -> None:
        self.now = 0.0
        self._looks = threading.Semaphore(0)

    def monotonic(self) -> float:
        if threading.current_thread() is not threading.main_thread():
            self._looks.release()
        return self.now

    def looked(self) -> None:
        """Once it has seen the time that it is now."""
        while self._looks.acquire(blocking=False):
            pass
        for _ in range(2):  # the first may have begun before
            assert self._looks.acquire(timeout=20)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(watchdog_module, "time", SimpleNamespace(monotonic=made.monotonic))
    return made


def test_a_claim_that_is_not_renewed_ends_the_process(clock: Clock) -> None:
    ended = threading.Event()
    with Watchdog(LIMIT, lambda _reason: ended.set()):
        clock.now += 0.9 * LIMIT
        clock.looked()
        assert not ended.is_set()
        clock.now += 0.2 * LIMIT
        assert ended.wait(20)


def test_a_claim_that_is_renewed_does_not(clock: Clock) -> None:
    ended = threading.Event()
    with Watchdog(LIMIT, lambda _reason: ended.set()) as watchdog:
        for _ in range(5):
            clock.now += 0.9 * LIMIT
            watchdog.renewed()
            clock.looked()
        assert not ended.is_set()


def test_leaving_the_block_stops_the_watch(clock: Clock) -> None:
    ended = threading.Event()
    with Watchdog(LIMIT, lambda _reason: ended.set()) as watchdog:
        watchdog.renewed()
    clock.now += 10 * LIMIT
    watchdog._thread.join(20)
    assert not watchdog._thread.is_alive()
    assert not ended.is_set()


async def test_a_run_that_has_ended_is_told_and_tidied_however_long_that_takes(
    services: ServiceFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As while Redis stands still: the end is written, nothing is claimed any more, and so nothing can be lost."""
    await import_prices(services, tmp_path)
    publish = EventStream.publish
    watching: list[Watchdog] = []
    ended: list[str] = []

    def made(*arguments: Any, **options: Any) -> Watchdog:
        watching.append(Watchdog(*arguments, **options))
        return watching[-1]

    async def slow_at_the_end(self: EventStream, run_id: str, events: Sequence[Event]) -> None:
        if any(event.type == EventType.STATUS_CHANGE and event.data["status"] == "completed" for event in events):
            [watchdog] = watching
            watchdog._last = float("-inf")  # it has not been renewed for ever
            await asyncio.to_thread(watchdog._thread.join, 20)
            assert not watchdog._thread.is_alive()
        await publish(self, run_id, events)

    monkeypatch.setattr(runner_module, "Watchdog", made)
    monkeypatch.setattr(EventStream, "publish", slow_at_the_end)
    run = await services.orchestrator.submit(mine(), OWNER)
    await services.runner(ended.append).run_waiting()
    assert ended == []
    done = await services.repository.get(Backtest, run.id)
    assert done is not None
    assert (done.status, done.relay_pending) == (Status.COMPLETED, False)
    assert await services.repository.get(Intermediate, run.id) is None
