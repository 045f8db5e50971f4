"""The Celery application of worker processes: `celery -A backproof.tasks.app worker`.

The parent compiles or loads the engine's kernels before it forks, so that no run waits for it. Clients, threads and
connections are opened in each child after the fork.
"""

import asyncio
import contextlib
import json
import os
import signal
import threading
from functools import cache
from types import FrameType
from typing import Any, ClassVar

import redis
import structlog
from celery.bootsteps import StartStopStep
from celery.signals import worker_init, worker_process_init, worker_ready, worker_shutting_down

from backproof.bootstrap import ServiceFactory, open_whole_repository, patiently, verified
from backproof.errors import BackproofError, InvalidSettings, StoreUnavailable
from backproof.messaging.queue import BACKTEST_EXECUTION, EXECUTE_TASK, make_celery
from backproof.messaging.redis import PRESENCE_CONNECTIONS, Presence, connect_blocking
from backproof.services.backtests.runner import BacktestRunner
from backproof.settings import load_settings
from backproof.tasks.loop_thread import LoopThread
from backproof.tasks.stopping import STOP, ParentStop, PoolProcessStop
from backproof.tasks.storage_check import refusal
from backproof.telemetry.beats import BEAT_SECONDS, Beat
from backproof.telemetry.logs import configure_logging

log = structlog.get_logger(__name__)
settings = load_settings()
app = make_celery(settings.redis, (settings.redis_max_connections - PRESENCE_CONNECTIONS) // 2)

for_all: int | None = None  # processes of this worker that take anybody's runs; set before they are forked


def wait_for_servers() -> None:
    """Return once Redis and the store answer and can be used. Nothing stays open: the processes fork after this.

    Raises InvalidSettings when the object store refuses files, and what `verified` and `patiently` raise.
    """

    async def store() -> None:
        await (await patiently(lambda: open_whole_repository(settings))).close()

    async def both() -> None:
        waiting = asyncio.create_task(_beat().keep())  # a worker that waits does not hang
        try:
            await asyncio.gather(verified(settings.redis), store())
        finally:
            waiting.cancel()

    configure_logging(settings.log_level, settings.log_format)
    if (refused := refusal(settings)) is not None:
        raise InvalidSettings(refused)
    asyncio.run(both())


class _Process:
    """What one pool process holds."""

    def __init__(self) -> None:
        self.loop = LoopThread()
        try:
            self.factory = self.loop.run(ServiceFactory.open(settings, check_storage=False))
        except BaseException:
            self.loop.close()
            raise
        # this process may stand in for one that has died: what that one held need not wait for the scheduler
        with contextlib.suppress(BackproofError):
            self.loop.run(self.factory.reaper().look_here())
        self.runner: BacktestRunner = self.factory.runner(_end_process, enforce=True, for_all=for_all)
        self.stop = PoolProcessStop(self.loop, self.runner, settings.worker_drain_seconds)
        self.loop.start(Beat("worker", settings.health_timeout_seconds).keep())  # on the loop that renews claims


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
    try:
        process = _current()
    except StoreUnavailable as error:  # the scheduler hints again when it is back
        log.warning("no_store_to_work_on", reason=error.message)
        return
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, process.stop)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # the watchdog's: it must end the process whatever it is doing
    process.loop.run(process.runner.run_waiting())


@worker_init.connect
def _prepare_parent(sender: Any = None, **_: Any) -> None:
    configure_logging(settings.log_level, settings.log_format)
    if BACKTEST_EXECUTION in {queue.name for queue in sender.app.amqp.queues.consume_from.values()}:
        import pyarrow.parquet  # noqa: F401 - loaded here once; no thread of it starts before it is used

        from backproof.engine.warm import warm

        warm()


@worker_process_init.connect
def _open_child(**_: Any) -> None:
    try:
        _current()
    except StoreUnavailable as error:
        log.warning("no_store_yet", reason=error.message)
    # the pool puts its own handler for SIGTERM over ours after this
    signal.signal(STOP, _stop_process)


def _stop_process(number: int, frame: FrameType | None) -> None:
    if _process is None:  # it has never found the store, so it has no run
        os._exit(0)
    _process.stop(number, frame)


class _BeatOfTheLoop(StartStopStep):  # type: ignore[misc] # celery has no types
    """Celery's own loop keeps the beat; anew with every connection to the broker, as a lost one clears its timers."""

    requires: ClassVar[set[str]] = {"celery.worker.consumer.tasks:Tasks"}
    _timer: Any = None

    def start(self, consumer: Any) -> None:
        self._timer = consumer.timer.call_repeatedly(BEAT_SECONDS, _beat().touch)

    def stop(self, _consumer: Any) -> None:
        if self._timer is not None:
            self._timer.cancel()


app.steps["consumer"].add(_BeatOfTheLoop)


@worker_ready.connect
def _take_part(sender: Any = None, **_: Any) -> None:
    """The worker takes work from now on."""
    # celery 5.6 asks the pool for its size while it stops, when the pool is gone already, unless this is set
    sender.controller.max_concurrency = sender.pool.limit or 1
    beat = _beat()
    _announce(sender, beat)
    if threading.current_thread() is threading.main_thread():
        ParentStop(sender.pool, settings.worker_drain_seconds, _leave, beat.touch).install()


@cache
def _beat() -> Beat:
    return Beat("worker", settings.health_timeout_seconds)


def _announce(consumer: Any, beat: Beat) -> None:
    """Say every three seconds that this worker takes work; the key expires when the process is gone."""
    name = str(consumer.hostname)
    queues = sorted(queue.name for queue in consumer.task_consumer.queues)
    slots = for_all or consumer.pool.limit or 1
    value = json.dumps({"name": name, "pid": os.getpid(), "queues": ",".join(queues), "slots": slots})
    client = connect_blocking(settings.redis)

    def renew() -> None:
        while True:
            with contextlib.suppress(redis.RedisError, OSError):
                client.set(Presence.PREFIX + name, value, ex=Presence.SECONDS)
            if consumer.broker_connection_retry_attempt:
                beat.touch()  # Celery waits for a broker that is away, outside its loop: the worker does not hang
            if _stopping.wait(3.0):
                with contextlib.suppress(redis.RedisError, OSError):
                    client.delete(Presence.PREFIX + name)
                return

    global _announcer
    if _announcer is None or not _announcer.is_alive():
        _announcer = threading.Thread(target=renew, name="presence", daemon=True)
        _announcer.start()


_stopping = threading.Event()
_announcer: threading.Thread | None = None


@worker_shutting_down.connect
def _leave(**_: Any) -> threading.Thread | None:
    """Say that this worker takes no more work; the thread that says it."""
    _stopping.set()
    return _announcer
