"""The commands on backtests that are there: find, look, follow, end, go on, repeat, put away."""

from typing import TYPE_CHECKING, Annotated

import typer

from backproof.cli.options import (
    AsJson,
    DataDir,
    Full,
    Id,
    Ids,
    Level,
    Port,
    Priority,
    PriorityName,
    known_form,
    known_forms,
    settings_of,
    settings_of_a_follower,
)

if TYPE_CHECKING:
    from backproof.cli.api import Api

Watch = Annotated[bool, typer.Option("--watch", "-w", help="Follow it to its end; a server is started if none runs.")]

OR_WATCH = ", or give --watch"


def list_runs(
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many, newest first.")] = 20,
    status: Annotated[
        list[str] | None, typer.Option(help="Only these: completed, failed, running …; may be repeated.")
    ] = None,
    deleted: Annotated[bool, typer.Option("--deleted", help="Those that were deleted and can be restored.")] = False,
    as_json: AsJson = False,
    data_dir: DataDir = None,
    port: Port = None,
) -> None:
    """List backtests, newest first."""
    from backproof.cli import runs
    from backproof.cli.server import api_of

    with api_of(settings_of(data_dir, None), port) as api:
        runs.list_runs(api, as_json, limit, status or [], deleted)


def show(id: Id, as_json: AsJson = False, full: Full = False, data_dir: DataDir = None, port: Port = None) -> None:
    """Show one backtest and its result."""
    from backproof.cli import runs
    from backproof.cli.server import api_of

    run_id = known_form(id)
    with api_of(settings_of(data_dir, None), port) as api:
        runs.show(api, run_id, as_json, full)


def watch(
    id: Id,
    as_json: Annotated[bool, typer.Option("--json", help="Print every event as a line of JSON.")] = False,
    full: Full = False,
    data_dir: DataDir = None,
    port: Port = None,
) -> None:
    """Follow one backtest to its end.

    Then its result is shown. Ctrl-C stops the watching, not the backtest.

    Exit codes: 0 completed, 1 failed, 2 no such backtest, 130 cancelled, or Ctrl-C.
    """
    from backproof.cli.watching import watch as follow

    raise typer.Exit(follow(settings_of(data_dir, None), port, known_form(id), as_json, full))


def logs(
    id: Id,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the backtest is over.")] = False,
    level: Annotated[Level, typer.Option(help="The least serious level.")] = Level.INFO,
    after: Annotated[
        int, typer.Option(metavar="SEQ", min=0, max=10**15, help="Only lines behind this one (see --json).")
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print every line as JSON.")] = False,
    data_dir: DataDir = None,
    port: Port = None,
) -> None:
    """Print the log of one backtest."""
    from backproof.cli.logs import logs as print_logs

    settings = settings_of(data_dir, None)
    raise typer.Exit(print_logs(settings, port, known_form(id), follow, level.value, after, as_json))


def attempts(id: Id, as_json: AsJson = False, data_dir: DataDir = None, port: Port = None) -> None:
    """List the attempts at one backtest.

    Which worker took it when, and how that ended: more than one if a worker died, or if it was resumed.
    """
    from backproof.cli import runs
    from backproof.cli.server import api_of

    run_id = known_form(id)
    with api_of(settings_of(data_dir, None), port) as api:
        runs.attempts(api, run_id, as_json)


def queue(as_json: AsJson = False, data_dir: DataDir = None, port: Port = None) -> None:
    """Show what runs, what waits, and who works."""
    from backproof.cli.queueview import show_queue
    from backproof.cli.server import api_of

    with api_of(settings_of(data_dir, None), port) as api:
        show_queue(api, as_json)


def cancel(ids: Ids, data_dir: DataDir = None, port: Port = None) -> None:
    """Cancel backtests; what they have computed is kept."""
    from backproof.cli import runs
    from backproof.cli.server import api_of

    run_ids = known_forms(ids)
    with api_of(settings_of(data_dir, None), port, offline=False) as api:
        raise typer.Exit(runs.each(api, run_ids, runs.cancel))


def resume(
    id: Id, follow: Watch = False, as_json: AsJson = False, full: Full = False, data_dir: DataDir = None,
    port: Port = None,
) -> None:  # fmt: skip
    """Let a cancelled or failed backtest go on.

    It starts at its last checkpoint, and its result is the one that it would have had undisturbed.
    """
    from backproof.cli import runs
    from backproof.cli.result import print_json
    from backproof.cli.server import api_of
    from backproof.cli.watching import begin_and_watch

    run_id = known_form(id)
    if follow:

        def begin(api: "Api") -> tuple[str, int]:
            return run_id, int(runs.resume(api, run_id)["seq"])

        raise typer.Exit(begin_and_watch(settings_of_a_follower(data_dir, port), begin, as_json, full))
    with api_of(settings_of(data_dir, None), port, offline=False, hint=OR_WATCH) as api:
        status = runs.resume(api, run_id)
        print_json(status) if as_json else print(runs.resumed(status))


def rerun(
    id: Id,
    use_cache: Annotated[
        bool, typer.Option("--use-cache", help="Take the stored result if nothing has changed since.")
    ] = False,
    priority: Priority = PriorityName.NORMAL,
    follow: Watch = False,
    as_json: AsJson = False,
    full: Full = False,
    data_dir: DataDir = None,
    port: Port = None,
) -> None:
    """Run a backtest again, as a new one.

    It has the same description and the data as they are now, and is computed unless --use-cache is given.
    """
    from backproof.cli import runs
    from backproof.cli.server import api_of
    from backproof.cli.submitting import announce
    from backproof.cli.watching import begin_and_watch

    run_id = known_form(id)
    if follow:

        def begin(api: "Api") -> tuple[str, int]:
            return str(runs.rerun(api, run_id, use_cache, priority.value)["backtest_id"]), 0

        raise typer.Exit(begin_and_watch(settings_of_a_follower(data_dir, port), begin, as_json, full))
    with api_of(settings_of(data_dir, None), port, offline=False, hint=OR_WATCH) as api:
        announce(runs.rerun(api, run_id, use_cache, priority.value), as_json)


def delete(ids: Ids, data_dir: DataDir = None, port: Port = None) -> None:
    """Delete backtests; for a day they can be restored."""
    from backproof.cli import runs
    from backproof.cli.server import api_of

    run_ids = known_forms(ids)
    with api_of(settings_of(data_dir, None), port) as api:
        raise typer.Exit(runs.each(api, run_ids, runs.delete))


def restore(ids: Ids, data_dir: DataDir = None, port: Port = None) -> None:
    """Bring deleted backtests back."""
    from backproof.cli import runs
    from backproof.cli.server import api_of

    run_ids = known_forms(ids)
    with api_of(settings_of(data_dir, None), port) as api:
        raise typer.Exit(runs.each(api, run_ids, runs.restore))


def add_to(app: typer.Typer) -> None:
    """In the order of the help."""
    app.command("list")(list_runs)
    for command in (show, watch, logs, attempts, queue, cancel, resume, rerun, delete, restore):
        app.command()(command)
