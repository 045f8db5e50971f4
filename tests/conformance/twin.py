"""The interpreted twin: the kernels' own source run as plain Python, in place of the compiled ones."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType

from backproof.engine import kernel, simulation, statistics
from backproof.engine.compiled import interpreted

_NAMES = ("backproof.engine.trading", "backproof.engine.kernel", "backproof.engine.statistics")


@cache
def interpreted_modules() -> tuple[ModuleType, ModuleType]:
    """kernel and statistics, executed again with compilation switched off."""
    compiled = {name: sys.modules.pop(name) for name in _NAMES}
    try:
        with interpreted():
            for name in _NAMES:
                importlib.import_module(name)
        return sys.modules["backproof.engine.kernel"], sys.modules["backproof.engine.statistics"]
    finally:
        sys.modules.update(compiled)
        package = sys.modules["backproof.engine"]
        for name, module in compiled.items():
            setattr(package, name.rpartition(".")[2], module)


@contextmanager
def interpreted_engine() -> Iterator[None]:
    """Inside, simulations run the interpreted kernels."""
    twin_kernel, twin_statistics = interpreted_modules()
    originals = {name: getattr(statistics, name) for name in ("curve_moments", "against_benchmark", "round_trips")}
    simulation.advance = twin_kernel.advance
    for name in originals:
        setattr(statistics, name, getattr(twin_statistics, name))
    try:
        yield
    finally:
        simulation.advance = kernel.advance
        for name, function in originals.items():
            setattr(statistics, name, function)
