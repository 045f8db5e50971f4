"""Whether the Redis that REDIS_URL names can be used: asked once by every process, as soon as it answers."""

import asyncio
import ssl
from collections.abc import Iterator
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    InvalidResponse,
    NoPermissionError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)

from backproof.errors import BrokerRefused, BrokerUnavailable
from backproof.messaging.line import CALL_SECONDS, words
from backproof.messaging.queue import BACKTEST_EXECUTION
from backproof.messaging.redis import STREAM, STREAM_LENGTH, Presence, connect
from backproof.redis_url import RedisUrl

OLDEST = (6, 0)  # streams came with 5.0, users with 6.0
_NOBODY = "backproof:nobody"
_SECONDS = 3 * CALL_SECONDS
_BROKEN_OFF = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


async def check(url: RedisUrl) -> list[str]:
    """What the operator should know of a server that can be used.

    Raises BrokerRefused when this server, or what its user may do there, is not enough; BrokerUnavailable when it does
    not answer.
    """
    client = connect(url, 1)
    try:
        async with asyncio.timeout(_SECONDS):
            return await _checked(client, url)
    except (RedisError, OSError) as error:
        if (reason := refusal(error, url)) is not None:
            raise BrokerRefused(f"Redis {url.where}: {reason}") from error
        raise BrokerUnavailable(f"Redis {url.where} does not answer: {words(error)}") from error
    finally:
        await client.aclose()


async def _checked(client: "Redis", url: RedisUrl) -> list[str]:
    facts = await _facts(client)
    if (version := str(facts.get("redis_version", ""))) and _number(version) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise BrokerRefused(f"Redis {url.where} has version {version}: {oldest} or newer is needed (streams, users)")
    if facts.get("redis_mode") == "cluster":
        raise BrokerRefused(f"Redis {url.where} is a cluster: one server, with replicas or without, is needed")
    for command in _writes():
        await client.execute_command(*command)  # type: ignore[no-untyped-call]
    return list(_warnings(facts))


async def _facts(client: "Redis") -> dict[str, Any]:
    await client.ping()
    try:
        return dict(await client.info())
    except NoPermissionError:  # nothing that is needed; what it would have told is not known then
        return {}


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())


def _writes() -> Iterator[tuple[str | int, ...]]:
    """One for each kind of key that is used, on the real keys, where permissions may end. They change nothing."""
    yield "XTRIM", STREAM, "MAXLEN", "~", STREAM_LENGTH
    yield "SET", f"{Presence.PREFIX}nobody", "", "XX", "KEEPTTL"
    yield "HDEL", "backproof:live:nobody", "-"
    yield "LREM", BACKTEST_EXECUTION, 0, _NOBODY
    yield "SREM", f"_kombu.binding.{BACKTEST_EXECUTION}", _NOBODY
    yield "HDEL", "unacked", _NOBODY
    yield "ZREM", "unacked_index", _NOBODY


def _warnings(facts: dict[str, Any]) -> Iterator[str]:
    policy = str(facts.get("maxmemory_policy", "noeviction"))
    if int(facts.get("maxmemory", 0)) and policy != "noeviction":
        yield (
            f"its maxmemory-policy is {policy}: when its memory is full it drops hints and live updates "
            "(set noeviction)"
        )


def refusal(error: Exception, url: RedisUrl) -> str | None:
    """What has to be put right before it can work; None where waiting may help."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, _BROKEN_OFF):
            return _tls_refusal(cause)
        cause = cause.__cause__ or cause.__context__
    match error:
        case BusyLoadingError():
            return None
        case AuthenticationError():
            return "user or password of REDIS_URL are wrong, or missing"
        case NoPermissionError():
            return f"the user of REDIS_URL may not do everything that is needed ({words(error)})"
        case ReadOnlyError():
            return "it is a replica that may only be read: REDIS_URL has to name the primary"
        case InvalidResponse():
            return "what answers there is no Redis"
    text = str(error)
    if text.startswith("NOAUTH") or "Authentication required" in text:
        return "user or password of REDIS_URL are wrong, or missing"
    if "DENIED Redis is running in protected mode" in text or text.startswith("DENIED"):
        return "it is in protected mode and answers only to its own machine: give it a password"
    if isinstance(error, ResponseError) and "DB index" in text:
        return f"it has no database {url.database}"
    return None


def _tls_refusal(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message}): name its authority by ssl_ca_certs"
    return f"no TLS with it ({error.reason or type(error).__name__}): is this the port for TLS?"
