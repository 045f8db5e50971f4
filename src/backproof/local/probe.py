"""Asking the web process how the stack is, without ever blocking the supervisor."""

import json
import select
import socket
import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Health:
    """The answer of GET /health/ready. workers: how many Celery workers can take work now; reasons: what is wrong."""

    store: bool
    broker: bool
    workers: int
    reasons: tuple[str, ...] = ()

    @classmethod
    def parse(cls, body: bytes) -> "Health | None":
        try:
            said = json.loads(body)
            reasons = tuple(map(str, said.get("reasons", ())))
            return cls(_ok(said["store"]), _ok(said["broker"]), int(said["workers"]), reasons)
        except (ValueError, KeyError, TypeError):
            return None


def _ok(value: object) -> bool:
    return value is True or value == "ok"


class Probe:
    """One GET /health/ready. `step` advances it as far as it goes at once."""

    def __init__(self, host: str, port: int) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._unsent = f"GET /health/ready HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode()
        self._received = b""
        self._began = time.monotonic()
        self._failed = self._socket.connect_ex((host, port)) not in {0, 115, 36}  # in progress: Linux, macOS
        self.done = False

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def age(self) -> float:
        return time.monotonic() - self._began

    @property
    def answered(self) -> bool:
        """Whether anything came back, be it good or bad news."""
        return bool(self._received)

    def step(self) -> Health | None:
        """The health once the answer is complete; `done` says that nothing more will come."""
        if self.done:
            return None
        try:
            if self._failed:
                raise ConnectionError
            if self._unsent and select.select([], [self._socket], [], 0)[1]:
                self._unsent = self._unsent[self._socket.send(self._unsent) :]
            while not self._unsent:
                part = self._socket.recv(65536)
                if not part:
                    self.close()
                    return Health.parse(self._received.partition(b"\r\n\r\n")[2])
                self._received += part
        except (BlockingIOError, InterruptedError):
            return None
        except OSError:
            self.close()
        return None

    def close(self) -> None:
        self.done = True
        self._socket.close()
