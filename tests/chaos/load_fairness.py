"""A small user beside one who floods: how long do the small one's runs wait for their start?

Submitted through the services, in this process: over HTTP everything belongs to one owner.
"""

import asyncio
import datetime as dt
import time
from collections import Counter, defaultdict
from typing import Any

from backproof.bootstrap import ServiceFactory
from backproof.settings import Settings
from chaos.load_stack import KINDS, RunTable, spread, until
from chaos.load_throughput import stopped_workers
from chaos.swarm_webs import redis_url
from chaos.world import World

FLOOD, SMALL = "flood", "small"
LANES = 8
LOOK_SECONDS = 0.02
SETTINGS = {"MAX_CONCURRENT_BACKTESTS": "4", "BACKTEST_QUEUE_MAX_SIZE": "5000"}


class Users:
    """Owners that submit directly."""

    def __init__(self, services: ServiceFactory) -> None:
        self._services = services
        self._number = 0
        self.runs: defaultdict[str, list[str]] = defaultdict(list)

    async def submit(self, owner: str, kind: str) -> str:
        run = await self._services.orchestrator.submit(KINDS[kind](), owner)
        self.runs[owner].append(run.id)
        return run.id

    async def submit_many(self, wanted: list[str], kind: str) -> None:
        """A run for each of these owners, in this order, some at a time."""
        left = iter(wanted)

        async def lane() -> None:
            for owner in left:
                await self.submit(owner, kind)

        await asyncio.gather(*(lane() for _ in range(LANES)))

    async def submit_steadily(self, owner: str, kind: str, number: int, every: float) -> list[str]:
        """So many, one after the other."""
        found = []
        for _ in range(number):
            began = time.monotonic()
            found.append(await self.submit(owner, kind))
            await asyncio.sleep(max(0.0, every - (time.monotonic() - began)))
        return found


async def fairness(world: World, kind: str = "crossover", flood: int = 900, number: int = 40) -> dict[str, Any]:
    """Start latencies of the small user alone and beside the flood, then the shares of ten users."""
    settings = Settings(
        data_dir=world.data, redis_url=redis_url(world), backtest_queue_max_size=5000, redis_max_connections=100
    )
    services = await ServiceFactory.open(settings)
    table = RunTable(world.store.path)
    try:
        users = Users(services)
        await users.submit_steadily("warm", kind, 20, 0.0)
        await _idle(table)
        alone = await users.submit_steadily(SMALL, kind, number, 0.25)
        await _idle(table)
        with stopped_workers(world):
            await users.submit_many([FLOOD] * flood, kind)
        left = table.counts().get("queued", 0)
        beside = await users.submit_steadily(SMALL, kind, number, 0.25)
        still = table.counts().get("queued", 0)
        await _idle(table)
        shares = await _shares(world, users, table, kind)
    finally:
        await services.close()
    starts = start_latencies(table)
    figures = {
        "alone_seconds": spread([starts[run] for run in alone]),
        "beside_a_flood_seconds": spread([starts[run] for run in beside]),
        "flood_seconds": spread([starts[run] for run in users.runs[FLOOD]]),
        "flooded_from_to": [left, still],
        "shares": shares,
        "counts": table.counts(),
    }
    figures["ratio_of_p95"] = round(
        figures["beside_a_flood_seconds"]["p95"] / max(1e-3, figures["alone_seconds"]["p95"]), 2
    )
    figures["good"] = set(figures["counts"]) == {"completed"}
    return figures


async def _idle(table: RunTable) -> None:
    await until(lambda: not table.open(), 300, "the end of the queue")


async def _shares(world: World, users: Users, table: RunTable, kind: str) -> dict[str, Any]:
    """Ten users, one of whom floods: while all of them wait, each should have as many runs computed."""
    owners = [f"user-{i}" for i in range(10)]
    wanted = [owners[0]] * 200 + owners[1:] * 20
    with stopped_workers(world):
        await users.submit_many(wanted, kind)
    before = _by_owner(table, "completed")
    while min(_by_owner(table, "queued")[owner] for owner in owners) > 0:
        await asyncio.sleep(LOOK_SECONDS)
    done = _by_owner(table, "completed")
    await _idle(table)
    counts = [done[owner] - before[owner] for owner in owners]
    return {"completed_while_all_waited": counts, "jain_index": round(jain(counts), 4)}


def jain(shares: list[int]) -> float:
    """1 when all are equal, 1/n when one has everything."""
    squares = sum(share * share for share in shares)
    return sum(shares) ** 2 / (len(shares) * squares) if squares else 1.0


def _by_owner(table: RunTable, status: str) -> Counter[str]:
    return Counter(owner for _, owner, found in table.fields("owner_id", "status") if found == status)


def start_latencies(table: RunTable) -> dict[str, float]:
    """Seconds from queued to started, by run."""
    found = {}
    for run_id, queued, started in table.fields("queued_at", "started_at"):
        if queued and started:
            found[run_id] = (dt.datetime.fromisoformat(started) - dt.datetime.fromisoformat(queued)).total_seconds()
    return found
