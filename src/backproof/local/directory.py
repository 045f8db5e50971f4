"""The data directory: made private, owned by one stack at a time, and telling where that stack listens.

stack.lock   locked by the running stack for its whole life; holds its pid and its runtime directory
users.lock   locked (shared) by every `backproof run`; a stack started for a run stops when nobody holds it
server.json  {"url", "pid"} of the stack that answers now
"""

import fcntl
import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from backproof.errors import StackError

SOCKET_NAME = "valkey.sock"
_LONGEST_SOCKET_PATH = 100  # the kernel's limit is 107 bytes on Linux, 103 on macOS


@dataclass(frozen=True, slots=True)
class Server:
    """A running stack, as server.json tells."""

    url: str
    pid: int


class FileLock:
    """An advisory lock that the kernel drops with its holder, however that ends."""

    def __init__(self, path: Path, shared: bool = False) -> None:
        self._path = path
        self._mode = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        self._fd: int | None = None

    def acquire(self) -> bool:
        """True when the lock is held; never waits."""
        if self._fd is None:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(fd, self._mode | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(fd)
                return False
            except OSError:
                os.close(fd)
                raise
            self._fd = fd
        return True

    def release(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def write(self, text: str) -> None:
        """Replace the file's text; only its holder may."""
        if self._fd is not None:
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, text.encode(), 0)

    def __enter__(self) -> "FileLock":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class DataDirectory:
    """Paths and ownership of one data directory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.logs = path / "logs"
        self.valkey = path / "valkey"
        self.users_lock = path / "users.lock"
        self._lock = FileLock(path / "stack.lock")
        self._server_file = path / "server.json"
        self._runtime: Path | None = None

    def create(self) -> None:
        """Make the directory, readable by its owner only. Raises StackError when that cannot be."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path.chmod(0o700)
            for part in (self.logs, self.valkey):
                part.mkdir(mode=0o700, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.path):
                pass
        except OSError as error:
            reason = error.strerror or str(error)
            message = f"cannot use the data directory {self.path}: {reason} (choose another with --data-dir)"
            raise StackError(message) from None

    def lock(self) -> Path:
        """Become the owner; the path for Valkey's socket: short, and only this user can reach it.

        Raises StackError naming the process that owns the directory.
        """
        try:
            held = self._lock.acquire()
        except OSError as error:
            raise StackError(f"cannot lock the data directory {self.path}: {error.strerror or error}") from None
        if not held:
            raise StackError(f"the data directory {self.path} is in use by {self._owner()}")
        self._remove_stale()
        base = Path(os.environ.get("XDG_RUNTIME_DIR") or "")
        self._runtime = _private_directory(base)
        self._lock.write(f"{os.getpid()}\n{self._runtime}\n")
        return self._runtime / SOCKET_NAME

    def unlock(self) -> None:
        """Give the directory back."""
        if self._runtime is not None:
            shutil.rmtree(self._runtime, ignore_errors=True)
            self._runtime = None
            self._lock.write("")
        self._lock.release()

    def announce(self, server: Server) -> None:
        """Write server.json; a reader sees all of it or nothing."""
        temporary = self._server_file.with_suffix(".tmp")
        temporary.write_text(json.dumps({"url": server.url, "pid": server.pid}) + "\n")
        temporary.replace(self._server_file)

    def forget_server(self) -> None:
        self._server_file.unlink(missing_ok=True)

    def server(self) -> Server | None:
        """The stack that runs here now, or None. What a killed stack left behind does not count."""
        try:
            said = json.loads(self._server_file.read_text())
            server = Server(str(said["url"]), int(said["pid"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return server if self.in_use() else None

    def in_use(self) -> bool:
        """Whether a stack owns the directory (it may still be starting or stopping)."""
        if not self.path.is_dir():
            return False
        probe = FileLock(self.path / "stack.lock", shared=True)
        try:
            if not probe.acquire():
                return True
        except OSError:
            return False
        probe.release()
        return False

    def _owner(self) -> str:
        try:
            pid = (self.path / "stack.lock").read_text().split("\n")[0]
        except OSError:
            pid = ""
        server = self.server()
        name = f"backproof with pid {pid}" if pid else "another backproof"
        return f"{name}, running at {server.url}" if server else name

    def _remove_stale(self) -> None:
        """Clear what a killed stack left."""
        self.forget_server()
        lines = (self.path / "stack.lock").read_text().split("\n")
        if len(lines) > 1 and lines[1]:
            stale = Path(lines[1])
            if stale.name.startswith("backproof-") and not stale.is_symlink():
                shutil.rmtree(stale, ignore_errors=True)


def _private_directory(preferred: Path) -> Path:
    for base in (preferred, Path(tempfile.gettempdir()), Path("/tmp")):  # noqa: S108
        if not base.is_absolute() or not base.is_dir():
            continue
        if len(os.fsencode(base)) + len(f"/backproof-xxxxxxxx/{SOCKET_NAME}") > _LONGEST_SOCKET_PATH:
            continue
        try:
            return Path(tempfile.mkdtemp(prefix="backproof-", dir=base))  # made with mode 0700
        except OSError:
            continue
    raise StackError("no directory for the Valkey socket: /tmp is missing or not writable")
