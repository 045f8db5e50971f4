"""A thousand clients that only listen, on one web process: what they cost, and whether everybody else is still served.

    python tests/chaos/swarm_idle.py --clients 1000 --rounds 2

A process needs a descriptor for each socket and about 40 more; `--files` sets the limit of the web process under test.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from chaos.load_stack import PlainWorld, spread
from chaos.swarm import SETTINGS, source
from chaos.swarm import Plan as SwarmPlan
from chaos.swarm_client import Runs
from chaos.swarm_webs import SecondWeb, raise_own_limit, size
from chaos.world import World

RUNS = 10
HEARTBEAT_SECONDS = 5.0
OPENING = 50  # connections on their way at the same time
SPARE_FILES = 60
POOLED = 12  # connections to Redis that a busy time leaves open (REDIS_MAX_CONNECTIONS)


@dataclass
class Listener:
    """One idle client. beats: when its heartbeats came."""

    run_id: str
    connection: ClientConnection | None = None
    beats: list[float] = field(default_factory=list)
    error: str | None = None

    async def listen(self, url: str, gate: asyncio.Semaphore) -> None:
        address = f"{url.replace('http', 'ws', 1)}/ws/backtest/{self.run_id}?after=0"
        try:
            async with gate:
                self.connection = await connect(
                    address, compression=None, proxy=None, open_timeout=30, close_timeout=2, ping_interval=None
                )
            while True:
                if json.loads(await self.connection.recv())["type"] == "heartbeat":
                    self.beats.append(time.monotonic())
        except ConnectionClosed as closed:
            self.error = f"closed {closed.rcvd.code if closed.rcvd else 1006}"
        except (OSError, TimeoutError, WebSocketException) as error:
            self.error = f"{type(error).__name__}: {error}"[:80]

    async def leave(self, abort: bool) -> None:
        if self.connection is None:
            return
        if abort:
            self.connection.transport.abort()
        await self.connection.close()


async def idle(world: World, clients: int, rounds: int, files: int) -> dict[str, Any]:
    raise_own_limit(clients + 500)
    runs = Runs()
    plan = SwarmPlan(runs=RUNS, loud=0, rate=0.0, seconds=120.0 * rounds, life=10_000.0, frames=False)
    with SecondWeb(world, files=files, WS_HEARTBEAT_INTERVAL=str(HEARTBEAT_SECONDS)) as web:
        async with source(world, plan, runs):
            while len(runs.alive) < RUNS:
                await asyncio.sleep(0.1)
            figures: dict[str, Any] = {"clients": clients, "files": files}
            await requests(web.url, runs.alive[0], 1.0)  # what a first request loads is no leak
            figures["before"] = await _state(web, runs.alive[0], 3.0)
            for number in range(1, rounds + 1):
                figures[f"round {number}"] = await _round(web, runs.alive, clients)
                figures[f"after {number}"] = await _after(web, runs.alive[0], figures["before"]["descriptors"])
    return figures


async def _round(web: SecondWeb, runs: list[str], clients: int) -> dict[str, Any]:
    began = time.monotonic()
    gate = asyncio.Semaphore(OPENING)
    listeners = [Listener(runs[i % len(runs)]) for i in range(clients)]
    tasks = [asyncio.create_task(listener.listen(web.url, gate)) for listener in listeners]
    try:
        while any(listener.connection is None and listener.error is None for listener in listeners):
            await asyncio.sleep(0.05)
        opened = time.monotonic() - began
        with_them = await _state(web, runs[0], 3 * HEARTBEAT_SECONDS)
        beats = [len(listener.beats) for listener in listeners]
        gaps = [b - a for x in listeners for a, b in zip(x.beats, x.beats[1:], strict=False)]
        errors = [listener.error for listener in listeners if listener.error]
        return {
            "open": clients - len(errors),
            "seconds_to_open": round(opened, 2),
            **with_them,
            "fewest_heartbeats": min(beats),
            "seconds_between_heartbeats": spread(gaps),
            "errors": {error: errors.count(error) for error in set(errors)},
        }
    finally:
        rng = random.Random(1)
        await asyncio.gather(*(listener.leave(rng.random() < 0.5) for listener in listeners), return_exceptions=True)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _after(web: SecondWeb, run_id: str, descriptors: int) -> dict[str, Any]:
    """When everybody has gone: how long until their descriptors are free, and what stays."""
    began = time.monotonic()
    while size(web.pid)[1] > descriptors + POOLED and time.monotonic() - began < 30:
        await asyncio.sleep(0.05)
    freed = time.monotonic() - began
    return {"seconds_to_free": round(freed, 2), **await _state(web, run_id, 3.0)}


async def _state(web: SecondWeb, run_id: str, seconds: float) -> dict[str, Any]:
    asked, failed = await requests(web.url, run_id, seconds)
    rss, descriptors = size(web.pid)
    return {"rss_mb": rss, "descriptors": descriptors, "request_seconds": spread(asked), "failed_requests": failed}


async def requests(url: str, run_id: str, seconds: float) -> tuple[list[float], int]:
    """(seconds of requests over connections of their own, for so long; how many failed)."""
    times, failed = [], 0
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        began = time.monotonic()
        try:
            async with httpx.AsyncClient(base_url=url, timeout=5.0, trust_env=False, verify=False) as client:
                (await client.get(f"/api/v1/backtests/{run_id}/status")).raise_for_status()
            times.append(time.monotonic() - began)
        except httpx.HTTPError:
            failed += 1
        await asyncio.sleep(0.05)
    return times, failed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--files", type=int, help="limit of the web process (default: the clients and 60)")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    given = parser.parse_args()
    import uvloop

    settings = {**SETTINGS, "WS_MAX_CONNECTIONS_PER_BACKTEST": "10000"}
    with (
        tempfile.TemporaryDirectory(prefix="swarm-") as directory,
        PlainWorld(Path(directory), **settings) as world,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        world.wait_ready()
        figures = runner.run(idle(world, given.clients, given.rounds, given.files or given.clients + SPARE_FILES))
    text = json.dumps(figures, indent=1)
    print(text)
    if given.json is not None:
        given.json.write_text(text + "\n")
    rounds = [figures[f"round {number}"] for number in range(1, given.rounds + 1)]
    return 0 if all(r["open"] == given.clients and r["fewest_heartbeats"] for r in rounds) else 1


if __name__ == "__main__":
    sys.exit(main())
