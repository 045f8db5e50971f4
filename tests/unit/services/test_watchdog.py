"""The watchdog ends a process that cannot renew its claim, and only such a one."""

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from lifecycle_support import OWNER, import_prices, mine

from backproof.bootstrap import ServiceFactory
from backproof.domain.backtest import Backtest, Intermediate
from backproof.domain.events import Event, EventType
from backproof.domain.lifecycle import Status
from backproof.messaging.redis import EventStream
from backproof.services.backtests import runner as runner_module
from backproof.services.backtests.watchdog import Watchdog


def test_a_claim_that_is_not_renewed_ends_the_process() -> None:
    ended = threading.Event()
    with Watchdog(0.05, lambda _reason: ended.set()):
        assert ended.wait(5.0)


def test_a_claim_that_is_renewed_does_not() -> None:
    ended = threading.Event()
    pause = threading.Event()
    with Watchdog(0.5, lambda _reason: ended.set()) as watchdog:
        for _ in range(20):
            pause.wait(0.05)
            watchdog.renewed()
        assert not ended.is_set()


def test_leaving_the_block_stops_the_watch() -> None:
    ended = threading.Event()
    with Watchdog(0.05, lambda _reason: ended.set()) as watchdog:
        watchdog.renewed()
    assert not ended.wait(0.2)


async def test_a_run_that_has_ended_is_told_and_tidied_however_long_that_takes(
    services: ServiceFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As while Redis stands still: the end is written, nothing is claimed any more, and so nothing can be lost."""
    await import_prices(services, tmp_path)
    monkeypatch.setattr(runner_module, "REPORT_SECONDS", 0.02)
    ended = threading.Event()
    publish = EventStream.publish

    async def slow_at_the_end(self: EventStream, run_id: str, events: Sequence[Event]) -> None:
        if any(event.type == EventType.STATUS_CHANGE and event.data["status"] == "completed" for event in events):
            await asyncio.to_thread(ended.wait, 2.0)
        await publish(self, run_id, events)

    monkeypatch.setattr(EventStream, "publish", slow_at_the_end)
    runner = services.runner(lambda _reason: ended.set())
    runner._lease_seconds = 1.5  # the watchdog's limit is two thirds of it
    run = await services.orchestrator.submit(mine(), OWNER)
    await runner.run_waiting()
    assert not ended.is_set()
    done = await services.repository.get(Backtest, run.id)
    assert done is not None
    assert (done.status, done.relay_pending) == (Status.COMPLETED, False)
    assert await services.repository.get(Intermediate, run.id) is None
