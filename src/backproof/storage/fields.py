"""Field paths of stored models ("config.strategy_type"): checked against the model before they reach a query."""

import re
import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel

from backproof.domain.documents import Change, Document

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_ARRAYS = (list, tuple, set, frozenset)


@dataclass(frozen=True, slots=True)
class FieldPath:
    """A path that exists in the model.

    nullable:        the value, or something on the way to it, may be missing or null
    nullable_parent: something on the way may be null, so that a value cannot be set there
    array:           the value is an array
    texts:           the value is an array of texts
    """

    keys: tuple[str, ...]
    nullable: bool
    nullable_parent: bool
    array: bool
    texts: bool = False


@lru_cache(maxsize=4096)
def field_path(model: type[Document], name: str) -> FieldPath:
    """Resolve a dotted path; ValueError for one that the model does not have."""
    annotation: Any = model
    nullable = nullable_parent = False
    keys = tuple(name.split("."))
    for key in keys:
        nullable_parent = nullable
        annotation, missing = _step(annotation, key, model, name)
        nullable = nullable or missing
    return FieldPath(keys, nullable, nullable_parent, _is_array(annotation), _is_array_of_texts(annotation))


def _step(annotation: Any, key: str, model: type[Document], name: str) -> tuple[Any, bool]:
    """The annotation of `key` inside `annotation`, and whether it may be missing or null."""
    if not _KEY.fullmatch(key):
        raise ValueError(f"{name!r} is no field path of {model.__name__}")
    if annotation is Any:
        return Any, True
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if key not in annotation.model_fields:
            raise ValueError(f"{model.__name__} has no field {name!r}")
        return _without_none(annotation.model_fields[key].annotation)
    if get_origin(annotation) is dict or (
        isinstance(get_origin(annotation), type) and issubclass(get_origin(annotation), Mapping)
    ):
        return _without_none(get_args(annotation)[1])[0], True
    raise ValueError(f"{model.__name__} has no field {name!r}")


def _without_none(annotation: Any) -> tuple[Any, bool]:
    """Strip Annotated, aliases and Optional; unions of several types stay as they are."""
    while True:
        if isinstance(annotation, TypeVar):
            return Any, True
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif get_origin(annotation) in (Union, types.UnionType):
            members = [member for member in get_args(annotation) if member is not type(None)]
            optional = len(members) < len(get_args(annotation))
            if len(members) == 1:
                return _without_none(members[0])[0], optional
            return annotation, optional
        else:
            return annotation, annotation is Any


def _is_array(annotation: Any) -> bool:
    return annotation is Any or annotation in _ARRAYS or get_origin(annotation) in _ARRAYS


def _is_array_of_texts(annotation: Any) -> bool:
    if get_origin(annotation) not in _ARRAYS:
        return False
    items = [item for item in get_args(annotation) if item is not Ellipsis]
    return bool(items) and all(_without_none(item) == (str, False) for item in items)


def check_change(model: type[Document], change: Change) -> None:
    """Refuse a change that no store could apply in one meaning: unknown, overlapping or unreachable fields."""
    names = [*change.set, *change.inc, *change.push, *change.pull_through]
    for name in names:
        path = field_path(model, name)
        if path.keys[0] == "id":
            raise ValueError("the id of a document never changes")
        if path.nullable_parent and name not in change.pull_through:
            raise ValueError(f"{name!r} lies inside something that may be null: set the whole of it")
    for name in (*change.push, *change.pull_through):
        if not field_path(model, name).array:
            raise ValueError(f"{name!r} is not an array")
    _refuse_overlap(names)


def _refuse_overlap(names: Iterable[str]) -> None:
    """Neither a path twice nor a path inside another: their order would matter."""
    previous: str | None = None
    for name in sorted(names, key=lambda name: name.split(".")):
        if previous is not None and (name == previous or name.startswith(previous + ".")):
            raise ValueError(f"{previous!r} and {name!r} overlap in one change")
        previous = name
