"""Beanie documents, made from the domain's models: what a collection is called and what it is indexed by.

The domain model stays the only declaration of its fields. Classes are made for each store that is opened, because
Beanie ties a class to one database.
"""

from typing import Any, ClassVar

import beanie
from pydantic import ConfigDict, Field
from pymongo import IndexModel

from backproof.domain.documents import Document
from backproof.storage.fields import field_path
from backproof.storage.mongo.queries import path
from backproof.storage.sql import index_name, listing_name, table_name


def record_of(model: type[Document]) -> type[beanie.Document]:
    """The model as a Beanie document whose `_id` is the domain's `id`; no other index is unique."""
    settings = type("Settings", (), {"name": table_name(model), "indexes": indexes_of(model)})
    namespace: dict[str, Any] = {
        "__module__": model.__module__,
        "__doc__": model.__doc__,
        "__annotations__": {"id": str, "Settings": ClassVar[type]},
        "id": Field(alias="_id"),
        "model_config": ConfigDict(frozen=False, extra="forbid"),
        "Settings": settings,
    }
    metaclass: Any = type(beanie.Document)
    record: type[beanie.Document] = metaclass(f"{model.__name__}Record", (model, beanie.Document), namespace)
    return record


def indexes_of(model: type[Document]) -> list[IndexModel]:
    """Names tell the fields, so that a changed index is another one. An index of MongoDB has at most one array."""
    indexes = [_index(model, fields, index_name(model, fields)) for fields in model.indexes]
    if model.listing:
        scalars = tuple(name for name in model.listing if not field_path(model, name).array)
        indexes.append(_index(model, scalars, listing_name(model)))
    return indexes


def _index(model: type[Document], fields: tuple[str, ...], name: str) -> IndexModel:
    return IndexModel([*((path(model, field), 1) for field in fields), ("_id", 1)], name=name)
