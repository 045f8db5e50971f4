"""Everything mixed: some fault every few seconds, cancels meanwhile, for as long as there is time."""

import os
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from chaos.inject.chaos_names import WORKER
from chaos.lab import Lab, Measured
from chaos.recorder import Client
from chaos.scenario_broker import flush
from chaos.world import stopped

APART_SECONDS = (1.0, 12.0)  # between the end of one fault and the next


def soak(lab: Lab, count: int) -> Measured:
    """count: faults. Runs of all sizes are in flight, three of four watched, some cancelled."""
    measured, done = Measured(), Counter[str]()
    with (
        lab.traffic("soak", kinds=("long", "middle", "short"), in_flight=6, watched=0.75) as traffic,
        lab.client("soak-cancel") as client,
    ):
        for _ in lab.rounds(count):
            time.sleep(lab.rng.uniform(*APART_SECONDS))
            if traffic.ids and lab.rng.random() < 0.5:
                client.cancel(lab.rng.choice(traffic.ids[-8:]))
            name = lab.rng.choices(list(FAULTS), [weight for _, weight in FAULTS.values()])[0]
            FAULTS[name][0](lab, client)
            done[name] += 1
        lab.world.disarm()
        measured.unsettled = traffic.settle()
    measured.n = done.total()
    measured.figures = {"faults": dict(done)}
    return measured


def _point(lab: Lab, _: Client) -> None:
    if (hit := lab.world.hit(lab.rng.choice(list(WORKER)), 15.0, max_attempt=2)) is not None:
        lab.note_hit(hit)


def _stale(lab: Lab, _: Client) -> None:
    point = lab.rng.choice(("finish-before", "result-file", "checkpoint-file", "simulating"))
    if (hit := lab.world.hit(point, 15.0, "stop", max_attempt=2)) is not None:
        lab.note_hit(hit)
        time.sleep(lab.rng.uniform(1.0, 15.0))
        lab.note_thaw([hit.run] if hit.run else [])
        with suppress(ProcessLookupError):
            os.kill(hit.pid, signal.SIGCONT)


def _child(lab: Lab, _: Client) -> None:
    if (child := lab.busy_child(10.0)) is not None:
        with suppress(ProcessLookupError):
            lab.kill_pool_child(child)


def _parent(lab: Lab, _: Client) -> None:
    runs = lab.world.store.held()
    lab.world.kill_child("runs")
    lab.note_death("celery parent", runs)


def _supervised(name: str) -> Callable[[Lab, Client], None]:
    def fault(lab: Lab, _: Client) -> None:
        lab.world.kill_child(name)

    return fault


def _valkey(lab: Lab, _: Client) -> None:
    pid = lab.world.kill_child("valkey")
    if lab.rng.random() < 0.5:
        shutil.rmtree(lab.world.data / "valkey" / "appendonlydir", ignore_errors=True)
    lab.world.wait_pid("valkey", other_than=pid)


def _flush(lab: Lab, _: Client) -> None:
    flush(lab.world)


def _frozen(lab: Lab, _: Client) -> None:
    name = random.Random(lab.rng.random()).choice(("runs", "valkey", "scheduler", "web"))
    with suppress(ProcessLookupError), stopped(lab.world.wait_pid(name)):
        time.sleep(lab.rng.uniform(1.0, 20.0))


def _everything(lab: Lab, _: Client) -> None:
    runs = lab.world.store.held()
    lab.world.kill_everything()
    lab.note_death("everything", runs)
    lab.world.start()


Fault = tuple[Callable[[Lab, Client], None], float]
FAULTS: dict[str, Fault] = {
    "point": (_point, 4.0),
    "stale": (_stale, 1.0),
    "child": (_child, 2.0),
    "parent": (_parent, 0.7),
    "web": (_supervised("web"), 1.0),
    "scheduler": (_supervised("scheduler"), 1.0),
    "valkey": (_valkey, 1.5),
    "flush": (_flush, 0.7),
    "frozen": (_frozen, 0.5),
    "everything": (_everything, 0.3),
}
