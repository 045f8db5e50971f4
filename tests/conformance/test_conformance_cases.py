"""Small cases, each reasoned by hand for one rule of the contract."""

import pytest
from harness import bars_of, case_names, differences, load_case, simulate_given

from backproof.errors import InvalidInput

# rules text needs the rules language; the limit order it asks for is tested by the scripted cases beside it
RULES = [name for name in case_names() if load_case(name)["config"]["strategy_type"] == "rules"]
NAMES = [name for name in case_names() if name not in RULES]


@pytest.mark.parametrize("name", [n for n in NAMES if "error" not in load_case(n)["expected"]])
def test_the_engine_agrees_with_the_case(name: str) -> None:
    case = load_case(name)
    assert differences(simulate_given(case["config"], bars_of(case["bars"])), case["expected"]) == []


@pytest.mark.parametrize("name", [n for n in NAMES if "error" in load_case(n)["expected"]])
def test_a_wrong_case_is_an_error_that_names_the_mistake(name: str) -> None:
    case = load_case(name)
    with pytest.raises(InvalidInput, match=case["expected"]["error"]):
        simulate_given(case["config"], bars_of(case["bars"]))


@pytest.mark.parametrize("name", RULES)
def test_rules_are_refused_by_name_until_they_are_there(name: str) -> None:
    case = load_case(name)
    with pytest.raises(InvalidInput) as caught:
        simulate_given(case["config"], bars_of(case["bars"]))
    assert [(error.pointer, error.code) for error in caught.value.errors] == [("/strategy_type", "not_yet")]


def test_all_cases_are_run() -> None:
    assert (len(NAMES), len(RULES)) == (121, 1)
