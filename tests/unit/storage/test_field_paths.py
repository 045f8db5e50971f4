"""Field paths are resolved against the model, not believed."""

import pytest

from backproof.domain.backtest import Backtest
from backproof.domain.events import RunEvent
from backproof.storage.fields import field_path


@pytest.mark.parametrize(
    ("name", "nullable", "nullable_parent", "array"),
    [
        ("status", False, False, False),
        ("config.strategy_type", False, False, False),
        ("config.symbols", False, False, True),
        ("config.start_date", True, False, False),
        ("config.parameters.fast", True, False, True),  # Any: may be anything
        ("worker", True, False, False),
        ("worker.pid", True, True, False),
        ("metrics.sharpe", True, True, False),
        ("null_reasons.sharpe", True, False, False),
        ("outbox", False, False, True),
        ("tags", False, False, True),
    ],
)
def test_a_path_knows_what_may_be_missing(name: str, nullable: bool, nullable_parent: bool, array: bool) -> None:
    path = field_path(Backtest, name)
    assert (path.nullable, path.nullable_parent, path.array) == (nullable, nullable_parent, array)


def test_a_path_knows_arrays_of_texts() -> None:
    names = ("tags", "search", "config.symbols", "outbox", "sparkline", "config.parameters.fast", "name")
    assert [field_path(Backtest, name).texts for name in names] == [True, True, True, False, False, False, False]


@pytest.mark.parametrize(
    "name", ["", "nope", "config.nope", "status.x", "tags.0", "outbox.seq", "metrics.a.b", "x'", "a..b"]
)
def test_a_path_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="field"):
        field_path(Backtest, name)


def test_free_form_data_may_be_looked_into() -> None:
    assert field_path(RunEvent, "data.level.deeper").keys == ("data", "level", "deeper")
