"""The interpreted twin: the kernels' own source run as plain Python, in place of the compiled ones."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType
from typing import Any

import numba.core.dispatcher
import numpy as np

from backproof.engine import signals, simulation
from backproof.engine.compiled import interpreted

NEEDED = (simulation, signals)  # with these all kernels of a run are loaded; strategies import the signals late
Function = Any  # a compiled kernel, or its source as plain Python


def compiled_functions(module: ModuleType) -> dict[str, Function]:
    """The kernels and the inner functions of kernels that a module defines, by name."""
    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, numba.core.dispatcher.Dispatcher) and value.py_func.__module__ == module.__name__
    }


@cache
def _twins() -> dict[int, tuple[Function, Function]]:
    """(compiled, interpreted) of every compiled function of the engine's loaded modules, by the compiled one's id."""
    loaded = [module for name, module in sys.modules.items() if name.startswith("backproof.engine.")]
    originals = {module.__name__: module for module in loaded if compiled_functions(module)}
    for name in originals:
        del sys.modules[name]
    try:
        with interpreted():
            twins = {name: importlib.import_module(name) for name in originals}
    finally:
        sys.modules.update(originals)
        for name, module in originals.items():
            package, _, short = name.rpartition(".")
            setattr(sys.modules[package], short, module)
    return {
        id(function): (function, getattr(twins[name], kernel))
        for name, module in originals.items()
        for kernel, function in compiled_functions(module).items()
    }


def twin_of(function: Function) -> Function:
    """The interpreted twin of a compiled function of the engine."""
    return _twins()[id(function)][1]


@contextmanager
def interpreted_engine() -> Iterator[None]:
    """Inside, whoever calls a kernel of the engine by a module's name for it gets the interpreted one."""
    twins = _twins()
    replaced: list[tuple[ModuleType, str, Function]] = []
    for module in [m for name, m in sys.modules.items() if name.split(".")[0] == "backproof"]:
        for name, value in list(vars(module).items()):
            if id(value) in twins and twins[id(value)][0] is value:
                replaced.append((module, name, value))
                setattr(module, name, twins[id(value)][1])
    try:
        with np.errstate(all="ignore"):  # compiled code does not warn either
            yield
    finally:
        for module, name, value in replaced:
            setattr(module, name, value)
