"""The Celery application of worker processes: `celery -A backproof.tasks.app worker`.

The parent compiles or loads the engine's kernels before it forks, so that no run waits for it. Clients, threads and
connections are opened in each child after the fork.
"""

import contextlib
import json
import os
import signal
import threading
import time
from types import FrameType
from typing import Any

import redis
import structlog
from celery.signals import worker_init, worker_process_init, worker_ready, worker_shutting_down

from backproof.bootstrap import ServiceFactory
from backproof.errors import InvalidSettings
from backproof.messaging.queue import BACKTEST_EXECUTION, EXECUTE_TASK, make_celery
from backproof.messaging.redis import Presence
from backproof.services.backtests.runner import BacktestRunner
from backproof.settings import load_settings
from backproof.tasks.loop_thread import LoopThread
from backproof.telemetry.logs import configure_logging

log = structlog.get_logger(__name__)
settings = load_settings()
if settings.redis_url is None:
    raise InvalidSettings("REDIS_URL is not set: `backproof serve` starts workers with one")
app = make_celery(settings.redis_url)

GIVE_BACK_SECONDS = 1.5
NICENESS = 10  # on a machine shared with the web process, people waiting for an answer go before computing
GIVE_BACK = signal.SIGUSR2  # what the parent sends to its pool processes when it stops


class _Process:
    """What one pool process holds."""

    def __init__(self) -> None:
        self.loop = LoopThread()
        self.factory = self.loop.run(ServiceFactory.open(settings))
        self.runner: BacktestRunner = self.factory.runner(_end_process, enforce=True)


_process: _Process | None = None
_process_lock = threading.Lock()


def _current() -> _Process:
    global _process
    with _process_lock:
        if _process is None:
            _process = _Process()
        return _process


def _end_process(reason: str) -> None:
    log.error("worker_process_ends_itself", reason=reason)
    os._exit(75)


@app.task(name=EXECUTE_TASK)
def execute_backtests() -> None:
    """Run what waits. The message carries nothing: the store says what is next."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _give_back_and_exit)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # the watchdog's: it must end the process whatever it is doing
    process = _current()
    process.loop.run(process.runner.run_waiting())


@worker_init.connect
def _prepare_parent(sender: Any = None, **_: Any) -> None:
    configure_logging(settings.log_level, settings.log_format)
    os.nice(NICENESS)
    if BACKTEST_EXECUTION in {queue.name for queue in sender.app.amqp.queues.consume_from.values()}:
        import pyarrow.parquet  # noqa: F401 - loaded here once; no thread of it starts before it is used

        from backproof.engine.warm import warm

        warm()


@worker_process_init.connect
def _open_child(**_: Any) -> None:
    _current()
    # the pool puts its own handler for SIGTERM over ours after this
    signal.signal(GIVE_BACK, _give_back_and_exit)


def _give_back_and_exit(_signal: int, _frame: FrameType | None) -> None:
    """A stopping worker hands its run to the next one instead of letting a lease run out."""
    if _process is not None:
        with contextlib.suppress(Exception):
            _process.loop.run(_process.runner.give_back_current("worker_stopped"), GIVE_BACK_SECONDS)
    os._exit(0)


@worker_ready.connect
def _stop_without_celery(sender: Any = None, **_: Any) -> None:
    """Replace both of Celery's ways to stop.

    The warm one waits for a run's end, the cold one kills the children before they could give their runs back.
    A message that is lost here is only a hint.
    """

    def stop(_signal: int, _frame: FrameType | None) -> None:
        _stop_announcing()
        children = [process.pid for process in getattr(getattr(sender.pool, "_pool", None), "_pool", None) or ()]
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, GIVE_BACK)
        deadline = time.monotonic() + GIVE_BACK_SECONDS + 0.5
        for pid in children:
            while not _has_ended(pid) and time.monotonic() < deadline:
                time.sleep(0.01)
        if _announcer is not None:
            _announcer.join(0.5)
        os._exit(0)

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)


def _has_ended(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


@worker_ready.connect
def _announce(sender: Any = None, **_: Any) -> None:
    """Say every three seconds that this worker takes work; the key expires when the process is gone."""
    name = str(sender.hostname)
    # celery 5.6 asks the pool for its size while it stops, when the pool is gone already, unless this is set
    sender.controller.max_concurrency = sender.pool.limit or 1
    queues = sorted(queue.name for queue in sender.task_consumer.queues)
    value = json.dumps({"name": name, "pid": os.getpid(), "queues": ",".join(queues), "slots": sender.pool.limit or 1})
    client = redis.Redis.from_url(str(settings.redis_url), socket_timeout=2.0, socket_connect_timeout=2.0)

    def renew() -> None:
        while True:
            with contextlib.suppress(redis.RedisError, OSError):
                client.set(Presence.PREFIX + name, value, ex=Presence.SECONDS)
            if _stopping.wait(3.0):
                with contextlib.suppress(redis.RedisError, OSError):
                    client.delete(Presence.PREFIX + name)
                return

    global _announcer
    if _announcer is None or not _announcer.is_alive():  # the signal comes again after a broker restart
        _announcer = threading.Thread(target=renew, name="presence", daemon=True)
        _announcer.start()


_stopping = threading.Event()
_announcer: threading.Thread | None = None


@worker_shutting_down.connect
def _stop_announcing(**_: Any) -> None:
    _stopping.set()
