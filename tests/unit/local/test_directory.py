"""The data directory: private, owned once, and telling the truth about who serves it."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from backproof.errors import StackError
from backproof.local.directory import DataDirectory, FileLock, Server

HOLDER = """
import sys, time
from pathlib import Path
from backproof.local.directory import DataDirectory, Server
d = DataDirectory(Path(sys.argv[1])); d.create(); print(d.lock(), flush=True)
import os; d.announce(Server("http://127.0.0.1:1234", os.getpid()))
print("held", flush=True); time.sleep(60)
"""


def hold(path: Path) -> tuple[subprocess.Popen[str], Path]:
    """Another process that owns the directory, and its socket path."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    socket = Path(process.stdout.readline().strip())
    assert process.stdout.readline() == "held\n"
    return process, socket


def end(process: subprocess.Popen[str], number: int = signal.SIGKILL) -> None:
    process.send_signal(number)
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def test_the_directory_is_private(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path / "a" / "b")
    directory.create()
    for path in (directory.path, directory.logs, directory.valkey):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700


def test_the_socket_path_is_short_and_private_wherever_the_data_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / ("x" * 90)))
    (tmp_path / ("x" * 90)).mkdir()
    directory = DataDirectory(tmp_path / ("deep" * 40))
    directory.create()
    socket = directory.lock()
    assert len(os.fsencode(socket)) <= 100
    assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
    directory.unlock()
    assert not socket.parent.exists()


def test_a_second_owner_is_refused_with_the_pid_of_the_first(tmp_path: Path) -> None:
    process, _ = hold(tmp_path)
    with pytest.raises(
        StackError, match=f"in use by backproof with pid {process.pid}, running at http://127.0.0.1:1234"
    ):
        DataDirectory(tmp_path).lock()
    end(process)


def test_a_killed_owner_leaves_nothing_that_matters(tmp_path: Path) -> None:
    process, socket = hold(tmp_path)
    assert DataDirectory(tmp_path).server() == Server("http://127.0.0.1:1234", process.pid)
    end(process, signal.SIGKILL)
    directory = DataDirectory(tmp_path)
    assert not directory.in_use()
    assert directory.server() is None
    directory.lock()
    assert not socket.parent.exists()
    assert not (tmp_path / "server.json").exists()
    directory.unlock()


def test_a_path_that_cannot_be_a_directory_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StackError, match=r"cannot use the data directory .*file"):
        DataDirectory(tmp_path / "file").create()


def test_users_share_their_lock_and_a_stack_waits_for_all_of_them(tmp_path: Path) -> None:
    first, second = (FileLock(tmp_path / "users.lock", shared=True) for _ in range(2))
    stack = FileLock(tmp_path / "users.lock")
    assert first.acquire()
    assert second.acquire()
    first.release()
    assert not stack.acquire()
    second.release()
    assert stack.acquire()
    assert not first.acquire()
    stack.release()
