"""What the load scenarios share: a stack without points of failure, small backtests, clients, a look into the store."""

import asyncio
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

import backproof
from chaos.store import Store
from chaos.world import World

Json = dict[str, Any]
SMALL: Json = {
    "strategy_type": "buy_and_hold",
    "symbols": ["AAPL"],
    "start_date": "2005-01-03",
    "end_date": "2006-12-29",
    "data_source": "demo",
}
CROSSOVER: Json = {
    "strategy_type": "sma_crossover",
    "symbols": ["AAPL"],
    "start_date": "2003-01-02",
    "end_date": "2012-12-31",
    "data_source": "demo",
    "benchmark": "SPX",
    "costs": {"commission_rate": 0.001},
}
_numbers = itertools.count()


def small() -> Json:
    """A backtest of about a millisecond."""
    return {**SMALL, "name": f"small {next(_numbers)}"}


def crossover() -> Json:
    """Ten years, a benchmark, and parameters that differ from one to the next."""
    number = next(_numbers)
    parameters = {"fast": 3 + number % 50, "slow": 60 + number // 50 % 140}
    return {**CROSSOVER, "name": f"crossover {number}", "parameters": parameters}


KINDS: dict[str, Callable[[], Json]] = {"small": small, "crossover": crossover}


class PlainWorld(World):
    """A stack of the version that this process has imported, as a user has it: nothing waits for orders in it."""

    def __init__(self, directory: Path, **settings: str) -> None:
        defaults = {"BACKTEST_QUEUE_MAX_SIZE": "5000"}
        super().__init__(directory, settings={**defaults, **settings}, source=Path(backproof.__file__).parents[1])

    def environment(self) -> dict[str, str]:
        return {**super().environment(), "PYTHONPATH": str(self.source)}


class RunTable(Store):
    """Counts over all runs, cheap enough to be asked many times a second."""

    def counts(self) -> dict[str, int]:
        """Runs by status."""
        status = "json_extract(doc, '$.\"status\"')"
        return dict(self._rows(f"SELECT {status}, count(*) FROM backtests GROUP BY 1"))

    def completed(self) -> int:
        return self.counts().get("completed", 0)

    def running(self) -> int:
        counts = self.counts()
        return counts.get("running", 0) + counts.get("cancelling", 0)

    def open(self) -> int:
        """Neither completed nor otherwise over."""
        counts = self.counts()
        return sum(counts.get(status, 0) for status in ("pending", "queued", "running", "cancelling"))

    def untold(self) -> int:
        """Runs some of whose events were not announced yet: it is the step after their end."""
        (number,) = self._rows("SELECT count(*) FROM backtests WHERE json_extract(doc, '$.relay_pending')")[0]
        return int(number)

    def fields(self, *names: str) -> list[tuple[Any, ...]]:
        """These fields of every run, after its id."""
        columns = ", ".join(["id", *(f"json_extract(doc, '$.{name}')" for name in names)])
        return self._rows(f"SELECT {columns} FROM backtests")


class Submitter:
    """Submits over kept connections, and has every run computed."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self._query = {"use_cache": "false"}
        self.accepted: list[str] = []
        self.refused = 0

    async def submit(self, config: Json) -> str | None:
        """The id; None when the queue is full."""
        answer = await self._client.post("/api/v1/backtests", json=config, params=self._query)
        if answer.status_code == 422 and self._query:  # a version that computes every run anyway
            self._query = {}
            return await self.submit(config)
        if answer.status_code == 429:
            self.refused += 1
            return None
        answer.raise_for_status()
        self.accepted.append(str(answer.json()["backtest_id"]))
        return self.accepted[-1]

    async def submit_many(self, kind: str, number: int, lanes: int = 8) -> list[float]:
        """Submit so many at once; the seconds of each POST."""
        times: list[float] = []
        left = iter(range(number))
        clock = asyncio.get_running_loop().time

        async def lane() -> None:
            for _ in left:
                began = clock()
                await self.submit(KINDS[kind]())
                times.append(clock() - began)

        await asyncio.gather(*(lane() for _ in range(lanes)))
        return times


def http(url: str, connections: int = 40) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    return httpx.AsyncClient(base_url=url, timeout=60.0, trust_env=False, limits=limits)


async def until(condition: Callable[[], object], seconds: float, what: str, every: float = 0.1) -> None:
    """Wait for it; TimeoutError when it does not come."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + seconds
    while not condition():
        if clock() > deadline:
            raise TimeoutError(f"{what} did not come in {seconds:g} s")
        await asyncio.sleep(every)


def spread(values: list[float]) -> dict[str, float]:
    """n, mean, median and upper percentiles, in the unit of the values."""
    if not values:
        return {"n": 0}
    ordered = sorted(values)
    ranks = {f"p{q:g}": ordered[min(len(ordered) - 1, int(len(ordered) * q / 100))] for q in (50, 95, 99, 99.9)}
    figures = {"mean": sum(ordered) / len(ordered), **ranks, "max": ordered[-1]}
    return {"n": len(ordered), **{name: round(value, 4) for name, value in figures.items()}}
