"""Pieces that several schemas share."""

import datetime as dt
import math
import re
from typing import Annotated, Any, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}([Tt]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?([Zz]|[+-]\d{2}:\d{2})?)?", re.ASCII)

_LOST_PLUS = re.compile(r" (\d{2}:\d{2})$")  # a + in a query string that was not escaped arrives as a space


def _finite_or_null(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _moment(value: object) -> object:
    """RFC 3339 text, or a date (midnight UTC); without an offset it is UTC. Numbers are not moments."""
    if isinstance(value, str):
        value = _LOST_PLUS.sub(r"+\1", value)
    if not isinstance(value, str) or not _MOMENT.fullmatch(value):
        raise PydanticCustomError("not_a_moment", "an RFC 3339 time (2024-05-01T09:30:00Z) or a date (2024-05-01)")
    return value


def _in_utc(moment: dt.datetime) -> dt.datetime:
    try:
        return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)
    except OverflowError:
        raise PydanticCustomError("not_a_moment", "this time is outside the years 1 to 9999") from None


# numbers that a computation made: what is undefined leaves as null, never as NaN
Finite = Annotated[float | None, BeforeValidator(_finite_or_null)]
Number = Annotated[int | float | None, BeforeValidator(_finite_or_null)]
Moment = Annotated[dt.datetime, BeforeValidator(_moment), AfterValidator(_in_utc)]
FiniteIn = Annotated[float, Field(allow_inf_nan=False)]

COSTS = (
    "Money by kind: commission, slippage (against unslipped prices) and borrow paid; dividends received, less those "
    "paid by shorts; cash_in_lieu of fractions of split shares. null without a result, or in one of an older version."
)
COSTS_EXAMPLE = {"commission": 1204.1, "slippage": 240.9, "borrow": 0.0, "dividends": 512.0, "cash_in_lieu": 0.0}
CALENDAR = "Code of the exchange (ISO 10383) whose days the bars have, or 24/7."


class Out(BaseModel):
    """Base of everything that leaves."""

    model_config = ConfigDict(frozen=True, extra="forbid", from_attributes=True)


class In(BaseModel):
    """Base of bodies and query strings: an unknown name is a mistake, and says so."""

    model_config = ConfigDict(frozen=True, extra="forbid")


T = TypeVar("T")


class PageOut(Out, Generic[T]):
    """One page of a list."""

    items: list[T]
    next_cursor: str | None = Field(description="Give it back as `cursor` for the next page; null on the last page.")
    total: int = Field(ge=0, description="How many there are on all pages.")


class FieldErrorOut(Out):
    """One wrong field."""

    pointer: str = Field(
        description="RFC 6901 pointer into the body, or `/name` of a query, path or header parameter; "
        "empty: the input as a whole.",
        examples=["/parameters/fast_period"],
    )
    code: str = Field(examples=["greater_than"])
    message: str = Field(examples=["input should be greater than 0"])


class NoticeOut(Out):
    """Something a reader of the result must know before trusting a number."""

    code: str
    message: str
    details: dict[str, Any] = {}


class Problem(BaseModel):
    """An error as RFC 9457 `application/problem+json`."""

    type: str = Field(description="Where this kind of problem is explained.", examples=["/docs#problem-not_found"])
    title: str = Field(examples=["Not found"])
    status: int = Field(ge=400, le=599, examples=[404])
    detail: str = Field(description="One sentence about this very case.")
    instance: str = Field(description="The path that was asked for.")
    code: str = Field(description="Stable, for programs.", examples=["not_found"])
    errors: list[FieldErrorOut] = Field(default=[], description="The wrong fields, at most 100.")
    details: dict[str, Any] = Field(default={}, description="Plain facts about the case.")
    request_id: str = Field(description="Also in the X-Request-ID header and in the server's log.")
