"""The pages about rules: made from the language, and every example in them runs."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

import backproof
from backproof.cli.app import app
from backproof.engine import rules
from backproof.engine.bars import Bars
from backproof.engine.frames import Series
from backproof.engine.rules.functions import FUNCTIONS
from backproof.engine.rules.reference import CODES, page

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs" / "guides" / "writing-rules.md").read_text()
BLOCKS = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_rules_page", ROOT / "scripts" / "make_rules_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_page_is_the_language() -> None:
    assert script().PAGE.read_text() == page(), "remake it: scripts/make_rules_page.py"


def test_every_function_word_and_code_is_on_it() -> None:
    text = page()
    for function in FUNCTIONS.values():
        assert f"| `{function.signature}` |" in text
    for completion in rules.completions():
        assert f"`{completion.signature}`" in text
    for code, means in CODES.items():
        assert f"| `{code}` | {means} |" in text


@pytest.fixture(scope="module")
def bars() -> Bars:
    series = []
    for seed, symbol in enumerate(("AAPL", "IBM", "MSFT", "SPX")):
        rng = np.random.default_rng(seed)
        close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.02, 700)))
        open_ = close * np.exp(rng.normal(0.0, 0.005, 700))
        high, low = np.maximum(open_, close) * 1.005, np.minimum(open_, close) * 0.995
        dates = np.datetime64("2020-01-01") + np.arange(700)
        volume = rng.integers(100, 1000, 700).astype(float)
        series.append(Series(symbol, dates, open_, high, low, close, np.ones(700), volume, close_only=False))
    return Bars(series)


def configured(block: str) -> dict[str, Any]:
    given = yaml.safe_load(block)
    if "strategy_type" in given:
        return dict(given)
    config = {
        "name": "example",
        "strategy_type": "rules",
        "symbols": ["AAPL", "IBM", "MSFT", "SPX"],
        "parameters": given,
    }
    return {**config, "execution": {"direction": "long_short"} if "short_entry" in given else {}}


def test_the_guide_has_examples() -> None:
    assert len(BLOCKS) == 9


@pytest.mark.parametrize("block", BLOCKS)
def test_every_example_runs_and_trades(bars: Bars, block: str) -> None:
    result = backproof.simulate(configured(block), bars)
    assert len(result.fills) > 0
    report = rules.check(
        configured(block)["parameters"], configured(block).get("execution", {}).get("direction", "long_only")
    )
    assert report.valid
    assert report.notes == ()


def test_the_python_example_runs(bars: Bars) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    block = next(block for block in BLOCKS if "values:" in block)
    scope: dict[str, Any] = {"backproof": backproof, "config": configured(block), "bars": bars}
    exec(code, scope)
    assert scope["table"].rows == 6


def test_the_shown_check_is_what_the_command_says() -> None:
    shown = re.search(r"\$ backproof (rules check --text) '(.*)'\n(.*?)```", GUIDE, re.DOTALL)
    assert shown is not None
    ran = CliRunner().invoke(app, [*shown[1].split(), shown[2]])
    assert ran.exit_code == 2
    assert ran.output == shown[3]
