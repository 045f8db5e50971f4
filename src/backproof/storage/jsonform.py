"""The JSON form of values, in which every store keeps and compares them, and the order of texts that all have."""

import datetime as dt
import json
from collections.abc import Mapping
from enum import Enum
from typing import Any

from pydantic import BaseModel

from backproof.domain.documents import iso


def to_json(value: object) -> str:
    """Strict JSON: no NaN, datetimes as RFC 3339 with six decimals."""
    return json.dumps(_plain(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _plain(value: object) -> Any:
    match value:
        case None | bool() | int() | float():
            return value
        case Enum():
            return value.value
        case str():
            return value
        case dt.datetime():
            return iso(value)
        case dt.date():
            return value.isoformat()
        case BaseModel():
            return value.model_dump(mode="json")
        case Mapping():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} cannot be stored")


def comparable(value: object) -> Any:
    """The value as documents hold it; ValueError for one that none can hold or be found by."""
    match value:
        case Enum():
            return comparable(value.value)
        case str():
            value.encode()  # a lone surrogate: UnicodeEncodeError is a ValueError
            if "\0" in value:  # SQLite's json_extract ends a text there
                raise ValueError("NUL")
            return value
        case bool():
            return value
        case int():
            return value if fits(value) else float(value)
        case float():
            if value != value:
                raise ValueError("NaN")
            return value
        case dt.datetime():
            return iso(value)
        case dt.date():
            return value.isoformat()
    raise TypeError(f"{type(value).__name__} cannot be compared")


def fits(number: int) -> bool:
    """Into the 64 bits that stores have for an integer."""
    return -(2**63) <= number < 2**63


def next_text(prefix: str) -> str | None:
    """The first text, in the order of code points, after all that begin with `prefix`."""
    kept = prefix.rstrip("\U0010ffff")
    if not kept:
        return None
    following = ord(kept[-1]) + 1
    return kept[:-1] + chr(0xE000 if following == 0xD800 else following)
