"""How many small runs one machine takes and completes per second, and which process the time goes to.

Three figures that bound each other: `accept` (submitting while no worker computes), `drain` (workers emptying the queue
while nobody submits), `steady` (both at once, a constant backlog).
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from chaos.load_machine import CpuUse, cpu_use, samples
from chaos.load_stack import KINDS, RunTable, Submitter, http, spread, until
from chaos.world import World

LANES = 8
BACKLOG = 60
LOOK_SECONDS = 0.1


@dataclass
class Rate:
    """runs: how many in the measured time; posts: client-side seconds of one POST (empty when none was sent)."""

    runs: int
    use: CpuUse
    posts: list[float] = field(default_factory=list)

    def plain(self) -> dict[str, Any]:
        per_run = {role: round(1000 * used / max(1, self.runs), 2) for role, used in self.use.seconds.items()}
        return {
            "per_second": round(self.runs / self.use.wall, 1),
            "runs": self.runs,
            "seconds": round(self.use.wall, 2),
            "machine_busy": self.use.machine,
            "cores_by_process": self.use.shares(),
            "cpu_ms_per_run": dict(sorted(per_run.items(), key=lambda item: -item[1])),
            "cpu_ms_per_run_of_the_service": round(sum(ms for role, ms in per_run.items() if role != "client"), 2),
            **({"post_seconds": spread(self.posts)} if self.posts else {}),
        }


@contextlib.contextmanager
def stopped_workers(world: World) -> Iterator[None]:
    """Nobody takes work meanwhile; keep it shorter than the supervisor's patience with the silent."""
    pids = [s.pid for s in samples(world.supervisor) if s.role in ("worker-runs", "pool", "worker-io")]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


async def accept(world: World, submitter: Submitter, kind: str, number: int) -> Rate:
    with stopped_workers(world), cpu_use(world.supervisor) as use:
        posts = await submitter.submit_many(kind, number, LANES)
    return Rate(number, use, posts)


async def drain(world: World, table: RunTable, seconds: float = 120.0) -> Rate:
    """Let the workers empty the queue."""
    before = table.completed()
    with cpu_use(world.supervisor) as use:
        await until(lambda: not table.open(), seconds, "the end of the queue")
    return Rate(table.completed() - before, use)


async def steady(
    world: World, submitter: Submitter, table: RunTable, kind: str, seconds: float, warm: float = 5.0
) -> tuple[Rate, Rate]:
    """(accepted, completed) while BACKLOG runs wait or run at any time."""
    backlog = _Backlog(submitter, table, kind)
    tasks = [asyncio.create_task(backlog.look()), *(asyncio.create_task(backlog.lane()) for _ in range(LANES))]
    try:
        await asyncio.sleep(warm)
        backlog.posts.clear()
        accepted, completed = len(submitter.accepted), table.completed()
        with cpu_use(world.supervisor) as use:
            await asyncio.sleep(seconds)
        accepted, completed = len(submitter.accepted) - accepted, table.completed() - completed
        return Rate(accepted, use, list(backlog.posts)), Rate(completed, use)
    finally:
        backlog.over = True
        await asyncio.gather(*tasks)


class _Backlog:
    def __init__(self, submitter: Submitter, table: RunTable, kind: str) -> None:
        self._submitter = submitter
        self._table = table
        self._kind = kind
        self._done = 0
        self._before = len(submitter.accepted) - table.completed()
        self.posts: list[float] = []
        self.over = False

    async def look(self) -> None:
        while not self.over:
            self._done = self._table.completed()
            await asyncio.sleep(LOOK_SECONDS)

    async def lane(self) -> None:
        clock = asyncio.get_running_loop().time
        self._done = self._table.completed()
        while not self.over:
            if len(self._submitter.accepted) - self._before - self._done >= BACKLOG:
                await asyncio.sleep(0.02)
                continue
            began = clock()
            await self._submitter.submit(KINDS[self._kind]())
            self.posts.append(clock() - began)


async def throughput(world: World, kind: str = "small", seconds: float = 20.0, number: int = 600) -> dict[str, Any]:
    """All three on a started world, warmed."""
    table = RunTable(world.store.path)
    async with http(world.url) as client:
        submitter = Submitter(client)
        await submitter.submit_many(kind, 100)
        await drain(world, table)
        figures: dict[str, Any] = {"accept": (await accept(world, submitter, kind, number)).plain()}
        figures["drain"] = (await drain(world, table)).plain()
        accepted, completed = await steady(world, submitter, table, kind, seconds)
        figures["steady_accepted"], figures["steady_completed"] = accepted.plain(), completed.plain()
        await drain(world, table)
    figures["counts"] = table.counts()
    figures["good"] = figures["counts"] == {"completed": len(submitter.accepted)}
    return figures
