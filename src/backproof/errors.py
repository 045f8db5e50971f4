"""Everything that can go wrong, as facts: a stable code, one readable sentence, the fields concerned.

No layer below `web` knows HTTP: `web/errors.py` maps every class here to a status, and a test holds that map complete.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

JsonValue: TypeAlias = "str | int | float | bool | list[JsonValue] | dict[str, JsonValue] | None"


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong field of an input.

    pointer: RFC 6901 JSON pointer into the input ("/costs/commission_rate"; "" is the whole input)
    code:    stable, snake_case
    message: one sentence for a person, without the pointer
    """

    pointer: str
    code: str
    message: str


class BackproofError(Exception):
    """Base of every error the product raises on purpose."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str, **details: JsonValue) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class InvalidInput(BackproofError):
    """What was asked for cannot be done as written; every wrong field is named."""

    code = "invalid_input"

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__("; ".join(f"{e.pointer or 'input'}: {e.message}" for e in errors))
        self.errors = tuple(errors)

    @classmethod
    def at(cls, pointer: str, code: str, message: str) -> "InvalidInput":
        return cls([FieldError(pointer, code, message)])


class DataError(BackproofError):
    """The bars themselves are wrong or missing for what the run needs."""

    code = "data_error"


class StrategyError(BackproofError):
    """A strategy raised, or answered with the wrong shape or type."""

    code = "strategy_error"


class CheckpointMismatch(BackproofError):
    """A checkpoint is damaged, of another version, or of another run; the details name the field."""

    code = "checkpoint_mismatch"


class NotFound(BackproofError):
    """No such thing, or it belongs to somebody else."""

    code = "not_found"


class Conflict(BackproofError):
    """The thing is in a state that does not allow this (a finished run cannot be cancelled)."""

    code = "conflict"


class QueueFull(BackproofError):
    """A limit on waiting or running work is reached; `retry_after` seconds may help."""

    code = "queue_full"

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message, retry_after=retry_after)
        self.retry_after = retry_after


class StoreUnavailable(BackproofError):
    """The metadata store does not answer, or its disk is full or read-only."""

    code = "store_unavailable"


class StoreRefused(StoreUnavailable):
    """The metadata store answers, but cannot be used as it is: waiting would not help, so no process starts."""

    code = "store_refused"


class StorageFailed(BackproofError):
    """A result or bar file could not be written or read (disk full, read-only directory, damaged file)."""

    code = "storage_failed"


class LostClaim(BackproofError):
    """Another worker owns this run now: nothing of the older fence may be written."""

    code = "lost_claim"


class InvalidSettings(BackproofError):
    """An environment variable or `.env` line is wrong; the process does not start."""

    code = "invalid_settings"


class StackError(BackproofError):
    """The local stack cannot start: the data directory is in use, the port is busy, a child does not come up."""

    code = "stack_error"


class BrokerUnavailable(BackproofError):
    """Redis or Valkey does not answer: runs are accepted and wait, live updates pause."""

    code = "broker_unavailable"


class BrokerRefused(BrokerUnavailable):
    """Redis answers, but cannot be used as it is: waiting would not help, so no process starts."""

    code = "broker_refused"


class IdempotencyMismatch(BackproofError):
    """The Idempotency-Key was used before with another body."""

    code = "idempotency_mismatch"
