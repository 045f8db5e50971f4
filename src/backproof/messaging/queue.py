"""The Celery application and the hints sent through it. A hint says "there is work"; the store says which."""

from typing import Any

from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from backproof.errors import BrokerUnavailable

BACKTEST_EXECUTION = "backtest_execution"
DATA_COLLECTION = "data_collection"
CALCULATION = "calculation"
NOTIFICATIONS = "notifications"
QUEUES = (BACKTEST_EXECUTION, DATA_COLLECTION, CALCULATION, NOTIFICATIONS)
EXECUTE_TASK = "backproof.execute_backtests"


def celery_url(redis_url: str) -> str:
    """Celery's spelling of a redis-py URL: a unix socket is `redis+socket://path?virtual_host=0` there."""
    if not redis_url.startswith("unix://"):
        return redis_url
    path, _, query = redis_url.removeprefix("unix://").partition("?")
    database = dict(part.partition("=")[::2] for part in query.split("&") if part).get("db", "0")
    return f"redis+socket://{path}?virtual_host={database}"


def make_celery(redis_url: str, pool_limit: int = 4) -> Celery:
    """JSON only, no result backend, early acknowledgement, and no call that waits longer than two seconds."""
    app = Celery("backproof", broker=celery_url(redis_url), set_as_current=False)
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
        broker_pool_limit=pool_limit,
        broker_transport_options={"socket_timeout": 2.0, "socket_connect_timeout": 2.0, "health_check_interval": 15},
        enable_utc=True,
    )
    return app


class WorkQueue:
    """Sends hints. Blocking: call it in a thread."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def hint(self, queue: str = BACKTEST_EXECUTION, task: str = EXECUTE_TASK, **arguments: Any) -> None:
        try:
            self._app.send_task(task, kwargs=arguments, queue=queue, retry=False, ignore_result=True)
        except (OperationalError, RedisError, OSError) as error:
            raise BrokerUnavailable(f"the queue does not answer: {error}") from error

    def depth(self, queue: str = BACKTEST_EXECUTION) -> int:
        """Messages nobody took yet."""
        try:
            with self._app.connection_for_read() as connection:
                return int(connection.default_channel.client.llen(queue))
        except (OperationalError, RedisError, OSError) as error:
            raise BrokerUnavailable(f"the queue does not answer: {error}") from error

    def close(self) -> None:
        self._app.close()
