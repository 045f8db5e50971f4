"""Which versions of bars are current: one file under a lock where there are locks, else a log that merges itself."""

import fcntl
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol, TypeAlias

from backproof.domain.clock import MarketClock
from backproof.errors import StorageFailed
from backproof.storage.files import Files, make_directory
from backproof.storage.local_files import LocalFiles
from backproof.storage.series import Series, manifest_text, parse_manifest, versions_of

MANIFEST = "manifest.json"
LOG = "manifest"
LOG_ENTRIES = 16  # beyond, they become one
_READ_AGAIN = 5  # times, when entries are merged while they are read

Current: TypeAlias = Mapping[str, Series]
Write: TypeAlias = Callable[[Current], tuple[list[Series], MarketClock]]


class Manifests(Protocol):
    """Readers see all of an update, or nothing of it."""

    def series(self, source: str, timeframe: str) -> dict[str, Series]:
        """Symbol to series; empty when there is nothing of this timeframe."""

    def update(self, source: str, timeframe: str, write: Write) -> list[Series]:
        """Make current what `write` returns (and has written); of what it is given it keeps the other symbols."""

    def sources(self) -> list[str]: ...

    def timeframes(self, source: str) -> list[str]: ...


class ManifestFile:
    """`manifest.json`, replaced atomically under a file lock. See Manifests."""

    def __init__(self, files: LocalFiles) -> None:
        self._files = files
        self._root = files.root / "bars"
        self._cache: dict[Path, tuple[tuple[int, int, int], dict[str, Series]]] = {}

    def sources(self) -> list[str]:
        return sorted({path.parent.parent.name for path in self._root.glob(f"*/*/{MANIFEST}")})

    def timeframes(self, source: str) -> list[str]:
        return sorted(path.parent.name for path in (self._root / source).glob(f"*/{MANIFEST}"))

    def series(self, source: str, timeframe: str) -> dict[str, Series]:
        path = self._root / source / timeframe / MANIFEST
        try:
            status = path.stat()
        except FileNotFoundError:
            return {}
        version = (status.st_mtime_ns, status.st_size, status.st_ino)
        cached = self._cache.get(path)
        if cached is not None and cached[0] == version:
            return cached[1]
        series = parse_manifest(path.read_bytes(), str(path), source, timeframe)
        self._cache[path] = (version, series)
        return series

    def update(self, source: str, timeframe: str, write: Write) -> list[Series]:
        directory = self._root / source / timeframe
        make_directory(directory)
        with _locked(directory), _undone_on_failure(directory):
            path = directory / MANIFEST
            current = parse_manifest(path.read_bytes(), str(path), source, timeframe) if path.exists() else {}
            written, clock = write(current)
            below = f"bars/{source}/{timeframe}"
            self._files.sync(below)
            text = manifest_text({**current, **{series.symbol: series for series in written}}, clock)
            self._files.write(below, lambda _: MANIFEST, lambda path: _write_text(path, text), _verify_manifest)
            self._files.sync(below)
        return written


class ManifestLog:
    """`manifest/<number>-<random>.json`, one for each update: an object store has no lock, and needs none for this.

    An entry of a symbol has the name of the update it came with; of two entries the later name counts, so that merging
    gives the same whoever merges what in which order. Two updates at once lose nothing: of a symbol that both have,
    one of the two is current. See Manifests.
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self._read: dict[str, dict[str, tuple[str, Series]]] = {}  # an update never changes
        self._merged: dict[str, tuple[tuple[str, ...], dict[str, Series]]] = {}
        self._lock = threading.Lock()

    def sources(self) -> list[str]:
        return [source for source in self._files.directories("bars") if self.timeframes(source)]

    def timeframes(self, source: str) -> list[str]:
        found = self._files.directories(f"bars/{source}")
        return [timeframe for timeframe in found if self._files.names(f"bars/{source}/{timeframe}/{LOG}")]

    def series(self, source: str, timeframe: str) -> dict[str, Series]:
        directory = f"bars/{source}/{timeframe}/{LOG}"
        for _ in range(_READ_AGAIN):
            names = tuple(self._files.names(directory))
            with self._lock:
                known = self._merged.get(directory)
            if known is not None and known[0] == names:
                return known[1]
            try:
                entries = self._entries(source, timeframe, names)
            except FileNotFoundError:  # merged into another in between
                continue
            series = {symbol: one for symbol, (_, one) in entries.items()}
            with self._lock:
                self._merged[directory] = (names, series)
                for path in [path for path in self._read if path.rpartition("/")[0] == directory]:
                    if path.rpartition("/")[2] not in names:
                        del self._read[path]
            return series
        raise StorageFailed(f"the bars of {source} change faster than they can be read")

    def update(self, source: str, timeframe: str, write: Write) -> list[Series]:
        directory = f"bars/{source}/{timeframe}/{LOG}"
        written, clock = write(self.series(source, timeframe))
        names = self._files.names(directory)
        last = max((int(name.partition("-")[0]) for name in names), default=0)
        name = f"{last + 1:012d}-{secrets.token_hex(6)}.json"
        self._put(directory, name, manifest_text({series.symbol: series for series in written}, clock))
        if len(names) >= LOG_ENTRIES:
            self._merge(source, timeframe)
        return written

    def _merge(self, source: str, timeframe: str) -> None:
        """First the one that says everything, then the others go: whoever reads in between finds all of it twice."""
        directory = f"bars/{source}/{timeframe}/{LOG}"
        names = self._files.names(directory)
        with suppress(FileNotFoundError):  # another is merging
            entries = self._entries(source, timeframe, tuple(names))
            series = {symbol: one for symbol, (_, one) in entries.items()}
            versions = {symbol: version for symbol, (version, _) in entries.items()}
            clock = series[max(versions, key=lambda symbol: versions[symbol])].clock
            name = f"{names[-1].partition('-')[0]}-{secrets.token_hex(6)}.json"
            self._put(directory, name, manifest_text(series, clock, versions))
            for old in names:
                self._files.remove(f"{directory}/{old}")

    def _entries(self, source: str, timeframe: str, names: tuple[str, ...]) -> dict[str, tuple[str, Series]]:
        merged: dict[str, tuple[str, Series]] = {}
        for name in names:
            for symbol, entry in self._update(source, timeframe, name).items():
                if symbol not in merged or merged[symbol][0] < entry[0]:
                    merged[symbol] = entry
        return merged

    def _update(self, source: str, timeframe: str, name: str) -> dict[str, tuple[str, Series]]:
        path = f"bars/{source}/{timeframe}/{LOG}/{name}"
        with self._lock:
            known = self._read.get(path)
        if known is None:
            with self._files.open(path) as file:
                data = file.read()
            series = parse_manifest(data, path, source, timeframe)
            versions = versions_of(data)
            known = {symbol: (versions.get(symbol, name), one) for symbol, one in series.items()}
            with self._lock:
                self._read[path] = known
        return known

    def _put(self, directory: str, name: str, text: str) -> None:
        self._files.write(directory, lambda _: name, lambda path: _write_text(path, text), _verify_manifest)


def manifests_of(files: Files) -> Manifests:
    return ManifestFile(files) if isinstance(files, LocalFiles) else ManifestLog(files)


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _verify_manifest(path: Path) -> None:
    parse_manifest(path.read_bytes(), str(path), "", "")


@contextmanager
def _undone_on_failure(directory: Path) -> Iterator[None]:
    """Remove the files that came to be, so that a disk that was too small for all of them has its space again."""
    before = set(directory.iterdir())
    try:
        yield
    except BaseException:
        with suppress(OSError, StorageFailed):
            manifest = directory / MANIFEST
            current = parse_manifest(manifest.read_bytes(), MANIFEST, "", "") if manifest.exists() else {}
            named = {MANIFEST, *(series.file for series in current.values())}  # it may have been swapped already
            for path in set(directory.iterdir()) - before:
                if path.name not in named:
                    path.unlink()
        raise


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """One writer of a manifest at a time, over all processes; a dead one's lock is gone with it."""
    with (directory / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
