"""Single processes whose Redis or MongoDB is away when they start, goes away later, or cannot be used at all."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import websockets
from stacks import COMMAND, environment, until

from redis_servers import RedisServer, free_port

sys.path.insert(0, str(Path(__file__).parents[1] / "contract"))

from wire_stub import error, refusing

from mongo_servers import Missing, started, with_database

pytestmark = pytest.mark.local_stack("processes with servers of their own, the same in both sizes")
SECRET = "geheim"
IN_TIME = 15.0  # many calls at once would need longer, if each of them waited for a server that does not answer
DEMO = {"name": "waits", "strategy_type": "buy_and_hold", "symbols": ["MSFT"], "data_source": "demo"}
WORKER = ("worker", "--queues", "backtest_execution", "--concurrency", "1")


class Fleet:
    """Processes started one by one, by the settings they share."""

    def __init__(self, directory: Path, **settings: str) -> None:
        self.directory = directory
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._settings = environment(
            DATA_DIR=str(directory / "data"), WEB_PORT=str(self.port), LOG_FORMAT="json", **settings
        )
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        with self.log(command[0]).open("ab") as log:
            process = subprocess.Popen(
                [*COMMAND, *command], stdout=log, stderr=log, env=self._settings, cwd=self.directory
            )
        self._processes[command[0]] = process
        return process

    def log(self, name: str) -> Path:
        return self.directory / f"{name}.log"

    def lines(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log(name).read_text().splitlines() if line.startswith("{")]

    def said(self, name: str, event: str) -> int:
        """How often a process said so."""
        return sum(line.get("event") == event for line in self.lines(name)) if self.log(name).exists() else 0

    def alive(self) -> bool:
        return all(process.poll() is None for process in self._processes.values())

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path, timeout=20.0, trust_env=False)

    def live(self) -> bool:
        try:
            return self.get("/health/live").status_code == 200
        except httpx.HTTPError:
            return False

    def ready(self) -> dict[str, Any]:
        found: dict[str, Any] = self.get("/health/ready").json()
        return found

    def submit(self) -> str:
        """Again where a store that has just come stood still for a moment: that is a 503, and nothing was accepted."""
        address = f"{self.url}/api/v1/backtests?use_cache=false"
        for _ in range(10):
            answer = httpx.post(address, json=DEMO, timeout=20.0, trust_env=False)
            if answer.status_code != 503:
                break
        assert answer.status_code == 200, answer.text
        return str(answer.json()["backtest_id"])

    def status(self, run: str) -> str:
        """`503` where the store stands still."""
        return str(self.get(f"/api/v1/backtests/{run}/status").json()["status"])

    def stop(self) -> None:
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def fleet(directory: Path, **settings: str) -> Iterator[Fleet]:
    running = Fleet(directory, **settings)
    try:
        yield running
    finally:
        running.stop()
        for log in directory.glob("*.log"):
            assert SECRET not in log.read_text()


def rights_of_the_guide() -> str:
    guide = (Path(__file__).parents[2] / "docs" / "guides" / "servers.md").read_text("utf-8")
    (line,) = [line for line in guide.splitlines() if line.startswith("ACL SETUSER backproof ")]
    return line.removeprefix("ACL SETUSER backproof ").replace("PASSWORD", SECRET)


def test_processes_start_before_their_redis_and_outlive_it(tmp_path: Path) -> None:
    users = tmp_path / "users.acl"
    users.write_text(f"user default on nopass ~* &* +@all\nuser backproof {rights_of_the_guide()}\n")
    redis = RedisServer(tmp_path / "redis", aclfile=str(users), appendonly="no")
    url = f"redis://backproof:{SECRET}@127.0.0.1:{redis.port}/3"
    with fleet(tmp_path, REDIS_URL=url) as here:
        try:
            here.start("web")
            here.start("scheduler")
            here.start(*WORKER)
            until(here.live, 60.0, "the web process")
            until(lambda: here.said("worker", "waiting_for_redis"), 60.0, "the worker's word")
            run = here.submit()
            ready = here.ready()
            assert (ready["status"], ready["store"], ready["broker"]) == ("degraded", "ok", "unavailable")
            assert here.status(run) == "queued"
            redis.start()
            until(lambda: here.status(run) == "completed", 100.0, "the run that waited")
            assert here.ready()["status"] == "ready"

            redis.kill()  # with all that it held
            until(lambda: here.ready()["broker"] == "unavailable", 60.0, "the news")
            run = here.submit()
            redis.start()
            until(lambda: here.status(run) == "completed", 60.0, "the second run that waited")
            assert here.alive()
            for process in ("web", "scheduler", "worker"):
                assert here.said(process, "waiting_for_redis") <= 1
            assert psutil.Process(here._processes["web"].pid).cmdline().count(SECRET) == 0
        finally:
            redis.kill()


@pytest.mark.parametrize("command", [("web",), ("scheduler",), WORKER])
def test_a_process_with_a_wrong_password_ends_with_one_line(tmp_path: Path, command: tuple[str, ...]) -> None:
    redis = RedisServer(tmp_path / "redis", requirepass="another").start()
    try:
        with fleet(tmp_path, REDIS_URL=f"redis://:{SECRET}@127.0.0.1:{redis.port}/0") as here:
            assert here.start(*command).wait(100) == 1
            assert only_error(here.log(command[0])) == (
                f"error: Redis 127.0.0.1:{redis.port}: user or password of REDIS_URL are wrong, or missing"
            )
    finally:
        redis.kill()


def only_error(log: Path) -> str:
    """The one line that is more than uvicorn's words about its start and end, and that a busy server was waited for."""
    said = [line for line in log.read_text().splitlines() if '"level": "info"' not in line]
    said = [line for line in said if '"event": "waiting_for_' not in line]
    assert len(said) == 1, said
    assert said[0].startswith("error: ")
    return said[0]


@asynccontextmanager
async def client_of(here: Fleet) -> AsyncIterator[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=100)
    async with httpx.AsyncClient(base_url=here.url, timeout=IN_TIME, trust_env=False, limits=limits) as client:
        await client.get("/api/v1/backtests")  # the first use loads what later ones have
        yield client


async def test_while_redis_is_frozen_every_call_answers_in_time(tmp_path: Path) -> None:
    redis = RedisServer(tmp_path / "redis").start()
    with fleet(tmp_path, REDIS_URL=redis.url) as here:
        try:
            here.start("web")
            until(here.live, 60.0, "the web process")
            until(lambda: here.ready()["live_updates"] == "ok", 60.0, "live updates")
            runs = [here.submit() for _ in range(3)]
            async with client_of(here) as client:
                redis.freeze()
                for _ in range(3):
                    await calls_are_in_time(client, here, runs)
                ready = (await client.get("/health/ready")).json()
                assert (ready["status"], ready["broker"], ready["store"]) == ("degraded", "unavailable", "ok")
                assert ready["live_updates"] == "unavailable"
                redis.thaw()
                async with asyncio.timeout(60):
                    while (ready := (await client.get("/health/ready")).json())["broker"] != "ok":
                        await asyncio.sleep(0.02)
            until(lambda: here.ready()["live_updates"] == "ok", 60.0, "live updates")
        finally:
            redis.kill()


async def calls_are_in_time(client: httpx.AsyncClient, here: Fleet, runs: list[str]) -> None:
    some = runs[0]

    async def posted() -> None:
        answer = await client.post("/api/v1/backtests?use_cache=false", json=DEMO)
        assert answer.status_code == 200, answer.text

    async def read(path: str) -> None:
        answer = await client.get(path)
        assert answer.status_code == 200, answer.text

    async def connected() -> None:
        async with websockets.connect(f"{here.url.replace('http', 'ws')}/ws/backtest/{some}", proxy=None) as socket:
            async with asyncio.timeout(2 * IN_TIME):
                first = json.loads(await socket.recv())
                assert first["type"] == "initial_status"
                while True:
                    frame = json.loads(await socket.recv())
                    if frame["type"] == "heartbeat" and not frame["data"]["live"]:
                        break

    paths = ("/api/v1/backtests", f"/api/v1/backtests/{some}", f"/api/v1/backtests/{some}/status", "/health/ready")
    more = ("/health/live", "/metrics", "/api/v1/system/queue", "/api/v1/system/workers")
    async with asyncio.TaskGroup() as group:
        for _ in range(15):
            group.create_task(posted())
        for path in (*paths, *more):
            group.create_task(read(path))
        group.create_task(connected())
    new = (await client.post("/api/v1/backtests?use_cache=false", json=DEMO)).json()["backtest_id"]
    cancelled = await client.post(f"/api/v1/backtests/{new}/cancel")
    assert cancelled.status_code == 200, cancelled.text


@contextmanager
def mongo(port: int = 0) -> Iterator[tuple[subprocess.Popen[str], str]]:
    try:
        with started(port) as server:
            yield server
    except Missing as missing:
        pytest.skip(str(missing))


async def test_processes_start_before_their_store_and_answer_503_in_time(tmp_path: Path) -> None:
    redis = RedisServer(tmp_path / "redis").start()
    port = free_port()
    url = f"mongodb://127.0.0.1:{port}/backproof"
    with fleet(tmp_path, REDIS_URL=redis.url, MONGODB_URL=url) as here:
        try:
            here.start("web")
            here.start("scheduler")
            here.start(*WORKER)
            until(here.live, 60.0, "the web process")
            for name in ("web", "scheduler", "worker"):
                until(lambda: here.said(name, "waiting_for_the_store"), 60.0, f"the word of {name}")  # noqa: B023
            ready = here.get("/health/ready")
            assert (ready.status_code, ready.json()["store"], ready.json()["broker"]) == (503, "unavailable", "ok")
            assert f"127.0.0.1:{port}" in ready.json()["reasons"][0]
            async with httpx.AsyncClient(base_url=here.url, timeout=IN_TIME, trust_env=False) as client:
                await refusals_are_in_time(client, here, "bt-000000000000")
            with mongo(port) as (server, _):
                until(lambda: here.ready().get("status") == "ready", 60.0, "the whole service")
                run = here.submit()
                until(lambda: here.status(run) == "completed", 100.0, "the run")
                for name in ("web", "scheduler", "worker"):
                    assert here.said(name, "waiting_for_the_store") == 1
                    assert here.said(name, "the_store_answers") == 1
                async with client_of(here) as client:
                    os.kill(server.pid, signal.SIGSTOP)
                    while psutil.Process(server.pid).status() != psutil.STATUS_STOPPED:
                        await asyncio.sleep(0.01)
                    for _ in range(3):
                        await refusals_are_in_time(client, here, run)
                    os.kill(server.pid, signal.SIGCONT)
                    until(lambda: here.ready()["store"] == "ok", 60.0, "the store")
                assert here.alive()
                assert here.said("scheduler", "round_failed") <= 2
                run = here.submit()
                until(lambda: here.status(run) == "completed", 60.0, "the run after that")
        finally:
            redis.kill()


async def refusals_are_in_time(client: httpx.AsyncClient, here: Fleet, run: str) -> None:
    async def refused(method: str, path: str, body: Any = None) -> None:
        answer = await client.request(method, path, json=body)
        assert answer.status_code == 503, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert int(answer.headers["retry-after"]) > 0
        assert answer.json()["code"] == "store_unavailable"

    async def not_ready() -> None:
        answer = await client.get("/health/ready")
        assert (answer.status_code, answer.json()["store"]) == (503, "unavailable")

    async def closed() -> None:
        async with websockets.connect(f"{here.url.replace('http', 'ws')}/ws/backtest/{run}", proxy=None) as socket:
            with pytest.raises(websockets.ConnectionClosed):
                async with asyncio.timeout(IN_TIME):
                    await socket.recv()
            assert (socket.close_code, socket.close_reason) == (1013, "the metadata store does not answer")

    async with asyncio.TaskGroup() as group:
        for _ in range(10):
            group.create_task(refused("POST", "/api/v1/backtests", DEMO))
            group.create_task(refused("GET", "/api/v1/backtests"))
        for path in ("", "/status", "/events", "/logs", "/metrics"):
            group.create_task(refused("GET", f"/api/v1/backtests/{run}{path}"))
        group.create_task(refused("POST", f"/api/v1/backtests/{run}/cancel"))
        group.create_task(refused("GET", "/api/v1/system/queue"))
        group.create_task(refused("GET", "/metrics"))
        group.create_task(not_ready())
        group.create_task(closed())
        live = await client.get("/health/live")
    assert live.status_code == 200


HALF: Mapping[str, Any] = {"_id": "move", "schema_version": 1, "source": "/old/store", "copied": {}}
REFUSALS = {
    "user or password of MONGODB_URL are wrong": {"saslstart": error(18, "AuthenticationFailed", "no")},
    "may not write to this database": {"update": error(13, "Unauthorized", "not authorized")},
    "reports wire version 2": {"hello": {"ismaster": True, "maxWireVersion": 2, "minWireVersion": 0, "ok": 1.0}},
    "this backproof knows 1: install the newer backproof": {
        "find": {"cursor": {"id": 0, "ns": "x.y", "firstBatch": [{"_id": "backproof", "version": 2}]}, "ok": 1.0}
    },
}


@pytest.mark.parametrize("reason", REFUSALS)
@pytest.mark.parametrize("command", [("web",), ("scheduler",), WORKER], ids=lambda command: command[0])
async def test_a_store_that_cannot_be_used_ends_the_process_with_one_line(
    tmp_path: Path, reason: str, command: tuple[str, ...]
) -> None:
    answers = dict(REFUSALS[reason])
    if "hello" in answers:
        answers["ismaster"] = answers["hello"]
    user = f"user:{SECRET}@" if "password" in reason else ""
    redis = RedisServer(tmp_path / "redis").start()
    try:
        async with refusing(answers) as where:
            with fleet(tmp_path, REDIS_URL=redis.url, MONGODB_URL=f"mongodb://{user}{where}/x") as here:
                process = here.start(*command)
                assert await asyncio.to_thread(process.wait, 100) == 1
            assert reason in only_error(here.log(command[0]))
    finally:
        redis.kill()


def test_a_store_that_is_filled_by_half_is_left_alone(tmp_path: Path) -> None:
    redis = RedisServer(tmp_path / "redis").start()
    try:
        with mongo() as (_, url), fleet(tmp_path, REDIS_URL=redis.url, MONGODB_URL=with_database(url, "half")) as here:
            import pymongo

            with pymongo.MongoClient[dict[str, Any]](url) as client:
                half = client["half"]
                half.schema_version.insert_one({"_id": "backproof", "version": 1})
                half.moves.insert_one(dict(HALF))
            assert here.start("scheduler").wait(100) == 1
            assert only_error(here.log("scheduler")) == (
                "error: the metadata store holds only a part of /old/store: repeat `backproof migrate-store`"
            )
            with pymongo.MongoClient[dict[str, Any]](url) as client:
                assert list(client["half"].moves.find()) == [HALF]
                assert client["half"].backtests.count_documents({}) == 0
    finally:
        redis.kill()


def test_the_doctor_asks_the_servers_that_the_settings_name(cli: Any, tmp_path: Path) -> None:
    redis = RedisServer(
        tmp_path / "redis", requirepass=SECRET, maxmemory="64mb", maxmemory_policy="allkeys-lru"
    ).start()
    place = f"127.0.0.1:{redis.port}"
    away = f"mongodb://user:{SECRET}@127.0.0.1:{free_port()}/x"
    try:
        url = f"redis://:{SECRET}@{place}/1"
        found = cli("doctor", data_dir=tmp_path, more={"REDIS_URL": url, "MONGODB_URL": away})
        assert found.returncode == 1
        assert f"{place}, database 1 answers" in found.stdout
        assert "maxmemory-policy is allkeys-lru" in found.stdout
        assert "no server answers" in found.stdout
        assert SECRET not in found.stdout + found.stderr
        refused = cli("doctor", data_dir=tmp_path, more={"REDIS_URL": f"redis://:{SECRET}2@{place}/1"})
        assert refused.returncode == 1
        assert "user or password of REDIS_URL are wrong" in refused.stdout
        with redis.admin() as admin:
            admin.config_set("maxmemory-policy", "noeviction")
        healthy = cli("doctor", data_dir=tmp_path, more={"REDIS_URL": url})
        assert (healthy.returncode, healthy.stderr) == (0, "")
    finally:
        redis.kill()
