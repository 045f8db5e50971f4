"""Clients that follow runs by WebSocket and leave at bad moments: what each saw, in which order, and how late."""

import asyncio
import contextlib
import datetime as dt
import hashlib
import json
import random
import socket
import time
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

DURABLE = frozenset(("status_change", "log", "notice", "checkpoint"))
DROP_SECONDS = (1.0, 8.0)
STALL_SECONDS = (20.0, 35.0)  # longer than a server waits with one send (10 s) and with its close (10 s)
DRAIN_SECONDS = 20.0  # in which the client reads again before it leaves by itself
SMALL_WINDOW = 4096  # bytes a client that does not read takes in; the kernel would hide it for megabytes
QUEUED_FRAMES = 4


@dataclass
class Seen:
    """What one client was given of one run. digest: over seq, type and timestamp of every durable event, in order."""

    run_id: str
    cursor: int = 0
    deliveries: int = 0
    missed: int = 0
    doubled: int = 0
    status: str | None = None
    closes: list[str] = field(default_factory=list)
    digest: Any = field(default_factory=hashlib.sha256)

    def take(self, frame: dict[str, Any]) -> None:
        seq = frame["seq"]
        self.deliveries += 1
        if seq <= self.cursor:
            self.doubled += 1
            return
        self.missed += seq - self.cursor - 1
        self.cursor = seq
        self.digest.update(mark(frame))
        if frame["type"] == "status_change":
            self.status = frame["data"].get("status")


def mark(event: dict[str, Any]) -> bytes:
    return f"{event['seq']} {event['type']} {event['timestamp']}\n".encode()


@dataclass
class Tally:
    """Of all clients together. arrived, late: wall-clock time of a live delivery, and its seconds since the event."""

    ended: list[Seen] = field(default_factory=list)
    open: dict[str, Seen] = field(default_factory=dict)
    connections: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    closes: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    arrived: "array[float]" = field(default_factory=lambda: array("d"))
    late: "array[float]" = field(default_factory=lambda: array("f"))

    @property
    def deliveries(self) -> int:
        return sum(seen.deliveries for seen in (*self.ended, *self.open.values()))


class Runs:
    """The runs that can be followed now."""

    def __init__(self) -> None:
        self.alive: list[str] = []
        self.loud: list[str] = []
        self.over = False

    def begin(self, run_id: str, loud: bool) -> None:
        (self.loud if loud else self.alive).append(run_id)

    def end(self, run_id: str) -> None:
        for runs in (self.alive, self.loud):
            if run_id in runs:
                runs.remove(run_id)

    def pick(self, rng: random.Random, loud: bool) -> str | None:
        runs = self.loud if loud else self.alive
        return rng.choice(runs) if runs else None


class Client:
    """stalls: does not read for a while, again and again, on runs that say much."""

    def __init__(
        self, name: str, urls: Sequence[str], runs: Runs, tally: Tally, rng: random.Random, *, stalls: bool = False
    ) -> None:
        self.name = name
        self._urls = [urlsplit(url) for url in urls]
        self._runs = runs
        self._tally = tally
        self._rng = rng
        self._stalls = stalls
        self._web = rng.randrange(len(urls))

    async def live(self) -> None:
        """Follow one run after the other to its end, until there are no more."""
        while not self._runs.over:
            run_id = self._runs.pick(self._rng, self._stalls)
            if run_id is None:
                await asyncio.sleep(0.1)
                continue
            seen = self._tally.open[self.name] = Seen(run_id)
            await self._follow(seen)
            self._tally.ended.append(self._tally.open.pop(self.name))

    async def _follow(self, seen: Seen) -> None:
        while True:
            if self._rng.random() < 0.3:
                self._move()
            try:
                if await self._connection(seen):
                    return
            except (OSError, TimeoutError, WebSocketException) as error:
                self._tally.errors[f"{type(error).__name__}: {error}"[:80]] += 1
                self._move()
                await asyncio.sleep(self._rng.uniform(0.05, 0.4))

    def _move(self) -> None:
        self._web = (self._web + 1) % len(self._urls)

    async def _connection(self, seen: Seen) -> bool:
        """One connection; True when the server said that the run has ended."""
        url = self._urls[self._web]
        options: dict[str, Any] = {"compression": None, "proxy": None, "open_timeout": 15, "close_timeout": 2}
        options["ping_interval"] = None
        if self._stalls:
            options |= {"sock": await _narrow(url.hostname or "", url.port or 80), "max_queue": QUEUED_FRAMES}
        address = f"ws://{url.netloc}/ws/backtest/{seen.run_id}?after={seen.cursor}"
        connection = await connect(address, **options)
        self._tally.connections += 1
        served_out = False
        try:
            await self._read(connection, seen)
        except ConnectionClosed:
            served_out = True
        finally:
            await self._leave(connection)
        code, reason = connection.close_code, connection.close_reason
        said = f"{code} {reason or ''}".strip()
        self._tally.closes[said] += 1
        seen.closes.append(said)
        # what comes while this client is leaving is thrown away: then the server's last word means nothing
        return served_out and code == 1000 and reason == "final"

    async def _read(self, connection: ClientConnection, seen: Seen) -> None:
        """Until this client has enough of it, or the server closes."""
        frame = json.loads(await connection.recv())
        since = time.time()
        if frame["type"] != "initial_status":
            self._tally.counts["wrong first frame"] += 1
        patience = self._rng.uniform(*DROP_SECONDS)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while True:
                    self._hear(json.loads(await connection.recv()), seen, since)
        if self._stalls:
            await self._stall(connection, seen)

    async def _stall(self, connection: ClientConnection, seen: Seen) -> None:
        await asyncio.sleep(self._rng.uniform(*STALL_SECONDS))
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                while True:  # what was on its way, then the reason
                    self._hear(json.loads(await connection.recv()), seen, None)
        except TimeoutError:
            self._tally.counts["stalled, not closed"] += 1
        except ConnectionClosed:
            self._tally.counts[f"stalled, closed {connection.close_code} {connection.close_reason or ''}".strip()] += 1

    def _hear(self, frame: dict[str, Any], seen: Seen, since: float | None) -> None:
        """since: when live delivery began; None for what this client let lie."""
        if frame["type"] not in DURABLE:
            self._tally.counts[frame["type"]] += 1
            if frame["seq"] != seen.cursor:
                self._tally.counts["frames with another cursor"] += 1
            return
        seen.take(frame)
        if since is not None:
            said = dt.datetime.fromisoformat(frame["timestamp"]).timestamp()
            if said >= since:
                now = time.time()
                self._tally.arrived.append(now)
                self._tally.late.append(now - said)

    async def _leave(self, connection: ClientConnection) -> None:
        if self._rng.random() < 0.5:
            self._tally.counts["aborted"] += 1
            connection.transport.abort()
            await connection.wait_closed()
        else:
            self._tally.counts["closed"] += 1
            await connection.close()


async def _narrow(host: str, port: int) -> socket.socket:
    narrow = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_WINDOW)
    narrow.setblocking(False)
    try:
        async with asyncio.timeout(15):
            await asyncio.get_running_loop().sock_connect(narrow, (host, port))
    except BaseException:
        narrow.close()
        raise
    return narrow
