"""Worlds for scenarios that need another one than the plain stack."""

import contextlib
import ctypes
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import redis

from chaos.world import World, free_port

DISK_MB = 160
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, PR_CAPBSET_DROP = 1, 2, 24


class Unavailable(Exception):
    """This machine does not let such a world be made."""


Variant = Callable[[Path, dict[str, Any]], contextlib.AbstractContextManager[World]]


@contextlib.contextmanager
def plain(directory: Path, options: dict[str, Any]) -> Iterator[World]:
    yield World(directory, **options)


@contextlib.contextmanager
def with_clocks(directory: Path, options: dict[str, Any]) -> Iterator[World]:
    """Its wall clocks can be set."""
    yield World(directory, **_set(options, CHAOS_CLOCK="1"))


@contextlib.contextmanager
def traced(directory: Path, options: dict[str, Any]) -> Iterator[World]:
    """Its workers note what they do to files."""
    yield World(directory, **_set(options, CHAOS_TRACE="1"))


@contextlib.contextmanager
def obeying_permissions(directory: Path, options: dict[str, Any]) -> Iterator[World]:
    """Permissions of files count, even where the suite runs as root."""
    yield World(directory, **options, preexec=_obey_permissions)


def _obey_permissions() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


@contextlib.contextmanager
def on_a_small_disk(directory: Path, options: dict[str, Any]) -> Iterator[World]:
    """The data directory is on a file system of DISK_MB."""
    place = directory / "disk"
    place.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(place)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        raise Unavailable("no file system can be mounted here (that needs root)")
    try:
        yield World(directory, **options, data=place / "data")
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)


@contextlib.contextmanager
def with_a_broker_of_its_own(directory: Path, options: dict[str, Any]) -> Iterator[World]:
    """REDIS_URL names a server outside the stack, with a password that no log may hold."""
    world = World(directory, **options)
    broker = Broker(directory / "broker", world.canary)
    world.broker = broker
    world.settings["REDIS_URL"] = broker.url
    broker.start()
    try:
        yield world
    finally:
        broker.kill()


class Broker:
    """A Valkey server that the suite starts and breaks itself."""

    def __init__(self, directory: Path, password: str) -> None:
        self.directory = directory
        self._port = free_port()
        self._password = password
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"redis://:{password}@127.0.0.1:{self._port}/0"

    def start(self) -> None:
        from backproof.local.valkey import binary_path

        self.directory.mkdir(exist_ok=True)
        options = {"port": str(self._port), "bind": "127.0.0.1", "dir": str(self.directory), "save": ""}
        options |= {"requirepass": self._password, "appendonly": "yes", "loglevel": "warning"}
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        self._process = subprocess.Popen([str(binary_path()), *arguments], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 20.0
        while time.monotonic() < deadline:
            with contextlib.suppress(redis.RedisError), redis.Redis.from_url(self.url) as client:
                client.ping()
                return
            time.sleep(0.01)
        raise Unavailable("the broker does not answer")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def _set(options: dict[str, Any], **settings: str) -> dict[str, Any]:
    return {**options, "settings": {**options.get("settings", {}), **settings}}
