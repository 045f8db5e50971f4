"""The service about itself."""

from typing import Literal

from pydantic import Field

from backproof.web.schemas.common import Out

State = Literal["ok", "unavailable"]


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
    python: str


class QueueOut(Out):
    queued: int
    running: int
    limit: int = Field(description="Most that may wait (BACKTEST_QUEUE_MAX_SIZE).")
    max_concurrent: int = Field(description="Most that may run at once (MAX_CONCURRENT_BACKTESTS).")
    workers: int | None = Field(description="Worker processes that can take work now; null when Redis is away.")
    by_status: dict[str, int]
