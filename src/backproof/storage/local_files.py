"""LocalFiles: a directory of this machine, or one that several share."""

import errno
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from backproof.errors import InvalidSettings
from backproof.storage.files import Found, Written, durable_write, make_directory, sync_directory

if TYPE_CHECKING:
    import pyarrow as pa

_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EXDEV, errno.EMLINK, errno.ENOSYS)


class LocalFiles:
    """root: made when first written to. See Files."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(
        self, directory: str, name: Callable[[str], str], write: Callable[[Path], None], verify: Callable[[Path], None]
    ) -> Written:
        make_directory(self.root / directory)
        path, sha256, size = durable_write(self.root / directory, name, write, verify)
        return Written(self._below(path), sha256, size)

    def sync(self, directory: str) -> None:
        sync_directory(self.root / directory)

    def copy(self, path: str, directory: str, name: str) -> str:
        source, target = self.root / path, self.root / directory / name
        make_directory(target.parent)
        try:
            target.hardlink_to(source)
        except FileExistsError:  # the same request a moment ago
            pass
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            durable_write(target.parent, lambda _: name, lambda to: _copy(source, to), lambda _: None)
        sync_directory(target.parent)
        return self._below(target)

    def exists(self, path: str) -> bool:
        return (self.root / path).exists()

    def open(self, path: str, sha256: str | None = None) -> "pa.NativeFile":  # noqa: ARG002 - the checksums in it do
        import pyarrow as pa

        return pa.OSFile(str(self.root / path), "rb")

    def names(self, directory: str) -> list[str]:
        return sorted(path.name for path in self._entries(directory) if not path.is_dir())

    def directories(self, directory: str) -> list[str]:
        return sorted(path.name for path in self._entries(directory) if path.is_dir())

    def walk(self, directory: str) -> Iterator[Found]:
        for parent, _, names in os.walk(self.root / directory):
            for name in names:
                path = Path(parent, name)
                with suppress(FileNotFoundError):
                    status = path.lstat()
                    # also when the file only got this name, as a shared one does
                    yield Found(self._below(path), max(status.st_mtime, status.st_ctime))

    def remove(self, path: str) -> bool:
        try:
            (self.root / path).unlink()
        except FileNotFoundError:
            return False
        return True

    def remove_all(self, directory: str) -> None:
        with suppress(FileNotFoundError):
            shutil.rmtree(self.root / directory)

    def prune(self, directory: str, names: Iterable[str]) -> None:
        for name in names:
            for parent, _, _ in os.walk(self.root / directory / name, topdown=False):
                with suppress(OSError):  # it is not empty
                    Path(parent).rmdir()
        with suppress(OSError):
            (self.root / directory).rmdir()

    def check(self) -> None:
        """A directory that should be shared and is not there is not made: it may not be mounted yet."""
        if not self.root.is_dir():
            raise InvalidSettings(f"STORAGE_URL={self.root.as_uri()}: there is no such directory (is it mounted?)")
        if not os.access(self.root, os.W_OK | os.X_OK):
            raise InvalidSettings(f"STORAGE_URL={self.root.as_uri()}: no permission to write there")

    def _entries(self, directory: str) -> list[Path]:
        path = self.root / directory
        return list(path.iterdir()) if path.is_dir() else []

    def _below(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()


def _copy(source: Path, to: Path) -> None:
    shutil.copyfile(source, to)
