"""Web, worker, scheduler: one process each. A stack starts them as `python -m backproof.cli.processes web`.

The same functions stand behind `backproof web|worker|scheduler`; this module stays free of the command line's own
libraries so that a stack is up sooner.
"""

import argparse
import os
import signal
import socket
import sys
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from backproof.errors import BackproofError, InvalidSettings
from backproof.local.children import watch_parent

if TYPE_CHECKING:
    from backproof.settings import Settings

GRACE_SECONDS = 10  # for requests under way when a web process stops
GRACE_IN_A_STACK = 4  # whose supervisor ends it soon after
IO_THREADS = 2


def run_web(settings: "Settings", fd: int | None = None) -> None:
    """Serve the API until SIGTERM. `fd` is a listening socket inherited from the supervisor."""
    _end_on_sigterm()
    _need_redis(settings, "the web process")
    address = settings.web_address()
    import structlog

    from backproof.local.stack import listen
    from backproof.telemetry.logs import configure_logging
    from backproof.web.app import create_app
    from backproof.web.security import is_loopback
    from backproof.web.serving import Server

    configure_logging(settings.log_level, settings.log_format)
    if not is_loopback(address):
        hosts = ", ".join(settings.web_allowed_hosts)
        structlog.get_logger(__name__).warning("reachable_without_login", address=address, hosts=hosts)
    listener = socket.socket(fileno=fd) if fd is not None else listen(address, settings.web_port)
    grace = GRACE_SECONDS if fd is None else GRACE_IN_A_STACK
    refused: list[BackproofError] = []

    def stop(error: BackproofError) -> None:
        refused.append(error)
        server.should_exit = True

    server = Server(create_app(settings, refused=stop), settings, listener, grace)
    started = server.serve_until_stopped()
    if refused:
        raise refused[0]
    if not started:
        raise InvalidSettings("the web process could not start")


def run_worker(settings: "Settings", queues: str, concurrency: int | None = None, name: str = "") -> int:
    """Take work from these queues, with commas between, until SIGTERM; the exit code.

    Computing is done in processes, some of them in reserve; where there is only I/O, in threads.
    """
    from backproof.messaging.queue import BACKTEST_EXECUTION, CALCULATION, QUEUES

    wanted = tuple(dict.fromkeys(queue.strip() for queue in queues.split(",") if queue.strip()))
    if unknown := [queue for queue in wanted if queue not in QUEUES]:
        raise InvalidSettings(f"there is no queue {unknown[0]!r}: the queues are {', '.join(QUEUES)}")
    if not wanted:
        raise InvalidSettings(f"a worker needs at least one queue: {', '.join(QUEUES)}")
    _end_on_sigterm()
    _need_redis(settings, "a worker")
    computes = not {BACKTEST_EXECUTION, CALCULATION}.isdisjoint(wanted)
    if concurrency is None:
        concurrency = settings.worker_processes if computes else IO_THREADS
    # the Celery application reads its own settings, in every process of its pool
    os.environ["DATA_DIR"] = str(settings.data_dir)
    if computes:
        os.environ["WORKER_CONCURRENCY"] = str(concurrency)
    from backproof.tasks import app as tasks
    from backproof.tasks.pool import TaskPool

    tasks.wait_for_servers()
    if BACKTEST_EXECUTION in wanted:
        tasks.for_all = concurrency
        concurrency = settings.with_reserve(concurrency)
    worker = tasks.app.Worker(
        hostname=f"{name or f'worker-{os.getpid()}'}@{socket.gethostname()}",
        pool_cls=TaskPool if computes else "threads",
        concurrency=concurrency,
        queues=",".join(wanted),
        loglevel=settings.log_level.upper(),
        quiet=True,
        without_mingle=True,
        without_gossip=True,
        without_heartbeat=True,
    )
    worker.start()
    return int(worker.exitcode or 0)


def run_scheduler(settings: "Settings") -> None:
    """Reap, hint and sweep until SIGTERM."""
    _end_on_sigterm()
    _need_redis(settings, "the scheduler")
    from backproof.tasks.scheduler import main as run

    run(settings)


def _end_on_sigterm() -> None:
    """Until a process has something to lose. The first process of a container would ignore the signal otherwise."""
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))


def _need_redis(settings: "Settings", who: str) -> None:
    if settings.redis_url is None:
        raise InvalidSettings(f"REDIS_URL is not set: {who} alone needs a server; `backproof serve` starts everything")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="backproof.cli.processes")
    commands = parser.add_subparsers(dest="command", required=True)
    web = commands.add_parser("web")
    web.add_argument("--fd", type=int)
    worker = commands.add_parser("worker")
    worker.add_argument("--queues", required=True)
    worker.add_argument("--concurrency", type=int)
    worker.add_argument("--name", default="")
    commands.add_parser("scheduler")
    given = parser.parse_args(arguments)

    watch_parent()
    from backproof.settings import load_settings

    try:
        settings = load_settings()
        match given.command:
            case "web":
                run_web(settings, given.fd)
            case "worker":
                return run_worker(settings, given.queues, given.concurrency, given.name)
            case _:
                run_scheduler(settings)
    except BackproofError as error:
        print(f"error: {error.message}", file=sys.stderr)
        return 1
    return 0


def _end(code: int) -> NoReturn:
    """End now: a library's thread that is still there must not keep a process whose work is over."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    try:
        _end(main())
    except SystemExit as ending:
        _end(ending.code if isinstance(ending.code, int) else 1)
    except Exception:  # noqa: BLE001 (the last stop of everything)
        traceback.print_exc()
        _end(1)
