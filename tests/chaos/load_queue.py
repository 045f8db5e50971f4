"""A thousand runs in the queue and twenty at a time: all complete, none is lost, never more than twenty run."""

import asyncio
from collections import Counter
from typing import Any

from chaos.load_machine import cpu_use
from chaos.load_stack import RunTable, Submitter, http, until
from chaos.load_throughput import stopped_workers
from chaos.world import World

LOOK_SECONDS = 0.02
LIMIT = 20
SETTINGS = {
    "MAX_CONCURRENT_BACKTESTS": str(LIMIT),
    "WORKER_CONCURRENCY": str(LIMIT),
    "BACKTEST_QUEUE_MAX_SIZE": "2000",
}


async def queue(world: World, kind: str = "crossover", number: int = 1000, limit: int = LIMIT) -> dict[str, Any]:
    """On a started world with SETTINGS."""
    table = RunTable(world.store.path)
    async with http(world.url) as client:
        submitter = Submitter(client)
        await submitter.submit_many(kind, 2 * limit)  # every process has computed before
        await until(lambda: not table.open(), 120, "the end of the warm-up")
        with stopped_workers(world):
            posts = await submitter.submit_many(kind, number)
            waiting = table.counts().get("queued", 0)
        watch = _Watch(table)
        watching = asyncio.create_task(watch.look())
        with cpu_use(world.supervisor) as use:
            await until(lambda: not table.open(), 300, "the end of the queue")
        watch.over = True
        await watching
        await until(lambda: not table.untold(), 60, "the announcement of the last end")
    problems = _problems(world, table, submitter, watch, limit, waiting, number)
    return {
        "queued_at_once": waiting,
        "limit": limit,
        "seconds": round(use.wall, 2),
        "per_second": round(number / use.wall, 1),
        "slowest_post_seconds": round(max(posts), 3),
        "most_running": max(watch.running),
        "looks": sum(watch.running.values()),
        "running_share_of_time": _shares(watch.running),
        "cores_by_process": use.shares(),
        "counts": table.counts(),
        "problems": problems,
        "good": not problems,
    }


class _Watch:
    """How often how many were running."""

    def __init__(self, table: RunTable) -> None:
        self._table = table
        self.running: Counter[int] = Counter()
        self.over = False

    async def look(self) -> None:
        while not self.over:
            self.running[self._table.running()] += 1
            await asyncio.sleep(LOOK_SECONDS)


def _shares(running: Counter[int]) -> dict[str, float]:
    total = sum(running.values())
    return {str(count): round(times / total, 3) for count, times in sorted(running.items())}


def _problems(
    world: World, table: RunTable, submitter: Submitter, watch: _Watch, limit: int, waiting: int, number: int
) -> list[str]:
    found = []
    if waiting != number:
        found.append(f"{waiting} of {number} were waiting at once")
    if max(watch.running) > limit:
        found.append(f"{max(watch.running)} were running under a limit of {limit}")
    statuses = dict(table.fields("status"))
    ends = {run_id: statuses.get(run_id, "lost") for run_id in submitter.accepted}
    found += [f"{run_id} is {status}" for run_id, status in ends.items() if status != "completed"]
    for run_id, attempt, pending in table.fields("attempt", "relay_pending"):
        if attempt != 1 or pending:
            found.append(f"{run_id} took {attempt} attempts" + (", and was not relayed" if pending else ""))
    events = world.store.events()
    for run_id in submitter.accepted:
        seqs = [event["seq"] for event in events.get(run_id, [])]
        if seqs != list(range(1, len(seqs) + 1)):
            found.append(f"{run_id} has the events {seqs}")
    return found
