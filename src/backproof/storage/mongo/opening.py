"""Connecting to MongoDB: options that no URL may weaken, whose database it is, collections and indexes."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pymongo
from beanie import init_beanie
from bson.codec_options import CodecOptions
from pymongo import AsyncMongoClient, ReadPreference, WriteConcern
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import ConfigurationError, DuplicateKeyError, InvalidURI, PyMongoError
from pymongo.read_concern import ReadConcern

from backproof.domain.documents import Document
from backproof.errors import InvalidSettings, StoreRefused
from backproof.storage.mongo.failures import store_errors
from backproof.storage.mongo.records import record_of

SCHEMA_VERSION = 1
DATABASE = "backproof"  # where the URL names none
INDEX_SECONDS = 60.0  # making an index of a large collection takes longer than any other call
_VERSIONS = "schema_version"
_COMPATIBLE = "compatible"  # the oldest version whose programs may still use a store that a newer one has changed
Client = AsyncMongoClient[dict[str, Any]]
Database = AsyncDatabase[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Opened:
    """A store that is ready. where: hosts and database, for messages; it holds no credentials."""

    client: Client
    database: Database
    where: str
    timeout_seconds: float


async def open_store(
    url: str, models: Sequence[type[Document]], timeout_seconds: float, max_connections: int
) -> Opened:
    """Connect and prepare.

    InvalidSettings: a wrong URL; StoreUnavailable: a server that does not answer; StoreRefused: one that is not enough
    """
    client, database = _connect(url, timeout_seconds, max_connections)
    where = f"MongoDB {database.name}"
    try:
        with store_errors(where):
            await client.aconnect()  # resolves mongodb+srv names
        hosts = ",".join(f"{host}:{port}" for host, port in client.topology_description.server_descriptions())
        where = f"MongoDB {hosts}/{database.name}"
        with store_errors(where):
            await _prepare(database, where, models)
    except BaseException:
        await client.close()
        raise
    return Opened(client, _reading_majority(client, database), where, timeout_seconds)


def _connect(url: str, timeout_seconds: float, max_connections: int) -> tuple[Client, Database]:
    """Arguments win over the URL's options, so that no URL can make writes unsafe or calls endless."""
    milliseconds = max(1, int(timeout_seconds * 1000))
    try:
        if not url.startswith(("mongodb://", "mongodb+srv://")):
            raise ValueError("PyMongo would take it for the name of a host")
        client: Client = AsyncMongoClient(
            url,
            appname="backproof",
            timeoutMS=milliseconds,  # of a whole call: waiting for a connection, sending, answer, repetition
            serverSelectionTimeoutMS=milliseconds,
            connectTimeoutMS=milliseconds,
            maxPoolSize=max_connections,
            minPoolSize=0,
            tz_aware=True,
        )
        named: Database = client.get_default_database(DATABASE)
        database: Database = named.with_options(
            codec_options=CodecOptions(tz_aware=True),
            read_preference=ReadPreference.PRIMARY,
            write_concern=WriteConcern(w="majority", j=True),
        )
    except (InvalidURI, ConfigurationError, ValueError, TypeError):
        # PyMongo's message may quote parts of the URL, and so of the password
        raise InvalidSettings(
            "MONGODB_URL cannot be used: it looks like mongodb://HOST:27017/DATABASE, "
            "with USER:PASSWORD@, percent-encoded, before the host where they are needed"
        ) from None
    except PyMongoError as error:
        raise InvalidSettings(f"MONGODB_URL cannot be used ({type(error).__name__})") from None
    return client, database


def _reading_majority(client: Client, database: Database) -> Database:
    """Of several servers, reads see what a majority has: what was acted on cannot be rolled back afterwards."""
    if client.topology_description.topology_type_name == "Single":
        return database
    return database.with_options(read_concern=ReadConcern("majority"))


async def _prepare(database: Database, where: str, models: Sequence[type[Document]]) -> None:
    """Check whose database this is, and create what is missing. Several processes may do this at the same time."""
    await _check_version(database, where)
    await database[_VERSIONS].update_one({"_id": "nobody"}, {"$unset": {"nothing": ""}})  # may this user write?
    with pymongo.timeout(INDEX_SECONDS):
        await init_beanie(database=database, document_models=[record_of(model) for model in models])


async def _check_version(database: Database, where: str) -> None:
    foreign = StoreRefused(f"{where} is a database of another program")
    names = {name for name in await database.list_collection_names() if not name.startswith("system.")}
    if names and _VERSIONS not in names:
        raise foreign
    versions = database[_VERSIONS]
    stored = await versions.find({}, limit=2).to_list()
    if stored and stored[0]["_id"] != DATABASE:
        raise foreign
    found = stored[0] if stored else None
    if found is None:
        if names > {_VERSIONS}:
            raise foreign
        created = {"$setOnInsert": {"version": SCHEMA_VERSION}}
        with suppress(DuplicateKeyError):  # another process was faster
            await versions.update_one({"_id": DATABASE}, created, upsert=True)
        found = await versions.find_one({"_id": DATABASE})
    version, oldest = (found.get(name) if found is not None else None for name in ("version", _COMPATIBLE))
    newer = isinstance(version, int) and version > SCHEMA_VERSION
    if version != SCHEMA_VERSION and not (newer and isinstance(oldest, int) and oldest <= SCHEMA_VERSION):
        raise StoreRefused(
            f"{where} has schema version {version}, this backproof knows {SCHEMA_VERSION}: "
            + ("install the newer backproof" if newer else "it is damaged")
        )
