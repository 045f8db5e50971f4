"""Compilation: the cache sees every edit, kernels have one signature, and leave the GIL alone."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from numba.core import config as numba_config

import backproof
from backproof.engine import compiled, kernel, statistics
from backproof.engine.warm import warm

PROGRAM = """
import numpy as np
from backproof.engine import kernel, layout as l
closes = np.full((1, 3), 10.0)
none = np.full(1, -1)
numbers, choices = np.zeros(l.NUMBER_SIZE), np.zeros(l.CHOICE_SIZE, dtype=np.int64)
numbers[[l.RATE, l.LEVERAGE, l.SIZE]], choices[l.ALLOW_LONG] = (0.25, 1.0, 1.0), 1
keys, values = np.zeros((9, l.KEY_COLUMNS), dtype=np.int64), np.zeros((9, l.VALUE_COLUMNS))
kernel.advance(
    np.zeros((l.STATE_ROWS, 1)), np.zeros((l.ORDER_ROWS, 1), dtype=np.int64), np.array([1000.0]),
    np.zeros(l.COUNTER_SIZE, dtype=np.int64), numbers, choices, closes, closes, np.zeros(1, dtype=np.int64), none,
    np.array([[l.ENTER_LONG, 0, 0]], dtype=np.uint8), np.zeros(0, dtype=np.int64), np.zeros((0, 1)),
    np.zeros((l.PATH_ROWS, 3)), keys, values, 0, 0, 3,
)
print(values[0, l.VALUE_COMMISSION])
"""


def run_in(tree: Path, cache: Path) -> float:
    environment = {**os.environ, "PYTHONPATH": str(tree), "NUMBA_CACHE_DIR": str(cache)}
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, env=environment, check=True)
    return float(done.stdout)


@pytest.mark.timeout(240)
def test_an_edit_in_a_file_that_the_kernel_calls_into_is_seen(tmp_path: Path) -> None:
    """Numba alone would load the old machine code: the file of the kernel itself has not changed."""
    tree, cache = tmp_path / "tree", tmp_path / "cache"
    shutil.copytree(Path(backproof.__file__).parent, tree / "backproof", ignore=shutil.ignore_patterns("__pycache__"))
    before = run_in(tree, cache)
    assert before == pytest.approx(0.25 * 800.0)
    assert len(list(cache.iterdir())) == 1
    callee = tree / "backproof" / "engine" / "trading.py"
    text = callee.read_text()
    assert text.count("numbers[RATE] * size * price") == 1
    callee.write_text(text.replace("numbers[RATE] * size * price", "numbers[RATE] * size * price * 0.5"))
    assert run_in(tree, cache) == pytest.approx(0.5 * before)
    assert len(list(cache.iterdir())) == 2


def test_the_source_hash_changes_with_any_file_of_the_engine(tmp_path: Path) -> None:
    tree = tmp_path / "engine"
    shutil.copytree(Path(compiled.__file__).parent, tree, ignore=shutil.ignore_patterns("__pycache__"))
    seen = {compiled.source_hash(), compiled.source_hash(tree)}
    assert len(seen) == 1
    for path in sorted(tree.rglob("*.py")):
        path.write_text(path.read_text() + "\n# edited\n")
        seen.add(compiled.source_hash(tree))
    assert len(seen) == 1 + len(list(tree.rglob("*.py")))


def test_every_kernel_is_compiled_once_for_one_signature_without_fastmath_or_parallel() -> None:
    for function in (kernel.advance, statistics.curve_moments, statistics.against_benchmark, statistics.round_trips):
        assert len(function.signatures) == 1  # type: ignore[attr-defined]
        options = function.targetoptions  # type: ignore[attr-defined]
        assert options["nogil"] is True
        assert not options.get("fastmath")
        assert not options.get("parallel")


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


def test_warming_loads_everything_and_is_repeatable() -> None:
    warm()
    warm()
