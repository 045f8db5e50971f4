"""Lab: a world with what is known about it undisturbed, in which scenarios break things and are judged."""

import math
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Self

from chaos import workloads
from chaos.checker import MAX_DEATHS, RUN_SLOTS, check, notes
from chaos.facts import Facts, epoch, gather
from chaos.recorder import Client, Recorder
from chaos.store import FINAL
from chaos.traffic import Traffic
from chaos.world import GaveUp, Hit, World

PATIENCE_SECONDS = 45.0  # longer than a lease, a silence and a restart of everything take together


@dataclass(slots=True)
class Measured:
    """What a scenario did. n: faults, or whatever it counts; unsettled: runs that did not end; recovery: seconds from a
    fault until work went on, beside those that the deaths in the record show; problems: violations that only the
    scenario can see; figures: other numbers"""

    n: int = 0
    unsettled: list[str] = field(default_factory=list)
    recovery: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Report:
    """One scenario's row of the table."""

    scenario: str
    n: int
    runs: int
    lost: int
    violations: list[str]
    recovery: list[float]
    notes: list[str]
    figures: dict[str, Any]
    seconds: float


Scenario = Callable[["Lab", int], Measured]


class Lab:
    """expected: hashes by workload; usual: seconds from submission to end, by workload; deadline: when scenarios begin
    nothing new any more, by time.monotonic; patience: seconds for which
    nothing may happen to a run that has not ended"""

    def __init__(self, world: World, rng: random.Random, kinds: tuple[str, ...] = tuple(workloads.KINDS)) -> None:
        self.world = world
        self.rng = rng
        self.expected: dict[str, dict[str, str]] = {}
        self.usual: dict[str, float] = {}
        self.deadline = math.inf
        self.patience = PATIENCE_SECONDS
        self._kinds = kinds
        self.recorder = Recorder(world.directory / "record-start.jsonl")

    def knowing(self, other: "Lab") -> Self:
        """With what was found undisturbed in another world, whose data directory this one's is a copy of."""
        self.expected, self.usual = other.expected, other.usual
        return self

    def __enter__(self) -> Self:
        if not self.expected:
            workloads.import_prices(self.world)
        self.world.__enter__()
        try:
            self.world.wait_ready()
            for kind in self._kinds if not self.expected else ():
                self._measure(kind)
        except BaseException:
            self.world.end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.world.end()
        self.recorder.close()

    def _measure(self, kind: str) -> None:
        """Run it undisturbed twice: the hashes have to agree, the second one's time counts."""
        with self.client("undisturbed") as client:
            for _ in range(2):
                began = time.monotonic()
                run_id = client.submit(kind)
                self.wait_final(run_id)
                self.usual[kind] = time.monotonic() - began
                found = workloads.hashes(self.world, run_id)
                assert self.expected.setdefault(kind, found) == found, f"{kind} is not deterministic"

    # ---- what scenarios use -----------------------------------------------------------------------------------

    def rounds(self, count: int) -> Iterator[int]:
        """0 to count - 1, as long as there is time and the stack lives."""
        for i in range(count):
            self.world.check_alive()
            if time.monotonic() > self.deadline:
                return
            yield i

    def client(self, label: str) -> Client:
        return Client(self.world.url, self.recorder, label)

    def traffic(self, label: str, **options: Any) -> Traffic:
        return Traffic(self.world, self.recorder, self.rng, label=label, patience=self.patience, **options)

    def wait_final(self, run_id: str, seconds: float = 180.0) -> str:
        """Its status when it is final, or after so many seconds."""
        deadline = time.monotonic() + seconds
        while (status := self.world.store.status(run_id)) not in FINAL and time.monotonic() < deadline:
            time.sleep(0.004)
        return str(status)

    def settled(self) -> list[str]:
        """Wait for the runs of this record; those that do not end."""
        ids = [entry["run"] for entry in self.recorder.entries() if entry["kind"] == "answer" and entry.get("run")]
        return self.world.store.settled(ids, self.patience)

    def note_death(self, what: str, runs: list[str], wall: float | None = None) -> None:
        """Somebody died who held these runs."""
        self.recorder.note("death", what=what, runs=runs, at=wall or time.time())

    def note_thaw(self, runs: list[str]) -> None:
        """Somebody who held these runs goes on after a standstill; its watchdog may end it in the middle of a write."""
        self.recorder.note("thaw", runs=runs, at=time.time())

    def note_hit(self, hit: Hit) -> None:
        held = set(self.world.store.held(hit.pid)) | ({hit.run} if hit.run else set())
        self.note_death(hit.point, sorted(held), hit.wall)

    def kill_pool_child(self, pid: int) -> None:
        runs = self.world.store.held(pid)
        os.kill(pid, signal.SIGKILL)
        self.note_death("pool child", runs)

    def busy_child(self, seconds: float = 60.0) -> int | None:
        """A pool child that computes a run which may die once more."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.world.check_alive()
            for run_id in self.world.store.held():
                run = self.world.store.run(run_id)
                if run and run["worker"] and may_die(run) and run["worker"]["pid"] in self.world.pool():
                    return int(run["worker"]["pid"])
            time.sleep(0.02)
        return None

    # ---- judging ----------------------------------------------------------------------------------------------

    def perform(self, name: str, scenario: Scenario, count: int) -> Report:
        """One scenario with a record of its own, judged."""
        began = time.monotonic()
        self.recorder.close()
        path = self.world.directory / f"record-{name}-{time.time_ns()}.jsonl"
        self.recorder = Recorder(path)
        try:
            measured = scenario(self, count)
        except GaveUp as error:
            measured = Measured(problems=[f"the stack is gone: {error}"])
            self.recover()
        self._wait_for_slots()
        facts = self.facts()
        violations = [*measured.problems, *check(facts)]
        recovery = [*measured.recovery, *recoveries(facts)]
        lost = len(set(measured.unsettled) | {run for run in facts.accepted() if run not in facts.runs})
        return Report(
            scenario=name,
            n=measured.n,
            runs=len(facts.accepted()),
            lost=lost,
            violations=violations,
            recovery=recovery,
            notes=notes(facts),
            figures={**measured.figures, **_ends(facts)},
            seconds=time.monotonic() - began,
        )

    def _wait_for_slots(self, seconds: float = 45.0) -> None:
        """A worker that has finished its last run gives its slot back a moment later."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self.world.store.held():
            if not [slot for slot in self.world.store.slots() if slot["id"].startswith(RUN_SLOTS)]:
                return
            time.sleep(0.05)

    def facts(self) -> Facts:
        world = self.world
        return gather(
            world.store, world.files, world.data / "logs", self.recorder.entries(), self.expected, (world.canary,)
        )

    def recover(self) -> None:
        """Whatever happened: an undamaged stack again."""
        self.world.disarm()
        self.world.kill_everything()
        self.world.start()
        self.world.wait_ready()


def may_die(run: dict[str, Any]) -> bool:
    """Whether the run's worker may die without the run being taken for one that kills its workers."""
    deaths: int = run.get("crashes", run["attempt"] - 1)
    return deaths < MAX_DEATHS - 1


def recoveries(facts: Facts) -> list[float]:
    """Seconds from each noted death until the run that it hit was claimed again, or its end was known."""
    frames: dict[str, list[float]] = {}
    for frame in facts.of("frame"):
        if frame["type"] == "status_change" and frame["status"] in FINAL:
            frames.setdefault(frame["run"], []).append(frame["wall"])
    found = []
    for death in facts.of("death"):
        for run_id in death["runs"]:
            later = [
                moment
                for event in facts.events.get(run_id, [])
                if event["type"] == "status_change"
                and event["data"]["status"] in ("running", *FINAL)
                and (moment := epoch(event["timestamp"])) > death["at"]
            ] or [moment for moment in frames.get(run_id, []) if moment > death["at"]]
            if later:
                found.append(min(later) - death["at"])
    return found


def _ends(facts: Facts) -> dict[str, Any]:
    """How runs ended, with the codes of those that failed; and what submissions were answered, but for 200."""
    ends = Counter(
        run["status"] if run["status"] != "failed" else f"failed: {run['error']['code']}" for run in facts.runs.values()
    )
    refused = Counter(str(answer["code"] or answer["error"].partition(":")[0]) for answer in facts.of("answer"))
    del refused["200"]
    return {"ends": dict(ends), **({"not_accepted_at_first": dict(refused)} if refused else {})}
