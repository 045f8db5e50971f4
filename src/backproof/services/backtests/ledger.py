"""RunLedger: a change of a run and the events that tell of it are one write; relaying them comes after.

The outbox in the document makes that safe: whoever finds events there (the writer at once, the scheduler if the writer
died) copies them to the store's event log and to the stream. Doing it twice changes nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from backproof.domain.backtest import Backtest
from backproof.domain.documents import Change, Repository, eq, utc_now
from backproof.domain.events import Event, EventType, RunEvent
from backproof.errors import BrokerUnavailable
from backproof.messaging.redis import EventStream

log = structlog.get_logger(__name__)
_TRIES = 100


@dataclass(frozen=True, slots=True)
class Draft:
    """What shall change on a run, and the durable events that say so."""

    set: dict[str, object] = field(default_factory=dict)
    inc: dict[str, int | float] = field(default_factory=dict)
    events: Sequence[tuple[EventType, dict[str, Any]]] = ()


class RunLedger:
    def __init__(self, repository: Repository, stream: EventStream) -> None:
        self._repository = repository
        self._stream = stream

    async def add(self, run: Backtest, events: Sequence[tuple[EventType, dict[str, Any]]]) -> Backtest | None:
        """Save a new run with its first events; None when the id is taken."""
        outbox = _numbered(0, events)
        run = run.model_copy(update={"outbox": outbox, "seq": len(outbox), "relay_pending": True})
        if not await self._repository.add(run):
            return None
        await self.relay(run)
        return run

    async def change(
        self, run: Backtest, decide: Callable[[Backtest], Draft | None], *, written: Callable[[], None] | None = None
    ) -> Backtest | None:
        """Apply what `decide` answers for the run as it is now; None when it answers None or the run is gone.

        `decide` may be called again with a newer document: whoever else changed the run in between wins first.
        written: called once the change is durable, before anybody is told, which takes longer while Redis is away
        """
        current: Backtest | None = run
        for _ in range(_TRIES):
            if current is None or (draft := decide(current)) is None:
                return None
            outbox = _numbered(current.seq, draft.events)
            change = Change(
                set={**draft.set, **({"relay_pending": True} if outbox else {})},
                inc={**draft.inc, "revision": 1, **({"seq": len(outbox)} if outbox else {})},
                push={"outbox": outbox} if outbox else {},
            )
            where = (eq("revision", current.revision), eq("status", current.status), eq("fence", current.fence))
            changed = await self._repository.update(Backtest, current.id, where, change)
            if changed is not None:
                if written is not None:
                    written()
                if outbox:
                    await self.relay(changed)
                return changed
            current = await self._repository.get(Backtest, current.id)
        raise AssertionError(f"run {run.id} changed {_TRIES} times while it was being changed")

    async def relay(self, run: Backtest) -> None:
        """Copy the outbox to the event log and the stream, then empty it. What fails is tried again by the sweep."""
        await self._repository.add_all([RunEvent.of(run.id, event) for event in run.outbox])
        # an empty outbox that is still pending: the log has the events, only the stream missed them
        events = run.outbox or tuple(
            stored.event()
            for stored in await self._repository.find(RunEvent, (eq("run_id", run.id), eq("seq", run.seq)))
        )
        published = True
        if events:
            try:
                await self._stream.publish(run.id, events)
            except BrokerUnavailable as error:
                published = False
                log.debug("events_not_published", run_id=run.id, reason=str(error))
        emptied = Change(set={"relay_pending": not published}, pull_through={"outbox": run.seq})
        if await self._repository.update(Backtest, run.id, (eq("seq", run.seq),), emptied) is None:
            await self._repository.update(Backtest, run.id, (), Change(pull_through={"outbox": run.seq}))

    async def sweep(self) -> int:
        """Relay what a dead writer left behind; how many runs had something."""
        waiting = await self._repository.find(Backtest, (eq("relay_pending", True),), limit=200)
        for run in waiting:
            await self.relay(run)
        return len(waiting)


def _numbered(last: int, events: Sequence[tuple[EventType, dict[str, Any]]]) -> tuple[Event, ...]:
    now = utc_now()
    return tuple(
        Event(type=kind, seq=last + i, timestamp=now, data=data) for i, (kind, data) in enumerate(events, start=1)
    )
