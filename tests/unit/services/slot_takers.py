"""A process that takes slots and gives them up, for tests with several of them.

    slot_takers.py <store> <limit> <times>

Counts in the store how many hold one at the same moment, and exits with 1 when they are more than the limit.
"""

import asyncio
import sys
from pathlib import Path
from typing import ClassVar

from backproof.bootstrap import DOCUMENTS
from backproof.domain.documents import Change, Document, Repository
from backproof.services.backtests.host import this_worker
from backproof.services.backtests.slots import Seat, Slots
from backproof.storage.sqlite import SqliteRepository


class Inside(Document):
    """How many hold a slot now, and how many did at most."""

    collection: ClassVar[str] = "inside"

    now: int = 0
    ever: int = 0


async def opened(path: Path) -> SqliteRepository:
    return await SqliteRepository.open(path, (*DOCUMENTS, Inside))


async def take_turns(repository: Repository, limit: int, times: int) -> int:
    """Hold a slot so many times; how many were held at once at most, as seen from here."""
    seat, most, held = Seat(Slots(repository), this_worker(), limit, None), 0, 0
    while held < times:
        if not await seat.take():
            await asyncio.sleep(0)
            continue
        entered = await repository.update(Inside, "inside", (), Change(inc={"now": 1, "ever": 1}))
        assert entered is not None
        most, held = max(most, entered.now), held + 1
        assert await seat.keep(now=True)
        await repository.update(Inside, "inside", (), Change(inc={"now": -1}))
        await seat.leave()
    return most


async def main(path: Path, limit: int, times: int) -> int:
    repository = await opened(path)
    try:
        return await take_turns(repository, limit, times)
    finally:
        await repository.close()


if __name__ == "__main__":
    most = asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
    sys.exit(most > int(sys.argv[2]))
