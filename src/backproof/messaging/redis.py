"""The Redis client and what backproof keeps there. Every key starts with `backproof:`."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from redis.asyncio import Redis
from redis.exceptions import RedisError

from backproof.domain.events import Event
from backproof.errors import BrokerUnavailable

STREAM = "backproof:events"
STREAM_LENGTH = 20_000  # several minutes of a busy service; what is trimmed is read from the store
LIVE_SECONDS = 3600
TIMEOUT_SECONDS = 2.0


def connect(url: str, max_connections: int) -> "Redis":
    """A client that gives up after two seconds instead of waiting for a stopped server."""
    client: Redis = Redis.from_url(
        url,
        max_connections=max_connections,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        health_check_interval=15,
    )
    return client


@asynccontextmanager
async def _answering() -> AsyncIterator[None]:
    try:
        yield
    except (RedisError, OSError, TimeoutError) as error:
        raise BrokerUnavailable(f"Redis does not answer: {error}") from error


class EventStream:
    """One stream of all runs' events. Readers drop what they have seen and fill gaps in `seq` from the store."""

    def __init__(self, redis: "Redis") -> None:
        self._redis = redis

    async def publish(self, run_id: str, events: Sequence[Event]) -> None:
        """Append the events, in order, in one round trip. Raises BrokerUnavailable."""
        async with _answering():
            pipe = self._redis.pipeline(transaction=False)
            for event in events:
                pipe.xadd(
                    STREAM, {"run": run_id, "event": event.model_dump_json()}, maxlen=STREAM_LENGTH, approximate=True
                )
            await pipe.execute()

    async def last_id(self) -> str:
        """The position from which `read` sees only what comes later."""
        async with _answering():
            newest = await self._redis.xrevrange(STREAM, count=1)
        return newest[0][0].decode() if newest else "0-0"

    async def read(self, after: str, block_ms: int = 1000, count: int = 500) -> tuple[str, list[tuple[str, Event]]]:
        """(new position, [(run id, event)]); waits up to `block_ms` for the first one."""
        async with _answering():
            answer = await self._redis.xread({STREAM: after}, count=count, block=block_ms)
        found: list[tuple[str, Event]] = []
        for _stream, entries in answer or []:
            for entry_id, fields in entries:
                after = entry_id.decode()
                found.append((fields[b"run"].decode(), Event.model_validate_json(fields[b"event"])))
        return after, found


class LiveState:
    """The newest progress and equity frame of each running backtest, for those who come late."""

    def __init__(self, redis: "Redis") -> None:
        self._redis = redis

    async def put(self, run_id: str, frames: Sequence[Event]) -> None:
        key = f"backproof:live:{run_id}"
        async with _answering():
            pipe = self._redis.pipeline(transaction=False)
            pipe.hset(key, mapping={frame.type.value: frame.model_dump_json() for frame in frames})
            pipe.expire(key, LIVE_SECONDS)
            await pipe.execute()

    async def get(self, run_id: str) -> list[Event]:
        async with _answering():
            frames: dict[bytes, bytes] = await self._redis.hgetall(f"backproof:live:{run_id}")  # type: ignore[misc]
        return [Event.model_validate_json(frame) for frame in frames.values()]


class Presence:
    """Which worker processes can take work now: keys that a worker renews and that expire without it."""

    PREFIX = "backproof:worker:"
    SECONDS = 10

    def __init__(self, redis: "Redis") -> None:
        self._redis = redis

    async def workers(self) -> list[dict[str, str | int]]:
        async with _answering():
            keys = [key async for key in self._redis.scan_iter(self.PREFIX + "*", count=100)]
            values = await self._redis.mget(keys) if keys else []
        return [json.loads(value) for value in values if value]
