"""A swarm of WebSocket clients over many runs and two web processes: nothing missed, doubled or out of order.

    python tests/chaos/swarm.py --clients 200 --seconds 150 --fault web

Faults happen in the middle: `web` (both web processes killed, one after the other), `valkey` (killed), `wipe` (killed,
and its data gone), `flush` (its data gone while it runs), `none`. Loopback only; everything ends by itself.
The version under test is the one that Python imports.
"""

import argparse
import asyncio
import bisect
import contextlib
import hashlib
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))

from backproof.local import valkey
from chaos.load_stack import PlainWorld, RunTable, spread
from chaos.swarm_client import Client, Runs, Seen, Tally, mark
from chaos.swarm_webs import SecondWeb, environment, raise_own_limit, redis_url, size, wipe_valkey
from chaos.world import World

SOURCE = Path(__file__).with_name("swarm_source.py")
PATIENCE_SECONDS = 90.0  # for clients to see the ends of their runs after the last one has ended
AFTER_FAULT_SECONDS = 10.0  # a latency in this time is one of the fault
TWICE = (0.35, 0.65)  # of the time: when faults happen
SETTINGS = {
    "MAX_CONCURRENT_BACKTESTS": "100",
    "BACKTEST_QUEUE_MAX_SIZE": "1000",
    "WS_MAX_CONNECTIONS_PER_BACKTEST": "500",
    "WS_HEARTBEAT_INTERVAL": "10",
    "MAX_CONCURRENT_BACKTESTS_PER_USER": "1",  # the source holds more: nobody else takes one of them
}


@dataclass(frozen=True, slots=True)
class Plan:
    """rate: durable events per second of one run; loud: runs that talk in long lines, for the stalled clients."""

    clients: int = 200
    stalled: int = 20
    runs: int = 20
    loud: int = 1
    rate: float = 10.0
    seconds: float = 150.0
    life: float = 30.0
    fault: str = "none"
    seed: int = 1
    frames: bool = True


@dataclass
class Report:
    """own_lag: how late this process itself is when it wants to run, which is a part of every latency"""

    plan: dict[str, Any]
    deliveries: int = 0
    runs: dict[str, int] = field(default_factory=dict)
    followed: int = 0
    unfinished: int = 0
    missed: int = 0
    doubled: int = 0
    different: int = 0
    connections: int = 0
    latency: dict[str, float] = field(default_factory=dict)
    latency_in_faults: dict[str, float] = field(default_factory=dict)
    own_lag: dict[str, float] = field(default_factory=dict)
    machine_load: list[float] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    closes: dict[str, int] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    webs: dict[str, Any] = field(default_factory=dict)
    examples: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not (self.missed or self.doubled or self.different or self.unfinished or self.problems)


async def swarm(world: World, plan: Plan) -> Report:
    """Run it on a started world."""
    raise_own_limit(plan.clients * 2 + 500)
    lags: list[float] = []
    lagging = asyncio.create_task(_own_lag(lags))
    report = await _perform(world, plan)
    lagging.cancel()
    await asyncio.gather(lagging, return_exceptions=True)
    report.own_lag, report.machine_load = spread(lags), [round(load, 1) for load in os.getloadavg()]
    return report


async def _own_lag(lags: list[float]) -> None:
    clock = asyncio.get_running_loop().time
    while True:
        due = clock() + 0.05
        await asyncio.sleep(0.05)
        lags.append(max(0.0, clock() - due))


async def _perform(world: World, plan: Plan) -> Report:
    tally, runs, report = Tally(), Runs(), Report(asdict(plan))
    with SecondWeb(world) as second:
        webs = Webs(world, second, report)
        rng = random.Random(plan.seed)
        async with source(world, plan, runs) as talking:
            urls = [world.url, second.url]
            seeds = [random.Random(rng.random()) for _ in range(plan.clients)]
            clients = [Client(str(i), urls, runs, tally, own, stalls=i < plan.stalled) for i, own in enumerate(seeds)]
            lives = [asyncio.create_task(client.live()) for client in clients]
            breaking = asyncio.create_task(webs.break_things(plan))
            try:
                await talking
                runs.over = True
                await breaking
                _, late = await asyncio.wait(lives, timeout=PATIENCE_SECONDS)
                report.unfinished = len(late)
                for task in lives:
                    if task.done() and (error := task.exception()) is not None:
                        report.problems.append(f"a client stopped: {type(error).__name__}: {error}")
            finally:
                for task in (breaking, *lives):
                    task.cancel()
                await asyncio.gather(breaking, *lives, return_exceptions=True)
        webs.note("end")
    _judge(world, tally, report, webs.times)
    return report


@contextlib.asynccontextmanager
async def source(world: World, plan: Plan, runs: Runs) -> AsyncIterator["asyncio.Task[None]"]:
    """The process that makes the events; the task ends with it."""
    options = ["--runs", plan.runs, "--rate", plan.rate, "--seconds", plan.seconds, "--loud", plan.loud]
    options += ["--life", plan.life, "--seed", plan.seed, *([] if plan.frames else ["--no-frames"])]
    with (world.directory / "source.out").open("ab") as out:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(SOURCE),
            *map(str, options),
            stdout=asyncio.subprocess.PIPE,
            stderr=out,
            env=environment(world, REDIS_MAX_CONNECTIONS="100"),  # one process does the work of many workers
        )
    assert process.stdout is not None
    lines = process.stdout

    async def hear() -> None:
        async for line in lines:
            said = json.loads(line) if line.startswith(b"{") else {}
            if "run" in said:
                runs.begin(said["run"], said["loud"])
            elif "ended" in said:
                runs.end(said["ended"])
        if await process.wait():
            raise RuntimeError(
                f"the source of events ended with {process.returncode}: see {world.directory}/source.out"
            )

    hearing = asyncio.create_task(hear())
    try:
        yield hearing
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        hearing.cancel()
        await asyncio.gather(hearing, return_exceptions=True)


class Webs:
    """Both web processes and what is done to them."""

    def __init__(self, world: World, second: SecondWeb, report: Report) -> None:
        self._world = world
        self._second = second
        self._report = report
        self.times: list[float] = []
        self.note("begin")

    def note(self, when: str) -> None:
        sizes = {"web": size(self._world.wait_pid("web")), "second web": size(self._second.pid)}
        self._report.webs[when] = {name: {"rss_mb": mb, "descriptors": n} for name, (mb, n) in sizes.items()}

    async def break_things(self, plan: Plan) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        for share, what, action in self._faults(plan.fault):
            await asyncio.sleep(max(0.0, began + share * plan.seconds - loop.time()))
            self.times.append(time.time())
            self._report.faults.append(f"{loop.time() - began:.1f} s: {what}")
            await asyncio.to_thread(action)

    def _faults(self, kind: str) -> list[tuple[float, str, Callable[[], object]]]:
        match kind:
            case "web":
                return [
                    (0.35, "the stack's web process killed", lambda: self._world.kill_child("web")),
                    (0.65, "the second web process killed and started again", self._restart_second),
                ]
            case "valkey":
                return [(share, "Valkey killed", lambda: self._world.kill_child("valkey")) for share in (0.35, 0.65)]
            case "wipe":
                return [
                    (share, "Valkey killed, its data gone", lambda: wipe_valkey(self._world)) for share in (0.35, 0.65)
                ]
            case "flush":
                return [(share, "Valkey emptied", self._flush) for share in (0.3, 0.5, 0.7)]
        return []

    def _restart_second(self) -> None:
        self._second.kill()
        time.sleep(1.0)
        self._second.start()

    def _flush(self) -> None:
        path = redis_url(self._world).removeprefix("unix://").partition("?")[0]
        valkey.ask(Path(path), "FLUSHALL")


def _judge(world: World, tally: Tally, report: Report, faults: list[float]) -> None:
    """Compare what every client saw with what the store holds."""
    events = world.store.events()
    report.runs = RunTable(world.store.path).counts()
    expected = {
        run_id: (len(kept), hashlib.sha256(b"".join(map(mark, kept))).hexdigest()) for run_id, kept in events.items()
    }
    for run_id, kept in events.items():
        if [event["seq"] for event in kept] != list(range(1, len(kept) + 1)):
            report.problems.append(f"the store's events of {run_id} are not 1..n")
    for seen in (*tally.ended, *tally.open.values()):
        report.missed += seen.missed
        report.doubled += seen.doubled
    for seen in tally.ended:
        count, digest = expected.get(seen.run_id, (0, ""))
        report.missed += max(0, count - seen.cursor)
        if seen.digest.hexdigest() != digest:
            report.different += 1
            report.examples.append(f"{_where(seen)}; the store has {count}; last close: {seen.closes[-3:]}")
    report.deliveries, report.connections, report.followed = tally.deliveries, tally.connections, len(tally.ended)
    report.counts, report.closes, report.errors = dict(tally.counts), dict(tally.closes), dict(tally.errors)
    quiet, troubled = _split(tally, sorted(faults))
    report.latency, report.latency_in_faults = spread(quiet), spread(troubled)
    if tally.counts["wrong first frame"]:
        report.problems.append("a connection did not begin with initial_status")
    report.problems += [f"not seen to the end: {_where(seen)}" for seen in list(tally.open.values())[:5]]


def _where(seen: Seen) -> str:
    return f"{seen.run_id} at {seen.cursor}, status {seen.status}"


def _split(tally: Tally, faults: list[float]) -> tuple[list[float], list[float]]:
    """Latencies outside and inside the time after a fault."""
    quiet: list[float] = []
    troubled: list[float] = []
    for arrived, late in zip(tally.arrived, tally.late, strict=True):
        before = bisect.bisect_right(faults, arrived)
        inside = before > 0 and arrived - late - faults[before - 1] < AFTER_FAULT_SECONDS
        (troubled if inside else quiet).append(late)
    return quiet, troubled


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in asdict(Plan()).items():
        if name == "frames":
            parser.add_argument("--no-frames", dest="frames", action="store_false", help="durable events only")
        elif name == "fault":
            parser.add_argument("--fault", choices=("none", "web", "valkey", "wipe", "flush"), default=value)
        else:
            parser.add_argument(f"--{name}", type=type(value), default=value)
    parser.add_argument("--json", type=Path, help="write the report there too")
    given = vars(parser.parse_args())
    target = given.pop("json")
    import uvloop

    with (
        tempfile.TemporaryDirectory(prefix="swarm-") as directory,
        PlainWorld(Path(directory), **SETTINGS) as world,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        world.wait_ready()
        report = runner.run(swarm(world, Plan(**given)))
    text = json.dumps({"good": report.good, **asdict(report)}, indent=1)
    print(text)
    if target is not None:
        target.write_text(text + "\n")
    return 0 if report.good else 1


if __name__ == "__main__":
    sys.exit(main())
