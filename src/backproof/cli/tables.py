"""Numbers for people: the metrics tables, the run list, the equity plot."""

import datetime as dt
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from backproof.cli import plot

Plain = Mapping[str, Any]
PLOT_HEIGHT = 10

# metric: (label, how it is written)
PERFORMANCE = {
    "total_return": ("Total return", "percent"),
    "cagr": ("CAGR", "percent"),
    "annual_return": ("Annual return", "percent"),
    "volatility": ("Volatility", "percent"),
    "sharpe": ("Sharpe ratio", "ratio"),
    "sortino": ("Sortino ratio", "ratio"),
    "max_drawdown": ("Max drawdown", "percent"),
    "calmar": ("Calmar ratio", "ratio"),
}
TRADING = {
    "trades": ("Closed trades", "count"),
    "win_rate": ("Win rate", "percent"),
    "profit_factor": ("Profit factor", "ratio"),
    "expectancy": ("Mean trade", "percent"),
    "exposure": ("Exposure", "percent"),
    "time_in_market": ("Time in market", "percent"),
    "turnover": ("Turnover / year", "times"),
    "costs_paid": ("Costs paid", "money"),
}
AGAINST = {
    "benchmark_return": ("Its return", "percent"),
    "alpha": ("Alpha", "percent"),
    "beta": ("Beta", "ratio"),
    "correlation": ("Correlation", "ratio"),
    "tracking_error": ("Tracking error", "percent"),
    "information_ratio": ("Info ratio", "ratio"),
    "overlap": ("Bars compared", "count"),
}
COSTS = {
    "commission": "Commission",
    "slippage": "Slippage",
    "borrow": "Borrow",
    "dividends": "Dividends received",
    "cash_in_lieu": "Cash in lieu",
}
ALWAYS_SHOWN = ("commission", "slippage")
EVENTS = {"dividend": "Dividends", "split": "Splits", "borrow": "Borrow payments"}
EXITS = {"open": "Still open"}
# of the full metrics: titles of groups, in columns, and names that are not their own best label
GROUPS = (("returns",), ("distribution", "leverage"), ("drawdown",), ("trades",), ("holding",), ("sides",))
TITLES = {
    "returns": "Returns of a period",
    "drawdown": "Drawdowns",
    "trades": "Closed trades",
    "sides": "Long and short",
}
LABELS = {
    "var_95": "VaR 95 %",
    "cvar_95": "CVaR 95 %",
    "kurtosis": "Excess kurtosis",
    "psr": "P(Sharpe > 0)",
    "average_drawdown": "Average",
    "max_drawdown_duration_days": "Longest",
    "sqn": "SQN",
    "max_consecutive_wins": "Wins in a row",
    "max_consecutive_losses": "Losses in a row",
    "holding_days_mean": "Mean time held",
    "holding_days_median": "Median time held",
    "bars_held_mean": "Mean bars held",
    "mae_mean": "Mean MAE",
    "mae_worst": "Worst MAE",
    "mfe_mean": "Mean MFE",
    "win_rate_long": "Won long",
    "win_rate_short": "Won short",
}
FORMS = {"fraction": "percent", "money": "money", "count": "count", "days": "days", "bars": "bars"}
# how an attempt ended, where the word alone is not enough
OUTCOMES = {
    "worker_died": "the worker died",
    "worker_stopped": "the worker stopped",
    "heartbeat_lost": "the worker was not heard of any more",
}
STATUS_STYLE = {"completed": "green", "failed": "red", "cancelled": "yellow", "running": "cyan"}


def number(value: object, form: str) -> str:
    """One metric as a person reads it; an undefined one is a dash."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return "–"
    match form:
        case "percent":
            return f"{value * 100:,.2f} %"
        case "count":
            return f"{value:,.0f}"
        case "money":
            return f"{value:,.2f}"
        case "times":
            return f"{value:,.2f} x"
        case "days":
            return _span(value)
        case "bars":
            return f"{value:,.1f}"
        case _:
            return f"{value:,.2f}"


def _span(days: float) -> str:
    if isinstance(days, int):
        return f"{days:,} d"
    if days >= 1.0:
        return f"{days:,.1f} d"
    return f"{days * 24:.1f} h" if days * 24 >= 1.0 else f"{days * 1440:.0f} min"


def metrics_view(metrics: Plain, benchmark: Plain | None, benchmark_name: str | None) -> RenderableType:
    """What the run earned, how it traded, and how it did against the benchmark, side by side."""
    known = PERFORMANCE.keys() | TRADING.keys()
    others = {name: (label_of(name), "ratio") for name in metrics if name not in known}
    parts = [_metrics("Performance", metrics, PERFORMANCE), _metrics("Trading", metrics, {**TRADING, **others})]
    if benchmark:
        parts.append(_metrics(f"Against {benchmark_name}", benchmark, AGAINST))
    grid = Table.grid(padding=(0, 3))
    grid.add_row(*parts)
    return grid


def trading_view(run: Plain) -> RenderableType | None:
    """How trades ended, what trading cost and paid, and what else changed the account; None where it is not known."""
    costs: Plain = run.get("costs") or {}
    exits: Plain = run.get("exit_reasons") or {}
    events: Plain = run.get("account_events") or {}
    parts = []
    if exits:
        rows = [(EXITS.get(reason, label_of(reason)), f"{count:,}") for reason, count in exits.items()]
        parts.append(_rows("How trades ended", rows))
    if costs:
        shown = {name: value for name, value in costs.items() if value or name in ALWAYS_SHOWN}
        rows = [(COSTS.get(name, label_of(name)), number(value, "money")) for name, value in shown.items()]
        parts.append(_rows("Costs and income", rows))
    if events:
        rows = [(EVENTS.get(kind, label_of(kind)), f"{count:,}") for kind, count in events.items()]
        parts.append(_rows("Account events", rows))
    if not parts:
        return None
    grid = Table.grid(padding=(0, 3))
    grid.add_row(*parts)
    return grid


def full_view(definitions: Sequence[Plain], full: Plain, console: Console) -> RenderableType:
    """Everything that is measured beyond the headline, why some of it is not defined, and the deepest drawdowns."""
    values: Plain = full["full_metrics"]
    groups: dict[str, list[tuple[str, str]]] = {}
    for metric in definitions:
        if (name := metric["name"]) in values:
            row = (label_of(name), number(values[name], FORMS.get(metric["unit"], "ratio")))
            groups.setdefault(metric["group"], []).append(row)
    known = {group for group, rows in groups.items() if any(shown not in ("–", "0") for _, shown in rows)}
    others = tuple((group,) for group in groups if not any(group in column for column in GROUPS))
    columns = []
    for column in (*GROUPS, *others):
        tables = [_rows(TITLES.get(group, label_of(group)), groups[group]) for group in column if group in known]
        if tables:
            columns.append(Group(*(part for table in tables for part in (table, Text()))))
    parts: list[RenderableType] = [*_side_by_side(columns, console)]
    reasons: dict[str, list[str]] = {}
    for name, reason in {**(full.get("null_reasons") or {}), **(full.get("full_null_reasons") or {})}.items():
        reasons.setdefault(reason, []).append(label_of(name))
    for reason, names in reasons.items():
        parts.append(Text(f"– {reason}: {', '.join(names)}", style="dim"))
    if reasons:
        parts.append(Text())
    return Group(*parts, drawdown_view(full.get("drawdowns") or [], console))


def drawdown_view(falls: Sequence[Plain], console: Console) -> RenderableType:
    """The deepest first; a narrow terminal gets less of each."""
    if not falls:
        return Text("no drawdown", style="dim")
    counts = {"bars": "Bars", "days": "Days", "recovery_days": "Days back"}
    for date_length, names in ((16, [*counts]), (10, [*counts]), (10, ["days"])):
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
        table.add_column("Drawdown", justify="right", no_wrap=True)
        for name in ("Peak", "Trough", "Recovery"):
            table.add_column(name, no_wrap=True)
        for name in names:
            table.add_column(counts[name], justify="right", no_wrap=True)
        for fall in falls:
            dates = (fall["peak_date"], fall["trough_date"], fall["recovery_date"])
            table.add_row(
                number(fall["depth"], "percent"),
                *("not yet" if date is None else date[:date_length].replace("T", " ") for date in dates),
                *(number(fall[name], "count") for name in names),
            )
        if Measurement.get(console, console.options.update(width=1000), table).maximum <= console.width:
            break
    return table


def label_of(name: str) -> str:
    headline = {**PERFORMANCE, **TRADING, **AGAINST}
    if name in headline:
        return headline[name][0]
    return LABELS.get(name) or name.replace("_", " ").capitalize()


def _rows(title: str, rows: Sequence[tuple[str, str]]) -> Table:
    table = Table(
        box=None,
        pad_edge=False,
        show_header=False,
        title=title,
        title_justify="left",
        title_style="bold",
        min_width=len(title),
    )
    table.add_column(style="dim", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table


def _side_by_side(parts: Sequence[RenderableType], console: Console) -> list[Table]:
    """As many beside each other as the width allows."""
    lines: list[list[RenderableType]] = []
    room = 0
    for part in parts:
        width = Measurement.get(console, console.options, part).maximum + 3
        if width > room:
            lines.append([])
            room = console.width + 3
        lines[-1].append(part)
        room -= width
    grids = []
    for line in lines:
        grid = Table.grid(padding=(0, 3))
        grid.add_row(*line)
        grids.append(grid)
    return grids


def _metrics(title: str, values: Plain, forms: Mapping[str, tuple[str, str]]) -> Table:
    return _rows(
        title, [(label, number(values[name], form)) for name, (label, form) in forms.items() if name in values]
    )


def equity_plot(curve: Plain, benchmark_name: str | None, console: Console) -> RenderableType:
    """The equity curve over the benchmark's, as wide as the terminal allows."""
    equity = [float(value) for value in curve["equity"]]
    known = [value for value in curve.get("benchmark") or [] if value is not None]
    beside = _filled(curve["benchmark"]) if known else None
    low, high = min([*equity, *known]), max([*equity, *known])
    labels = [f"{high:,.0f}", f"{(high + low) / 2:,.0f}", f"{low:,.0f}"]
    margin = max(map(len, labels))
    width = max(20, min(console.width - margin - 3, 76))
    front = plot.curve(equity, low, high, width, PLOT_HEIGHT)
    back = plot.curve(beside, low, high, width, PLOT_HEIGHT) if beside else [" " * width] * PLOT_HEIGHT
    shown = {0: labels[0], PLOT_HEIGHT // 2: labels[1], PLOT_HEIGHT - 1: labels[2]}
    lines: list[Text] = []
    for i, line in enumerate(plot.overlay(front, back)):
        text = Text()
        text.append(f"{shown.get(i, ''):>{margin}} {'┤' if i in shown else '│'}", style="dim")
        while line and line[-1][0] == " ":
            line.pop()
        for is_front, characters in groupby(line, key=lambda cell: cell[1]):
            text.append("".join(c for c, _ in characters), style="bold cyan" if is_front else "yellow")
        lines.append(text)
    first, last = str(curve["dates"][0])[:10], str(curve["dates"][-1])[:10]
    lines.append(Text(" " * (margin + 2) + first + " " * max(1, width - len(first) - len(last)) + last, style="dim"))
    legend = Text(" " * (margin + 2))
    legend.append("— equity", style="bold cyan")
    if beside:
        legend.append(f"   — {benchmark_name}, same start", style="yellow")
    return Group(*lines, legend)


def runs_table(runs: Sequence[Plain], deleted: bool = False) -> Table:
    table = plain_table(
        *("Id", "Status", "Created", *(("Deleted",) if deleted else ()), "Name", "Strategy"),
        *(">Return", ">Sharpe", ">Drawdown"),
    )
    for run in runs:
        metrics = run.get("metrics") or {}
        status = str(run["status"])
        done = f" {run['progress']:.0f} %" if status == "running" else ""
        table.add_row(
            str(run_id(run)),
            Text(status + done, style=STATUS_STYLE.get(status, "")),
            moment(run.get("created_at")),
            *((moment(run.get("deleted_at")),) if deleted else ()),
            Text(str(run.get("name", ""))),
            str(run.get("strategy_type") or (run.get("config") or {}).get("strategy_type", "")),
            number(metrics.get("total_return"), "percent"),
            number(metrics.get("sharpe"), "ratio"),
            number(metrics.get("max_drawdown"), "percent"),
        )
    return table


def attempts_table(attempts: Sequence[Plain]) -> Table:
    """Who took a run when, and how that ended."""
    table = plain_table(">Attempt", "Started", ">Took", "Worker", "Ended")
    for attempt in attempts:
        began, ended = (
            dt.datetime.fromisoformat(at) if at else None for at in (attempt["started_at"], attempt["ended_at"])
        )
        took = f"{(ended - began).total_seconds():,.1f} s" if began is not None and ended is not None else ""
        outcome = str(attempt["outcome"] or "goes on")
        table.add_row(
            str(attempt["attempt"]),
            moment(attempt["started_at"], seconds=True),
            took,
            str(attempt["worker"]),
            Text(OUTCOMES.get(outcome, outcome.replace("_", " ")), style=STATUS_STYLE.get(outcome, "")),
        )
    return table


def plain_table(*columns: str) -> Table:
    """Columns by their titles; one that begins with > is aligned to the right. Only names may be cut."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for title in columns:
        name = title.removeprefix(">")
        table.add_column(name, justify="right" if name != title else "left", no_wrap=name not in ("Name", "For"))
    return table


def print_wide(console: Console, table: Table) -> None:
    """A table that is not squeezed into 80 columns where nobody looks at it through a terminal."""
    (console if console.is_terminal else Console(width=max(console.width, 200))).print(table)


def moment(text: object, seconds: bool = False) -> str:
    """A time of the API for people, in UTC."""
    return str(text or "")[: 19 if seconds else 16].replace("T", " ")


def run_id(run: Plain) -> str:
    return str(run.get("backtest_id") or run.get("id"))


def _filled(values: Sequence[float | None]) -> list[float]:
    """Gaps in the benchmark take the value before them; only for drawing."""
    filled: list[float] = []
    last = next((value for value in values if value is not None), 0.0)
    for value in values:
        last = last if value is None else value
        filled.append(last)
    return filled
