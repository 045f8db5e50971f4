"""Child processes of the store's tests: `python store_writers.py count|stream PATH N`."""

import asyncio
import sys
from pathlib import Path
from typing import ClassVar

from backproof.domain.documents import Change, Document, eq
from backproof.storage.sqlite import SqliteRepository


class Counter(Document):
    collection: ClassVar[str] = "counters"
    indexes: ClassVar[tuple[tuple[str, ...], ...]] = (("value",),)

    value: int = 0
    seen: tuple[int, ...] = ()


async def count(path: Path, times: int) -> None:
    """Five tasks that each raise the counter by compare-and-set, again whenever somebody else was faster."""
    repository = await SqliteRepository.open(path, (Counter,))

    async def raise_it() -> None:
        for _ in range(times):
            while True:
                current = await repository.get(Counter, "c")
                assert current is not None
                change = Change(set={"value": current.value + 1})
                if await repository.update(Counter, "c", (eq("value", current.value),), change):
                    break
            await repository.update(Counter, "d", (), Change(inc={"value": 1}))

    await asyncio.gather(*(raise_it() for _ in range(5)))
    await repository.close()


async def stream(path: Path, first: int) -> None:
    """Write for ever; every number is printed once its write is acknowledged."""
    repository = await SqliteRepository.open(path, (Counter,))
    n = first
    while True:
        n += 1
        assert await repository.add(Counter(id=f"n{n}", value=n))
        assert await repository.update(Counter, "c", (), Change(set={"value": n}, push={"seen": [n]}))
        print(n, flush=True)


if __name__ == "__main__":
    job = {"count": count, "stream": stream}[sys.argv[1]]
    asyncio.run(job(Path(sys.argv[2]), int(sys.argv[3])))
