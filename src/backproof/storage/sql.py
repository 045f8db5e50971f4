"""Conditions, orders and changes as SQL over one JSON column. Values are bound; paths are checked and quoted."""

# ruff: noqa: S608 - the only texts put into statements are paths that field_path accepted

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Any

from backproof.domain.documents import Change, Condition, Document, Op, Order, Where
from backproof.storage.fields import check_change, field_path
from backproof.storage.jsonform import comparable, next_text, to_json

Sql = tuple[str, list[Any]]
_COMPARISON = {Op.GT: ">", Op.GTE: ">=", Op.LT: "<", Op.LTE: "<="}
_NEVER: Sql = ("0", [])
_MOST_ASSIGNMENTS = 40  # in one call: some SQLites allow 100 arguments
_PLAIN = re.compile(r'[^"\\\x00-\x1f,\]][^"\\\x00-\x1f]*')  # a text that its JSON has as it is


def json_path(model: type[Document], name: str) -> str:
    return "$" + "".join(f'."{key}"' for key in field_path(model, name).keys)


def column(model: type[Document], name: str) -> str:
    """The expression whose text indexes and queries share, so that an index is used."""
    return "id" if name == "id" else f"json_extract(doc, '{json_path(model, name)}')"


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
        bound = comparable(value)
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
            return _contains(expression, bound, texts=field_path(model, condition.field).texts)
        case Op.CONTAINS_PREFIX:
            if not field_path(model, condition.field).texts:
                raise ValueError(f"{condition.field!r} is not an array of texts")
            return _contains_prefix(expression, bound)
        case Op.PREFIX:
            return _prefix(expression, bound)
    return f"{expression} {_COMPARISON[condition.op]} ?", [bound]


def _contains(array: str, bound: Any, *, texts: bool) -> Sql:
    """Whether the JSON array holds the value."""
    if texts and isinstance(bound, str) and _PLAIN.fullmatch(bound):
        return _begins_element(array, f'{bound}"')
    return f"EXISTS (SELECT 1 FROM json_each({array}) AS item WHERE item.value = ?)", [bound]


def _contains_prefix(array: str, prefix: Any) -> Sql:
    if not isinstance(prefix, str):
        raise TypeError("CONTAINS_PREFIX takes a text")
    if _PLAIN.fullmatch(prefix):
        return _begins_element(array, prefix)
    condition = "substr(item.value, 1, ?) = ?"
    return f"EXISTS (SELECT 1 FROM json_each({array}) AS item WHERE {condition})", [len(prefix), prefix]


def _begins_element(array: str, text: str) -> Sql:
    """Whether an element of the JSON array begins so; many times as fast as taking the array apart.

    A quote after a bracket or comma begins an element: inside of a text it would stand after a backslash, and one that
    ends a text is followed by a comma or bracket, with which no plain text begins.
    """
    return f"(instr({array}, ?) > 0 OR instr({array}, ?) > 0)", [f'["{text}', f',"{text}']


def _in(expression: str, values: tuple[Any, ...]) -> Sql:
    bound = []
    for value in values:
        if value is not None:
            try:
                bound.append(comparable(value))
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
    after = next_text(prefix)
    if not prefix or after is None:
        return f"(typeof({expression}) = 'text' AND substr({expression}, 1, ?) = ?)", [len(prefix), prefix]
    return f"({expression} >= ? AND {expression} < ?)", [prefix, after]


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


def find_sql(model: type[Document], where: Where, condition: str, order: Order | None) -> str:
    """Documents in order, with LIMIT and OFFSET to bind last. `condition`: what `where` became, and more."""
    field = order.field if order is not None else "id"
    table, source = f'"{table_name(model)}"', source_sql(model, where, field)
    end = f"WHERE {condition} ORDER BY {order_sql(model, order)} LIMIT ? OFFSET ?"
    if source == table:
        return f"SELECT doc FROM {table} {end}"
    # the page first, then its documents: sorting would carry all of them along
    direction = "DESC" if order is not None and order.descending else "ASC"
    return (
        f"SELECT document.doc FROM (SELECT id, {column(model, field)} AS place FROM {source} {end}) AS page "
        f"CROSS JOIN {table} AS document ON document.id = page.id "
        f"ORDER BY page.place {direction} NULLS LAST, page.id {direction}"
    )


def source_sql(model: type[Document], where: Where, *fields: str) -> str:
    """What to select from: by the index of the listing where it has all that is asked for, else as SQLite thinks.

    A declared index that begins like the listing and has it all is shorter, so better.
    """
    table, begin = f'"{table_name(model)}"', model.listing[:2]
    conditions = {condition.field for condition in where}
    if not begin or not conditions.issuperset(begin):
        return table
    for index in (*(index for index in model.indexes if index[:2] == begin), model.listing):
        if conditions.union(fields) <= {*index, "id"}:
            return f'{table} INDEXED BY "{listing_name(model) if index == model.listing else index_name(model, index)}"'
    return table


def index_name(model: type[Document], fields: tuple[str, ...]) -> str:
    return "__".join([table_name(model), *(field.replace(".", "_") for field in fields)])


def listing_name(model: type[Document]) -> str:
    """A listing of other fields is another index."""
    fields = hashlib.blake2b("\0".join(model.listing).encode(), digest_size=4).hexdigest()
    return f"{table_name(model)}__listing_{fields}"


def create_sql(model: type[Document]) -> list[str]:
    """Table and indexes of a model; the names of the indexes tell their fields."""
    table = table_name(model)
    statements = [f'CREATE TABLE IF NOT EXISTS "{table}" (id TEXT PRIMARY KEY NOT NULL, doc TEXT NOT NULL) STRICT']
    for fields in model.indexes:
        columns = ", ".join([*(column(model, field) for field in fields), "id"])
        statements.append(f'CREATE INDEX IF NOT EXISTS "{index_name(model, fields)}" ON "{table}" ({columns})')
    if model.listing:
        columns = ", ".join([*(column(model, field) for field in model.listing), "id"])
        statements.append(f'CREATE INDEX IF NOT EXISTS "{listing_name(model)}" ON "{table}" ({columns})')
    return statements


def table_name(model: type[Document]) -> str:
    if not model.collection.isidentifier():
        raise ValueError(f"{model.collection!r} is no collection name")
    return model.collection


def names_of(statements: Sequence[str]) -> set[str]:
    """The tables and indexes that `create_sql` makes."""
    return {statement.split('"')[1] for statement in statements}
