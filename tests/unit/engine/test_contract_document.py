"""The contract for users names the tests that hold it: they exist."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[2]
DOCUMENT = TESTS.parent / "docs" / "explanation" / "simulation-contract.md"


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


def test_every_case_the_contract_names_exists(text: str) -> None:
    named = set(re.findall(r"\*([a-z0-9]+(?:_[a-z0-9]+)*)\*", text)) - {"italics"}
    assert len(named) > 30
    assert {name for name in named if not (TESTS / "conformance" / "cases" / f"{name}.json").exists()} == set()
