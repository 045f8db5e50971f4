"""Signs of life of this user's processes on this machine, for whoever asks whether they hang.

Each process has a small file in a private directory and touches it from the very loop that does its work. It holds a
lock on it, so that a file whose process is gone is known as such: process ids come again, in containers above all.
Little of the standard library is loaded here: a probe runs every few seconds, and its start is most of its cost.
"""

import contextlib
import fcntl
import os
import stat
import time
from pathlib import Path
from typing import NamedTuple

BEAT_SECONDS = 1.0
ROLES = ("web", "worker", "scheduler")


class Beat:
    """One process's file. limit: after so many seconds without a touch it counts as hung; url: where it listens.

    Where no private directory can be had there is no file, and the process works on without it.
    """

    def __init__(self, role: str, limit: float, url: str = "") -> None:
        self._fd = -1
        with contextlib.suppress(OSError):
            self._path = directory() / f"{role}-{os.getpid()}"
            unfinished = self._path.with_name(f".{self._path.name}")
            fd = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)  # of this process alone: no child inherits it
            os.write(fd, f"{role} {os.getpid()} {limit!r} {url}\n".encode())
            self._fd = fd
            self.touch()
            unfinished.rename(self._path)  # what is read is complete, and locked

    def touch(self) -> None:
        if self._fd >= 0:
            # the time is the monotonic clock's: a wall clock that is put right must not make anybody look hung
            now = time.monotonic_ns()
            with contextlib.suppress(OSError):
                os.utime(self._fd, ns=(now, now))

    async def keep(self) -> None:
        """Touch it for as long as the event loop goes round."""
        import asyncio  # late: a probe does without it

        while True:
            self.touch()
            await asyncio.sleep(BEAT_SECONDS)

    def end(self) -> None:
        """The process stops as it should: nobody is to ask for it any more."""
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                self._path.unlink()
            os.close(self._fd)
            self._fd = -1


class Sighting(NamedTuple):
    """A process that lives. silent: seconds since its last touch."""

    role: str
    pid: int
    silent: float
    limit: float
    url: str

    @property
    def hangs(self) -> bool:
        return self.silent > self.limit


def sightings(role: str | None = None) -> list[Sighting]:
    """Processes other than this one that live now, of one role or all; files of dead ones are removed."""
    try:
        paths = sorted(path for path in directory().iterdir() if not path.name.startswith("."))
    except OSError:
        return []
    found = (_look(path) for path in paths if role is None or path.name.startswith(f"{role}-"))
    return [one for one in found if one is not None]


def directory() -> Path:
    """Where the files are: only the environment decides, so that a probe finds them without reading settings."""
    base = os.environ.get("XDG_RUNTIME_DIR") or os.environ.get("TMPDIR") or "/tmp"  # noqa: S108 - inside, a private one
    path = Path(base) / f"backproof-beats-{os.getuid()}"
    path.mkdir(mode=0o700, exist_ok=True)
    facts = path.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid():
        raise PermissionError(path)  # somebody else's, who could tell us anything
    return path


def _look(path: Path) -> Sighting | None:
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if _is_free(fd):
            path.unlink()
            return None
        role, pid, limit, url = os.read(fd, 500).decode().rstrip("\n").split(" ")
        silent = (time.monotonic_ns() - os.fstat(fd).st_mtime_ns) / 1e9
        return Sighting(role, int(pid), silent, float(limit), url)
    except (OSError, ValueError):  # gone between two lines
        return None
    finally:
        os.close(fd)


def _is_free(fd: int) -> bool:
    """Whether nobody holds its lock."""
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
