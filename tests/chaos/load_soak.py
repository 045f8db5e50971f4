"""Hours of ordinary work with a fault a minute: nothing is lost, nothing fails, nothing grows.

    python tests/chaos/load_soak.py --minutes 60 --json /tmp/soak.json

Small runs at a steady rate, some longer ones among them, viewers that come and go. The version under test is the one
that Python imports. What is checked at the end: every invariant of checker.py, no run failed, memory and descriptors.
"""

import argparse
import json
import random
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, Self

sys.path.append(str(Path(__file__).parents[1]))

from chaos.checker import check, notes
from chaos.facts import Facts, Json
from chaos.lab import Lab, recoveries
from chaos.load_sizes import Sizes
from chaos.load_stack import PlainWorld, spread
from chaos.recorder import NotAccepted
from chaos.viewers import Viewers
from chaos.world import GaveUp, World, stopped

FAULT_SECONDS = 60.0
SAMPLE_SECONDS = 10.0
STOP_SECONDS = 12.0  # longer than the lease of a run
MIDDLE_EVERY, LONG_EVERY = 15.0, 40.0
STOPPABLE = ("pool child", "runs", "web", "scheduler", "valkey")
KILLABLE = ("pool child", "pool child", "runs", "web", "scheduler", "valkey")


class Work:
    """A thread that submits: `rate` small runs a second (a tenth of them watched), now and then a longer one."""

    def __init__(self, lab: Lab, rate: float, watched: float = 0.1) -> None:
        self._lab = lab
        self._rate = rate
        self._watched = watched
        self._rng = random.Random(lab.rng.random())
        self._client = lab.client("soak")
        self.viewers = Viewers(lab.world.url, lab.recorder, random.Random(lab.rng.random()))
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="work", daemon=True)
        self.submitted: Counter[str] = Counter()
        self.refused: list[str] = []
        self.slowest = 0.0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.viewers.close()
        self._client.close()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(90)

    def _run(self) -> None:
        began = time.monotonic()
        due = dict.fromkeys(("short", "middle", "long"), began)
        every = {"short": 1.0 / self._rate, "middle": MIDDLE_EVERY, "long": LONG_EVERY}
        while not self._stopping.is_set():
            now = time.monotonic()
            for kind in due:
                if due[kind] <= now:
                    # after an outage it goes on at its rate; what was missed is not made up for
                    due[kind] = max(due[kind] + every[kind], now)
                    self._submit(kind)
            self._stopping.wait(max(0.0, min(due.values()) - time.monotonic()))

    def _submit(self, kind: str) -> None:
        began = time.monotonic()
        try:
            run_id = self._client.submit(kind, patience=60.0)
        except NotAccepted as error:
            self.refused.append(str(error)[:200])
            return
        self.slowest = max(self.slowest, time.monotonic() - began)
        self.submitted[kind] += 1
        if kind != "short" or self._rng.random() < self._watched:
            self.viewers.watch(run_id, leaves=self._rng.random() < 0.5)


class Faults:
    """One at a time, each of another kind than chance would repeat for ever."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._world = lab.world
        self.done: Counter[str] = Counter()
        self._bag: list[tuple[str, str]] = []

    def one(self) -> str:
        if not self._bag:
            self._bag = [("kill", name) for name in KILLABLE] + [("stop", name) for name in STOPPABLE]
            self._lab.rng.shuffle(self._bag)
        action, name = self._bag.pop()
        (self._kill if action == "kill" else self._stop)(name)
        self.done[f"{action} {name}"] += 1
        return f"{action} {name}"

    def _kill(self, name: str) -> None:
        if name == "pool child":
            if child := self._child():
                self._lab.kill_pool_child(child)
            return
        held = self._held() if name == "runs" else []
        self._world.kill_child(name)
        self._lab.note_death(name, held)

    def _stop(self, name: str) -> None:
        pid = self._child() if name == "pool child" else self._world.wait_pid(name)
        if not pid:
            return
        held = self._world.store.held(pid) if name == "pool child" else []
        with stopped(pid):
            time.sleep(STOP_SECONDS)
        self._lab.note_death(f"{name} stopped", held)

    def _child(self) -> int:
        """One that computes now, if there is one, and whose run has not died twice already."""
        pool = [pid for pid in self._world.pool() if self._may_die([pid])]
        busy = [pid for pid in pool if self._world.store.held(pid)]
        return self._lab.rng.choice(busy or pool) if pool else 0

    def _held(self) -> list[str]:
        """What all of them compute; waits while one of these runs has died twice already."""
        deadline = time.monotonic() + FAULT_SECONDS
        while not self._may_die(self._world.pool()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return [run for pid in self._world.pool() for run in self._world.store.held(pid)]

    def _may_die(self, pids: list[int]) -> bool:
        held = [run for pid in pids for run in self._world.store.held(pid)]
        return all(run["attempt"] <= 2 for run in self._world.store.runs(held).values())


def soak(world: World, minutes: float, rate: float, seed: int, say: Callable[[str], None]) -> dict[str, Any]:
    """On a world that is not started."""
    rng = random.Random(seed)
    with Lab(world, rng) as lab:
        lab.recorder.note("permit", codes=[])
        sizes, faults, gave_up = Sizes(world), Faults(lab), ""
        with Work(lab, rate) as work, sizes.sampled(SAMPLE_SECONDS):
            try:
                _break_until(time.monotonic() + 60 * minutes, faults, world, sizes, say)
            except GaveUp as error:
                gave_up = str(error)
            work.stop()
            unsettled = lab.settled() if not gave_up else []
            blind = work.viewers.wait(30.0)
        return _judged(lab, work, faults, sizes) | {
            "minutes": minutes,
            "seed": seed,
            "gave_up": gave_up,
            "unsettled": unsettled[:20],
            "viewers_that_wait_for_ever": blind,
        }


def _break_until(until: float, faults: Faults, world: World, sizes: Sizes, say: Callable[[str], None]) -> None:
    while time.monotonic() < until:
        next_one = min(time.monotonic() + FAULT_SECONDS, until)
        time.sleep(min(FAULT_SECONDS / 4, max(0.0, until - time.monotonic())))
        world.check_alive()
        say(f"{time.strftime('%H:%M:%S')} {faults.one()}; {sizes.line()}")
        time.sleep(max(0.0, next_one - time.monotonic()))


class _ByKind(Facts):
    """Facts of a record of hours: sorted by kind once, not for every question about a run."""

    def of(self, kind: str) -> list[Json]:
        if not hasattr(self, "_kinds"):
            self._kinds: defaultdict[str, list[Json]] = defaultdict(list)
            for entry in self.record:
                self._kinds[entry["kind"]].append(entry)
        return self._kinds[kind]


def _judged(lab: Lab, work: Work, faults: Faults, sizes: Sizes) -> dict[str, Any]:
    gathered = lab.facts()
    facts = _ByKind(**{field.name: getattr(gathered, field.name) for field in fields(gathered)})
    accepted = facts.accepted()
    failed = {
        run_id: {"error": run["error"], "history": _history(facts, run_id)}
        for run_id, run in facts.runs.items()
        if run_id in accepted and run["status"] == "failed"
    }
    frames = Counter(entry["type"] for entry in facts.of("frame"))
    return {
        "submitted": dict(work.submitted),
        "not_accepted": work.refused[:20],
        "slowest_submission_seconds": round(work.slowest, 2),
        "faults": dict(faults.done),
        "runs": len(accepted),
        "statuses": dict(Counter(run["status"] for run_id, run in facts.runs.items() if run_id in accepted)),
        "attempts": dict(Counter(str(run["attempt"]) for run in facts.runs.values())),
        "failed_runs": failed,
        "failed_share": round(len(failed) / max(1, len(accepted)), 6),
        "violations": check(facts)[:100],
        "notes": notes(facts)[:20],
        "recovery_seconds": spread(recoveries(facts)),
        "viewers": len(facts.of("viewer")),
        "frames": dict(frames),
        "sizes": sizes.judged(),
    }


def _history(facts: Facts, run_id: str) -> list[str]:
    """The run's status changes and the faults that hit it, as one story."""
    changes = [
        (event["timestamp"][11:23], f"{event['data']['status']} {event['data'].get('reason', '')}".strip())
        for event in facts.events.get(run_id, [])
        if event["type"] == "status_change"
    ]
    deaths = [
        (time.strftime("%H:%M:%S", time.gmtime(death["at"])), f"fault: {death['what']}")
        for death in facts.of("death")
        if run_id in death["runs"]
    ]
    return [f"{at} {what}" for at, what in sorted(changes + deaths)]


def good(figures: dict[str, Any]) -> bool:
    bad = ("violations", "failed_runs", "not_accepted", "unsettled", "gave_up", "viewers_that_wait_for_ever")
    return not any(figures[name] for name in bad)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=2.0, help="small runs per second")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--json", type=Path, help="write the figures there too")
    given = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="soak-"))
    figures = soak(PlainWorld(directory), given.minutes, given.rate, given.seed, lambda line: print(line, flush=True))
    if good(figures):
        shutil.rmtree(directory, ignore_errors=True)
    else:
        print(f"kept for a look: {directory}")
    text = json.dumps({"good": good(figures), **figures}, indent=1, default=str)
    print(text)
    if given.json is not None:
        given.json.write_text(text + "\n")
    return 0 if good(figures) else 1


if __name__ == "__main__":
    sys.exit(main())
