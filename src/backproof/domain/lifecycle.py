"""Which status may follow which. BacktestOrchestrator is the only one that applies this table."""

from enum import IntEnum, StrEnum


class Status(StrEnum):
    PENDING = "pending"  # waiting for data
    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


FINAL = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED})
CLAIMED = frozenset({Status.RUNNING, Status.CANCELLING})

TRANSITIONS: dict[Status, frozenset[Status]] = {
    Status.PENDING: frozenset({Status.QUEUED, Status.FAILED, Status.CANCELLED}),
    # running -> queued: the worker died or gave the run back
    Status.QUEUED: frozenset({Status.RUNNING, Status.CANCELLED, Status.FAILED}),
    Status.RUNNING: frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLING, Status.QUEUED}),
    Status.CANCELLING: frozenset({Status.CANCELLED, Status.FAILED}),
    # nobody leaves a final status by itself; the owner may have a run resumed that did not complete
    Status.COMPLETED: frozenset(),
    Status.FAILED: frozenset({Status.QUEUED, Status.PENDING}),
    Status.CANCELLED: frozenset({Status.QUEUED, Status.PENDING}),
}


class Priority(IntEnum):
    """Which of one owner's waiting runs goes first; between owners, the one with fewer running does."""

    LOW = 1
    NORMAL = 2
    HIGH = 3


class Stage(StrEnum):
    """What a running backtest is doing."""

    COLLECT_DATA = "collect_data"
    INDICATORS = "indicators"
    SIMULATE = "simulate"
    SAVE = "save"


# percent of the whole: simulating is what takes long where anything does, so that is what the percent tells of
STAGE_SPAN: dict[Stage, tuple[float, float]] = {
    Stage.COLLECT_DATA: (0.0, 5.0),
    Stage.INDICATORS: (5.0, 10.0),
    Stage.SIMULATE: (10.0, 95.0),
    Stage.SAVE: (95.0, 100.0),
}
