"""Plug-ins in a whole local stack: good ones run, hostile ones end their own run only, and the service goes on."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from stacks import LocalStack, alive, completes, started, until

from plugin_packages import write_package

FINAL = ("completed", "failed", "cancelled")
SECONDS = 8  # MAX_BACKTEST_DURATION: those that run for ever take it all, the others must not come near it
MEGABYTES = 700  # MAX_BACKTEST_MEMORY_MB
CODE = '''
    import os
    import re
    import sys
    import time

    import numpy as np


    def kind(name, **methods):
        """A strategy of the test: its name, and what it does."""
        bases = {"on_bar": EventStrategy, "target_weights": WeightStrategy, "signals": SignalStrategy}
        base = bases[next(iter(methods))]
        texts = {"name": name, "version": "1", "summary": "Of the tests.", "Params": Parameters}
        return type(name, (base,), {**texts, **methods, "__module__": __name__})


    def none(bars):
        return np.zeros(bars.close.shape, dtype=np.uint8)


    def signals(self, bars, indicators):
        mask = none(bars)
        mask[:, ::2], mask[:, 1::2] = 1, 2
        return mask


    def weights(self, bars, indicators):
        at = np.array([bars.first, bars.first + 100])
        return backproof.Weights(at, np.array([[0.5], [0.1]]))


    def events(self, ctx):
        count = ctx.state["count"] = ctx.state.get("count", 0) + 1
        if count % 100 == 0:
            ctx.buy() if count % 200 else ctx.close()
            ctx.log(f"decided at bar {count}")


    def talks(self, bars, indicators):
        print("I am", end=" ")
        print("here")
        sys.stderr.write("and there\\n")
        print("x" * 5000)
        for i in range(2000):
            print("again", i)
        return none(bars)


    def raises(self, bars, indicators):
        return helper(bars)


    def helper(bars):
        return {}["no such key"]


    def exits(self, bars, indicators):
        sys.exit(3)


    def wrong_shape(self, bars, indicators):
        return none(bars)[:, :-1]


    def wrong_type(self, bars, indicators):
        return none(bars).astype(float)


    def nothing(self, bars, indicators):
        return None


    def forever(self, bars, indicators):
        while True:
            pass


    def sleeps(self, bars, indicators):
        time.sleep(3600)


    def forever_on_a_bar(self, ctx):
        while ctx.bar > 200:
            pass


    def holds_the_interpreter(self, bars, indicators):
        re.match(r"(a+)+$", "a" * 60 + "b")


    def eats_slowly(self, bars, indicators):
        kept = []
        while True:
            kept.append(np.ones(1_000_000))


    def eats_at_once(self, bars, indicators):
        return np.ones((100, 1 << 30))


    def dies(self, bars, indicators):
        os._exit(9)


    Signals = kind("p_signals", signals=signals)
    Weights = kind("p_weights", target_weights=weights)
    Events = kind("p_events", on_bar=events)
    Talks = kind("p_talks", signals=talks)
    Raises = kind("p_raises", signals=raises)
    Exits = kind("p_exits", signals=exits)
    WrongShape = kind("p_wrong_shape", signals=wrong_shape)
    WrongType = kind("p_wrong_type", signals=wrong_type)
    Nothing = kind("p_nothing", target_weights=nothing)
    Forever = kind("p_forever", signals=forever)
    Sleeps = kind("p_sleeps", signals=sleeps)
    ForeverOnABar = kind("p_forever_on_a_bar", on_bar=forever_on_a_bar)
    HoldsTheInterpreter = kind("p_holds_the_interpreter", signals=holds_the_interpreter)
    EatsSlowly = kind("p_eats_slowly", signals=eats_slowly)
    EatsAtOnce = kind("p_eats_at_once", signals=eats_at_once)
    Dies = kind("p_dies", signals=dies)


    def peeks(self, bars, indicators):
        later = np.zeros(bars.close.shape)
        later[:, :-1] = bars.close[:, 1:] > bars.close[:, :-1]
        return backproof.Weights(np.arange(bars.stop), np.ascontiguousarray(later.T))


    Peeks = kind("p_peeks", target_weights=peeks)
'''
EDITED = """
    class Given(SignalStrategy):
        name = "p_edited"
        version = "1"
        summary = "In on every bar that a number divides."

        class Params(Parameters):
            number: int = 2

        def signals(self, bars, indicators):
            import numpy as np
            mask = np.zeros(bars.close.shape, dtype=np.uint8)
            mask[:, :: self.p.number], mask[:, 1 :: self.p.number] = 1, 2
            return mask
"""
NAMES = {  # by entry point: the class
    f"p_{name}": name.title().replace("_", "")
    for name in (
        *("signals", "weights", "events", "talks", "raises", "exits", "wrong_shape", "wrong_type", "nothing"),
        *("forever", "sleeps", "forever_on_a_bar", "holds_the_interpreter", "eats_slowly", "eats_at_once", "dies"),
        "peeks",
    )
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    site = tmp_path_factory.mktemp("site")
    write_package(site, CODE, NAMES, distribution="tested-strategies", version="4.5", package="tested_strategies")
    broken = "    raise RuntimeError('out of order')"
    write_package(site, broken, {"p_broken": "X"}, distribution="broken-strategies", package="broken_strategies")
    write_edited(site, EDITED)
    return site


def write_edited(site: Path, code: str) -> None:
    named = {"distribution": "edited-strategies", "package": "edited_strategies"}
    write_package(site, code, {"p_edited": "Given"}, **named)


@pytest.fixture(scope="module")
def plugged(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """A stack in whose environment the package is installed, with tight limits."""
    limits = {
        "MAX_BACKTEST_DURATION": str(SECONDS),
        "MAX_BACKTEST_MEMORY_MB": str(MEGABYTES),
        "WORKER_LEASE_SECONDS": "6",
    }
    path = ":".join([str(site), *sys.path])
    with started(tmp_path_factory.mktemp("plugged") / "data", PYTHONPATH=path, **limits) as stack:
        yield stack


@pytest.fixture
def api(plugged: LocalStack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{plugged.base_url}/api/v1", timeout=60, trust_env=False) as client:
        yield client


Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(api: httpx.Client) -> Run:
    """Submit a backtest with a strategy and wait for its end."""

    def submit(strategy: str, seconds: float = 60.0, **more: Any) -> dict[str, Any]:
        return wait(api, submitted(api, strategy, **more), seconds)

    return submit


def config(strategy: str, **more: Any) -> dict[str, Any]:
    return {"name": strategy, "strategy_type": strategy, "symbols": ["AAPL"], "data_source": "demo", **more}


def submitted(api: httpx.Client, strategy: str, **more: Any) -> str:
    """Computed, although an earlier test may have had the same."""
    answer = api.post("/backtests", params={"use_cache": False}, json=config(strategy, **more))
    assert answer.status_code == 200, answer.text
    return str(answer.json()["backtest_id"])


def wait(api: httpx.Client, run_id: str, seconds: float = 60.0) -> dict[str, Any]:
    until(lambda: api.get(f"/backtests/{run_id}/status").json()["status"] in FINAL, seconds, f"the end of {run_id}")
    found: dict[str, Any] = api.get(f"/backtests/{run_id}").json()
    return found


def log_of(api: httpx.Client, run_id: str) -> list[dict[str, Any]]:
    events = api.get(f"/backtests/{run_id}/events", params={"limit": 1000}).json()["items"]
    return [event["data"] for event in events if event["type"] == "log"]


# --- good ones


def test_an_edited_strategy_is_in_force_without_a_restart(run: Run, api: httpx.Client, site: Path) -> None:
    """In the process that answers and in those that compute."""

    def seen() -> tuple[int, str]:
        runs = [run("p_edited") for _ in range(4)]  # by several workers
        assert [(done["status"], done["error"]) for done in runs] == [("completed", None)] * 4
        ((trades, fingerprint),) = {(done["metrics"]["trades"], done["fingerprint"]) for done in runs}
        return trades, fingerprint

    def default() -> int:
        return int(api.get("/strategies/p_edited").json()["defaults"]["number"])

    assert default() == 2
    often, first = seen()
    write_edited(site, EDITED.replace("number: int = 2", "number: int = 9"))
    assert default() == 9
    seldom, second = seen()
    assert 0 < seldom < often / 4
    assert first != second
    write_edited(site, "    def half(:\n")
    answer = api.post("/backtests", json=config("p_edited"))
    assert answer.status_code == 422
    assert "SyntaxError" in answer.json()["errors"][0]["message"]
    write_edited(site, EDITED)
    assert seen() == (often, first)


def test_every_form_runs_and_the_manifest_names_the_distribution(run: Run, api: httpx.Client) -> None:
    for name in ("p_signals", "p_weights", "p_events"):
        done = run(name)
        assert (done["status"], done["error"]) == ("completed", None)
        part = api.get(f"/backtests/{done['backtest_id']}/manifest").json()["strategy"]
        assert part["plugin"] == {"distribution": "tested-strategies", "version": "4.5"}
        assert (part["name"], part["version"], len(part["code_hash"])) == (name, "1", 64)


def test_what_a_strategy_says_with_ctx_log_is_in_the_runs_log(run: Run, api: httpx.Client) -> None:
    said = [line for line in log_of(api, run("p_events")["backtest_id"]) if line.get("source") == "strategy"]
    assert len(said) == 32
    assert said[0]["message"].endswith("decided at bar 100")


def test_plug_ins_are_listed_with_their_package_and_the_refused_ones_with_the_reason(api: httpx.Client) -> None:
    page = api.get("/strategies").json()
    listed = {item["name"]: item for item in page["items"]}
    assert set(NAMES) <= set(listed)
    assert listed["p_events"]["plugin"] == {"distribution": "tested-strategies", "version": "4.5"}
    assert (listed["p_events"]["form"], listed["p_weights"]["form"]) == ("events", "weights")
    assert listed["sma_crossover"]["plugin"] is None
    (refused,) = page["refused"]
    assert refused["distribution"] == "broken-strategies"
    assert refused["entry"] == "p_broken = broken_strategies:X"
    assert "RuntimeError: out of order" in refused["reason"]
    answer = api.post("/backtests", json=config("p_broken"))
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["code"] == "plugin_refused"


def test_the_commands_show_what_is_refused(site: Path, plugged: LocalStack, cli: Any) -> None:
    path = {"PYTHONPATH": ":".join([str(site), *sys.path])}
    listed = cli("strategies", data_dir=plugged.data_dir, more=path)
    assert "p_events" in listed.stdout
    assert "tested-strategies 4.5" in listed.stdout
    assert "broken-strategies" in listed.stdout
    assert "out of order" in listed.stdout
    checked = cli("doctor", data_dir=plugged.data_dir, more=path)
    assert checked.returncode == 1
    assert "out of order" in checked.stdout
    assert "tested-strategies 4.5" in checked.stdout


# --- hostile ones


def test_what_a_strategy_prints_goes_to_its_runs_log_and_only_so_much_of_it(
    run: Run, api: httpx.Client, plugged: LocalStack
) -> None:
    done = run("p_talks")
    assert done["status"] == "completed"
    said = [line["message"] for line in log_of(api, done["backtest_id"]) if line.get("source") == "strategy"]
    assert said[:2] == ["I am here", "and there"]
    assert said[2] == "x" * 1000 + " …"
    assert said[3] == "again 0"
    assert len(said) == 501
    assert said[-1].startswith("the strategy printed more")
    assert "again 0" not in plugged.log("worker-runs")


def test_what_a_strategy_raises_is_told_with_its_own_frames(run: Run) -> None:
    error = run("p_raises")["error"]
    assert (error["code"], error["stage"]) == ("strategy_error", "indicators")
    assert error["message"] == "p_raises failed: KeyError: 'no such key'"
    assert error["details"]["exception"] == "KeyError"
    frames = error["details"]["traceback"]
    assert [frame.split(":")[0] for frame in frames] == ["tested_strategies/__init__.py"] * 2
    assert "in raises" in frames[0]
    assert "in helper" in frames[1]


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        ("p_exits", "p_exits failed: SystemExit: 3"),
        ("p_wrong_shape", "signals must be uint8 [1, 3270] (symbols, bars)"),
        ("p_wrong_type", "signals must be uint8 [1, 3270] (symbols, bars)"),
        ("p_nothing", "expected Signals or Weights, got NoneType"),
    ],
)
def test_a_wrong_answer_fails_the_run_with_the_reason(run: Run, strategy: str, message: str) -> None:
    done = run(strategy)
    assert (done["status"], done["attempt"]) == ("failed", 1)
    assert done["error"]["code"] == "strategy_error"
    assert message in done["error"]["message"]


@pytest.mark.parametrize("strategy", ["p_forever", "p_sleeps", "p_forever_on_a_bar"])
def test_a_strategy_that_runs_for_ever_is_ended_at_the_deadline_and_not_tried_again(
    run: Run, plugged: LocalStack, strategy: str
) -> None:
    done = run(strategy)
    assert (done["status"], done["attempt"]) == ("failed", 1)
    assert done["error"]["code"] == "deadline_exceeded"
    assert done["duration_seconds"] >= SECONDS
    assert completes(plugged.base_url)
    nobody_computes(plugged)


def test_a_strategy_that_holds_the_interpreter_costs_three_processes_and_no_more(run: Run, plugged: LocalStack) -> None:
    done = run("p_holds_the_interpreter", seconds=90)
    assert (done["status"], done["error"]["code"], done["attempt"]) == ("failed", "crash_loop", 3)
    assert completes(plugged.base_url)
    nobody_computes(plugged)


@pytest.mark.parametrize("strategy", ["p_eats_slowly", "p_eats_at_once"])
def test_a_strategy_that_eats_memory_fails_for_that_reason(run: Run, plugged: LocalStack, strategy: str) -> None:
    done = run(strategy)
    assert (done["status"], done["attempt"]) == ("failed", 1)
    assert done["error"]["code"] == "out_of_memory"
    assert f"{MEGABYTES} MB" in done["error"]["message"]
    assert "MAX_BACKTEST_MEMORY_MB" in done["error"]["message"]
    assert completes(plugged.base_url)


def test_a_strategy_that_ends_its_process_is_given_up_after_three(run: Run, plugged: LocalStack) -> None:
    done = run("p_dies")
    assert (done["error"]["code"], done["attempt"]) == ("crash_loop", 3)
    assert completes(plugged.base_url)


def nobody_computes(plugged: LocalStack) -> None:
    """No process of the worker is busy any more."""

    def quiet() -> bool:
        children = [child for worker in plugged.workers() for child in psutil.Process(worker).children()]
        for child in children:
            child.cpu_percent()
        time.sleep(0.3)
        return all(child.cpu_percent() < 50.0 for child in children if child.is_running())

    until(quiet, 60, "quiet")


# --- probes


def test_a_probe_by_the_api_and_by_the_command_say_the_same(
    api: httpx.Client, site: Path, plugged: LocalStack, cli: Any, tmp_path: Path
) -> None:
    file = tmp_path / "peeks.yaml"
    file.write_text(json.dumps(config("p_peeks")))
    answer = api.post("/strategies/probe", json=config("p_peeks"))
    assert answer.status_code == 200, answer.text
    report = answer.json()
    assert report["passed"] is False
    assert report["lookahead"]["verdict"] == "looks ahead"
    assert report["lookahead"]["finding"]["symbol"] == "AAPL"
    path = {"PYTHONPATH": ":".join([str(site), *sys.path])}
    said = cli("probe", str(file), "--json", data_dir=plugged.data_dir, more=path)
    assert said.returncode == 3, said.stderr
    assert json.loads(said.stdout) == report
    shown = cli("probe", str(file), data_dir=plugged.data_dir, more=path)
    assert "looks ahead" in shown.stdout
    assert f"AAPL on {report['lookahead']['finding']['date']}" in shown.stdout


def test_probes_of_honest_strategies_pass_and_the_web_process_has_not_loaded_the_engine(
    api: httpx.Client, plugged: LocalStack
) -> None:
    for name in ("sma_crossover", "p_signals", "p_events", "p_talks"):
        report = api.post("/strategies/probe", json=config(name)).json()
        assert (report["passed"], report["lookahead"]["verdict"]) == (True, "clean"), report
    if sys.platform == "linux":
        assert "llvmlite" not in Path(f"/proc/{plugged.child('web')}/maps").read_text()


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        ("p_raises", "KeyError"),
        ("p_exits", "SystemExit"),
        ("p_eats_at_once", "needs more memory"),
        ("p_dies", "ended without an answer (exit code 9)"),
        ("p_nothing", "got NoneType"),
    ],
)
def test_a_probe_of_a_hostile_strategy_is_an_error_that_says_so(api: httpx.Client, strategy: str, message: str) -> None:
    answer = api.post("/strategies/probe", json=config(strategy))
    assert answer.status_code == 422
    assert answer.json()["code"] == "strategy_error"
    assert message in answer.json()["detail"]


def test_the_stack_stops_although_a_strategy_runs_for_ever(site: Path, tmp_path: Path) -> None:
    path = ":".join([str(site), *sys.path])
    with started(tmp_path / "data", PYTHONPATH=path) as stack:
        with httpx.Client(base_url=f"{stack.base_url}/api/v1", timeout=60, trust_env=False) as api:
            run_id = submitted(api, "p_holds_the_interpreter")
            until(lambda: api.get(f"/backtests/{run_id}/status").json()["status"] == "running", 60, "the start")
        family = stack.family()
        assert stack.stop() == 0
        assert not [pid for pid in family if alive(pid)]
