"""`migrate-store`: from SQLite to MongoDB and back; `migrate-files`: from a directory to a bucket and back."""

import asyncio
import re
import tempfile
from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import SecretStr
from rich.console import Console

from backproof.errors import InvalidSettings, NotFound, StackError
from backproof.settings import load_settings

if TYPE_CHECKING:
    from backproof.settings import Settings

_CREDENTIALS = re.compile(r"(?<=//)[^/]*@")


def migrate(settings: "Settings", source: str, target: str) -> None:
    from backproof.local.directory import DataDirectory

    if DataDirectory(settings.data_dir).in_use():
        raise StackError(f"the service runs on {settings.data_dir}: stop it first")
    chosen = [_store(settings, name) for name in (source, target)]
    if chosen[0].mongodb_url == chosen[1].mongodb_url:
        raise InvalidSettings("--from and --to name the same store")
    if chosen[0].mongodb_url is None and not settings.database_path.exists():
        raise NotFound(f"there is no store at {settings.database_path}")
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    counts = asyncio.run(_move(chosen[0], chosen[1], _spoken(chosen[0])))
    for collection, count in counts.items():
        print(f"{collection}: {count}")
    print("copied, compared, equal" + (": set MONGODB_URL to use it" if chosen[1].mongodb_url is not None else ""))


def migrate_files(settings: "Settings", source: str, target: str) -> None:
    from backproof.local.directory import DataDirectory
    from backproof.services.lakes import storage_location
    from backproof.storage.moving import copy_lake
    from backproof.storage.opening import open_files

    if DataDirectory(settings.data_dir).in_use():
        raise StackError(f"the service runs on {settings.data_dir}: stop it first")
    places = [_place(settings, name) for name in (source, target)]
    if places[0].storage_place.rstrip("/") == places[1].storage_place.rstrip("/"):
        raise InvalidSettings("--from and --to name the same place")
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    # what is compared comes from the places themselves, not from copies of an earlier day
    with tempfile.TemporaryDirectory(dir=settings.data_dir) as copies:
        old, new = (open_files(replace(storage_location(place), cache=copies)) for place in places)
        for files, place in ((old, places[0]), (new, places[1])):
            if place.storage_url is not None:
                files.check()
        with Console(stderr=True).status("copying"):
            moved = copy_lake(old, new)
    print(f"bars: {moved.bars} files, {moved.series} series\nresults and checkpoints: {moved.results} files")
    print("copied, compared, equal" + (": set STORAGE_URL to use it" if places[1].storage_url is not None else ""))


def _place(settings: "Settings", name: str) -> "Settings":
    """The settings with bars and results at this place."""
    if name == "local":
        return settings.model_copy(update={"storage_url": None})
    if not name.startswith(("s3://", "file:///")):
        raise InvalidSettings("a place is local, s3://bucket/prefix or file:///directory")
    return load_settings(data_dir=settings.data_dir, storage_url=name)


async def _move(source: "Settings", target: "Settings", name: str) -> dict[str, int]:
    from backproof.bootstrap import DOCUMENTS, open_repository, open_whole_repository
    from backproof.services.moving import move

    old = await open_whole_repository(source)
    try:
        new = await open_repository(target)
        try:
            with Console(stderr=True).status("copying"):
                return await move(old, new, DOCUMENTS, name)
        finally:
            await new.close()
    finally:
        await old.close()


def _store(settings: "Settings", name: str) -> "Settings":
    """The settings with the store of this name."""
    if name == "sqlite":
        return settings.model_copy(update={"mongodb_url": None})
    if name == "mongodb":
        if settings.mongodb_url is None:
            raise InvalidSettings("MONGODB_URL is not set")
        return settings
    if not name.startswith(("mongodb://", "mongodb+srv://")):
        raise InvalidSettings("a store is sqlite, mongodb or a URL that begins with mongodb://")
    return settings.model_copy(update={"mongodb_url": SecretStr(name)})


def _spoken(settings: "Settings") -> str:
    if settings.mongodb_url is None:
        return str(settings.database_path)
    return _CREDENTIALS.sub("", settings.mongodb_url.get_secret_value()).partition("?")[0]
