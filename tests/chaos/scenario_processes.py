"""Whole processes die or stand still, at instants that nobody chose."""

import os
import signal
import time
from collections.abc import Collection, Sequence
from contextlib import suppress

from chaos.lab import Lab, Measured, Scenario, may_die
from chaos.world import stopped

FREEZE_SECONDS = (12.0, 30.0)  # longer than the lease (10 s), around what the supervisor calls silent (30 s)


def pool_children(lab: Lab, count: int) -> Measured:
    """A process that computes dies at a random instant of its run."""
    measured = Measured()
    with lab.traffic("pool", in_flight=4) as traffic:
        for _ in lab.rounds(count):
            if (child := lab.busy_child()) is None:
                continue
            time.sleep(lab.rng.uniform(0.0, lab.usual["long"]))
            if _child_may_die(lab, child):
                lab.kill_pool_child(child)
                measured.n += 1
        measured.unsettled = traffic.settle()
    return measured


def _child_may_die(lab: Lab, child: int) -> bool:
    """Not while it has a run that has died twice already: that one would end as a crash loop."""
    runs = lab.world.store.runs(lab.world.store.held(child)).values()
    return child in lab.world.pool() and all(may_die(run) for run in runs)


def celery_parents(lab: Lab, count: int) -> Measured:
    """The worker's parent dies, and its children with it."""
    measured = Measured()
    with lab.traffic("parent", in_flight=4) as traffic:
        for _ in lab.rounds(count):
            lab.world.pace("runs")
            lab.busy_child()
            children = lab.world.pool()
            runs = [run for child in children for run in lab.world.store.held(child)]
            os.kill(lab.world.wait_pid("runs"), signal.SIGKILL)
            lab.note_death("celery parent", runs)
            measured.n += 1
            _until_used_again(lab)
        measured.unsettled = traffic.settle()
    return measured


def _until_used_again(lab: Lab) -> None:
    """Runs are held by processes of the new parent: what has died twice may not die a third time at once."""
    lab.world.wait_ready()
    deadline = time.monotonic() + 30.0
    while time.monotonic() < deadline:
        held = lab.world.store.runs(lab.world.store.held()).values()
        if held and all(may_die(run) for run in held):
            return
        time.sleep(0.1)


def webs(lab: Lab, count: int) -> Measured:
    """The web process dies under viewers and submissions; how long until somebody answers again."""
    measured = Measured()
    with lab.traffic("web", kinds=("long", "middle"), in_flight=4, watched=1.0) as traffic:
        for _ in lab.rounds(count):
            pid = lab.world.kill_child("web")
            began = time.monotonic()
            lab.world.wait_pid("web", other_than=pid)
            while not lab.world.health():
                time.sleep(0.02)
            measured.recovery.append(time.monotonic() - began)
            measured.n += 1
        measured.unsettled = traffic.settle()
    return measured


def schedulers(lab: Lab, count: int) -> Measured:
    """The scheduler dies, and then a worker: until its successor leads, nobody gives the run back."""
    measured = Measured()
    with lab.traffic("scheduler", in_flight=4) as traffic:
        for _ in lab.rounds(count):
            lab.world.kill_child("scheduler")
            if (child := lab.busy_child()) is not None:
                lab.kill_pool_child(child)
            measured.n += 1
            lab.world.wait_pid("scheduler")
        measured.unsettled = traffic.settle()
    return measured


def everything(lab: Lab, count: int) -> Measured:
    """All processes die at once, at a random instant, and the stack is started again."""
    measured = Measured()
    starts: list[float] = []
    with lab.traffic("everything", kinds=("long", "middle", "short"), in_flight=6) as traffic:
        for _ in lab.rounds(count):
            lab.busy_child()
            time.sleep(lab.rng.uniform(0.0, 3.0))
            runs = lab.world.store.held()
            lab.world.kill_everything()
            lab.note_death("everything", runs)
            measured.n += 1
            starts.append(lab.world.start())
            _until_used_again(lab)
        measured.unsettled = traffic.settle()
    measured.figures = {"start_seconds_max": round(max(starts, default=0.0), 2)}
    return measured


def restarts(lab: Lab, count: int) -> Measured:
    """Stopped as a user stops it, in the middle of runs: they are given back, which is nobody's crash."""
    measured = Measured()
    stops: list[float] = []
    with lab.traffic("restart", in_flight=4) as traffic:
        for _ in lab.rounds(count):
            lab.busy_child()
            time.sleep(lab.rng.uniform(0.0, 2.0))
            stops.append(lab.world.stop())
            measured.problems += [f"{' '.join(p.cmdline())} outlived its stack" for p in lab.world.processes()]
            lab.world.start()
            measured.n += 1
            _until_used_again(lab)
        measured.unsettled = traffic.settle()
    facts = lab.facts()
    measured.problems += [
        f"{run} counts {facts.runs[run]['crashes']} crashes although every worker was stopped on purpose"
        for run in facts.accepted()
        if run in facts.runs and facts.runs[run].get("crashes")
    ]
    measured.figures = {"stop_seconds_max": round(max(stops, default=0.0), 2)}
    return measured


def supervisors(lab: Lab, count: int) -> Measured:
    """The supervisor alone dies: its children have to go with it, and a new stack takes the directory over."""
    measured = Measured()
    ends: list[float] = []
    with lab.traffic("supervisor", in_flight=4) as traffic:
        for _ in lab.rounds(count):
            lab.busy_child()
            runs = lab.world.store.held()
            os.kill(lab.world.supervisor, signal.SIGKILL)
            lab.note_death("supervisor", runs)
            began = time.monotonic()
            while (left := lab.world.processes()) and time.monotonic() - began < 10.0:
                time.sleep(0.02)
            ends.append(time.monotonic() - began)
            measured.problems += [f"{' '.join(p.cmdline())} outlived its supervisor by 10 s" for p in left]
            lab.world.kill_everything()
            lab.world.start()
            measured.n += 1
            _until_used_again(lab)
        measured.unsettled = traffic.settle()
    measured.figures = {"orphans_gone_max": round(max(ends, default=0.0), 2)}
    return measured


def freezing(names: Sequence[str], seconds: tuple[float, float]) -> Scenario:
    """A process stands still longer than the lease and goes on: whoever owned a run by then must not write it.

    names: which processes in turn, `child` for one that computes; seconds: for how long, between these two
    """

    def scenario(lab: Lab, count: int) -> Measured:
        measured = Measured()
        with lab.traffic("frozen", in_flight=4) as traffic:
            for i in lab.rounds(count):
                name = names[i % len(names)]
                pid = lab.busy_child() if name == "child" else lab.world.wait_pid(name)
                if pid is None:
                    continue
                runs = lab.world.store.held(pid) if name == "child" else []
                with suppress(ProcessLookupError), stopped(pid):
                    lab.note_death(f"frozen {name}", runs)
                    measured.n += 1
                    time.sleep(lab.rng.uniform(*seconds))
                    lab.note_thaw(runs)
                lab.world.wait_ready()
            measured.unsettled = traffic.settle()
        return measured

    return scenario


frozen = freezing(("child", "child", "runs", "valkey", "scheduler", "web"), FREEZE_SECONDS)

STALE_POINTS = (
    *("finish-before", "result-synced", "result-file", "checkpoint-file", "claim-written"),
    *("checkpoint-before", "finish-written", "relay-stored", "attempt-open"),
)


def stale_at(names: Collection[str]) -> Scenario:
    """A worker stands still right before a write, another takes the run or finishes it, and then the write comes."""

    def scenario(lab: Lab, count: int) -> Measured:
        measured = Measured()
        points = [point for point in names if point in lab.world.points()]
        with lab.traffic("stale", in_flight=2, watched=0.3) as traffic:
            for i in lab.rounds(count):
                if (hit := lab.world.hit(points[i % len(points)], 60.0, "stop", max_attempt=1)) is None:
                    continue
                measured.n += 1
                lab.note_hit(hit)
                if hit.run is not None:
                    _wait_for_another(lab, hit.run, hit.pid, until_end=i // len(points) % 2 == 1)
                lab.note_thaw([hit.run] if hit.run else [])
                with suppress(ProcessLookupError):
                    os.kill(hit.pid, signal.SIGCONT)
            measured.unsettled = traffic.settle()
        return measured

    return scenario


stale_writers = stale_at(STALE_POINTS)


def _wait_for_another(lab: Lab, run_id: str, pid: int, *, until_end: bool) -> None:
    """Until another process has taken the run, or finished it too; at most so long as a lease can last."""
    deadline = time.monotonic() + 25.0
    while time.monotonic() < deadline:
        run = lab.world.store.run(run_id)
        final = run is None or run["status"] in ("completed", "failed", "cancelled")
        if final or (not until_end and lab.world.store.holder(run_id) not in (0, pid)):
            return
        time.sleep(0.05)
