"""Server mode of the tests: BACKPROOF_TEST_SERVERS=1 lets the integration and the short chaos suite run on servers.

Metadata in a MongoDB-wire server, files in an S3-compatible store, a stand-alone Redis; two workers as if on two hosts,
two web processes, a scheduler (fleet.py). Without it, the same tests run on the local stack.
"""

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from secrets import token_hex
from typing import NoReturn

from mongo_servers import Missing, java_server, named_server, with_database
from servers import s3

TESTS = Path(__file__).parents[1]
DATABASES = "backproof_test_"
_made: set[str] = set()
_STORES = "BACKPROOF_TEST_STORES"  # what runs, for helpers and processes of this session


def wanted() -> bool:
    return os.environ.get("BACKPROOF_TEST_SERVERS", "") not in ("", "0")


def missing(why: Missing) -> NoReturn:
    """Skip, or fail where BACKPROOF_REQUIRE_SERVERS says that everything has to be there."""
    import pytest

    if os.environ.get("BACKPROOF_REQUIRE_SERVERS"):
        pytest.fail(f"{why} (BACKPROOF_REQUIRE_SERVERS is set)")
    pytest.skip(str(why))


@contextmanager
def stores() -> Iterator[None]:
    """The metadata store and the file store, for as long as the block lasts. Raises Missing."""
    if shutil.which("redis-server") is None:
        raise Missing("redis-server is not installed")
    with ExitStack() as opened:
        try:
            mongodb = named_server()
        except Missing:
            mongodb = opened.enter_context(java_server())
        endpoint = opened.enter_context(s3.server())
        session = token_hex(4)
        before = {name: os.environ.get(name) for name in (_STORES, *s3.ENVIRONMENT)}
        os.environ[_STORES] = json.dumps({"mongodb": mongodb, "session": session})
        os.environ.update(s3.environment(endpoint))
        try:
            yield
        finally:
            _put_back(before)
            _drop_databases(mongodb, session)


def settings_for(data_dir: Path) -> dict[str, str]:
    """What a local stack keeps in this directory: the product's settings that let servers keep it."""
    stores = json.loads(os.environ[_STORES])
    name = f"{stores['session']}_{hashlib.blake2b(str(data_dir).encode(), digest_size=6).hexdigest()}"
    storage = f"s3://{DATABASES.replace('_', '-')}{name.replace('_', '-')}/files"
    if storage not in _made:
        s3.Bucket(storage).make()
        _made.add(storage)
    return {
        "MONGODB_URL": with_database(stores["mongodb"], DATABASES + name),
        "MONGODB_TIMEOUT_SECONDS": "10",  # a test machine may be busy
        "STORAGE_URL": storage,
    }


def bucket_of(data_dir: Path) -> s3.Bucket:
    """Where that which would lie below `lake` is."""
    return s3.Bucket(settings_for(data_dir)["STORAGE_URL"])


def command(module: str, *arguments: str) -> list[str]:
    """A module of these tests as a process of its own."""
    code = f"import sys; sys.path.insert(0, {str(TESTS)!r}); from {module} import main; main()"
    return [sys.executable, "-P", "-c", code, *arguments]


def _put_back(before: dict[str, str | None]) -> None:
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _drop_databases(url: str, session: str) -> None:
    from pymongo import MongoClient

    with MongoClient(url) as client:
        for name in client.list_database_names():
            if name.startswith(f"{DATABASES}{session}"):
                client.drop_database(name)
