"""The files that strategies of other packages are written in: their hash, when they were written, their import."""

import hashlib
import importlib
import inspect
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib.util import cache_from_source, find_spec
from pathlib import Path
from types import CodeType
from typing import NamedTuple


class Stamp(NamedTuple):
    """What tells that a file was written again. at: in ns"""

    size: int
    at: int


def places(module: str) -> tuple[Path, ...]:
    """Directories of the outermost regular package that a module belongs to, or its single file; it is not imported.

    None for a module that cannot be found, for a script and a notebook, and for what is part of this product.
    """
    parts = module.split(".")
    if parts[0] == "backproof":
        return ()
    for length in range(1, len(parts) + 1):
        try:
            spec = find_spec(".".join(parts[:length]))
        except Exception:  # noqa: BLE001 (a parent is imported, and finders are anybody's)
            return ()
        if spec is None:
            return ()
        if spec.has_location and spec.origin is not None:
            found = spec.submodule_search_locations
            return (Path(spec.origin),) if found is None else tuple(map(Path, found))
        # a namespace that several distributions share: the package is below it
    return ()


def stamps(roots: Iterable[Path]) -> dict[Path, Stamp]:
    """One for each file in these places."""
    found = {}
    for root in roots:
        for path in _files(root):
            with suppress(OSError):  # gone meanwhile
                status = path.stat()
                found[path] = Stamp(status.st_size, status.st_mtime_ns)
    return found


def code_of(kind: type) -> bytes:
    """What tells the code of a class: a hash over every file of its package, or its file where it is in none.

    Raises OSError for a file of the package that cannot be read.
    """
    home = places(kind.__module__)
    return _files_hash(home) if any(root.is_dir() for root in home) else _own_source(kind)


def _files_hash(directories: Iterable[Path]) -> bytes:
    """Over names and contents of every file that belongs to a package, but for what Python makes of them."""
    digest = hashlib.sha256()
    for root in directories:
        for path in _files(root):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{path.relative_to(root).as_posix()}\n{content}\n".encode())
    return digest.digest()


def _own_source(kind: type) -> bytes:
    """The file a class is written in; where there is none (a notebook), the machine code of its methods."""
    try:
        return Path(inspect.getfile(kind)).read_bytes()
    except (OSError, TypeError):
        codes = [
            vars(base)[name].__code__ for base in kind.__mro__ for name in sorted(vars(base)) if _is_own(base, name)
        ]
        return "\n".join(map(_code_text, codes)).encode()


def _is_own(base: type, name: str) -> bool:
    return not base.__module__.startswith(("backproof.", "builtins", "abc")) and inspect.isfunction(vars(base)[name])


def _code_text(code: CodeType) -> str:
    constants = [_code_text(one) if isinstance(one, CodeType) else repr(one) for one in code.co_consts]
    return repr((code.co_name, code.co_code, code.co_names, code.co_varnames, constants))


def unload(roots: Iterable[Path]) -> None:
    """Let the next import read these files again. Who holds a class of the old modules keeps it."""
    roots = set(roots)
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__dict__", {}).get("__file__")  # asked as an attribute, a lazy module would import
        if isinstance(file, str) and name != "__main__" and roots & {Path(file), *Path(file).parents}:
            del sys.modules[name]
    for root in roots:
        for path in _files(root):
            if path.suffix == ".py":
                # Python takes a compiled file for current if its source is as long and of the same second
                with suppress(OSError, NotImplementedError):
                    Path(cache_from_source(str(path))).unlink()
    importlib.invalidate_caches()


def _files(root: Path) -> Iterator[Path]:
    for path in [root] if root.is_file() else sorted(root.rglob("*")):
        if path.is_file() and path.suffix != ".pyc" and not path.name.startswith("."):
            yield path
