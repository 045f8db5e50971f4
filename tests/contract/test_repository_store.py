"""What every repository does as a store that several open, close, and leave in the middle of a call."""

import asyncio
import gc
import itertools
from pathlib import Path

import pytest
from repository_backends import Open
from repository_models import Item, Thing

from backproof.domain.documents import Change, Repository, eq
from backproof.errors import StoreUnavailable


async def test_those_that_create_the_store_together_all_succeed(backend: Open, tmp_path: Path) -> None:
    stores = await asyncio.gather(*(backend(tmp_path) for _ in range(8)))
    assert await stores[0].add(Thing(id="a"))
    assert [await store.count(Thing) for store in stores] == [1] * 8
    for store in stores:
        await store.close()


async def test_a_store_opens_again_with_what_was_in_it(backend: Open, tmp_path: Path) -> None:
    first = await backend(tmp_path)
    await first.add(Thing(id="a", fence=7))
    await first.close()
    second = await backend(tmp_path)
    assert await second.get(Thing, "a") == Thing(id="a", fence=7)
    await second.close()


class NewerThing(Thing):
    """The same collection, as a newer program has it."""

    colour: str = "blue"


async def test_fields_of_a_newer_program_are_ignored_and_kept(repository: Repository) -> None:
    await repository.add(NewerThing(id="a", colour="green"))
    assert await repository.get(Thing, "a") == Thing(id="a")
    assert await repository.update(Thing, "a", (eq("fence", 0),), Change(inc={"fence": 1})) == Thing(id="a", fence=1)
    assert await repository.find(Thing) == [Thing(id="a", fence=1)]
    assert await repository.get(NewerThing, "a") == NewerThing(id="a", fence=1, colour="green")


async def test_a_closed_store_says_so(backend: Open, tmp_path: Path) -> None:
    repository = await backend(tmp_path)
    await repository.close()
    await repository.close()
    for call in (repository.ping(), repository.add(Thing(id="a")), repository.count(Thing)):
        with pytest.raises(StoreUnavailable, match="closed"):
            await call


async def test_a_cancelled_caller_does_not_break_the_store(backend: Open, tmp_path: Path) -> None:
    repository = await backend(tmp_path)
    await repository.add(Thing(id="a"))
    for n in range(50):
        task = asyncio.create_task(repository.update(Thing, "a", (), Change(inc={"fence": 1})))
        for _ in range(n % 7 + 1):
            await asyncio.sleep(0)
        task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    gc.collect()
    thing = await repository.update(Thing, "a", (), Change(inc={"fence": 1}))
    assert thing is not None
    assert 1 <= thing.fence <= 51
    for _ in range(20):
        left = asyncio.create_task(repository.get(Thing, "a"))
        await asyncio.sleep(0)
        left.cancel()
    await repository.close()  # with calls on their way: a connection that is left open is a ResourceWarning
    gc.collect()


async def test_of_many_that_add_one_id_exactly_one_succeeds(backend: Open, tmp_path: Path) -> None:
    stores = [await backend(tmp_path) for _ in range(4)]
    adding = (store.add(Thing(id="a", fence=n)) for n, store in enumerate(stores * 10))
    added = await asyncio.gather(*adding)
    assert added.count(True) == 1
    found = await stores[0].get(Thing, "a")
    assert found is not None
    assert found.fence == added.index(True)
    for store in stores:
        await store.close()


async def test_claims_from_several_connections_take_each_document_once(backend: Open, tmp_path: Path) -> None:
    stores = [await backend(tmp_path) for _ in range(4)]
    await stores[0].add_all([Thing(id=f"t{n:02}", status="queued") for n in range(30)])

    async def claim_until_none_is_left(store: Repository, worker: int) -> list[str]:
        mine: list[str] = []
        while waiting := await store.find(Thing, (eq("status", "queued"),), limit=3):
            change = Change(
                set={"status": "running", "part.pid": worker}, inc={"fence": 1}, push={"items": [Item(seq=1)]}
            )
            free = (eq("status", "queued"), eq("fence", 0))
            mine += [thing.id for thing in waiting if await store.update(Thing, thing.id, free, change)]
        return mine

    taken = await asyncio.gather(*(claim_until_none_is_left(store, n) for n, store in enumerate(stores * 2)))
    assert sorted(itertools.chain(*taken)) == [f"t{n:02}" for n in range(30)]
    assert {(thing.fence, len(thing.items)) for thing in await stores[0].find(Thing)} == {(1, 1)}
    for store in stores:
        await store.close()


async def test_adding_to_what_may_be_null_loses_nothing_while_it_becomes_a_value(repository: Repository) -> None:
    """A store that must know whether the value is null before it adds has to notice that this changed."""
    await repository.add(Thing(id="a"))
    grow, forget = Change(inc={"score": 1, "data.n": 1}, push={"data.list": [1]}), Change(set={"score": None})
    changes = [grow] * 40 + [forget] * 5
    await asyncio.gather(*(repository.update(Thing, "a", (), change) for change in changes))
    found = await repository.get(Thing, "a")
    assert found is not None
    assert found.data == {"n": 40, "list": [1] * 40}
