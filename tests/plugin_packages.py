"""Real packages with plug-ins for tests: written, and installed as pip would, but without a network or a build."""

import shutil
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from backproof.engine.strategies import plugins

HEADER = """
    from typing import ClassVar

    import backproof
    from backproof import EventStrategy, Parameters, SignalStrategy, WeightStrategy

"""
SIGNALS = """
    class Given(SignalStrategy):
        name = "given"
        version = "1"
        summary = "In on every second bar."
        Params = Parameters

        def signals(self, bars, indicators):
            import numpy as np
            mask = np.zeros(bars.close.shape, dtype=np.uint8)
            mask[:, ::2], mask[:, 1::2] = 1, 2
            return mask
"""


def write_package(
    site: Path,
    code: str,
    entries: Mapping[str, str] | None = None,
    *,
    distribution: str = "given-strategies",
    version: str = "1.2.3",
    package: str = "given_strategies",
    files: Mapping[str, str] | None = None,
) -> Path:
    """A distribution on the import path `site`. code: of the package's __init__; entries: name -> class of it."""
    home = site / package
    home.mkdir(parents=True, exist_ok=True)
    (home / "__init__.py").write_text(textwrap.dedent(HEADER) + textwrap.dedent(code))
    for name, text in (files or {}).items():
        (home / name).write_text(text)
    declared = {name: f"{package}:{kind}" for name, kind in (entries or {"given": "Given"}).items()}
    write_metadata(site, distribution, version, declared)
    return home


def write_metadata(site: Path, distribution: str, version: str, entries: Mapping[str, str]) -> None:
    """What an installer leaves beside the code."""
    info = site / f"{distribution.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
    (info / "INSTALLER").write_text("tests\n")
    lines = [f"{name} = {value}" for name, value in entries.items()]
    (info / "entry_points.txt").write_text("\n".join(["[backproof.strategies]", *lines, ""]))


def install(project: Path, site: Path) -> None:
    """Install a project with a pyproject.toml and packages below src/ into the import path `site`."""
    described: dict[str, Any] = tomllib.loads((project / "pyproject.toml").read_text())
    for package in described["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]:
        shutil.copytree(project / package, site / Path(package).name, ignore=shutil.ignore_patterns("__pycache__"))
    about = described["project"]
    write_metadata(site, about["name"], about["version"], about["entry-points"]["backproof.strategies"])


@contextmanager
def importable(site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Meanwhile the process's own registry looks at this import path."""
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    plugins.forget()
    yield site
    plugins.forget()
    drop_modules()


def drop_modules() -> None:
    """Those of all packages that tests write."""
    for name in [name for name in sys.modules if name.split(".")[0].endswith("_strategies")]:
        del sys.modules[name]


def code_hash_of(site: Path) -> str:
    """Of the strategy `given`, in a process of its own, as an installed plug-in is seen."""
    code = (
        "from backproof.engine.strategies import find_strategy\n"
        "from backproof.engine.fingerprint import code_hash\n"
        "print(code_hash(find_strategy('given')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        env={"PYTHONPATH": f"{site}:{':'.join(sys.path)}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
