"""What happens to a run, as events. Durable ones carry seq 1..n without gaps; progress and equity are latest-value."""

from enum import StrEnum
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from backproof.domain.documents import Document, UtcDatetime


class EventType(StrEnum):
    INITIAL_STATUS = "initial_status"  # first frame of a WebSocket, never stored
    STATUS_CHANGE = "status_change"
    LOG = "log"
    CHECKPOINT = "checkpoint"
    NOTICE = "notice"
    PROGRESS = "progress"
    EQUITY = "equity"
    HEARTBEAT = "heartbeat"


DURABLE = frozenset({EventType.STATUS_CHANGE, EventType.LOG, EventType.CHECKPOINT, EventType.NOTICE})
LogLevel = Literal["debug", "info", "warning", "error"]


class Event(BaseModel):
    """One frame as clients see it.

    seq:  number of this durable event within its run; for the others the seq of the last durable event
    data: by type
          status_change  {status, reason?, error?, attempt, worker?}
          log            {level, message, **fields}
          notice         {code, message, **fields}
          checkpoint     {bar, stage}
          progress       the body of GET /backtests/{id}/status
          equity         {points: [[epoch_ms, equity], ...], bars_done, total_bars, fills, trades, positions,
                         position_count}: the curve so far, down-sampled, and what is held (see Intermediate)
    """

    model_config = ConfigDict(frozen=True, extra="ignore")  # as Document

    type: EventType
    seq: int
    timestamp: UtcDatetime
    data: dict[str, Any]


class RunEvent(Document):
    """A stored durable event; the id is `<run id>:<seq, 8 digits>`, so a second relay of it changes nothing."""

    collection: ClassVar[str] = "backtest_logs"
    indexes: ClassVar[tuple[tuple[str, ...], ...]] = (("run_id", "seq"),)

    run_id: str
    seq: int
    type: EventType
    timestamp: UtcDatetime
    data: dict[str, Any]

    @classmethod
    def of(cls, run_id: str, event: Event) -> "RunEvent":
        return cls(
            id=f"{run_id}:{event.seq:08d}",
            run_id=run_id,
            seq=event.seq,
            type=event.type,
            timestamp=event.timestamp,
            data=event.data,
        )

    def event(self) -> Event:
        return Event(type=self.type, seq=self.seq, timestamp=self.timestamp, data=self.data)
