"""A service of many processes on servers, as an init system would run it: `servers.command("servers.fleet", ...)`.

Two workers on hosts of their own (each with its host name where the kernel allows that, and its data directory), two
web processes on one port, a scheduler, Redis. Who dies is started again, unless `down/<name>` is there: a host that
stays away. The stores are not its matter: they outlive it, and MONGODB_URL and STORAGE_URL name them.

It owns a data directory and tells there where it listens, as the local stack does, so that commands find it.
"""

import argparse
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import httpx

from backproof.errors import BackproofError, StackError
from backproof.local.children import Child, ChildSpec, describe_exit
from backproof.local.directory import DataDirectory, Server
from backproof.local.signals import SignalWaiter
from backproof.local.stack import listen
from backproof.settings import Settings, load_settings
from mongo_servers import Missing
from servers.broker import answers, free_port, redis_command, redis_url

START_SECONDS = 300.0
TICK_SECONDS = 0.1
REDIS, SCHEDULER = "redis", "scheduler"
WORKERS = ("worker-a", "worker-b")
WEBS = ("web-1", "web-2")
STOP_SECONDS = 10.0
PASSWORD = "BACKPROOF_TEST_REDIS_PASSWORD"
FILE = "fleet.json"  # {"redis": URL, "pids": {name: pid}}


class Fleet:
    """What runs, by name."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._directory = DataDirectory(settings.data_dir)
        self._down = settings.data_dir / "down"
        self._children: dict[str, Child] = {}
        port, password = free_port(), os.environ.get(PASSWORD) or secrets.token_hex(8)
        self._redis_url = redis_url(port, password)
        self._redis = redis_command(self._directory.valkey, port, password)
        self._listener = listen("127.0.0.1", settings.web_port)
        self._url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def run(self) -> None:
        self._directory.create()
        self._directory.lock()
        self._down.mkdir(exist_ok=True)
        waiter = SignalWaiter()
        try:
            self._start(waiter)
            if not waiter.stops:
                self._directory.announce(Server(self._url, os.getpid()))
            while not waiter.stops:
                self._keep_running()
                waiter.wait(TICK_SECONDS)
        finally:
            self._stop(waiter)
            self._directory.unlock()

    # ---- start ------------------------------------------------------------------------------------------------

    def _start(self, waiter: SignalWaiter) -> None:
        self._add(REDIS, self._redis)
        while not answers(self._redis_url) and not waiter.stops:
            self._all_alive()
            waiter.wait(0.02)
        web = self._module("backproof.cli.processes", "web", "--fd", str(self._listener.fileno()))
        # before its host name changes: names are looked up by nobody
        apart = _host_names_possible()
        each = str(max(1, self._settings.worker_processes // len(WORKERS)))
        for name in WORKERS:
            worker = self._module("backproof.cli.app", "worker", "--concurrency", each)
            self._add(name, _on_host(name, worker) if apart else worker)
        for name in WEBS:
            self._add(name, web, pass_fds=(self._listener.fileno(),))
        self._add(SCHEDULER, self._module("backproof.cli.app", "scheduler"))
        deadline = time.monotonic() + START_SECONDS
        while not waiter.stops and not _is_ready(self._url):
            self._all_alive()
            if time.monotonic() > deadline:
                raise StackError(f"the servers are not ready after {START_SECONDS:g} s; logs in {self._directory.logs}")
            waiter.wait(0.05)

    @staticmethod
    def _module(module: str, *arguments: str) -> list[str]:
        return [sys.executable, "-P", "-m", module, *arguments]

    def _add(self, name: str, argv: Sequence[str], pass_fds: tuple[int, ...] = ()) -> None:
        own = self._settings.data_dir / "hosts" / name
        own.mkdir(parents=True, exist_ok=True)
        environment = {
            **os.environ,
            "REDIS_URL": self._redis_url,
            "DATA_DIR": str(own),
            "WEB_PORT": self._url.rpartition(":")[2],
            "PYTHONUNBUFFERED": "1",
            "WORKER_DRAIN_SECONDS": os.environ.get("WORKER_DRAIN_SECONDS", "0"),  # nobody here waits for long runs
        }
        log = self._directory.logs / f"{name}.log"
        self._children[name] = Child(ChildSpec(name, argv, environment, log, STOP_SECONDS, pass_fds))
        self._launch(self._children[name])

    def _launch(self, child: Child) -> None:
        child.start()
        self._tell()

    def _tell(self) -> None:
        pids = {name: child.pid for name, child in self._children.items() if child.pid}
        temporary = self._settings.data_dir / f"{FILE}.tmp"
        temporary.write_text(json.dumps({"redis": self._redis_url, "pids": pids}))
        temporary.replace(self._settings.data_dir / FILE)

    def _all_alive(self) -> None:
        for child in self._children.values():
            if (code := child.poll()) is not None:
                raise StackError(f"{child.spec.name} {describe_exit(code)} while starting: {child.last_words()}")

    # ---- serve and stop ---------------------------------------------------------------------------------------

    def _keep_running(self) -> None:
        for name, child in self._children.items():
            if (code := child.poll()) is not None:
                delay = child.crashed()
                self._tell()
                self._say(f"{name} {describe_exit(code)}; starting it again in {delay:.1f} s")
            due = child.start_at is not None and time.monotonic() >= child.start_at
            if due and not (self._down / name).exists():
                self._launch(child)

    def _stop(self, waiter: SignalWaiter) -> None:
        self._directory.forget_server()
        self._listener.close()
        asked = max(waiter.stops, 1)
        for group in (WEBS, WORKERS, (SCHEDULER,), (REDIS,)):
            children = [self._children[name] for name in group if name in self._children]
            for child in children:
                child.terminate()
            for child in children:
                deadline = time.monotonic() + child.spec.stop_seconds
                while child.poll() is None and child.alive and waiter.stops <= asked and time.monotonic() < deadline:
                    waiter.wait(0.02)
                if child.alive:
                    self._say(f"{child.spec.name} did not stop in {child.spec.stop_seconds:g} s; ending it")
                    child.kill()
                    child.wait()

    def _say(self, line: str) -> None:
        with (self._directory.logs / "stack.log").open("a") as log:
            log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n")


def _host_names_possible() -> bool:
    """Whether a process may have a host name of its own (Linux, as root)."""
    try:
        return subprocess.run(["unshare", "--uts", "hostname", "elsewhere"], capture_output=True).returncode == 0  # noqa: PLW1510
    except OSError:
        return False


def _on_host(name: str, argv: Sequence[str]) -> list[str]:
    return ["unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"', name, *argv]


def _is_ready(url: str) -> bool:
    try:
        said = httpx.get(f"{url}/health/ready", timeout=2.0, trust_env=False).json()
    except (httpx.HTTPError, ValueError):
        return False
    return bool(said.get("status") == "ready" and said.get("workers") == len(WORKERS))


def read(data_dir: Path) -> tuple[str, dict[str, int]]:
    """Of the fleet that owns this directory: the URL of its Redis, and its processes by name."""
    said = json.loads((data_dir / FILE).read_text())
    return str(said["redis"]), dict(said["pids"])


def main() -> None:
    parser = argparse.ArgumentParser(prog="fleet")
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    given = parser.parse_args()
    os.umask(0o077)
    try:
        Fleet(load_settings(data_dir=given.data_dir, web_port=given.port)).run()
    except (BackproofError, Missing) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
