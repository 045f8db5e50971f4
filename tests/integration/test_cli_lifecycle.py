"""The command line through a run's whole life: watched, killed, cancelled, resumed, repeated, reused, put away."""

import json
import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from held import Hold
from stacks import COMMAND, LocalStack, environment, ready, settings_beside, until, written

from backproof.cli.app import _main

SMA = Path(__file__).parents[2] / "examples" / "sma_crossover.yaml"
UNKNOWN = "bt-000000000000"
Get = Callable[..., Any]


@dataclass
class Said:
    """What a command has printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Prompt = Callable[..., Said]


@pytest.fixture
def prompt(
    stack: LocalStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Prompt]:
    """Run a command beside the stack, in this process: dozens of interpreters would take longer than all the runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def enter(*arguments: str, data_dir: Path = stack.data_dir) -> Said:
        monkeypatch.setattr(sys, "argv", ["backproof", *arguments, "--data-dir", str(data_dir)])
        capsys.readouterr()
        with monkeypatch.context() as meanwhile:
            for name, value in settings_beside(data_dir).items():
                meanwhile.setenv(name, value)
            return Said(_main(), *capsys.readouterr())

    yield enter
    for number, handler in handlers.items():
        signal.signal(number, handler)


@contextmanager
def begun(stack: LocalStack, *arguments: str, **settings: str) -> Iterator[subprocess.Popen[str]]:
    """`backproof …` as a process of its own, while it runs; `ended` reads what it says."""
    command = (*COMMAND, *arguments, "--data-dir", str(stack.data_dir))
    given = environment(stack.data_dir, **settings)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=given)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def ended(process: subprocess.Popen[str]) -> Said:
    out, err = process.communicate(timeout=60)
    return Said(process.returncode, out, err)


@pytest.fixture(scope="module")
def get(stack: LocalStack) -> Iterator[Get]:
    """Ask the API directly."""
    with httpx.Client(base_url=f"{stack.base_url}/api/v1", trust_env=False, timeout=20.0) as client:
        yield lambda path, **query: client.get(path, params=query).raise_for_status().json()


@pytest.fixture(scope="module")
def slow(hold: Hold, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file whose run can be held."""
    path = tmp_path_factory.mktemp("slow") / "slow.yaml"
    path.write_text(json.dumps({**hold.config, "name": "a slow one"}))  # JSON is YAML
    return path


@pytest.fixture(scope="module")
def undisturbed(stack: LocalStack, hold: Hold, slow: Path) -> dict[str, Any]:
    """The slow run by itself, as `run --json` tells it."""
    with begun(stack, "run", str(slow), "--json", **hold.settings) as running:
        said = ended(running)
    assert (said.code, said.err) == (0, "")
    answer: dict[str, Any] = said.json
    assert answer["cached_from"] is None
    return answer


@pytest.fixture
def fingerprint(get: Get, undisturbed: dict[str, Any]) -> str:
    """Of the slow run's result."""
    return str(get(f"/backtests/{undisturbed['backtest_id']}")["fingerprint"])


def detached(stack: LocalStack, hold: Hold, file: Path) -> str:
    """The id of a run that was submitted with --detach."""
    with begun(stack, "run", str(file), "--detach", "--no-cache", **hold.settings) as submitting:
        said = ended(submitting)
    assert said.code == 0, said.err
    [run_id] = said.lines
    assert said.err.endswith(f"`backproof watch {run_id}` follows it\n")
    return run_id


def submitted(stack: LocalStack, file: Path, **options: str) -> str:
    """The id of a run that was submitted through the API, which takes a moment where a command takes a second."""
    query = {"use_cache": "false", **options}
    request = json.loads(file.read_text())
    address = f"{stack.base_url}/api/v1/backtests"
    answer = httpx.post(address, params=query, json=request, trust_env=False, timeout=20.0).raise_for_status()
    return str(answer.json()["backtest_id"])


def takes_long(get: Get, run_id: str) -> bool:
    """Whether it is known that it will take a while."""
    return (get(f"/backtests/{run_id}/status")["eta_seconds"] or 0.0) > 10.0


def worker_of(get: Get, run_id: str) -> int:
    """pid of the process that computes it."""
    return int(get(f"/backtests/{run_id}/executions")["items"][-1]["worker"].rpartition(":")[2])


def has_checkpoint(get: Get, run_id: str) -> bool:
    status = get(f"/backtests/{run_id}/status")
    return status["status"] == "running" and status["checkpoint_bar"] is not None


def goes_further(get: Get, run_id: str) -> None:
    """Until so many more bars are simulated that a second or more has passed, with several signs of it."""

    def bars() -> int:
        return int(get(f"/backtests/{run_id}/status")["bars_done"])

    before = bars()
    until(lambda: bars() >= before + 100, what="a hundred bars")


# ---- watching ---------------------------------------------------------------------------------------------------


def test_watchers_see_a_run_to_its_end_through_the_death_of_its_worker_and_of_the_web_process(
    stack: LocalStack, prompt: Prompt, get: Get, hold: Hold, slow: Path, fingerprint: str
) -> None:
    with hold.on(), ExitStack() as watching:
        run_id = detached(stack, hold, slow)
        commands = (("watch", run_id), ("watch", run_id, "--json"), ("logs", run_id, "-f"))
        screen, events, log = (watching.enter_context(begun(stack, *command)) for command in commands)
        until(lambda: has_checkpoint(get, run_id), what="a checkpoint")
        for watcher in (screen, events, log):
            assert select.select([watcher.stdout], [], [], 60.0)[0], "it shows nothing"
        goes_further(get, run_id)  # under the eyes of all
        os.kill(worker_of(get, run_id), signal.SIGKILL)
        until(lambda: get(f"/backtests/{run_id}/status")["attempt"] == 2, what="the second attempt")
        os.kill(stack.child("web"), signal.SIGKILL)
        until(lambda: ready(stack.base_url), what="all processes")
        goes_further(get, run_id)
        hold.release()

        said = ended(screen)
        assert (said.code, said.err) == (0, "")
        [goes_on] = [line for line in said.lines if "attempt 2: goes on after bar" in line]
        assert goes_on.strip().startswith("warning: ")
        assert "a slow one  completed" in said.lines
        assert "Sharpe ratio" in said.out
        assert said.lines[-1].startswith(f"{run_id} · created ")

        said = ended(events)
        assert (said.code, said.err) == (0, "")
        frames = [json.loads(line) for line in said.lines]
        assert frames[0]["type"] == "initial_status"
        durable = [frame for frame in frames if frame["type"] in ("status_change", "log", "checkpoint", "notice")]
        assert [frame["seq"] for frame in durable] == list(range(1, len(durable) + 1))  # each once, none missing
        changes = [frame["data"]["status"] for frame in durable if frame["type"] == "status_change"]
        assert changes == ["queued", "running", "queued", "running", "completed"]
        assert {"progress", "checkpoint"} <= {frame["type"] for frame in frames}

        said = ended(log)
        assert (said.code, said.err) == (0, "")
        assert "attempt 1 ended early: worker_died" in said.out
        assert said.out == prompt("logs", run_id).out

    assert get(f"/backtests/{run_id}")["fingerprint"] == fingerprint
    rows = prompt("attempts", run_id).lines[2:]
    assert [row.split()[0] for row in rows] == ["1", "2"]
    assert "the worker died" in rows[0]
    assert "completed" in rows[1]
    until(lambda: ready(stack.base_url), what="all processes")


def test_a_run_that_is_over_is_shown_at_once(prompt: Prompt, undisturbed: dict[str, Any]) -> None:
    run_id = undisturbed["backtest_id"]
    watched = prompt("watch", run_id)
    assert (watched.code, watched.err) == (0, "")
    assert watched.out == prompt("show", run_id).out
    assert json.loads(prompt("watch", run_id, "--json").lines[-1])["data"]["status"] == "completed"


def test_logs_are_chosen_by_level_and_place(prompt: Prompt, undisturbed: dict[str, Any]) -> None:
    run_id = undisturbed["backtest_id"]
    lines = [json.loads(line) for line in prompt("logs", run_id, "--json").lines]
    assert set(lines[0]) == {"seq", "timestamp", "level", "message", "fields"}
    after = prompt("logs", run_id, "-f", "--json", "--after", str(lines[0]["seq"]))
    assert [json.loads(line) for line in after.lines] == lines[1:]
    assert prompt("logs", run_id, "--level", "error").out == ""


# ---- cancel and resume ------------------------------------------------------------------------------------------


def test_a_cancelled_run_says_how_to_go_on_and_resumes_to_the_result_of_an_undisturbed_one(
    stack: LocalStack, prompt: Prompt, get: Get, hold: Hold, slow: Path, fingerprint: str
) -> None:
    with hold.on(), begun(stack, "run", str(slow), "--no-cache", "--json", **hold.settings) as running:
        until(lambda: get("/backtests", status="running")["items"], what="the run")
        run_id = get("/backtests", status="running")["items"][0]["backtest_id"]
        until(lambda: has_checkpoint(get, run_id), what="a checkpoint")
        said = prompt("cancel", run_id)
        assert said.out == f"{run_id}: cancelling; `backproof resume {run_id}` lets it go on from there\n"
        cancelled = ended(running)
    assert (cancelled.code, cancelled.json["status"]) == (130, "cancelled")
    shown = prompt("watch", run_id)
    assert shown.code == 130
    assert "partial: only the bars until then" in shown.out
    assert f"`backproof resume {run_id}` goes on after bar " in shown.out

    resumed = prompt("resume", run_id, "--watch")
    assert (resumed.code, resumed.err) == (0, "")
    assert "attempt 2: goes on after bar" in resumed.out
    assert "a slow one  completed" in resumed.lines
    assert "cancelled" not in resumed.out  # that was before
    assert get(f"/backtests/{run_id}")["fingerprint"] == fingerprint
    again = prompt("resume", run_id)
    assert again.code == 1
    assert again.err == f"error: backtest {run_id} is completed: only a cancelled or failed one resumes\n"


def test_ctrl_c_stops_watching_and_not_the_run(
    stack: LocalStack, prompt: Prompt, get: Get, hold: Hold, slow: Path
) -> None:
    with hold.on():
        run_id = detached(stack, hold, slow)
        with begun(stack, "watch", run_id, "--json") as watching:
            assert watching.stdout is not None
            watching.stdout.readline()
            watching.send_signal(signal.SIGINT)
            said = ended(watching)
        assert said.code == 130
        assert said.err.startswith(f"stopped watching {run_id}; it goes on: `backproof cancel {run_id}` ends it")
        assert len(said.err.splitlines()) == 1
        assert get(f"/backtests/{run_id}/status")["status"] in ("queued", "running")
        assert prompt("cancel", run_id).code == 0
        until(lambda: get(f"/backtests/{run_id}/status")["status"] == "cancelled", what="its end")


# ---- reuse and repetition ---------------------------------------------------------------------------------------


def test_an_identical_run_is_answered_from_the_store_and_says_so(prompt: Prompt) -> None:
    computed = prompt("run", str(SMA), "--no-cache", "--json").json
    said = prompt("run", str(SMA))
    assert said.code == 0, said.err
    [reused] = [line for line in said.lines if "reused" in line]
    assert reused.startswith("reused the result of bt-")
    assert reused.endswith(", which is identical; --no-cache computes it again")
    assert "SMA crossover on Apple  completed" in said.lines
    assert "simulating" not in said.out
    answer = prompt("run", str(SMA), "--json").json
    assert answer["cached_from"] in reused
    assert answer["metrics"] == computed["metrics"]
    assert (answer["timings"]["queued"], answer["timings"]["running"]) == (None, None)
    detached = prompt("run", str(SMA), "-d")
    assert f"reused the result of {answer['cached_from']}" in detached.err
    assert f"`backproof show {detached.out.strip()}` shows it" in detached.err


def test_a_repetition_is_a_new_run_that_says_whether_the_result_is_the_same(prompt: Prompt, get: Get) -> None:
    first = prompt("run", str(SMA), "--json").json["backtest_id"]
    again = prompt("rerun", first, "--watch")
    assert again.code == 0, again.err
    assert f"the same result as {first}, bit for bit" in again.lines
    reused = prompt("rerun", first, "--use-cache", "--json").json
    assert (reused["status"], bool(reused["cached_from"])) == ("completed", True)
    assert get(f"/backtests/{reused['backtest_id']}")["rerun_of"] == first
    later = prompt("rerun", first, "--priority", "high")
    assert later.lines[0] != first
    assert prompt("watch", later.lines[0]).code == 0
    assert get(f"/backtests/{later.lines[0]}/status")["priority"] == "high"


def test_a_key_makes_a_repeated_command_one_run(prompt: Prompt) -> None:
    options = ("run", str(SMA), "--json", "--no-cache", "--idempotency-key", "one-of-a-kind")
    assert prompt(*options).json["backtest_id"] == prompt(*options).json["backtest_id"]
    for wrong in ((*options[:-1], "not one"), ("run", str(SMA), *options[-2:])):  # no key; another request
        said = prompt(*wrong)
        assert (said.code, len(said.err.splitlines())) == (2, 1), said.err


# ---- waiting ----------------------------------------------------------------------------------------------------


def test_the_queue_shows_who_works_and_who_waits_in_the_order_of_their_turns(
    stack: LocalStack, prompt: Prompt, get: Get, hold: Hold, slow: Path, undisturbed: dict[str, Any]
) -> None:
    until(lambda: ready(stack.base_url), what="all processes")
    workers = prompt("queue", "--json").json["workers"]
    slots = sum(worker["slots"] for worker in workers if "backtest_execution" in worker["queues"])
    with hold.on():  # none of them ends while the queue is looked at
        running = [submitted(stack, slow) for _ in range(slots)]
        until(lambda: get("/backtests", status="running")["total"] == slots, what="the runs")
        until(lambda: all(takes_long(get, run) for run in running), what="knowing how long they take")
        low = submitted(stack, slow, priority="low")
        said = prompt("run", str(SMA), "--detach", "--no-cache", "--priority", "high")
        high = said.out.strip()
        found = prompt("queue", "--json").json
        shown = prompt("queue").out
        ends = prompt("cancel", low, high, *running, UNKNOWN)

    assert re.match(r"queued: (about|under) .* s, ", said.err)
    assert "next in the queue" in said.err
    assert {run["backtest_id"] for run in found["running"]} == set(running)
    assert [run["backtest_id"] for run in found["queued"]] == [high, low]
    assert [run["queue_position"] for run in found["queued"]] == [1, 2]
    assert [run["priority"] for run in found["queued"]] == ["high", "low"]
    assert f"{slots} of at most 5 running · 2 waiting (at most 100) · 2 workers ready" in shown
    for run_id in (*running, low, high):
        assert run_id in shown
    assert ends.code == 2  # for the unknown one; the others are cancelled all the same
    assert ends.err == f"error: there is no backtest '{UNKNOWN}'\n"
    assert ends.lines[:2] == [f"{low}: cancelled", f"{high}: cancelled"]
    until(lambda: not get("/backtests", status=["running", "cancelling"])["items"], what="the end of all")


def test_a_run_that_waits_for_data_says_for_what_and_starts_when_it_is_imported(
    stack: LocalStack, prompt: Prompt, get: Get, tmp_path: Path
) -> None:
    config = "name: later, strategy_type: buy_and_hold, symbols: [OWN], data_source: to_come"
    file = written(tmp_path, f"{{{config}, execution: {{fill: next_close}}}}")
    refused = prompt("run", file)
    assert (refused.code, len(refused.err.splitlines())) == (2, 1)
    with begun(stack, "run", file, "--wait-for-data") as running:
        until(lambda: get("/backtests", status="pending")["items"], what="the pending run")
        [run] = get("/backtests", status="pending")["items"]
        missing = "there is no data source 'to_come'"
        assert missing in prompt("show", run["backtest_id"]).out
        assert missing in prompt("queue").out
        days = "".join(f"OWN,2020-01-{day:02d},{100 + day}\n" for day in range(1, 32))
        (tmp_path / "prices.csv").write_text("symbol,date,close\n" + days)
        imported = prompt("import", "prices.csv", "--dataset", "to_come")
        assert imported.code == 0, imported.err
        said = ended(running)
    assert (said.code, said.err) == (0, "")
    assert said.out.index(f"waiting for data: {missing}") < said.out.index("queued: its data has come")
    assert "later  completed" in said.lines


# ---- the bin ----------------------------------------------------------------------------------------------------


def test_a_deleted_run_is_in_the_bin_until_it_is_restored(prompt: Prompt) -> None:
    run_id = prompt("run", str(SMA), "--json").json["backtest_id"]
    deleted = prompt("delete", run_id, UNKNOWN)
    assert deleted.code == 2
    assert deleted.out == f"{run_id}: deleted; `backproof restore {run_id}` brings it back\n"
    assert deleted.err == f"error: there is no backtest '{UNKNOWN}'\n"
    assert "was deleted; within a day it can be restored" in prompt("show", run_id).err
    assert run_id in prompt("list", "--deleted").out
    assert prompt("restore", run_id).out == f"{run_id}: restored, completed\n"
    assert "Sharpe ratio" in prompt("show", run_id).out
    assert prompt("restore", run_id).err == f"error: backtest {run_id} is not deleted\n"


# ---- mistakes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["watch", "logs", "attempts", "resume", "rerun", "delete", "restore", "cancel"])
def test_an_unknown_backtest_is_one_line_and_bad_input(prompt: Prompt, command: str) -> None:
    for run_id in (UNKNOWN, "no/id"):
        said = prompt(command, run_id)
        assert (said.code, said.err) == (2, f"error: there is no backtest '{run_id}'\n")
    watched = prompt("resume", UNKNOWN, "--watch")
    assert (watched.code, watched.err) == (2, f"error: there is no backtest '{UNKNOWN}'\n")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("run", str(SMA), "--detach"), 1, "start one with `backproof serve`"),
        (("run", str(SMA), "--detach", "--full"), 2, "--detach does not wait for a result"),
        (("resume", UNKNOWN), 1, "start one with `backproof serve`, or give --watch"),
        (("rerun", UNKNOWN), 1, "start one with `backproof serve`, or give --watch"),
        (("watch", UNKNOWN, "--port", "1"), 1, "does not answer"),
    ],
)
def test_what_needs_a_server_says_so_in_one_line(
    prompt: Prompt, tmp_path: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    refused = prompt(*arguments, data_dir=tmp_path / "data")
    assert (refused.code, len(refused.err.splitlines())) == (code, 1), refused.err
    assert said in refused.err
