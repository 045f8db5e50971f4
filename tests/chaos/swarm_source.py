"""A worker that only talks: claims runs through the services, and logs, renews and shows progress as a real one does.

    python tests/chaos/swarm_source.py --runs 20 --rate 10 --seconds 60

DATA_DIR and REDIS_URL name the stack. Standard output has a line of JSON for each run that begins or ends. Every run
lives for a part of the time and is followed by another one, so that there are always so many.
"""

import argparse
import asyncio
import json
import random
import time
from dataclasses import dataclass
from typing import Any

from backproof.bootstrap import ServiceFactory
from backproof.domain.backtest import Backtest, Progress
from backproof.errors import BackproofError
from backproof.services.backtests.host import this_worker
from backproof.services.backtests.orchestrator import Outcome
from backproof.settings import load_settings

ROUND_SECONDS = 0.25  # as a worker writes its log and sends progress
CONFIG = {"strategy_type": "buy_and_hold", "symbols": ["AAPL"], "start_date": "2005-01-03", "end_date": "2005-12-30"}
# the kernel takes some 2.6 MB of a loopback connection before a client that does not read is noticed
LINE, LOUD_LINE = "x" * 80, "x" * 40_000
OWNER = "local"


@dataclass(frozen=True, slots=True)
class Plan:
    """rate: log events per second of one run; loud: how many of the runs talk in long lines; life: seconds, at most"""

    runs: int
    rate: float
    seconds: float
    loud: int
    life: float
    seed: int
    frames: bool


def tell(**said: Any) -> None:
    print(json.dumps(said), flush=True)


class Source:
    def __init__(self, services: ServiceFactory, plan: Plan) -> None:
        self._services = services
        self._plan = plan
        self._rng = random.Random(plan.seed)
        self._worker = this_worker()
        self._claiming = asyncio.Lock()
        self._until = time.monotonic() + plan.seconds
        services.execution.hint = self._no_hint  # type: ignore[method-assign] # the stack's own workers would come

    async def _no_hint(self) -> bool:
        return True

    async def run(self) -> None:
        lanes = (self._lane(number, loud=number < self._plan.loud) for number in range(self._plan.runs))
        await asyncio.gather(*lanes)

    async def _lane(self, number: int, *, loud: bool) -> None:
        while (left := self._until - time.monotonic()) > 0:
            run = await self._claimed(f"lane {number}")
            if run is None:
                continue  # a real worker was faster, and ends the run
            tell(run=run.id, loud=loud)
            life = left if loud or left < self._plan.life / 2 else self._rng.uniform(0.4, 1.0) * self._plan.life
            await self._talk(run, min(life, left), loud)
            await self._end(run)
            tell(ended=run.id)

    async def _claimed(self, name: str) -> Backtest | None:
        async with self._claiming:
            try:
                submitted = await self._services.orchestrator.submit({**CONFIG, "name": name}, OWNER)
                run = await self._services.orchestrator.claim_next(self._worker)
            except BackproofError:
                await asyncio.sleep(0.2)
                return None
        if run is None:
            tell(run=submitted.id, loud=False)
        return run

    async def _talk(self, run: Backtest, seconds: float, loud: bool) -> None:
        """Say `rate` lines a second in quarter-second batches until the time is over or the claim is lost."""
        began = time.monotonic()
        said = 0
        while (now := time.monotonic()) - began < seconds:
            due = int((now - began) * self._plan.rate) - said
            lines = [self._line(said + i, loud) for i in range(due)]
            try:
                renewed = await self._services.orchestrator.renew(run, Progress(percent=60.0, bars_done=said))
                if renewed is None or (lines and await self._services.orchestrator.log(run, lines) is None):
                    return
                said += due
                if self._plan.frames:
                    frame = await self._services.monitoring.progress_frame(renewed)
                    await self._services._stream.publish(run.id, [frame])
            except BackproofError:
                pass  # Redis or the store is away: what could not be saved is said in the next round
            await asyncio.sleep(max(0.0, ROUND_SECONDS - (time.monotonic() - now)) * self._rng.uniform(0.9, 1.1))

    @staticmethod
    def _line(number: int, loud: bool) -> dict[str, Any]:
        return {"level": "info", "message": f"line {number} {LOUD_LINE if loud else LINE}", "source": "strategy"}

    async def _end(self, run: Backtest) -> None:
        for _ in range(50):
            try:
                now = await self._services.orchestrator.get(run.id, OWNER)
                if now.final or now.fence != run.fence:
                    return
                if now.status == "running":
                    await self._services.orchestrator.cancel(run.id, OWNER)
                await self._services.orchestrator.finish(run, Outcome(partial=True), [])
                return
            except BackproofError:
                await asyncio.sleep(0.2)


async def main(plan: Plan) -> None:
    services = await ServiceFactory.open(load_settings())
    try:
        await Source(services, plan).run()
    finally:
        await services.close()


def parsed() -> Plan:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--rate", type=float, default=10.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--loud", type=int, default=0)
    parser.add_argument("--life", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-frames", dest="frames", action="store_false")
    return Plan(**vars(parser.parse_args()))


if __name__ == "__main__":
    asyncio.run(main(parsed()))
