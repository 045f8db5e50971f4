"""Conditions, orders and changes in MongoDB's words. Paths are checked against the model, values are only values."""

from collections.abc import Mapping, Sequence
from typing import Any

from backproof.domain.documents import Change, Condition, Document, Op, Order, Where
from backproof.storage.fields import check_change, field_path
from backproof.storage.jsonform import comparable, next_text
from backproof.storage.mongo.bson import value_bson

Filter = dict[str, Any]
NEVER: Filter = {"_id": {"$in": []}}
ALWAYS: Filter = {}
_COMPARISON = {Op.GT: "$gt", Op.GTE: "$gte", Op.LT: "$lt", Op.LTE: "$lte"}


def path(model: type[Document], name: str) -> str:
    return "_id" if name == "id" else ".".join(field_path(model, name).keys)


def where_filter(model: type[Document], where: Where) -> Filter:
    return every(*(_condition(model, condition) for condition in where))


def every(*filters: Filter) -> Filter:
    """All of them hold."""
    parts = [part for part in filters if part]
    return {"$and": parts} if len(parts) > 1 else parts[0] if parts else ALWAYS


def _condition(model: type[Document], condition: Condition) -> Filter:
    field, op, value = path(model, condition.field), condition.op, condition.value
    array = field_path(model, condition.field).array
    if op is Op.IN:
        if not isinstance(value, tuple):
            raise TypeError("IN takes a tuple")
        return _in(field, value, array)
    if isinstance(value, tuple):
        raise TypeError(f"{op} takes one value")
    if op is Op.CONTAINS and not array:
        raise ValueError(f"{condition.field!r} is not an array")
    if op is Op.CONTAINS_PREFIX and not field_path(model, condition.field).texts:
        raise ValueError(f"{condition.field!r} is not an array of texts")
    if value is None:
        match op:
            case Op.EQ:
                return _is_null(field, array)
            case Op.NE:
                return _negated(field, array, {"$ne": None})
        return NEVER
    try:
        wanted = comparable(value)
    except ValueError:
        return ALWAYS if op is Op.NE else NEVER
    match op:
        case Op.EQ:
            return _whole(field, array, {"$eq": wanted})
        case Op.NE:
            return _negated(field, array, {"$ne": wanted})
        case Op.CONTAINS:
            return {field: {"$elemMatch": {"$eq": wanted}}}
        case Op.CONTAINS_PREFIX:
            return {field: {"$elemMatch": _beginning(op, wanted)}}
        case Op.PREFIX:
            return _whole(field, array, _beginning(op, wanted))
    return _whole(field, array, {_COMPARISON[op]: wanted})


def _whole(field: str, array: bool, test: Filter) -> Filter:
    """A test of the value itself: MongoDB would also accept an array that holds a value which passes it."""
    return every({field: test}, _no_array(field)) if array else {field: test}


def _negated(field: str, array: bool, test: Filter) -> Filter:
    return {"$or": [{field: test}, _is_array(field)]} if array else {field: test}


def _is_null(field: str, array: bool) -> Filter:
    """Missing, null, or inside of something that is."""
    return _whole(field, array, {"$eq": None})


def _is_array(field: str) -> Filter:
    return {field: {"$type": "array"}}


def _no_array(field: str) -> Filter:
    return {"$nor": [_is_array(field)]}


def _in(field: str, values: tuple[Any, ...], array: bool) -> Filter:
    wanted: list[Any] = []
    for value in values:
        try:
            wanted.append(None if value is None else comparable(value))
        except ValueError:
            continue
    return _whole(field, array, {"$in": wanted}) if wanted else NEVER


def _beginning(op: Op, prefix: object) -> Filter:
    """A range instead of a regular expression: an index serves it, and no character is special."""
    if not isinstance(prefix, str):
        raise TypeError(f"{op.name} takes a text")
    after = next_text(prefix) if prefix else None
    return {"$gte": prefix} if after is None else {"$gte": prefix, "$lt": after}


# ---- order ------------------------------------------------------------------------------------------------------


def sorting(model: type[Document], order: Order | None) -> list[tuple[str, int]]:
    direction = -1 if order is not None and order.descending else 1
    field = path(model, order.field) if order is not None else "_id"
    return [("_id", direction)] if field == "_id" else [(field, direction), ("_id", direction)]


def following(model: type[Document], order: Order | None, last: tuple[str, Any] | None) -> list[Filter]:
    """The parts of the list, one after the other, each in the order of `sorting`, behind the document `last`.

    Null sorts before everything in MongoDB, and here it comes last: upwards that takes two parts.
    last: id of the document that ended the page before, and its value of the field; None for the beginning
    """
    beyond = "$lt" if order is not None and order.descending else "$gt"
    field = path(model, order.field) if order is not None else "_id"
    if field == "_id" or order is None:
        return [{"_id": {beyond: last[0]}} if last is not None else ALWAYS]
    nullable = field_path(model, order.field).nullable
    null, filled = {field: None}, {field: {"$ne": None}}
    if last is None:
        return [ALWAYS] if order.descending or not nullable else [filled, null]
    last_id, value = last
    if value is None:
        return [every(null, {"_id": {beyond: last_id}})]
    rest = [{field: {beyond: value}}, {field: value, "_id": {beyond: last_id}}]
    if not nullable:
        return [{"$or": rest}]
    return [{"$or": [*rest, null]}] if order.descending else [{"$or": rest}, null]


# ---- changes ----------------------------------------------------------------------------------------------------


def extended(model: type[Document], change: Change) -> list[str]:
    """The fields that a change adds to and that may be null, which MongoDB refuses to add to."""
    names = [*change.inc, *(name for name, values in change.push.items() if values)]
    return [name for name in names if field_path(model, name).nullable]


def null_by(where: Where, name: str) -> bool:
    """Whether the conditions say that the field is null."""
    return any(one.field == name and one.op is Op.EQ and one.value is None for one in where)


def nullness(model: type[Document], nulls: Mapping[str, bool]) -> Filter:
    """Holds while these fields are null, and those are not."""
    return every(
        *(
            (_is_null if null else _is_filled)(path(model, name), field_path(model, name).array)
            for name, null in nulls.items()
        )
    )


def _is_filled(field: str, array: bool) -> Filter:
    return _negated(field, array, {"$ne": None})


def change_update(model: type[Document], change: Change, nulls: Mapping[str, bool]) -> Filter:
    """Update operators, each on fields of its own; empty for a change of nothing.

    nulls: see `extended`; what is null counts from zero, or is an empty array
    """
    sets = {path(model, name): value_bson(value) for name, value in change.set.items()}
    incs: Filter = {}
    pushes: Filter = {}
    for name, number in change.inc.items():
        (sets if nulls.get(name) else incs)[path(model, name)] = number
    for name, values in change.push.items():
        items: Sequence[Any] = value_bson(list(values))
        if nulls.get(name):
            sets[path(model, name)] = items
        elif items:
            pushes[path(model, name)] = {"$each": items}
    pulls = {path(model, name): {"seq": {"$lte": through}} for name, through in change.pull_through.items()}
    operators = {"$set": sets, "$inc": incs, "$push": pushes, "$pull": pulls}
    return {operator: fields for operator, fields in operators.items() if fields}


def checked(model: type[Document], change: Change) -> Change:
    check_change(model, change)
    return change
