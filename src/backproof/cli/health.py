"""`backproof health [web|worker|scheduler]`: one line and an exit code, for containers' probes.

It is asked every few seconds, so it loads neither settings nor the command line's libraries.
"""

import socket
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

from backproof.telemetry.beats import ROLES, Sighting, sightings

ANSWER_SECONDS = 3.0


def health(role: str | None) -> int:
    """Print how the processes here are; 0 when there is one and none of them hangs."""
    found = sightings(role)
    if not found:
        print(f"unhealthy: no {role or 'backproof'} process runs here")
        return 1
    problems = [text for one in found if (text := problem(one))]
    if problems:
        print(f"unhealthy: {'; '.join(problems)}")
        return 1
    print("healthy: " + ", ".join(f"{one.role} {one.pid}" for one in found))
    return 0


def problem(one: Sighting) -> str | None:
    name = f"{one.role} {one.pid}"
    if one.hangs:
        return f"{name} has not been heard of for {one.silent:.0f} s"
    return f"{name} does not answer at {one.url}" if one.url and not answers(one.url) else None


def answers(url: str) -> bool:
    """Whether GET /health/live is answered there with 200, in time."""
    at = urlsplit(url)
    deadline = time.monotonic() + ANSWER_SECONDS
    try:
        with socket.create_connection((at.hostname or "", at.port or 80), ANSWER_SECONDS) as connection:
            connection.sendall(f"GET /health/live HTTP/1.1\r\nHost: {at.netloc}\r\nConnection: close\r\n\r\n".encode())
            said = b""
            while len(said) < len(b"HTTP/1.1 200"):
                connection.settimeout(max(0.01, deadline - time.monotonic()))
                if not (part := connection.recv(1024)):
                    return False
                said += part
    except OSError:
        return False
    return said.startswith(b"HTTP/1.1 200")


def main(arguments: Sequence[str]) -> int | None:
    """The exit code; None: not a plain question, its mistakes and its help are the command line's."""
    if not arguments:
        return health(None)
    if len(arguments) == 1 and arguments[0] in ROLES:
        return health(arguments[0])
    return None
