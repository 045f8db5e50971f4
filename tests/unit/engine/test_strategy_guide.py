"""Every example of the guide to strategies runs as it stands."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from backproof.cli.app import app
from backproof.engine.strategies import plugins

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "writing-a-strategy.md"
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)


def test_the_python_examples_run_one_after_the_other(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {"__name__": "guide"}
    results = []
    for language, code in BLOCKS:
        if language == "python":
            exec(compile(code, str(GUIDE), "exec"), names)
            if "result" in names:
                results.append(names["result"])
    assert len(results[-1].trades) > 0
    assert {type(one).__name__ for one in results} == {"Result"}
    said = capsys.readouterr().out
    assert "clean clean" in said
    assert "reads at least 1 bars ahead" in said
    for kind in ("BuyTheDip", "Calmest", "AddSlowly"):
        assert plugins.problem(names[kind]) is None


def test_the_commands_and_files_it_names_exist() -> None:
    text = GUIDE.read_text()
    for path in re.findall(r"\]\((\.\./[^)#]+)", text):
        assert (GUIDE.parent / path).resolve().exists(), path
    assert (GUIDE.parents[2] / "examples" / "plugin" / "pyproject.toml").exists()
    commands = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    assert {"probe", "strategies", "doctor", "new-strategy"} <= commands
    toml = next(code for language, code in BLOCKS if language == "toml")
    assert plugins.GROUP in tomllib.loads(toml)["project"]["entry-points"]
