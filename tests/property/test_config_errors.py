"""Whatever is given as a configuration: either it is one, or every error names a place, and the rest is looked into."""

from typing import Any

import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st

from backproof.domain.config import BacktestConfig, parse_config, parse_what_is_right
from backproof.engine.strategies import inspected
from backproof.errors import InvalidInput

GOOD: dict[str, Any] = {
    "name": "good",
    "strategy_type": "sma_crossover",
    "parameters": {"fast": 5, "slow": 20},
    "symbols": ["AAPL", "MSFT"],
    "start_date": "2003-01-02",
    "execution": {"sizing": {"type": "fixed_cash", "value": 5.0}},
    "costs": {"commission_rate": 0.001},
    "risk": {"stop_loss": 0.1},
    "tags": ["a"],
}
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
names = st.sampled_from([*BacktestConfig.model_fields, "sizing", "value", "slow", "0", "~1/", "strategy"]) | st.text()
changes = st.lists(st.tuples(st.lists(names, min_size=1, max_size=3), values), max_size=4)


def changed(path: list[str], value: object, config: dict[str, Any]) -> dict[str, Any]:
    first, *rest = path
    inner = config.get(first)
    if rest and isinstance(inner, dict):
        return {**config, first: changed(rest, value, inner)}
    return {**config, first: value}


@examples(400)
@given(changes)
def test_wrong_configurations_are_named_by_their_places(made: list[tuple[list[str], object]]) -> None:
    config = GOOD
    for path, value in made:
        config = changed(path, value, config)
    rest, errors = parse_what_is_right(config)
    if errors:
        with pytest.raises(InvalidInput) as caught:
            parse_config(config)
        assert list(caught.value.errors) == errors
        assert all(wrong.pointer.startswith("/") for wrong in errors)
    else:
        assert parse_config(config) == rest
    found, all_errors = inspected(config)
    assert all_errors[: len(errors)] == errors
    assert len({wrong.pointer for wrong in all_errors[len(errors) :]} & {wrong.pointer for wrong in errors}) == 0
    assert found is not None or errors
