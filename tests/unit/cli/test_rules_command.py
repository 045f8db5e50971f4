"""`backproof rules check`: what it prints, how it exits."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from backproof.cli.app import app

BACKTEST = """\
name: wrong
strategy_type: rules
symbols: [AAPL]
execution: {direction: long_short}
parameters:
  entry: |
    close > 1
    and clos > sma(close, n)
  exit: bars_held >= 5
  values:
    n: 0
"""


def check(*arguments: str) -> tuple[int, str, str]:
    ran = CliRunner().invoke(app, ["rules", "check", *arguments], catch_exceptions=False)
    return ran.exit_code, ran.stdout, ran.stderr


def test_right_rules_are_shown_as_they_were_understood() -> None:
    code, out, err = check("--text", "close>sma(close,20)")
    assert (code, err) == (0, "")
    assert out == "entry  close > sma(close, 20)\n\ndecides by signals; warm-up 19 bars; work 7\n"


def test_a_backtests_file_has_its_mistakes_at_their_lines(tmp_path: Path) -> None:
    file = tmp_path / "b.yaml"
    file.write_text(BACKTEST)
    code, out, err = check(str(file))
    assert (code, out) == (2, "")
    assert err.splitlines() == [
        f"{file}:6: entry: there is no price and no named value clos; did you mean close? (line 2, column 5)",
        "    and clos > sma(close, n)",
        "        ^^^^",
        f"{file}:6: entry: n of sma is a whole number of bars from 1 to 5000, not 0 (line 2, column 23)",
        "    and clos > sma(close, n)",
        "                          ^",
    ]


def test_parameters_alone_are_a_file_too(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("rank: roc(close, 126)\ntop: 3\nvalues: {spare: 1}\n")
    code, out, _ = check(str(file))
    assert code == 0
    assert "decides by target weights on its schedule; warm-up 126 bars" in out
    assert "note: the named value spare is used nowhere" in out
    file.write_text("rank: roc(close, 126)\nexit: close > 1\n")
    code, _, err = check(str(file))
    assert code == 2
    assert f"{file}: top: a rank needs top" in err
    assert f"{file}:2: exit: who is held is decided by the rank alone" in err


def test_the_direction_is_the_files_or_the_one_that_is_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "b.yaml"
    file.write_text("strategy_type: rules\nparameters: {short_entry: close < 1}\nexecution: {direction: short_only}\n")
    assert check(str(file))[0] == 0
    code, _, err = check(str(file), "--direction", "long_only")
    assert code == 2
    assert "hold short positions only" in err


def test_json_is_one_object_with_the_whole_report() -> None:
    code, out, err = check("--text", "smaa(close, 2) > 1", "--json")
    assert (code, err) == (2, "")
    report = json.loads(out)
    assert report["valid"] is False
    assert report["errors"][0]["suggestion"] == "sma"


def test_the_input_is_read_too() -> None:
    command = [sys.executable, "-m", "backproof.cli.app", "rules", "check", "-"]
    ran = subprocess.run(command, input="entry: close >\n", capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert ran.stderr.startswith("-:1: entry: the text ends too early: a value is missing (column 8)\n")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("strategy_type: sma_crossover\nparameters: {}\n", "not written in the language of rules"),
        ("strategy_type: rules\nparameters: close > 1\n", "name: value"),
        ("entry: close > 1\nentry: close > 2\n", "given twice"),
        ("close > 1\n", "name: value"),
    ],
)
def test_other_files_are_refused_in_one_line(tmp_path: Path, content: str, words: str) -> None:
    file = tmp_path / "b.yaml"
    file.write_text(content)
    command = [sys.executable, "-m", "backproof.cli.app", "rules", "check", str(file)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert ran.stderr.startswith("error: ")
    assert words in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments", [(), ("x.yaml", "--text", "close > 1"), ("--text", "close > 1", "--direction", "up")]
)
def test_a_wrong_command_says_how_it_goes(arguments: tuple[str, ...]) -> None:
    code, _, err = check(*arguments)
    assert code == 2
    assert "either a file" in err or "direction is one of" in err
