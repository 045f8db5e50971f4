"""The repositories that have to fulfil the contract. Another implementation is one more entry in BACKENDS."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from repository_models import MODELS

from backproof.domain.documents import Repository
from backproof.storage.sqlite import SqliteRepository


async def open_sqlite(directory: Path) -> Repository:
    return await SqliteRepository.open(directory / "store.sqlite3", MODELS)


BACKENDS: dict[str, Callable[[Path], Awaitable[Repository]]] = {"sqlite": open_sqlite}


@pytest.fixture(params=sorted(BACKENDS))
def backend(request: pytest.FixtureRequest) -> Callable[[Path], Awaitable[Repository]]:
    return BACKENDS[request.param]


@pytest.fixture
async def repository(backend: Callable[[Path], Awaitable[Repository]], tmp_path: Path) -> AsyncIterator[Repository]:
    opened = await backend(tmp_path)
    yield opened
    await opened.close()
