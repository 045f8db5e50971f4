"""What kill -9 cannot show, because the kernel keeps what was written: the order in which files become durable."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

from chaos.lab import Lab, Measured


def durable_order(lab: Lab, count: int) -> Measured:
    """Every recorded file was synced before it got its name, and its directory before it was recorded."""
    measured = Measured()
    with lab.client("durable") as client:
        for _ in lab.rounds(count):
            lab.wait_final(client.submit(lab.rng.choice(("short", "slow"))))
        measured.unsettled = lab.settled()
    for path in sorted((lab.world.control / "trace").glob("*")):
        lines = [line.split(" ") for line in path.read_text().splitlines()]
        measured.n += sum(line[0] == "record" for line in lines)
        measured.problems += wrong_order(lines)
    if not measured.n:
        measured.problems.append("no file was recorded")
    return measured


def damaged_checkpoint(lab: Lab, count: int) -> Measured:
    """A checkpoint that rots between two attempts is worth nothing, and is not used: the result is the same."""
    measured = Measured()
    with lab.client("damaged") as client:
        for i in lab.rounds(count):
            run_id = client.submit("slow")
            if (hit := lab.world.hit("checkpoint-recorded", 20.0, "stop", run=run_id)) is None:
                continue
            run = lab.world.store.run(run_id)
            assert run is not None
            path = lab.world.data / "lake" / run["checkpoint"]["path"]
            if i % 3 == 0:
                path.unlink()
            else:
                data = bytearray(path.read_bytes())
                data[lab.rng.randrange(len(data))] ^= 1 << lab.rng.randrange(8)
                path.write_bytes(data if i % 3 == 1 else data[: lab.rng.randrange(len(data))])
            os.kill(hit.pid, signal.SIGKILL)
            lab.note_death("damaged checkpoint", [run_id])
            measured.n += 1
            if (status := lab.wait_final(run_id)) != "completed":
                measured.problems.append(f"{run_id} is {status} after its checkpoint was damaged")
        measured.unsettled = lab.settled()
    return measured


def wrong_order(lines: list[list[str]]) -> Iterator[str]:
    """lines: what one process did, in order (see inject/chaos_trace.py)."""
    for position, line in enumerate(lines):
        if line[0] != "record":
            continue
        run_id, before = Path(line[1]).parts[-3], lines[:position]
        renames = [i for i, done in enumerate(before) if done[0] == "rename" and done[1].endswith(line[1])]
        if not renames:
            yield f"{run_id}: {Path(line[1]).name} was recorded and not renamed into place before"
            continue
        at, (_, path, temporary) = renames[-1], before[renames[-1]]
        if ["fsync", temporary] not in before[:at]:
            yield f"{run_id}: {Path(path).name} got its name before its bytes were synced"
        if ["fsync", str(Path(path).parent)] not in before[at:]:
            yield f"{run_id}: {Path(path).name} was recorded before its directory was synced"
