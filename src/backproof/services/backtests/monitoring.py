"""MonitoringService: where a run stands, what happened to it, and what happens now."""

import contextlib
import datetime as dt
from collections.abc import AsyncIterator, Container, Sequence
from typing import Any

from backproof.domain.backtest import Backtest, Intermediate
from backproof.domain.documents import Condition, Op, Order, Repository, eq, is_in, iso, utc_now
from backproof.domain.events import Event, EventType, RunEvent
from backproof.domain.lifecycle import CLAIMED, FINAL, Status
from backproof.errors import BrokerUnavailable
from backproof.messaging.redis import EventStream, LiveState, Presence
from backproof.services.backtests.estimates import Estimator
from backproof.services.backtests.models import StatusView
from backproof.services.backtests.turns import Turns


class MonitoringService:
    def __init__(
        self, repository: Repository, stream: EventStream, live: LiveState, presence: Presence, estimator: Estimator
    ) -> None:
        self._repository = repository
        self._stream = stream
        self._live = live
        self._presence = presence
        self._estimator = estimator
        self._turns = Turns(repository)

    async def status(self, run: Backtest) -> StatusView:
        """The body of GET /backtests/{id}/status."""
        position = await self._turns.position(run)
        eta = run.progress.eta_seconds
        if position is not None:
            wait = await self._estimator.wait_seconds(position, run.owner_id)
            known = wait is not None and run.estimated_seconds is not None
            eta = round(wait + run.estimated_seconds, 3) if known else None  # type: ignore[operator]
        return _view(run, position, eta)

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
        # The document first: an event that its writer has taken out of the outbox by then is in the log already. The
        # other way round, one that moves from here to there between the two looks would be seen in neither.
        run = await self._repository.get(Backtest, run_id)
        stored = await self._repository.find(RunEvent, where, Order("seq"), limit)
        found = [event.event() for event in stored]
        last = found[-1].seq if found else after
        for event in run.outbox if run is not None and len(stored) < limit else ():
            follows = event.seq == last + 1 if types is None else event.seq > last and event.type in types
            if follows and len(found) < limit:
                found.append(event)
                last = event.seq
        return found

    async def place(self, run_id: str) -> Event | None:
        """Where a waiting run stands in the queue, as a latest-value event; None for one that does not wait."""
        run = await self._repository.get(Backtest, run_id)
        if run is None or run.status not in (Status.QUEUED, Status.PENDING):
            return None
        return await self.progress_frame(run)

    async def latest(self, run_id: str) -> dict[str, Any] | None:
        """The newest data of an equity frame, for a viewer who comes late: of a moment ago, or as it was last saved."""
        with contextlib.suppress(BrokerUnavailable):
            for frame in await self._live.get(run_id):
                if frame.type is EventType.EQUITY:
                    return frame.data
        saved = await self._repository.get(Intermediate, run_id)
        return None if saved is None else equity_data(saved)

    async def live(self, wanted: Container[str] | None = None) -> AsyncIterator[tuple[str, Event] | None]:
        """(run id, event) of runs as they happen; None after every read without any. One reader per process.

        wanted: the runs that somebody watches, asked anew each time; None: all

        Raises BrokerUnavailable when Redis stops answering: start again, and read the store for what was missed.
        """
        position = await self._stream.last_id()
        while True:
            position, found = await self._stream.read(position, wanted)
            for item in found:
                yield item
            if not found:
                yield None

    async def workers(self) -> list[dict[str, str | int]]:
        """Worker processes that can take work now. Raises BrokerUnavailable."""
        return await self._presence.workers()

    async def counts(self) -> dict[str, int]:
        """Runs by status, from the store; without those in the bin."""
        return await self._repository.counts_by(Backtest, "status", (eq("deleted_at", None),))

    async def execution_times(self, bounds: Sequence[float]) -> tuple[list[int], int, float]:
        """(runs that took at most so many seconds for each bound, all runs that were executed, their seconds)."""
        timed = Condition("execution_seconds", Op.GTE, 0.0)
        within = [
            await self._repository.count(Backtest, (timed, Condition("execution_seconds", Op.LTE, bound)))
            for bound in bounds
        ]
        count = await self._repository.count(Backtest, (timed,))
        return within, count, await self._repository.total(Backtest, "execution_seconds", (timed,))

    async def ended_by_hour(self, hours: int) -> list[tuple[dt.datetime, dict[str, int]]]:
        """(beginning of an hour, its runs by the status they ended with), for the last `hours`, oldest first."""
        now = utc_now().replace(minute=0, second=0, microsecond=0)
        begins = [now - dt.timedelta(hours=back) for back in range(hours - 1, -1, -1)]
        first = Condition("completed_at", Op.GTE, begins[0])
        if await self._repository.count(Backtest, (first,)) == 0:
            return [(begin, {}) for begin in begins]
        return [(begin, await self._ended_between(begin, begin + dt.timedelta(hours=1))) for begin in begins]

    async def _ended_between(self, begin: dt.datetime, end: dt.datetime) -> dict[str, int]:
        within = (Condition("completed_at", Op.GTE, begin), Condition("completed_at", Op.LT, end))
        return await self._repository.counts_by(Backtest, "status", within)

    async def running(self) -> list[Backtest]:
        """Runs that a worker holds."""
        held = (is_in("status", tuple(str(status) for status in sorted(CLAIMED))),)
        return await self._repository.find(Backtest, held, Order("started_at"), limit=1000)

    async def ping_store(self) -> None:
        await self._repository.ping()


def equity_data(found: Intermediate) -> dict[str, Any]:
    """The data of an equity frame."""
    return {
        "points": [list(point) for point in found.points],
        "bars_done": found.bars_done,
        "total_bars": found.total_bars,
        "fills": found.fills,
        "trades": found.trades,
        "positions": list(found.positions),
        "position_count": found.position_count,
    }


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
        "priority": view.priority,
        "checkpoint_bar": view.checkpoint_bar,
        "waiting_for": [missing.model_dump(mode="json") for missing in view.waiting_for],
        "created_at": iso(view.created_at),
        "started_at": iso(view.started_at) if view.started_at else None,
        "completed_at": iso(view.completed_at) if view.completed_at else None,
        "error": view.error.model_dump(mode="json") if view.error else None,
        "seq": view.seq,
    }


def _view(run: Backtest, queue_position: int | None, eta: float | None) -> StatusView:
    done = run.status in FINAL
    return StatusView(
        backtest_id=run.id,
        status=run.status,
        progress=100.0 if run.status == Status.COMPLETED else run.progress.percent,
        current_step=None if done or run.progress.stage is None else str(run.progress.stage),
        bars_done=run.progress.bars_done,
        total_bars=run.progress.total_bars,
        fills=run.progress.fills,
        eta_seconds=None if done else eta,
        queue_position=queue_position,
        estimated_duration=run.estimated_seconds,
        attempt=run.attempt,
        priority=run.priority.name.lower(),
        checkpoint_bar=run.checkpoint.bar if run.checkpoint else None,
        waiting_for=run.waiting_for,
        created_at=run.created_at,
        started_at=run.started_at,
        completed_at=run.completed_at,
        error=run.error,
        seq=run.seq,
    )
