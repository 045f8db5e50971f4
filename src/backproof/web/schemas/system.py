"""The service about itself."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from backproof.domain.documents import UtcDatetime
from backproof.web.schemas.common import In, Out

State = Literal["ok", "unavailable"]
LimitUnit = Literal["backtests", "connections", "seconds", "hours", "days", "megabytes", "bytes"]


class LiveOut(Out):
    status: Literal["ok"] = "ok"


class ReadyOut(Out):
    """ready: a submitted backtest starts at once. degraded: it is accepted and waits. unavailable: it is refused."""

    status: Literal["ready", "degraded", "unavailable"]
    store: State
    broker: State
    workers: int = Field(description="Worker processes that can take work now.")
    live_updates: State = Field(description="unavailable: WebSockets are served from the store, more slowly.")
    reasons: list[str] = Field(description="What is wrong, in words.")


class VersionOut(Out):
    name: Literal["backproof"] = "backproof"
    version: str
    api_version: Literal["v1"] = "v1"
    engine_semantics: int = Field(description="Raised with every change of what the engine computes.")
    python: str
    libraries: dict[str, str] = Field(
        description="Versions of the libraries that compute, store and queue.", examples=[{"numpy": "2.4.1"}]
    )


class WorkerOut(Out):
    """A worker that takes work now."""

    name: str
    pid: int
    queues: list[str]
    slots: int = Field(description="What it does at once.")

    @classmethod
    def of(cls, said: Mapping[str, str | int]) -> "WorkerOut":
        queues = str(said["queues"]).split(",")
        return cls(name=str(said["name"]), pid=int(said["pid"]), queues=queues, slots=int(said["slots"]))


class RunningOut(Out):
    """A backtest that a worker process holds."""

    backtest_id: str
    name: str
    worker: str = Field(description="Host and process id.")
    attempt: int
    progress: float
    started_at: UtcDatetime | None


class WorkersOut(Out):
    workers: list[WorkerOut] | None = Field(description="null when Redis is away and nobody knows.")
    running: list[RunningOut]


class LimitOut(Out):
    """One limit of this service; the operator sets it by an environment variable or in `.env`."""

    setting: str = Field(description="Name of the environment variable.", examples=["MAX_CONCURRENT_BACKTESTS"])
    value: int | float | None = Field(description="null: no limit of its own; see the setting.", examples=[5])
    unit: LimitUnit = Field(examples=["backtests"])


class LimitsOut(Out):
    items: list[LimitOut]


class ActivityIn(In):
    hours: Annotated[int, Field(ge=1, le=168, description="How far back, the running hour included.")] = 24


class HourOut(Out):
    """Backtests that ended within one hour."""

    hour: UtcDatetime = Field(description="Its beginning.")
    completed: int
    failed: int
    cancelled: int


class ActivityOut(Out):
    items: list[HourOut] = Field(description="Oldest first, without gaps.")


class QueueOut(Out):
    queued: int
    pending: int = Field(description="Backtests that wait for data.")
    running: int
    limit: int = Field(description="Most that may wait (BACKTEST_QUEUE_MAX_SIZE).")
    max_concurrent: int = Field(description="Most that may run at once (MAX_CONCURRENT_BACKTESTS).")
    workers: int | None = Field(description="Worker processes that can take work now; null when Redis is away.")
    by_status: dict[str, int]
