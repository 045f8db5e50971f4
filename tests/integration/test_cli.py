"""The command line as people and scripts use it: what it prints, what it writes, how it exits."""

import csv
import json
import os
import pty
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
from held import Hold
from stacks import (
    COMMAND,
    LocalStack,
    alive,
    completes,
    environment,
    ready,
    spoil_results,
    started,
    until,
    written,
)

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))
SMA = Path(__file__).parents[2] / "examples" / "sma_crossover.yaml"
ANSI = re.compile(r"\x1b\[")


@pytest.fixture(scope="module")
def finished(stack: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One run of the first example through the shared stack, computed in any case, with --json and --out."""
    out = tmp_path_factory.mktemp("out")
    options = ("--no-cache", "--json", "--full", "--out", str(out), "--data-dir", str(stack.data_dir))
    command = (*COMMAND, "run", str(SMA), *options)
    ran = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, env=environment())
    return {"ran": ran, "out": out, "answer": json.loads(ran.stdout)}


# ---- run --------------------------------------------------------------------------------------------------------


def test_json_is_exactly_one_object_and_nothing_on_stderr(finished: dict[str, Any]) -> None:
    ran, answer = finished["ran"], finished["answer"]
    assert ran.returncode == 0
    assert ran.stderr == ""
    assert set(answer) == {
        *("backtest_id", "status", "cached_from", "metrics", "costs", "exit_reasons", "account_events", "notices"),
        "timings",
        *("full_metrics", "full_null_reasons", "drawdowns"),  # of --full
    }
    assert answer["status"] == "completed"
    assert answer["metrics"]["trades"] > 10
    assert answer["timings"]["stack_start"] == 0.0
    assert answer["timings"]["running"] > 0.0
    assert answer["timings"]["submit_to_final"] > 0.0


def test_out_holds_the_whole_result(stack: LocalStack, finished: dict[str, Any]) -> None:
    out, answer = finished["out"], finished["answer"]
    assert {path.name for path in out.iterdir()} == {
        *("equity.csv", "fills.csv", "trades.csv", "account_events.csv", "drawdowns.csv"),
        *("metrics.json", "manifest.json"),
    }
    with (out / "equity.csv").open() as file:
        equity = list(csv.DictReader(file))
    assert list(equity[0]) == ["date", "equity"]
    assert equity[0]["date"] == "2005-01-03"
    assert equity[-1]["date"] == "2012-12-31"
    assert len(equity) == 2013
    last = float(equity[-1]["equity"])
    assert last / 100_000.0 - 1.0 == pytest.approx(answer["metrics"]["total_return"], abs=1e-12)
    url = f"{stack.base_url}/api/v1/backtests/{answer['backtest_id']}"
    assert [float(row["equity"]) for row in equity] == httpx.get(f"{url}/equity", trust_env=False).json()["equity"]
    for name in ("fills", "trades"):
        with (out / f"{name}.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == httpx.get(f"{url}/{name}", trust_env=False).json()["total"]
        assert {row["symbol"] for row in rows} == {"AAPL"}
    written = json.loads((out / "metrics.json").read_text())
    for name in ("metrics", "costs", "exit_reasons", "account_events", "full_metrics", "full_null_reasons"):
        assert written[name] == answer[name], name
    with (out / "drawdowns.csv").open() as file:
        falls = list(csv.DictReader(file))
    assert [float(fall["depth"]) for fall in falls] == [fall["depth"] for fall in answer["drawdowns"]]
    assert falls[0]["peak_date"] == answer["drawdowns"][0]["peak_date"]
    assert (
        out / "account_events.csv"
    ).read_text() == "bar,date,symbol,kind,value,shares,cash\n"  # none with adjusted prices
    assert json.loads((out / "manifest.json").read_text())["data_hash"]


def test_without_a_terminal_the_output_is_plain_and_useful(stack: LocalStack, cli: Any) -> None:
    ran = cli("run", str(SMA), "--no-cache", data_dir=stack.data_dir)
    assert ran.returncode == 0
    assert ran.stderr == ""
    assert not ANSI.search(ran.stdout)
    for part in ("SMA crossover on Apple", "completed", "Sharpe ratio", "Against SPX", "Alpha", "2005-01-03", "⣀"):
        assert part in ran.stdout
    assert len(ran.stdout.splitlines()) < 60


@pytest.mark.parametrize("width", [80, 120])
def test_full_shows_every_metric_and_the_drawdowns_in_any_width(
    stack: LocalStack, cli: Any, finished: dict[str, Any], width: int
) -> None:
    run_id = finished["answer"]["backtest_id"]
    shown = cli("show", run_id, "--full", data_dir=stack.data_dir, more={"COLUMNS": str(width)})
    assert shown.returncode == 0, shown.stderr
    assert max(map(len, shown.stdout.splitlines())) <= max(width, 110)  # the subject is never broken
    for part in (
        *("How trades ended", "Costs and income", "Commission", "Slippage", "Returns of a period", "VaR 95 %"),
        *("P(Sharpe > 0)", "Payoff", "SQN", "Mean MAE", "Won long", "Drawdown", "Recovery", "-45.07 %"),
    ):
        assert part in shown.stdout, part
    assert "…" not in shown.stdout  # nothing was cut
    plain = cli("show", run_id, data_dir=stack.data_dir)
    assert "How trades ended" in plain.stdout
    assert "SQN" not in plain.stdout
    as_json = json.loads(cli("show", run_id, "--full", "--json", data_dir=stack.data_dir).stdout)
    assert as_json["full_metrics"] == finished["answer"]["full_metrics"]
    assert as_json["status"] == "completed"


def test_a_port_finds_the_server_whatever_the_data_directory(stack: LocalStack, cli: Any, tmp_path: Path) -> None:
    port = stack.base_url.rpartition(":")[2]
    ran = cli("run", str(SMA), "--json", "--port", port, data_dir=tmp_path / "elsewhere")
    assert ran.returncode == 0, ran.stderr
    shown = cli("show", json.loads(ran.stdout)["backtest_id"], "--port", port, data_dir=tmp_path / "elsewhere")
    assert shown.returncode == 0, shown.stderr
    assert "everything works" in cli("doctor", "--port", port, data_dir=tmp_path / "elsewhere").stdout


def test_an_encoding_without_braille_still_gets_the_numbers(stack: LocalStack, cli: Any) -> None:
    ran = cli("run", str(SMA), data_dir=stack.data_dir, more={"PYTHONIOENCODING": "ascii"})
    assert ran.returncode == 0
    assert "Sharpe ratio" in ran.stdout
    assert ran.stdout.isascii()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_completes(stack: LocalStack, cli: Any, example: Path) -> None:
    ran = cli("run", str(example), "--json", "--no-cache", data_dir=stack.data_dir)
    assert ran.returncode == 0, ran.stderr
    answer = json.loads(ran.stdout)
    assert answer["metrics"]["total_return"] is not None
    exits, events, costs = answer["exit_reasons"], answer["account_events"], answer["costs"]
    match example.stem:
        case "stops":
            assert {"stop_loss", "trailing_stop", "take_profit", "signal"} <= exits.keys()
        case "raw_dividends":
            assert events["split"] == 1
            assert events["dividend"] > 40
            assert costs["dividends"] > 0
        case "long_short":
            assert events["borrow"] > 100
            assert costs["borrow"] > 0
            assert exits["stop_loss"] > 0


def test_the_examples_are_known_to_these_tests() -> None:
    assert {"stops", "raw_dividends", "long_short"} <= {path.stem for path in EXAMPLES}


def test_with_json_the_live_display_stays_off_stdout(stack: LocalStack) -> None:
    leader, follower = pty.openpty()
    command = (*COMMAND, "run", str(SMA), "--json", "--no-cache", "--data-dir", str(stack.data_dir))
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=follower, text=True, env=environment(TERM="xterm-256color")
    )
    os.close(follower)
    said, _ = process.communicate(timeout=60)
    shown = os.read(leader, 65536).decode()
    os.close(leader)
    assert json.loads(said)["status"] == "completed"
    assert ANSI.search(shown)


def test_on_a_terminal_it_is_live_and_in_colour(stack: LocalStack, tmp_path: Path) -> None:
    leader, follower = pty.openpty()
    command = (*COMMAND, "run", str(SMA), "--no-cache", "--data-dir", str(stack.data_dir))
    process = subprocess.Popen(command, stdout=follower, stderr=follower, env=environment(TERM="xterm-256color"))
    os.close(follower)
    shown = b""
    while True:
        try:
            part = os.read(leader, 65536)
        except OSError:
            break
        if not part:
            break
        shown += part
    os.close(leader)
    assert process.wait(60) == 0
    text = shown.decode()
    assert ANSI.search(text)
    assert "\x1b[?25h" in text  # the cursor is back
    assert "Sharpe ratio" in text


@pytest.mark.local_stack("one that a command starts")
def test_a_run_without_a_server_starts_its_own_stack_and_leaves_none(cli: Any, tmp_path: Path) -> None:
    data = tmp_path / "data"
    ran = cli("run", str(SMA), "--json", data_dir=data)
    assert ran.returncode == 0, ran.stderr
    answer = json.loads(ran.stdout)
    assert answer["timings"]["stack_start"] > 0.0
    assert not (data / "server.json").exists()
    owner = (data / "stack.lock").read_text()
    assert owner == ""  # given back in good order
    listed = cli("list", "--json", data_dir=data)
    assert listed.returncode == 0, listed.stderr
    assert [run["backtest_id"] for run in json.loads(listed.stdout)["items"]] == [answer["backtest_id"]]
    shown = cli("show", answer["backtest_id"], data_dir=data)
    assert shown.returncode == 0, shown.stderr
    assert "Sharpe ratio" in shown.stdout
    logged = cli("logs", answer["backtest_id"], data_dir=data)
    assert logged.returncode == 0, logged.stderr
    assert "result saved" in logged.stdout
    missing = cli("cancel", answer["backtest_id"], data_dir=data)
    assert missing.returncode == 1
    assert "start one with `backproof serve`" in missing.stderr


@pytest.mark.local_stack("one that a command starts")
def test_a_repetition_that_is_watched_starts_its_own_stack_too(cli: Any, tmp_path: Path) -> None:
    data = tmp_path / "data"
    ran = cli("run", str(SMA), "--json", data_dir=data)
    assert ran.returncode == 0, ran.stderr
    run_id = json.loads(ran.stdout)["backtest_id"]
    again = cli("rerun", run_id, "--watch", data_dir=data)
    assert again.returncode == 0, again.stderr
    assert f"the same result as {run_id}, bit for bit" in again.stdout
    assert not (data / "server.json").exists()
    deleted = cli("delete", run_id, data_dir=data)
    assert deleted.returncode == 0, deleted.stderr
    assert run_id in cli("list", "--deleted", data_dir=data).stdout


@pytest.mark.local_stack("one that a command starts")
def test_two_runs_at_once_share_one_stack_and_the_first_to_finish_does_not_end_it(tmp_path: Path) -> None:
    data = tmp_path / "data"
    command = (*COMMAND, "run", str(SMA), "--json", "--data-dir", str(data))
    runs = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())
        for _ in range(2)
    ]
    answers = []
    for run in runs:
        said, problem = run.communicate(timeout=60)
        assert run.returncode == 0, problem
        answers.append(json.loads(said))
    assert {answer["status"] for answer in answers} == {"completed"}
    # only the run that started the stack waits for its end
    until(lambda: not (data / "server.json").exists(), what="the end of the stack")


# ---- bad input --------------------------------------------------------------------------------------------------


GOOD = SMA.read_text()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("symbols: [AAPL]", "symbols: [AAPL"), r"error: .*run\.yaml:\d+:\d+: "),
        (("initial_capital: 100000", "initial_capital: -5"), r"error: .*run\.yaml:\d+: initial_capital: "),
        (("initial_capital: 100000", "initial_capital: .nan"), r"error: .*run\.yaml:\d+: initial_capital: "),
        (("fast: 20", "fast: 60"), r"error: .*run\.yaml:\d+: parameters"),
        (("fast: 20", "quick: 20"), r"error: .*run\.yaml:\d+: parameters\.quick: "),
        (("benchmark: SPX", "risk: {stop_loss: 1.5}"), r"error: .*run\.yaml:\d+: risk\.stop_loss: "),
        (("strategy_type: sma_crossover", "strategy_type: sma_crosover"), r"error: .*strategy_type: .*sma_crossover"),
        (("tags: [example]", "tagz: [example]"), r"error: .*run\.yaml:\d+: tagz: "),
        (("symbols: [AAPL]", "symbols: [AAPLE]"), r"error: .*run\.yaml:\d+: symbols\[0\]: .*AAPL"),
        (("symbols: [AAPL]", "symbols: []"), r"error: .*run\.yaml:\d+: symbols: "),
        (("symbols: [AAPL]", "symbols: [../etc]"), r"error: .*run\.yaml:\d+: symbols\[0\]: "),
        (("start_date: 2005-01-01", "start_date: 2015-01-01"), r"error: .*run\.yaml:\d+: end_date: "),
        (("data_source: demo", "data_source: nowhere"), r"error: .*run\.yaml:\d+: data_source: "),
        (("commission_rate: 0.001", "commission_rate: 2.0"), r"error: .*run\.yaml:\d+: costs\.commission_rate: "),
    ],
)
def test_a_wrong_file_is_one_line_per_field_and_exit_code_2(
    stack: LocalStack, cli: Any, tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    assert change[0] in GOOD
    ran = cli("run", written(tmp_path, GOOD.replace(*change)), data_dir=stack.data_dir)
    assert ran.returncode == 2, ran.stderr
    assert len(ran.stderr.splitlines()) == 1, ran.stderr
    assert re.match(said, ran.stderr), ran.stderr
    assert "Traceback" not in ran.stderr


def test_all_wrong_fields_are_named_at_once(stack: LocalStack, cli: Any, tmp_path: Path) -> None:
    text = GOOD.replace("initial_capital: 100000", "initial_capital: 0").replace(
        "slippage_bps: 2 ", "slippage_bps: -2 "
    )
    ran = cli("run", written(tmp_path, text), data_dir=stack.data_dir)
    assert ran.returncode == 2
    assert len(ran.stderr.splitlines()) == 2


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("run", "no.yaml"), 2, "no.yaml: no such file"),
        (("run",), 2, "Missing argument"),
        (("fly",), 2, "No such command"),
        (("list", "--limit", "0"), 2, "--limit"),
        (("show", "bt-000000000000"), 2, "bt-000000000000"),
        (("show", "../../etc/passwd"), 2, "there is no backtest"),
        (("cancel", "bt-000000000000"), 2, "bt-000000000000"),
    ],
)
def test_mistakes_at_the_prompt_are_one_line(
    stack: LocalStack, cli: Any, arguments: tuple[str, ...], code: int, said: str
) -> None:
    given = ("--data-dir", str(stack.data_dir)) if arguments[0] != "fly" else ()
    ran = cli(*arguments, *given)
    assert ran.returncode == code
    assert len(ran.stderr.splitlines()) == 1, ran.stderr
    assert said in ran.stderr


def test_a_run_that_fails_exits_with_1_and_says_why(cli: Any, tmp_path: Path) -> None:
    with started(tmp_path / "data") as stack:
        assert completes(stack.base_url)  # a worker that has not opened its store yet would not begin
        spoil_results(stack.data_dir)
        ran = cli("run", str(SMA), data_dir=stack.data_dir)
        assert ran.returncode == 1, ran.stdout
        assert "failed" in ran.stdout
        as_json = cli("run", str(SMA), "--json", data_dir=stack.data_dir)
        assert as_json.returncode == 1
        answer = json.loads(as_json.stdout)
        assert answer["status"] == "failed"
        assert answer["error"]["message"]


# ---- cancelling -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def long_run(tmp_path_factory: pytest.TempPathFactory, hold: Hold) -> Path:
    """A file whose run can be held."""
    path = tmp_path_factory.mktemp("long") / "long.yaml"
    path.write_text(json.dumps(hold.config))  # JSON is YAML
    return path


def running(url: str) -> list[str]:
    page = httpx.get(f"{url}/api/v1/backtests", params={"status": "running"}, trust_env=False, timeout=20.0).json()
    return [run["backtest_id"] for run in page["items"]]


def begun(stack: LocalStack, hold: Hold, file: Path, *options: str) -> tuple["subprocess.Popen[str]", str]:
    """`backproof run` beside the stack, with the id of its run, which is in the middle."""
    command = (*COMMAND, "run", str(file), "--no-cache", *options, "--data-dir", str(stack.data_dir))
    given = environment(**hold.settings)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=given)
    until(lambda: running(stack.base_url), 60.0, "the run")
    [run_id] = running(stack.base_url)
    until(lambda: status_of(stack, run_id)["progress"] > 16.0, 60.0, "its first bars")
    return process, run_id


def status_of(stack: LocalStack, run_id: str) -> Any:
    address = f"{stack.base_url}/api/v1/backtests/{run_id}/status"
    return httpx.get(address, trust_env=False, timeout=20.0).json()


def test_ctrl_c_cancels_the_run_on_the_server_first(stack: LocalStack, hold: Hold, long_run: Path) -> None:
    with hold.on():
        process, run_id = begun(stack, hold, long_run)
        process.send_signal(signal.SIGINT)
        said, problem = process.communicate(timeout=60)
    assert process.returncode == 130, problem
    assert "cancelled" in said
    assert "partial" in said
    assert "Traceback" not in said + problem
    assert status_of(stack, run_id)["status"] == "cancelled"


def test_cancel_from_another_terminal_ends_the_run(stack: LocalStack, cli: Any, hold: Hold, long_run: Path) -> None:
    with hold.on():
        process, run_id = begun(stack, hold, long_run, "--json")
        cancelled = cli("cancel", run_id, data_dir=stack.data_dir)
        assert cancelled.returncode == 0, cancelled.stderr
        said, problem = process.communicate(timeout=60)
    assert process.returncode == 130, problem
    assert json.loads(said)["status"] == "cancelled"
    again = cli("cancel", run_id, data_dir=stack.data_dir)
    assert again.returncode == 1
    assert len(again.stderr.splitlines()) == 1


@pytest.mark.local_stack("one that a command starts")
def test_ctrl_c_while_the_stack_starts_leaves_no_process(tmp_path: Path) -> None:
    data = tmp_path / "data"
    command = (*COMMAND, "run", str(SMA), "--data-dir", str(data))
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())
    until(lambda: (data / "stack.lock").exists() and (data / "stack.lock").read_text(), 60.0, "the stack")
    supervisor = int((data / "stack.lock").read_text().split("\n")[0])
    process.send_signal(signal.SIGINT)
    said, problem = process.communicate(timeout=60)
    assert process.returncode == 130, said + problem
    assert not alive(supervisor)


@pytest.mark.local_stack("one that a command starts")
def test_a_killed_run_command_does_not_leave_its_stack_behind(tmp_path: Path) -> None:
    data = tmp_path / "data"
    command = (*COMMAND, "run", str(SMA), "--data-dir", str(data))
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())
    until((data / "server.json").exists, 60.0, "the stack")
    supervisor = int(json.loads((data / "server.json").read_text())["pid"])
    process.kill()
    process.wait()
    until(lambda: not alive(supervisor), 60.0, "the end of the stack")


# ---- looking ----------------------------------------------------------------------------------------------------


def test_list_and_show_speak_of_the_run(stack: LocalStack, cli: Any, finished: dict[str, Any]) -> None:
    run_id = finished["answer"]["backtest_id"]
    listed = cli("list", "--limit", "200", data_dir=stack.data_dir)
    assert listed.returncode == 0
    [line] = [line for line in listed.stdout.splitlines() if run_id in line]
    assert "completed" in line
    assert "SMA crossover on Apple" in line
    shown = cli("show", run_id, "--json", data_dir=stack.data_dir)
    assert json.loads(shown.stdout)["metrics"] == finished["answer"]["metrics"]


def test_an_empty_list_says_how_to_begin(cli: Any, tmp_path: Path) -> None:
    listed = cli("list", data_dir=tmp_path / "data")
    assert listed.returncode == 0, listed.stderr
    assert "no backtests yet" in listed.stdout


def test_strategies_are_listed_with_and_without_a_server(stack: LocalStack, cli: Any, tmp_path: Path) -> None:
    for data in (stack.data_dir, tmp_path / "data"):
        listed = cli("strategies", data_dir=data)
        assert listed.returncode == 0, listed.stderr
        for part in ("sma_crossover", "ema_crossover", "macd", "bollinger", "fast 20, slow 50", "equal_weight"):
            assert part in listed.stdout


def test_doctor_finds_a_healthy_stack_healthy(stack: LocalStack, cli: Any) -> None:
    until(lambda: ready(stack.base_url), what="both workers")
    checked = cli("doctor", data_dir=stack.data_dir)
    assert checked.returncode == 0, checked.stdout
    for part in (str(stack.data_dir), stack.base_url, f"pid {stack.pid}", "everything works", "2 ready", "valkey"):
        assert part in checked.stdout


def test_doctor_without_a_server_says_so_and_finds_a_wrong_directory(cli: Any, tmp_path: Path) -> None:
    checked = cli("doctor", data_dir=tmp_path / "data")
    assert checked.returncode == 0, checked.stdout
    assert "none is running" in checked.stdout
    (tmp_path / "file").write_text("")
    wrong = cli("doctor", data_dir=tmp_path / "file")
    assert wrong.returncode == 1
    assert "problem" in wrong.stdout


def test_help_is_complete(cli: Any) -> None:
    shown = cli("--help")
    assert shown.returncode == 0
    commands = {line.split()[0] for line in shown.stdout.partition("Commands:")[2].splitlines() if line.strip()}
    assert commands >= {
        *("run", "serve", "import", "list", "show", "watch", "logs", "attempts", "queue", "cancel", "resume", "rerun"),
        *("delete", "restore", "strategies", "rules", "probe", "new-strategy", "doctor", "web", "worker", "scheduler"),
    }
    assert cli("--version").stdout.startswith("backproof ")


@pytest.mark.parametrize("command", ["web", "scheduler", "worker"])
def test_a_single_process_without_a_redis_url_says_what_it_needs(cli: Any, tmp_path: Path, command: str) -> None:
    refused = (
        cli(command, "--port", "0", data_dir=tmp_path / "data") if command == "web" else cli(command, data_dir=tmp_path)
    )
    assert refused.returncode == 2
    assert "REDIS_URL is not set" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
