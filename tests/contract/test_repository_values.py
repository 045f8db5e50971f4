"""Values that one store or another cannot hold as they are: what comes back is the same in all of them."""

import datetime as dt
from typing import Any

import pytest
from repository_models import Part, Thing, later

from backproof.domain.documents import Change, Condition, Op, Order, Repository, Scalar, eq, is_in

KEYS = (
    "a.b",
    ".",
    "..",
    "$set",
    "$",
    "$ref",
    "$id",
    "a$",
    "%",
    "%2E",
    "%int",
    "_id",
    "id",
    "",
    "0",
    "한 글",
    "\0",
    "a\0b",
    "\\",
    '"',
)
INTEGERS = (
    2**31,
    -(2**31) - 1,
    2**53 + 1,
    2**63 - 1,
    -(2**63),
    2**63,
    -(2**63) - 1,
    2**70,
    10**33,
    10**34,
    -(10**40),
    10**300,
)


async def changed(repository: Repository, change: Change) -> Thing:
    thing = await repository.update(Thing, "a", (), change)
    assert thing is not None
    assert await repository.get(Thing, "a") == thing
    return thing


@pytest.mark.parametrize("key", KEYS)
async def test_any_text_can_be_a_key(repository: Repository, key: str) -> None:
    data = {key: 1, "deeper": [{key: {key: "x"}}], "%" + key: 2}
    await repository.add(Thing(id="a", data=data, metrics={key: 1.5}))
    found = await repository.get(Thing, "a")
    assert found == Thing(id="a", data=data, metrics={key: 1.5})
    thing = await changed(repository, Change(set={"data": {"x": data}, "metrics": {key: 2.0}}))
    assert (thing.data, thing.metrics) == ({"x": data}, {key: 2.0})
    thing = await changed(repository, Change(set={"data.more": data}, push={"data.list": [data]}))
    assert thing.data == {"x": data, "more": data, "list": [data]}


@pytest.mark.parametrize("number", INTEGERS)
async def test_integers_of_any_size_keep_every_digit(repository: Repository, number: int) -> None:
    await repository.add(Thing(id="a", data={"number": number, "list": [number, {"deep": number}]}))
    found = await repository.get(Thing, "a")
    assert found is not None
    assert found.data == {"number": number, "list": [number, {"deep": number}]}
    assert type(found.data["number"]) is int
    thing = await changed(repository, Change(set={"data.number": -number, "data.other": number}))
    assert (thing.data["number"], thing.data["other"]) == (-number, number)


async def test_integers_beyond_64_bits_are_summed_and_counted_as_numbers(repository: Repository) -> None:
    await repository.add_all([Thing(id="a", data={"n": 2**70}), Thing(id="b", data={"n": 2**70}), Thing(id="c")])
    assert await repository.total(Thing, "data.n") == 2.0**71
    await repository.add(Thing(id="d", fence=2**70))
    assert await repository.counts_by(Thing, "fence") == {"0": 3, str(2.0**70): 1}


async def test_integers_beyond_64_bits_compare_with_numbers(repository: Repository) -> None:
    for name, score in (("a", -1e300), ("b", 5.0), ("c", 2.0**70), ("d", 1e300), ("e", None)):
        await repository.add(Thing(id=name, score=score))

    async def ids(op: Op, value: Scalar) -> list[str]:
        return [thing.id for thing in await repository.find(Thing, (Condition("score", op, value),))]

    assert await ids(Op.LT, 2**70) == ["a", "b"]
    assert await ids(Op.EQ, 2**70) == ["c"]
    assert await ids(Op.GTE, 2**64) == ["c", "d"]
    assert await ids(Op.NE, 2**70) == ["a", "b", "d", "e"]
    assert await ids(Op.GT, -(10**299)) == ["b", "c", "d"]
    assert await ids(Op.LT, float("inf")) == ["a", "b", "c", "d"]
    assert await ids(Op.GT, float("-inf")) == ["a", "b", "c", "d"]
    assert await ids(Op.EQ, float("nan")) == []
    assert await ids(Op.NE, float("nan")) == ["a", "b", "c", "d", "e"]


async def test_what_is_no_number_is_stored_as_null_and_never_set(repository: Repository) -> None:
    nan = float("nan")
    await repository.add(Thing(id="a", score=nan, data={"x": nan, "y": float("inf")}, metrics={"sharpe": nan}))
    assert await repository.get(Thing, "a") == Thing(id="a", data={"x": None, "y": None}, metrics={"sharpe": None})
    assert [thing.id for thing in await repository.find(Thing, (eq("score", None),))] == ["a"]
    for value in (nan, float("inf"), float("-inf")):
        for change in (
            Change(set={"score": value}),
            Change(push={"data.list": [value]}),
            Change(set={"data": {"x": [value]}}),
        ):
            with pytest.raises(ValueError, match="JSON"):
                await repository.update(Thing, "a", (), change)


async def test_a_lone_surrogate_is_refused_and_matches_nothing(repository: Repository) -> None:
    lone = "x\ud800"
    for thing in (
        Thing(id=lone),
        Thing(id="b", status=lone),
        Thing(id="b", data={"x": [lone]}),
    ):
        with pytest.raises(ValueError):
            await repository.add(thing)
        with pytest.raises(ValueError):
            await repository.add_all([Thing(id="c"), thing])
    await repository.add(Thing(id="a"))
    for change in (Change(set={"status": lone}), Change(push={"tags": [lone]}), Change(set={"data": {lone: 1}})):
        with pytest.raises(ValueError):
            await repository.update(Thing, "a", (), change)
    for condition in (eq("status", lone), is_in("status", (lone,)), Condition("tags", Op.CONTAINS, lone)):
        assert await repository.count(Thing, (condition,)) == 0
    assert await repository.count(Thing, (Condition("status", Op.NE, lone),)) == 1
    assert await repository.find(Thing) == [Thing(id="a")]


async def test_a_nul_is_kept_in_every_text(repository: Repository) -> None:
    thing = Thing(id="a\0b", status="\0", tags=("\0x", "x\0"), part=Part(name="\0\0"), data={"k": ["\0"]})
    assert await repository.add(thing)
    assert not await repository.add(thing)
    assert await repository.get(Thing, "a\0b") == thing
    assert await repository.get(Thing, "a") is None
    assert await repository.count(Thing, (eq("status", "\0"),)) == 0
    assert await repository.count(Thing, (Condition("tags", Op.CONTAINS_PREFIX, "\0"),)) == 0


async def test_microseconds_order_and_come_back(repository: Repository) -> None:
    moments = [later(0) + dt.timedelta(microseconds=n) for n in (999_999, 0, 1, 500_000, 999, 1000)]
    moments += [dt.datetime(1, 1, 1, tzinfo=dt.UTC), dt.datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=dt.UTC)]
    await repository.add_all([Thing(id=f"t{n}", created_at=moment) for n, moment in enumerate(moments)])
    found = await repository.find(Thing, (), Order("created_at"))
    assert [thing.created_at for thing in found] == sorted(moments)
    assert all(thing.created_at.tzinfo is dt.UTC for thing in found)


async def test_arrays_are_no_values(repository: Repository) -> None:
    """A condition on a field is about the field, not about what an array in it holds."""
    await repository.add(Thing(id="a", tags=("x", "y"), data={"list": [1, None], "n": 1}))
    await repository.add(Thing(id="b", tags=("x",), data={"n": 2}))

    async def ids(name: str, op: Op, value: Any) -> list[str]:
        return [thing.id for thing in await repository.find(Thing, (Condition(name, op, value),))]

    assert await ids("tags", Op.EQ, "x") == []
    assert await ids("tags", Op.NE, "x") == ["a", "b"]
    assert await ids("tags", Op.IN, ("x", "y")) == []
    assert await ids("tags", Op.EQ, None) == []
    assert await ids("data.list", Op.EQ, 1) == []
    assert await ids("data.list", Op.EQ, None) == ["b"]
    assert await ids("data.list", Op.NE, None) == ["a"]
    assert await ids("data.n", Op.IN, (2, 3)) == ["b"]
    assert await ids("data.list", Op.CONTAINS, 1) == ["a"]


async def test_an_array_with_null_in_it_is_added_to(repository: Repository) -> None:
    await repository.add(Thing(id="a", data={"list": [None, 1]}))
    thing = await changed(repository, Change(push={"data.list": [None, 2]}, inc={"data.n": 2}))
    assert thing.data == {"list": [None, 1, None, 2], "n": 2}


async def test_a_change_of_nothing_is_a_question(repository: Repository) -> None:
    await repository.add(Thing(id="a", fence=1))
    assert await repository.update(Thing, "a", (eq("fence", 1),), Change()) == Thing(id="a", fence=1)
    assert await repository.update(Thing, "a", (eq("fence", 2),), Change()) is None
    assert await repository.update(Thing, "b", (), Change(push={"tags": ()})) is None
