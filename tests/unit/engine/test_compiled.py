"""Compilation: the cache sees every edit, kernels have one signature, and leave the GIL alone."""

import importlib
import inspect
import os
import pkgutil
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numba.core import config as numba_config
from numba.core.dispatcher import Dispatcher

import backproof
from backproof import engine
from backproof.engine import compiled, kernel
from backproof.engine import layout as l
from backproof.engine.arrays import Book, Listing, Market, Wishes
from backproof.engine.setup import no_actions
from backproof.engine.warm import warm

PROBE = """
import numba
from backproof.engine.arrays import Book
from backproof.engine.compiled import kernel
from backproof.engine.trading import commission_of

@kernel(numba.float64(*[numba.types.Array(kind, ndim, "C") for kind, ndim in TYPES]))
def commission(ARRAYS):
    return commission_of(Book(ARRAYS), 80.0, 10.0)
"""
PROGRAM = """
import numpy as np
from backproof.engine import layout as l
from backproof.engine.small_kernel import commission
book = [np.zeros((1,) * ndim, dtype=kind) for kind, ndim in SHAPES]
book[FIELDS.index("numbers")] = numbers = np.zeros(l.NUMBER_SIZE)
numbers[l.RATE] = 0.25
print(commission(*book))
"""


def run_in(tree: Path, cache: Path) -> float:
    environment = {**os.environ, "PYTHONPATH": str(tree), "NUMBA_CACHE_DIR": str(cache)}
    program = PROGRAM.replace("SHAPES", repr(book_arrays())).replace("FIELDS", repr(Book._fields))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True)
    return float(done.stdout)


def book_arrays() -> list[tuple[str, int]]:
    """The kind and the number of dimensions of every array of a Book, as the kernel's signature has them."""
    (signature,) = kernel.advance.signatures  # type: ignore[attr-defined]
    return [(str(array.dtype), array.ndim) for array in signature[: len(Book._fields)]]


def test_an_edit_in_a_file_that_a_kernel_calls_into_is_seen(tmp_path: Path) -> None:
    """Numba alone would load the old machine code: the file of the kernel itself has not changed.

    The kernel is a small one beside the engine's: it compiles in a second.
    """
    tree, cache = tmp_path / "tree", tmp_path / "cache"
    engine = tree / "backproof" / "engine"
    shutil.copytree(Path(backproof.__file__).parent, tree / "backproof", ignore=shutil.ignore_patterns("__pycache__"))
    types = ", ".join(f"(numba.{kind}, {ndim})" for kind, ndim in book_arrays())
    (engine / "small_kernel.py").write_text(
        PROBE.replace("TYPES", f"({types})").replace("ARRAYS", ", ".join(Book._fields))
    )
    before = run_in(tree, cache)
    assert before == pytest.approx(0.25 * 800.0)
    assert len(list(cache.iterdir())) == 1
    callee = engine / "trading.py"
    text = callee.read_text()
    assert text.count("numbers[l.RATE] * size * price") == 1
    callee.write_text(text.replace("numbers[l.RATE] * size * price", "numbers[l.RATE] * size * price * 0.5"))
    assert run_in(tree, cache) == pytest.approx(0.5 * before)
    assert len(list(cache.iterdir())) == 2


def test_the_kernel_runs_on_arrays_alone() -> None:
    """advance needs no object of the engine: 80 shares at 10 cost 800 and a quarter of it, all that there is."""
    closes = np.full((1, 3), 10.0)
    numbers, choices = np.zeros(l.NUMBER_SIZE), np.zeros(l.CHOICE_SIZE, dtype=np.int64)
    numbers[[l.RATE, l.LEVERAGE, l.SIZE]], choices[l.ALLOW_LONG] = (0.25, 1.0, 1.0), 1
    account = np.zeros(l.ACCOUNT_SIZE)
    account[l.CASH] = 1000.0
    values = np.zeros((20, l.VALUE_COLUMNS))
    book = Book(
        state=np.zeros((l.STATE_ROWS, 1)),
        orders=np.zeros((l.ORDER_ROWS, 1), dtype=np.int64),
        account=account,
        counters=np.zeros(l.COUNTER_SIZE, dtype=np.int64),
        numbers=numbers,
        choices=choices,
        keys=np.zeros((20, l.KEY_COLUMNS), dtype=np.int64),
        values=values,
        plan=np.zeros((l.PLAN_ROWS, 1), dtype=np.int64),
        scratch=np.zeros((l.SCRATCH_ROWS, 1)),
    )
    listing = Listing(np.zeros(1, dtype=np.int64), np.full(1, -1), np.ones(3))
    signals = np.array([[l.ENTER_LONG, 0, 0]], dtype=np.uint8)
    wishes = Wishes(signals, np.zeros((1, 1)), np.zeros(0, dtype=np.int64), np.zeros((0, 1)))
    path = np.zeros((l.PATH_ROWS, 3))
    reached = kernel.advance(*book, *Market(*[closes] * 5), *listing, *no_actions(1), *wishes, path, 0, 0, 3)
    assert reached == 3
    assert values[0].tolist() == [80.0, 10.0, 200.0]
    assert path[l.PATH_EQUITY].tolist() == [1000.0, 800.0, 800.0]


def test_the_source_hash_changes_with_the_files_of_kernels_and_what_they_import_and_no_others(tmp_path: Path) -> None:
    tree = tmp_path / "engine"
    shutil.copytree(Path(compiled.__file__).parent, tree, ignore=shutil.ignore_patterns("__pycache__"))
    before = compiled.source_hash()
    assert compiled.source_hash(tree) == before
    sources = compiled.kernel_sources(tree)
    assert {"kernel.py", "trading.py", "layout.py", "arrays.py", "statistics.py"} <= {path.name for path in sources}
    for path in sorted(set(tree.rglob("*.py")) - set(sources)):
        path.write_text(path.read_text() + "\n# edited\n")
    assert compiled.source_hash(tree) == before
    seen = {before}
    for path in sources:
        path.write_text(path.read_text() + "\n# edited\n")
        seen.add(compiled.source_hash(tree))
    assert len(seen) == 1 + len(sources)


def test_everything_that_compiled_code_refers_to_lies_in_the_hashed_files() -> None:
    hashed = {path.resolve() for path in compiled.kernel_sources()}
    checked = 0
    for name, dispatcher in dispatchers().items():
        function = dispatcher.py_func
        assert Path(function.__code__.co_filename).resolve() in hashed, name
        for used in function.__code__.co_names:
            value = function.__globals__.get(used)
            value = getattr(value, "py_func", value)
            module = sys.modules.get(getattr(value, "__module__", "") or "") if not inspect.ismodule(value) else value
            if module is not None and module.__name__.startswith("backproof."):
                assert Path(str(module.__file__)).resolve() in hashed, f"{name} uses {used}"
                checked += 1
    assert checked > 100


def dispatchers() -> dict[str, Any]:
    """All that is compiled in the engine, by name."""
    found = {}
    for info in pkgutil.walk_packages(engine.__path__, "backproof.engine."):
        module = importlib.import_module(info.name)
        for value in vars(module).values():
            if isinstance(value, Dispatcher) and value.py_func.__module__ == info.name:
                found[f"{info.name.rpartition('.')[2]}.{value.py_func.__name__}"] = value
    return found


def test_every_kernel_is_compiled_once_for_one_signature_and_nothing_with_fastmath_or_parallel() -> None:
    compiled_ones = dispatchers()
    kernels = {name for name, function in compiled_ones.items() if not function._can_compile}
    assert kernels >= {
        "kernel.advance", "statistics.curve_moments", "statistics.against_benchmark", "statistics.follow_benchmark",
        "statistics.trade_totals", "statistics.round_trips", "signals.level_signals", "signals.cross_signals",
    }  # fmt: skip
    for name, function in compiled_ones.items():
        assert not function.targetoptions.get("fastmath"), name
        assert not function.targetoptions.get("parallel"), name
        assert function.targetoptions["nogil"] is True, name
        if name in kernels:
            assert len(function.signatures) == 1, name


def test_the_callers_own_numba_cache_setting_is_left_as_it_was() -> None:
    assert str(compiled.cache_directory()) != numba_config.CACHE_DIR


def test_a_cache_directory_that_cannot_be_written_falls_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a directory")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(blocked))
    monkeypatch.setattr(compiled, "_directory", None)
    directory = compiled.cache_directory()
    assert directory is not None
    assert blocked not in directory.parents


def test_what_an_image_has_compiled_is_copied_to_where_numba_can_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, machine = tmp_path / "image", tmp_path / "machine"
    shipped = image / f"engine-{compiled.source_hash()[:16]}"
    shipped.mkdir(parents=True)
    (shipped / "kernel.nbc").write_bytes(b"machine code")
    (shipped / "kernel.nbc").chmod(0o444)
    shipped.chmod(0o555)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(image))
    monkeypatch.setenv("XDG_CACHE_HOME", str(machine))
    monkeypatch.setattr(compiled, "_directory", None)
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: image not in Path(path).parents and access(path, mode))
    directory = compiled.cache_directory()
    assert directory is not None
    assert machine in directory.parents
    assert (directory / "kernel.nbc").read_bytes() == b"machine code"
    assert [path.name for path in directory.parent.iterdir()] == [shipped.name], "nothing half made is left"
    assert (directory.stat().st_mode & 0o777, (directory / "kernel.nbc").stat().st_mode & 0o777) == (0o700, 0o600)

    monkeypatch.setattr(compiled, "_directory", None)
    (directory / "kernel.nbc").write_bytes(b"newer")
    again = compiled.cache_directory()
    assert again == directory
    assert (directory / "kernel.nbc").read_bytes() == b"newer", "what is there is kept"


def test_warming_loads_everything_and_is_repeatable() -> None:
    warm()
    warm()
