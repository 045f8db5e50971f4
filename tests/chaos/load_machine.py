"""What the processes of one stack cost: CPU seconds, memory and descriptors by role."""

import contextlib
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import psutil

ROLES = {
    "processes web": "web",
    "app web": "web-2",
    "--name runs": "worker-runs",
    "--name io": "worker-io",
    "processes scheduler": "scheduler",
    "valkey-server": "valkey",
    "app serve": "supervisor",
}


@dataclass(frozen=True, slots=True)
class Sample:
    """One process at one instant. cpu: user and system seconds since its start; rss: bytes."""

    pid: int
    role: str
    cpu: float
    rss: int
    descriptors: int


def role_of(process: psutil.Process) -> str:
    """`pool` is a child of a worker: it has its parent's command line."""
    said = " ".join(process.cmdline())
    role = next((name for mark, name in ROLES.items() if mark in said), "other")
    parent = process.parent()
    if role.startswith("worker") and parent is not None and " ".join(parent.cmdline()) == said:
        return "pool"
    return role


def samples(root: int) -> list[Sample]:
    """The process `root` and everything below it; what ends meanwhile is left out."""
    found = []
    try:
        family = [psutil.Process(root), *psutil.Process(root).children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            used = process.cpu_times()
            found.append(
                Sample(
                    process.pid,
                    role_of(process),
                    used.user + used.system,
                    process.memory_info().rss,
                    process.num_fds(),
                )
            )
    return found


@dataclass
class CpuUse:
    """seconds: by role; wall: how long was measured; machine: busy share of all cores (other people's work too)."""

    seconds: dict[str, float] = field(default_factory=dict)
    wall: float = 0.0
    machine: float = 0.0

    def shares(self) -> dict[str, float]:
        """Cores used by each role, most first."""
        ordered = sorted(self.seconds.items(), key=lambda item: -item[1])
        return {role: round(used / self.wall, 3) for role, used in ordered if self.wall}


@contextlib.contextmanager
def cpu_use(*roots: int, client: bool = True) -> Iterator[CpuUse]:
    """Measure the CPU time of these process trees (and of this process, as `client`) over the body."""

    def now() -> dict[int, Sample]:
        return {sample.pid: sample for root in roots for sample in samples(root)}

    use, before, began = CpuUse(), now(), time.monotonic()
    mine, machine = time.process_time(), psutil.cpu_times()
    yield use
    use.wall = time.monotonic() - began
    seconds: defaultdict[str, float] = defaultdict(float)
    for pid, sample in now().items():
        seconds[sample.role] += sample.cpu - (before[pid].cpu if pid in before else 0.0)
    if client:
        seconds["client"] = time.process_time() - mine
    use.seconds = {role: round(used, 3) for role, used in seconds.items()}
    after = psutil.cpu_times()
    total = sum(after[:8]) - sum(machine[:8])
    use.machine = round(1 - (after.idle - machine.idle) / total, 3) if total else 0.0
