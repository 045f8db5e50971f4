"""What a worker's parent reads while no process of it is free."""

import socket
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from backproof.messaging import poller
from backproof.messaging.queue import make_celery
from backproof.redis_url import RedisUrl


class Reading:
    """A connection to a broker, and how often somebody read from it."""

    def __init__(self, *, free: bool) -> None:
        self.ours, self.brokers = socket.socketpair()
        self.reads = 0
        channel = SimpleNamespace(
            qos=SimpleNamespace(can_consume=lambda: free), handlers={"BRPOP": self._read}, connection_errors=()
        )
        self.poller = poller.Poller()
        self.poller._fd_to_chan[self.ours.fileno()] = (channel, "BRPOP")

    def _read(self) -> None:
        self.reads += 1

    def becomes_readable(self) -> int:
        self.poller.on_readable(self.ours.fileno())
        return self.reads


@pytest.fixture(params=[False, True])
def reading(request: pytest.FixtureRequest) -> Iterator[Reading]:
    found = Reading(free=request.param)
    yield found
    found.ours.close()
    found.brokers.close()


def test_messages_wait_until_somebody_is_free(reading: Reading) -> None:
    free = bool(reading.poller._fd_to_chan[reading.ours.fileno()][0].qos.can_consume())
    reading.brokers.send(b"a message")
    assert reading.becomes_readable() == int(free)


def test_the_end_of_a_connection_is_read_at_once(reading: Reading) -> None:
    reading.brokers.send(b"the last message")
    reading.brokers.close()
    assert reading.becomes_readable() == 1


def test_every_connection_of_celery_is_read_so() -> None:
    celery = make_celery(RedisUrl.parse("redis://127.0.0.1:1/0"), 4)
    with celery.connection_for_read() as connection:
        assert isinstance(connection.transport.cycle, poller.Poller)
