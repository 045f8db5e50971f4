"""Documents with every kind of field that a repository has to store."""

import datetime as dt
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from backproof.domain.documents import Document, UtcDatetime, utc_now


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = ""
    pid: int | None = None


class Item(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    seq: int
    text: str = ""


class Thing(Document):
    collection: ClassVar[str] = "things"
    indexes: ClassVar[tuple[tuple[str, ...], ...]] = (("status", "created_at"), ("part.name",))
    listing: ClassVar[tuple[str, ...]] = (
        "flag",
        "worker",
        "created_at",
        "score",
        "metrics.sharpe",
        "tags",
        "part.name",
    )

    status: str = "new"
    fence: int = 0
    score: float | None = None
    flag: bool = False
    day: dt.date | None = None
    created_at: UtcDatetime = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    part: Part = Part()
    worker: Part | None = None
    tags: tuple[str, ...] = ()
    items: tuple[Item, ...] = ()
    metrics: dict[str, float | None] | None = None
    data: dict[str, Any] = {}


class Other(Document):
    collection: ClassVar[str] = "others"

    text: str = ""


MODELS = (Thing, Other)


def later(seconds: float) -> dt.datetime:
    return dt.datetime(2020, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=seconds)


__all__ = ["MODELS", "Item", "Other", "Part", "Thing", "later", "utc_now"]
