"""Moving everything from one metadata store to another, one that is empty. Neither may be in use meanwhile.

Documents are copied in the order of their ids. What has been copied is noted in the target, so that a move that was
cut off goes on where it was; it has happened once counts and hashes of all documents are equal.
"""

import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from backproof.domain.documents import Change, Document, Repository
from backproof.errors import Conflict, StorageFailed

_PAGE = 200
MOVE_ID = "move"


class Move(Document):
    """A move that is not finished, in its target (id MOVE_ID). Until then nobody else may use that store.

    source: what the documents come from
    copied: collection to the id of the last document that has arrived
    """

    collection: ClassVar[str] = "moves"

    source: str
    copied: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Digest:
    """Of a collection: how many documents, and a sum of their hashes, whatever order a store has."""

    count: int
    total: int


async def move(
    source: Repository,
    target: Repository,
    models: Sequence[type[Document]],
    name: str,
    on_copied: Callable[[str, int], None] = lambda _collection, _count: None,
) -> dict[str, int]:
    """Copy every document; how many of each collection. Both stores are opened with the models and with Move.

    name: of the source, the same when the move is taken up again
    on_copied: told of each page that has arrived
    Conflict when the target has documents of its own, StorageFailed when it is not equal in the end
    """
    going = await _begun(target, models, name)
    for model in models:
        last = going.copied.get(model.collection)
        async for page in _pages(source, model, last):
            await target.add_all(page)
            copied = going.copied | {model.collection: page[-1].id}
            going = await target.update(Move, going.id, (), Change(set={"copied": copied})) or going
            on_copied(model.collection, len(page))
    counts: dict[str, int] = {}
    for model in models:
        there, here = await digest(source, model), await digest(target, model)
        if there != here:
            raise StorageFailed(
                f"{model.collection} differ after they were copied ({there.count} and {here.count} documents): "
                "was one of the stores in use? Empty the target and begin again"
            )
        counts[model.collection] = here.count
    await target.remove(Move, ())
    return counts


async def digest(repository: Repository, model: type[Document]) -> Digest:
    count = total = 0
    async for page in _pages(repository, model, None):
        for document in page:
            total += int.from_bytes(hashlib.sha256(document.model_dump_json().encode()).digest())
        count += len(page)
    return Digest(count, total % 2**256)


async def _begun(target: Repository, models: Sequence[type[Document]], name: str) -> Move:
    going = await target.get(Move, MOVE_ID)
    if going is not None:
        if going.source != name:
            raise Conflict(f"the target holds a part of another store ({going.source}): empty it first")
        return going
    for model in models:
        if await target.count(model):
            raise Conflict(f"the target is not empty: it has {model.collection}")
    going = Move(id=MOVE_ID, source=name)
    if not await target.add(going):
        raise Conflict("another move to this target has just begun")
    return going


async def _pages(repository: Repository, model: type[Document], last: str | None) -> AsyncIterator[list[Document]]:
    while page := await repository.find(model, (), None, _PAGE, last):
        yield page
        last = page[-1].id
