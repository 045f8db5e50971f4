"""Mutations: the suite is worth something only if it goes red when a promise is taken out of the product.

`python tests/chaos/run.py mutations`: each change is made to a copy of the source, on which the scenario that should
notice runs; the unchanged copy has to pass them all.
"""

import argparse
import random
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chaos import (
    scenario_broker,
    scenario_cancel,
    scenario_durability,
    scenario_points,
    scenario_processes,
    variants,
    workloads,
)
from chaos.lab import Lab, Scenario
from chaos.snapshot import edited, snapshot
from chaos.world import GaveUp, World

SOURCE = Path(__file__).parents[2] / "src"
SERVICES = "services/backtests"
PATIENCE = 25.0
LEASE = {"WORKER_LEASE_SECONDS": "5", **workloads.OFTEN}


class DoesNotApply(Exception):
    """The source has changed: the mutation has to be written anew."""


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace a piece of a file below backproof/; it has to be there exactly once."""

    file: str
    old: str
    new: str

    def apply(self, source: Path) -> None:
        path = source / "backproof" / self.file
        text = path.read_text()
        if text.count(self.old) != 1:
            raise DoesNotApply(f"{self.file} has {text.count(self.old)} times {self.old!r}")
        path.write_text(text.replace(self.old, self.new))


@dataclass(frozen=True, slots=True)
class Mutation:
    """expected: what a violation says, so that it is not red for another reason; guards: what stands before the promise
    and is out of the way with and without the mutation, so that the promise itself is seen to hold"""

    name: str
    expected: str
    edits: tuple[Edit, ...]
    scenario: Scenario
    count: int
    variant: variants.Variant = variants.plain
    guards: tuple[Edit, ...] = ()


def _ledger(old: str, new: str) -> Edit:
    return Edit(f"{SERVICES}/ledger.py", old, new)


OUTBOX = (
    _ledger('push={"outbox": outbox} if outbox else {},', "push={},"),
    _ledger("await self.relay(changed)", 'await self.relay(changed.model_copy(update={"outbox": outbox}))'),
)
NO_FENCE = (
    Edit(
        f"{SERVICES}/transitions.py",
        "return current.fence == fence and current.status in CLAIMED",
        "return current.status in CLAIMED",
    ),
    Edit(
        f"{SERVICES}/orchestrator.py",
        '(eq("fence", run.fence), eq("worker.pid", run.worker.pid if run.worker else None)),',
        "(),",
    ),
    _ledger(', eq("fence", current.fence))', ")"),
)
WATCHDOG = (
    Edit(f"{SERVICES}/watchdog.py", "> self._limit:\n", "> self._limit and False:\n"),
    Edit(f"{SERVICES}/runner.py", "alarm=self._enforce)", "alarm=False)"),
)
FILES = "storage/files.py"
DIRECTLY = '    temporary = directory / name("") if name("").startswith("result") else temporary\n'
RENAME = "        temporary.replace(path)\n"
REAPER = f"{SERVICES}/reaper.py"
FINISHES = scenario_points.at_points(("finish-written", "claim-written"))

ALL = (
    Mutation("fence", "claim", NO_FENCE, scenario_processes.stale_at(("finish-before",)), 10, guards=WATCHDOG),
    Mutation("outbox", "completed, but no event says so", OUTBOX, FINISHES, 4),
    Mutation(
        "sweep",
        "completed, but no event says so",
        (_ledger("        for run in waiting:\n", "        for run in waiting[:0]:\n"),),
        FINISHES,
        4,
    ),
    Mutation(
        "rename",
        "torn",
        (Edit(FILES, "    try:\n        write(temporary)\n", DIRECTLY + "    try:\n        write(temporary)\n"),),
        scenario_points.torn_result,
        2,
    ),
    Mutation(
        "fsync",
        "before its bytes were synced",
        (Edit(FILES, "        _sync(temporary)\n", ""),),
        scenario_durability.durable_order,
        3,
        variants.traced,
    ),
    Mutation(
        "recorded-before-written",
        "is missing",
        (
            Edit(FILES, RENAME, "        threading.Timer(3.0, temporary.replace, (path,)).start()\n"),
            Edit(FILES, "import sys\n", "import sys\nimport threading\n"),
        ),
        scenario_points.at_points(("finish-written",)),
        3,
    ),
    Mutation(
        "reaper",
        "has no final state",
        (
            Edit(
                REAPER,
                "        given = 0\n        for run, reason in",
                "        given = 0\n        return given\n        for run, reason in",
            ),
        ),
        scenario_processes.pool_children,
        2,
    ),
    Mutation(
        "hints-sent-again",
        "has no final state",
        (Edit("tasks/scheduler.py", "        if not waiting:\n            return\n", "        return\n"),),
        scenario_points.web_points,  # a run is saved, and its hint never sent
        3,
    ),
    Mutation(
        "cancel-before-end",
        "a cancel was answered|has no final state",
        (Edit(f"{SERVICES}/transitions.py", "    elif current.status == Status.CANCELLING:\n", "    elif False:\n"),),
        scenario_cancel.cancels,
        30,
    ),
    Mutation(
        "tidy",
        "behind",
        (Edit(f"{SERVICES}/runner.py", "            await self._e.checkpoints.tidy(run)\n", ""),),
        scenario_processes.pool_children,
        6,
    ),
    Mutation(
        "one-key",
        "Idempotency-Key",
        (
            Edit(
                f"{SERVICES}/orchestrator.py",
                "        if await self._repository.add(record):\n            return run_id, None\n",
                "        await self._repository.add(record)\n        return run_id, None\n",
            ),
        ),
        scenario_broker.same_key,
        2,
    ),
    Mutation(
        "viewers-after-a-break",
        "viewer-",
        (
            Edit(
                "web/realtime.py",
                "    def missed(self) -> None:\n        self.stale = True\n",
                "    def missed(self) -> None:\n",
            ),
        ),
        scenario_broker.valkeys,
        4,
    ),
)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="chaos mutations")
    parser.add_argument("--only", action="append", choices=[mutation.name for mutation in ALL])
    parser.add_argument("--source", type=Path, default=SOURCE, help="the directory that holds backproof/")
    parser.add_argument("--control", action="store_true", help="run the scenarios on the unchanged source too")
    given = parser.parse_args(arguments)
    chosen = [mutation for mutation in ALL if not given.only or mutation.name in given.only]
    directory = Path(tempfile.mkdtemp(prefix="chaos-mutations-"))
    try:
        bench = Bench(directory, given.source)
        wrong = [
            f"{mutation.name}{'' if mutated else ' (unchanged)'}"
            for mutation in chosen
            for mutated in ((True, False) if given.control else (True,))
            if not as_expected(bench, mutation, mutated)
        ]
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    print(f"not as expected: {', '.join(wrong)}" if wrong else "all as expected")
    return 1 if wrong else 0


class Bench:
    """A copy of the source that is edited in place, one mutation after the other, and a data directory with undisturbed
    results, from which every mutation starts."""

    def __init__(self, directory: Path, original: Path) -> None:
        self.directory = directory
        self.source = snapshot(original, "-mutated")
        self._place = directory / "unchanged"
        self._place.mkdir()
        self._lab = Lab(World(self._place, source=self.source, settings=LEASE), random.Random(1))
        with self._lab:
            pass

    def judged(self, mutation: Mutation, mutated: bool) -> list[str]:
        """The violations that the scenario finds, with or without the mutation."""
        place = Path(tempfile.mkdtemp(prefix=mutation.name, dir=self.directory))
        shutil.copytree(self._place / "data", place / "data", ignore=shutil.ignore_patterns("*.sock"))
        options = {"source": self.source, "settings": LEASE}
        edits = (*mutation.guards, *(mutation.edits if mutated else ()))
        with edited([self.source / "backproof" / edit.file for edit in edits]):
            for edit in edits:
                edit.apply(self.source)
            with mutation.variant(place, options) as world, Lab(world, random.Random(1)).knowing(self._lab) as lab:
                lab.patience = PATIENCE
                return lab.perform(mutation.name, mutation.scenario, mutation.count).violations


def as_expected(bench: Bench, mutation: Mutation, mutated: bool) -> bool:
    """Red with the mutation, green without it; one line says which."""
    began = time.monotonic()
    try:
        found = bench.judged(mutation, mutated)
        told = [one for one in found if re.search(mutation.expected, one)]
        colour = "red" if told or (found and not mutated) else "green" if not found else "unclear"
        why = (told or found or [""])[0]
    except (DoesNotApply, GaveUp, AssertionError) as error:
        colour, why = "not run", str(error)
    name = mutation.name if mutated else f"  {mutation.name}, unchanged"
    print(f"{name:<34}{colour:<8}{time.monotonic() - began:6.0f} s  {why[:120]}", flush=True)
    return colour == ("red" if mutated else "green")


if __name__ == "__main__":
    sys.exit(main())
