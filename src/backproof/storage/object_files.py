"""ObjectFiles: a prefix of a bucket of an S3-compatible object store, read through a cache on the local disk."""

import errno
import hashlib
import os
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from backproof.errors import InvalidSettings, StorageFailed
from backproof.storage.files import Found, Written, aws_error, digest_of, out_of_reach, reason_of

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.fs import FileInfo, FileSystem

_BLOCK = 1 << 20
_OPENED = 3  # times, before a file that another process always tidies away is called missing
_SCANNED_AFTER = 20  # a cache's size is counted anew after this part of it was added


class FileCache:
    """Copies of objects in one directory of this machine, which several processes may use; the oldest go first.

    megabytes: of all of them together, about (each process counts what the others have added from time to time)
    """

    def __init__(self, directory: Path, megabytes: int) -> None:
        self._directory = directory
        self._limit = megabytes << 20
        self._added = self._limit  # nobody knows yet what is there
        self._lock = threading.Lock()

    def path(self, path: str) -> Path:
        return self._directory / path

    def temporary(self) -> Path:
        directory = self._directory / "new"
        directory.mkdir(parents=True, exist_ok=True)
        return directory / f"{os.getpid()}-{secrets.token_hex(6)}"

    def take(self, temporary: Path, path: str) -> None:
        """Keep the file as the copy of this object."""
        size = temporary.stat().st_size
        kept = self.path(path)
        kept.parent.mkdir(parents=True, exist_ok=True)
        temporary.replace(kept)
        with self._lock:
            self._added += size
            if self._added < self._limit // _SCANNED_AFTER:
                return
            self._added = 0
        self._shrink()

    def forget(self, path: str) -> None:
        self.path(path).unlink(missing_ok=True)

    def _shrink(self) -> None:
        found = []
        for parent, _, names in os.walk(self._directory):
            for name in names:
                with suppress(FileNotFoundError):
                    status = os.stat(os.path.join(parent, name))  # noqa: PTH116, PTH118 - for every file there is
                    # one that is just being written is new, though nobody has read it yet
                    found.append((max(status.st_atime, status.st_mtime), status.st_size, Path(parent, name)))
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if total <= self._limit:
                return
            path.unlink(missing_ok=True)
            total -= size


class ObjectFiles:
    """location: bucket/prefix. See Files.

    Objects are never renamed: one is there when its upload is complete, and counts once it is recorded.
    """

    def __init__(self, filesystem: "FileSystem", location: str, cache: FileCache) -> None:
        self._filesystem = filesystem
        self._root = location
        self._cache = cache
        self._place = hashlib.sha256(location.encode()).hexdigest()[:16]  # one cache may have copies of several buckets

    def write(
        self, directory: str, name: Callable[[str], str], write: Callable[[Path], None], verify: Callable[[Path], None]
    ) -> Written:
        temporary = self._cache.temporary()
        try:
            write(temporary)
            verify(temporary)
            sha256, size = digest_of(temporary)
            path = f"{directory}/{name(sha256)}"
            with temporary.open("rb") as source, self._filesystem.open_output_stream(self._key(path)) as stream:
                while block := source.read(_BLOCK):
                    stream.write(block)
            again = self._cache.temporary()
            try:
                self._download(path, again)
                if digest_of(again)[0] != sha256:
                    self.remove(path)
                    raise StorageFailed(f"{path} did not read back as it was written")
            finally:
                again.unlink(missing_ok=True)
            self._cache.take(temporary, self._copy(path))
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        return Written(path, sha256, size)

    def sync(self, directory: str) -> None:
        """Nothing to do: a complete upload is durable."""

    def copy(self, path: str, directory: str, name: str) -> str:
        copied = f"{directory}/{name}"
        with _missing(path):
            self._filesystem.copy_file(self._key(path), self._key(copied))
        return copied

    def exists(self, path: str) -> bool:
        copied = self._cache.path(self._copy(path)).exists()
        return copied or bool(self._filesystem.get_file_info(self._key(path)).is_file)

    def open(self, path: str, sha256: str | None = None) -> "pa.NativeFile":
        import pyarrow as pa

        for _ in range(_OPENED):
            kept = self._cache.path(self._copy(path))
            if not kept.exists():
                self._fetch(path, sha256)
            with suppress(FileNotFoundError):  # tidied away by another process, which has a small cache
                file = pa.OSFile(str(kept), "rb")
                with suppress(OSError):
                    os.utime(kept)
                return file
        raise FileNotFoundError(errno.ENOENT, "it is gone as soon as it is here", path)

    def names(self, directory: str) -> list[str]:
        return sorted(info.base_name for info in self._list(directory) if info.is_file)

    def directories(self, directory: str) -> list[str]:
        return sorted(info.base_name for info in self._list(directory) if not info.is_file)

    def walk(self, directory: str) -> Iterator[Found]:
        for info in self._list(directory, recursive=True):
            if info.is_file:
                yield Found(self._below(info.path), (info.mtime_ns or 0) / 1e9)

    def remove(self, path: str) -> bool:
        self._cache.forget(self._copy(path))
        try:
            self._filesystem.delete_file(self._key(path))
        except FileNotFoundError:
            return False
        return True

    def remove_all(self, directory: str) -> None:
        for found in self.walk(directory):
            self._cache.forget(self._copy(found.path))
        with suppress(FileNotFoundError):
            self._filesystem.delete_dir(self._key(directory))

    def prune(self, directory: str, names: Iterable[str]) -> None:
        """An emptied directory is an object of its own here; that of `directory` stays, where others may write now."""
        for name in names:
            if not any(True for _ in self.walk(f"{directory}/{name}")):
                with suppress(FileNotFoundError):
                    self._filesystem.delete_dir(self._key(f"{directory}/{name}"))

    def check(self) -> None:
        name = f"{os.getpid()}-{secrets.token_hex(6)}"
        try:
            self.remove(self.write("check", lambda _: name, lambda path: path.touch(), lambda _: None).path)
        except OSError as error:
            what = f"STORAGE_URL=s3://{self._root} cannot be used: {reason_of(error)}"
            raise (StorageFailed if out_of_reach(error) else InvalidSettings)(what) from error

    def _fetch(self, path: str, sha256: str | None) -> None:
        temporary = self._cache.temporary()
        try:
            self._download(path, temporary)
            if sha256 is not None and digest_of(temporary)[0] != sha256:
                raise StorageFailed(f"{path} is damaged (another hash than was recorded)")
            self._cache.take(temporary, self._copy(path))
        finally:
            temporary.unlink(missing_ok=True)

    def _download(self, path: str, to: Path) -> None:
        with _missing(path), self._filesystem.open_input_file(self._key(path)) as source, to.open("wb") as target:
            expected = source.size()
            while block := source.read(_BLOCK):
                target.write(block)
            if target.tell() != expected:
                raise StorageFailed(f"{path} ended after {target.tell()} of {expected} bytes")

    def _list(self, directory: str, *, recursive: bool = False) -> "list[FileInfo]":
        from pyarrow.fs import FileSelector

        below = FileSelector(self._key(directory), recursive=recursive, allow_not_found=True)
        found: list[FileInfo] = self._filesystem.get_file_info(below)
        return found

    def _copy(self, path: str) -> str:
        """Its name in the cache."""
        return f"{self._place}/{path}"

    def _key(self, path: str) -> str:
        return f"{self._root}/{path}"

    def _below(self, key: str) -> str:
        return key.removeprefix(f"{self._root}/")


@contextmanager
def _missing(path: str) -> Iterator[None]:
    """One error for an object that is not there and for one that went while it was read."""
    try:
        yield
    except OSError as error:
        if aws_error(error) in ("NO_SUCH_KEY", "RESOURCE_NOT_FOUND"):
            raise FileNotFoundError(errno.ENOENT, "it is missing", path) from error
        raise
