"""Commands that a cancelled caller does not cut off."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Commands:
    """Those of one client. PyMongo closes the connection of a command that is cut off, and forgets the socket of one
    that it was opening: a hundred viewers who leave at once would cost the pool its connections."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    async def uncut(self, command: Coroutine[Any, Any, T]) -> T:
        """Await it; when the caller is cancelled, it comes to its end (or its deadline) without them."""
        task = asyncio.create_task(command)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    async def settle(self, seconds: float) -> None:
        """Wait for those whose callers have left, before the client is closed."""
        if self._running:
            await asyncio.wait(self._running, timeout=seconds)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        """Its error is nobody's any more when the caller has left."""
        self._running.discard(task)
        if not task.cancelled():
            task.exception()
