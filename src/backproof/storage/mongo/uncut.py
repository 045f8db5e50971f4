"""Commands that a cancelled caller does not cut off."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def uncut(command: Coroutine[Any, Any, T]) -> T:
    """Await it; when the caller is cancelled, it comes to its end (or its deadline) without them.

    PyMongo closes the connection of a command that is cut off, and forgets the socket of one that it was opening: a
    hundred viewers who leave at once would cost the pool its connections.
    """
    task = asyncio.create_task(command)
    task.add_done_callback(_heard)
    return await asyncio.shield(task)


def _heard(task: asyncio.Task[Any]) -> None:
    """Its error is nobody's any more when the caller has left."""
    if not task.cancelled():
        task.exception()
