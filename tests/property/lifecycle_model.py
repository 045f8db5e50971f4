"""The lifecycle as a small model: what may happen to a run, and what comes of it."""

import datetime as dt
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from backproof.domain.lifecycle import CLAIMED, FINAL, Priority, Status
from backproof.errors import BackproofError, Conflict, NotFound


@dataclass(frozen=True)
class Run:
    """What has to be known of a run to say what may happen to it.

    place: among the waiting runs; has_data: all it needs was there when it was submitted
    """

    owner: str
    status: Status
    priority: Priority
    place: int
    has_data: bool = True
    fence: int = 0
    attempt: int = 0
    crashes: int = 0
    deleted: bool = False
    bar: int | None = None
    result: bool = False
    partial: bool = False
    events: tuple[str, ...] = ()

    def to(self, status: Status, *before: str, **changes: Any) -> "Run":
        return replace(self, status=status, events=(*self.events, *before, str(status)), **changes)

    def holds(self, fence: int) -> bool:
        return self.fence == fence and self.status in CLAIMED


Answer = Run | type[BackproofError] | None
"""The run after a permitted operation; the error that refuses it; None where the claim is lost."""


def claimed(run: Run) -> Answer:
    if run.status != Status.QUEUED:
        return None
    return run.to(Status.RUNNING, fence=run.fence + 1, attempt=run.attempt + 1)


def cancelled(run: Run) -> Answer:
    if run.deleted:
        return NotFound
    match run.status:
        case Status.QUEUED | Status.PENDING:
            return run.to(Status.CANCELLED)
        case Status.RUNNING:
            return run.to(Status.CANCELLING)
        case Status.CANCELLING:
            return run
    return Conflict


def resumed(run: Run, place: int) -> Answer:
    if run.deleted:
        return NotFound
    if run.status not in (Status.FAILED, Status.CANCELLED):
        return Conflict
    if not run.has_data:
        return run.to(Status.PENDING)
    return run.to(Status.QUEUED, "log", crashes=0, place=place)


def deleted(run: Run) -> Answer:
    if run.deleted:
        return NotFound
    if run.status in (Status.QUEUED, Status.PENDING):
        run = run.to(Status.CANCELLED)
    return replace(run, deleted=True) if run.status in FINAL else Conflict


def patched(run: Run, priority: Priority) -> Answer:
    return NotFound if run.deleted else replace(run, priority=priority)


def restored(run: Run) -> Answer:
    return replace(run, deleted=False) if run.deleted else Conflict


def checkpointed(run: Run, fence: int, bar: int) -> Answer:
    return replace(run, bar=bar, events=(*run.events, "checkpoint")) if run.holds(fence) else None


def logged(run: Run, fence: int) -> Answer:
    return replace(run, events=(*run.events, "log")) if run.holds(fence) else None


def renewed(run: Run, fence: int) -> Answer:
    return run if run.holds(fence) else None


def finished(run: Run, fence: int, error: bool) -> Answer:
    if not run.holds(fence):
        return None
    if error:
        return run.to(Status.FAILED, "log", partial=run.partial and run.result)
    status = Status.CANCELLED if run.status == Status.CANCELLING else Status.COMPLETED
    return run.to(status, "log", result=True, partial=False, bar=None)


def given_back(run: Run, fence: int, reason: str) -> Answer:
    if not run.holds(fence):
        return None
    if run.status == Status.CANCELLING:
        return run.to(Status.CANCELLED, "log", partial=True)
    crashes = run.crashes + (reason != "worker_stopped")
    return run.to(Status.FAILED if crashes == 3 else Status.QUEUED, "log", crashes=crashes)


def next_ids(runs: dict[str, Run], served: dict[str, dt.datetime]) -> list[str]:
    """The first run of each owner: of who has the fewest running, then served longest ago, then waiting longest."""
    waiting: dict[str, list[Run]] = {}
    for run in runs.values():
        if run.status == Status.QUEUED:
            waiting.setdefault(run.owner, []).append(run)
    running = Counter(run.owner for run in runs.values() if run.status in CLAIMED)
    never = dt.datetime.min.replace(tzinfo=dt.UTC)

    def turn(owner: str) -> Any:
        return running[owner], served.get(owner, never), min(run.place for run in waiting[owner])

    firsts = [min(waiting[owner], key=lambda run: (-run.priority, run.place)) for owner in sorted(waiting, key=turn)]
    return [key for first in firsts for key, run in runs.items() if run is first]
