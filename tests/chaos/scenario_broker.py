"""Valkey dies, forgets, and tells things twice or not at all: nothing that was accepted depends on it."""

import shutil
import time
from collections.abc import Callable
from contextlib import suppress

import psutil
import redis

from chaos.facts import epoch
from chaos.lab import Lab, Measured
from chaos.world import World, stopped

HINT_QUEUE = "backtest_execution"
CAPACITY_SECONDS = 30.0
IDLE_SHARE = 0.4


def valkeys(lab: Lab, count: int) -> Measured:
    """SIGKILL of Valkey; every other time its files are gone when it comes back."""
    return _broken(lab, count, lambda i: _kill(lab, wipe=i % 2 == 1))


def flushed(lab: Lab, count: int) -> Measured:
    """Valkey stays up and loses everything it holds."""
    return _broken(lab, count, lambda _: flush(lab.world))


def frozen_brokers(lab: Lab, count: int) -> Measured:
    """Valkey stands still for longer than the lease: runs go on without it, and no worker takes itself for lost."""

    def breaks(_: int) -> None:
        with suppress(ProcessLookupError), stopped(lab.world.wait_pid("valkey")):
            time.sleep(lab.rng.uniform(12.0, 25.0))

    return _broken(lab, count, breaks)


def workers_and_brokers(lab: Lab, count: int) -> Measured:
    """A pool child and the broker die at about the same time, which is when Celery is most likely to lose count."""

    def breaks(_: int) -> None:
        if (child := lab.busy_child()) is not None:
            lab.kill_pool_child(child)
        time.sleep(lab.rng.choice((0.0, 0.0, 0.05, 0.3)))
        if lab.world.broker is None:
            _kill(lab, wipe=lab.rng.random() < 0.5)
        else:
            lab.world.broker.kill()
            lab.world.broker.start()

    return _broken(lab, count, breaks, workers_die=True)


def _broken(lab: Lab, count: int, breaks: Callable[[int], None], *, workers_die: bool = False) -> Measured:
    """Under traffic: break the broker, time a short run that is submitted right after and next in turn, and look
    whether all work and viewers see curves grow again, which they hear of only through the broker."""
    measured = Measured()
    broken: list[float] = []
    after: list[str] = []
    with (
        lab.traffic("valkey", kinds=("slow",), in_flight=5, watched=1.0) as traffic,
        lab.client("after-valkey") as client,
    ):
        for i in lab.rounds(count):
            lab.busy_child()
            time.sleep(lab.rng.uniform(0.0, 1.0))
            breaks(i)
            broken.append(time.time())
            after.append(client.submit("short", priority="high"))
            measured.problems += _what_is_wrong_with_workers(lab)
            _until_live_again(lab, broken[-1])
            measured.n += 1
        measured.unsettled = [*traffic.settle(), *lab.settled()]
    ends = {run_id: run["completed_at"] for run_id, run in lab.world.store.runs(after).items()}
    measured.recovery = [epoch(ends[run]) - at for run, at in zip(after, broken, strict=True) if ends.get(run)]
    live = _live_again(lab, broken)
    measured.figures = {"live_again_seconds": live}
    if len(live) < len(broken):
        measured.problems.append(f"after {len(broken) - len(live)} breaks no viewer was sent a curve any more")
    if not workers_die:
        measured.problems += [f"{run} was computed more than once although no worker died" for run in _repeated(lab)]
    return measured


def _until_live_again(lab: Lab, since: float) -> None:
    """While there is traffic: when it has ended, no curve grows any more."""
    deadline = time.monotonic() + lab.patience
    while not _live_again(lab, [since]) and time.monotonic() < deadline:
        lab.world.check_alive()
        time.sleep(0.2)


def _live_again(lab: Lab, broken: list[float]) -> list[float]:
    """Seconds from each of these instants until a viewer was sent a growing curve."""
    frames = [entry for entry in lab.recorder.entries() if entry["kind"] == "frame" and entry["type"] == "equity"]
    curves = [frame["wall"] for frame in frames]
    later = [min((wall for wall in curves if wall > at), default=None) for at in broken]
    return sorted(round(wall - at, 2) for wall, at in zip(later, broken, strict=True) if wall is not None)


def _what_is_wrong_with_workers(lab: Lab) -> list[str]:
    """With more runs in flight than processes, each of these has one before long, and their parent next to nothing
    to do."""
    problems = []
    deadline = time.monotonic() + CAPACITY_SECONDS
    while (busy := lab.world.store.holders()) < (pool := len(lab.world.pool()) - lab.world.reserve) or pool < 2:
        lab.world.check_alive()
        if time.monotonic() > deadline:
            problems.append(f"only {busy} of {pool} processes have a run after {CAPACITY_SECONDS:g} s of full queue")
            break
        time.sleep(0.05)
    parent = psutil.Process(lab.world.wait_pid("runs"))
    before, began = parent.cpu_times(), time.monotonic()
    time.sleep(1.0)
    used, passed = sum(parent.cpu_times()[:2]) - sum(before[:2]), time.monotonic() - began
    if used > IDLE_SHARE * passed:
        problems.append(f"the parent of the processes used {used:.1f} s of processor time in {passed:.1f} s")
    return problems


def _kill(lab: Lab, *, wipe: bool) -> None:
    pid = lab.world.kill_child("valkey")
    if wipe:  # the supervisor starts it again after 0.1 s or more
        shutil.rmtree(lab.world.data / "valkey" / "appendonlydir", ignore_errors=True)
    lab.world.wait_pid("valkey", other_than=pid)


def brokers(lab: Lab, count: int) -> Measured:
    """A server outside the stack dies, stays away for up to some seconds, and may have forgotten everything."""

    def breaks(_: int) -> None:
        lab.world.broker.kill()
        time.sleep(lab.rng.choice((0.0, 0.1, 1.0, 4.0)))
        if lab.rng.random() < 0.5:
            shutil.rmtree(lab.world.broker.directory)
        lab.world.broker.start()

    return _broken(lab, count, breaks)


def flush(world: World) -> None:
    """Let the broker forget everything; one that does not answer has to be asked another time."""
    with suppress(redis.RedisError, OSError), redis.Redis.from_url(world.redis_url(), socket_timeout=5.0) as broker:
        broker.flushall()


def _repeated(lab: Lab) -> list[str]:
    facts = lab.facts()
    return [run for run in facts.accepted() if run in facts.runs and facts.runs[run]["fence"] > 1]


def hints(lab: Lab, count: int) -> Measured:
    """Each hint five times, and the queue emptied behind the workers' backs: every run is computed once."""
    measured = Measured()
    lost = doubled = 0
    with lab.client("hints") as client, redis.Redis.from_url(lab.world.redis_url()) as broker:
        ids = []
        for _ in lab.rounds(count):
            began = time.monotonic()
            run_id = client.submit(lab.rng.choice(("short", "short", "middle")))
            ids.append(run_id)
            if lab.rng.random() < 0.5:
                lost += 1
                broker.delete(HINT_QUEUE)
            else:
                doubled += _repeat_hint(lab, 5)
            if lab.rng.random() < 0.3:  # else several wait at once
                lab.wait_final(run_id)
                measured.recovery.append(time.monotonic() - began)
        measured.n = lost + doubled
        measured.unsettled = lab.settled()
    measured.problems = [f"{run} was computed more than once" for run in _repeated(lab)]
    measured.figures = {"queues_deleted": lost, "hints_sent": doubled}
    return measured


def _repeat_hint(lab: Lab, times: int) -> int:
    """Send the workers' message as the product does; how often."""
    from backproof.messaging.queue import WorkQueue
    from backproof.redis_url import RedisUrl

    queue = WorkQueue(RedisUrl.parse(lab.world.redis_url()))
    try:
        for _ in range(times):
            queue.hint()
    finally:
        queue.close()
    return times


def same_key(lab: Lab, count: int) -> Measured:
    """Many requests with one Idempotency-Key at once are one run."""
    from concurrent.futures import ThreadPoolExecutor

    measured = Measured()
    at_once = 20
    with lab.client("same-key") as client, ThreadPoolExecutor(at_once) as pool:
        for i in lab.rounds(count):
            key = f"same-{i}-{time.time_ns()}"
            answers = list(pool.map(lambda _, key=key: client.post_once(key, "short"), range(at_once)))
            codes = [answer.status_code if answer is not None else 0 for answer in answers]
            measured.n += at_once
            measured.problems += [f"{key} was answered with {code}" for code in set(codes) - {200}]
        measured.unsettled = lab.settled()
    return measured
