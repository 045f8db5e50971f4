"""ExecutionManager: tells the workers that there is work. A lost hint costs seconds, never a run."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

import structlog

from backproof.errors import BrokerUnavailable
from backproof.messaging.line import CALL_SECONDS
from backproof.messaging.queue import WorkQueue

T = TypeVar("T")
log = structlog.get_logger(__name__)


class ExecutionManager:
    def __init__(self, queue: WorkQueue) -> None:
        self._queue = queue

    async def hint(self) -> bool:
        """Send one hint; False when Redis is away (the scheduler sends it later)."""
        try:
            await _in_time(self._queue.hint)
        except BrokerUnavailable as error:
            log.debug("hint_not_sent", reason=str(error))
            return False
        return True

    async def depth(self) -> int:
        """Hints nobody took yet. Raises BrokerUnavailable."""
        return await _in_time(self._queue.depth)


async def _in_time(call: Callable[[], T]) -> T:
    """In a thread; nobody waits for one that is held up, as by a name that is not resolved."""
    try:
        async with asyncio.timeout(CALL_SECONDS):
            return await asyncio.to_thread(call)
    except TimeoutError as error:
        raise BrokerUnavailable("Redis does not answer: a hint could not be sent in time") from error
