"""Web, worker, scheduler: one process each. A stack starts them as `python -m backproof.cli.processes web`.

The same functions stand behind `backproof web|worker|scheduler`; this module stays free of the command line's own
libraries so that a stack is up sooner.
"""

import argparse
import os
import socket
import sys
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from backproof.errors import BackproofError, InvalidSettings
from backproof.local.children import watch_parent

if TYPE_CHECKING:
    from backproof.settings import Settings

GRACEFUL_SECONDS = 4
SOCKET_MESSAGE_BYTES = 65_536  # clients send next to nothing over a WebSocket


def run_web(settings: "Settings", fd: int | None = None) -> None:
    """Serve the API until SIGTERM. `fd` is a listening socket inherited from the supervisor."""
    _need_redis(settings, "the web process")
    import uvicorn

    from backproof.local.stack import listen, loopback
    from backproof.telemetry.logs import configure_logging
    from backproof.web.app import create_app

    configure_logging(settings.log_level, settings.log_format)
    listener = socket.socket(fileno=fd) if fd is not None else listen(loopback(settings.web_host), settings.web_port)
    config = uvicorn.Config(
        create_app(settings),
        log_config=None,
        access_log=settings.log_level == "debug",
        server_header=False,
        proxy_headers=False,
        ws="websockets-sansio",
        ws_max_size=SOCKET_MESSAGE_BYTES,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=GRACEFUL_SECONDS,
        lifespan="on",
    )
    server = uvicorn.Server(config)
    server.run(sockets=[listener])
    if not server.started:
        raise InvalidSettings("the web process could not start")


def run_worker(
    settings: "Settings", queues: Sequence[str], concurrency: int, pool: str = "prefork", name: str = ""
) -> int:
    """Take work from `queues` until SIGTERM; the exit code."""
    _need_redis(settings, "a worker")
    from backproof.tasks.app import app

    worker = app.Worker(
        hostname=f"{name or f'worker-{os.getpid()}'}@{socket.gethostname()}",
        pool_cls=pool,
        concurrency=concurrency,
        queues=",".join(queues),
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
    _need_redis(settings, "the scheduler")
    from backproof.tasks.scheduler import main as run

    run(settings)


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
    worker.add_argument("--concurrency", type=int, required=True)
    worker.add_argument("--pool", default="prefork")
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
                return run_worker(settings, given.queues.split(","), given.concurrency, given.pool, given.name)
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
