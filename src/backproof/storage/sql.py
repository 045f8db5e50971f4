"""Conditions, orders and changes as SQL over one JSON column. Values are bound; paths are checked and quoted."""

# ruff: noqa: S608 - the only texts put into statements are paths that field_path accepted

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

from pydantic import BaseModel

from backproof.domain.documents import Change, Condition, Document, Op, Order, Where, iso
from backproof.storage.fields import check_change, field_path

Sql = tuple[str, list[Any]]
_COMPARISON = {Op.GT: ">", Op.GTE: ">=", Op.LT: "<", Op.LTE: "<="}
_NEVER: Sql = ("0", [])
_MOST_ASSIGNMENTS = 40  # in one call: some SQLites allow 100 arguments


def json_path(model: type[Document], name: str) -> str:
    return "$" + "".join(f'."{key}"' for key in field_path(model, name).keys)


def column(model: type[Document], name: str) -> str:
    """The expression whose text indexes and queries share, so that an index is used."""
    return "id" if name == "id" else f"json_extract(doc, '{json_path(model, name)}')"


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


def _bindable(value: object) -> Any:
    """The value as json_extract would answer it; ValueError for one that no stored document can hold."""
    match value:
        case bool():
            return int(value)
        case Enum():
            return _bindable(value.value)
        case str():
            value.encode()  # a lone surrogate: UnicodeEncodeError is a ValueError
            if "\0" in value:  # json_extract ends a text there
                raise ValueError("NUL")
            return value
        case int():
            return value if -(2**63) <= value < 2**63 else float(value)
        case float():
            if value != value:
                raise ValueError("NaN")
            return value
        case dt.datetime():
            return iso(value)
        case dt.date():
            return value.isoformat()
    raise TypeError(f"{type(value).__name__} cannot be compared")


def where_sql(model: type[Document], where: Where) -> Sql:
    """All conditions together, as an expression; "1" for none."""
    parts: list[str] = []
    bound: list[Any] = []
    for condition in where:
        text, values = _condition(model, condition)
        parts.append(text)
        bound += values
    return " AND ".join(parts) or "1", bound


def _condition(model: type[Document], condition: Condition) -> Sql:
    expression, value = column(model, condition.field), condition.value
    if condition.op is Op.IN:
        if not isinstance(value, tuple):
            raise TypeError("IN takes a tuple")
        return _in(expression, value)
    if isinstance(value, tuple):
        raise TypeError(f"{condition.op} takes one value")
    if value is None:
        match condition.op:
            case Op.EQ:
                return f"{expression} IS NULL", []
            case Op.NE:
                return f"{expression} IS NOT NULL", []
        return _NEVER
    try:
        bound = _bindable(value)
    except ValueError:
        return ("1", []) if condition.op is Op.NE else _NEVER
    match condition.op:
        case Op.EQ:
            return f"{expression} = ?", [bound]
        case Op.NE:
            return f"{expression} IS NOT ?", [bound]
        case Op.CONTAINS:
            if not field_path(model, condition.field).array:
                raise ValueError(f"{condition.field!r} is not an array")
            path = json_path(model, condition.field)
            return f"EXISTS (SELECT 1 FROM json_each(doc, '{path}') AS item WHERE item.value = ?)", [bound]
        case Op.PREFIX:
            return _prefix(expression, bound)
    return f"{expression} {_COMPARISON[condition.op]} ?", [bound]


def _in(expression: str, values: tuple[Any, ...]) -> Sql:
    bound = []
    for value in values:
        if value is not None:
            try:
                bound.append(_bindable(value))
            except ValueError:
                continue
    parts = [f"{expression} IS NULL"] if None in values else []
    if bound and len(bound) <= 500:
        parts.append(f"{expression} IN ({', '.join('?' * len(bound))})")
    elif bound:  # beyond the number of variables that every SQLite allows
        parts.append(f"{expression} IN (SELECT value FROM json_each(?))")
        bound = [json.dumps(bound)]
    return (f"({' OR '.join(parts)})", bound) if parts else _NEVER


def _prefix(expression: str, prefix: object) -> Sql:
    if not isinstance(prefix, str):
        raise TypeError("PREFIX takes a text")
    after = _next_text(prefix)
    if not prefix or after is None:
        return f"(typeof({expression}) = 'text' AND substr({expression}, 1, ?) = ?)", [len(prefix), prefix]
    return f"({expression} >= ? AND {expression} < ?)", [prefix, after]


def _next_text(prefix: str) -> str | None:
    """The first text, in the order of code points, after all that begin with `prefix`."""
    kept = prefix.rstrip("\U0010ffff")
    if not kept:
        return None
    following = ord(kept[-1]) + 1
    return kept[:-1] + chr(0xE000 if following == 0xD800 else following)


def order_sql(model: type[Document], order: Order | None) -> str:
    if order is None or order.field == "id":
        return "id DESC" if order is not None and order.descending else "id"
    expression, direction = column(model, order.field), "DESC" if order.descending else "ASC"
    return f"{expression} {direction} NULLS LAST, id {direction}"


def after_sql(model: type[Document], order: Order | None, last_id: str, last_value: object) -> Sql:
    """What comes after the document (last_value, last_id) in `order`."""
    beyond = "<" if order is not None and order.descending else ">"
    if order is None or order.field == "id":
        return f"id {beyond} ?", [last_id]
    expression = column(model, order.field)
    if last_value is None:
        return f"({expression} IS NULL AND id {beyond} ?)", [last_id]
    following = f"({expression}, id) {beyond} (?, ?)"
    if not field_path(model, order.field).nullable:
        return following, [last_value, last_id]
    return f"({following} OR {expression} IS NULL)", [last_value, last_id]


def change_sql(model: type[Document], change: Change) -> Sql:
    """The new value of `doc`, computed from the old one alone."""
    check_change(model, change)
    expression = "doc"
    bound: list[Any] = []
    for name, through in change.pull_through.items():
        path = json_path(model, name)
        kept = (
            f"SELECT json_group_array(json(item.value)) FROM json_each(doc, '{path}') AS item "
            "WHERE coalesce(json_extract(item.value, '$.seq') > ?, 1)"
        )
        expression = f"json_set({expression}, '{path}', ({kept}))"
        bound.append(through)
    assignments: list[str] = []
    for name, value in change.set.items():
        assignments.append(f"'{json_path(model, name)}', json(?)")
        bound.append(to_json(value))
    for name, number in change.inc.items():
        path = json_path(model, name)
        assignments.append(f"'{path}', coalesce(json_extract(doc, '{path}'), 0) + ?")
        bound.append(number)
    for name, values in change.push.items():
        if values:  # joined as texts: the number of a function's arguments is limited, and a log may have many lines
            old = f"coalesce(json_extract(doc, '{json_path(model, name)}'), '[]')"
            joined = f"substr({old}, 1, length({old}) - 1) || iif({old} = '[]', '', ',') || substr(?, 2)"
            assignments.append(f"'{json_path(model, name)}', json({joined})")
            bound.append(to_json(list(values)))
    for first in range(0, len(assignments), _MOST_ASSIGNMENTS):
        expression = f"json_set({expression}, {', '.join(assignments[first : first + _MOST_ASSIGNMENTS])})"
    return expression, bound


def create_sql(model: type[Document]) -> list[str]:
    """Table and indexes of a model; the names of the indexes tell their fields."""
    table = table_name(model)
    statements = [f'CREATE TABLE IF NOT EXISTS "{table}" (id TEXT PRIMARY KEY NOT NULL, doc TEXT NOT NULL) STRICT']
    for fields in model.indexes:
        name = "__".join([table, *(field.replace(".", "_") for field in fields)])
        columns = ", ".join([*(column(model, field) for field in fields), "id"])
        statements.append(f'CREATE INDEX IF NOT EXISTS "{name}" ON "{table}" ({columns})')
    return statements


def table_name(model: type[Document]) -> str:
    if not model.collection.isidentifier():
        raise ValueError(f"{model.collection!r} is no collection name")
    return model.collection


def names_of(statements: Sequence[str]) -> set[str]:
    """The tables and indexes that `create_sql` makes."""
    return {statement.split('"')[1] for statement in statements}
