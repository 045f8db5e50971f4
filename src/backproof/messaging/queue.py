"""The Celery application and the hints sent through it. A hint says "there is work"; the store says which."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celery import Celery

from backproof.errors import BrokerUnavailable
from backproof.messaging import transport
from backproof.messaging.line import CALL_SECONDS, Line
from backproof.redis_url import RedisUrl

BACKTEST_EXECUTION = "backtest_execution"
DATA_COLLECTION = "data_collection"
CALCULATION = "calculation"
NOTIFICATIONS = "notifications"
QUEUES = (BACKTEST_EXECUTION, DATA_COLLECTION, CALCULATION, NOTIFICATIONS)
EXECUTE_TASK = "backproof.execute_backtests"
ENOUGH_HINTS = 32


def make_celery(url: RedisUrl, max_connections: int, seconds: float = 2.0) -> Celery:
    """JSON only, no result backend, early acknowledgement, and no call that waits longer than so many seconds.

    max_connections: to Redis, of each of the two pools that a channel of Celery's has
    """
    app = Celery("backproof", broker=transport.broker_url(url), set_as_current=False)
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        task_default_queue=BACKTEST_EXECUTION,
        task_acks_late=False,
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_send_task_events=False,
        worker_enable_remote_control=False,
        worker_proc_alive_timeout=60.0,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,  # for ever: machines start in any order, and none for another's sake
        broker_pool_limit=1,
        broker_transport_options=transport.options(url, max_connections, seconds),
        enable_utc=True,
    )
    app.amqp.Connection = transport.Connection
    return app


class WorkQueue:
    """Sends hints, one at a time, over one connection of Celery's. Blocking: call it in a thread."""

    def __init__(self, url: RedisUrl, line: Line | None = None) -> None:
        self._app = make_celery(url, 1, CALL_SECONDS)
        # a sender gives up at once; kombu would try for ever, in a thread that others wait for
        self._app.conf.broker_transport_options["max_retries"] = 0
        self._line = line or Line()
        self._lock = threading.Lock()

    def hint(self) -> None:
        """One more, unless as many are unread as make everybody look who can: each costs a look at the store."""
        with self._producer() as producer:
            if _unread(producer) < ENOUGH_HINTS:
                self._app.send_task(
                    EXECUTE_TASK, queue=BACKTEST_EXECUTION, retry=False, ignore_result=True, producer=producer
                )

    def depth(self) -> int:
        """Hints nobody took yet."""
        with self._producer() as producer:
            return _unread(producer)

    @contextmanager
    def _producer(self) -> Iterator[Any]:
        self._line.check()
        if not self._lock.acquire(timeout=CALL_SECONDS):
            raise BrokerUnavailable("Redis does not answer: others wait for it too")
        try:
            with self._line.attempt(), self._app.producer_pool.acquire() as producer:
                yield producer
        finally:
            self._lock.release()

    def close(self) -> None:
        self._app.close()


def _unread(producer: Any) -> int:
    with producer.channel.conn_or_acquire() as client:
        return int(client.llen(BACKTEST_EXECUTION))
