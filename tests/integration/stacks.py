"""Starting, watching and breaking real local stacks."""

import json
import os
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

START_SECONDS = 150.0
COMMAND = (sys.executable, "-P", "-m", "backproof.cli.app")
NAMES = {"web": "processes web", "scheduler": "processes scheduler", "valkey": "valkey-server"}


def until(condition: Callable[[], object], seconds: float = 15.0, what: str = "the condition") -> None:
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
    """A running `backproof serve`."""

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
        """pid of web, worker-runs, worker-io, scheduler or valkey; 0 while there is none."""
        wanted = f"--name {name.removeprefix('worker-')}" if name.startswith("worker-") else NAMES[name]
        for process in psutil.Process(self.pid).children():
            try:
                if wanted in " ".join(process.cmdline()) and process.status() != psutil.STATUS_ZOMBIE:
                    return process.pid
            except psutil.NoSuchProcess:
                continue
        return 0

    def log(self, name: str) -> str:
        path = self.data_dir / "logs" / f"{name}.log"
        return path.read_text() if path.exists() else ""

    def stop(self, number: int = signal.SIGTERM, seconds: float = 30.0) -> int:
        """Stop it and wait; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(seconds)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        return code


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "COLUMNS": "120", **more}


@contextmanager
def started(data_dir: Path, *options: str, **settings: str) -> Iterator[LocalStack]:
    """A stack of its own for one test; stopped at the end whatever happened."""
    command = (*COMMAND, "serve", "--data-dir", str(data_dir), "--port", "0", *options)
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(**settings),
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
    answer = httpx.post(f"{url}/api/v1/backtests", json=config, trust_env=False, timeout=10.0)
    address = f"{url}/api/v1/backtests/{answer.json()['backtest_id']}/status"
    until(lambda: httpx.get(address, trust_env=False, timeout=10.0).json()["status"] == "completed", 30.0, "the result")
    return True


def import_long(prices: Path, data_dir: Path) -> None:
    """Import what `long_prices` made, so that its backtest can run there."""
    command = (*COMMAND, "import", str(prices), "--dataset", "long", "--data-dir", str(data_dir))
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, env=environment())
    assert done.returncode == 0, done.stderr


def written(tmp_path: Path, text: str) -> str:
    """A backtest's file with this text."""
    path = tmp_path / "run.yaml"
    path.write_text(text)
    return str(path)
