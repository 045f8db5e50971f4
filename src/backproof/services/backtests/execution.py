"""ExecutionManager: tells the workers that there is work. A lost hint costs seconds, never a run."""

import asyncio

import structlog

from backproof.errors import BrokerUnavailable
from backproof.messaging.queue import WorkQueue

log = structlog.get_logger(__name__)


class ExecutionManager:
    def __init__(self, queue: WorkQueue) -> None:
        self._queue = queue

    async def hint(self) -> bool:
        """Send one hint; False when Redis is away (the scheduler sends it later)."""
        try:
            await asyncio.to_thread(self._queue.hint)
        except BrokerUnavailable as error:
            log.warning("hint_not_sent", reason=str(error))
            return False
        return True

    async def depth(self) -> int:
        """Hints nobody took yet. Raises BrokerUnavailable."""
        return await asyncio.to_thread(self._queue.depth)
