"""MongoRepository: the metadata store on a MongoDB server, shared by any number of machines.

Beanie declares the collections and indexes; every operation is one command of PyMongo's on one document, or one
query. No transaction, no regular expression, no unique index but `_id`: it works on a single server, a replica set and
a sharded cluster. Writes are acknowledged by a majority, and journalled.
"""

from collections.abc import Sequence
from typing import Any

import pymongo
from bson.decimal128 import Decimal128
from pymongo import ReturnDocument
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import BulkWriteError, DuplicateKeyError

from backproof.domain.documents import Change, D, Document, Order, Repository, Where
from backproof.errors import InvalidInput, StoreUnavailable
from backproof.storage.fields import field_path
from backproof.storage.mongo import queries
from backproof.storage.mongo.bson import document_bson, parsed
from backproof.storage.mongo.failures import store_errors
from backproof.storage.mongo.opening import SCHEMA_VERSION, Opened, open_store
from backproof.storage.mongo.queries import Filter, every, path, where_filter
from backproof.storage.mongo.uncut import Commands
from backproof.storage.sql import table_name

__all__ = ["SCHEMA_VERSION", "MongoRepository"]
TIMEOUT_SECONDS = 1.25
MAX_CONNECTIONS = 10
_DUPLICATE = 11000
_DOCUMENTS_AT_ONCE = 1000
_TRIES = 50
Collection = AsyncCollection[dict[str, Any]]


class MongoRepository(Repository):
    """The repository protocol on MongoDB: one collection per model, the document as in its JSON."""

    def __init__(self, opened: Opened) -> None:
        self._client = opened.client
        self._commands = Commands()
        self._database = opened.database
        self._where = opened.where
        self._timeout = opened.timeout_seconds

    @classmethod
    async def open(
        cls,
        url: str,
        models: Sequence[type[Document]],
        timeout_seconds: float = TIMEOUT_SECONDS,
        max_connections: int = MAX_CONNECTIONS,
    ) -> "MongoRepository":
        """Connect and create what is missing; StoreRefused for a foreign database or a newer store.

        timeout_seconds: in which every call ends, with an answer or with StoreUnavailable
        max_connections: of this process; more calls at once wait for each other
        """
        return cls(await open_store(url, models, timeout_seconds, max_connections))

    async def add(self, document: D) -> bool:
        stored = document_bson(document)
        with store_errors(self._where):
            try:
                await self._commands.uncut(self._of(type(document)).insert_one(stored))
            except DuplicateKeyError:
                return False
        return True

    async def get(self, model: type[D], id: str) -> D | None:
        if not _storable(id):
            return None
        found = await self._one(model, {"_id": id})
        return parsed(model, found) if found is not None else None

    async def find(
        self,
        model: type[D],
        where: Where = (),
        order: Order | None = None,
        limit: int = 100,
        after: str | None = None,
        offset: int = 0,
    ) -> list[D]:
        with pymongo.timeout(self._timeout):  # of all commands together
            return [parsed(model, one) for one in await self._listed(model, where, order, limit, after, max(0, offset))]

    async def _listed(
        self, model: type[D], where: Where, order: Order | None, limit: int, after: str | None, skip: int
    ) -> list[dict[str, Any]]:
        condition, sort = where_filter(model, where), queries.sorting(model, order)
        last = (after, await self._order_value(model, order, after)) if after is not None else None
        found: list[dict[str, Any]] = []
        for part in queries.following(model, order, last):
            if len(found) >= limit:
                break
            matching = every(condition, part)
            with store_errors(self._where):
                cursor = self._of(model).find(matching, sort=sort, skip=skip, limit=limit - len(found))
                page = await self._commands.uncut(cursor.to_list())
                if skip:  # how much of what is left out was in this part
                    skip = 0 if page else skip - await self._commands.uncut(self._of(model).count_documents(matching))
            found += page
        return found

    async def _order_value(self, model: type[D], order: Order | None, id: str) -> Any:
        """The value by which the document sorts; InvalidInput when the document that ended a page is gone."""
        field = path(model, order.field) if order is not None else "_id"
        found = await self._one(model, {"_id": id}, [field]) if _storable(id) else None
        if found is None:
            raise InvalidInput.at(
                "/cursor", "unknown_cursor", "what the page before ended with is gone; begin with the first page again"
            )
        return _value_at(found, field)

    async def update(self, model: type[D], id: str, where: Where, change: Change) -> D | None:
        queries.checked(model, change)
        condition = every({"_id": id}, where_filter(model, where))
        if not _storable(id):
            return None
        with pymongo.timeout(self._timeout):
            changed = await self._compared_and_set(model, condition, where, change)
        return parsed(model, changed) if changed is not None else None

    async def _compared_and_set(
        self, model: type[D], condition: Filter, where: Where, change: Change
    ) -> dict[str, Any] | None:
        extended = queries.extended(model, change)
        nulls = {name: queries.null_by(where, name) for name in extended}
        for _ in range(_TRIES):
            changed = await self._changed(model, every(condition, queries.nullness(model, nulls)), change, nulls)
            if changed is not None or not extended:
                return changed
            # the condition fails, or a field that is added to is null where it was thought not to be
            fields = [path(model, name) for name in extended]
            current = await self._one(model, condition, fields)
            if current is None:
                return None
            nulls = {name: _value_at(current, path(model, name)) is None for name in extended}
        raise StoreUnavailable(f"a document of {model.collection} is changed too often by others")

    async def _changed(
        self, model: type[D], condition: Filter, change: Change, nulls: dict[str, bool]
    ) -> dict[str, Any] | None:
        update = queries.change_update(model, change, nulls)
        if not update:
            return await self._one(model, condition)
        with store_errors(self._where):
            return await self._commands.uncut(
                self._of(model).find_one_and_update(condition, update, return_document=ReturnDocument.AFTER)
            )

    async def remove(self, model: type[D], where: Where) -> int:
        condition = where_filter(model, where)
        with store_errors(self._where):
            return (await self._commands.uncut(self._of(model).delete_many(condition))).deleted_count

    async def count(self, model: type[D], where: Where = ()) -> int:
        condition = where_filter(model, where)
        with store_errors(self._where):
            return await self._commands.uncut(self._of(model).count_documents(condition))

    async def counts_by(self, model: type[D], field: str, where: Where = ()) -> dict[str, int]:
        name = path(model, field)
        steps: list[Filter] = [{"$match": where_filter(model, where)}, {"$project": {"value": f"${name}"}}]
        if field_path(model, field).array:
            steps.append({"$unwind": "$value"})
        steps.append({"$group": {"_id": "$value", "count": {"$sum": 1}}})
        counted = ((one["_id"], int(one["count"])) for one in await self._computed(model, steps))
        return dict(sorted((_text(value), count) for value, count in counted if value is not None))

    async def total(self, model: type[D], field: str, where: Where = ()) -> float:
        group = {"_id": None, "total": {"$sum": f"${path(model, field)}"}}
        found = await self._computed(model, [{"$match": where_filter(model, where)}, {"$group": group}])
        return float(_number(found[0]["total"])) if found else 0.0

    async def add_all(self, documents: Sequence[D]) -> None:
        stored = {document.id: document_bson(document) for document in reversed(documents)}  # the first of an id counts
        some = list(reversed(stored.values()))
        for first in range(0, len(some), _DOCUMENTS_AT_ONCE):
            with store_errors(self._where):  # with a deadline for each part
                try:
                    part = some[first : first + _DOCUMENTS_AT_ONCE]
                    await self._commands.uncut(self._of(type(documents[0])).insert_many(part, ordered=False))
                except BulkWriteError as error:
                    if not _only_duplicates(error):
                        raise

    async def ping(self) -> None:
        with store_errors(self._where):
            await self._commands.uncut(self._database["schema_version"].find_one({}))

    async def close(self) -> None:
        await self._commands.settle(self._timeout)
        await self._client.close()

    # ---- inside -----------------------------------------------------------------------------------------------

    def _of(self, model: type[Document]) -> Collection:
        return self._database[table_name(model)]

    async def _one(
        self, model: type[Document], condition: Filter, fields: Sequence[str] | None = None
    ) -> dict[str, Any] | None:
        with store_errors(self._where):
            return await self._commands.uncut(self._of(model).find_one(condition, fields))

    async def _computed(self, model: type[Document], steps: list[Filter]) -> list[dict[str, Any]]:
        with store_errors(self._where):
            return await self._commands.uncut(self._aggregated(model, steps))

    async def _aggregated(self, model: type[Document], steps: list[Filter]) -> list[dict[str, Any]]:
        return await (await self._of(model).aggregate(steps)).to_list()


def _storable(id: str) -> bool:
    """False for texts that are no UTF-8 and so cannot be an id of anything."""
    try:
        id.encode()
    except UnicodeEncodeError:
        return False
    return True


def _value_at(raw: dict[str, Any], field: str) -> Any:
    value: Any = raw
    for key in field.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _text(value: object) -> str:
    return str(int(value)) if isinstance(value, bool) else str(_number(value))


def _number(value: Any) -> Any:
    """Integers beyond 64 bits count as floats, as in SQLite."""
    return float(value.to_decimal()) if isinstance(value, Decimal128) else value


def _only_duplicates(error: BulkWriteError) -> bool:
    details = error.details or {}
    failed = details.get("writeErrors", [])
    return bool(failed) and not details.get("writeConcernErrors") and all(one["code"] == _DUPLICATE for one in failed)
