"""Celery's way to Redis, by the same parsed URL as every other client. No password passes through Celery's settings.

Kombu would read the URL in its own spelling: another one for unix sockets, nothing about certificates.
"""

from collections.abc import Callable
from typing import Any

import kombu
from kombu.transport import TRANSPORT_ALIASES, redis

from backproof.messaging.poller import Poller
from backproof.messaging.redis import blocking_kind
from backproof.redis_url import RedisUrl

_SCHEME = "backproof"
_URL = "redis_url"
RETRY_SECONDS = 1.0
_FOR_TCP = ("host", "port", "socket_keepalive", "socket_keepalive_options")


def broker_url(url: RedisUrl) -> str:
    """For Celery's messages only: which server, without credentials."""
    TRANSPORT_ALIASES[_SCHEME] = f"{__name__}:Transport"
    place = "localhost" if url.path else f"[{url.host}]:{url.port}" if ":" in url.host else f"{url.host}:{url.port}"
    return f"{_SCHEME}://{place}/{url.database}"


def options(url: RedisUrl, max_connections: int, seconds: float) -> dict[str, Any]:
    """Celery's `broker_transport_options`."""
    return {
        _URL: url,
        "max_connections": max_connections,
        "socket_timeout": seconds,
        "socket_connect_timeout": seconds,
        "health_check_interval": 15,
    }


class Connection(kombu.Connection):  # type: ignore[misc] # kombu has no types
    """Tries again every second, where Celery's pauses grow to half a minute, and says so once."""

    def ensure_connection(self, errback: Callable[..., Any] | None = None, *args: Any, **options: Any) -> Any:
        said = False

        def once(error: Exception, interval: float) -> None:
            nonlocal said
            if errback is not None and not said:
                errback(error, interval)
            said = True

        paused = {"interval_start": RETRY_SECONDS, "interval_step": 0, "interval_max": RETRY_SECONDS}
        return super().ensure_connection(once, *args, **{**options, **paused})


class Channel(redis.Channel):  # type: ignore[misc]
    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        url: RedisUrl = self.connection.client.transport_options[_URL]
        self.connection_class = blocking_kind(url)
        found = super()._connparams(asynchronous)  # its class of connections tells the poller when one ends
        for name in _FOR_TCP:
            found.pop(name, None)
        return {**found, **url.options()}


class Transport(redis.Transport):  # type: ignore[misc]
    Channel = Channel

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cycle = Poller()
