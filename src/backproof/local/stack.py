"""The supervisor of the local stack: Valkey, two Celery workers, the scheduler and the web process.

It is one thread that never blocks for long: it starts children in order, waits until a worker can claim a run, starts
crashed children again, and stops everything in order. Kept light on imports: its own start is part of every start.
"""

import contextlib
import ipaddress
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from backproof.errors import StackError
from backproof.local import valkey
from backproof.local.children import VALKEY_PIDFILE, Child, ChildSpec, describe_exit
from backproof.local.directory import DataDirectory, FileLock, Server
from backproof.local.probe import Health, Probe
from backproof.local.signals import SignalWaiter
from backproof.local.silence import SILENT_SECONDS, SilenceWatch, presence_key

if TYPE_CHECKING:
    from backproof.settings import Settings

WORKERS_TO_BE_READY = 1  # the one that computes runs
START_SECONDS = 300.0  # the first time the engine is compiled, which takes a slow and busy machine minutes
VALKEY_SECONDS = 30.0  # loading a large append-only file
TICK_SECONDS = 0.5
UNREADY_STOP_SECONDS = 1.0
BEHIND_SECONDS = 0.7
AWAY_SECONDS = 3.0
USED_TICK_SECONDS = 0.1
TRIM_SECONDS = 60.0

VALKEY, RUNS, IO, SCHEDULER, WEB = "valkey", "worker-runs", "worker-io", "scheduler", "web"


class Stack:
    """One local stack on one data directory. `say` shows a line to the person who started it."""

    def __init__(self, settings: "Settings", say: Callable[[str], None], while_used: bool = False) -> None:
        self._settings = settings
        self._say_to_user = say
        self._while_used = while_used
        self.directory = DataDirectory(settings.data_dir)
        self._children: dict[str, Child] = {}
        self._listener: socket.socket | None = None
        self._address = ("", 0)
        self._valkey_socket: Path | None = None
        self._users = FileLock(self.directory.users_lock)
        self._health: Health | None = None
        self._ready = False

    @property
    def url(self) -> str:
        host, port = self._address
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def run(self, on_ready: Callable[["Stack"], None]) -> None:
        """Start, serve until asked to stop, stop. Raises StackError when it cannot start or cannot go on."""
        host = loopback(self._settings.web_host)
        self.directory.create()
        valkey_socket = self.directory.lock()
        waiter = SignalWaiter()
        try:
            self._listener = listener = listen(host, self._settings.web_port)
            self._address = listener.getsockname()[:2]
            self._start(waiter, listener.fileno(), valkey_socket)
            if not waiter.stops:
                self.directory.announce(Server(self.url, os.getpid()))
                self._ready = True
                on_ready(self)
                self._serve(waiter)
        finally:
            self._stop(waiter)
            self.directory.unlock()
            self._users.release()

    # ---- start ------------------------------------------------------------------------------------------------

    def _start(self, waiter: SignalWaiter, listener: int, valkey_socket: Path) -> None:
        if self._settings.redis_url is not None:
            redis_url = self._settings.redis_url.get_secret_value()
        else:
            redis_url = f"unix://{valkey_socket}?db=0"
            self._valkey_socket = valkey_socket
            self._start_valkey(waiter, valkey_socket)
        if waiter.stops:
            return
        host, port = self._address
        environment = {
            **os.environ,
            "REDIS_URL": redis_url,
            "DATA_DIR": str(self._settings.data_dir),
            "WEB_HOST": host,
            "WEB_PORT": str(port),
            "PYTHONUNBUFFERED": "1",
            # whoever stops a stack waits for it; its runs go on at the next start
            "WORKER_DRAIN_SECONDS": "0",
            "WEB_DRAIN_SECONDS": "0",
            VALKEY_PIDFILE: str(valkey.pidfile(self.directory.valkey)) if self._valkey_socket else "",
        }
        concurrency = str(self._settings.worker_processes)
        runs = ("worker", "--name", "runs", "--queues", "backtest_execution", "--concurrency", concurrency)
        io = ("worker", "--name", "io", "--queues", "data_collection,notifications")
        self._add(RUNS, runs, environment, stop_seconds=8.0)
        self._add(WEB, ("web", "--fd", str(listener)), environment, stop_seconds=6.0, pass_fds=(listener,))
        self._until_ready(waiter)
        # Nobody waits for these two: on a small machine they would only slow the start and the first backtest down.
        behind = time.monotonic() + BEHIND_SECONDS
        self._add(SCHEDULER, ("scheduler",), environment, stop_seconds=4.0, start_at=behind)
        self._add(IO, io, environment, stop_seconds=8.0, start_at=behind)

    def _add(
        self,
        name: str,
        command: tuple[str, ...],
        environment: dict[str, str],
        stop_seconds: float,
        pass_fds: tuple[int, ...] = (),
        start_at: float | None = None,
    ) -> None:
        # -P: a file called like a library in the current directory is not it
        argv = (sys.executable, "-P", "-m", "backproof.cli.processes", *command)
        log = self.directory.logs / f"{name}.log"
        child = Child(ChildSpec(name, argv, environment, log, stop_seconds, pass_fds), start_at=start_at)
        self._children[name] = child
        if start_at is None:
            self._launch(child)

    def _launch(self, child: Child) -> None:
        try:
            child.start()
        except OSError as error:
            raise StackError(f"cannot start {child.spec.name}: {error.strerror or error}") from None

    def _start_valkey(self, waiter: SignalWaiter, valkey_socket: Path) -> None:
        directory = self.directory.valkey
        argv = valkey.command(valkey.binary_path(), directory, valkey_socket)
        spec = ChildSpec(VALKEY, argv, dict(os.environ), self.directory.logs / "valkey.log", stop_seconds=4.0)
        child = self._children[VALKEY] = Child(spec)
        self._launch(child)
        deadline = time.monotonic() + VALKEY_SECONDS
        set_aside = False
        while not waiter.stops and not valkey.answers(valkey_socket):
            if (code := child.poll()) is not None:
                aside = None if set_aside else valkey.set_aside_damaged(directory)
                if aside is None:
                    raise StackError(f"Valkey {describe_exit(code)} while starting: {child.last_words()}")
                set_aside = True
                self._say(f"Valkey could not read its file; it starts empty (the old one is {aside})")
                child.start()
            if time.monotonic() > deadline:
                raise StackError(f"Valkey does not answer: {child.last_words()}")
            waiter.wait(0.01)
        for name in (RUNS, IO):  # said by the workers of a killed stack, and kept in the file
            valkey.ask(valkey_socket, "DEL", presence_key(name))

    def _until_ready(self, waiter: SignalWaiter) -> None:
        deadline = time.monotonic() + START_SECONDS
        probe = Probe(*self._address)
        waits_since: float | None = None
        while not waiter.stops:
            for child in self._children.values():
                if (code := child.poll()) is not None:
                    raise StackError(f"{child.spec.name} {describe_exit(code)} while starting: {child.last_words()}")
            if (health := probe.step()) is not None:
                self._health = health
                if health.store and health.broker and health.workers >= WORKERS_TO_BE_READY:
                    return
                waits_since = self._say_what_is_away(health, waits_since)
            if time.monotonic() > deadline:
                raise StackError(f"the stack is not ready after {START_SECONDS:g} s ({self._describe()})")
            if probe.done:
                waiter.wait(0.03)
                probe = Probe(*self._address)
            else:
                waiter.wait(0.05, [probe])
        probe.close()

    def _say_what_is_away(self, health: Health, since: float | None) -> float | None:
        """Once, for servers of others: they may take longer to boot. `since`: when they were first missed."""
        now = time.monotonic()
        if health.store and health.broker:
            return None
        if since is not None and now - since > AWAY_SECONDS:
            self._say(f"waiting for the servers that the settings name: {'; '.join(health.reasons)}")
            return float("inf")
        return now if since is None else since

    def _describe(self) -> str:
        if self._health is None:
            return f"the web process does not answer; logs in {self.directory.logs}"
        h = self._health
        return f"store ok: {h.store}, broker ok: {h.broker}, workers: {h.workers}; logs in {self.directory.logs}"

    # ---- serve ------------------------------------------------------------------------------------------------

    def _serve(self, waiter: SignalWaiter) -> None:
        watch = SilenceWatch(self._address, self._valkey_socket)
        trim_at = 0.0
        tick = USED_TICK_SECONDS if self._while_used else TICK_SECONDS
        try:
            while not waiter.stops:
                self._keep_running()
                if self._while_used and self._users.acquire():
                    return
                alive = [name for name, child in self._children.items() if child.alive]
                for name in watch.look(alive, WEB, VALKEY, (RUNS, IO)):
                    self._say(f"{name} has not answered for {SILENT_SECONDS:g} s; ending it")
                    self._children[name].kill()
                now = time.monotonic()
                if now > trim_at:
                    trim_at = now + TRIM_SECONDS
                    for child in self._children.values():
                        child.trim_log()
                starts = [c.start_at - now for c in self._children.values() if c.start_at is not None]
                waiter.wait(min([tick, *starts]))
        finally:
            watch.close()

    def _keep_running(self) -> None:
        for child in self._children.values():
            if (code := child.poll()) is not None:
                delay = child.crashed()
                what = f"{child.spec.name} {describe_exit(code)}"
                self._say(f"{what}; starting it again in {delay:.1f} s (log: {child.spec.log})")
            if child.start_at is not None and time.monotonic() >= child.start_at:
                self._launch(child)

    # ---- stop -------------------------------------------------------------------------------------------------

    def _stop(self, waiter: SignalWaiter) -> None:
        """Web, workers, scheduler, Valkey. A second Ctrl-C kills what is left."""
        self.directory.forget_server()
        if self._listener is not None:
            self._listener.close()
        asked = max(waiter.stops, 1)
        for group in ((WEB,), (RUNS, IO), (SCHEDULER,), (VALKEY,)):
            children = [self._children[name] for name in group if name in self._children]
            for child in children:
                child.terminate()
            for child in children:
                # before the start is complete nothing is under way that would be worth waiting for
                patience = child.spec.stop_seconds if self._ready else UNREADY_STOP_SECONDS
                deadline = time.monotonic() + patience
                while child.poll() is None and child.alive and waiter.stops <= asked and time.monotonic() < deadline:
                    waiter.wait(0.05)
                if child.alive:
                    if self._ready and waiter.stops <= asked:
                        self._say(f"{child.spec.name} did not stop in {child.spec.stop_seconds:g} s; ending it")
                    child.kill()
                    child.wait()

    def _say(self, line: str) -> None:
        with contextlib.suppress(OSError), (self.directory.logs / "stack.log").open("a") as log:
            log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n")
        self._say_to_user(line)


def loopback(host: str) -> str:
    """The address to bind. Without accounts everyone who reaches the port owns everything, so only loopback will do."""
    address = "127.0.0.1" if host == "localhost" else host.strip("[]")
    try:
        safe = ipaddress.ip_address(address).is_loopback
    except ValueError:
        safe = False
    if not safe:
        raise StackError(
            f"refusing to listen on {host}: there are no accounts yet, so only loopback (127.0.0.1) will do; "
            "`backproof web` can be put behind an authenticating proxy (WEB_ALLOWED_HOSTS)"
        )
    return address


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. It outlives the web process, so connections wait during its restart instead of failing."""
    # with its protocol named: asyncio then switches Nagle off, which holds answers on kept connections back for 40 ms
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        reason = (error.strerror or str(error)).lower()
        hint = "choose another with --port or WEB_PORT; 0 takes a free one"
        message = f"cannot listen on {host} port {port}: {reason} ({hint})"
        raise StackError(message) from None
    return listener
