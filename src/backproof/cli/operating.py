"""The service's processes one by one, for whoever runs them on several machines or in containers."""

from enum import StrEnum
from typing import Annotated

import typer

from backproof.cli.options import DataDir, Port, settings_of

DEFAULT_QUEUES = "backtest_execution"


def web(
    data_dir: DataDir = None,
    port: Port = None,
    host: Annotated[
        str | None,
        typer.Option(help="Address to listen on; beyond loopback only with WEB_ALLOWED_HOSTS [env: WEB_HOST]."),
    ] = None,
) -> None:
    """Only the web process (needs REDIS_URL). Any number may run.

    On SIGTERM it is unready for WEB_DRAIN_SECONDS, then closes WebSockets for a restart and lets requests end.
    """
    from backproof.cli.processes import run_web

    run_web(settings_of(data_dir, port, web_host=host))


def worker(
    queues: Annotated[
        str,
        typer.Option(
            help="With commas between: backtest_execution, calculation (computing, in processes), "
            "data_collection, notifications (I/O, in threads).",
        ),
    ] = DEFAULT_QUEUES,
    concurrency: Annotated[
        int | None,
        typer.Option(min=1, max=1000, help="Processes or threads; by default WORKER_CONCURRENCY, 2 for I/O alone."),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Only one worker (needs REDIS_URL). Any number may run.

    On SIGTERM it takes no more work, finishes what ends within WORKER_DRAIN_SECONDS, and hands the rest over to other
    workers, which go on where it stopped. A second SIGTERM hands over at once.
    """
    from backproof.cli.processes import run_worker

    raise typer.Exit(run_worker(settings_of(data_dir, None), queues, concurrency))


def scheduler(data_dir: DataDir = None) -> None:
    """Only the scheduler (needs REDIS_URL). Several may run; one of them leads."""
    from backproof.cli.processes import run_scheduler

    run_scheduler(settings_of(data_dir, None))


class Role(StrEnum):
    """A kind of process."""

    WEB = "web"
    WORKER = "worker"
    SCHEDULER = "scheduler"


def health(
    role: Annotated[Role | None, typer.Argument(metavar="[web|worker|scheduler]", help="By default all.")] = None,
) -> None:
    """Whether this user's processes on this machine, or in this container, live and none of them hangs.

    For probes of containers: one line, exit code 0 or 1.
    """
    from backproof.cli.health import health as look

    raise typer.Exit(look(role.value if role else None))


def add_to(app: typer.Typer) -> None:
    """In the order of the help."""
    for command in (web, worker, scheduler, health):
        app.command()(command)
