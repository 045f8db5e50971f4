"""Files that are either complete and durable under their name, or not there."""

import errno
import hashlib
import os
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from backproof.errors import StorageFailed

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


@dataclass(frozen=True, slots=True)
class Written:
    """A file that is in place. sha256: hex digest of its bytes."""

    path: Path
    sha256: str
    bytes: int


def durable_write(
    directory: Path, name: Callable[[str], str], write: Callable[[Path], None], verify: Callable[[Path], None]
) -> Written:
    """Write under a temporary name, fsync, read back, rename to `name(sha256)`. The caller syncs the directory.

    Nothing is left behind when any step fails.
    """
    temporary = directory / f".{os.getpid()}-{secrets.token_hex(6)}.tmp"
    try:
        write(temporary)
        _sync(temporary)
        verify(temporary)
        digest, size = _digest(temporary)
        path = directory / name(digest)
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    return Written(path, digest, size)


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


def _digest(path: Path) -> tuple[str, int]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return digest, file.tell()


@contextmanager
def storage_errors(what: str) -> Iterator[None]:
    """Turn what the disk or a damaged file raises into StorageFailed with the readable reason."""
    try:
        yield
    except OSError as error:
        raise StorageFailed(f"{what}: {_reason(error)}", errno=error.errno) from error
    except Exception as error:
        arrow = sys.modules.get("pyarrow")
        if arrow is None or not isinstance(error, arrow.ArrowException):
            raise
        raise StorageFailed(f"{what}: the file is damaged ({_first_line(error)})") from error


def _reason(error: OSError) -> str:
    if error.errno is None:  # Arrow reports a damaged file in this way
        return f"the file is damaged ({_first_line(error)})"
    return _REASONS.get(error.errno, os.strerror(error.errno))


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
