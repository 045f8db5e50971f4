"""`backproof run FILE.yaml`: submit, follow live, show and export the result."""

import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from backproof.cli import tables
from backproof.cli.api import Api, answering, json_plain
from backproof.cli.export import check_directory, write_result
from backproof.cli.follow import Follower
from backproof.cli.screen import Lines, Live, Silent
from backproof.cli.server import Interrupted, used_server
from backproof.cli.yamlfile import ConfigFile, read_config
from backproof.errors import BackproofError, InvalidInput
from backproof.local.directory import Server

if TYPE_CHECKING:
    from backproof.settings import Settings

COMPLETED, FAILED, BAD_INPUT, CANCELLED = 0, 1, 2, 130
PLOT_POINTS = 2000
SLOW_START_SECONDS = 5.0


class BadConfig(BackproofError):
    """The file describes no backtest that can run; `lines` says why, one line per field."""

    code = "bad_config"

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


class _Interrupt:
    """The first Ctrl-C (or SIGTERM) asks, the second one ends the command on the spot."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask)

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def __call__(self) -> bool:
        return self.asked


def run(settings: "Settings", path: Path, as_json: bool, out: Path | None, full: bool = False) -> int:
    """The exit code: 0 completed, 1 failed, 2 bad input, 130 cancelled."""
    interrupted = _Interrupt()
    began, slow = time.monotonic(), False
    file = read_config(path)
    body = _checked(file)
    if out is not None:
        check_directory(out)
    console = Console(stderr=as_json)
    screen: Silent = Live(console) if console.is_terminal else Silent() if as_json else Lines(console)

    def asked_while_waiting() -> bool:
        nonlocal slow
        if not slow and time.monotonic() - began > SLOW_START_SECONDS:
            slow = True
            screen.step("starting; the first time, the engine is compiled")
        return interrupted()

    try:
        with ExitStack() as server_is_up:
            with screen:
                screen.step("starting")
                server, own = server_is_up.enter_context(_server(settings, asked_while_waiting))
                ready = time.monotonic()
                api = server_is_up.enter_context(closing(Api(server.url)))
                backtest, status = _follow(api, file, body, screen, interrupted)
                finished = time.monotonic()
                curve, everything = result_of(api, backtest, full)
                written = write_result(api, backtest, out) if out is not None and curve is not None else []
            timings = _timings(backtest, ready - began if own else 0.0, finished - ready, finished - began)
            if as_json:
                _print_json(backtest, status, timings, everything)
            else:
                show_result(console, backtest, curve, everything)
                _closing(console, backtest, timings, written, out)
    except Interrupted:
        return CANCELLED
    return {"completed": COMPLETED, "cancelled": CANCELLED}.get(status, FAILED)


@contextmanager
def _server(settings: "Settings", stop: Callable[[], bool]) -> Iterator[tuple[Server, bool]]:
    """The server at the port that was asked for, else the one of the data directory, else one of our own."""
    if settings.web_port and (server := answering(settings.web_port)) is not None:
        yield server, False
        return
    with used_server(settings, stop) as found:
        yield found


def _checked(file: ConfigFile) -> dict[str, object]:
    """What the file says as JSON, refused at once where no server is needed to see that it is wrong."""
    from backproof.domain.config import parse_config
    from backproof.engine.strategies import check_config

    try:
        check_config(parse_config(file.config))
        return {name: json_plain(value, f"/{name}") for name, value in file.config.items()}
    except InvalidInput as error:
        raise BadConfig(file.problems(error)) from None


def _follow(
    api: Api, file: ConfigFile, body: dict[str, object], screen: Silent, interrupted: _Interrupt
) -> tuple[dict[str, Any], str]:
    try:
        submitted = api.post("/backtests", body)
    except InvalidInput as error:
        raise BadConfig(file.problems(error)) from None
    run_id = str(submitted["backtest_id"])
    screen.status("queued", submitted)
    follower = Follower(api.url, run_id, screen)
    status = follower.until_final(interrupted, lambda: _cancel(api, run_id))
    return api.get(f"/backtests/{run_id}"), status


def _cancel(api: Api, run_id: str) -> None:
    try:
        api.post(f"/backtests/{run_id}/cancel")
    except BackproofError:  # it was faster: the events tell how it ended
        return


def _timings(backtest: dict[str, Any], stack: float, run_seconds: float, total: float) -> dict[str, float | None]:
    """Seconds: start of the stack (0 with a running server), waiting and computing as the server saw it, all of it."""
    return {
        "stack_start": round(stack, 3),
        "queued": _between(backtest.get("created_at"), backtest.get("started_at")),
        "running": _between(backtest.get("started_at"), backtest.get("completed_at")),
        "submit_to_final": round(run_seconds, 3),
        "total": round(total, 3),
    }


def _between(first: object, last: object) -> float | None:
    import datetime as dt

    if not isinstance(first, str) or not isinstance(last, str):
        return None
    return round((dt.datetime.fromisoformat(last) - dt.datetime.fromisoformat(first)).total_seconds(), 3)


def _print_json(
    backtest: dict[str, Any], status: str, timings: dict[str, float | None], everything: dict[str, Any] | None
) -> None:
    answer = {
        "backtest_id": tables.run_id(backtest),
        "status": status,
        "metrics": backtest.get("metrics"),
        **{name: backtest.get(name) for name in ("costs", "exit_reasons", "account_events")},
        "notices": backtest.get("notices", []),
        "timings": timings,
    }
    if everything is not None:
        answer.update({name: everything[name] for name in ("full_metrics", "full_null_reasons", "drawdowns")})
    if backtest.get("error"):
        answer["error"] = backtest["error"]
    json.dump(answer, sys.stdout, ensure_ascii=False, indent=2, allow_nan=False)
    sys.stdout.write("\n")
    sys.stdout.flush()


def result_of(api: Api, backtest: dict[str, Any], full: bool) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """The curve and, if it is asked for, everything that is measured, with definitions; None without a result."""
    if not backtest.get("result"):
        return None, None
    path = f"/backtests/{tables.run_id(backtest)}"
    curve = api.get(f"{path}/equity", max_points=PLOT_POINTS)
    if not full:
        return curve, None
    measured = api.get(f"{path}/metrics", full="true")
    return curve, {**measured, "definitions": api.get("/metrics/definitions")["items"]}


def show_result(
    console: Console,
    backtest: dict[str, Any],
    curve: dict[str, Any] | None,
    everything: dict[str, Any] | None = None,
) -> None:
    """Head line, metrics, plot, what trading came to, notices; for a failed run its reason."""
    config = backtest.get("config") or {}
    status = str(backtest["status"])
    style = tables.STATUS_STYLE.get(status, "")
    head = Text.assemble((str(backtest.get("name") or config.get("name", "")), "bold"), "  ", (status, f"bold {style}"))
    if backtest.get("partial"):
        head.append("  partial: only the bars until then", style="yellow")
    console.print()
    console.print(head)
    console.print(Text(_subject(config, curve), style="dim"), soft_wrap=True)
    if error := backtest.get("error"):
        console.print(Text(f"\n{error.get('message', '')}", style="red"), soft_wrap=True)
    if metrics := backtest.get("metrics"):
        if backtest.get("costs"):  # said below, with the other costs
            metrics = {name: value for name, value in metrics.items() if name != "costs_paid"}
        console.print()
        console.print(tables.metrics_view(metrics, backtest.get("benchmark_metrics"), config.get("benchmark")))
    if curve is not None and len(curve["equity"]) > 1 and _speaks_unicode(console):
        console.print()
        console.print(tables.equity_plot(curve, config.get("benchmark"), console))
    if trading := tables.trading_view(backtest):
        console.print()
        console.print(trading)
    if everything is not None:
        console.print()
        console.print(tables.full_view(everything["definitions"], everything, console))
    notices = Table.grid(padding=(0, 2))
    for notice in backtest.get("notices") or []:
        notices.add_row(Text("note", style="yellow"), Text(str(notice.get("message", ""))))
    if notices.row_count:
        console.print()
        console.print(notices)


def _subject(config: dict[str, Any], curve: dict[str, Any] | None) -> str:
    symbols = list(config.get("symbols") or [])
    shown = ", ".join(symbols[:6]) + (f" and {len(symbols) - 6} more" if len(symbols) > 6 else "")
    parameters = ", ".join(f"{name} {value}" for name, value in (config.get("parameters") or {}).items())
    parts = [str(config.get("strategy_type", "")) + (f" ({parameters})" if parameters else ""), shown]
    if curve is not None and curve["dates"]:
        parts.append(f"{str(curve['dates'][0])[:10]} to {str(curve['dates'][-1])[:10]}")
        timeframe = str(config.get("timeframe") or "1d")
        bars = "bars" if timeframe == "1d" else f"{timeframe} bars"
        parts.append(f"{curve.get('total_bars', len(curve['dates'])):,} {bars}")
    return " · ".join(parts)


def _closing(
    console: Console, backtest: dict[str, Any], timings: dict[str, float | None], written: list[str], out: Path | None
) -> None:
    said = f"{tables.run_id(backtest)} · {timings['submit_to_final']:.2f} s from submission to result"
    if timings["stack_start"]:
        said += f" · {timings['stack_start']:.1f} s to start the stack"
    console.print()
    console.print(Text(said, style="dim"), soft_wrap=True)
    if written:
        console.print(Text(f"{out}: {', '.join(written)}", style="dim"), soft_wrap=True)


def _speaks_unicode(console: Console) -> bool:
    return (console.encoding or "").lower().replace("-", "") in {"utf8", "utf16", "utf32"}
