"""Signs of life: who lives, who hangs, and who is gone."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backproof.telemetry.beats import Beat, directory, sightings

PROGRAM = """
import sys, time
from backproof.telemetry.beats import Beat
beat = Beat(sys.argv[1], float(sys.argv[2]), *sys.argv[3:])
print("ready", flush=True)
while True:
    beat.touch()
    time.sleep(0.05)
"""

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(autouse=True)
def _own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


@pytest.fixture
def start() -> Iterator[Start]:
    """Another process with a beat: (role, limit, url)."""
    started: list[subprocess.Popen[str]] = []

    def one(*arguments: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", PROGRAM, *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    yield one
    for process in started:
        process.kill()
        process.wait(10)
        if process.stdout is not None:
            process.stdout.close()


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_process_is_seen_with_what_it_says_of_itself(start: Start) -> None:
    process = start("web", "30", "http://127.0.0.1:8000")
    (one,) = sightings()
    assert (one.role, one.pid, one.limit, one.url) == ("web", process.pid, 30.0, "http://127.0.0.1:8000")
    assert 0 <= one.silent < 20
    assert not one.hangs
    assert sightings("worker") == []
    assert len(sightings("web")) == 1


def test_a_stopped_process_hangs_until_it_goes_on(start: Start) -> None:
    process = start("worker", "0.5")
    os.kill(process.pid, signal.SIGSTOP)
    until(lambda: sightings()[0].hangs)
    os.kill(process.pid, signal.SIGCONT)
    until(lambda: not sightings()[0].hangs)


def test_a_dead_process_is_forgotten_even_if_its_number_lives_on(start: Start) -> None:
    process = start("scheduler", "30")
    process.kill()
    process.wait(10)
    left = directory() / f"scheduler-{process.pid}"
    assert left.exists()
    left.rename(left.with_name(f"scheduler-{os.getpid()}"))  # as if a new process had been given its number
    assert sightings() == []
    assert list(directory().iterdir()) == []


def test_a_forked_child_does_not_keep_its_parents_sign_alive() -> None:
    program = PROGRAM.replace("while True:", "import os\nif os.fork():\n    os._exit(0)\nwhile True:")
    command = [sys.executable, "-c", program, "worker", "30"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        process.wait(30)
        assert sightings() == []
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        if process.stdout is not None:
            process.stdout.close()


def test_a_wall_clock_that_is_put_right_makes_nobody_look_hung(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    start("web", "30")
    monkeypatch.setattr(time, "time", lambda: 4e9)
    (one,) = sightings()
    assert not one.hangs


def test_the_end_leaves_nothing_behind(tmp_path: Path) -> None:
    beat = Beat("web", 30.0)
    assert [path.name for path in directory().iterdir()] == [f"web-{os.getpid()}"]
    beat.end()
    assert list(directory().iterdir()) == []
    beat.touch()  # harmless


def test_somebody_elses_directory_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000)
    (tmp_path / "backproof-beats-4000000").mkdir()
    with pytest.raises(PermissionError):
        directory()
    assert sightings() == []
    beat = Beat("web", 30.0)  # which works on without a file
    beat.touch()
    beat.end()


def test_a_directory_that_cannot_be_made_keeps_nobody_from_working(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "missing"))
    Beat("web", 30.0).touch()
    assert sightings() == []
