"""Two web processes on one data directory: the stack's own, and one that is started beside it."""

import contextlib
import resource
import socket
import subprocess
import sys
import time
from types import TracebackType

import httpx
import psutil

from chaos.world import World

START_SECONDS = 60.0


def redis_url(world: World) -> str:
    """Where the stack's Valkey listens: the second line of the lock file names its private directory."""
    runtime = (world.data / "stack.lock").read_text().split("\n")[1]
    return f"unix://{runtime}/valkey.sock?db=0"


def environment(world: World, **more: str) -> dict[str, str]:
    """Of a process that works on the stack's data beside it."""
    return {**world.environment(), "DATA_DIR": str(world.data), "REDIS_URL": redis_url(world), **more}


class SecondWeb:
    """`backproof web` on a port of its own. files: its limit of open files, None for the inherited one."""

    def __init__(self, world: World, *, files: int | None = None, **settings: str) -> None:
        self._world = world
        self._files = files
        self._settings = settings
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"http://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    def __enter__(self) -> "SecondWeb":
        try:
            self.start()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.end()

    def start(self) -> None:
        """Start it and wait until it answers."""
        argv = [sys.executable, "-P", "-m", "backproof.cli.app", "web", "--port", str(self._port)]
        with (self._world.directory / "second-web.out").open("ab") as out:
            self._process = subprocess.Popen(
                argv,
                stdout=out,
                stderr=out,
                env=environment(self._world, **self._settings),
                cwd=self._world.directory,
            )
        if self._files is not None:
            resource.prlimit(self._process.pid, resource.RLIMIT_NOFILE, (self._files, self._files))
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the second web process did not start: {self.last_words()}")
            time.sleep(0.05)

    def kill(self) -> None:
        """SIGKILL, and gone when this returns."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(20)

    def end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()

    def last_words(self) -> str:
        lines = (self._world.directory / "second-web.out").read_text(errors="replace").splitlines()
        return " / ".join(lines[-3:])[-400:]

    def _answers(self) -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"{self.url}/health/live", timeout=2.0, trust_env=False).status_code == 200
        return False


def raise_own_limit(files: int) -> int:
    """Let this process open so many files, as far as it may; the limit that holds now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = files if hard == resource.RLIM_INFINITY else min(files, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(soft, wanted)


def size(pid: int) -> tuple[float, int]:
    """(megabytes resident, descriptors) of a process."""
    process = psutil.Process(pid)
    with process.oneshot():
        return round(process.memory_info().rss / 2**20, 1), process.num_fds()


def wipe_valkey(world: World) -> None:
    """Kill Valkey and let it start again without what it had kept."""
    kept = world.data / "valkey" / "appendonlydir"
    kept.rename(kept.with_name(f"wiped-{time.time_ns()}"))  # the server that is about to die writes on in there
    world.kill_child("valkey")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
