"""Cancels at every instant of a run's life, most of them around its end; and runs resumed after a cancel."""

import time

from chaos.lab import Lab, Measured
from chaos.recorder import Client


def cancels(lab: Lab, count: int) -> Measured:
    """Cancel after a uniformly random part of a run's usual time, up to 1.2 times; what the answer says comes true."""
    measured = Measured()
    with lab.client("cancel") as client:
        for i in lab.rounds(count):
            kind = "long" if i % 20 == 0 else "middle" if i % 4 == 0 else "short"
            run_id = client.submit(kind)
            time.sleep(lab.rng.uniform(0.0, 1.2 * lab.usual[kind]))
            _cancel(lab, client, run_id, measured)
        measured.unsettled = lab.settled()
    return measured


def cancels_at_the_end(lab: Lab, count: int) -> Measured:
    """The cancel comes while the worker is held up between its last look and the write that ends the run."""
    measured = Measured()
    points = ("finish-before", "result-file", "result-synced", "finish-written", "attempt-open")
    with lab.client("late-cancel") as client:
        for i in lab.rounds(count):
            point = points[i % len(points)]
            lab.world.arm(point, "delay", seconds=0.15)
            run_id = client.submit("short")
            if lab.world.wait_hit(point, 60.0) is None:
                lab.world.disarm(point)
                continue
            time.sleep(lab.rng.uniform(0.0, 0.1))
            _cancel(lab, client, run_id, measured)
        measured.unsettled = lab.settled()
    return measured


def _cancel(lab: Lab, client: Client, run_id: str, measured: Measured) -> None:
    """Cancel and wait for the end, which `recovery` times from the answer on."""
    code, _ = client.cancel(run_id)
    answered = time.monotonic()
    lab.wait_final(run_id)
    measured.n += 1
    if code == 200:
        measured.recovery.append(time.monotonic() - answered)
    elif code != 409:
        measured.problems.append(f"a cancel of {run_id} was answered with {code}")


def resumed(lab: Lab, count: int) -> Measured:
    """Cancelled in the middle, resumed by the owner, killed once more: the result is that of an undisturbed run."""
    measured = Measured()
    with lab.client("resume") as client:
        for _ in lab.rounds(count):
            if (run_id := _cancelled_in_the_middle(lab, client)) is None:
                continue
            answered = client.resume(run_id)
            measured.n += 1
            if answered != 200:
                measured.problems.append(f"resuming the cancelled {run_id} was answered with {answered}")
                continue
            if lab.rng.random() < 0.5 and (child := lab.busy_child(5.0)) is not None:
                time.sleep(lab.rng.uniform(0.0, 0.5) * lab.usual["slow"])
                lab.kill_pool_child(child)
            if (status := lab.wait_final(run_id)) != "completed":
                measured.problems.append(f"{run_id} was resumed and is {status}")
        measured.unsettled = lab.settled()
    return measured


def _cancelled_in_the_middle(lab: Lab, client: Client, tries: int = 5) -> str | None:
    """A run that works for most of its time; some are over before the cancel comes."""
    for _ in range(tries):
        run_id = client.submit("slow")
        while lab.world.store.status(run_id) in ("queued", "pending"):
            time.sleep(0.004)
        time.sleep(lab.rng.uniform(0.0, 0.5) * lab.usual["slow"])
        client.cancel(run_id)
        if lab.wait_final(run_id) == "cancelled":
            return run_id
    return None
