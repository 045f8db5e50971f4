"""The server a command talks to: one that runs already, else a stack started for this command only.

Every user of a stack holds users.lock (shared). A stack started for a command stops when it can lock that file for
itself, so two commands at once share one stack and the one that finishes first does not end it for the other.
"""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from backproof.cli.api import Api, answering
from backproof.errors import StackError
from backproof.local.directory import DataDirectory, FileLock, Server

if TYPE_CHECKING:
    from backproof.settings import Settings

START_SECONDS = 330.0
STOP_SECONDS = 30.0
_NEVER: Callable[[], bool] = lambda: False  # noqa: E731


class Interrupted(Exception):
    """Ctrl-C while waiting."""


@contextmanager
def used_server(settings: "Settings", stop: Callable[[], bool] = _NEVER) -> Iterator[tuple[Server, bool]]:
    """(a server that answers, whether it was started for this command). `stop` is asked while waiting."""
    directory = DataDirectory(settings.data_dir)
    directory.create()
    users = FileLock(directory.users_lock, shared=True)
    deadline = time.monotonic() + START_SECONDS
    while not users.acquire():  # a stack is just stopping
        _pause(stop, deadline, directory)
    own: subprocess.Popen[bytes] | None = None
    try:
        server = directory.server()
        if server is None and not directory.in_use():
            own, server = _start(settings, stop)
        while server is None:  # somebody else's stack is just starting
            _pause(stop, deadline, directory)
            server = directory.server()
            if server is None and not directory.in_use():
                own, server = _start(settings, stop)
        yield server, own is not None
    finally:
        users.release()
        if own is not None:
            _leave(own, directory)


@contextmanager
def server_for(settings: "Settings", stop: Callable[[], bool]) -> Iterator[tuple[Server, bool]]:
    """The server at the port that was asked for, else the one of the data directory, else one of our own."""
    if settings.web_port and (server := answering(settings.web_port)) is not None:
        yield server, False
        return
    with used_server(settings, stop) as found:
        yield found


@contextmanager
def api_of(settings: "Settings", port: int | None, offline: bool = True, hint: str = "") -> Iterator[Api]:
    """The running server's API (`port`: the one there); else, with `offline`, the same API inside this process.

    hint: what else helps where a server is needed and none runs
    """
    server = running_server(settings.data_dir)
    url = f"http://127.0.0.1:{port}" if port else server.url if server else None
    if url is None and not offline:
        raise no_server(settings, hint)
    if url is not None:
        with closing(Api(url)) as api:
            yield api
        return
    from backproof.cli.offline import offline_api

    with offline_api(settings) as api:
        yield api


def no_server(settings: "Settings", more: str = "") -> StackError:
    return StackError(f"no server runs on {settings.data_dir}: start one with `backproof serve`{more}")


def running_server(data_dir: Path) -> Server | None:
    return DataDirectory(data_dir).server()


def finder(settings: "Settings", port: int | None) -> Callable[[], str | None]:
    """Where the server is by now: one that was started again may listen elsewhere."""

    def find() -> str | None:
        server = None if port else running_server(settings.data_dir)
        return server.url if server is not None else None

    return find


def _start(settings: "Settings", stop: Callable[[], bool]) -> tuple[subprocess.Popen[bytes] | None, Server | None]:
    """Start a stack that ends with its last user. (None, None) when another one was faster."""
    environment = {**os.environ, "DATA_DIR": str(settings.data_dir), "WEB_HOST": settings.web_host}
    command = (sys.executable, "-P", "-m", "backproof.cli.stackmain", "--while-used", "--port", str(settings.web_port))
    process = subprocess.Popen(  # noqa: S603
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        start_new_session=True,  # Ctrl-C is for this command, which then ends the stack
    )
    if process.stdout is None or process.stderr is None:
        raise StackError("cannot read from the stack")
    with process.stdout as said, process.stderr as errors:
        deadline = time.monotonic() + START_SECONDS
        while not select.select([said], [], [], 0.1)[0]:
            if stop() or time.monotonic() > deadline:
                process.terminate()
                process.wait(STOP_SECONDS)
                if stop():
                    raise Interrupted
                raise StackError(f"the stack did not start in {START_SECONDS:g} s")
        if line := said.readline():
            answer = json.loads(line)
            return process, Server(answer["url"], answer["pid"])
        reason = errors.read().decode(errors="replace").strip().splitlines()
        process.wait(STOP_SECONDS)
    if DataDirectory(settings.data_dir).in_use():
        return None, None
    raise StackError(reason[-1].removeprefix("error: ") if reason else "the stack stopped while starting")


def _leave(stack: subprocess.Popen[bytes], directory: DataDirectory) -> None:
    """Wait until the stack is gone, unless somebody else uses it."""
    deadline = time.monotonic() + STOP_SECONDS
    while stack.poll() is None and time.monotonic() < deadline:
        # In this order: a stopping stack keeps its exclusive lock, so a shared one shows that it is not stopping.
        nobody = _can_lock(directory.users_lock, shared=False)
        if not nobody and _can_lock(directory.users_lock, shared=True):
            return  # another command uses it
        time.sleep(0.02)


def _can_lock(path: Path, shared: bool) -> bool:
    lock = FileLock(path, shared)
    try:
        return lock.acquire()
    except OSError:
        return False
    finally:
        lock.release()


def _pause(stop: Callable[[], bool], deadline: float, directory: DataDirectory) -> None:
    if stop():
        raise Interrupted
    if time.monotonic() > deadline:
        raise StackError(f"the stack of {directory.path} neither answers nor stops; its logs are in {directory.logs}")
    time.sleep(0.05)
