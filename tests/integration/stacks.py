"""Starting, watching and breaking real stacks: local ones, or in server mode fleets (tests/servers)."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

import servers
from servers import fleet

START_SECONDS = 330.0
COMMAND = (sys.executable, "-P", "-m", "backproof.cli.app")
NAMES = {"web": "processes web", "scheduler": "processes scheduler", "valkey": "valkey-server"}
IN_FLEET = {"web": "web-1", "worker-runs": "worker-a", "valkey": "redis"}


def until(condition: Callable[[], object], seconds: float = 60.0, what: str = "the condition") -> None:
    """Wait for it; fail when it does not come."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come in {seconds:g} s"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@dataclass
class LocalStack:
    """A running `backproof serve`, or what stands for it in server mode."""

    process: subprocess.Popen[str]
    data_dir: Path
    base_url: str

    @property
    def pid(self) -> int:
        return self.process.pid

    def family(self) -> list[int]:
        """The supervisor and everything below it."""
        return [self.pid, *(child.pid for child in psutil.Process(self.pid).children(recursive=True))]

    def child(self, name: str) -> int:
        """pid of web, worker-runs, worker-io, scheduler or valkey; 0 while there is none.

        In server mode also by the names that fleet.py gives."""
        if servers.wanted():
            _, pids = fleet.read(self.data_dir)
            pid = pids.get(IN_FLEET.get(name, name), 0)
            return pid if pid and alive(pid) else 0
        wanted = f"--name {name.removeprefix('worker-')}" if name.startswith("worker-") else NAMES[name]
        for process in psutil.Process(self.pid).children():
            try:
                if wanted in " ".join(process.cmdline()) and process.status() != psutil.STATUS_ZOMBIE:
                    return process.pid
            except psutil.NoSuchProcess:
                continue
        return 0

    def workers(self) -> list[int]:
        """pids of the parents of all processes that compute runs."""
        names = fleet.WORKERS if servers.wanted() else ("worker-runs",)
        return [pid for name in names if (pid := self.child(name))]

    def log(self, name: str) -> str:
        path = self.data_dir / "logs" / f"{name}.log"
        return path.read_text() if path.exists() else ""

    def stop(self, number: int = signal.SIGTERM, seconds: float = 60.0) -> int:
        """Stop it and wait; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(seconds)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        return code


def environment(data_dir: Path | None = None, **more: str) -> dict[str, str]:
    """For a command; data_dir: of a stack that it uses."""
    return {**os.environ, "COLUMNS": "120", **settings_beside(data_dir), **more}


def settings_beside(data_dir: Path | None) -> dict[str, str]:
    """What commands have to be told besides a stack's data directory: in server mode, where its servers are."""
    if data_dir is None or not servers.wanted() or not (data_dir / fleet.FILE).exists():
        return {}
    return servers.settings_for(data_dir)


def serving(data_dir: Path, *options: str) -> tuple[list[str], dict[str, str]]:
    """The command that serves this data directory, and the settings that it needs."""
    if servers.wanted():
        return servers.command("servers.fleet", "--data-dir", str(data_dir), *options), servers.settings_for(data_dir)
    return [*COMMAND, "serve", "--data-dir", str(data_dir), *options], {}


@contextmanager
def started(data_dir: Path, *options: str, **settings: str) -> Iterator[LocalStack]:
    """A stack of its own for one test; stopped at the end whatever happened."""
    command, needed = serving(data_dir, "--port", "0", *options)
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(**{**needed, **settings}),
        cwd=data_dir.parent,
    )
    stack = LocalStack(process, data_dir, "")
    try:
        server = data_dir / "server.json"

        def ready() -> bool:
            if process.poll() is not None:
                raise AssertionError(f"the stack did not start: {process.communicate()}")
            return server.exists() and json.loads(server.read_text())["pid"] == process.pid

        until(ready, START_SECONDS, "the stack")
        stack.base_url = json.loads(server.read_text())["url"]
        yield stack
    finally:
        stack.stop()


def ready(url: str) -> bool:
    """Whether both workers take work."""
    try:
        said = httpx.get(f"{url}/health/ready", timeout=2.0, trust_env=False).json()
    except httpx.HTTPError:
        return False
    return bool(said["status"] == "ready" and said["workers"] == 2)


def completes(url: str) -> bool:
    """Whether a new backtest goes all the way."""
    config = {"name": "goes on", "strategy_type": "buy_and_hold", "symbols": ["MSFT"], "data_source": "demo"}
    answer = httpx.post(f"{url}/api/v1/backtests?use_cache=false", json=config, trust_env=False, timeout=10.0)
    address = f"{url}/api/v1/backtests/{answer.json()['backtest_id']}/status"
    until(lambda: httpx.get(address, trust_env=False, timeout=10.0).json()["status"] == "completed", 60.0, "the result")
    return True


def import_prices(prices: Path, dataset: str, data_dir: Path) -> None:
    """The stack may run or not."""
    command = (*COMMAND, "import", str(prices), "--dataset", dataset, "--data-dir", str(data_dir))
    given = environment(**serving(data_dir)[1])
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, env=given)
    assert done.returncode == 0, done.stderr


def files_of(data_dir: Path, run_id: str) -> list[str]:
    """Paths below the lake of all that is kept of a run."""
    if servers.wanted():
        return servers.bucket_of(data_dir).paths(f"runs/{run_id}")
    lake = data_dir / "lake"
    return [path.relative_to(lake).as_posix() for path in (lake / "runs" / run_id).rglob("*") if path.is_file()]


def spoil_results(data_dir: Path) -> None:
    """From now on no result can be written; those that there were are gone."""
    if servers.wanted():
        servers.bucket_of(data_dir).lose()
        return
    (data_dir / "lake").mkdir(exist_ok=True, parents=True)
    shutil.rmtree(data_dir / "lake" / "runs", ignore_errors=True)
    (data_dir / "lake" / "runs").write_text("a file where results should go")


def mend_results(data_dir: Path) -> None:
    """Undo `spoil_results`."""
    if servers.wanted():
        servers.bucket_of(data_dir).make()
    else:
        (data_dir / "lake" / "runs").unlink()


def written(tmp_path: Path, text: str) -> str:
    """A backtest's file with this text."""
    path = tmp_path / "run.yaml"
    path.write_text(text)
    return str(path)
