"""Small cases, each reasoned by hand for one rule of the contract; what is refused for now must be refused by name."""

import pytest
from harness import bars_of, case_names, differences, load_case, simulate_given

from backproof.domain.config import parse_config
from backproof.engine.strategies import check_config
from backproof.errors import InvalidInput

LEVELS = {"stop_loss", "take_profit", "trailing_stop"}


def refused_pointers(name: str) -> set[str]:
    """Fields of the case that the engine cannot do yet; empty when the case must run."""
    config = load_case(name)["config"]
    pointers = {
        f"/risk/{level}" for level, value in config.get("risk", {}).items() if level in LEVELS and value is not None
    }
    if config.get("execution", {}).get("price_mode") == "raw":
        pointers.add("/execution/price_mode")
    if config.get("execution", {}).get("dividends") == "reinvest":
        pointers.add("/execution/dividends")
    if config.get("costs", {}).get("borrow_rate"):
        pointers.add("/costs/borrow_rate")
    if config["strategy_type"] == "rules":
        pointers.add("/strategy_type")
    return pointers


def has_limit_orders(name: str) -> bool:
    signals = load_case(name)["config"].get("parameters", {}).get("signals", {})
    return any(isinstance(wish, dict) for wishes in signals.values() for wish in wishes)


REFUSED = [name for name in case_names() if refused_pointers(name)]
LIMITS = [name for name in case_names() if has_limit_orders(name)]
IMPLEMENTED = [name for name in case_names() if name not in REFUSED and name not in LIMITS]


@pytest.mark.parametrize("name", [n for n in IMPLEMENTED if "error" not in load_case(n)["expected"]])
def test_the_engine_agrees_with_the_case(name: str) -> None:
    case = load_case(name)
    assert differences(simulate_given(case["config"], bars_of(case["bars"])), case["expected"]) == []


@pytest.mark.parametrize("name", [n for n in IMPLEMENTED if "error" in load_case(n)["expected"]])
def test_a_wrong_case_is_an_error_that_names_the_mistake(name: str) -> None:
    case = load_case(name)
    with pytest.raises(InvalidInput, match=case["expected"]["error"]):
        simulate_given(case["config"], bars_of(case["bars"]))


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_there_yet_is_refused_with_the_fields_named(name: str) -> None:
    case = load_case(name)
    with pytest.raises(InvalidInput) as caught:
        simulate_given(case["config"], bars_of(case["bars"]))
    not_yet = {error.pointer for error in caught.value.errors if error.code == "not_yet"}
    assert not_yet >= refused_pointers(name)
    assert all("yet" in error.message for error in caught.value.errors if error.code == "not_yet")


@pytest.mark.parametrize("name", LIMITS)
def test_limit_and_stop_entries_can_only_be_asked_for_by_rules_which_are_refused(name: str) -> None:
    config = {**load_case(name)["config"], "strategy_type": "rules", "parameters": {"entry_order": {"type": "limit"}}}
    with pytest.raises(InvalidInput) as caught:
        check_config(parse_config(config))
    assert ("/strategy_type", "not_yet") in {(error.pointer, error.code) for error in caught.value.errors}


def test_the_refused_cases_are_the_known_ones() -> None:
    assert (len(IMPLEMENTED), len(REFUSED), len(set(LIMITS) - set(REFUSED))) == (70, 45, 7)
