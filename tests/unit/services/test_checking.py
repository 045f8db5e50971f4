"""Everything that is wrong with a request is said at once, whatever else is wrong with it."""

import itertools
from typing import Any

import pytest

from backproof.bootstrap import ServiceFactory
from backproof.engine.strategies import inspected
from backproof.errors import InvalidInput
from backproof.services.backtests.checking import checked

GOOD: dict[str, Any] = {
    "name": "all at once",
    "strategy_type": "sma_crossover",
    "parameters": {"fast": 20, "slow": 50},
    "symbols": ["AAPL", "MSFT"],
    "data_source": "demo",
    "start_date": "2003-01-02",
    "costs": {"commission_rate": 0.001},
    "execution": {"sizing": {"type": "percent_equity"}},
}
# what is given instead, what it is called, and words of the message
MISTAKES: dict[str, tuple[dict[str, Any], str, str]] = {
    "a name that is blank": ({"name": " "}, "/name", "visible character"),
    "an unknown parameter": ({"parameters": {"fast": 20, "slwo": 50}}, "/parameters/slwo", "has fast, slow"),
    "an unknown symbol": ({"symbols": ["AAPL", "MSFTT"]}, "/symbols/1", "did you mean MSFT?"),
    "a day that is none": ({"start_date": "2003-13-02"}, "/start_date", "month"),
    "a cost misspelt": ({"costs": {"commision_rate": 0.001}}, "/costs/commision_rate", "mean commission_rate?"),
    "an option two levels down": ({"execution": {"sizing": {"kind": 1}}}, "/execution/sizing/kind", "there are type, "),
    "an option of the top": ({"capital": 5}, "/capital", "did you mean initial_capital?"),
}


@pytest.mark.parametrize("together", [*itertools.combinations(MISTAKES, 2), tuple(MISTAKES)], ids=" and ".join)
async def test_mistakes_of_every_kind_are_named_together(services: ServiceFactory, together: tuple[str, ...]) -> None:
    given = dict(GOOD)
    for mistake in together:
        given |= MISTAKES[mistake][0]
    with pytest.raises(InvalidInput) as caught:
        await checked(services.datasets, given)
    said = {error.pointer: error.message for error in caught.value.errors}
    assert said.keys() == {MISTAKES[mistake][1] for mistake in together}
    for mistake in together:
        _, pointer, words = MISTAKES[mistake]
        assert words in said[pointer]


@pytest.mark.parametrize(
    ("changes", "pointers"),
    [
        ({"strategy_type": "sma_crossoverr", "costs": 3}, ["/costs", "/strategy_type"]),
        ({"strategy_type": 5, "symbols": []}, ["/strategy_type", "/symbols"]),  # nothing is left to look into
        ({"symbols": ["A B", "NOSUCH"]}, ["/symbols/0"]),  # numbers of a list that is wrong are not trusted
        ({"data_source": "Dem o", "symbols": ["AAPL"]}, ["/data_source"]),  # of what data, is not known
        ({"timeframe": "1y", "parameters": {}}, ["/timeframe"]),
        ({"execution": {"direction": "shrt"}, "parameters": {"x": 1}}, ["/execution/direction", "/parameters/x"]),
        ({"name": None}, ["/name"]),
        ({"": 1, "~/": 2}, ["/", "/~0~1"]),
    ],
    ids=str,
)
async def test_nothing_is_called_wrong_because_something_else_is(
    services: ServiceFactory, changes: dict[str, Any], pointers: list[str]
) -> None:
    with pytest.raises(InvalidInput) as caught:
        await checked(services.datasets, {**GOOD, **changes})
    assert [error.pointer for error in caught.value.errors] == pointers


async def test_what_is_missing_and_what_is_wrong_are_named_together() -> None:
    config, errors = inspected({"strategy": "sma_crossover", "symbols": ["AAPL"], "risk": {"stop_los": 0.1}})
    assert config is None
    assert {error.pointer: error.code for error in errors} == {
        "/name": "missing",
        "/strategy_type": "missing",
        "/strategy": "extra_forbidden",
        "/risk/stop_los": "extra_forbidden",
    }
    assert any(error.message == "there is no such option; did you mean stop_loss?" for error in errors)
