"""The files of runs as they lie there, read without the product: in a directory, or as objects of a bucket."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from servers.s3 import Bucket


class RunFiles(Protocol):
    def of(self, run_id: str) -> Iterator[tuple[str, bytes]]:
        """Paths below the root, and what is there, of everything that the run has."""


class Directory:
    """root: the lake's directory"""

    def __init__(self, root: Path) -> None:
        self.root = root

    def of(self, run_id: str) -> Iterator[tuple[str, bytes]]:
        for path in sorted((self.root / "runs" / run_id).rglob("*")):
            try:
                if path.is_file():
                    yield path.relative_to(self.root).as_posix(), path.read_bytes()
            except FileNotFoundError:  # removed just now
                continue


class Objects:
    """url: s3://bucket/prefix"""

    def __init__(self, url: str) -> None:
        self._bucket = Bucket(url)

    def of(self, run_id: str) -> Iterator[tuple[str, bytes]]:
        for path in self._bucket.paths(f"runs/{run_id}"):
            try:
                yield path, self._bucket.read(path)
            except FileNotFoundError:  # removed just now
                continue
