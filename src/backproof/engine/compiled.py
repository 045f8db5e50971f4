"""Compilation of the kernels: numba with an on-disk cache that no edit of the engine can fool.

Numba looks at the file of the compiled function only. A change in a file it calls into or takes constants from would go
unseen and give wrong numbers, so the cache directory is named after a hash of all sources that kernels depend on.
"""

import contextlib
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import platformdirs
from numba.core import config

numba_config: Any = config

F = TypeVar("F", bound=Callable[..., Any])

_IMPORT = re.compile(r"from backproof\.(engine[\w.]*) import ([\w, ]+|\([^)]*\))")
_OPTIONS: Any = {"nogil": True, "error_model": "numpy", "_nrt": False}
_interpreted = False


@contextmanager
def interpreted() -> Iterator[None]:
    """Modules executed inside keep their kernels as plain Python: the oracle the compiled ones are compared with."""
    global _interpreted
    before, _interpreted = _interpreted, True
    try:
        yield
    finally:
        _interpreted = before


def kernel(signature: str) -> Callable[[F], F]:
    """Compile at import for exactly this signature, without the GIL, cached on disk.

    Kernels and what they call make no arrays, so they do without numba's reference counting: it would cost more than
    the simulation itself, since groups of arrays are handed from function to function (docs/decisions/0009).
    """

    def decorate(function: F) -> F:
        if _interpreted:
            return function
        directory = cache_directory()
        given = numba_config.CACHE_DIR
        if directory is not None:
            numba_config.CACHE_DIR = str(directory)
        try:
            return cast(
                F,
                numba.njit(signature, cache=directory is not None, **_OPTIONS)(function),
            )
        finally:
            numba_config.CACHE_DIR = given

    return decorate


def inner(function: F) -> F:
    """A function that kernels call, made part of their machine code where they call it."""
    return _inner(function, inlined=True)


def shared(function: F) -> F:
    """As `inner`, but compiled once and called: for what is called in many places and seldom."""
    return _inner(function, inlined=False)


def _inner(function: F, *, inlined: bool) -> F:
    if _interpreted:
        return function
    return cast(F, numba.njit(forceinline=inlined, **_OPTIONS)(function))


def kernel_sources(directory: Path = Path(__file__).parent) -> list[Path]:
    """The engine's files that machine code can depend on: those with kernels, and all they import of the engine.

    Imports are read as text, wherever they stand in a file: one too many costs a compilation, one too few wrong
    numbers.
    """
    texts = {path: path.read_text() for path in directory.rglob("*.py")}
    found = [path for path, text in texts.items() if "backproof.engine.compiled import" in text]
    for path in found:  # grows while it is gone through
        for package, names in _IMPORT.findall(texts[path]):
            home = directory.joinpath(*package.split(".")[1:])
            modules = [home, *(home / name for name in re.findall(r"\w+", names))]
            candidates = [place.with_suffix(".py") for place in modules] + [place / "__init__.py" for place in modules]
            found += [one for one in candidates if one in texts and one not in found]
    return sorted(found)


def source_hash(directory: Path = Path(__file__).parent) -> str:
    """Hash of every file that the machine code depends on."""
    digest = hashlib.sha256()
    for path in kernel_sources(directory):
        digest.update(f"{path.relative_to(directory).as_posix()}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def cache_directory() -> Path | None:
    """Where compiled kernels are kept; None when no directory of our own can be written (then every start compiles)."""
    global _directory
    if _directory is None:
        _directory = (_find_cache_directory(),)
    return _directory[0]


_directory: tuple[Path | None] | None = None


def _find_cache_directory() -> Path | None:
    name = f"engine-{source_hash()[:16]}"
    given = os.environ.get("NUMBA_CACHE_DIR")
    roots = [Path(given)] if given else []
    shipped = Path(given) / name if given else None  # compiled while an image was made, where nobody can write now
    roots.append(Path(platformdirs.user_cache_path("backproof", appauthor=False)) / "numba")
    roots.append(Path(tempfile.gettempdir()) / f"backproof-{os.getuid()}" / "numba")
    for root in roots:
        directory = root / name
        try:
            if shipped is not None and shipped != directory:
                _bring(shipped, directory)
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            # the cache is code: never load it from a directory that somebody else can write to
            for path in (directory, root):
                if path.stat().st_uid != os.getuid() and str(root) != given:
                    raise PermissionError(path)
        except OSError:
            continue
        if os.access(directory, os.W_OK | os.X_OK):
            return directory
    return None


def _bring(shipped: Path, directory: Path) -> None:
    """Copy what is compiled already, whole or not at all: numba would not even read where it cannot write."""
    if directory.exists() or not shipped.is_dir():
        return
    directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory.parent) as temporary:
        copy = shutil.copytree(shipped, Path(temporary) / directory.name)
        for path in (copy, *copy.rglob("*")):  # as they were where nobody may write
            path.chmod(0o700 if path.is_dir() else 0o600)
        with contextlib.suppress(OSError):  # another process was quicker
            copy.rename(directory)
