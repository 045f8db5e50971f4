"""Every test of the contract runs on every repository; see repository_backends.py."""

from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from pymongo import MongoClient
from repository_backends import BACKENDS, DATABASES, Open, open_sqlite, opens_mongo

import servers
from backproof.domain.documents import Repository
from mongo_servers import Missing, java_server, named_server


@pytest.fixture(scope="session")
def java_url() -> Iterator[str]:
    try:
        with java_server() as url:
            yield url
    except Missing as why:
        servers.missing(why)


@pytest.fixture(scope="session")
def named_url() -> Iterator[str]:
    try:
        url = named_server()
    except Missing as missing:
        pytest.skip(str(missing))
    yield url
    with MongoClient(url) as client:
        for name in client.list_database_names():
            if name.startswith(DATABASES):
                with suppress(Exception):
                    client.drop_database(name)


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Open:
    if request.param == "sqlite":
        return open_sqlite
    return opens_mongo(request.getfixturevalue("named_url" if request.param == "mongodb" else "java_url"))


@pytest.fixture
async def repository(backend: Open, tmp_path: Path) -> AsyncIterator[Repository]:
    opened = await backend(tmp_path)
    yield opened
    await opened.close()
