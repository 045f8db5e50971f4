"""A copy of the source for as long as a run of the suite takes, whatever is edited meanwhile.

Equal sources are copied to the same place: numba keeps machine code by the path of what it compiled, and compiling the
engine anew for every run would take longer than most scenarios.
"""

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

KEPT_SECONDS = 2 * 86_400.0


def snapshot(source: Path, purpose: str = "") -> Path:
    """The copy of a directory that holds `backproof`."""
    root = Path(tempfile.gettempdir()) / f"backproof-chaos-{os.getuid()}"
    root.mkdir(mode=0o700, exist_ok=True)
    _forget_old(root)
    place = root / f"{_digest(source)}{purpose}"
    if not place.exists():
        made = Path(tempfile.mkdtemp(dir=root, prefix="new-"))
        shutil.copytree(source / "backproof", made / "backproof", ignore=shutil.ignore_patterns("__pycache__"))
        made.rename(place)
    os.utime(place)
    return place


def _digest(source: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted((source / "backproof").rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(f"{path.relative_to(source)}\n".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _forget_old(root: Path) -> None:
    for place in root.iterdir():
        if time.time() - place.stat().st_mtime > KEPT_SECONDS:
            shutil.rmtree(place, ignore_errors=True)


@contextmanager
def edited(files: Sequence[Path]) -> Iterator[None]:
    """What is done to these files of a copy is undone at the end."""
    before = {path: path.read_bytes() for path in files}
    try:
        yield
    finally:
        for path, data in before.items():
            path.write_bytes(data)
