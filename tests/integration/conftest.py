"""One real stack for all tests that only use it, and a way to run the command line beside it."""

import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from held import Hold
from stacks import COMMAND, LocalStack, environment, started


@pytest.fixture(scope="session", autouse=True)
def _stores(stores: None) -> None:
    """In server mode everything here uses them."""


@pytest.fixture(scope="session")
def hold(tmp_path_factory: pytest.TempPathFactory) -> Hold:
    """For tests that need a run in its middle."""
    return Hold(tmp_path_factory.mktemp("hold"))


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, hold: Hold) -> Iterator[LocalStack]:
    """The stack that most tests share: use it, do not break it."""
    with started(tmp_path_factory.mktemp("stack") / "data", **hold.settings) as running:
        yield running


Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Run `backproof …` to its end, in an empty directory."""

    def run(
        *arguments: str, data_dir: Path | None = None, timeout: float = 60.0, more: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        given = (*COMMAND, *arguments, *(("--data-dir", str(data_dir)) if data_dir else ()))
        return subprocess.run(
            given,
            check=False,
            capture_output=True,
            text=True,
            timeout=timeout,
            env=environment(data_dir, **(more or {})),
            cwd=tmp_path,
        )

    return run
