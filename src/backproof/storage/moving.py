"""Copying a lake from one place to another: to a bucket and back. Neither may be written to meanwhile.

Files never change, so a copy that was cut off goes on when it is begun again: what is there already is compared and
left.
"""

import hashlib
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from backproof.errors import Conflict, StorageFailed
from backproof.storage.files import Files, storage_errors
from backproof.storage.manifests import manifests_of
from backproof.storage.series import Series

_KEPT = re.compile(r"bars/[^/]+/[^/]+/[0-9a-f]{16}-[0-9a-f]{16}\.parquet|runs/[^/]+/\d+/[^/.][^/]*\.(parquet|bin)")
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Moved:
    """bars, results: files (checkpoints count as results); series: of all sources and timeframes"""

    bars: int
    results: int
    series: int


def copy_lake(source: Files, target: Files, on_copied: Callable[[str], None] = lambda _path: None) -> Moved:
    """Copy all bars, results and checkpoints, and compare them.

    on_copied: told the path of each file that has arrived
    Conflict when the target holds what the source does not, StorageFailed when it is not equal in the end
    """
    with storage_errors("cannot copy the files"):
        files, there = _files(source), _files(target)
        if others := sorted(there - files):
            raise Conflict(f"the target holds files of its own ({others[0]}): empty it first")
        for path in sorted(files):
            if path in there and _hash(source, path) == _hash(target, path):
                continue
            if path in there:
                raise Conflict(f"{path} is another file in the target: empty it first")
            _copy(source, target, path)
            on_copied(path)
        series = _copy_manifests(source, target)
        if _files(target) != files:
            raise StorageFailed("the files differ after they were copied: was one of the places in use?")
    bars = sum(path.startswith("bars/") for path in files)
    return Moved(bars, len(files) - bars, series)


def _copy_manifests(source: Files, target: Files) -> int:
    old, new, count = manifests_of(source), manifests_of(target), 0
    for name in old.sources():
        for timeframe in old.timeframes(name):
            series = list(old.series(name, timeframe).values())
            count += len(series)
            for one in series:
                if not target.exists(f"bars/{name}/{timeframe}/{one.file}"):
                    raise StorageFailed(f"the {timeframe} bars of {one.symbol} from {name} are missing in the source")
            if _unlike(series, new.series(name, timeframe)):
                new.update(name, timeframe, lambda _, series=series: (series, series[0].clock))  # type: ignore[misc]
            if _unlike(series, new.series(name, timeframe)):
                raise Conflict(f"the target has {timeframe} bars of {name} that the source has not: empty it first")
    return count


def _unlike(series: list[Series], there: dict[str, Series]) -> bool:
    return {one.symbol: one for one in series} != there


def _files(files: Files) -> set[str]:
    return {found.path for top in ("bars", "runs") for found in files.walk(top) if _KEPT.fullmatch(found.path)}


def _copy(source: Files, target: Files, path: str) -> None:
    directory, _, name = path.rpartition("/")

    def write(to: Path) -> None:
        with source.open(path) as opened, to.open("wb") as file:
            shutil.copyfileobj(opened, file, _BLOCK)

    written = target.write(directory, lambda _: name, write, lambda _: None)
    target.sync(directory)
    if written.sha256 != _hash(source, path):
        with suppress(OSError):
            target.remove(path)
        raise StorageFailed(f"{path} was not copied as it is")


def _hash(files: Files, path: str) -> str:
    digest = hashlib.sha256()
    with files.open(path) as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
