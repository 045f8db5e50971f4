"""Deaths at the named points (inject/chaos_points.py): each where a write, a message or a file is half done."""

import time
from collections import Counter
from collections.abc import Collection
from contextlib import nullcontext

from chaos.inject.chaos_names import SCHEDULER, WEB, WORKER
from chaos.lab import Lab, Measured, Scenario
from chaos.traffic import Traffic

HIT_SECONDS = 60.0


def at_points(names: Collection[str]) -> Scenario:
    """SIGKILL of a pool child at each of these points in turn, with several runs in flight."""

    def scenario(lab: Lab, count: int) -> Measured:
        present = [point for point in names if point in lab.world.points()]
        measured, hits, unreached = Measured(), Counter[str](), Counter[str]()
        with lab.traffic("points", kinds=("long", "slow", "middle"), in_flight=5, watched=0.4) as traffic:
            for _ in lab.rounds(count):
                point = min(present, key=lambda name: (hits[name] + unreached[name], lab.rng.random()))
                reached = _die_at(lab, traffic, point)
                (hits if reached else unreached)[point] += 1
            measured.unsettled = traffic.settle()
        measured.n = hits.total()
        absent = [point for point in names if point not in present]
        measured.figures = {"hits": dict(hits), "unreached": dict(unreached), "absent": absent}
        measured.problems = [f"nobody came to {point}" for point in present if unreached[point] and not hits[point]]
        return measured

    return scenario


worker_points = at_points(WORKER)


def _die_at(lab: Lab, traffic: Traffic, point: str) -> bool:
    if point == "tidy-before" and (child := lab.busy_child()) is not None:
        lab.kill_pool_child(child)  # some versions tidy up only behind an earlier attempt
    with traffic.paused() if point == "slot-held" else nullcontext():  # given back when no work is left
        hit = lab.world.hit(point, HIT_SECONDS, max_attempt=2)
    if hit is not None:
        lab.note_hit(hit)
    return hit is not None


def web_points(lab: Lab, count: int) -> Measured:
    """The web process dies with a submission or a cancel saved and not answered."""
    measured = Measured()
    with lab.client("web-points") as client:
        for i in lab.rounds(count):
            point = list(WEB)[i % len(WEB)]
            run_id = client.submit("middle")
            lab.world.wait_pid("web")
            lab.world.pace("web")
            lab.world.arm(point)
            began = time.monotonic()
            if point == "submit-saved":
                client.submit("middle")
            else:
                run_id = client.submit("middle")
                client.cancel(run_id)
                client.cancel(run_id)  # asks what became of the first one
            if lab.world.wait_hit(point, 5.0) is None:
                lab.world.disarm(point)
                continue
            measured.n += 1
            measured.recovery.append(time.monotonic() - began)
            lab.wait_final(run_id)
    measured.unsettled = lab.settled()
    return measured


def scheduler_points(lab: Lab, count: int) -> Measured:
    """The scheduler dies while it gives back the run of a dead worker."""
    measured = Measured()
    with lab.traffic("scheduler-points", in_flight=3) as traffic:
        for i in lab.rounds(count):
            point = list(SCHEDULER)[i % len(SCHEDULER)]
            lab.world.wait_pid("scheduler")
            lab.world.pace("scheduler")
            lab.world.arm(point)
            if (child := lab.busy_child()) is not None:
                lab.kill_pool_child(child)
            if lab.world.wait_hit(point, HIT_SECONDS) is None:
                lab.world.disarm(point)
            else:
                measured.n += 1
        measured.unsettled = traffic.settle()
    return measured


def crash_loop(lab: Lab, count: int) -> Measured:
    """A run that kills its worker every time ends as failed, and takes no other run with it."""
    measured = Measured()
    with lab.client("crash-loop") as client:
        for _ in lab.rounds(count):
            run_id = client.submit("middle")
            while lab.wait_final(run_id, 0.0) not in ("completed", "failed"):
                if (hit := lab.world.hit("indicators-ready", 5.0, run=run_id)) is not None:
                    lab.note_hit(hit)
                    measured.n += 1
            if lab.world.store.status(run_id) != "failed":
                measured.problems.append(f"{run_id} killed its worker every time and did not fail")
    measured.unsettled = lab.settled()
    return measured


def torn_result(lab: Lab, count: int) -> Measured:
    """Death in the middle of the result's bytes: nothing incomplete ever has a result's name."""
    measured = Measured()
    with lab.client("torn") as client:
        for _ in lab.rounds(count):
            run_id = client.submit("short")
            if (hit := lab.world.hit("result-writing", HIT_SECONDS, run=run_id)) is not None:
                lab.note_hit(hit)
                measured.n += 1
                measured.problems += [f"torn: {path}" for path in lab.facts().torn]
            lab.wait_final(run_id)
    measured.unsettled = lab.settled()
    return measured
