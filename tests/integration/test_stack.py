"""The local stack: refuses what it must, survives killed children, and leaves nothing behind, however it ends."""

import asyncio
import json
import os
import signal
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from held import Hold
from stacks import LocalStack, alive, completes, ready, settings_beside, started, until

from backproof.domain.backtest import Backtest
from backproof.local import valkey
from backproof.local.directory import DataDirectory
from backproof.settings import Settings

# ---- refusals ---------------------------------------------------------------------------------------------------


def test_a_second_stack_on_the_same_directory_is_refused_at_once_with_the_pid(stack: LocalStack, cli: Any) -> None:
    refused = cli("serve", "--port", "0", data_dir=stack.data_dir)
    assert refused.returncode == 1
    assert len(refused.stderr.splitlines()) == 1
    assert f"in use by backproof with pid {stack.pid}, running at {stack.base_url}" in refused.stderr


@pytest.mark.local_stack("its port")
def test_a_busy_port_is_one_clear_line_before_anything_starts(stack: LocalStack, cli: Any, tmp_path: Path) -> None:
    port = stack.base_url.rpartition(":")[2]
    refused = cli("serve", "--port", port, data_dir=tmp_path / "other")
    assert refused.returncode == 1
    assert len(refused.stderr.splitlines()) == 1
    assert f"port {port}: address already in use" in refused.stderr
    assert not list((tmp_path / "other" / "logs").iterdir())


@pytest.mark.local_stack("its address")
@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.1", "::", "example.com"])
def test_an_address_that_others_reach_is_refused(cli: Any, tmp_path: Path, host: str) -> None:
    refused = cli("serve", "--host", host, data_dir=tmp_path / "data")
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"error: refusing to listen on {host}")
    assert len(refused.stderr.splitlines()) == 1


@pytest.mark.local_stack("its data directory")
def test_a_data_directory_that_cannot_be_made_is_one_clear_line(cli: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused = cli("serve", data_dir=tmp_path / "file" / "data")
    assert refused.returncode == 1
    assert refused.stderr.startswith("error: cannot use the data directory")
    assert len(refused.stderr.splitlines()) == 1


def test_a_wrong_setting_is_one_clear_line_that_names_it(cli: Any, tmp_path: Path) -> None:
    refused = cli("serve", data_dir=tmp_path / "data", more={"MAX_CONCURRENT_BACKTESTS": "many"})
    assert refused.returncode == 2
    assert "MAX_CONCURRENT_BACKTESTS='many'" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


# ---- what runs --------------------------------------------------------------------------------------------------


@pytest.mark.local_stack("its only port")
def test_everything_of_a_running_stack_is_private_to_its_user(stack: LocalStack) -> None:
    for path in (stack.data_dir, stack.data_dir / "logs", stack.data_dir / "valkey"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    for path in stack.data_dir.glob("*.sqlite3"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
    connections = [
        (c.laddr.ip, c.laddr.port)
        for pid in stack.family()
        for c in psutil.Process(pid).net_connections("inet")
        if c.status == psutil.CONN_LISTEN
    ]
    assert {ip for ip, _ in connections} == {"127.0.0.1"}
    assert {port for _, port in connections} == {int(stack.base_url.rpartition(":")[2])}


def test_the_running_stack_is_found_through_its_data_directory(stack: LocalStack) -> None:
    server = DataDirectory(stack.data_dir).server()
    assert server is not None
    assert (server.url, server.pid) == (stack.base_url, stack.pid)
    until(lambda: ready(server.url), 60.0, "both workers")


# ---- ends -------------------------------------------------------------------------------------------------------


@pytest.mark.local_stack("the supervisor")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stack_that_is_asked_to_stop_stops_in_order_and_leaves_nothing(
    tmp_path: Path, number: signal.Signals
) -> None:
    with started(tmp_path / "data") as stack:
        names = ("web", "worker-runs", "worker-io", "scheduler", "valkey")
        until(lambda: all(stack.child(name) for name in names), 60.0, "all processes")
        children = {name: stack.child(name) for name in names}
        until(lambda: ready(stack.base_url), 60.0, "both workers")
        family = stack.family()
        socket_directory = Path((tmp_path / "data" / "stack.lock").read_text().split("\n")[1])
        stack.process.send_signal(number)
        ended: list[str] = []

        def all_ended() -> bool:
            # the last to end is looked at first: what ends while this looks is found in its order, or the next time
            found = [name for name in reversed(names) if name not in ended and not alive(children[name])]
            ended.extend(reversed(found))
            return len(ended) == len(names)

        until(all_ended, 60.0, "the end of all")
        assert stack.process.wait(60) == 0
        assert stack.process.stdout.read().splitlines()[-1] == "stopped"
        assert ended[0] == "web"
        assert set(ended[1:3]) == {"worker-runs", "worker-io"}
        assert ended[3:] == ["scheduler", "valkey"]
        assert not [pid for pid in family if alive(pid)]
        assert not (tmp_path / "data" / "server.json").exists()
        assert not socket_directory.exists()


@pytest.mark.local_stack("the supervisor")
def test_a_killed_supervisor_takes_everything_with_it_and_the_next_start_works(tmp_path: Path) -> None:
    with started(tmp_path / "data") as stack:
        until(lambda: ready(stack.base_url), 60.0, "both workers")
        family = stack.family()
        assert len(family) >= 7  # supervisor, valkey, web, scheduler, two workers, at least one pool process
        os.kill(stack.pid, signal.SIGKILL)
        until(lambda: not [pid for pid in family if alive(pid)], 60.0, "the end of all")
    with started(tmp_path / "data") as again:
        assert completes(again.base_url)


def test_a_stopping_stack_gives_its_run_back_and_the_next_one_finishes_it(tmp_path: Path, hold: Hold) -> None:
    data = tmp_path / "data"
    with hold.on(), started(data, **hold.settings) as stack:
        answer = httpx.post(f"{stack.base_url}/api/v1/backtests", json=hold.config, trust_env=False, timeout=20.0)
        path = f"/api/v1/backtests/{answer.json()['backtest_id']}"
        until(lambda: status(f"{stack.base_url}{path}") == "running", 60.0, "the run")
        assert stack.stop() == 0
    assert stored_status(data, path.rpartition("/")[2]) == "queued"
    with started(data, **hold.settings) as stack:
        until(lambda: status(f"{stack.base_url}{path}") == "completed", 60.0, "the run's end")


def status(run: str) -> str:
    return str(httpx.get(f"{run}/status", trust_env=False, timeout=20.0).json()["status"])


def stored_status(data: Path, run_id: str) -> str:
    """What the metadata store says while nothing runs."""
    from backproof.bootstrap import open_repository

    async def ask() -> str:
        settings = Settings(data_dir=data, **{name.lower(): value for name, value in settings_beside(data).items()})
        repository = await open_repository(settings)
        try:
            run = await repository.get(Backtest, run_id)
        finally:
            await repository.close()
        assert run is not None
        return str(run.status)

    return asyncio.run(ask())


# ---- crashes ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def battered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """One stack for all the kills below: it has to survive every one of them."""
    with started(tmp_path_factory.mktemp("battered") / "data") as running:
        yield running


@pytest.mark.local_stack("the supervisor")
@pytest.mark.parametrize("name", ["web", "scheduler", "worker-io", "worker-runs", "valkey"])
def test_a_killed_child_is_started_again_and_the_service_goes_on(battered: LocalStack, name: str) -> None:
    until(lambda: battered.child(name), 60.0, name)
    before = battered.child(name)
    os.kill(before, signal.SIGKILL)
    until(lambda: battered.child(name) not in (0, before), 60.0, "the next one")
    until(lambda: ready(battered.base_url), 60.0, "the whole service")
    assert completes(battered.base_url)
    assert f"{name} killed by SIGKILL; starting it again" in battered.log("stack")


@pytest.mark.local_stack("the supervisor")
def test_a_request_that_comes_while_the_web_process_restarts_waits_instead_of_failing(battered: LocalStack) -> None:
    until(lambda: battered.child("web"), 60.0, "the web process")
    web = battered.child("web")
    os.kill(web, signal.SIGKILL)
    until(lambda: not alive(web), 60.0, "its end")
    answer = httpx.get(f"{battered.base_url}/health/live", trust_env=False, timeout=60.0)
    assert answer.status_code == 200


def test_a_run_in_the_queue_survives_the_death_of_valkey(battered: LocalStack) -> None:
    os.kill(battered.child("valkey"), signal.SIGKILL)
    assert completes(battered.base_url)


@pytest.mark.local_stack("the bundled Valkey")
def test_a_damaged_queue_file_does_not_stop_the_start(tmp_path: Path) -> None:
    with started(tmp_path / "data") as stack:
        assert completes(stack.base_url)
    [file] = (tmp_path / "data" / "valkey" / "appendonlydir").glob("*.incr.aof")
    file.write_bytes(b"not what Valkey writes\r\n" * 50)
    with started(tmp_path / "data") as stack:
        assert completes(stack.base_url)
        assert "Valkey could not read its file" in stack.log("stack")


@pytest.mark.local_stack("the supervisor")
def test_a_child_that_cannot_start_ends_the_start_with_its_last_words(cli: Any, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "backproof.sqlite3").write_bytes(b"this is no database " * 100)
    refused = cli("serve", "--port", "0", data_dir=data)
    assert refused.returncode == 1
    assert len(refused.stderr.splitlines()) == 1
    assert "while starting" in refused.stderr
    assert "log: " in refused.stderr
    assert not DataDirectory(data).in_use()


@pytest.mark.local_stack("the bundled Valkey")
def test_with_a_redis_url_no_valkey_is_started(stack: LocalStack, tmp_path: Path) -> None:
    server = tmp_path / "valkey.sock"
    process = subprocess.Popen(
        valkey.command(valkey.binary_path(), tmp_path, server), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until(lambda: valkey.answers(server))
        with started(tmp_path / "data", REDIS_URL=f"unix://{server}?db=0") as other:
            assert other.child("valkey") == 0
            assert completes(other.base_url)
    finally:
        process.terminate()
        process.wait(10)


@pytest.mark.local_stack("its port")
def test_a_port_of_ones_own_choice_is_used(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with started(tmp_path / "data", "--port", str(port)) as stack:
        assert stack.base_url == f"http://127.0.0.1:{port}"
        assert json.loads((tmp_path / "data" / "server.json").read_text()) == {"url": stack.base_url, "pid": stack.pid}
