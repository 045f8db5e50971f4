"""World: one real `backproof serve` on a directory of its own, with everything needed to break it."""

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from chaos.files import Directory, RunFiles
from chaos.store import Store

INJECT = Path(__file__).parent / "inject"
START_SECONDS = 330.0  # more than the product allows itself
STOP_SECONDS = 40.0
POINT_ACTIONS = ("kill", "stop", "delay", "errno")
# what a user's shell or another test may have set must not reach the stack
FOREIGN = ("DATA_DIR", "REDIS_URL", "WEB_HOST", "WEB_PORT", "PYTHONPATH", "REMAP_SIGTERM", "LOG_LEVEL", "LOG_FORMAT")
FOREIGN += ("MONGODB_URL", "STORAGE_URL")
SUPERVISED = {
    "web": ("backproof.cli.processes", "web"),
    "scheduler": ("backproof.cli.processes", "scheduler"),
    "runs": ("backproof.cli.processes", "--name runs"),
    "io": ("backproof.cli.processes", "--name io"),
    "valkey": ("valkey-server", ""),
}


class GaveUp(Exception):
    """The supervisor has ended although nobody asked it to."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A process that came to an armed point. wall, mono: when, by the clocks of time.time and time.monotonic."""

    point: str
    pid: int
    role: str
    wall: float
    mono: float
    run: str | None
    attempt: int | None


class World:
    """settings: the product's own, by their names; source: the directory that holds `backproof`, None for the installed
    one; data: where the data directory is, if not beside the control directory. reserve: processes that take no more
    runs of the suite's only user (WORKER_RESERVE)."""

    reserve = 1

    def __init__(
        self,
        directory: Path,
        *,
        settings: Mapping[str, str] | None = None,
        source: Path | None = None,
        data: Path | None = None,
        preexec: Callable[[], None] | None = None,
    ) -> None:
        self.directory = directory
        self.data = data or directory / "data"
        self.control = directory / "control"
        self.canary = f"canary{secrets.token_hex(12)}"
        self.settings = dict(settings or {})
        self.source = source
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.store = Store(self.data / "backproof.sqlite3")
        self.files: RunFiles = Directory(self.data / "lake")
        self.broker: Any = None  # a server outside the stack, where there is one
        self._preexec = preexec
        self._process: subprocess.Popen[bytes] | None = None
        self._pacer = Pacer()
        for part in ("arm", "hit", "points", "clock"):
            (self.control / part).mkdir(parents=True, exist_ok=True)

    # ---- life -------------------------------------------------------------------------------------------------

    def __enter__(self) -> "World":
        try:
            self.start()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in FOREIGN}
        path = [str(INJECT), *([str(self.source)] if self.source else [])]
        secret = {"SMTP_PASSWORD": self.canary, "ALPHAVANTAGE_API_KEY": self.canary, "WEBHOOK_SECRET": self.canary}
        own = {"CHAOS_DIR": str(self.control), "PYTHONPATH": os.pathsep.join(path), "COLUMNS": "160"}
        return {**kept, **secret, **own, "LOG_LEVEL": "warning", **self.settings}

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `backproof …` on the data directory to its end."""
        argv = [sys.executable, "-P", "-m", "backproof.cli.app", *arguments, "--data-dir", str(self.data)]
        environment = self.environment()
        return subprocess.run(
            argv, check=True, capture_output=True, text=True, timeout=120, env=environment, cwd=self.directory
        )

    def serving(self) -> list[str]:
        """The command that starts everything and stays."""
        return [sys.executable, "-P", "-m", "backproof.cli.app", "serve", "--data-dir", str(self.data)]

    def start(self) -> float:
        """Start and wait until it is ready; the seconds that took. Raises GaveUp."""
        began = time.monotonic()
        with (self.directory / "stack.out").open("ab") as out:
            self._process = subprocess.Popen(
                [*self.serving(), "--port", str(self.port)],
                stdout=out,
                stderr=out,
                env=self.environment(),
                cwd=self.directory,
                preexec_fn=self._preexec,  # noqa: PLW1509 - it only makes a system call
            )
        announced = self.data / "server.json"
        while not (announced.exists() and json.loads(announced.read_text() or "{}").get("pid") == self._process.pid):
            if self._process.poll() is not None:
                raise GaveUp(f"the stack did not start: {self.last_words()}")
            if time.monotonic() - began > START_SECONDS:
                raise GaveUp(f"the stack was not ready in {START_SECONDS:g} s")
            time.sleep(0.01)
        return time.monotonic() - began

    def stop(self) -> float:
        """Stop it as a user would; the seconds that took."""
        began = time.monotonic()
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(STOP_SECONDS)
        return time.monotonic() - began

    def kill_everything(self) -> None:
        """As a power cut would, but for what the kernel has cached."""
        family = self.processes()
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        if self._process is not None:
            self._process.wait(20)
        psutil.wait_procs(family, timeout=20)
        self._pacer.forget()

    def end(self) -> None:
        """End all that belongs to this world, whatever state it is in."""
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGCONT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.stop()
        self.kill_everything()

    def check_alive(self) -> None:
        if self._process is not None and self._process.poll() is not None:
            raise GaveUp(f"the supervisor ended with code {self._process.returncode}: {self.last_words()}")

    def last_words(self) -> str:
        path = self.directory / "stack.out"
        lines = path.read_text(errors="replace").splitlines() if path.exists() else []
        return " / ".join(lines[-3:])[-600:]

    # ---- processes --------------------------------------------------------------------------------------------

    @property
    def supervisor(self) -> int:
        return self._process.pid if self._process else 0

    def processes(self) -> list[psutil.Process]:
        """Everything that was started for this world and still runs, orphans among them."""
        mark = f"CHAOS_DIR={self.control}\0".encode()
        found = []
        for pid in psutil.pids():
            with contextlib.suppress(OSError, psutil.Error):
                if mark in Path(f"/proc/{pid}/environ").read_bytes() + b"\0" and pid != os.getpid():
                    process = psutil.Process(pid)
                    if process.status() != psutil.STATUS_ZOMBIE:
                        found.append(process)
        return found

    def pid(self, name: str) -> int:
        """Of web, scheduler, runs, io or valkey; 0 while there is none."""
        wanted = SUPERVISED[name]
        with contextlib.suppress(psutil.NoSuchProcess):
            for process in psutil.Process(self.supervisor).children():
                with contextlib.suppress(psutil.Error):
                    line = " ".join(process.cmdline())
                    if all(part in line for part in wanted) and process.status() != psutil.STATUS_ZOMBIE:
                        return process.pid
        return 0

    def pool(self) -> list[int]:
        """Processes that compute runs."""
        return self._children_of(self.pid("runs"))

    @staticmethod
    def _children_of(pid: int) -> list[int]:
        if not pid:
            return []
        try:
            children = psutil.Process(pid).children()
            return [child.pid for child in children if child.status() != psutil.STATUS_ZOMBIE]
        except psutil.NoSuchProcess:
            return []

    def wait_pid(self, name: str, other_than: int = 0, seconds: float = 60.0) -> int:
        """The pid of a process that is there, or comes."""
        deadline = time.monotonic() + seconds
        while (pid := self.pid(name)) in (0, other_than):
            self.check_alive()
            if time.monotonic() > deadline:
                raise GaveUp(f"there was no {name} process for {seconds:g} s")
            time.sleep(0.02)
        return pid

    def kill_child(self, name: str) -> int:
        """SIGKILL a supervised process, no more often than its supervisor bears; the pid it had."""
        self.pace(name)
        pid = self.wait_pid(name)
        os.kill(pid, signal.SIGKILL)
        return pid

    def pace(self, name: str) -> None:
        """Wait until a supervised process may die once more."""
        self._pacer.wait(name)

    # ---- points -----------------------------------------------------------------------------------------------

    def arm(self, point: str, action: str = "kill", **details: Any) -> None:
        """Let the next process that reaches the point do this (see inject/chaos_inject.py)."""
        assert action in POINT_ACTIONS
        temporary = self.control / f"{point}.tmp"
        temporary.write_text(json.dumps({"action": action, **details}))
        temporary.replace(self.control / "arm" / point)

    def disarm(self, point: str | None = None) -> bool:
        """Take an order back, or all; False when somebody has it already."""
        orders = [self.control / "arm" / point] if point else list((self.control / "arm").iterdir())
        there = False
        for order in orders:
            with contextlib.suppress(FileNotFoundError):
                order.unlink()
                there = True
        return there

    def wait_hit(self, point: str, seconds: float) -> Hit | None:
        """Who came to the armed point, told once; None when nobody did."""
        deadline = time.monotonic() + seconds
        while True:
            for path in (self.control / "hit").glob(f"{point}-*.json"):
                said = json.loads(path.read_text())
                path.unlink()
                return Hit(**{name: said.get(name) for name in Hit.__slots__})
            if time.monotonic() > deadline:
                return None
            time.sleep(0.01)

    def hit(self, point: str, seconds: float, action: str = "kill", **details: Any) -> Hit | None:
        """Arm the point and wait for who comes; None, and the order taken back, when nobody does."""
        self.arm(point, action, **details)
        if (hit := self.wait_hit(point, seconds)) is None and not self.disarm(point):
            return self.wait_hit(point, 5.0)  # just now
        return hit

    def points(self) -> set[str]:
        """Those that a process of this world has."""
        return {path.name for path in (self.control / "points").glob("*/*")}

    def redis_url(self) -> str:
        """Where the broker of the running stack listens."""
        given = self.settings.get("REDIS_URL")
        if given is not None:
            return given
        runtime = (self.data / "stack.lock").read_text().splitlines()[1]
        return f"unix://{runtime}/valkey.sock?db=0"

    # ---- health -----------------------------------------------------------------------------------------------

    def health(self) -> dict[str, Any]:
        """The body of /health/ready, {} while nobody answers."""
        try:
            body: dict[str, Any] = httpx.get(f"{self.url}/health/ready", timeout=3.0, trust_env=False).json()
        except (httpx.HTTPError, ValueError):
            return {}
        return body

    def wait_ready(self, workers: int = 2, seconds: float = 60.0) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.check_alive()
            said = self.health()
            if said.get("status") == "ready" and said.get("workers", 0) >= workers:
                return True
            time.sleep(0.1)
        return False


class Pacer:
    """The supervisor gives up on a child that crashes again and again; one that has lived for some seconds works."""

    SOUND_SECONDS = 7.0

    def __init__(self) -> None:
        self._killed: dict[str, float] = {}

    def wait(self, name: str) -> None:
        time.sleep(max(0.0, self._killed.get(name, 0.0) + self.SOUND_SECONDS - time.monotonic()))
        self._killed[name] = time.monotonic()

    def forget(self) -> None:
        self._killed.clear()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    """The process stands still meanwhile."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
