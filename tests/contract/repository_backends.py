"""The repositories that have to fulfil the contract, and how each is opened. A directory stands for a store."""

import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from secrets import token_hex

from repository_models import MODELS

from backproof.domain.documents import Repository
from backproof.storage.mongo import MongoRepository
from backproof.storage.sqlite import SqliteRepository
from mongo_servers import with_database
from servers import DATABASES

Open = Callable[[Path], Awaitable[Repository]]
BACKENDS = ("sqlite", "mongodb", "mongodb_in_java")
SESSION = token_hex(8)


async def open_sqlite(directory: Path) -> Repository:
    return await SqliteRepository.open(directory / "store.sqlite3", MODELS)


def opens_mongo(url: str) -> Open:
    async def open_mongo(directory: Path) -> Repository:
        name = DATABASES + hashlib.blake2b(f"{SESSION}{directory}".encode(), digest_size=8).hexdigest()
        return await MongoRepository.open(with_database(url, name), MODELS, timeout_seconds=20)

    return open_mongo
