"""What is particular to MongoDB: servers that are away, that hang or refuse, URLs, whose database it is, indexes."""

import asyncio
import gc
import os
import signal
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pymongo
import pytest
from pymongo import AsyncMongoClient
from repository_models import MODELS, Item, Other, Thing
from wire_stub import error, refusing

import servers
from backproof.bootstrap import DOCUMENTS, open_repository
from backproof.domain.documents import Change, Document, Repository, eq
from backproof.errors import InvalidSettings, StoreRefused, StoreUnavailable
from backproof.settings import load_settings
from backproof.storage.mongo import SCHEMA_VERSION, MongoRepository
from backproof.storage.mongo.records import indexes_of, record_of
from mongo_servers import Missing, started, with_database

DEADLINE = 20.0  # seconds: far more than a call has, and less than PyMongo would wait without being told
AWAY = "it did not answer in time|no server answers|all connections were in use|the connection broke"
SECRET = "ge%3Aheim"
T = TypeVar("T")


# PyMongo leaves sockets whose connecting failed to the garbage collector
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture
def url(java_url: str, tmp_path: Path) -> str:
    return with_database(java_url, f"store_{tmp_path.name}"[:60])


async def opened(url: str, models: Sequence[type[Document]] = MODELS) -> MongoRepository:
    """With time for every call, also where the machine stands still for a moment."""
    return await MongoRepository.open(url, models, timeout_seconds=20)


async def in_time(call: Callable[[], Awaitable[T]]) -> T:
    """Its answer, as soon as a server that was just started, or goes on, is fast enough."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await call()
            except StoreUnavailable:
                await asyncio.sleep(0.05)


async def calls_fail(repository: Repository) -> None:
    calls = (
        *(repository.ping, lambda: repository.get(Thing, "a"), lambda: repository.add(Thing(id="b"))),
        lambda: repository.update(Thing, "a", (), Change(inc={"fence": 1, "score": 1})),
        *(lambda: repository.find(Thing, (eq("status", "x"),)), lambda: repository.count(Thing)),
        *(lambda: repository.remove(Thing, ()), lambda: repository.counts_by(Thing, "status")),
        *(lambda: repository.total(Thing, "score"), lambda: repository.add_all([Thing(id="c"), Thing(id="d")])),
    )
    began = time.monotonic()

    async def fails(call: Any) -> None:
        with pytest.raises(StoreUnavailable, match=AWAY):
            await call()
        assert time.monotonic() - began < DEADLINE

    await asyncio.gather(*(fails(call) for call in calls))


async def test_every_call_fails_in_time_while_the_server_is_away_and_works_when_it_is_back() -> None:
    try:
        with started() as (server, url):
            repository = await in_time(lambda: MongoRepository.open(url, MODELS, timeout_seconds=2.0))
            await in_time(lambda: repository.add(Thing(id="a")))
            os.kill(server.pid, signal.SIGSTOP)
            while psutil.Process(server.pid).status() != psutil.STATUS_STOPPED:  # a process of many threads
                await asyncio.sleep(0.01)
            await calls_fail(repository)
            os.kill(server.pid, signal.SIGCONT)
            assert await in_time(lambda: repository.get(Thing, "a")) is not None
            port = int(url.rpartition(":")[2].partition("/")[0])
            server.kill()
            server.wait()
            await calls_fail(repository)
        with started(port):
            assert await in_time(lambda: repository.get(Thing, "a")) is None  # that server keeps everything in memory
            await repository.close()
    except Missing as why:
        servers.missing(why)


async def test_callers_who_leave_cost_no_connections(url: str) -> None:
    repository = await MongoRepository.open(url, MODELS, timeout_seconds=20, max_connections=3)
    port = int(url.rpartition(":")[2].partition("/")[0])

    def connections() -> set[int]:
        found = psutil.Process().net_connections("tcp")
        return {one.laddr.port for one in found if one.raddr and one.raddr.port == port}

    async def read_by_many() -> None:
        await asyncio.gather(*(repository.get(Thing, f"{i}") for i in range(30)))

    async with asyncio.timeout(30):
        while len(before := connections()) <= 3:  # three of the pool, and those that watch the server
            await read_by_many()
    for ticks in range(50):
        leaving = asyncio.create_task(read_by_many())
        for _ in range(ticks):
            await asyncio.sleep(0)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
    await read_by_many()
    assert connections() == before
    await repository.close()


async def test_a_start_without_a_server_fails_in_time() -> None:
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match=r"MongoDB 127\.0\.0\.1:1/x does not work: no server answers") as raised:
        await MongoRepository.open(f"mongodb://user:{SECRET}@127.0.0.1:1/x", MODELS)
    assert time.monotonic() - began < DEADLINE
    assert_one_line(raised.value)


@pytest.mark.parametrize(
    "url",
    [
        "mongo://user:geheim@host/x",
        "mongodb://user:ge@heim@host/x",
        "mongodb://user:geheim",
        "mongodb://user:geheim@host:port/x",
        "mongodb://",
        "geheim",
    ],
)
async def test_a_wrong_url_is_said_and_not_repeated(url: str) -> None:
    with pytest.raises(InvalidSettings, match="MONGODB_URL cannot be used") as raised:
        await MongoRepository.open(url, MODELS)
    assert_one_line(raised.value)


REFUSALS = {
    "user or password": ("saslstart", error(18, "AuthenticationFailed", "Authentication failed.")),
    "may not write": ("createindexes", error(13, "Unauthorized", "not authorized on x to execute createIndexes")),
    "the disk is full": ("createindexes", error(14031, "OutOfDiskSpace", "No space left on device")),
    "another program": (
        "listcollections",
        {"cursor": {"id": 0, "ns": "x.$cmd", "firstBatch": [{"name": "theirs"}]}, "ok": 1.0},
    ),
}


@pytest.mark.parametrize("reason", REFUSALS)
async def test_what_the_server_refuses_is_said_at_the_start(reason: str) -> None:
    command, answer = REFUSALS[reason]
    user = f"user:{SECRET}@" if command == "saslstart" else ""
    async with refusing({command: answer}) as where:
        with pytest.raises(StoreUnavailable, match=reason) as raised:
            await opened(f"mongodb://{user}{where}/x", MODELS)
    assert_one_line(raised.value)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        *((13, "may not write"), (14031, "disk is full"), (50, "did not answer in time"), (10334, "16 MB")),
        *((10107, "connection broke"), (123, "whatever it says")),
    ],
)
async def test_what_the_server_refuses_later_is_said(code: int, reason: str) -> None:
    answer = error(code, "Name", "whatever it says")
    async with refusing(dict.fromkeys(("insert", "findandmodify", "delete"), answer)) as where:
        repository = await opened(f"mongodb://{where}/x", MODELS)
        for call in (
            repository.add(Thing(id="a")),
            repository.update(Thing, "a", (), Change(inc={"fence": 1})),
            repository.remove(Thing, ()),
            repository.add_all([Thing(id="a")]),
        ):
            with pytest.raises(StoreUnavailable, match=reason):
                await call
        await repository.close()


def assert_one_line(error: Exception) -> None:
    assert "\n" not in str(error)
    assert "heim" not in str(error)
    assert "ge%3A" not in str(error)


async def test_a_newer_store_is_refused(url: str) -> None:
    await (await opened(url, MODELS)).close()
    async with AsyncMongoClient[dict[str, Any]](url) as client:
        await client.get_default_database().schema_version.update_one({}, {"$inc": {"version": 1}})
        for compatible in (None, SCHEMA_VERSION + 1, "x"):
            await client.get_default_database().schema_version.update_one({}, {"$set": {"compatible": compatible}})
            with pytest.raises(StoreRefused, match=f"schema version {SCHEMA_VERSION + 1}.*newer backproof"):
                await opened(url, DOCUMENTS)


async def test_a_newer_store_that_says_it_is_compatible_is_used_and_left_as_it_is(url: str) -> None:
    await (await opened(url, MODELS)).close()
    async with AsyncMongoClient[dict[str, Any]](url) as client:
        versions = client.get_default_database().schema_version
        newer = {"version": SCHEMA_VERSION + 1, "compatible": SCHEMA_VERSION}
        await versions.update_one({}, {"$set": newer})
        repository = await opened(url, MODELS)
        assert await repository.add(Thing(id="a"))
        await repository.close()
        assert await versions.find({}).to_list() == [{"_id": "backproof", **newer}]


@pytest.mark.parametrize("reason", ["user or password", "may not write", "another program"])
async def test_what_waiting_does_not_help_is_refused(reason: str) -> None:
    command, answer = REFUSALS[reason]
    async with refusing({command: answer}) as where:
        user = f"user:{SECRET}@" if command == "saslstart" else ""
        with pytest.raises(StoreRefused, match=reason):
            await opened(f"mongodb://{user}{where}/x", MODELS)


async def test_a_user_who_may_only_read_is_refused_though_the_store_is_prepared() -> None:
    async with refusing({"update": error(13, "Unauthorized", "not authorized on x to execute update")}) as where:
        with pytest.raises(StoreRefused, match="may not write"):
            await opened(f"mongodb://{where}/x", MODELS)


@pytest.mark.parametrize("collection", ["theirs", "schema_version", "backtests"])
async def test_a_database_of_another_program_is_refused_and_left_alone(url: str, collection: str) -> None:
    async with AsyncMongoClient[dict[str, Any]](url) as client:
        database = client.get_default_database()
        await database[collection].insert_one({"_id": 1, "x": 2})
        with pytest.raises(StoreUnavailable, match="another program"):
            await opened(url, MODELS)
        assert await database.list_collection_names() == [collection]
        assert await database[collection].find({}).to_list() == [{"_id": 1, "x": 2}]


async def test_a_damaged_document_is_said(url: str) -> None:
    repository = await opened(url, MODELS)
    async with AsyncMongoClient[dict[str, Any]](url) as client:
        await client.get_default_database().things.insert_one({"_id": "a", "fence": "x"})
    with pytest.raises(StoreUnavailable, match="things cannot be read"):
        await repository.get(Thing, "a")
    await repository.close()


async def test_a_newer_program_adds_its_collections_and_indexes(url: str) -> None:
    first = await opened(url, (Other,))
    await first.add(Other(id="a", text="kept"))
    await first.close()
    second = await opened(url, (Other, *DOCUMENTS))
    assert await second.get(Other, "a") == Other(id="a", text="kept")
    async with AsyncMongoClient[dict[str, Any]](url) as client:
        database = client.get_default_database()
        for model in filter(indexes_of, DOCUMENTS):
            expected = {index.document["name"] for index in indexes_of(model)} | {"_id_"}
            assert set(await database[model.collection].index_information()) == expected
    await second.close()


def test_no_index_is_unique_or_beyond_what_mongodb_allows() -> None:
    for model in (*MODELS, *DOCUMENTS):
        for index in indexes_of(model):
            assert not index.document.get("unique")
            assert len(index.document["key"]) <= 32
            assert len(index.document["name"]) <= 127


async def test_beanie_reads_what_the_repository_wrote(url: str) -> None:
    """Scripts may use the documents as Beanie's; the fields are the domain model's."""
    from beanie import init_beanie

    repository = await opened(url, MODELS)
    thing = Thing(id="a", items=(Item(seq=1),), data={"n": [1]}, score=0.5)
    await repository.add(thing)
    record = record_of(Thing)
    assert set(record.model_fields) == {*Thing.model_fields, "revision_id"}
    async with AsyncMongoClient[dict[str, Any]](url) as client:
        await init_beanie(database=client.get_default_database(), document_models=[record])
        found = await record.get("a")
    assert found is not None
    assert found.model_dump(exclude={"revision_id"}) == thing.model_dump()
    await repository.close()


async def test_a_url_cannot_weaken_writes_or_lengthen_calls(java_url: str) -> None:
    options = "w=0&journal=false&timeoutMS=900000&readPreference=secondary&maxPoolSize=3"
    repository = await MongoRepository.open(f"{with_database(java_url, 'options')}?{options}", MODELS, 21.0, 7)
    things = repository._of(Thing)
    assert things.write_concern.document == {"w": "majority", "j": True}
    assert things.read_preference == pymongo.ReadPreference.PRIMARY
    assert (repository._client.options.timeout, repository._client.options.pool_options.max_pool_size) == (21.0, 7)
    await repository.close()


async def test_the_settings_choose_the_store_and_keep_the_url_secret(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONGODB_TIMEOUT_SECONDS", "20")
    monkeypatch.setenv("MONGODB_URL", "")
    settings = load_settings(data_dir=tmp_path)
    assert settings.mongodb_url is None
    repository = await open_repository(settings)
    assert type(repository).__name__ == "SqliteRepository"
    await repository.close()
    monkeypatch.setenv("MONGODB_URL", url)
    settings = load_settings(data_dir=tmp_path)
    assert url not in repr(settings) + settings.model_dump_json()
    repository = await open_repository(settings)
    assert type(repository) is MongoRepository
    await repository.close()
