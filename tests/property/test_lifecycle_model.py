"""Any sequence of what clients, workers and the scheduler ask of the orchestrator does what a small model says.

Also when several of them ask at the same moment: what comes of it is what one order of them would have given.
"""

import asyncio
import datetime as dt
import itertools
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from examples import examples
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from lifecycle_model import (
    Answer,
    Run,
    cancelled,
    checkpointed,
    claimed,
    deleted,
    finished,
    given_back,
    logged,
    next_ids,
    patched,
    renewed,
    restored,
    resumed,
)

from backproof.bootstrap import DOCUMENTS
from backproof.domain.backtest import Backtest, Checkpoint, Execution, Progress, ResultFile, RunError, Served, Worker
from backproof.domain.config import parse_config
from backproof.domain.documents import Order, Repository, eq, utc_now
from backproof.domain.events import Event, EventType, RunEvent
from backproof.domain.lifecycle import CLAIMED, FINAL, Priority, Status
from backproof.errors import BrokerUnavailable, Conflict, NotFound
from backproof.marketdata.demo import demo_lake
from backproof.services.backtests.admission import Admission, SubmitOptions
from backproof.services.backtests.estimates import Estimator
from backproof.services.backtests.execution import ExecutionManager
from backproof.services.backtests.ledger import RunLedger
from backproof.services.backtests.limits import MemoryLimit
from backproof.services.backtests.models import BacktestPatch
from backproof.services.backtests.orchestrator import BacktestOrchestrator
from backproof.services.backtests.transitions import Outcome
from backproof.services.datasets import DatasetService
from backproof.storage import sqlite
from backproof.storage.lake import Lake
from backproof.storage.sqlite import SqliteRepository

CONFIG: dict[str, object] = {
    "name": "model",
    "strategy_type": "buy_and_hold",
    "symbols": ["AAPL"],
    "data_source": "demo",
    "start_date": "2003-01-02",
    "end_date": "2003-12-31",
}
UNKNOWN = {**CONFIG, "symbols": ["NOSUCH"]}
OWNERS = ("ann", "bob")
WORKERS = tuple(Worker(name=f"w{pid}", host="here", pid=pid) for pid in (11, 12))
REASONS = ("worker_stopped", "worker_died", "heartbeat_lost")
FAILURE = RunError(code="strategy_error", message="as planned")
RESULT = ResultFile(path="runs/x/1/result.parquet", sha256="0" * 64, bytes=1, bars=1, fills=0, trades=0)


# ---- the service without its surroundings -------------------------------------------------------------------------


class Stream:
    """Stands in for Redis: remembers what was published, and is away every now and then."""

    def __init__(self) -> None:
        self.away = False
        self.told: dict[str, list[int]] = {}

    async def publish(self, run_id: str, events: Sequence[Event]) -> None:
        if self.away:
            raise BrokerUnavailable("away")
        self.told.setdefault(run_id, []).extend(event.seq for event in events)


class Queue:
    def hint(self) -> None:
        raise BrokerUnavailable("nobody listens: a hint is never needed")


@dataclass
class Service:
    repository: Repository
    stream: Stream
    ledger: RunLedger
    orchestrator: BacktestOrchestrator


@asynccontextmanager
async def service(directory: Path) -> AsyncIterator[Service]:
    repository = await SqliteRepository.open(directory / "store.sqlite3", DOCUMENTS)
    lake = Lake(directory / "lake", demo_lake())
    datasets = DatasetService(lake, "demo")
    estimator = Estimator(repository, MemoryLimit(None, 1, enforce=False), 2, reserve=0)
    stream: Any = Stream()
    queue: Any = Queue()
    ledger = RunLedger(repository, stream)
    admission = Admission(repository, datasets, estimator)
    orchestrator = BacktestOrchestrator(
        repository, ledger, ExecutionManager(queue), admission, estimator, lake, 1000, None
    )
    yield Service(repository, stream, ledger, orchestrator)
    await repository.close()


@dataclass(frozen=True)
class Operation:
    """Something asked of one run. foretold: what the model says of it"""

    name: str
    ask: Callable[[], Coroutine[Any, Any, Backtest | None]]
    foretold: Callable[[Run], Answer]

    def __repr__(self) -> str:
        return self.name


OWNERS_MAY = ("cancel", "resume", "delete", "restore", "patch")
WORKERS_MAY = ("checkpoint", "log", "renew", "finish", "fail", *(f"give back, {reason}" for reason in REASONS))


@dataclass(frozen=True)
class Wish:
    """What is asked: the n-th of all operations, or more often of those that change something.

    other: another priority, or by the one who held the run before
    """

    n: int
    anything: int
    other: bool


wishes = st.builds(Wish, st.integers(0, 11), st.integers(0, 3), st.booleans())
which = st.integers(0, 7)
steps = st.one_of(
    st.tuples(st.just("submit"), st.sampled_from(OWNERS), st.sampled_from(Priority), st.integers(0, 5)),
    st.tuples(st.just("claim"), st.sampled_from(WORKERS)),
    st.tuples(st.just("claim_together")),
    st.tuples(st.just("claim_while"), st.sampled_from(WORKERS), wishes),
    *[st.tuples(st.just("ask"), which, wishes)] * 4,
    *[st.tuples(st.just("race"), which, st.lists(wishes, min_size=2, max_size=3))] * 2,
    st.tuples(st.just("redis"), st.booleans()),
)


class World:
    """One service and the model beside it."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.orchestrator = service.orchestrator
        self.runs: dict[str, Run] = {}
        self.claims: dict[str, list[Backtest]] = {}
        self.places = itertools.count(1)

    async def take(self, steps: list[tuple[Any, ...]]) -> None:
        for model in (Backtest, RunEvent, Execution, Served):
            await self.service.repository.remove(model, ())
        self.service.stream.told.clear()
        self.service.stream.away = False
        for n, (name, *arguments) in enumerate(steps):
            try:
                for key in await getattr(self, name)(*arguments):
                    await self.check(key, self.runs[key])
            except AssertionError as error:
                error.add_note("after " + "\n      ".join(map(str, steps[: n + 1])))
                raise
        await self.redis(False)
        for key, run in self.runs.items():
            await self.check(key, run)

    # ---- one after the other: each answers with the runs that it touched -----------------------------------------

    async def submit(self, owner: str, priority: Priority, known: int) -> list[str]:
        options = SubmitOptions(use_cache=False, priority=priority, wait_for_data=True)
        run = await self.orchestrator.submit(CONFIG if known else UNKNOWN, owner, options=options)
        status = Status.QUEUED if known else Status.PENDING
        self.runs[run.id] = Run(owner, status, priority, next(self.places), known > 0, events=(str(status),))
        return [run.id]

    async def claim(self, worker: Worker) -> list[str]:
        before = await self.served()
        expected = next_ids(self.runs, before)
        run = await self.orchestrator.claim_next(worker)
        assert (run.id if run else None) == (expected[0] if expected else None)
        assert (await self.served() != before) == (len(expected) > 1), "noted where others had to wait"
        if run is None:
            return []
        assert run.worker == worker
        return [self.taken(run)]

    async def ask(self, which: int, wish: Wish) -> list[str]:
        if not self.runs:
            return []
        key = self.chosen(which)
        operation = self.wished(key, wish)
        foretold = operation.foretold(self.runs[key])
        assert await answer_of(operation) == kind(foretold), (operation, self.runs[key])
        return self.follow(key, foretold)

    async def redis(self, away: bool) -> list[str]:
        """Is away from now on, or comes back and is told by the sweep what it has missed."""
        self.service.stream.away = away
        if not away:
            await self.service.ledger.sweep()
            for run in await self.service.repository.find(Backtest, limit=1000):
                assert (run.relay_pending, max(self.service.stream.told[run.id])) == (False, run.seq)
        return []

    # ---- at the same moment ---------------------------------------------------------------------------------------

    async def race(self, which: int, wished: list[Wish]) -> list[str]:
        """Several ask about one run together."""
        if not self.runs:
            return []
        key = self.chosen(which)
        operations = [self.wished(key, wish) for wish in wished]
        answers = list(await asyncio.gather(*map(answer_of, operations)))
        return await self.settle(key, operations, answers)

    async def claim_while(self, worker: Worker, wish: Wish) -> list[str]:
        """A worker takes what is next while its owner asks something about that run."""
        if not (ids := next_ids(self.runs, await self.served())):
            return []
        asked = self.wished(ids[0], wish)
        run, answer = await asyncio.gather(self.orchestrator.claim_next(worker), answer_of(asked))
        if run is not None and run.id == ids[0]:
            self.claims.setdefault(run.id, []).append(run)
            return await self.settle(run.id, [Operation("claim", never_asked, claimed), asked], ["done", answer])
        waited = sum(run.status == Status.QUEUED for run in self.runs.values())
        assert run is not None or waited == 1, "there was another one to take"
        touched = await self.settle(ids[0], [asked], [answer])
        return [*touched, self.taken(run)] if run is not None else touched

    async def settle(self, key: str, operations: list[Operation], answers: list[Any]) -> list[str]:
        """Find an order of the operations that gives these answers and the run as it is now.

        Of two that restore it at once both may have done it.
        """
        before, after = self.runs[key], await self.service.repository.get(Backtest, key)
        events = tuple(map(told, await self.events(key)))
        for order in itertools.permutations(range(len(operations))):
            run, foretold = before, {}
            for n in order:
                answer = operations[n].foretold(run)
                foretold[n] = kind(answer)
                run = answer if isinstance(answer, Run) else run
            same = [
                foretold[n] == answer or (operation.name == "restore" and (foretold[n], answer) == (Conflict, "done"))
                for n, (operation, answer) in enumerate(zip(operations, answers, strict=True))
            ]
            if all(same) and seen(run) == state(after) and run.events == events:
                return self.follow(key, run)
        raise AssertionError(f"{operations} of {before} at once: {answers}, then {state(after)}: no order gives that")

    async def claim_together(self) -> list[str]:
        """Both workers at once: no run goes to both, and none that could go stays."""
        waiting = [key for key, run in self.runs.items() if run.status == Status.QUEUED]
        found = await asyncio.gather(*(self.orchestrator.claim_next(worker) for worker in WORKERS))
        taken = [run for run in found if run is not None]
        assert len({run.id for run in taken}) == len(taken) == min(len(WORKERS), len(waiting))
        return [self.taken(run) for run in taken]

    # ---- operations -----------------------------------------------------------------------------------------------

    def chosen(self, which: int) -> str:
        """One of all runs, or more often one of the few that workers hold."""
        held = [key for key, run in self.runs.items() if run.status in CLAIMED]
        among = held if held and which % 4 else list(self.runs)
        return among[which % len(among)]

    def wished(self, key: str, wish: Wish) -> Operation:
        asked = [self.operation(key, name, wish.other) for name in (*OWNERS_MAY, *WORKERS_MAY)]
        useful = [one for one in asked if one.foretold(self.runs[key]) not in (None, NotFound, Conflict)]
        among = useful if useful and wish.anything else asked
        return among[wish.n % len(among)]

    def operation(self, key: str, name: str, other: bool) -> Operation:
        """What an owner may ask, or a worker that has the run, had it before, or never had it."""
        orchestrator, owner, claims = self.orchestrator, self.runs[key].owner, self.claims.get(key)
        if name == "patch":
            priority = Priority.HIGH if other else Priority.LOW
            wanted = BacktestPatch(priority=priority)
            return Operation(name, lambda: orchestrator.patch(key, owner, wanted), lambda run: patched(run, priority))
        if name in OWNERS_MAY:
            place = next(self.places)
            foretold: dict[str, Callable[[Run], Answer]] = {
                "cancel": cancelled,
                "resume": lambda run: resumed(run, place),
                "delete": deleted,
                "restore": restored,
            }
            return Operation(name, lambda: getattr(orchestrator, name)(key, owner), foretold[name])
        claim = claims[-1 - (other and len(claims) > 1)] if claims else never_claimed(key)
        fence, said = claim.fence, [{"level": "info", "message": name}]
        told = f"{name} of {fence}"
        match name.partition(", "):
            case "checkpoint", *_:
                at = checkpoint(claim, next(self.places))
                return Operation(
                    told,
                    lambda: orchestrator.record_checkpoint(claim, at, "simulate"),
                    lambda run: checkpointed(run, fence, at.bar),
                )
            case "log", *_:
                return Operation(told, lambda: orchestrator.log(claim, said), lambda run: logged(run, fence))
            case "renew", *_:
                return Operation(
                    told, lambda: orchestrator.renew(claim, Progress(percent=50.0)), lambda run: renewed(run, fence)
                )
            case "give back", _, reason:
                return Operation(
                    told, lambda: orchestrator.give_back(claim, reason), lambda run: given_back(run, fence, reason)
                )
        outcome = Outcome(error=FAILURE) if name == "fail" else Outcome(result=RESULT)
        return Operation(
            told,
            lambda: orchestrator.finish(claim, outcome, said),
            lambda run: finished(run, fence, outcome.error is not None),
        )

    # ---- what must always be so -------------------------------------------------------------------------------------

    def taken(self, run: Backtest) -> str:
        self.claims.setdefault(run.id, []).append(run)
        return self.follow(run.id, claimed(self.runs[run.id]))[0]

    def follow(self, key: str, foretold: Answer) -> list[str]:
        if isinstance(foretold, Run):
            self.runs[key] = foretold
        return [key]

    async def served(self) -> dict[str, dt.datetime]:
        return {one.id: one.at for one in await self.service.repository.find(Served)}

    async def events(self, key: str) -> list[RunEvent]:
        return await self.service.repository.find(RunEvent, (eq("run_id", key),), Order("seq"), limit=1000)

    async def check(self, key: str, run: Run) -> None:
        repository = self.service.repository
        document = await repository.get(Backtest, key)
        assert document is not None
        assert state(document) == seen(run)
        stored = await self.events(key)
        assert [event.seq for event in stored] == list(range(1, document.seq + 1)), "nothing is lost or told twice"
        assert tuple(map(told, stored)) == run.events
        assert document.outbox == ()
        assert set(self.service.stream.told.get(key, ())) <= set(range(1, document.seq + 1))
        assert (document.worker is not None) == (run.status in CLAIMED)
        assert (document.completed_at is not None) == (run.status in FINAL)
        attempts = await repository.find(Execution, (eq("run_id", key),), Order("attempt"), limit=1000)
        assert [attempt.attempt for attempt in attempts] == list(range(1, run.attempt + 1))
        open_ones = [attempt.attempt for attempt in attempts if attempt.ended_at is None]
        assert open_ones == ([run.attempt] if run.status in CLAIMED else [])
        assert_one_end_per_claim(run)


def assert_one_end_per_claim(run: Run) -> None:
    """Between two claims there is exactly one event that ends the first."""
    held = False
    for status in run.events:
        if status == Status.RUNNING:
            assert not held
            held = True
        elif held and status in (*FINAL, Status.QUEUED):
            held = False
    assert held == (run.status in CLAIMED)


def told(event: RunEvent) -> str:
    return str(event.data["status"]) if event.type == EventType.STATUS_CHANGE else str(event.type)


def state(run: Backtest | None) -> tuple[Any, ...]:
    assert run is not None
    bar = run.checkpoint.bar if run.checkpoint is not None else None
    flags = run.deleted_at is not None, run.result is not None, run.partial
    return run.status, run.fence, run.attempt, run.crashes, run.seq, run.priority, bar, *flags


def seen(run: Run) -> tuple[Any, ...]:
    """The same of the model."""
    flags = run.deleted, run.result, run.partial
    return run.status, run.fence, run.attempt, run.crashes, len(run.events), run.priority, run.bar, *flags


def kind(answer: Answer) -> Any:
    return answer if answer is None or isinstance(answer, type) else "done"


async def answer_of(operation: Operation) -> Any:
    try:
        answer = await operation.ask()
    except (Conflict, NotFound) as error:
        return type(error)
    return None if answer is None and operation.name != "delete" else "done"


async def never_asked() -> Backtest | None:
    raise AssertionError("a claim is asked of the orchestrator, not of a run")


def never_claimed(key: str) -> Backtest:
    """What somebody would hold who has made up a claim."""
    config = parse_config(CONFIG)
    return Backtest(
        id=key, config=config, name="x", status=Status.RUNNING, fence=0, worker=WORKERS[0], created_at=utc_now()
    )


def checkpoint(claim: Backtest, bar: int) -> Checkpoint:
    path = f"runs/{claim.id}/{claim.fence}/checkpoint-{bar}.bin"
    return Checkpoint(
        path=path, sha256="0" * 64, bytes=1, bar=bar, total_bars=100, fence=claim.fence, created_at=utc_now()
    )


@pytest.fixture
def lifecycle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[list[tuple[Any, ...]]], None]]:
    """Takes the steps in a world of their own."""
    monkeypatch.setattr(sqlite, "RESERVE_BYTES", 0)
    with asyncio.Runner() as runner:
        opened = service(tmp_path)
        here = runner.run(opened.__aenter__())
        yield lambda steps: runner.run(World(here).take(steps))
        runner.run(opened.__aexit__(None, None, None))


@settings(examples(25), phases=(Phase.explicit, Phase.generate))  # making a failure smaller takes minutes
@given(taken=st.lists(steps, min_size=25, max_size=60))
def test_any_sequence_of_operations_does_what_the_model_says(
    lifecycle: Callable[[list[tuple[Any, ...]]], None], taken: list[tuple[Any, ...]]
) -> None:
    lifecycle(taken)
