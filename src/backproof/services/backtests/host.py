"""Which machine this is, as far as process ids are concerned."""

import os
from functools import cache
from pathlib import Path

import psutil

from backproof.domain.backtest import Worker


@cache
def this_host() -> str:
    """Equal in two processes only if they can see each other's pids: same machine, same boot, same pid namespace."""
    namespace = Path("/proc/self/ns/pid")
    inode = str(namespace.readlink()) if namespace.exists() else ""
    return f"{os.uname().nodename}/{int(psutil.boot_time())}/{inode}"


def is_alive(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def gone(worker: Worker | None) -> bool:
    """Whether this was a process of this very host that has ended; False where that cannot be seen from here."""
    return worker is not None and worker.host == this_host() and not is_alive(worker.pid)


def this_worker() -> Worker:
    """The calling process as the holder of claims."""
    return Worker(name=f"{os.uname().nodename}:{os.getpid()}", host=this_host(), pid=os.getpid(), parent=os.getppid())
