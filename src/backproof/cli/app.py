"""The command line. Commands import what they need when they run, so that `--help` is quick."""

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backproof import __version__
from backproof.cli import rules
from backproof.errors import BackproofError, InvalidInput, InvalidSettings, NotFound

if TYPE_CHECKING:
    from backproof.settings import Settings

app = typer.Typer(
    name="backproof",
    help="Backtests that can be trusted: describe one, watch it run, keep and repeat the result.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(rules.app, name="rules")

DataDir = Annotated[
    Path | None, typer.Option("--data-dir", metavar="DIR", help="Directory of everything kept [env: DATA_DIR].")
]
Port = Annotated[int | None, typer.Option("--port", min=0, max=65535, help="Port of the server [env: WEB_PORT].")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts instead of text.")]
Full = Annotated[bool, typer.Option("--full", help="Also every other metric, and the deepest drawdowns.")]


def _settings(data_dir: Path | None, port: int | None, **more: object) -> "Settings":
    from backproof.settings import load_settings

    return load_settings(data_dir=data_dir, web_port=port, **more)


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
    data_dir: DataDir = None,
    port: Port = None,
) -> None:
    """Run one backtest and show its result. Without a running server, one is started for it.

    Exit codes: 0 completed, 1 failed, 2 bad input, 130 cancelled with Ctrl-C.
    """
    from backproof.cli.run import run as run_file

    # A port matters to a stack started here only if it was asked for: two runs at once must not fight over one.
    raise typer.Exit(run_file(_settings(data_dir, 0 if port is None else port), file, as_json, out, full))


@app.command()
def serve(
    data_dir: DataDir = None,
    port: Port = None,
    host: Annotated[str | None, typer.Option(help="Loopback address to listen on [env: WEB_HOST].")] = None,
) -> None:
    """Start the whole service on this machine; Ctrl-C stops it."""
    from backproof.cli.serve import serve as serve_stack

    serve_stack(_settings(data_dir, port, web_host=host))


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

    import_file(_settings(data_dir, port), file, dataset, timeframe, calendar, local_times, as_json)


@app.command("list")
def list_runs(
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many, newest first.")] = 20,
    status: Annotated[str | None, typer.Option(help="Only these: completed, failed, running …")] = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
    port: Port = None,
) -> None:
    """List backtests, newest first."""
    from backproof.cli import runs

    with runs.api_of(_settings(data_dir, None), port) as api:
        runs.list_runs(api, as_json, limit, status)


@app.command()
def show(
    id: Annotated[str, typer.Argument(metavar="ID", help="A backtest's id.")],
    as_json: AsJson = False,
    full: Full = False,
    data_dir: DataDir = None,
    port: Port = None,
) -> None:
    """Show one backtest and its result."""
    from backproof.cli import runs

    with runs.api_of(_settings(data_dir, None), port) as api:
        runs.show(api, _id(id), as_json, full)


@app.command()
def cancel(
    id: Annotated[str, typer.Argument(metavar="ID", help="A backtest's id.")],
    data_dir: DataDir = None,
    port: Port = None,
) -> None:
    """Cancel a waiting or running backtest; what was computed so far is kept."""
    from backproof.cli import runs

    with runs.api_of(_settings(data_dir, None), port, offline=False) as api:
        print(f"{id}: {runs.cancel(api, _id(id))}")


@app.command()
def strategies(as_json: AsJson = False, data_dir: DataDir = None, port: Port = None) -> None:
    """List the strategies and their parameters."""
    from backproof.cli import runs

    with runs.api_of(_settings(data_dir, None), port) as api:
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

    raise typer.Exit(probe_file(_settings(data_dir, None), file, seed, as_json))


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


@app.command()
def doctor(data_dir: DataDir = None, port: Port = None) -> None:
    """Check versions, paths and health."""
    from backproof.cli.doctor import doctor as check

    raise typer.Exit(check(_settings(data_dir, None), port))


@app.command()
def web(data_dir: DataDir = None, port: Port = None) -> None:
    """Only the web process (needs REDIS_URL)."""
    from backproof.cli.processes import run_web

    run_web(_settings(data_dir, port))


@app.command()
def worker(
    queues: Annotated[str, typer.Option(help="Comma-separated.")] = "backtest_execution",
    concurrency: Annotated[int, typer.Option(min=1, max=1000, help="Runs at once.")] = 2,
    pool: Annotated[str, typer.Option(help="prefork for backtests, threads for I/O.")] = "prefork",
    data_dir: DataDir = None,
    port: Port = None,
) -> None:
    """Only one worker (needs REDIS_URL)."""
    settings = _settings(data_dir, port)
    os.environ["DATA_DIR"] = str(settings.data_dir)  # the Celery application reads its own settings
    from backproof.cli.processes import run_worker

    raise typer.Exit(run_worker(settings, queues.split(","), concurrency, pool))


@app.command()
def scheduler(data_dir: DataDir = None, port: Port = None) -> None:
    """Only the scheduler (needs REDIS_URL)."""
    from backproof.cli.processes import run_scheduler

    run_scheduler(_settings(data_dir, port))


def _id(text: str) -> str:
    """The id as it goes into a path; anything else cannot be one."""
    if not text or not all(c.isascii() and (c.isalnum() or c in "-_") for c in text):
        raise NotFound(f"there is no backtest {text!r}")
    return text


def main() -> None:
    """Every expected error is one line on stderr; anything else keeps its traceback, because it is a bug."""
    sys.exit(_main())


# typer carries its own copy of click; this is its base of all mistakes at the prompt
_USAGE_ERROR: type[Exception] = next(
    kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException" and issubclass(kind, Exception)
)


def _main() -> int:
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        answer: Any = typer.main.get_command(app).main(standalone_mode=False)
        return int(answer or 0)
    except _USAGE_ERROR as error:
        said: Any = error
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
