"""What every repository does with a change, whatever stores the documents."""

import asyncio

import pytest
from repository_models import Item, Part, Thing, later

from backproof.domain.documents import Change, Order, Repository, eq


async def test_an_update_changes_what_it_names_and_nothing_else(repository: Repository) -> None:
    thing = Thing(id="a", score=0.1, data={"exact": 0.1234567890123456789, "list": [1, 2]}, metrics={"sharpe": 1e-17})
    await repository.add(thing)
    await repository.add(Thing(id="b"))
    changed = await repository.update(
        Thing,
        "a",
        (),
        Change(
            set={"status": "done", "created_at": later(5), "part.pid": 7, "worker": Part(name="w"), "data.more": [{}]},
            inc={"fence": 2},
        ),
    )
    expected = thing.model_copy(
        update={
            "status": "done",
            "created_at": later(5),
            "part": Part(pid=7),
            "worker": Part(name="w"),
            "fence": 2,
            "data": {**thing.data, "more": [{}]},
        }
    )
    assert changed == expected
    assert await repository.get(Thing, "a") == expected
    assert await repository.get(Thing, "b") == Thing(id="b")


async def test_a_compare_and_set_that_does_not_match_changes_nothing(repository: Repository) -> None:
    await repository.add(Thing(id="a", status="running", fence=3))
    change = Change(set={"status": "completed"}, inc={"fence": 1}, push={"tags": ["x"]})
    for where in ((eq("fence", 2),), (eq("fence", 3), eq("status", "queued")), (eq("score", 1.0),)):
        assert await repository.update(Thing, "a", where, change) is None
    assert await repository.get(Thing, "a") == Thing(id="a", status="running", fence=3)
    assert await repository.update(Thing, "a", (eq("fence", 3), eq("score", None)), change) is not None


async def test_set_replaces_the_whole_value(repository: Repository) -> None:
    await repository.add(Thing(id="a", metrics={"sharpe": 1.0, "calmar": 2.0}, worker=Part(), tags=("x",), score=1.0))
    changed = await repository.update(
        Thing, "a", (), Change(set={"metrics": {"sharpe": 3.0}, "worker": None, "tags": (), "score": None})
    )
    assert changed == Thing(id="a", metrics={"sharpe": 3.0})


async def test_numbers_keep_every_digit(repository: Repository) -> None:
    await repository.add(Thing(id="a"))
    for value in (0.1 + 0.2, 1e-308, 1.7976931348623157e308, -0.0, 123456789.123456789, 1 / 3):
        changed = await repository.update(Thing, "a", (), Change(set={"score": value}))
        assert changed is not None
        assert changed.score == value
    with pytest.raises(ValueError, match="JSON"):
        await repository.update(Thing, "a", (), Change(set={"score": float("nan")}))
    changed = await repository.update(Thing, "a", (), Change(set={"score": 1.5}))
    changed = await repository.update(Thing, "a", (), Change(inc={"score": 0.25, "fence": -3}))
    assert changed is not None
    assert (changed.score, changed.fence) == (1.75, -3)


async def test_a_value_that_is_missing_counts_from_zero(repository: Repository) -> None:
    await repository.add(Thing(id="a"))
    changed = await repository.update(Thing, "a", (), Change(inc={"score": 2, "data.count": 1}))
    assert changed is not None
    assert (changed.score, changed.data) == (2, {"count": 1})


async def test_push_appends_in_order(repository: Repository) -> None:
    await repository.add(Thing(id="a", tags=("x",)))
    changed = await repository.update(
        Thing,
        "a",
        (),
        Change(push={"tags": ["y", "z"], "items": [Item(seq=1), Item(seq=2, text="한")], "data.list": [1]}),
    )
    assert changed is not None
    assert changed.tags == ("x", "y", "z")
    assert changed.items == (Item(seq=1), Item(seq=2, text="한"))
    assert changed.data == {"list": [1]}
    again = await repository.update(Thing, "a", (), Change(push={"items": [Item(seq=3)], "tags": []}))
    assert again is not None
    assert [item.seq for item in again.items] == [1, 2, 3]
    assert again.tags == changed.tags


async def test_hundreds_of_values_are_pushed_at_once(repository: Repository) -> None:
    await repository.add(Thing(id="a"))
    nested = [[], [[n] for n in range(300)], "]", {"x": "[]"}]
    change = Change(push={"items": [Item(seq=n, text='",[]{}') for n in range(1000)], "data.list": nested})
    for times in (1, 2):
        changed = await repository.update(Thing, "a", (), change)
        assert changed is not None
        assert [item.seq for item in changed.items] == [*range(1000)] * times
        assert changed.data["list"] == nested * times


async def test_many_fields_are_set_at_once(repository: Repository) -> None:
    await repository.add(Thing(id="a"))
    changed = await repository.update(
        Thing, "a", (), Change(set={f"data.n{n}": n for n in range(150)}, inc={f"data.i{n}": n for n in range(50)})
    )
    assert changed is not None
    assert changed.data == {f"n{n}": n for n in range(150)} | {f"i{n}": n for n in range(50)}


async def test_pull_through_removes_what_was_relayed(repository: Repository) -> None:
    await repository.add(Thing(id="a", items=tuple(Item(seq=n, text=f'"{n}"') for n in range(1, 6))))
    changed = await repository.update(Thing, "a", (), Change(pull_through={"items": 3}, set={"flag": True}))
    assert changed is not None
    assert changed.items == (Item(seq=4, text='"4"'), Item(seq=5, text='"5"'))
    assert changed.flag
    for through, left in ((3, 2), (0, 2), (99, 0), (99, 0)):
        changed = await repository.update(Thing, "a", (), Change(pull_through={"items": through}))
        assert changed is not None
        assert len(changed.items) == left


async def test_what_a_model_does_not_have_is_refused(repository: Repository) -> None:
    await repository.add(Thing(id="a"))
    for name in ("nothing", "part.nothing", "status.x", "", "part.", ".part", "data.a'b", "tags.0", "metrics.x.y"):
        with pytest.raises(ValueError, match="field"):
            await repository.find(Thing, (eq(name, 1),))
        with pytest.raises(ValueError, match="field"):
            await repository.find(Thing, (), Order(name))
        with pytest.raises(ValueError, match="field"):
            await repository.update(Thing, "a", (), Change(set={name: 1}))
        with pytest.raises(ValueError, match="field"):
            await repository.counts_by(Thing, name)


@pytest.mark.parametrize(
    "change",
    [
        Change(set={"id": "b"}),
        Change(set={"worker.pid": 1}),  # there may be no worker to set it in
        Change(set={"metrics.sharpe": 1.0}),
        Change(set={"fence": 1}, inc={"fence": 1}),
        Change(set={"part": Part(), "part.pid": 1}),
        Change(push={"items": [Item(seq=1)]}, pull_through={"items": 1}),
        Change(push={"status": ["x"]}),
        Change(pull_through={"status": 1}),
    ],
    ids=repr,
)
async def test_a_change_without_one_clear_meaning_is_refused(repository: Repository, change: Change) -> None:
    await repository.add(Thing(id="a"))
    with pytest.raises(ValueError, match=r"never changes|may be null|overlap|not an array"):
        await repository.update(Thing, "a", (), change)
    assert await repository.get(Thing, "a") == Thing(id="a")


async def test_of_many_at_once_exactly_one_wins_a_compare_and_set(repository: Repository) -> None:
    await repository.add(Thing(id="a", status="queued"))

    async def claim(n: int) -> Thing | None:
        change = Change(set={"status": "running", "part.pid": n}, inc={"fence": 1})
        return await repository.update(Thing, "a", (eq("status", "queued"), eq("fence", 0)), change)

    winners = [thing for thing in await asyncio.gather(*(claim(n) for n in range(20))) if thing is not None]
    assert len(winners) == 1
    assert await repository.get(Thing, "a") == winners[0]


async def test_no_increment_is_lost_among_many(repository: Repository) -> None:
    await repository.add(Thing(id="a"))
    change = Change(inc={"fence": 1}, push={"tags": ["x"]})
    await asyncio.gather(*(repository.update(Thing, "a", (), change) for _ in range(100)))
    found = await repository.get(Thing, "a")
    assert found is not None
    assert (found.fence, len(found.tags)) == (100, 100)


async def test_what_was_written_is_read(repository: Repository) -> None:
    await repository.add(Thing(id="a"))
    for n in range(1, 50):
        await repository.update(Thing, "a", (), Change(set={"fence": n}))
        found = await repository.get(Thing, "a")
        assert found is not None
        assert found.fence == n
