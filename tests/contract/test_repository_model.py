"""Any sequence of operations does what the same operations do on a dict."""

import asyncio
import math
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from repository_models import Item, Part, Thing, later

from backproof.domain.documents import Change, Condition, Op, Order, Repository, Where, eq

ANY_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
# for a server that compares texts as Java does, by their UTF-16: without the characters that this puts elsewhere
TEXT_IN_JAVA = st.text(
    st.characters(codec="utf-8", exclude_characters="\0\ud7ff", exclude_categories=("Co",)).filter(
        lambda character: not "\ue000" <= character <= "\uffff"
    ),
    max_size=8,
)
texts = st.runner().flatmap(lambda machine: type(machine).texts)
numbers = st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-5, 5).map(float)
things = st.builds(
    Thing,
    id=st.sampled_from("abcdefgh"),
    status=st.sampled_from(("queued", "running", "done")) | texts,
    fence=st.integers(-3, 3),
    score=numbers,
    flag=st.booleans(),
    created_at=st.integers(0, 5).map(later),
    part=st.builds(Part, name=texts, pid=st.none() | st.integers(0, 3)),
    worker=st.none() | st.builds(Part, name=texts, pid=st.none() | st.integers(0, 3)),
    tags=st.lists(texts, max_size=3).map(tuple),
    metrics=st.none() | st.dictionaries(st.sampled_from(("sharpe", "calmar")), numbers),
)
FIELDS: dict[str, Callable[[Thing], Any]] = {
    "id": lambda t: t.id,
    "status": lambda t: t.status,
    "fence": lambda t: t.fence,
    "score": lambda t: t.score,
    "flag": lambda t: t.flag,
    "created_at": lambda t: t.created_at,
    "part.name": lambda t: t.part.name,
    "worker.pid": lambda t: t.worker.pid if t.worker else None,
    "metrics.sharpe": lambda t: (t.metrics or {}).get("sharpe"),
}
values = {
    "id": st.sampled_from("abcdefgh"),
    "status": st.sampled_from(("queued", "running", "done")) | texts,
    "fence": st.integers(-3, 3),
    "score": st.integers(-5, 5).map(float) | st.floats(allow_nan=False),
    "flag": st.booleans(),
    "created_at": st.integers(0, 5).map(later),
    "part.name": texts,
    "worker.pid": st.integers(0, 3),
    "metrics.sharpe": st.integers(-5, 5).map(float),
}


@st.composite
def conditions(draw: st.DrawFn) -> Condition:
    name = draw(st.sampled_from(sorted(FIELDS)))
    op = draw(st.sampled_from([op for op in Op if op not in (Op.CONTAINS, Op.CONTAINS_PREFIX, Op.PREFIX)]))
    if op is Op.IN:
        return Condition(name, op, tuple(draw(st.lists(st.none() | values[name], max_size=3))))
    value = draw(values[name] | st.none()) if op in (Op.EQ, Op.NE) else draw(values[name])
    return Condition(name, op, value)


text_conditions = st.one_of(
    texts.map(lambda text: Condition("tags", Op.CONTAINS, text)),
    texts.map(lambda text: Condition("tags", Op.CONTAINS_PREFIX, text)),
    texts.map(lambda text: Condition("part.name", Op.PREFIX, text)),
)
wheres = st.lists(conditions() | text_conditions, max_size=2)
orders = st.none() | st.builds(Order, st.sampled_from(sorted(FIELDS)), st.booleans())


def matches(thing: Thing, where: Where) -> bool:
    return all(_matches(thing, condition) for condition in where)


def _matches(thing: Thing, condition: Condition) -> bool:
    if condition.op is Op.CONTAINS:
        return condition.value in thing.tags
    if condition.op is Op.CONTAINS_PREFIX:
        return any(tag.startswith(str(condition.value)) for tag in thing.tags)
    if condition.op is Op.PREFIX:
        return thing.part.name.startswith(str(condition.value))
    value, wanted = FIELDS[condition.field](thing), condition.value
    match condition.op:
        case Op.EQ:
            return bool(value == wanted)
        case Op.NE:
            return bool(value != wanted)
        case Op.IN:
            assert isinstance(wanted, tuple)
            return value in wanted
    if value is None:
        return False
    value, wanted = _comparable(value), _comparable(wanted)
    return bool(
        {Op.GT: value > wanted, Op.GTE: value >= wanted, Op.LT: value < wanted, Op.LTE: value <= wanted}[condition.op]
    )


def _comparable(value: Any) -> Any:
    return value.encode() if isinstance(value, str) else value


def ordered(found: list[Thing], order: Order | None) -> list[Thing]:
    order = order or Order("id")
    by_id = sorted(found, key=lambda t: t.id, reverse=order.descending)
    value = FIELDS[order.field]
    there = [thing for thing in by_id if value(thing) is not None]
    there.sort(key=lambda t: _comparable(value(t)), reverse=order.descending)
    return there + [thing for thing in by_id if value(thing) is None]


class Machine(RuleBasedStateMachine):
    backend: Callable[[Path], Awaitable[Repository]]
    texts: st.SearchStrategy[str]

    @initialize()
    def open(self) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.runner = asyncio.Runner()
        self.repository: Repository = self.runner.run(_opened(type(self).backend, self.directory))
        self.model: dict[str, Thing] = {}

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            self.runner.run(self.repository.close())
            self.runner.close()
            shutil.rmtree(self.directory)

    @rule(thing=things)
    def add(self, thing: Thing) -> None:
        added = self.runner.run(self.repository.add(thing))
        assert added == (thing.id not in self.model)
        self.model.setdefault(thing.id, thing)

    @rule(several=st.lists(things, max_size=5))
    def add_all(self, several: list[Thing]) -> None:
        self.runner.run(self.repository.add_all(several))
        for thing in several:
            self.model.setdefault(thing.id, thing)

    @rule(id=st.sampled_from("abcdefgh"), where=wheres, thing=things, seqs=st.lists(st.integers(0, 5), max_size=3))
    def update(self, id: str, where: list[Condition], thing: Thing, seqs: list[int]) -> None:
        change = Change(
            set={
                "status": thing.status,
                "score": thing.score,
                "worker": thing.worker,
                "created_at": thing.created_at,
                "metrics": thing.metrics,
                "part.name": thing.part.name,
            },
            inc={"fence": thing.fence},
            push={"tags": thing.tags, "items": [Item(seq=seq) for seq in seqs]},
        )
        changed = self.runner.run(self.repository.update(Thing, id, where, change))
        before = self.model.get(id)
        if before is None or not matches(before, where):
            assert changed is None
            return
        assert changed == before.model_copy(
            update={
                "status": thing.status,
                "score": thing.score,
                "worker": thing.worker,
                "created_at": thing.created_at,
                "metrics": thing.metrics,
                "part": before.part.model_copy(update={"name": thing.part.name}),
                "fence": before.fence + thing.fence,
                "tags": before.tags + thing.tags,
                "items": before.items + tuple(Item(seq=seq) for seq in seqs),
            }
        )
        self.model[id] = changed

    @rule(id=st.sampled_from("abcdefgh"), through=st.integers(-1, 6))
    def pull(self, id: str, through: int) -> None:
        changed = self.runner.run(self.repository.update(Thing, id, (), Change(pull_through={"items": through})))
        if id in self.model:
            left = tuple(item for item in self.model[id].items if item.seq > through)
            self.model[id] = self.model[id].model_copy(update={"items": left})
        assert changed == self.model.get(id)

    @rule(where=wheres)
    def remove(self, where: list[Condition]) -> None:
        if not where:
            where = [eq("id", "a")]
        gone = [key for key, thing in self.model.items() if matches(thing, where)]
        assert self.runner.run(self.repository.remove(Thing, where)) == len(gone)
        for key in gone:
            del self.model[key]

    @rule(where=wheres, order=orders, limit=st.integers(1, 4))
    def find(self, where: list[Condition], order: Order | None, limit: int) -> None:
        expected = ordered([thing for thing in self.model.values() if matches(thing, where)], order)
        paged: list[Thing] = []
        while page := self.runner.run(
            self.repository.find(Thing, where, order, limit, paged[-1].id if paged else None)
        ):
            paged += page
            assert len(paged) <= len(expected)
        assert paged == expected

    @rule(where=wheres)
    def counts(self, where: list[Condition]) -> None:
        found = [thing for thing in self.model.values() if matches(thing, where)]
        assert self.runner.run(self.repository.count(Thing, where)) == len(found)
        counted = self.runner.run(self.repository.counts_by(Thing, "status", where))
        assert counted == {status: [t.status for t in found].count(status) for status in {t.status for t in found}}

    @rule(where=wheres, name=st.sampled_from(("fence", "score", "worker.pid", "metrics.sharpe")))
    def totals(self, where: list[Condition], name: str) -> None:
        found = [FIELDS[name](thing) for thing in self.model.values() if matches(thing, where)]
        numbers = [value for value in found if value is not None]
        total = self.runner.run(self.repository.total(Thing, name, where))
        if sum(map(abs, numbers)) < 1e300:  # beyond, what comes out depends on the order
            assert math.isclose(total, math.fsum(numbers), rel_tol=1e-9, abs_tol=1e-9 * sum(map(abs, numbers)))

    @invariant()
    def every_document_is_as_the_model_has_it(self) -> None:
        if hasattr(self, "repository"):
            for key in "abcdefgh":
                assert self.runner.run(self.repository.get(Thing, key)) == self.model.get(key)


async def _opened(backend: Callable[[Path], Awaitable[Repository]], directory: Path) -> Repository:
    return await backend(directory)


def test_any_sequence_of_operations_agrees_with_a_dict(
    backend: Callable[[Path], Awaitable[Repository]], request: pytest.FixtureRequest
) -> None:
    texts = TEXT_IN_JAVA if "java" in request.node.callspec.params["backend"] else ANY_TEXT
    machine = type("BackendMachine", (Machine,), {"backend": staticmethod(backend), "texts": texts})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=40,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
