"""MonitoringService: where a run stands, what happened to it, and what happens now."""

from collections.abc import AsyncIterator, Sequence

from backproof.domain.backtest import Backtest
from backproof.domain.documents import Condition, Op, Order, Repository, eq, is_in, iso, utc_now
from backproof.domain.events import Event, EventType, RunEvent
from backproof.domain.lifecycle import FINAL, Status
from backproof.errors import BrokerUnavailable
from backproof.messaging.redis import EventStream, LiveState, Presence
from backproof.services.backtests.estimates import Estimator
from backproof.services.backtests.models import StatusView


class MonitoringService:
    def __init__(
        self, repository: Repository, stream: EventStream, live: LiveState, presence: Presence, estimator: Estimator
    ) -> None:
        self._repository = repository
        self._stream = stream
        self._live = live
        self._presence = presence
        self._estimator = estimator

    async def status(self, run: Backtest) -> StatusView:
        """The body of GET /backtests/{id}/status."""
        return _view(run, await self._estimator.queue_position(run))

    async def progress_frame(self, run: Backtest) -> Event:
        """The same as a latest-value event."""
        return Event(type=EventType.PROGRESS, seq=run.seq, timestamp=utc_now(), data=plain_view(await self.status(run)))

    async def events(
        self, run_id: str, after: int = 0, limit: int = 500, types: Sequence[EventType] | None = None
    ) -> list[Event]:
        """Durable events with seq > after, in order."""
        where = [eq("run_id", run_id), Condition("seq", Op.GT, after)]
        if types is not None:
            where.append(is_in("type", tuple(str(kind) for kind in types)))
        stored = await self._repository.find(RunEvent, where, Order("seq"), limit)
        found = [event.event() for event in stored]
        if types is None and len(stored) < limit:
            # what a writer saved but has not relayed yet is still in the document's outbox
            run = await self._repository.get(Backtest, run_id)
            last = found[-1].seq if found else after
            for event in run.outbox if run else ():
                if event.seq == last + 1 and len(found) < limit:
                    found.append(event)
                    last = event.seq
        return found

    async def latest(self, run_id: str) -> list[Event]:
        """The newest progress and equity frame, for a viewer who comes late; empty when Redis is away."""
        try:
            return await self._live.get(run_id)
        except BrokerUnavailable:
            return []

    async def live(self) -> AsyncIterator[tuple[str, Event] | None]:
        """(run id, event) of all runs as they happen; None once a second without any. One reader per process.

        Raises BrokerUnavailable when Redis stops answering: start again, and read the store for what was missed.
        """
        position = await self._stream.last_id()
        while True:
            position, found = await self._stream.read(position)
            for item in found:
                yield item
            if not found:
                yield None

    async def workers(self) -> list[dict[str, str | int]]:
        """Worker processes that can take work now. Raises BrokerUnavailable."""
        return await self._presence.workers()

    async def counts(self) -> dict[str, int]:
        """Runs by status, from the store."""
        return await self._repository.counts_by(Backtest, "status")

    async def ping_store(self) -> None:
        await self._repository.ping()


def plain_view(view: StatusView) -> dict[str, object]:
    """JSON-plain form of a status view."""
    return {
        "backtest_id": view.backtest_id,
        "status": str(view.status),
        "progress": view.progress,
        "current_step": view.current_step,
        "bars_done": view.bars_done,
        "total_bars": view.total_bars,
        "fills": view.fills,
        "eta_seconds": view.eta_seconds,
        "queue_position": view.queue_position,
        "estimated_duration": view.estimated_duration,
        "attempt": view.attempt,
        "created_at": iso(view.created_at),
        "started_at": iso(view.started_at) if view.started_at else None,
        "completed_at": iso(view.completed_at) if view.completed_at else None,
        "error": view.error.model_dump(mode="json") if view.error else None,
        "seq": view.seq,
    }


def _view(run: Backtest, queue_position: int | None) -> StatusView:
    done = run.status in FINAL
    return StatusView(
        backtest_id=run.id,
        status=run.status,
        progress=100.0 if run.status == Status.COMPLETED else run.progress.percent,
        current_step=None if done or run.progress.stage is None else str(run.progress.stage),
        bars_done=run.progress.bars_done,
        total_bars=run.progress.total_bars,
        fills=run.progress.fills,
        eta_seconds=None if done else run.progress.eta_seconds,
        queue_position=queue_position,
        estimated_duration=run.estimated_seconds,
        attempt=run.attempt,
        created_at=run.created_at,
        started_at=run.started_at,
        completed_at=run.completed_at,
        error=run.error,
        seq=run.seq,
    )
