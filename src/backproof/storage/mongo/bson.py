"""Documents as BSON and back, without losing anything that their JSON has.

A document is stored as its JSON form. Moments stay texts of fixed width: BSON dates have milliseconds, and two events
of one millisecond would change places; as texts they compare as time, in both stores alike. What BSON cannot hold or
would take for something else is written another way:

keys      `.` and `$` (paths and operators), NUL and `%` as `%2E`, `%24`, `%00`, `%25`
integers  beyond 64 bits as Decimal128, which compares as a number; beyond its 34 digits as {"%int": "digits"}
"""

import json
import re
from decimal import Decimal
from typing import Any

from bson.decimal128 import Decimal128
from pydantic import ValidationError

from backproof.domain.documents import D, Document
from backproof.errors import StoreUnavailable
from backproof.storage.jsonform import fits, to_json

_ESCAPED = re.compile(r"[.$%\x00]")
_ESCAPE = re.compile(r"%([0-9A-F]{2})")
_INTEGER = "%int"
_DIGITS = 34


def document_bson(document: Document) -> dict[str, Any]:
    fields: dict[str, Any] = _to_bson(json.loads(document.model_dump_json()))
    return {"_id": fields.pop("id"), **fields}


def value_bson(value: object) -> Any:
    """What a change sets or pushes; ValueError for what has no JSON form."""
    return _to_bson(json.loads(to_json(value)))


def parsed(model: type[D], raw: dict[str, Any]) -> D:
    fields = _from_bson(raw)
    try:
        return model.model_validate_json(json.dumps({"id": fields.pop("_id"), **fields}))
    except ValidationError as error:
        raise StoreUnavailable(
            f"a document of {model.collection} cannot be read: {error.errors(include_url=False)[0]['msg']}"
        ) from error


def _to_bson(value: Any) -> Any:
    match value:
        case dict():
            return {_key(key): _to_bson(item) for key, item in value.items()}
        case list():
            return [_to_bson(item) for item in value]
        case str():
            value.encode()  # a lone surrogate: UnicodeEncodeError is a ValueError
        case int() if not fits(value):
            digits = len(str(abs(value)))
            return Decimal128(Decimal(value)) if digits <= _DIGITS else {_INTEGER: str(value)}
    return value


def _from_bson(value: Any) -> Any:
    match value:
        case {"%int": str(digits)}:
            return int(digits)
        case dict():
            return {_unescaped(key): _from_bson(item) for key, item in value.items()}
        case list():
            return [_from_bson(item) for item in value]
        case Decimal128():
            return int(value.to_decimal())
    return value


def _key(key: str) -> str:
    key.encode()
    return _ESCAPED.sub(lambda match: f"%{ord(match[0]):02X}", key)


def _unescaped(key: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)), key)
