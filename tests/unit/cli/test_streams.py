"""What a command prints arrives whole at a program that reads slowly."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import termios
import time

import psutil
import pytest

PIPE_BYTES = 4096
FRAME = 100_000  # characters
CODE = f"""
import sys
from backproof.cli.app import patient
from backproof.cli.screen import print_json_line
sys.stdout = patient(sys.stdout)
print_json_line({{"points": "x" * {FRAME}}})
print_json_line({{"points": "the next"}})
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the size of a pipe is set by a call of Linux")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_what_is_printed_survives_a_stop_in_the_middle_of_a_write(unbuffered: str) -> None:
    """Ctrl-Z and fg while the reader is slow: the kernel cuts the write short."""
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    command = [sys.executable, "-c", CODE]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, pipesize=PIPE_BYTES) as process:
        assert process.stdout is not None
        seen = psutil.Process(process.pid)
        waiting = bytearray(4)
        deadline = time.monotonic() + 60
        while int.from_bytes(waiting, sys.byteorder) < PIPE_BYTES:
            assert time.monotonic() < deadline, "it prints nothing"
            fcntl.ioctl(process.stdout, termios.FIONREAD, waiting)
            time.sleep(0.01)
        for stop, status in ((signal.SIGSTOP, psutil.STATUS_STOPPED), (signal.SIGCONT, psutil.STATUS_SLEEPING)):
            process.send_signal(stop)
            while seen.status() != status:
                assert time.monotonic() < deadline
        printed = process.stdout.read()
    assert process.returncode == 0
    assert [len(json.loads(line)["points"]) for line in printed.splitlines()] == [FRAME, len("the next")]
