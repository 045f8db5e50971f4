"""The contract for users names the tests that hold it: they exist, and nothing is left out."""

import re
from pathlib import Path

import pytest

from backproof.domain.config import BacktestConfig, Costs, Execution, Risk
from backproof.engine import notices
from backproof.engine.analysis import METRIC_NOTES
from backproof.engine.strategies import all_strategies

TESTS = Path(__file__).parents[2]
DOCUMENT = TESTS.parent / "docs" / "explanation" / "simulation-contract.md"
GUIDE = TESTS.parent / "docs" / "guides" / "writing-a-backtest.md"


@pytest.fixture(scope="module")
def text() -> str:
    return DOCUMENT.read_text()


def test_every_test_the_contract_names_exists(text: str) -> None:
    named = set(re.findall(r"`(test_\w+)`", text))
    defined = {
        name
        for folder in ("unit/engine", "property", "conformance", "golden")
        for path in (TESTS / folder).glob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    assert len(named) > 50
    assert named - defined == set()


def test_every_case_is_named_by_the_contract_and_every_one_it_names_exists(text: str) -> None:
    named = set(re.findall(r"\*([a-z0-9]+(?:_[a-z0-9]+)*)\*", text)) - {"italics"}
    assert named == {path.stem for path in (TESTS / "conformance" / "cases").glob("*.json")}


def test_every_strategy_metric_and_notice_is_in_the_contract(text: str) -> None:
    """Strategies beyond the contract's table tell their rule themselves."""
    told = set(re.findall(r"`(\w+)`", text))
    codes = set(re.findall(r'code="(\w+)"', Path(notices.__file__).read_text()))
    assert len(codes) > 10
    assert set(METRIC_NOTES) | codes <= told
    assert [strategy.name for strategy in all_strategies() if not strategy.rule and strategy.name not in told] == []


def test_every_option_is_in_the_guide() -> None:
    told = set(re.findall(r"`(\w+)`", GUIDE.read_text()))
    sections = (BacktestConfig, Execution, Costs, Risk)
    assert {name for section in sections for name in section.model_fields} <= told
