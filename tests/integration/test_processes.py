"""Web, worker and scheduler on their own: stopping loses nothing, and a probe tells who hangs."""

import asyncio
import json
import signal
import time
from collections.abc import Iterator
from typing import Any

import httpx
import psutil
import pytest
from fleets import Client, Process, Servers, gone, servers
from held import Hold
from stacks import serving, until
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from backproof.bootstrap import open_repository
from backproof.domain.backtest import Slot
from backproof.domain.documents import Condition, Op
from backproof.settings import load_settings

SMALL = {"name": "small", "strategy_type": "buy_and_hold", "symbols": ["AAPL"], "data_source": "demo"}
DURABLE = ("status_change", "log", "notice", "checkpoint")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, hold: Hold) -> Iterator[Servers]:
    """One store and one Valkey; each test starts the processes that it stops."""
    with servers(tmp_path_factory.mktemp("servers"), **hold.settings) as started:
        yield started


@pytest.fixture(autouse=True)
def _no_worker_outlives_its_test(request: pytest.FixtureRequest) -> Iterator[None]:
    """One that a failed test has left would take the next one's run."""
    yield
    if "running" in request.fixturenames:
        for process in request.getfixturevalue("running").processes:
            if process.log.name.startswith("worker"):
                process.end()


@pytest.fixture(scope="module")
def web(running: Servers) -> Client:
    return Client(running.web().url)


@pytest.fixture(scope="module")
def undisturbed(running: Servers, web: Client, hold: Hold) -> dict[str, str]:
    worker = running.worker("--concurrency", "1")
    run_id = web.submit(hold.config)
    assert web.result(run_id)["status"] == "completed"
    worker.end()
    return web.hashes(run_id)


def in_the_middle(web: Client, hold: Hold) -> str:
    """A new run, when it is being simulated; it has to be held."""
    run_id = web.submit(hold.config)
    until(lambda: web.simulates(run_id), 60.0, "the middle of the run")
    return run_id


# ---- a worker that is stopped -----------------------------------------------------------------------------------


def test_a_stopped_worker_hands_a_long_run_over_and_the_result_is_the_same(
    running: Servers, web: Client, hold: Hold, undisturbed: dict[str, str]
) -> None:
    worker = running.worker("--concurrency", "1", WORKER_DRAIN_SECONDS="0")
    with hold.on():
        run_id = in_the_middle(web, hold)
        pool = worker.pool()
        assert worker.stop() == 0
    assert all(gone(pid) for pid in pool)
    given = web.get(run_id)
    assert (given["status"], given["attempt"]) == ("queued", 1), "given back when the process ended, and not later"
    checkpoints = [
        e["data"]["bar"] for e in web.get(f"{run_id}/events?limit=500")["items"] if e["type"] == "checkpoint"
    ]

    running.worker("--concurrency", "1")
    done = web.result(run_id)
    assert (done["status"], done["attempt"]) == ("completed", 2)
    assert web.reasons(run_id) == ["worker_stopped"], "which is not counted as a crash"
    assert web.hashes(run_id) == undisturbed
    log = [data["message"] for data in web.events(run_id, "log")]
    assert any(line.startswith(f"attempt 2: goes on after bar {checkpoints[-1]} of") for line in log), log


def test_a_stopped_worker_finishes_what_ends_in_time_and_takes_nothing_more(
    running: Servers, web: Client, hold: Hold, undisturbed: dict[str, str]
) -> None:
    worker = running.worker("--concurrency", "1", WORKER_DRAIN_SECONDS="400")
    with hold.on():
        first = in_the_middle(web, hold)
        second = web.submit(hold.config)
        worker.send(signal.SIGTERM)
        until(lambda: not web.workers(), 60.0, "its leave")
    assert worker.wait() == 0
    assert (web.get(first)["status"], web.get(first)["attempt"]) == ("completed", 1)
    assert web.hashes(first) == undisturbed
    assert web.get(second)["status"] == "queued"
    httpx.post(f"{web.url}/api/v1/backtests/{second}/cancel", timeout=20, trust_env=False).raise_for_status()


def test_a_second_sigterm_does_not_wait(running: Servers, web: Client, hold: Hold, undisturbed: dict[str, str]) -> None:
    worker = running.worker("--concurrency", "1", WORKER_DRAIN_SECONDS="600")
    with hold.on():
        run_id = in_the_middle(web, hold)
        worker.send(signal.SIGTERM)
        until(lambda: not web.workers(), 60.0, "its leave")
        assert web.get(f"{run_id}/status")["status"] == "running", "it is waited for"
        worker.send(signal.SIGTERM)
        assert worker.wait() == 0
    running.worker("--concurrency", "1")
    done = web.result(run_id)
    assert (done["status"], done["attempt"], web.reasons(run_id)) == ("completed", 2, ["worker_stopped"])
    assert web.hashes(run_id) == undisturbed


def test_a_process_that_computes_is_given_no_hint_after_the_broker_was_away(
    running: Servers, web: Client, hold: Hold, undisturbed: dict[str, str]
) -> None:
    """The hint would wait there for as long as that takes, and the other process for a hint."""
    patience = {"WORKER_LEASE_SECONDS": "600"}
    scheduler = running.scheduler(**patience)
    worker = running.worker("--concurrency", "2", **patience)
    with hold.on():
        long = in_the_middle(web, hold)
        computing = psutil.Process(web.computes(long))
        computing.suspend()  # it computes for as long as the test likes
    try:
        running.valkey.end()
        until(lambda: "Trying again in" in worker.log.read_text(), 60.0, "the worker's notice")
        running.start_valkey()
        for _ in range(3):
            assert web.result(web.submit(SMALL), 60.0)["status"] == "completed"
        assert web.get(f"{long}/status")["status"] == "running"
    finally:
        computing.resume()
    web.result(long)
    assert web.hashes(long) == undisturbed
    scheduler.end()


# ---- a web process that is stopped ------------------------------------------------------------------------------


async def test_a_viewer_goes_on_at_another_web_process_without_missing_an_event(
    running: Servers, web: Client, hold: Hold, undisturbed: dict[str, str]
) -> None:
    leaving = await asyncio.to_thread(lambda: running.web(WEB_DRAIN_SECONDS="6"))
    worker = await asyncio.to_thread(lambda: running.worker("--concurrency", "1"))
    seen: list[int] = []
    final = ""
    codes: list[int | None] = []

    async def watch(url: str) -> None:
        nonlocal final
        address = f"{url.replace('http', 'ws')}/ws/backtest/{run_id}?after={seen[-1] if seen else 0}"
        async with connect(address, compression=None, proxy=None) as socket:
            try:
                async for message in socket:
                    frame = json.loads(message)
                    if frame["type"] in DURABLE:
                        seen.append(frame["seq"])
                    if frame["type"] == "status_change" and frame["data"]["status"] == "completed":
                        final = frame["data"]["status"]
            except ConnectionClosed as closed:
                codes.append(closed.rcvd.code if closed.rcvd else None)

    async with asyncio.timeout(200):
        with hold.on():
            run_id = await asyncio.to_thread(web.submit, hold.config)
            watching = asyncio.create_task(watch(leaving.url))
            await asyncio.to_thread(until, lambda: web.simulates(run_id), 60.0, "the middle of the run")
            leaving.send(signal.SIGTERM)
            await asyncio.to_thread(until, lambda: readiness(leaving) == 503, 20.0, "being unready")
            assert not watching.done(), "whoever watches is sent away only when the proxies know"
            assert (await asyncio.to_thread(web.get, f"{run_id}/status"))["status"] == "running"
            await watching
        assert codes == [1012]
        assert final == ""
        assert await asyncio.to_thread(leaving.wait) == 0
        await watch(web.url)
    assert final == "completed"
    last = (await asyncio.to_thread(web.get, f"{run_id}/status"))["seq"]
    assert seen == list(range(1, last + 1)), "none twice, none left out"
    assert await asyncio.to_thread(web.hashes, run_id) == undisturbed
    worker.end()


def readiness(process: Process) -> int:
    return httpx.get(f"{process.url}/health/ready", timeout=5.0, trust_env=False).status_code


def test_requests_under_way_are_answered_and_new_ones_are_not_taken(running: Servers) -> None:
    process = running.web()
    with httpx.Client(base_url=process.url, timeout=20.0, trust_env=False) as client:
        assert client.get("/health/live").status_code == 200
        assert process.stop() == 0
        with pytest.raises(httpx.TransportError):
            client.get("/health/live")


# ---- a scheduler that is stopped --------------------------------------------------------------------------------


async def leader(running: Servers) -> int:
    """pid of the scheduler that leads; 0: none does."""
    mongodb = serving(running.data)[1].get("MONGODB_URL")  # in server mode
    repository = await open_repository(load_settings(data_dir=running.data, mongodb_url=mongodb))
    try:
        slots = await repository.find(Slot, (Condition("id", Op.PREFIX, "leader:"),))
    finally:
        await repository.close()
    return slots[0].worker.pid if slots and slots[0].worker else 0


async def test_the_lead_passes_on_at_once(running: Servers) -> None:
    """Not after the lease, which is for schedulers that died: here that is longer than the test may take."""
    settings = {"WORKER_LEASE_SECONDS": "600", "REAPER_INTERVAL_SECONDS": "2"}
    pair = [await asyncio.to_thread(lambda: running.scheduler(**settings)) for _ in range(2)]
    async with asyncio.timeout(60):
        while not (first := await leader(running)):
            await asyncio.sleep(0.05)
    leading, other = sorted(pair, key=lambda one: one.pid != first)
    assert await asyncio.to_thread(leading.stop) == 0
    async with asyncio.timeout(60):
        while await leader(running) != other.pid:
            await asyncio.sleep(0.05)
    assert await asyncio.to_thread(other.stop) == 0
    assert await leader(running) == 0


# ---- who hangs --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def probed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Servers, dict[str, Process]]]:
    with servers(tmp_path_factory.mktemp("probed"), HEALTH_TIMEOUT_SECONDS="5") as started:
        nobody = started.health()
        assert (nobody.returncode, nobody.stdout) == (1, "unhealthy: no backproof process runs here\n")
        yield (
            started,
            {
                "web": started.web(),
                "worker": started.worker("--concurrency", "1"),
                "scheduler": started.scheduler(),
            },
        )


def is_healthy(running: Servers, role: str) -> bool:
    return running.health(role).returncode == 0


@pytest.mark.parametrize("role", ["web", "worker", "scheduler"])
def test_a_process_that_hangs_is_unhealthy_and_the_others_are_not(
    probed: tuple[Servers, dict[str, Process]], role: str
) -> None:
    running, processes = probed
    until(lambda: is_healthy(running, role), 60.0, "health")
    processes[role].send(signal.SIGSTOP)
    try:
        until(lambda: not is_healthy(running, role), 60.0, "the hanging process being seen")
        said = running.health(role)
        assert (said.returncode, said.stderr) == (1, "")
        assert said.stdout.startswith(f"unhealthy: {role} {processes[role].pid} ")
        assert len(said.stdout.splitlines()) == 1
        assert running.health().returncode == 1, "without a role all are looked at"
        others = {"web", "worker", "scheduler"} - {role}
        until(lambda: all(is_healthy(running, other) for other in others), 60.0, "the others' health")
    finally:
        processes[role].send(signal.SIGCONT)
    until(lambda: is_healthy(running, role), 60.0, "health again")


def test_a_pool_process_that_hangs_makes_its_worker_unhealthy(probed: tuple[Servers, dict[str, Process]]) -> None:
    running, processes = probed
    (pid,) = processes["worker"].pool()
    until(lambda: is_healthy(running, "worker"), 60.0, "health")
    psutil.Process(pid).suspend()
    try:
        until(lambda: f"worker {pid} has not been heard of" in running.health("worker").stdout, 60.0, "being seen")
    finally:
        psutil.Process(pid).resume()
    until(lambda: is_healthy(running, "worker"), 60.0, "health again")


def test_a_worker_without_its_broker_waits_and_does_not_hang(probed: tuple[Servers, dict[str, Process]]) -> None:
    running, processes = probed
    running.valkey.end()
    until(lambda: "Trying again in" in processes["worker"].log.read_text(), 60.0, "the worker's notice")
    stays_healthy(running, "worker")
    running.start_valkey()
    until(lambda: running.health("worker").returncode == 0 and takes_work(processes["web"]), 60.0, "the worker")
    stays_healthy(running, "worker")


def stays_healthy(running: Servers, role: str) -> None:
    """For twice as long as a process may be silent."""
    looked: list[Any] = []
    until_then = time.monotonic() + 12.0
    until(lambda: looked.append(running.health(role)) or time.monotonic() > until_then, 60.0, "that time being over")
    assert {one.returncode for one in looked} == {0}, {one.stdout for one in looked}


def takes_work(web: Process) -> bool:
    """Whether a worker says so, which it does once it is connected."""
    return bool(httpx.get(f"{web.url}/health/ready", timeout=5.0, trust_env=False).json()["workers"])
