"""What every repository does with many documents at once, whatever stores them."""

import asyncio

import pytest
from repository_models import Other, Part, Thing
from test_repository import HOSTILE

from backproof.domain.documents import Condition, Op, Repository, eq

# ---- totals -----------------------------------------------------------------------------------------------------


async def test_a_total_is_the_sum_over_those_that_have_the_number(repository: Repository) -> None:
    for n, (score, sharpe) in enumerate(((1.5, 2.0), (None, None), (-0.25, 1.0), (1e15, None))):
        metrics = None if n == 1 else {"sharpe": sharpe}
        await repository.add(Thing(id=f"t{n}", fence=n, score=score, metrics=metrics, part=Part(pid=10 * n or None)))
    assert await repository.total(Thing, "score") == 1e15 + 1.25
    assert await repository.total(Thing, "fence") == 6.0
    assert isinstance(await repository.total(Thing, "fence"), float)
    assert await repository.total(Thing, "metrics.sharpe") == 3.0
    assert await repository.total(Thing, "part.pid") == 60.0
    assert await repository.total(Thing, "score", (Condition("fence", Op.LT, 3),)) == 1.25
    assert await repository.total(Thing, "score", (eq("score", None),)) == 0.0
    assert await repository.total(Thing, "worker.pid") == 0.0


async def test_the_total_of_nothing_is_zero(repository: Repository) -> None:
    assert await repository.total(Thing, "score") == 0.0
    await repository.add(Thing(id="a", score=1.0))
    assert await repository.total(Thing, "score", (eq("id", "nothing"),)) == 0.0
    assert await repository.total(Other, "text") == 0.0


async def test_a_total_knows_integers_beyond_32_bits_and_many_documents(repository: Repository) -> None:
    await repository.add_all([Thing(id=f"t{n:04}", fence=2**40 + n, score=0.1) for n in range(1000)])
    assert await repository.total(Thing, "fence") == float(1000 * 2**40 + 499_500)
    assert await repository.total(Thing, "score") == pytest.approx(100.0, rel=1e-12)


async def test_a_total_of_what_a_model_does_not_have_is_refused(repository: Repository) -> None:
    for name in ("nothing", "part.nothing", "score.x", "", "data.a'b"):
        with pytest.raises(ValueError, match="field"):
            await repository.total(Thing, name)


# ---- many at once -----------------------------------------------------------------------------------------------


async def test_adding_many_leaves_those_that_are_there_already(repository: Repository) -> None:
    await repository.add(Thing(id="b", status="first"))
    await repository.add_all([Thing(id=name, status="second") for name in "abc"])
    assert {thing.id: thing.status for thing in await repository.find(Thing)} == {
        "a": "second",
        "b": "first",
        "c": "second",
    }
    await repository.add_all([Thing(id=name, status="third") for name in "abcd"])
    assert [thing.status for thing in await repository.find(Thing)] == ["second", "first", "second", "third"]


async def test_adding_nothing_is_nothing(repository: Repository) -> None:
    await repository.add_all([])
    assert await repository.count(Thing) == 0


async def test_of_one_id_twice_the_first_counts(repository: Repository) -> None:
    await repository.add_all([Thing(id="a", status="one"), Thing(id="a", status="two"), Thing(id="b")])
    assert [(thing.id, thing.status) for thing in await repository.find(Thing)] == [("a", "one"), ("b", "new")]


@pytest.mark.parametrize("count", [199, 200, 201, 1000])
async def test_any_number_is_added_whole(repository: Repository, count: int) -> None:
    things = [
        Thing(id=f"t{n:04}", fence=n, tags=(f"{n}", "'; --"), part=Part(name="한" * (n % 3))) for n in range(count)
    ]
    await repository.add_all(things)
    assert await repository.find(Thing, limit=count + 1) == things


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
async def test_many_with_any_text_are_only_values(repository: Repository, text: str) -> None:
    things = [Thing(id=f"{n}{text}", status=text, data={text: text}) for n in range(3)]
    await repository.add_all(things)
    for thing in things:
        assert await repository.get(Thing, thing.id) == thing


async def test_many_writers_of_the_same_documents_add_each_once(repository: Repository) -> None:
    things = [Thing(id=f"t{n:03}") for n in range(300)]
    await asyncio.gather(*(repository.add_all(things[n:]) for n in range(0, 300, 30)))
    assert await repository.find(Thing, limit=301) == things
