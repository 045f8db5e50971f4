"""Who watches a run by a socket sees all of it, also of one that ended before and was resumed by its owner."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from lifecycle_support import OWNER, PATIENCE, never, worker
from starlette.websockets import WebSocketState

from backproof.bootstrap import ServiceFactory
from backproof.domain.backtest import Backtest
from backproof.domain.events import DURABLE, Event, EventType
from backproof.services.backtests.admission import SubmitOptions
from backproof.services.backtests.transitions import Outcome
from backproof.web import session
from backproof.web.realtime import Hub
from backproof.web.session import Session


class Socket:
    """Stands in for the connection: what is sent is kept, and the client says nothing."""

    def __init__(self) -> None:
        self.application_state = WebSocketState.CONNECTED
        self.frames: list[Event] = []
        self.closed: tuple[int, str] | None = None

    async def receive(self) -> dict[str, str]:
        await asyncio.Event().wait()
        raise AssertionError

    async def send_text(self, text: str) -> None:
        self.frames.append(Event.model_validate_json(text))

    async def close(self, code: int, reason: str) -> None:
        self.closed = code, reason

    @property
    def seqs(self) -> list[int]:
        """Of the durable events."""
        return [frame.seq for frame in self.frames if frame.type in DURABLE]

    @property
    def statuses(self) -> list[str]:
        return [frame.data["status"] for frame in self.frames if frame.type == EventType.STATUS_CHANGE]


@pytest.fixture
async def hub(services: ServiceFactory, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hub]:
    monkeypatch.setattr(session, "GAP_SECONDS", PATIENCE)
    made = Hub(services.monitoring, 10, 100)
    reading = asyncio.create_task(made.run())
    async with asyncio.timeout(20):
        while not made.connected:
            await asyncio.sleep(0)
    yield made
    reading.cancel()
    await asyncio.wait((reading,))


class Viewer:
    """A client that watches a run, or has watched it until `after`."""

    def __init__(self, services: ServiceFactory, hub: Hub, run_id: str, after: int = 0) -> None:
        feed = hub.subscribe(run_id)
        assert feed is not None
        self.socket = Socket()
        self.session = Session(self.socket, services, hub, feed, OWNER, after)  # type: ignore[arg-type]
        self.serving = asyncio.create_task(self.session.serve())

    async def has_seen(self, seq: int) -> None:
        async with asyncio.timeout(20):
            while self.session.cursor < seq:
                assert not self.serving.done(), self.socket.closed
                await asyncio.sleep(0)

    async def end(self) -> tuple[int, str] | None:
        async with asyncio.timeout(20):
            await self.serving
        return self.socket.closed


@pytest.fixture
async def run(services: ServiceFactory, demo_config: dict[str, object]) -> Backtest:
    return await services.orchestrator.submit(demo_config, OWNER, options=SubmitOptions(use_cache=False))


async def resumed(services: ServiceFactory, run: Backtest) -> Backtest:
    await services.orchestrator.cancel(run.id, OWNER)
    return await services.orchestrator.resume(run.id, OWNER)


async def test_a_viewer_of_a_finished_run_is_told_everything_and_let_go(
    services: ServiceFactory, hub: Hub, run: Backtest
) -> None:
    await services.runner(never).run_waiting()
    done = await services.orchestrator.get(run.id, OWNER)
    viewer = Viewer(services, hub, run.id)
    assert await viewer.end() == (1000, "final")
    assert viewer.socket.frames[0].type == EventType.INITIAL_STATUS
    assert viewer.socket.seqs == list(range(1, done.seq + 1))


@pytest.mark.parametrize("after", [0, 1, 2, 4])
async def test_a_viewer_of_a_resumed_run_stays_until_it_really_ends(
    services: ServiceFactory, hub: Hub, run: Backtest, after: int
) -> None:
    again = await resumed(services, run)
    viewer = Viewer(services, hub, run.id, after)
    await viewer.has_seen(again.seq)
    held = await services.orchestrator.claim_next(worker())
    assert held is not None
    await viewer.has_seen(held.seq)
    done = await services.orchestrator.finish(held, Outcome(), [])
    assert done is not None
    assert await viewer.end() == (1000, "final")
    assert viewer.socket.seqs == list(range(after + 1, done.seq + 1))
    assert (
        viewer.socket.statuses
        == ["queued", "cancelled", "queued", "running", "completed"][-len(viewer.socket.statuses) :]
    )


async def test_a_viewer_hears_of_attempts_that_were_given_back(
    services: ServiceFactory, hub: Hub, run: Backtest
) -> None:
    viewer = Viewer(services, hub, run.id)
    for reason in ("worker_died", "worker_stopped"):
        held = await services.orchestrator.claim_next(worker())
        assert held is not None
        given = await services.orchestrator.give_back(held, reason)
        assert given is not None
        await viewer.has_seen(given.seq)
    await services.runner(never).run_waiting()
    assert await viewer.end() == (1000, "final")
    assert viewer.socket.statuses == ["queued", "running", "queued", "running", "queued", "running", "completed"]
    assert viewer.socket.seqs == list(range(1, viewer.socket.seqs[-1] + 1))
    last = viewer.socket.frames[-1]
    assert (last.type, last.data["status"], last.data["attempt"]) == (EventType.PROGRESS, "completed", 3)
