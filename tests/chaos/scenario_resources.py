"""What a run needs runs out: disk, permission, file descriptors, processor time. And clocks that jump."""

import contextlib
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from chaos.lab import Lab, Measured
from chaos.recorder import Client
from chaos.world import World

HEAL_SECONDS = 20.0
DISK_ERRORS = ("storage_failed", "store_unavailable", "data_error")


def read_only_lake(lab: Lab, count: int) -> Measured:
    """Nothing can be created below the lake for a while: runs fail and say why, and later ones complete."""
    measured = Measured()
    lake = lab.world.data / "lake"
    lab.recorder.note("permit", codes=DISK_ERRORS)
    with lab.client("read-only") as client:
        for _ in lab.rounds(count):
            run_id = client.submit("middle")
            lab.wait_final(run_id)
            with _unwritable(lake / "runs"):
                failed = [client.submit(kind) for kind in ("short", "middle")]
                for run_id in failed:
                    if (status := lab.wait_final(run_id)) != "failed":
                        measured.problems.append(f"{run_id} is {status} although its result could not be written")
                measured.n += 1
            _heals(lab, client, measured)
        measured.unsettled = lab.settled()
    return measured


@contextlib.contextmanager
def _unwritable(directory: Path) -> Iterator[None]:
    mode = directory.stat().st_mode
    directory.chmod(0o500)
    try:
        yield
    finally:
        directory.chmod(mode)


def _heals(lab: Lab, client: Client, measured: Measured) -> None:
    """The fault is over: the time until a new run completes."""
    began = time.monotonic()
    run_id = client.submit("short", patience=HEAL_SECONDS)
    status = lab.wait_final(run_id, HEAL_SECONDS)
    if status == "completed":
        measured.recovery.append(time.monotonic() - began)
    else:
        measured.problems.append(f"{run_id} is {status} {HEAL_SECONDS:g} s after the fault was over")


def full_disk(lab: Lab, count: int) -> Measured:
    """The disk is filled while runs are computed, and emptied again."""
    measured = Measured()
    lab.recorder.note("permit", codes=DISK_ERRORS)
    filler = lab.world.data.parent / "filler"
    with lab.traffic("full-disk", kinds=("middle", "short"), in_flight=3) as traffic, lab.client("healed") as client:
        for _ in lab.rounds(count):
            time.sleep(lab.rng.uniform(0.2, 1.0))
            _fill(filler, leave=lab.rng.choice((0, 4096, 65536, 1 << 20)))
            time.sleep(lab.rng.uniform(2.0, 6.0))
            filler.unlink()
            measured.n += 1
            _heals(lab, client, measured)
        measured.unsettled = traffic.settle()
    return measured


def _fill(filler: Path, leave: int) -> None:
    """Until the file system takes no more, and then give so many bytes back."""
    with filler.open("wb", buffering=0) as file:
        with contextlib.suppress(OSError):
            while True:
                file.write(bytes(1 << 16))
        with contextlib.suppress(OSError):
            file.truncate(max(0, file.tell() - leave))


def no_descriptors(lab: Lab, count: int) -> Measured:
    """A worker and the web process may open next to nothing for some seconds."""
    measured = Measured()
    lab.recorder.note("permit", codes=DISK_ERRORS)
    with lab.traffic("descriptors", kinds=("middle", "short"), in_flight=3) as traffic, lab.client("healed") as client:
        for i in lab.rounds(count):
            pids = lab.world.pool() if i % 2 == 0 else [lab.world.wait_pid("web")]
            with contextlib.ExitStack() as limits:
                for pid in pids:
                    limits.enter_context(_few_descriptors(pid, lab.rng.randint(0, 3)))
                time.sleep(lab.rng.uniform(1.0, 4.0))
            measured.n += 1
            _heals(lab, client, measured)
        measured.unsettled = traffic.settle()
    return measured


@contextlib.contextmanager
def _few_descriptors(pid: int, more: int) -> Iterator[None]:
    """The process may open so many files beyond those it has."""
    process = psutil.Process(pid)
    before = process.rlimit(resource.RLIMIT_NOFILE)
    open_now = max((int(fd) for fd in os.listdir(f"/proc/{pid}/fd")), default=0)  # noqa: PTH208
    process.rlimit(resource.RLIMIT_NOFILE, (open_now + 1 + more, before[1]))
    try:
        yield
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.rlimit(resource.RLIMIT_NOFILE, before)


def clock_steps(lab: Lab, count: int) -> Measured:
    """Wall clocks jump by up to an hour, in one process or in all: nobody is taken for dead, nothing is stuck."""
    measured = Measured()
    roles = ("worker", "web", "scheduler")
    with lab.traffic("clock", kinds=("long", "short"), in_flight=3) as traffic:
        for i in lab.rounds(count):
            offset = lab.rng.choice((-3600.0, -61.0, 61.0, 3600.0, 86_400.0))
            moved = roles if i % 4 == 3 else (roles[i % 4],)
            for role in moved:
                _set_clock(lab.world, role, offset)
            time.sleep(lab.rng.uniform(3.0, 6.0))
            for role in moved:
                _set_clock(lab.world, role, 0.0)
            measured.n += 1
        measured.unsettled = traffic.settle()
    facts = lab.facts()
    measured.problems = [
        f"{run} was claimed {facts.runs[run]['fence']} times although no worker died"
        for run in facts.accepted()
        if run in facts.runs and facts.runs[run]["fence"] > 1
    ]
    return measured


def clock_of_a_dead_leader(lab: Lab, count: int) -> Measured:
    """The scheduler's clock is an hour fast, and it dies: its successor must not wait for an hour."""
    measured = Measured()
    with lab.traffic("leader-clock", in_flight=3) as traffic:
        for _ in lab.rounds(count):
            _set_clock(lab.world, "scheduler", 3600.0)
            time.sleep(5.0)  # it has renewed its lease by that clock
            lab.world.kill_child("scheduler")
            _set_clock(lab.world, "scheduler", 0.0)
            if (child := lab.busy_child()) is not None:
                lab.kill_pool_child(child)
            measured.n += 1
            lab.world.wait_pid("scheduler")
        measured.unsettled = traffic.settle()
    return measured


def _set_clock(world: World, role: str, offset: float) -> None:
    temporary = world.control / f"clock-{role}.tmp"
    temporary.write_text(str(offset))
    temporary.replace(world.control / "clock" / role)


def oversubscribed(lab: Lab, count: int) -> Measured:
    """Four busy loops per core, for `count` runs: slow is not dead."""
    measured = Measured()
    loops = 4 * (os.cpu_count() or 2)
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(loops)]
    try:
        with lab.traffic("busy", kinds=("long", "middle"), in_flight=4) as traffic:
            while len(traffic.ids) < count:
                lab.world.check_alive()
                time.sleep(0.1)
            measured.unsettled = traffic.settle()
    finally:
        for process in processes:
            process.kill()
            process.wait()
    facts = lab.facts()
    measured.n = len(facts.accepted())
    measured.problems = [
        f"{run} was claimed {facts.runs[run]['fence']} times although no worker died"
        for run in facts.accepted()
        if run in facts.runs and facts.runs[run]["fence"] > 1
    ]
    return measured
