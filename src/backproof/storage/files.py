"""Files that are either complete and durable under their name, or not there."""

import errno
import hashlib
import os
import re
import secrets
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from backproof.errors import StorageFailed

if TYPE_CHECKING:
    import pyarrow as pa

_REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "no permission",
    errno.EPERM: "no permission",
    errno.EMFILE: "too many open files",
    errno.ENFILE: "too many open files",
    errno.ENOENT: "it is missing",
    errno.EEXIST: "a file is in the way of a directory",
    errno.ENOTDIR: "a part of its path is no directory",
    errno.EFBIG: "it is larger than a file may be here",
    errno.EIO: "the disk failed",
}
_REFUSALS = {
    "NO_SUCH_BUCKET": "the bucket does not exist",
    "ACCESS_DENIED": "no permission",
    "INVALID_ACCESS_KEY_ID": "the object store does not know the access key",
    "SIGNATURE_DOES_NOT_MATCH": "the object store refuses the secret key",
    "NETWORK_CONNECTION": "the object store cannot be reached",
    "SERVICE_UNAVAILABLE": "the object store is not available",
    "SLOW_DOWN": "the object store asks for fewer requests",
    "INTERNAL_FAILURE": "the object store failed",
}
_PASSING = ("NETWORK_CONNECTION", "SERVICE_UNAVAILABLE", "SLOW_DOWN", "INTERNAL_FAILURE")
_AWS_ERROR = re.compile(r"AWS Error (\w+)")


@dataclass(frozen=True, slots=True)
class Written:
    """A file that is in place. path: below the root of its files; sha256: hex digest of its bytes."""

    path: str
    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Found:
    """path: below the root; changed_at: when it was made, changed or got this name (seconds since 1970)."""

    path: str
    changed_at: float


class Files(Protocol):
    """The files below one root, a directory or a prefix of a bucket. Paths are relative to it, with `/`.

    What `write` has returned never changes. All methods are synchronous and thread-safe; they raise OSError.
    """

    def write(
        self, directory: str, name: Callable[[str], str], write: Callable[[Path], None], verify: Callable[[Path], None]
    ) -> Written:
        """Add a file as `name(sha256)`, whole or not at all.

        write, verify: make it as a local file, and read that back, before it gets its name
        """

    def sync(self, directory: str) -> None:
        """What was written into the directory survives a power cut from now on."""

    def copy(self, path: str, directory: str, name: str) -> str:
        """Give the file this name too; the path. Nothing happens when it has it already."""

    def exists(self, path: str) -> bool: ...

    def open(self, path: str, sha256: str | None = None) -> "pa.NativeFile":
        """The file, for reading at any place. sha256: its hash where that is known"""

    def names(self, directory: str) -> list[str]:
        """Of the files that are right in the directory; none when it is not there."""

    def directories(self, directory: str) -> list[str]: ...

    def walk(self, directory: str) -> Iterator[Found]:
        """All files in the directory and below."""

    def remove(self, path: str) -> bool:
        """Whether it was there."""

    def remove_all(self, directory: str) -> None:
        """Remove the directory with all that is in it."""

    def prune(self, directory: str, names: Iterable[str]) -> None:
        """Remove those of the directory's own directories that hold no file, and itself when nothing is left in it."""

    def check(self) -> None:
        """InvalidSettings when files cannot be kept here, StorageFailed when that cannot be found out now."""


def durable_write(
    directory: Path, name: Callable[[str], str], write: Callable[[Path], None], verify: Callable[[Path], None]
) -> tuple[Path, str, int]:
    """Write under a temporary name, fsync, read back, rename to `name(sha256)`. The caller syncs the directory.

    The path, the hash and the bytes; nothing is left behind when any step fails.
    """
    temporary = directory / f".{os.getpid()}-{secrets.token_hex(6)}.tmp"
    try:
        write(temporary)
        _sync(temporary)
        verify(temporary)
        digest, size = digest_of(temporary)
        path = directory / name(digest)
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    return path, digest, size


def make_directory(path: Path) -> None:
    """Create it with its parents, durably: a new entry is only safe once the directory above is synced."""
    missing = []
    while not path.is_dir():
        missing.append(path)
        path = path.parent
    for created in reversed(missing):
        created.mkdir(exist_ok=True)
        sync_directory(created.parent)


def sync_directory(path: Path) -> None:
    _sync(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def digest_of(path: Path) -> tuple[str, int]:
    """Hex SHA-256 and bytes."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return digest, file.tell()


@contextmanager
def storage_errors(what: str) -> Iterator[None]:
    """Turn what the disk or a damaged file raises into StorageFailed with the readable reason."""
    try:
        yield
    except OSError as error:
        raise StorageFailed(f"{what}: {reason_of(error)}", errno=error.errno) from error
    except Exception as error:
        arrow = sys.modules.get("pyarrow")
        if arrow is None or not isinstance(error, arrow.ArrowException):
            raise
        raise StorageFailed(f"{what}: the file is damaged ({_first_line(error)})") from error


def reason_of(error: OSError) -> str:
    """For a person."""
    if refused := aws_error(error):
        return _REFUSALS.get(refused, f"the object store says {refused}")
    if error.errno is None:  # Arrow reports a damaged file in this way
        return f"the file is damaged ({_first_line(error)})"
    return _REASONS.get(error.errno, os.strerror(error.errno))


def aws_error(error: OSError) -> str:
    """The code that an object store gave, like NO_SUCH_KEY; empty when it is another's error."""
    found = _AWS_ERROR.search(str(error))
    return found[1] if found is not None else ""


def out_of_reach(error: OSError) -> bool:
    """Whether an object store did not answer, or not for good."""
    return aws_error(error) in _PASSING


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
