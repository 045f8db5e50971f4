"""Servers that speak MongoDB's protocol: the one that TEST_MONGODB_URL names, and one that needs no installation.

The latter is mongo-java-server, an independent implementation in memory (see mongo_server/README.md); it needs Java 17
and, the first time, Maven.
"""

import fcntl
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import platformdirs

SOURCES = Path(__file__).parent / "contract" / "mongo_server"
VERSION = "1.47.0"
START_SECONDS = 90


class Missing(Exception):
    """Why there is no such server here."""


def named_server() -> str:
    url = os.environ.get("TEST_MONGODB_URL", "")
    if not url:
        raise Missing("TEST_MONGODB_URL names no MongoDB server")
    return url


@contextmanager
def java_server() -> Iterator[str]:
    """URL of a server of one's own, which ends with the block."""
    with started() as (_, url):
        yield url


@contextmanager
def started(port: int = 0) -> Iterator[tuple[subprocess.Popen[str], str]]:
    if shutil.which("java") is None:
        raise Missing("Java is not installed")
    command = ["java", "-Xmx256m", "-cp", f"{_jars()}/*", str(SOURCES / "TestMongoServer.java"), str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        killer = threading.Timer(START_SECONDS, server.kill)
        killer.start()
        try:
            assert server.stdout is not None
            word, _, url = server.stdout.readline().strip().partition(" ")
            killer.cancel()
            if word != "ready":
                raise Missing("the MongoDB server in Java does not start")
            yield server, url
        finally:
            killer.cancel()
            server.kill()  # in memory: there is nothing to save


def with_database(url: str, name: str) -> str:
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc, "/" + name, parts.query, ""))


def _jars() -> Path:
    """The server's classes, copied once into the user's cache."""
    cache = Path(platformdirs.user_cache_path("backproof-tests", appauthor=False))
    jars = cache / f"mongo-server-{VERSION}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if jars.is_dir():
            return jars
        if shutil.which("mvn") is None:
            raise Missing("Maven, which would copy the MongoDB server in Java, is not installed")
        copied = cache / "copying"
        shutil.rmtree(copied, ignore_errors=True)
        command = ["mvn", "-q", "-B", "-f", str(SOURCES / "pom.xml"), "dependency:copy-dependencies"]
        done = subprocess.run([*command, f"-DoutputDirectory={copied}"], check=False, capture_output=True, text=True)
        if done.returncode:
            raise Missing(f"Maven cannot copy the MongoDB server in Java: {done.stdout.strip()[-300:]}")
        copied.rename(jars)
    return jars
