"""The Redis client and what backproof keeps there. Every key starts with `backproof:`."""

import json
from collections.abc import Container, Sequence
from typing import Any

import redis
from redis import asyncio as aio
from redis.asyncio import Redis

from backproof.domain.events import Event
from backproof.messaging.line import CALL_SECONDS, Line
from backproof.redis_url import RedisUrl

STREAM = "backproof:events"
STREAM_LENGTH = 20_000  # several minutes of a busy service; what is trimmed is read from the store
LIVE_SECONDS = 3600
QUEUE_CONNECTIONS = 2  # of a process that sends hints; the others are those of its client
PRESENCE_CONNECTIONS = 1  # of a worker that says it is there
READ_SECONDS = 1.0  # the reader of the stream waits so long for the next event


def connect(url: RedisUrl, max_connections: int) -> "Redis":
    """A client for one event loop. Who asks for more connections than it may have waits for one to become free."""
    kinds = {"tls": aio.SSLConnection, "socket": aio.UnixDomainSocketConnection, "": aio.Connection}
    pool = aio.BlockingConnectionPool(
        connection_class=kinds[_kind(url)],
        max_connections=max_connections,
        timeout=CALL_SECONDS,  # type: ignore[arg-type] # parts of seconds are as good
        socket_timeout=READ_SECONDS + CALL_SECONDS,
        socket_connect_timeout=CALL_SECONDS,
        health_check_interval=15,
        **url.options(),
    )
    return Redis.from_pool(pool)


def connect_blocking(url: RedisUrl) -> "redis.Redis":
    """A client with one connection, for threads without an event loop."""
    pool = redis.ConnectionPool(
        connection_class=blocking_kind(url),
        max_connections=1,
        socket_timeout=CALL_SECONDS,
        socket_connect_timeout=CALL_SECONDS,
        **url.options(),
    )
    return redis.Redis.from_pool(pool)


def blocking_kind(url: RedisUrl) -> type[Any]:
    kinds: dict[str, type[Any]] = {
        "tls": redis.SSLConnection,
        "socket": redis.UnixDomainSocketConnection,
        "": redis.Connection,
    }
    return kinds[_kind(url)]


def _kind(url: RedisUrl) -> str:
    return "socket" if url.path else "tls" if url.tls else ""


class EventStream:
    """One stream of all runs' events. Readers drop what they have seen and fill gaps in `seq` from the store."""

    def __init__(self, redis: "Redis", line: Line) -> None:
        self._redis = redis
        self._line = line

    async def publish(self, run_id: str, events: Sequence[Event]) -> None:
        """Append the events, in order, in one round trip. Raises BrokerUnavailable."""
        pipe = self._redis.pipeline(transaction=False)
        for event in events:
            pipe.xadd(STREAM, {"run": run_id, "event": event.model_dump_json()}, maxlen=STREAM_LENGTH, approximate=True)
        await self._line.ask(pipe.execute())

    async def last_id(self) -> str:
        """The position from which `read` sees only what comes later."""
        async with self._line.call(patient=True):
            newest = await self._redis.xrevrange(STREAM, count=1)
        return newest[0][0].decode() if newest else "0-0"

    async def read(
        self, after: str, wanted: Container[str] | None = None, count: int = 500
    ) -> tuple[str, list[tuple[str, Event]]]:
        """(new position, [(run id, event)]); waits a second for the first one.

        wanted: the runs whose events are read; None: all
        """
        async with self._line.call(READ_SECONDS + CALL_SECONDS, patient=True):
            answer = await self._redis.xread({STREAM: after}, count=count, block=int(READ_SECONDS * 1000))
        found: list[tuple[str, Event]] = []
        for _stream, entries in answer or []:
            for entry_id, fields in entries:
                after = entry_id.decode()
                run_id = fields[b"run"].decode()
                if wanted is None or run_id in wanted:
                    found.append((run_id, Event.model_validate_json(fields[b"event"])))
        return after, found


class LiveState:
    """The newest progress and equity frame of each running backtest, for those who come late."""

    def __init__(self, redis: "Redis", line: Line) -> None:
        self._redis = redis
        self._line = line

    async def put(self, run_id: str, frames: Sequence[Event]) -> None:
        key = f"backproof:live:{run_id}"
        async with self._line.call():
            pipe = self._redis.pipeline(transaction=False)
            pipe.hset(key, mapping={frame.type.value: frame.model_dump_json() for frame in frames})
            pipe.expire(key, LIVE_SECONDS)
            await pipe.execute()

    async def get(self, run_id: str) -> list[Event]:
        asked: Any = self._redis.hgetall(f"backproof:live:{run_id}")
        frames: dict[bytes, bytes] = await self._line.ask(asked)
        return [Event.model_validate_json(frame) for frame in frames.values()]


class Presence:
    """Which worker processes can take work now: keys that a worker renews and that expire without it."""

    PREFIX = "backproof:worker:"
    SECONDS = 10

    def __init__(self, redis: "Redis", line: Line) -> None:
        self._redis = redis
        self._line = line

    async def workers(self) -> list[dict[str, str | int]]:
        return [json.loads(value) for value in await self._line.ask(self._values()) if value]

    async def _values(self) -> list[Any]:
        keys = [key async for key in self._redis.scan_iter(self.PREFIX + "*", count=100)]
        return list(await self._redis.mget(keys)) if keys else []
