"""What only a service on several servers can lose: a whole host of workers, one of its web processes."""

import time

from chaos.lab import Lab, Measured, may_die
from chaos.scenario_processes import freezing
from chaos.server_world import ServerWorld
from servers import fleet

FREEZE_SECONDS = (6.0, 8.0)  # longer than the lease of the short form
AWAY_SECONDS = 120.0
FROZEN = ("child", "runs", "web", "scheduler", "valkey")


def _world(lab: Lab) -> ServerWorld:
    assert isinstance(lab.world, ServerWorld)
    return lab.world


def worker_hosts(lab: Lab, count: int) -> Measured:
    """A host with all its workers dies and stays away: its runs finish on the other one."""
    measured, world = Measured(), _world(lab)
    with lab.traffic("host", in_flight=4) as traffic:
        for i in lab.rounds(count):
            name = fleet.WORKERS[i % len(fleet.WORKERS)]
            world.pace(name)
            runs = _held_by(lab, name)
            with world.away(name):
                world.kill_host(name)
                lab.note_death(f"host {name}", runs)
                measured.n += bool(runs)
                measured.problems += _not_taken_over(lab, runs)
            world.wait_pid(name)
            world.wait_ready()
        measured.unsettled = traffic.settle()
    return measured


def _held_by(lab: Lab, name: str, seconds: float = 90.0) -> list[str]:
    """Wait until the host computes something that may die once more."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        held = [run for pid in _world(lab).pool_of(name) for run in lab.world.store.held(pid)]
        if held and all(may_die(run) for run in lab.world.store.runs(held).values()):
            return held
        time.sleep(0.02)
    return []


def _not_taken_over(lab: Lab, runs: list[str]) -> list[str]:
    """Runs that nobody else has finished while their host was away."""
    deadline = time.monotonic() + AWAY_SECONDS
    while (left := lab.world.store.unfinished(runs)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return [f"{run} was not finished elsewhere" for run in left]


def webs(lab: Lab, count: int) -> Measured:
    """A web process dies under its viewers: they go on at the other one, and miss nothing (the checker's matter)."""
    measured = Measured()
    with lab.traffic("webs", kinds=("long", "middle"), in_flight=4, watched=1.0) as traffic:
        for i in lab.rounds(count):
            lab.busy_child()
            began = time.monotonic()
            lab.world.kill_child(fleet.WEBS[i % len(fleet.WEBS)])
            while not lab.world.health():
                time.sleep(0.02)
            measured.recovery.append(time.monotonic() - began)
            measured.n += 1
        measured.unsettled = traffic.settle()
    return measured


frozen = freezing(FROZEN, FREEZE_SECONDS)
