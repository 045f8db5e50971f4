"""How many operations a second each metadata store does: `python bench/bench_store.py [--runs 2000] [--json FILE]`.

SQLite in a file, and MongoDB: the server that TEST_MONGODB_URL names, and the one in Java that the tests use. The last
keeps everything in memory in a process of its own, so its figures tell what the client and the wire cost, not what a
MongoDB server does. Documents are runs as the service stores them; a figure is the median of the rounds.
"""

import argparse
import asyncio
import itertools
import json
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from secrets import token_hex
from typing import Any

from support.histories import backtests

from backproof.bootstrap import DOCUMENTS
from backproof.domain.backtest import Backtest
from backproof.domain.documents import Change, Condition, Op, Order, Repository, eq
from backproof.storage.mongo import MongoRepository
from backproof.storage.sqlite import SqliteRepository

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from mongo_servers import Missing, java_server, named_server, with_database

ROUNDS = 5
SECONDS = 0.5  # per operation and round
KEPT = (eq("owner_id", "local"), eq("deleted_at", None))
Operation = Callable[[Repository, int], Awaitable[object]]


def operations(runs: list[Backtest]) -> dict[str, tuple[int, Operation]]:
    """Name to what is done and how much of it one call does."""
    ids = [run.id for run in runs]
    extra = itertools.cycle(runs)
    new = itertools.count()

    def another() -> Backtest:
        return next(extra).model_copy(update={"id": f"new-{next(new)}", "owner_id": "other"})

    def id_of(n: int) -> str:
        return ids[n * 7919 % len(ids)]

    async def update(store: Repository, n: int) -> None:
        change = Change(set={"notes": f"n{n}", "starred": bool(n % 2)}, inc={"heartbeat": 1})
        assert await store.update(Backtest, id_of(n), (eq("status", runs[n * 7919 % len(ids)].status),), change)

    async def together(store: Repository, n: int) -> None:
        await asyncio.gather(*(update(store, n * 10 + k) for k in range(10)))

    sharpe = Order("metrics.sharpe", descending=True)
    search = (*KEPT, Condition("search", Op.CONTAINS_PREFIX, "mom"))
    return {
        "add": (1, lambda store, _: store.add(another())),
        "add 200 at once": (200, lambda store, _: store.add_all([another() for _ in range(200)])),
        "get": (1, lambda store, n: store.get(Backtest, id_of(n))),
        "compare and set": (1, update),
        "compare and set, ten at once": (10, together),
        "the newest 100": (1, lambda store, _: store.find(Backtest, KEPT, Order("created_at", descending=True))),
        "100 by Sharpe, middle": (1, lambda store, _: store.find(Backtest, KEPT, sharpe, 100, offset=len(ids) // 2)),
        "100 found by a word": (1, lambda store, _: store.find(Backtest, search, sharpe)),
        "count": (1, lambda store, _: store.count(Backtest, (*KEPT, eq("status", "completed")))),
        "counts by tag": (1, lambda store, _: store.counts_by(Backtest, "tags", KEPT)),
        "add and remove": (1, add_and_remove(another)),
    }


def add_and_remove(another: Callable[[], Backtest]) -> Operation:
    async def both(store: Repository, _: int) -> None:
        run = another()
        await store.add(run)
        assert await store.remove(Backtest, (eq("id", run.id),)) == 1

    return both


async def rate(store: Repository, operation: Operation, size: int) -> float:
    """Operations a second, the median of the rounds."""
    rates, done = [], 0
    for _ in range(ROUNDS):
        began, first = time.perf_counter(), done
        while (passed := time.perf_counter() - began) < SECONDS or done == first:
            await operation(store, done)
            done += 1
        rates.append((done - first) * size / passed)
    return statistics.median(rates)


async def measured(store: Repository, runs: list[Backtest]) -> dict[str, float]:
    try:
        await store.add_all(runs)
        return {name: await rate(store, operation, size) for name, (size, operation) in operations(runs).items()}
    finally:
        await store.close()


def stores(directory: Path, stack: ExitStack) -> Iterator[tuple[str, Callable[[], Awaitable[Repository]]]]:
    yield "SQLite", lambda: SqliteRepository.open(directory / "store.sqlite3", DOCUMENTS)
    for name, url_of in (("MongoDB", named_server), ("in Java", lambda: stack.enter_context(java_server()))):
        try:
            url = with_database(url_of(), f"backproof_bench_{token_hex(4)}")
        except Missing as missing:
            print(f"{name}: {missing}")
            continue
        yield name, lambda url=url: MongoRepository.open(url, DOCUMENTS, timeout_seconds=60)  # type: ignore[misc]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    runs = list(backtests(given.runs))
    found: dict[str, dict[str, float]] = {}

    async def measure(opening: Callable[[], Awaitable[Repository]]) -> dict[str, float]:
        return await measured(await opening(), runs)

    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        for name, opening in stores(Path(directory), stack):
            found[name] = asyncio.run(measure(opening))
    print(f"operations a second among {given.runs} runs; Python {platform.python_version()}")
    print(f"{'':30}" + "".join(f"{name:>12}" for name in found))
    for operation in next(iter(found.values())):
        print(f"{operation:30}" + "".join(f"{rates[operation]:12,.0f}" for rates in found.values()))
    if given.json:
        report: dict[str, Any] = {"runs": given.runs, "python": platform.python_version(), "rates": found}
        given.json.write_text(json.dumps(report, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
