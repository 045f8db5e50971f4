"""Numbers for people: the metrics table, the run list, the equity plot."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
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
        case _:
            return f"{value:,.2f}"


def metrics_view(metrics: Plain, benchmark: Plain | None, benchmark_name: str | None) -> RenderableType:
    """What the run earned, how it traded, and how it did against the benchmark, side by side."""
    known = PERFORMANCE.keys() | TRADING.keys()
    others = {name: (name.replace("_", " ").capitalize(), "ratio") for name in metrics if name not in known}
    parts = [_metrics("Performance", metrics, PERFORMANCE), _metrics("Trading", metrics, {**TRADING, **others})]
    if benchmark:
        parts.append(_metrics(f"Against {benchmark_name}", benchmark, AGAINST))
    grid = Table.grid(padding=(0, 3))
    grid.add_row(*parts)
    return grid


def _metrics(title: str, values: Plain, forms: Mapping[str, tuple[str, str]]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False, title=title, title_justify="left", title_style="bold")
    table.add_column(style="dim", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    for name, (label, form) in forms.items():
        if name in values:
            table.add_row(label, number(values[name], form))
    return table


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


def runs_table(runs: Sequence[Plain]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name, justify in (
        ("Id", "left"),
        ("Status", "left"),
        ("Created", "left"),
        ("Name", "left"),
        ("Strategy", "left"),
    ):
        table.add_column(name, justify=justify, no_wrap=name != "Name")  # type: ignore[arg-type]
    for name in ("Return", "Sharpe", "Drawdown"):
        table.add_column(name, justify="right", no_wrap=True)
    for run in runs:
        metrics = run.get("metrics") or {}
        status = str(run["status"])
        table.add_row(
            str(run_id(run)),
            Text(status, style=STATUS_STYLE.get(status, "")),
            str(run.get("created_at", ""))[:16].replace("T", " "),
            str(run.get("name", "")),
            str(run.get("strategy_type") or (run.get("config") or {}).get("strategy_type", "")),
            number(metrics.get("total_return"), "percent"),
            number(metrics.get("sharpe"), "ratio"),
            number(metrics.get("max_drawdown"), "percent"),
        )
    return table


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
