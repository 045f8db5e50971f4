"""The service's processes started one by one on one store and one Valkey, as several machines would have them."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
from stacks import COMMAND, environment, serving, until

from backproof.local import valkey

START_SECONDS = 120.0  # kernels are compiled where no test did it before
FINAL = ("completed", "failed", "cancelled")


@dataclass
class Process:
    """One of them, its log beside it."""

    popen: "subprocess.Popen[bytes]"
    log: Path
    url: str = ""

    @property
    def pid(self) -> int:
        return self.popen.pid

    def send(self, number: int) -> None:
        self.popen.send_signal(number)

    def wait(self, seconds: float = 60.0) -> int:
        """Until it has ended by itself; the exit code."""
        return self.popen.wait(seconds)

    def stop(self, seconds: float = 60.0) -> int:
        self.send(signal.SIGTERM)
        return self.wait(seconds)

    def pool(self) -> list[int]:
        """pids of a worker's pool processes."""
        return [child.pid for child in psutil.Process(self.pid).children()]

    def end(self) -> None:
        if self.popen.poll() is None:
            family = [psutil.Process(self.pid), *psutil.Process(self.pid).children(recursive=True)]
            for process in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.resume()
                    process.kill()
            self.popen.wait(20)


@dataclass
class Servers:
    """A data directory, a Valkey, and whatever a test starts on them; `settings` are for all of them."""

    directory: Path
    settings: dict[str, str] = field(default_factory=dict)
    processes: list[Process] = field(default_factory=list)
    valkey: Process = field(init=False)

    @property
    def data(self) -> Path:
        return self.directory / "data"

    def environment(self, **more: str) -> dict[str, str]:
        return environment(
            DATA_DIR=str(self.data),
            REDIS_URL=f"unix://{self.directory}/valkey.sock?db=0",
            XDG_RUNTIME_DIR=str(self.directory),  # signs of life of these processes alone
            **{**serving(self.data)[1], **self.settings, **more},  # in server mode its stores are servers
        )

    def start_valkey(self) -> Process:
        (self.directory / "valkey").mkdir(exist_ok=True)
        at = self.directory / "valkey.sock"
        process = self._start("valkey", valkey.command(valkey.binary_path(), self.directory / "valkey", at), {})
        until(lambda: valkey.answers(at), what="Valkey")
        self.valkey = process
        return process

    def web(self, **settings: str) -> Process:
        port = free_port()
        process = self._start("web", [*COMMAND, "web", "--port", str(port)], settings)
        process.url = f"http://127.0.0.1:{port}"
        until(lambda: self._is_live(process), START_SECONDS, "the web process")
        return process

    def worker(self, *options: str, **settings: str) -> Process:
        """Returns when it takes work."""
        process = self._start("worker", [*COMMAND, "worker", *options], settings)
        until(lambda: self._beats(process), START_SECONDS, "the worker")
        return process

    def scheduler(self, **settings: str) -> Process:
        process = self._start("scheduler", [*COMMAND, "scheduler"], settings)
        until(lambda: self._beats(process), START_SECONDS, "the scheduler")
        return process

    def health(self, *role: str) -> "subprocess.CompletedProcess[str]":
        argv = [sys.executable, "-P", "-m", "backproof.cli.entry", "health", *role]
        return subprocess.run(
            argv, check=False, capture_output=True, text=True, timeout=60, env=self.environment(), cwd=self.directory
        )

    def end(self) -> None:
        for process in reversed(self.processes):
            process.end()

    def _start(self, name: str, argv: "list[str] | tuple[str, ...]", settings: dict[str, str]) -> Process:
        log = self.directory / f"{name}-{len(self.processes)}.log"
        with log.open("ab") as out:
            popen = subprocess.Popen(argv, stdout=out, stderr=out, env=self.environment(**settings), cwd=self.directory)
        process = Process(popen, log)
        self.processes.append(process)
        return process

    def _beats(self, process: Process) -> bool:
        assert process.popen.poll() is None, f"it did not start: {process.log.read_text()[-2000:]}"
        return any(path.name.endswith(f"-{process.pid}") for path in self.directory.glob("backproof-beats-*/*"))

    def _is_live(self, process: Process) -> bool:
        assert process.popen.poll() is None, f"it did not start: {process.log.read_text()[-2000:]}"
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"{process.url}/health/live", timeout=2.0, trust_env=False).status_code == 200
        return False


@contextlib.contextmanager
def servers(directory: Path, **settings: str) -> Iterator[Servers]:
    """Started empty, with a Valkey; everything in it is ended whatever happens."""
    running = Servers(directory, {"MAX_CONCURRENT_BACKTESTS": "2", "WORKER_RESERVE": "0", **settings})
    try:
        running.start_valkey()
        yield running
    finally:
        running.end()


@dataclass
class Client:
    """Calls of the API of one web process."""

    url: str

    def submit(self, config: Path | dict[str, Any]) -> str:
        described = json.loads(config.read_text()) if isinstance(config, Path) else config
        answer = httpx.post(f"{self.url}/api/v1/backtests?use_cache=false", json=described, **_CALL)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["backtest_id"])

    def get(self, path: str) -> Any:
        answer = httpx.get(f"{self.url}/api/v1/backtests/{path}", **_CALL)
        answer.raise_for_status()
        return answer.json()

    def simulates(self, run_id: str) -> bool:
        """Whether it is in the middle."""
        status = self.get(f"{run_id}/status")
        assert status["status"] not in FINAL, "the run was over before its middle was seen"
        return bool(status["status"] == "running" and 16 < status["progress"] < 80)

    def computes(self, run_id: str) -> int:
        """pid of the process that has it."""
        return int(self.get(f"{run_id}/executions")["items"][-1]["worker"].rpartition(":")[2])

    def result(self, run_id: str, seconds: float = 240.0) -> dict[str, Any]:
        """The run, once it is over."""
        until(lambda: self.get(f"{run_id}/status")["status"] in FINAL, seconds, "the run's end")
        return dict(self.get(run_id))

    def hashes(self, run_id: str) -> dict[str, str]:
        manifest = self.get(f"{run_id}/manifest")
        return {name: manifest[name] for name in ("equity_hash", "fills_hash", "fingerprint")}

    def events(self, run_id: str, kind: str) -> list[dict[str, Any]]:
        """What its durable events of one type say."""
        return [e["data"] for e in self.get(f"{run_id}/events?limit=500")["items"] if e["type"] == kind]

    def reasons(self, run_id: str) -> list[str]:
        """Why its attempts ended early."""
        return [data["reason"] for data in self.events(run_id, "status_change") if "reason" in data]

    def workers(self) -> list[str]:
        """Names of those that take work."""
        answer = httpx.get(f"{self.url}/api/v1/system/workers", **_CALL)
        return [one["name"] for one in answer.json()["workers"]]


_CALL: dict[str, Any] = {"timeout": 20.0, "trust_env": False}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
