"""Schemas: numbers that are none, moments as people write them."""

import datetime as dt
import math

import pytest
from pydantic import BaseModel, ValidationError

from backproof.web.schemas.common import Finite, Moment, Number


class Row(BaseModel):
    finite: Finite = None
    number: Number = None
    moment: Moment | None = None


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_none_becomes_null_before_it_is_sent(value: float) -> None:
    row = Row(finite=value, number=value)
    assert (row.finite, row.number) == (None, None)


def test_whole_numbers_stay_whole() -> None:
    assert Row(number=3).model_dump_json() == '{"finite":null,"number":3,"moment":null}'


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("2024-05-01", 0),
        ("2024-05-01T09:30Z", 9),
        ("2024-05-01t09:30:00z", 9),
        ("2024-05-01T09:30:00.123456789+09:00", 0),
        ("2024-05-01T09:30:00 09:00", 0),
        ("2024-05-01T09:30:00", 9),
    ],
)
def test_moments_are_read_as_utc(text: str, hour: int) -> None:
    moment = Row.model_validate({"moment": text}).moment
    assert moment is not None
    assert (moment.date(), moment.hour, moment.tzinfo) == (dt.date(2024, 5, 1), hour, dt.UTC)


@pytest.mark.parametrize(
    "value",
    [0, 1.5, True, "0", "1714555800", "2024-5-1", "2024-05-32", "2024-05-01T24:00:01Z", "20240501", "٢٠٢٤-05-01", "now",
     "2024-05-01T09:30:00+24:00", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "2024-05-01 ",
     b"2024-05-01"],
)  # fmt: skip
def test_anything_else_is_no_moment(value: object) -> None:
    with pytest.raises(ValidationError):
        Row.model_validate({"moment": value})
