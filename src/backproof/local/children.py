"""One child process: it dies with the supervisor, stops in bounded time, and is started again after a crash."""

import contextlib
import ctypes
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from backproof.errors import StackError

PARENT_PID = "BACKPROOF_PARENT_PID"
VALKEY_PIDFILE = "BACKPROOF_VALKEY_PIDFILE"
LOG_BYTES = 10_000_000
CRASHES_TOO_MANY = 6
CRASH_WINDOW_SECONDS = 60.0
SOUND_SECONDS = 5.0  # one that has lived so long works; what ends it then is not that it cannot start
_PR_SET_PDEATHSIG = 1
_ERROR = re.compile(r"(?:error: |backproof\.errors\.\w+: |(?=[\w.]*[A-Z]\w*(?:Error|Exception): ))(.+)")
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent() -> None:
    """The kernel kills this process when the thread that made it ends (Linux)."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def watch_parent(interval: float = 1.0) -> None:
    """Where the kernel cannot do it (macOS): a thread that ends this process group when the supervisor is gone.

    Valkey has no such thread, so it is ended from here too.
    """
    parent = int(os.environ.get(PARENT_PID, "0"))
    if _libc is not None or not parent:
        return

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(interval)
        with contextlib.suppress(OSError, ValueError, KeyError):
            os.kill(int(Path(os.environ[VALKEY_PIDFILE]).read_text()), signal.SIGKILL)
        os.killpg(os.getpgrp(), signal.SIGKILL)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """What to start. stop_seconds: how long it may take to stop after SIGTERM before it is killed."""

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    stop_seconds: float
    pass_fds: tuple[int, ...] = ()


@dataclass(slots=True)
class Child:
    """A process and its history. Start it from the main thread only: it dies with the thread that made it."""

    spec: ChildSpec
    clock: Callable[[], float] = time.monotonic
    process: subprocess.Popen[bytes] | None = None
    start_at: float | None = None
    _crashes: deque[float] = field(default_factory=deque)
    _started_at: float = float("inf")

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process else None

    @property
    def alive(self) -> bool:
        return self.process is not None

    def start(self) -> None:
        supervisor = os.getpid()

        def in_child() -> None:
            die_with_parent()
            if os.getppid() != supervisor:  # it died before the kernel was told
                os._exit(1)

        self.start_at = None
        self._started_at = self.clock()
        with self.spec.log.open("ab", buffering=0) as log:
            self.process = subprocess.Popen(  # noqa: S603
                self.spec.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**self.spec.environment, PARENT_PID: str(supervisor)},
                pass_fds=self.spec.pass_fds,
                start_new_session=True,
                preexec_fn=in_child if _libc is not None else None,  # noqa: PLW1509
            )

    def poll(self) -> int | None:
        """The exit code when the process has just ended, else None. Whatever it left behind is killed with it."""
        if self.process is None:
            return None
        # Look first, reap later: until the leader is reaped its group number cannot belong to anyone else.
        if os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return None
        _signal_group(self.process.pid, signal.SIGKILL)
        code = self.process.wait()
        self.process = None
        return code

    def crashed(self) -> float:
        """Note a crash; the seconds to wait before the next start. Raises StackError when it keeps crashing."""
        now = self.clock()
        if now - self._started_at >= SOUND_SECONDS:
            self._crashes.clear()
        self._crashes.append(now)
        while self._crashes[0] < now - CRASH_WINDOW_SECONDS:
            self._crashes.popleft()
        if len(self._crashes) >= CRASHES_TOO_MANY:
            times = f"{len(self._crashes)} times in a minute"
            raise StackError(f"{self.spec.name} keeps stopping ({times}): {self.last_words()}")
        delay: float = min(0.1 * 2.0 ** (len(self._crashes) - 1), 5.0)
        self.start_at = now + delay
        return delay

    def terminate(self) -> None:
        """Ask it to stop: the main process only, which ends its own children in its own order."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        if self.process is not None:
            _signal_group(self.process.pid, signal.SIGKILL)

    def wait(self) -> None:
        """Reap it after `kill`."""
        if self.process is not None:
            self.process.wait()
            self.process = None

    def last_words(self) -> str:
        """The last error of its log, else the last line, for a message about why it stopped."""
        try:
            with self.spec.log.open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - 16384))
                lines = [line.strip() for line in log.read().decode(errors="replace").splitlines() if line.strip()]
        except OSError:
            lines = []
        errors = [match[1] for line in lines if (match := _ERROR.match(line))]
        said = errors[-1] if errors else lines[-1] if lines else "it said nothing"
        return f"{said[:300]} (log: {self.spec.log})"

    def trim_log(self) -> None:
        """Keep the log below LOG_BYTES, with the part before it as `.1`."""
        try:
            if self.spec.log.stat().st_size > LOG_BYTES:
                # The child appends to the open file, so the file is emptied in place and not renamed.
                self.spec.log.with_suffix(".log.1").write_bytes(self.spec.log.read_bytes())
                os.truncate(self.spec.log, 0)
        except OSError:
            return


def _signal_group(leader: int, number: int) -> None:
    try:
        os.killpg(leader, number)
    except (ProcessLookupError, PermissionError):
        return


def describe_exit(code: int) -> str:
    """'ended with exit code 1' or 'killed by SIGKILL'."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
