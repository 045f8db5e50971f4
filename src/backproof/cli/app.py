"""The command line. Commands import what they need when they run, so that `--help` is quick."""

import io
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from backproof import __version__
from backproof.cli import lifecycle, operating, rules
from backproof.cli.options import (
    AsJson,
    DataDir,
    Full,
    Port,
    Priority,
    PriorityName,
    settings_of,
    settings_of_a_follower,
)
from backproof.errors import BackproofError, InvalidInput, InvalidSettings, NotFound

app = typer.Typer(
    name="backproof",
    help="Backtests that can be trusted: describe one, watch it run, keep and repeat the result.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(rules.app, name="rules")


def _version(wanted: bool) -> None:
    if wanted:
        print(f"backproof {__version__}")
        raise typer.Exit


@app.callback()
def _top(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    del version


@app.command()
def run(
    file: Annotated[Path, typer.Argument(metavar="FILE.yaml", help="The backtest.")],
    as_json: AsJson = False,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write the whole result: CSV tables, metrics, manifest.")
    ] = None,
    full: Full = False,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Compute it even if the result of an identical backtest is stored.")
    ] = False,
    priority: Priority = PriorityName.NORMAL,
    wait_for_data: Annotated[
        bool, typer.Option("--wait-for-data", help="If only data is missing, start as soon as it is imported.")
    ] = False,
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Submit, print the id, and leave; needs a running server.")
    ] = False,
    idempotency_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="Repeating the command with it gives the same backtest.")
    ] = None,
    data_dir: DataDir = None,
    port: Port = None,
) -> None:
    """Run one backtest and show its result. Without a running server, one is started for it.

    Exit codes: 0 completed, 1 failed, 2 bad input, 130 cancelled with Ctrl-C.
    """
    from backproof.cli import run as running
    from backproof.cli.submitting import Wish

    wish = Wish(not no_cache, priority.value, wait_for_data, idempotency_key)
    if not detach:
        raise typer.Exit(running.run(settings_of_a_follower(data_dir, port), file, as_json, out, full, wish))
    if out is not None or full:
        raise typer.BadParameter("--detach does not wait for a result: leave out --out and --full")
    raise typer.Exit(running.detach(settings_of(data_dir, None), port, file, as_json, wish))


@app.command()
def serve(
    data_dir: DataDir = None,
    port: Port = None,
    host: Annotated[str | None, typer.Option(help="Loopback address to listen on [env: WEB_HOST].")] = None,
) -> None:
    """Start the whole service on this machine; Ctrl-C stops it."""
    from backproof.cli.serve import serve as serve_stack

    serve_stack(settings_of(data_dir, port, web_host=host))


@app.command("import")
def import_prices(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv|FILE.parquet", help="Prices in long form.")],
    dataset: Annotated[str, typer.Option(metavar="NAME", help="What backtests call it: `data_source: NAME`.")],
    timeframe: Annotated[str, typer.Option(help="1d, 1w, 1h, 30m, 15m, 5m or 1m.")] = "1d",
    calendar: Annotated[
        str | None,
        typer.Option(
            metavar="CODE",
            help="Exchange whose days the bars have (XNYS, XKRX …), or 24/7; without it the dataset's own, else XNYS.",
        ),
    ] = None,
    local_times: Annotated[
        bool, typer.Option("--local-times", help="Times without a zone are the exchange's, not UTC.")
    ] = False,
    as_json: AsJson = False,
    data_dir: DataDir = None,
    port: Port = None,
) -> None:
    """Import own prices; works beside a running server and without one.

    Columns: symbol, date or timestamp, open, high, low, close, volume, adj_close, dividend, split_ratio;
    symbol, date and one of close and adj_close are enough. Bars within a day have the time at which they begin.
    """
    from backproof.cli.importing import import_file

    import_file(settings_of(data_dir, port), file, dataset, timeframe, calendar, local_times, as_json)


lifecycle.add_to(app)


@app.command()
def strategies(as_json: AsJson = False, data_dir: DataDir = None, port: Port = None) -> None:
    """List the strategies and their parameters."""
    from backproof.cli import runs
    from backproof.cli.server import api_of

    with api_of(settings_of(data_dir, None), port) as api:
        runs.strategies(api, as_json)


@app.command()
def probe(
    file: Annotated[Path, typer.Argument(metavar="FILE.yaml", help="A backtest with the strategy.")],
    seed: Annotated[int, typer.Option(min=0, help="Of the noise; equal seeds give equal answers.")] = 0,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Look for look-ahead and amnesia: does the strategy know prices it cannot know yet?

    Exit codes: 0 nothing found, 3 it looks ahead or loses what it must keep, 1 it failed, 2 bad input.
    """
    from backproof.cli.probing import probe_file

    raise typer.Exit(probe_file(settings_of(data_dir, None), file, seed, as_json))


class Form(StrEnum):
    """How a new strategy decides."""

    SIGNALS = "signals"
    WEIGHTS = "weights"
    EVENTS = "events"


@app.command("new-strategy")
def new_strategy(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The `strategy_type`, such as gap_fade.")],
    form: Annotated[
        Form, typer.Option(help="How it decides: by signals, target weights, or bar by bar.")
    ] = Form.SIGNALS,
    directory: Annotated[
        Path | None, typer.Option("--dir", metavar="DIR", help="Where to write it; by default ./NAME-strategy.")
    ] = None,
) -> None:
    """Write a package with a strategy of your own and its test."""
    from backproof.cli.newstrategy import new_strategy as write

    write(name, form.value, directory)


@app.command("migrate-store")
def migrate_store(
    source: Annotated[str, typer.Option("--from", metavar="STORE", help="sqlite, mongodb (MONGODB_URL) or a URL.")],
    target: Annotated[str, typer.Option("--to", metavar="STORE", help="The same; it has to be empty.")],
    data_dir: DataDir = None,
) -> None:
    """Copy all runs, logs and notes from one metadata store to another, and compare them.

    Stop the service first. A copy that was cut off goes on when the command is repeated.
    """
    from backproof.cli import migrating

    migrating.migrate(settings_of(data_dir, None), source, target)


@app.command("migrate-files")
def migrate_files(
    source: Annotated[
        str, typer.Option("--from", metavar="PLACE", help="local (the data directory), s3://bucket/prefix or file:///…")
    ],
    target: Annotated[str, typer.Option("--to", metavar="PLACE", help="The same; it has to be empty.")],
    data_dir: DataDir = None,
) -> None:
    """Copy all prices, results and checkpoints from one place to another, and compare them.

    Stop the service first. A copy that was cut off goes on when the command is repeated.
    """
    from backproof.cli import migrating

    migrating.migrate_files(settings_of(data_dir, None), source, target)


@app.command()
def doctor(data_dir: DataDir = None, port: Port = None) -> None:
    """Check versions, paths and health."""
    from backproof.cli.doctor import doctor as check

    raise typer.Exit(check(settings_of(data_dir, None), port))


operating.add_to(app)


def main() -> None:
    """Every expected error is one line on stderr; anything else keeps its traceback, because it is a bug."""
    sys.exit(_main())


# typer carries its own copy of click; this is its base of all mistakes at the prompt
_USAGE_ERROR: type[Exception] = next(
    kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException" and issubclass(kind, Exception)
)


def _main() -> int:
    sys.stdout, sys.stderr = patient(sys.stdout), patient(sys.stderr)
    try:
        answer: Any = typer.main.get_command(app).main(prog_name="backproof", standalone_mode=False)
        return int(answer or 0)
    except _USAGE_ERROR as error:
        said: Any = error
        if type(error).__name__ == "NoArgsIsHelpError":  # whose message is the help
            print(said.format_message())
            return 0
        return _say(said.format_message().rstrip("."), 2)
    except (typer.Abort, KeyboardInterrupt):
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except BackproofError as error:
        return _explain(error)
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        return _say((error.strerror or str(error)).lower() + where, 1)


def patient(stream: TextIO) -> TextIO:
    """Writes everything, in whatever encoding.

    With PYTHONUNBUFFERED, usual in containers, Python drops the rest of a write that a signal has cut short.
    """
    buffer = getattr(stream, "buffer", None)
    if isinstance(buffer, io.RawIOBase):
        whole = io.BufferedWriter(buffer)
        return io.TextIOWrapper(whole, encoding=stream.encoding, errors="replace", line_buffering=True)
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="replace")
    return stream


def _explain(error: BackproofError) -> int:
    if isinstance(error, InvalidInput):
        from backproof.cli.yamlfile import dotted

        for field in error.errors:
            _say(dotted(field.pointer) + field.message, 2)
        return 2
    for line in error.message.splitlines() if error.code == "bad_config" else (error.message,):
        _say(line, 2)
    bad_input = isinstance(error, InvalidSettings | NotFound) or error.code in ("bad_file", "bad_config")
    return 2 if bad_input else 1


def _say(message: str, code: int) -> int:
    if message:
        print(f"error: {' '.join(message.split())}", file=sys.stderr)
    return code


if __name__ == "__main__":
    main()
