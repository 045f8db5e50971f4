"""Whether Redis answers, as everybody in this process knows it: one caller waits for a server that does not, the others
need not. A request that has several things to ask would wait for each of them otherwise."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TypeVar

import structlog
from kombu.exceptions import OperationalError
from redis.exceptions import ConnectionError as NotConnected
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as TimedOut

from backproof.errors import BrokerUnavailable

T = TypeVar("T")
log = structlog.get_logger(__name__)
CALL_SECONDS = 1.0  # of one question: with a store that answers, a request then ends within two seconds
PATIENT_SECONDS = 2.0  # in processes that compute: nobody waits for them, and what is not said in time is said late
REST_SECONDS = 1.0  # nobody asks again for so long, but those who wait for Redis to come back


class Line:
    """Shared by all clients of one process. It says once that Redis is away, and once that it is back."""

    def __init__(self, seconds: float = CALL_SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._rests_until = 0.0
        self._reason = ""

    @contextmanager
    def attempt(self, *, patient: bool = False) -> Iterator[None]:
        """Ask here. Raises BrokerUnavailable, at once when Redis did not answer somebody a moment ago.

        patient: this caller does nothing but wait for Redis, and is the first to learn that it is back
        """
        if not patient:
            self.check()
        try:
            yield
        except (RedisError, OperationalError, OSError) as error:
            reason = f"Redis does not answer: {words(error)}"
            if isinstance(error, (NotConnected, TimedOut, OperationalError, OSError)):
                self._rest(reason)
            raise BrokerUnavailable(reason) from error
        if self._reason:
            log.info("redis_is_back")
            self._reason, self._rests_until = "", 0.0

    def check(self) -> None:
        """Raises BrokerUnavailable when Redis did not answer somebody a moment ago."""
        if self._clock() < self._rests_until:
            raise BrokerUnavailable(self._reason)

    def _rest(self, reason: str) -> None:
        if not self._reason:
            log.warning("redis_is_away", reason=reason)
        self._reason, self._rests_until = reason, self._clock() + REST_SECONDS

    async def ask(self, question: Awaitable[T]) -> T:
        """The answer, or BrokerUnavailable in time: redis-py, while it connects, may not heed that it is cancelled."""
        task = asyncio.ensure_future(question)
        task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        try:
            with self.attempt():
                await asyncio.wait((task,), timeout=self._seconds)
                if not task.done():
                    raise TimeoutError
                return task.result()
        finally:
            task.cancel()

    @asynccontextmanager
    async def call(self, seconds: float | None = None, *, patient: bool = False) -> AsyncIterator[None]:
        """The same with a deadline."""
        with self.attempt(patient=patient):
            async with asyncio.timeout(self._seconds if seconds is None else seconds):
                yield


def words(error: Exception) -> str:
    if isinstance(error, TimeoutError) and not str(error):
        return "it did not answer in time"
    return " ".join(str(error).split())[:200] or type(error).__name__
