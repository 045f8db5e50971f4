"""What a run may use of its worker process, held also against a strategy that does not let go."""

import contextlib
import ctypes
import gc
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil

SHARE_OF_MACHINE = 0.75  # of its memory, for all runs at once, where no limit is set
LEAST_SHARE = 512 << 20  # a worker holds some 200 MB before it has done anything
_CGROUP = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
_MB = 1 << 20
_WORTH_RELEASING = 64 * _MB


def machine_memory() -> int:
    """Bytes that this process can hope for: the machine's, or the container's."""
    total = int(psutil.virtual_memory().total)
    for file in _CGROUP:
        with contextlib.suppress(OSError, ValueError):
            total = min(total, int(file.read_text()))
    return total


class MemoryLimit:
    """megabytes: that the process may hold while it computes a run; None: its share of the machine.

    enforce: also let the kernel refuse what would go far beyond (Linux), for the process whose only work the run is
    """

    def __init__(self, megabytes: int | None, runs_at_once: int, *, enforce: bool) -> None:
        share = max(LEAST_SHARE, int(SHARE_OF_MACHINE * machine_memory() / runs_at_once))
        self.bytes = share if megabytes is None else megabytes * _MB
        self._enforce = enforce and sys.platform == "linux"
        self._process = psutil.Process()
        self._settled = LEAST_SHARE // 2  # bytes held after the last release

    @property
    def text(self) -> str:
        return f"the worker may hold {self.bytes // _MB} MB while it computes one run (MAX_BACKTEST_MEMORY_MB)"

    def used(self) -> int:
        """Bytes the process holds now."""
        return int(self._process.memory_info().rss)

    @property
    def exceeded(self) -> bool:
        return self.used() > self.bytes

    def release(self) -> None:
        """Give back to the system what a large run has left in the allocators; a small one is not worth it."""
        if self.used() < self._settled + _WORTH_RELEASING:
            return
        gc.collect()
        if (arrow := sys.modules.get("pyarrow")) is not None:
            arrow.default_memory_pool().release_unused()
        if sys.platform == "linux":
            with contextlib.suppress(AttributeError, OSError):  # another C library than glibc
                ctypes.CDLL(None).malloc_trim(0)
        self._settled = self.used()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """While this lasts an allocation that would go beyond the limit at once is a MemoryError.

        What grows slowly is seen by whoever asks `exceeded`; one huge array would be there before anybody asks.
        """
        if not self._enforce:
            yield
            return
        import resource

        before = resource.getrlimit(resource.RLIMIT_DATA)
        limit_memory(self.bytes)
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_DATA, before)


def limit_memory(more: int) -> None:
    """From now on the kernel refuses this process what would be more than so many bytes beyond what it has (Linux)."""
    if sys.platform == "linux":
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        most = _data_bytes() + more
        resource.setrlimit(resource.RLIMIT_DATA, (most if hard < 0 else min(most, hard), hard))


def _data_bytes() -> int:
    """What RLIMIT_DATA counts of this process already."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) * 1024
    return 0
