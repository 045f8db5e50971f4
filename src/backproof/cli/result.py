"""How a run looks when it is over, or for as far as it has come."""

import json
import sys
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from backproof.cli import tables, words
from backproof.cli.api import Api
from backproof.cli.follow import FINAL
from backproof.errors import NotFound

Plain = dict[str, Any]
PLOT_POINTS = 2000


def ended_run(api: Api, run_id: str) -> Plain:
    """The run as it ended. Raises NotFound with the way back when it has been deleted meanwhile."""
    try:
        backtest: Plain = api.get(f"/backtests/{run_id}")
    except NotFound:
        back = f"`backproof restore {run_id}` brings it back"
        raise NotFound(f"backtest {run_id} was deleted meanwhile; {back}") from None
    return backtest


def result_of(api: Api, backtest: Plain, full: bool) -> tuple[Plain | None, Plain | None]:
    """The curve and, if it is asked for, everything that is measured, with definitions; None without a result."""
    if not backtest.get("result"):
        return None, None
    path = f"/backtests/{tables.run_id(backtest)}"
    curve = api.get(f"{path}/equity", max_points=PLOT_POINTS)
    if not full:
        return curve, None
    measured = api.get(f"{path}/metrics", full="true")
    return curve, {**measured, "definitions": api.get("/metrics/definitions")["items"]}


def show_result(console: Console, backtest: Plain, curve: Plain | None, everything: Plain | None = None) -> None:
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
        for frame in (error.get("details") or {}).get("traceback") or []:  # of a strategy's own code
            console.print(Text(f"  {frame}", style="dim"), soft_wrap=True)
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


def show_remarks(console: Console, api: Api, backtest: Plain, *, reuse_hint: bool = False, own: bool = False) -> None:
    """Where the result came from, what it repeats, and how to go on.

    reuse_hint: the command at hand has --no-cache; own: no server will be there when this command has ended
    """
    run_id = tables.run_id(backtest)
    if cached_from := backtest.get("cached_from"):
        console.print(Text(words.reused(cached_from, reuse_hint), style="yellow"), soft_wrap=True)
    elif (rerun_of := backtest.get("rerun_of")) and backtest["status"] == "completed":
        console.print(Text(_compared(api, backtest, rerun_of)), soft_wrap=True)
    if backtest["status"] in ("cancelled", "failed"):
        way_on = words.how_to_resume(run_id, api.get(f"/backtests/{run_id}/status"), watch=own)
        if way_on:
            console.print(Text(way_on, style="yellow"), soft_wrap=True)


def show_run(console: Console, api: Api, backtest: Plain, full: bool, own: bool = False) -> None:
    """Everything about one run."""
    run_id = tables.run_id(backtest)
    curve, everything = result_of(api, backtest, full)
    show_result(console, backtest, curve, everything)
    console.print()
    if backtest["status"] not in FINAL:
        show_standing(console, api.get(f"/backtests/{run_id}/status"))
    show_remarks(console, api, backtest, own=own)
    created = str(backtest["created_at"])[:19].replace("T", " ")
    console.print(Text(f"{run_id} · created {created} UTC", style="dim"))


def show_standing(console: Console, status: Plain) -> None:
    """Where a run stands that is not over."""
    match status["status"]:
        case "pending":
            console.print(Text(words.missing(status), style="yellow"), soft_wrap=True)
        case "queued":
            console.print(Text(words.expectation(status)), soft_wrap=True)
        case "running" | "cancelling":
            eta = status.get("eta_seconds")
            left = f", {words.span(eta)} left" if eta and status["status"] == "running" else ""
            console.print(Text(f"{status['progress']:.0f} %{left}"))


def print_json(value: object) -> None:
    json.dump(value, sys.stdout, ensure_ascii=False, indent=2, allow_nan=False)
    sys.stdout.write("\n")
    sys.stdout.flush()


def _compared(api: Api, backtest: Plain, rerun_of: str) -> str:
    try:
        first = api.get(f"/backtests/{rerun_of}")
    except NotFound:
        return f"repeats {rerun_of}, which was deleted"
    if first["status"] != "completed":
        return f"repeats {rerun_of}, which is {first['status']}"
    if first["fingerprint"] == backtest["fingerprint"]:
        return f"the same result as {rerun_of}, bit for bit"
    return f"not the result of {rerun_of}: data, strategy or engine have changed since"


def _subject(config: Plain, curve: Plain | None) -> str:
    symbols = list(config.get("symbols") or [])
    shown = ", ".join(symbols[:6]) + (f" and {len(symbols) - 6} more" if len(symbols) > 6 else "")
    given = (config.get("parameters") or {}).items()
    parameters = ", ".join(f"{name} {value}" for name, value in given if value not in (None, {}, []))
    parts = [str(config.get("strategy_type", "")) + (f" ({parameters})" if parameters else ""), shown]
    if curve is not None and curve["dates"]:
        parts.append(f"{str(curve['dates'][0])[:10]} to {str(curve['dates'][-1])[:10]}")
        timeframe = str(config.get("timeframe") or "1d")
        bars = "bars" if timeframe == "1d" else f"{timeframe} bars"
        parts.append(f"{curve.get('total_bars', len(curve['dates'])):,} {bars}")
    return " · ".join(parts)


def _speaks_unicode(console: Console) -> bool:
    return (console.encoding or "").lower().replace("-", "") in {"utf8", "utf16", "utf32"}
