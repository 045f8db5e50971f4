"""Small cases, each reasoned by hand for one rule of the contract."""

import pytest
from harness import bars_of, case_names, differences, load_case, simulate_given

from backproof.errors import InvalidInput

NAMES = case_names()


@pytest.mark.parametrize("name", [n for n in NAMES if "error" not in load_case(n)["expected"]])
def test_the_engine_agrees_with_the_case(name: str) -> None:
    case = load_case(name)
    assert differences(simulate_given(case["config"], bars_of(case["bars"])), case["expected"]) == []


@pytest.mark.parametrize("name", [n for n in NAMES if "error" in load_case(n)["expected"]])
def test_a_wrong_case_is_an_error_that_names_the_mistake(name: str) -> None:
    case = load_case(name)
    with pytest.raises(InvalidInput, match=case["expected"]["error"]):
        simulate_given(case["config"], bars_of(case["bars"]))


def test_all_cases_are_run() -> None:
    assert len(NAMES) == 122
