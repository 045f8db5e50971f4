"""Measurements that need a process of their own; each prints one JSON line. `python -m support.children NAME [N]`."""

import ctypes
import gc
import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

# only what the interpreter has: the imports are what some of these measure


def import_package() -> dict[str, float]:
    began = time.process_time()
    import backproof  # noqa: F401

    return {"cpu_s": time.process_time() - began}


def import_engine() -> dict[str, float]:
    began = time.process_time()
    from backproof import simulate  # noqa: F401

    return {"cpu_s": time.process_time() - began}


def warm_kernels() -> dict[str, float]:
    """From the bare interpreter to every kernel loaded from its cache and run once."""
    began = time.process_time()
    from backproof.engine.warm import warm

    warm()
    return {"cpu_s": time.process_time() - began}


def fork_to_result() -> dict[str, float]:
    """From fork() in a warm process to the first result in the child, wall seconds."""
    from backproof.engine.warm import warm

    warm()
    from support import workloads

    bars, config = workloads.single(), workloads.sma(["S000"])
    gc.freeze()
    best = float("inf")
    for _ in range(10):
        read, write = os.pipe()
        began = time.perf_counter()
        if not (child := os.fork()):
            import backproof

            result = backproof.simulate(config, bars)
            taken = time.perf_counter() - began  # the clock is the machine's
            os.write(write, f"{taken if result.metrics else 0.0}".encode())
            os._exit(0)
        os.waitpid(child, 0)
        best = min(best, float(os.read(read, 64)))
        os.close(read)
        os.close(write)
    return {"wall_s": best}


def long_memory(stops: int) -> dict[str, float]:
    """What a run over a million bars takes over its arrays."""
    from backproof.engine.warm import warm

    warm()
    from support import workloads

    bars, config = workloads.long(), workloads.minutes(bool(stops))
    return _simulated(bars, config)


def linear(cells: int) -> dict[str, float]:
    """`cells` bar-symbols of 40 symbols: seconds of a warm call, memory over the arrays."""
    from backproof.engine.warm import warm

    warm()
    from support import workloads

    bars, config = workloads.crowd(cells)
    return _simulated(bars, config, repeats=max(3, min(20, 20_000_000 // cells)))


def _simulated(bars: Any, config: dict[str, Any], repeats: int = 1) -> dict[str, float]:
    import backproof

    bars.close.sum()  # the aligned arrays are made once per Bars
    gc.collect()
    before = _reset_peak()
    cpu, wall = [], []
    for _ in range(repeats):
        times = time.process_time(), time.perf_counter()
        result = backproof.simulate(config, bars)
        equity = result.metrics and float(result.equity[-1])
        cpu.append(time.process_time() - times[0])
        wall.append(time.perf_counter() - times[1])
        fills = len(result.fills)
        del result
    return {
        "cpu_s": min(cpu),
        "wall_s": min(wall),
        "memory_mb": (_peak() - before) / 1e6,
        "equity": equity,
        "fills": fills,
    }


def _reset_peak() -> float:
    """Bytes resident now; from here on `_peak` counts, where the system can forget an earlier peak (Linux)."""
    import pyarrow as pa

    pa.default_memory_pool().release_unused()
    try:
        ctypes.CDLL(None).malloc_trim(0)  # what was freed before must not hide what is taken next
        Path("/proc/self/clear_refs").write_text("5")
    except (OSError, AttributeError):
        return _peak()
    return _status("VmRSS")


def _peak() -> float:
    try:
        return _status("VmHWM")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0


def _status(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024.0 * float(next(line.split()[1] for line in lines if line.startswith(f"{name}:")))


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](*map(int, sys.argv[2:]))))
