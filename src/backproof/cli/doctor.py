"""`backproof doctor`: what is installed, where things are, whether they work. Exit code 1 when something does not."""

import asyncio
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from backproof import __version__
from backproof.cli.api import Api, answering
from backproof.errors import BackproofError
from backproof.local import valkey
from backproof.local.directory import DataDirectory

if TYPE_CHECKING:
    from backproof.settings import Settings

PACKAGES = (
    "celery",
    "kombu",
    "redis",
    "fastapi",
    "uvicorn",
    "pydantic",
    "numpy",
    "numba",
    "TA-Lib",
    "pyarrow",
    "duckdb",
)
LITTLE_SPACE = 500_000_000
_UNSET = {
    "REDIS_URL": "not set: the bundled Valkey",
    "MONGODB_URL": "not set: SQLite",
    "STORAGE_URL": "not set: files in the data directory",
}


@dataclass(frozen=True, slots=True)
class Check:
    """ok None: a fact that is neither good nor bad."""

    name: str
    ok: bool | None
    text: str


def doctor(settings: "Settings", port: int | None = None) -> int:
    """Print all checks; the exit code."""
    console = Console()
    unicode = (console.encoding or "").lower().replace("-", "") == "utf8"
    marks = {
        True: ("✓" if unicode else "ok", "green"),
        False: ("✗" if unicode else "PROBLEM", "bold red"),
        None: (" ", ""),
    }
    problems = 0
    for title, checks in (
        ("versions", _versions()),
        ("plug-ins", _plugins()),
        ("paths", _paths(settings)),
        ("servers", _servers(settings)),
        ("health", _health(settings, port)),
    ):
        console.print(Text(title, style="bold"))
        for check in checks:
            mark, style = marks[check.ok]
            problems += check.ok is False
            line = Text.assemble("  ", (mark, style), f" {check.name:<16} {check.text}")
            console.print(line, soft_wrap=True)
    console.print()
    if problems:
        console.print(Text(f"{problems} problem{'s' if problems > 1 else ''} found", style="bold red"))
    else:
        console.print(Text("everything works", style="bold green"))
    return 1 if problems else 0


def _versions() -> list[Check]:
    found = [
        Check("backproof", None, __version__),
        Check("python", (3, 11) <= sys.version_info[:2] < (3, 14), f"{platform.python_version()} ({sys.executable})"),
        Check("system", None, f"{platform.system()} {platform.release()} {platform.machine()}, {os.cpu_count()} cores"),
    ]
    missing = []
    versions = []
    for name in PACKAGES:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    found.append(
        Check("packages", not missing, ", ".join(versions) + (f"; missing: {', '.join(missing)}" if missing else ""))
    )
    try:
        answer = subprocess.run(  # noqa: S603
            [valkey.binary_path(), "--version"], capture_output=True, text=True, timeout=10, check=True
        )
        version = next((part for part in answer.stdout.split() if part.startswith("v=")), "v=?")
        found.append(Check("valkey", True, f"{version[2:]} (bundled)"))
    except (BackproofError, OSError, subprocess.SubprocessError) as error:
        found.append(Check("valkey", False, str(error)))
    return found


def _plugins() -> list[Check]:
    """Strategies of other packages, as this very environment has them."""
    from backproof.engine.strategies import all_strategies, plugin_of, refused_plugins

    found = [
        Check(strategy.name, True, f"{plugin.source.distribution} {plugin.source.version}")
        for strategy in all_strategies()
        if (plugin := plugin_of(strategy)) is not None
    ]
    found += [
        Check(
            one.source.entry.partition(" ")[0], False, f"{one.source.distribution} {one.source.version}: {one.reason}"
        )
        for one in refused_plugins()
    ]
    return found or [Check("strategies", None, "no other package brings any")]


def _paths(settings: "Settings") -> list[Check]:
    data = settings.data_dir
    return [
        _writable("data directory", data),
        Check("logs", None, str(data / "logs")),
        Check("database", None, _database(settings)),
        Check("results, prices", None, settings.storage_url or str(settings.lake_path)),
        _space(data),
    ]


def _servers(settings: "Settings") -> list[Check]:
    """What the settings name instead of what a machine has for itself, asked by this very process."""
    return [
        *(_redis(settings) if settings.redis_url is not None else [Check("REDIS_URL", None, _UNSET["REDIS_URL"])]),
        _mongodb(settings) if settings.mongodb_url is not None else Check("MONGODB_URL", None, _UNSET["MONGODB_URL"]),
        _storage(settings) if settings.storage_url is not None else Check("STORAGE_URL", None, _UNSET["STORAGE_URL"]),
    ]


def _redis(settings: "Settings") -> list[Check]:
    from backproof.messaging.check import check

    try:
        warnings = asyncio.run(check(settings.redis))
    except BackproofError as error:
        return [Check("REDIS_URL", False, error.message)]
    return [
        Check("REDIS_URL", True, f"{settings.redis.where} answers"),
        *(Check("", False, warning) for warning in warnings),
    ]


def _mongodb(settings: "Settings") -> Check:
    from backproof.bootstrap import open_whole_repository

    async def opened() -> None:
        await (await open_whole_repository(settings)).close()

    try:
        asyncio.run(opened())
    except BackproofError as error:
        return Check("MONGODB_URL", False, error.message)
    return Check("MONGODB_URL", True, "answers, can be written, and has a schema that is known here")


def _storage(settings: "Settings") -> Check:
    from backproof.services.lakes import open_lake

    try:
        open_lake(settings).check()
    except BackproofError as error:
        return Check("STORAGE_URL", False, error.message.removeprefix("STORAGE_URL="))
    return Check("STORAGE_URL", True, "answers, can be written and read")


def _writable(name: str, path: Path) -> Check:
    existing = path
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        return Check(name, False, f"{path} cannot be written (choose another with --data-dir or DATA_DIR)")
    return Check(name, True, str(path) if existing == path else f"{path} (made at the first start)")


def _space(path: Path) -> Check:
    while not path.exists() and path != path.parent:
        path = path.parent
    free = shutil.disk_usage(path).free
    return Check("free space", free > LITTLE_SPACE, f"{free / 1e9:.1f} GB")


def _database(settings: "Settings") -> str:
    if settings.mongodb_url is not None:
        return "MongoDB, as MONGODB_URL says"
    return f"{settings.database_path}{_size(settings.database_path)}"


def _size(path: Path) -> str:
    return f" ({path.stat().st_size / 1e6:.1f} MB)" if path.exists() else " (not yet there)"


def _health(settings: "Settings", port: int | None) -> list[Check]:
    directory = DataDirectory(settings.data_dir)
    server = answering(port) if port else directory.server()
    if server is None and port:
        return [Check("server", False, f"no backproof answers on port {port}")]
    if server is None:
        if directory.in_use():
            return [Check("server", False, "a stack owns the data directory but does not answer yet")]
        return [Check("server", None, "none is running; `backproof serve` starts one, `backproof run` needs none")]
    found = [Check("server", True, f"{server.url} (pid {server.pid})" if server.pid else server.url)]
    api = Api(server.url)
    try:
        health = api.health()
    except BackproofError as error:
        return [Check("server", False, error.message)]
    finally:
        api.close()
    for name, good in (("store", "answers"), ("broker", "answers")):
        ok = health.get(name) in (True, "ok")
        found.append(Check(name, ok, good if ok else str(health.get(name))))
    workers = int(health.get("workers") or 0)
    found.append(Check("workers", workers > 0, f"{workers} ready" if workers else "none is ready"))
    return found
