"""A stand-alone Redis on a TCP port, with a password."""

import shutil
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import redis

from mongo_servers import Missing

START_SECONDS = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def redis_url(port: int, password: str) -> str:
    return f"redis://:{password}@127.0.0.1:{port}/0"


def redis_command(directory: Path, port: int, password: str) -> list[str]:
    binary = shutil.which("redis-server")
    if binary is None:
        raise Missing("redis-server is not installed")
    options = {
        "port": str(port),
        "bind": "127.0.0.1",
        "requirepass": password,
        "dir": str(directory),
        "appendonly": "yes",
        "save": "",
        "maxmemory-policy": "noeviction",
        "loglevel": "warning",
    }
    return [binary, *(part for name, value in options.items() for part in (f"--{name}", value))]


def answers(url: str) -> bool:
    with suppress(redis.RedisError, OSError), redis.Redis.from_url(url, socket_timeout=1.0) as client:
        return bool(client.ping())
    return False


class RedisServer:
    """One of our own that tests may stop and start."""

    def __init__(self, directory: Path, password: str = "of-the-tests") -> None:
        self._port = free_port()
        self._command = redis_command(directory, self._port, password)
        self._process: subprocess.Popen[bytes] | None = None
        self.url = redis_url(self._port, password)

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + START_SECONDS
        while not answers(self.url):
            assert self._process.poll() is None, "Redis did not start"
            assert time.monotonic() < deadline, "Redis does not answer"
            time.sleep(0.01)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
