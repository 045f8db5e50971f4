"""What every stored document has, and the repository protocol that SQLite and MongoDB fulfil.

A change is one compare-and-set on one document: there are no transactions over several documents, and uniqueness
exists only through `id`. Field names may be dotted paths ("config.strategy_type").
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, ClassVar, Protocol, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, PlainSerializer


def _utc(moment: dt.datetime) -> dt.datetime:
    if moment.tzinfo is None:
        raise ValueError("datetimes are timezone-aware")
    return moment.astimezone(dt.UTC)


def iso(moment: dt.datetime) -> str:
    """RFC 3339 in UTC with six decimals always, so that text order is time order."""
    return moment.astimezone(dt.UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


UtcDatetime = Annotated[dt.datetime, AfterValidator(_utc), PlainSerializer(iso, return_type=str, when_used="json")]


def utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class Document(BaseModel):
    """Base of all stored models. `collection` names the table or collection; `indexes` lists field paths, in order.

    listing: fields by which long lists are filtered, sorted and counted, kept apart from the documents so that reading
             them does not read those. For questions with a condition on each of the first two and on nothing outside.
    """

    # a newer program on the same store may have added fields: they are kept there, and nothing to this one
    model_config = ConfigDict(frozen=True, extra="ignore")
    collection: ClassVar[str]
    indexes: ClassVar[tuple[tuple[str, ...], ...]] = ()
    listing: ClassVar[tuple[str, ...]] = ()

    id: str
    schema_version: int = 1


D = TypeVar("D", bound=Document)


class Op(StrEnum):
    EQ = "eq"
    NE = "ne"
    IN = "in"
    CONTAINS = "contains"  # the field is an array that holds the value
    CONTAINS_PREFIX = "contains_prefix"  # the field is an array that holds a text with this beginning
    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"
    PREFIX = "prefix"


Scalar = str | int | float | bool | dt.datetime | dt.date | None


@dataclass(frozen=True, slots=True)
class Condition:
    """field op value; `value` is a tuple for IN. EQ None matches a missing or null field."""

    field: str
    op: Op
    value: Scalar | tuple[Scalar, ...]


def eq(name: str, value: Scalar) -> Condition:
    return Condition(name, Op.EQ, value)


def is_in(name: str, values: Sequence[Scalar]) -> Condition:
    return Condition(name, Op.IN, tuple(values))


Where = Sequence[Condition]


@dataclass(frozen=True, slots=True)
class Order:
    """Sort by `field`, then by id in the same direction; documents without the field come last."""

    field: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """What an update does, atomically, to the one matching document.

    set:  field -> new value (models and datetimes are stored as their JSON form)
    inc:  field -> number to add
    push: field -> values appended to an array
    pull_through: array of objects with a `seq` -> remove those with seq <= the number
    """

    set: dict[str, object] = field(default_factory=dict)
    inc: dict[str, int | float] = field(default_factory=dict)
    push: dict[str, Sequence[object]] = field(default_factory=dict)
    pull_through: dict[str, int] = field(default_factory=dict)


class Repository(Protocol):
    """The metadata store. Every method raises StoreUnavailable when the store does not answer or its disk is full."""

    async def add(self, document: D) -> bool:
        """Insert; False when the id exists already (nothing is changed then)."""

    async def get(self, model: type[D], id: str) -> D | None: ...

    async def find(
        self,
        model: type[D],
        where: Where = (),
        order: Order | None = None,
        limit: int = 100,
        after: str | None = None,
        offset: int = 0,
    ) -> list[D]:
        """Matching documents in order; `after` is the id of the last document of the page before (keyset paging).

        offset: so many are left out before the first
        """

    async def update(self, model: type[D], id: str, where: Where, change: Change) -> D | None:
        """Compare-and-set: apply `change` if the document with `id` matches `where`; the new document, else None."""

    async def remove(self, model: type[D], where: Where) -> int:
        """Delete the matching documents; how many."""

    async def count(self, model: type[D], where: Where = ()) -> int: ...

    async def counts_by(self, model: type[D], field: str, where: Where = ()) -> dict[str, int]:
        """Matching documents by the value of a field; of an array, each of its values counts."""

    async def total(self, model: type[D], field: str, where: Where = ()) -> float:
        """Sum of a number over the matching documents; those without it count as 0."""

    async def add_all(self, documents: Sequence[D]) -> None:
        """Insert those whose ids do not exist yet, in one write. All of one model; more than a few hundred are slow."""

    async def ping(self) -> None: ...

    async def close(self) -> None: ...
