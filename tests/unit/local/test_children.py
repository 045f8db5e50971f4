"""One child: it dies with its parent, leaves nothing behind, and a crash loop ends."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from backproof.errors import StackError
from backproof.local import valkey
from backproof.local.children import CRASHES_TOO_MANY, Child, ChildSpec, describe_exit
from backproof.local.directory import DataDirectory


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def python(tmp_path: Path, code: str, clock: Callable[[], float] = time.monotonic) -> Child:
    argv = (sys.executable, "-c", code)
    return Child(ChildSpec("worker", argv, dict(os.environ), tmp_path / "worker.log", stop_seconds=2.0), clock)


def test_what_a_dead_child_leaves_behind_is_killed_with_it(tmp_path: Path) -> None:
    grandchild = "import subprocess, sys; p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True)"
    child = python(tmp_path, grandchild)
    child.start()
    until(lambda: child.poll() is not None)
    until(lambda: gone(int((tmp_path / "worker.log").read_text())))
    assert not child.alive


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help exists on Linux only")
def test_a_child_dies_with_a_killed_parent(tmp_path: Path) -> None:
    parent = f"""
import os, sys, time
from pathlib import Path
from backproof.local.children import Child, ChildSpec
child = Child(ChildSpec("c", ("sleep", "60"), dict(os.environ), Path({str(tmp_path / "c.log")!r}), 1.0))
child.start(); print(child.pid, flush=True); time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    assert not gone(pid)
    process.kill()
    process.wait()
    process.stdout.close()
    until(lambda: gone(pid))


def test_where_the_kernel_does_not_help_a_thread_sees_the_parents_death(tmp_path: Path) -> None:
    child = """
import time
from backproof.local import children
children._libc = None
children.watch_parent(0.05)
print("watching", flush=True); time.sleep(60)
"""
    parent = f"""
import os, subprocess, sys, time
from backproof.local.children import PARENT_PID, VALKEY_PIDFILE
server = subprocess.Popen(["sleep", "60"], start_new_session=True)
open({str(tmp_path / "pid")!r}, "w").write(str(server.pid))
env = {{**os.environ, PARENT_PID: str(os.getpid()), VALKEY_PIDFILE: {str(tmp_path / "pid")!r}}}
c = subprocess.Popen([sys.executable, "-c", {child!r}], env=env, start_new_session=True, stdout=subprocess.PIPE)
c.stdout.readline(); print(server.pid, c.pid, flush=True); time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    pids = [int(pid) for pid in process.stdout.readline().split()]
    assert not any(gone(pid) for pid in pids)
    process.kill()
    process.wait()
    process.stdout.close()
    until(lambda: all(gone(pid) for pid in pids))


def test_restarts_wait_longer_each_time_and_a_crash_loop_ends_with_the_last_words(tmp_path: Path) -> None:
    now = [100.0]
    child = python(tmp_path, "", lambda: now[0])
    (tmp_path / "worker.log").write_text("fine\nModuleNotFoundError: no module named x\n\n")
    delays = [child.crashed() for _ in range(CRASHES_TOO_MANY - 1)]
    assert delays == sorted(delays)
    assert delays[0] <= 0.1
    with pytest.raises(StackError, match=r"worker keeps stopping .* no module named x"):
        child.crashed()


def test_crashes_that_are_far_apart_are_forgiven(tmp_path: Path) -> None:
    now = [100.0]
    child = python(tmp_path, "", lambda: now[0])
    for _ in range(3 * CRASHES_TOO_MANY):
        assert child.crashed() <= 0.1
        now[0] += 61.0


def test_a_long_log_is_cut_while_the_child_writes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backproof.local.children.LOG_BYTES", 1000)
    code = "import sys\nprint('x' * 2000, flush=True)\nsys.stdin = open(sys.argv[0]) if 0 else None\nimport time\n"
    code += (
        f"from pathlib import Path\nwhile not Path({str(tmp_path / 'go')!r}).exists(): time.sleep(0.01)\nprint('after')"
    )
    child = python(tmp_path, code)
    log = tmp_path / "worker.log"
    child.start()
    until(lambda: log.stat().st_size > 2000)
    child.trim_log()
    (tmp_path / "go").touch()
    until(lambda: child.poll() is not None)
    assert log.read_text() == "after\n"
    assert (tmp_path / "worker.log.1").stat().st_size == 2001


def test_exits_are_described_in_words() -> None:
    assert describe_exit(1) == "ended with exit code 1"
    assert describe_exit(-signal.SIGKILL) == "killed by SIGKILL"


def test_valkey_answers_keeps_what_it_acknowledged_and_listens_nowhere_else(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    directory.create()
    socket = directory.lock()
    argv = valkey.command(valkey.binary_path(), directory.valkey, socket)
    child = Child(ChildSpec("valkey", argv, dict(os.environ), directory.logs / "valkey.log", stop_seconds=2.0))
    child.start()
    until(lambda: valkey.answers(socket))
    assert child.pid is not None
    assert not psutil.Process(child.pid).net_connections("inet")
    assert valkey.ask(socket, "SET", "key", "value", timeout=20).startswith(b"+OK")
    for setting, wanted in (("appendonly", b"yes"), ("maxmemory-policy", b"noeviction"), ("appendfsync", b"everysec")):
        assert wanted in valkey.ask(socket, "CONFIG", "GET", setting, timeout=20)
    child.kill()
    child.wait()
    assert not valkey.answers(socket)
    child.start()  # over the stale socket file
    until(lambda: valkey.exists(socket, "key"))
    child.terminate()
    until(lambda: child.poll() is not None)
    directory.unlock()
