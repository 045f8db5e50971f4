"""The same random operations on SQLite and on another store: every answer is the same, errors too."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from repository_backends import Open, open_sqlite
from repository_models import Item, Part, Thing, later
from test_repository_model import FIELDS, TEXT_IN_JAVA

from backproof.domain.documents import Change, Condition, Op, Order, Repository
from backproof.errors import BackproofError

Operation = tuple[str, tuple[Any, ...]]

ids = st.sampled_from(("a", "b", "c", "d", "e", "", "a\0", "$a", "a.b"))
# without NUL, at which SQLite ends a text that it compares or counts by
texts = TEXT_IN_JAVA | st.sampled_from(("", "queued", "done", "[", '"', "null"))
floats = st.none() | st.integers(-3, 3).map(float) | st.floats(allow_nan=True, allow_infinity=True)
keys = st.sampled_from(("n", "list", "x", "a.b", "$set", "%2E", "%int", "$ref", "", "\0")) | TEXT_IN_JAVA
json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.integers(-(2**70), 2**70) | floats | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=6,
)
# `n` is a number, `list` a list: what is added to has to be something that can be added to
data = st.dictionaries(keys.filter(lambda key: key not in ("n", "list")), json, max_size=3).flatmap(
    lambda rest: st.fixed_dictionaries(
        {}, optional={"n": st.none() | st.integers(-5, 5), "list": st.lists(json, max_size=3)}
    ).map(lambda more: {**rest, **more})
)
parts = st.builds(Part, name=texts, pid=st.none() | st.integers(0, 3))
items = st.lists(st.builds(Item, seq=st.integers(0, 5), text=texts), max_size=3)
things = st.builds(
    Thing,
    id=ids,
    status=texts,
    fence=st.integers(-(2**40), 2**40) | st.integers(-2, 2),
    score=floats,
    flag=st.booleans(),
    day=st.none() | st.dates(),
    created_at=st.integers(0, 5).map(later)
    | st.datetimes(timezones=st.timezones()).filter(lambda d: 1 < d.year < 9999),
    part=parts,
    worker=st.none() | parts,
    tags=st.lists(texts, max_size=3).map(tuple),
    items=items.map(tuple),
    metrics=st.none() | st.dictionaries(st.sampled_from(("sharpe", "calmar", "a.b", "$x")), floats),
    data=data,
)
FIELD_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "id": ids,
    "status": texts,
    "fence": st.integers(-3, 3) | st.sampled_from((2**40, 2**63, -(2**70))),
    "score": floats,
    "flag": st.booleans(),
    "created_at": st.integers(0, 5).map(later),
    "part.name": texts,
    "worker.pid": st.integers(0, 3),
    "metrics.sharpe": floats,
}
names = st.sampled_from(sorted(FIELDS))
ranges = (Op.GT, Op.GTE, Op.LT, Op.LTE)
conditions = st.one_of(
    *(
        st.builds(Condition, st.just(name), st.sampled_from((Op.EQ, Op.NE, *ranges)), values | st.none())
        for name, values in FIELD_VALUES.items()
    ),
    *(
        st.builds(Condition, st.just(name), st.just(Op.IN), st.lists(values | st.none(), max_size=3).map(tuple))
        for name, values in FIELD_VALUES.items()
    ),
    st.builds(Condition, st.sampled_from(("part.name", "id", "status")), st.just(Op.PREFIX), texts),
    st.builds(Condition, st.just("tags"), st.sampled_from((Op.CONTAINS, Op.CONTAINS_PREFIX, Op.EQ, Op.NE)), texts),
)
wheres = st.lists(conditions, max_size=2).map(tuple)
changes = st.builds(
    Change,
    set=st.fixed_dictionaries(
        {},
        optional={
            "status": texts,
            "flag": st.booleans(),
            "worker": st.none() | parts,
            "part.name": texts,
            "metrics": st.none() | st.dictionaries(keys, floats, max_size=2),
            "data.x": json,
            "created_at": st.integers(0, 5).map(later),
            "day": st.none() | st.dates(),
        },
    ),
    # whole numbers: SQLite keeps 15 digits of a sum of others
    inc=st.fixed_dictionaries({}, optional={"fence": st.integers(-5, 5), "data.n": st.just(2)}),
    push=st.fixed_dictionaries(
        {}, optional={"tags": st.lists(texts, max_size=2), "data.list": st.lists(json, max_size=2)}
    ),
    pull_through=st.fixed_dictionaries({}, optional={"items": st.integers(-1, 6)}),
)
operations = st.one_of(
    st.tuples(st.just("add"), st.tuples(things)),
    st.tuples(st.just("add"), st.tuples(things)),
    st.tuples(st.just("add_all"), st.tuples(st.lists(things, max_size=4))),
    st.tuples(st.just("get"), st.tuples(st.just(Thing), ids)),
    st.tuples(st.just("update"), st.tuples(st.just(Thing), ids, wheres, changes)),
    st.tuples(st.just("update"), st.tuples(st.just(Thing), ids, st.just(()), changes)),
    st.tuples(st.just("remove"), st.tuples(st.just(Thing), st.lists(conditions, min_size=1, max_size=2).map(tuple))),
    st.tuples(
        st.just("find"),
        st.tuples(
            st.just(Thing),
            wheres,
            st.none() | st.builds(Order, names, st.booleans()),
            st.integers(0, 4),
            st.none() | ids,
            st.integers(0, 3),
        ),
    ),
    st.tuples(st.just("count"), st.tuples(st.just(Thing), wheres)),
    st.tuples(
        st.just("counts_by"), st.tuples(st.just(Thing), st.sampled_from(("flag", "fence", "part.name", "day")), wheres)
    ),
)


async def trace(repository: Repository, operations: Sequence[Operation]) -> list[Any]:
    answers: list[Any] = []
    for name, arguments in operations:
        try:
            answers.append(await getattr(repository, name)(*arguments))
        except ValueError as error:
            answers.append(ValueError.__name__ if "field" not in str(error) else str(error))
        except (BackproofError, ArithmeticError, TypeError) as error:
            answers.append(type(error).__name__)
    answers.append(await repository.find(Thing, limit=1000))
    return answers


@pytest.fixture
def other(backend: Open, request: pytest.FixtureRequest) -> Open:
    if "sqlite" in request.node.callspec.params["backend"]:
        pytest.skip("compared with itself")
    return backend


@st.composite
def sequences(draw: st.DrawFn) -> list[Operation]:
    return [draw(operations) for _ in range(draw(st.integers(1, 25)))]


def test_the_same_operations_give_the_same_answers(other: Open, tmp_path: Path) -> None:
    with asyncio.Runner() as runner:
        stores = [runner.run(_opened(backend, tmp_path)) for backend in (open_sqlite, other)]

        @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
        @given(operations=sequences())
        def compare(operations: list[Operation]) -> None:
            for store in stores:
                runner.run(store.remove(Thing, ()))
            expected, found = (runner.run(trace(store, operations)) for store in stores)
            assert found == expected

        try:
            compare()
        finally:
            for store in stores:
                runner.run(store.close())


async def _opened(backend: Open, directory: Path) -> Repository:
    return await backend(directory)
