"""Packages of strategies: the one a command writes and the example, installed, tested, run and probed."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from stacks import environment

from plugin_packages import install

EXAMPLE = Path(__file__).parents[2] / "examples" / "plugin"
FORMS = ("signals", "weights", "events")


def own_tests(project: Path, site: Path) -> str:
    """Run the project's tests against the installed package; what they say."""
    command = (sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:asyncio", "-p", "no:cacheprovider", "-W", "error")
    done = subprocess.run(
        (*command, "-o", "pythonpath=", str(project / "tests")),
        check=False,
        capture_output=True,
        text=True,
        timeout=100,
        cwd=project,
        env=environment(PYTHONPATH=":".join([str(site), *sys.path])),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("form", FORMS)
def test_a_new_strategy_is_installed_passes_its_tests_and_runs(tmp_path: Path, cli: Any, form: str) -> None:
    project, site = tmp_path / "project", tmp_path / "site"
    written = cli("new-strategy", f"my_{form}", "--form", form, "--dir", str(project))
    assert written.returncode == 0, written.stderr
    install(project, site)
    assert "3 passed" in own_tests(project, site)
    installed = {"PYTHONPATH": ":".join([str(site), *sys.path])}
    probed = cli("probe", str(project / "backtest.yaml"), "--json", data_dir=tmp_path / "data", more=installed)
    assert probed.returncode == 0, probed.stderr
    report = json.loads(probed.stdout)
    assert (report["lookahead"]["form"], report["lookahead"]["verdict"]) == (form, "clean")
    assert report["amnesia"]["verdict"] == "clean"


def test_the_example_is_installed_passes_its_tests_and_runs(tmp_path: Path, cli: Any) -> None:
    site = tmp_path / "site"
    install(EXAMPLE, site)
    assert "passed" in own_tests(EXAMPLE, site)
    installed = {"PYTHONPATH": ":".join([str(site), *sys.path])}
    listed = cli("strategies", "--json", data_dir=tmp_path / "data", more=installed)
    plugins = {item["name"]: item for item in json.loads(listed.stdout)["items"] if item["plugin"]}
    assert {item["form"] for item in plugins.values()} == set(FORMS)
    assert {item["plugin"]["distribution"] for item in plugins.values()} == {"backproof-example-strategies"}
    done = cli(
        "run", str(EXAMPLE / "backtest.yaml"), "--json", data_dir=tmp_path / "data", timeout=100.0, more=installed
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "completed"
    assert cli("probe", str(EXAMPLE / "backtest.yaml"), data_dir=tmp_path / "data", more=installed).returncode == 0


def test_a_new_strategy_overwrites_nothing_and_needs_a_name_of_its_own(tmp_path: Path, cli: Any) -> None:
    for name, message in (
        ("sma_crossover", "is the name of a built-in strategy"),
        ("Gap-Fade", "lower-case letters, digits and _"),
        ("../evil", "lower-case letters, digits and _"),
    ):
        refused = cli("new-strategy", name)
        assert (refused.returncode, message in refused.stderr) == (2, True), refused.stderr
    assert list(tmp_path.iterdir()) == []
    assert cli("new-strategy", "random").returncode == 0  # also a module of Python's own
    again = cli("new-strategy", "random")
    assert again.returncode == 1
    assert "exists and is not an empty directory" in again.stderr
    assert (tmp_path / "random-strategy" / "src" / "random_strategy" / "__init__.py").exists()
