"""What a strategy prints is its run's, what it raises is an error of the run, and what it may use is limited."""

import asyncio
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest

from backproof.errors import StrategyError
from backproof.services.backtests import limits
from backproof.services.backtests.limits import MemoryLimit
from backproof.services.backtests.strategy_code import MAX_LINE, MAX_LINES, Output, called, routed


async def test_what_is_printed_in_the_call_is_the_runs_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    output, other = Output(), threading.Event()

    def prints() -> int:
        print("one", 2, flush=True)
        print("to stderr", file=sys.stderr)
        print("no end of line", end="")
        other.set()
        return 3

    def elsewhere() -> None:
        other.wait(20)
        print("from another thread")

    with routed():
        thread = threading.Thread(target=elsewhere)
        thread.start()
        assert await called(output, "x", prints) == 3
        print("from the service")
        await asyncio.to_thread(thread.join)
    assert output.take() == ["one 2", "to stderr", "no end of line"]
    assert output.take() == []
    assert sorted(capsys.readouterr().out.split("\n")) == ["", "from another thread", "from the service"]


async def test_the_streams_are_put_back(capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout, sys.stderr
    with routed():
        assert sys.stdout is not before[0]
        assert sys.stdout.encoding == before[0].encoding
    assert (sys.stdout, sys.stderr) == before


def test_only_so_many_lines_of_only_such_a_length_are_kept() -> None:
    output = Output()
    output.write("x" * (MAX_LINE + 50) + "\n\n  \n")
    for i in range(MAX_LINES + 100):
        output.write(f"{i}\n")
    output.write("y" * 10_000_000)
    output.end()
    lines = output.take()
    assert lines[0] == "x" * MAX_LINE + " …"
    assert lines[1:3] == ["0", "1"]
    assert len(lines) == MAX_LINES + 1
    assert "more than 500 lines" in lines[-1]


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), StopIteration(1)])
async def test_what_would_end_the_event_loop_is_a_strategy_error(error: BaseException) -> None:
    def raises() -> None:
        raise error

    with pytest.raises(StrategyError, match=f"mine failed: {type(error).__name__}"):
        await called(Output(), "mine", raises)


async def test_errors_pass_as_they_are() -> None:
    def raises() -> None:
        raise MemoryError

    with pytest.raises(MemoryError):
        await called(Output(), "mine", raises)


def test_without_a_setting_runs_share_three_quarters_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "machine_memory", lambda: 8 << 30)
    assert MemoryLimit(None, 3, enforce=False).bytes == 2 << 30
    monkeypatch.setattr(limits, "machine_memory", lambda: 256 << 20)
    assert MemoryLimit(None, 3, enforce=False).bytes == 512 << 20, "or no run could ever be computed"
    given = MemoryLimit(512, 3, enforce=False)
    assert given.bytes == 512 << 20
    assert "512 MB" in given.text


def test_the_limit_is_looked_at() -> None:
    small = MemoryLimit(256, 1, enforce=False)
    small.bytes = small.used() + (64 << 20)
    assert not small.exceeded
    kept = np.ones(16 << 20)  # 128 MB
    assert small.exceeded
    del kept


CODE = """
import resource, sys
import numpy as np
from backproof.services.backtests.limits import MemoryLimit
limit = MemoryLimit(300, 1, enforce=True)
before = resource.getrlimit(resource.RLIMIT_DATA)
with limit.held():
    kept = np.ones(20 << 20)  # 160 MB
    try:
        np.ones(40 << 20)
    except MemoryError:
        print("refused")
assert resource.getrlimit(resource.RLIMIT_DATA) == before
np.ones(60 << 20)
print("allowed again")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts the data of a process")
def test_the_kernel_refuses_what_would_go_far_beyond_the_limit_at_once() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], check=False, capture_output=True, text=True)
    assert done.stdout == "refused\nallowed again\n", done.stderr


ALARM = """
import re, signal
from backproof.services.backtests.watchdog import Watchdog
left = lambda: signal.getitimer(signal.ITIMER_REAL)[0]
nothing = lambda reason: None
with Watchdog(100.0, nothing, alarm=True) as watchdog:
    assert 100.0 < left() <= 125.0
    signal.setitimer(signal.ITIMER_REAL, 50.0)  # as later
    watchdog.renewed()
    assert 100.0 < left() <= 125.0
assert left() == 0.0
print("fine", flush=True)
with Watchdog(0.4, nothing, alarm=True):
    re.match(r"(a+)+$", "a" * 60 + "b")  # never lets another thread run
"""


def test_a_process_whose_interpreter_is_held_is_ended_by_the_kernel() -> None:
    done = subprocess.run([sys.executable, "-c", ALARM], check=False, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.returncode) == ("fine\n", -14), done.stderr


def test_an_alarm_does_not_outlive_its_watchdog() -> None:
    code = (
        "import time\nfrom backproof.services.backtests.watchdog import Watchdog\n"
        "with Watchdog(0.2, print, alarm=True): pass\ntime.sleep(0.6)\nprint('alive')"
    )
    done: Any = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.returncode) == ("alive\n", 0)
