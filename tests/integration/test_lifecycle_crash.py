"""Killed processes lose nothing: a real stack, real runs of some seconds, kill -9 by process id."""

import asyncio
import datetime as dt
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from stacks import START_SECONDS, environment, files_of, import_prices, serving
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from chaos import workloads

BARS = 3000
CONFIG: dict[str, Any] = {**workloads.LONG, "name": "many symbols, rebalanced daily", "data_source": "many"}
FINAL = ("completed", "failed", "cancelled")
PATIENCE = {"WORKER_LEASE_SECONDS": "600"}  # for hosts that died; a process that died is seen without it
TRIES = 20  # to catch a run at an instant that may come too late


class Stack:
    """A stack on a data directory, started and stopped by the test."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command, needed = serving(self.directory, "--port", "0")
        given = environment(**needed, **PATIENCE)
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=given)
        server = self.directory / "server.json"

        def is_up() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, "the stack did not start"
            return server.exists() and json.loads(server.read_text())["pid"] == self.process.pid

        until(is_up, START_SECONDS)
        self.client = httpx.Client(base_url=json.loads(server.read_text())["url"], timeout=20)

    def kill(self) -> None:
        """Everything at once, as a power cut would."""
        assert self.process is not None
        family = [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)]
        for process in family:
            process.kill()
        self.process.wait(60)
        psutil.wait_procs(family, timeout=60)
        self.client.close()

    def stop(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self.client.close()

    def submit(self) -> str:
        answer = self.client.post("/api/v1/backtests?use_cache=false", json=CONFIG)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["backtest_id"])

    def get(self, path: str) -> Any:
        answer = self.client.get(f"/api/v1/backtests/{path}")
        answer.raise_for_status()
        return answer.json()

    def worker_pid(self, run_id: str) -> int:
        """The pid that computes the run, once it was claimed."""
        until(lambda: bool(self.running_events(run_id)))
        return int(self.running_events(run_id)[-1]["data"]["worker"].rpartition(":")[2])

    def catch(self, run_id: str, after_seconds: float = 0.0) -> int:
        """The pid that computes the run and stands still, some time after the claim; 0: the run was over by then."""
        pid = self.worker_pid(run_id)
        time.sleep(after_seconds)  # an instant in the middle, not something to wait for
        process = psutil.Process(pid)
        process.suspend()
        if self.get(f"{run_id}/status")["status"] == "running":
            return pid
        process.resume()
        return 0

    def caught(self, after_seconds: float = 0.0) -> tuple[str, int]:
        """A new run that was caught, and the pid."""
        for _ in range(TRIES):
            run_id = self.submit()
            if pid := self.catch(run_id, after_seconds):
                return run_id, pid
        raise AssertionError("every run was over before its middle")

    def running_events(self, run_id: str) -> list[dict[str, Any]]:
        events = self.get(f"{run_id}/events?limit=500")["items"]
        return [e for e in events if e["type"] == "status_change" and e["data"]["status"] == "running"]

    def wait_final(self, run_id: str, seconds: float = 90) -> dict[str, Any]:
        until(lambda: self.get(f"{run_id}/status")["status"] in FINAL, seconds)
        return dict(self.get(run_id))


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return
        except httpx.TransportError:
            pass  # the web process is being started again
        assert time.monotonic() < deadline, "the condition was not reached"
        time.sleep(0.005)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    directory = tmp_path_factory.mktemp("crash")
    workloads.write_prices(directory / "many.parquet", BARS)
    data = directory / "data"
    import_prices(directory / "many.parquet", "many", data)
    stack = Stack(data)
    stack.start()
    yield stack
    stack.stop()


@pytest.fixture(scope="module")
def undisturbed(stack: Stack) -> dict[str, Any]:
    # the instants of the kills must count neither caches that the first one fills nor what else the machine did
    runs = [stack.wait_final(stack.submit()) for _ in range(4)]
    assert {run["status"] for run in runs} == {"completed"}, [run["error"] for run in runs]
    took = min(run["duration_seconds"] for run in runs)
    return {**stack.get(f"{runs[-1]['backtest_id']}/manifest"), "took": took}


def assert_same_result(stack: Stack, run: dict[str, Any], undisturbed: dict[str, Any], attempts: int) -> None:
    assert run["status"] == "completed", run["error"]
    assert run["attempt"] == attempts
    manifest = stack.get(f"{run['backtest_id']}/manifest")
    for name in ("equity_hash", "fills_hash", "fingerprint"):
        assert manifest[name] == undisturbed[name], name
    seqs = [event["seq"] for event in stack.get(f"{run['backtest_id']}/events?limit=500")["items"]]
    assert seqs == list(range(1, len(seqs) + 1))

    def left() -> set[str]:
        return {path.split("/")[2] for path in files_of(stack.directory, run["backtest_id"])}

    until(lambda: left() == {str(attempts)})  # what earlier attempts left is tidied up after the end is told


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6])
def test_a_run_whose_worker_is_killed_is_finished_by_another(
    stack: Stack, undisturbed: dict[str, Any], share: float
) -> None:
    run_id, pid = stack.caught(share * undisturbed["took"])
    os.kill(pid, signal.SIGKILL)
    until(lambda: len(stack.running_events(run_id)) == 2)
    assert_same_result(stack, stack.wait_final(run_id), undisturbed, attempts=2)


def test_a_killed_celery_parent_loses_nothing(stack: Stack, undisturbed: dict[str, Any]) -> None:
    run_id, pid = stack.caught()
    parent = psutil.Process(pid).parent()
    assert parent is not None
    parent.kill()
    assert_same_result(stack, stack.wait_final(run_id), undisturbed, attempts=2)


def test_a_killed_valkey_disturbs_no_run(stack: Stack, undisturbed: dict[str, Any]) -> None:
    run_id = stack.submit()
    stack.worker_pid(run_id)
    assert stack.process is not None
    family = psutil.Process(stack.process.pid).children(recursive=True)
    next(p for p in family if p.name() in ("valkey-server", "redis-server")).kill()
    assert_same_result(stack, stack.wait_final(run_id), undisturbed, attempts=1)
    again = stack.wait_final(stack.submit())
    assert again["status"] == "completed", "the restarted broker takes work again"


def test_everything_killed_at_once_and_started_again_finishes_what_was_accepted(
    stack: Stack, undisturbed: dict[str, Any]
) -> None:
    caught, _ = stack.caught()
    runs = [caught, *(stack.submit() for _ in range(3))]
    stack.kill()
    stack.start()
    finished = [stack.wait_final(run_id, seconds=90) for run_id in runs]
    assert [run["status"] for run in finished] == ["completed"] * 4
    assert finished[0]["attempt"] == 2
    for run in finished:
        assert_same_result(stack, run, undisturbed, attempts=run["attempt"])


async def test_a_viewer_sees_every_event_once_and_in_order_through_a_kill_and_its_own_reconnects(
    stack: Stack, undisturbed: dict[str, Any]
) -> None:
    url = f"{str(stack.client.base_url).replace('http', 'ws').rstrip('/')}/ws/backtest"
    seen: list[int] = []
    final = ""

    async def watch(run_id: str) -> None:
        nonlocal final
        async with asyncio.timeout(90):
            while not final:
                async with connect(f"{url}/{run_id}?after={seen[-1] if seen else 0}", compression=None) as socket:
                    opened = dt.datetime.now(dt.UTC)
                    try:
                        async for message in socket:
                            frame = json.loads(message)
                            if frame["type"] in ("status_change", "log", "notice", "checkpoint"):
                                seen.append(frame["seq"])
                            if frame["type"] == "status_change" and frame["data"]["status"] in FINAL:
                                final = frame["data"]["status"]
                                break
                            if dt.datetime.now(dt.UTC) - opened > dt.timedelta(seconds=0.5):
                                break  # drop the connection and come back
                    except ConnectionClosed:
                        continue

    for _ in range(TRIES):
        seen, final = [], ""
        run_id = await asyncio.to_thread(stack.submit)
        viewer = asyncio.create_task(watch(run_id))
        if pid := await asyncio.to_thread(stack.catch, run_id, undisturbed["took"] / 2):
            break
        await viewer
    os.kill(pid, signal.SIGKILL)
    await viewer
    assert final == "completed"
    run = await asyncio.to_thread(stack.get, f"{run_id}/status")
    assert run["attempt"] == 2
    last = run["seq"]
    assert seen == list(range(1, last + 1))
