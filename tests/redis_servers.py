"""Redis servers that tests start, freeze, kill and start again: the bundled Valkey on a port, also behind TLS."""

import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import redis

from backproof.local.valkey import binary_path

START_SECONDS = 60.0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


class RedisServer:
    """options: of valkey-server, without the dashes (`requirepass="x"`; `_` stands for `-`)"""

    def __init__(self, directory: Path, **options: str) -> None:
        self.port = free_port()
        self._directory = directory
        self._options = {"port": str(self.port), "bind": "127.0.0.1", "dir": str(directory), "save": "", **options}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> "RedisServer":
        self._directory.mkdir(exist_ok=True, parents=True)
        options = [part for name, value in self._options.items() for part in ("--" + name.replace("_", "-"), value)]
        command = [str(binary_path()), "--loglevel", "warning", *options]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self._process.poll() is None, "Valkey did not start"
            with suppress(redis.ConnectionError), self.admin() as admin:
                admin.ping()
                return self
            time.sleep(0.01)
        raise AssertionError("Valkey does not answer")

    def admin(self, database: int = 0) -> Any:
        return redis.Redis(port=self.port, db=database, password=self._options.get("requirepass"))

    def freeze(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)
        while psutil.Process(self._process.pid).status() != psutil.STATUS_STOPPED:
            time.sleep(0.001)

    def thaw(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class Certificates:
    """An authority of one's own (`ca`), and a certificate of it for the host `localhost`."""

    def __init__(self, directory: Path) -> None:
        self.ca, self.certificate, self.key = (directory / name for name in ("ca.pem", "server.pem", "server.key"))
        self._make(self.ca, directory / "ca.key", "/CN=test authority")
        names = ("-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=CA:FALSE")
        self._make(self.certificate, self.key, "/CN=localhost", *names, "-CA", self.ca, "-CAkey", directory / "ca.key")

    def _make(self, certificate: Path, key: Path, subject: str, *more: str | Path) -> None:
        new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc", "-days", "2", "-subj", subject)
        command = ["openssl", "req", "-x509", *new, "-keyout", str(key), "-out", str(certificate), *map(str, more)]
        subprocess.run(command, check=True, capture_output=True)

    @staticmethod
    def can_be_made() -> bool:
        return shutil.which("openssl") is not None


@contextmanager
def tls_before(port: int, certificates: Certificates) -> Iterator[int]:
    """A port that speaks TLS and passes everything on to another one: the bundled Valkey is built without TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate, certificates.key)
    listener = socket.create_server(("127.0.0.1", 0))
    passed: list[socket.socket] = []

    def accept() -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(plain,), daemon=True).start()

    def serve(plain: socket.socket) -> None:
        with suppress(OSError):
            client = context.wrap_socket(plain, server_side=True)
            server = socket.create_connection(("127.0.0.1", port))
            passed.extend((client, server))
            threading.Thread(target=pump, args=(server, client), daemon=True).start()
            pump(client, server)

    def pump(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError, ValueError):
            while data := source.recv(65536):
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join(5.0)
        for end in passed:
            end.close()
