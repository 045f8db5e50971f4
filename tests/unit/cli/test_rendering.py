"""What a person sees: numbers, the curve, and plain text where there is no terminal."""

import io
from dataclasses import asdict

import pytest
from rich.console import Console

from backproof.cli import plot, tables
from backproof.cli.result import show_result
from backproof.cli.screen import Lines, Live
from backproof.services.backtests.definitions import definitions

DOTS = {chr(0x2800 + n) for n in range(256)} | {" "}


def test_a_rising_curve_goes_from_the_lower_left_to_the_upper_right() -> None:
    lines = plot.curve([float(i) for i in range(50)], 0.0, 49.0, width=10, height=3)
    assert all(len(line) == 10 and set(line) <= DOTS for line in lines)
    assert lines[-1][0] != " "
    assert lines[0][-1] != " "
    assert lines[0][0] == lines[-1][-1] == " "


@pytest.mark.parametrize("values", [[5.0], [5.0, 5.0], [1.0] * 1000])
def test_a_flat_or_tiny_curve_is_drawn_without_dividing_by_zero(values: list[float]) -> None:
    assert any(line.strip() for line in plot.curve(values, min(values), max(values), width=8, height=2))


def test_a_jump_is_a_line_without_holes() -> None:
    column = [
        line[2] != " " or line[1] != " " for line in plot.curve([0.0] * 4 + [1.0] * 4, 0.0, 1.0, width=4, height=6)
    ]
    assert all(column)


@pytest.mark.parametrize(
    ("value", "form", "shown"),
    [
        (0.12345, "percent", "12.35 %"),
        (-0.5, "percent", "-50.00 %"),
        (None, "percent", "–"),
        (1234.5, "money", "1,234.50"),
        (7, "count", "7"),
        (True, "count", "–"),
        (0.987, "ratio", "0.99"),
        (12.345, "days", "12.3 d"),
        (2022, "days", "2,022 d"),
        (0.25, "days", "6.0 h"),
        (0.0, "days", "0 min"),
        (0.0208, "days", "30 min"),
        (56.04, "bars", "56.0"),
    ],
)
def test_numbers_are_written_for_people(value: object, form: str, shown: str) -> None:
    assert tables.number(value, form) == shown


def text_of(renderable: object, width: int = 100) -> str:
    out = io.StringIO()
    Console(file=out, width=width).print(renderable)
    return out.getvalue()


def test_the_metrics_keep_unknown_names_and_the_benchmark() -> None:
    view = text_of(tables.metrics_view({"sharpe": 1.0, "new_one": 2.5}, {"alpha": 0.01, "beta": None}, "SPX"))
    for part in ("Sharpe ratio", "1.00", "New one", "2.50", "Against SPX", "Alpha", "1.00 %", "Beta", "–"):
        assert part in view
    assert "\x1b" not in view


RUN = {
    "costs": {"commission": 17493.0, "slippage": 0.0, "borrow": 12.5, "dividends": 0.0, "cash_in_lieu": 0.0},
    "exit_reasons": {"signal": 1573, "stop_loss": 21, "new_reason": 2, "open": 3},
    "account_events": {"borrow": 295, "dividend": 2},
}


def test_what_trading_came_to_fits_an_ordinary_terminal() -> None:
    shown = text_of(tables.trading_view(RUN), 80)
    assert max(map(len, shown.splitlines())) <= 80
    rows = [" ".join(line.split()) for line in shown.splitlines()]
    assert rows[0] == "How trades ended Costs and income Account events"
    assert "Signal 1,573 Commission 17,493.00 Borrow payments 295" in rows
    assert "Stop loss 21 Slippage 0.00 Dividends 2" in rows  # no slippage is said, no dividends received are not
    assert "New reason 2 Borrow 12.50" in rows
    assert "Still open 3" in rows
    assert "Cash in lieu" not in shown


def test_a_run_of_an_older_version_has_nothing_to_say_there() -> None:
    assert tables.trading_view({"costs": None, "exit_reasons": None}) is None
    assert tables.trading_view({}) is None


def full_answer() -> tuple[list[dict[str, object]], dict[str, object]]:
    known = [asdict(metric) for metric in definitions()]
    metrics = {metric["name"]: 1.0 for metric in known if not metric["headline"]}
    metrics |= {"omega": None, "win_rate_short": None, "max_drawdown_duration_days": 2022, "average_win": 1234567.891}
    return known, {
        "full_metrics": metrics,
        "null_reasons": {"win_rate": "no trade was closed"},
        "full_null_reasons": {"win_rate_short": "no trade was closed"},
        "drawdowns": [
            {"peak_date": "2024-03-04T23:30:00Z", "trough_date": "2024-03-05T01:00:00Z", "recovery_date": None,
             "depth": -0.4598, "bars": 1393, "days": 2022, "recovery_days": None},
        ],
    }  # fmt: skip


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_full_metrics_are_as_wide_as_the_terminal_allows(width: int) -> None:
    known, answer = full_answer()
    out = io.StringIO()
    console = Console(file=out, width=width)
    console.print(tables.full_view(known, answer, console))
    shown = out.getvalue()
    assert max(map(len, shown.splitlines())) <= width
    for part in (
        "Returns of a period",
        "VaR 95 %",
        "Omega",
        "–",
        "2,022 d",
        "1,234,567.89",
        "Mean MAE",
        "Long and short",
    ):
        assert part in shown, part
    assert "no trade was closed: Win rate, Won short" in shown
    assert "-45.98 %" in shown
    assert ("2024-03-04 23:30" in shown) == (width == 120)
    assert "2024-03-04" in shown
    assert "not yet" in shown
    assert "…" not in shown  # nothing was cut


def test_what_no_trade_could_fill_is_left_out_of_the_full_metrics() -> None:
    known, answer = full_answer()
    of_trades = {metric["name"]: None for metric in known if metric["group"] in ("trades", "holding", "sides")}
    answer = {**answer, "full_metrics": {"skew": 1.0, **of_trades, "long_trades": 0}, "drawdowns": []}
    console = Console(file=io.StringIO(), width=100)
    shown = text_of(tables.full_view(known, answer, console))
    assert "Distribution" in shown
    assert "Closed trades" not in shown
    assert "Long and short" not in shown
    assert "no drawdown" in shown


def test_a_metric_that_came_later_is_shown_too() -> None:
    later = [{"name": "new_one", "group": "new_group", "unit": "fraction", "headline": False}]
    shown = text_of(tables.full_view(later, {"full_metrics": {"new_one": 0.5}}, Console(file=io.StringIO(), width=100)))
    for part in ("New group", "New one", "50.00 %"):
        assert part in shown


def test_the_plot_names_its_axes_and_survives_gaps_in_the_benchmark() -> None:
    curve = {
        "dates": ["2005-01-03", "2005-01-04", "2005-01-05"],
        "equity": [100.0, 150.0, 120.0],
        "benchmark": [None, 100.0, None],
    }
    shown = text_of(tables.equity_plot(curve, "SPX", Console(width=60)), 60)
    for part in ("150", "100", "2005-01-03", "2005-01-05", "SPX"):
        assert part in shown
    assert max(map(len, shown.splitlines())) <= 60


def test_without_a_terminal_progress_is_a_few_plain_lines() -> None:
    out = io.StringIO()
    lines = Lines(Console(file=out, width=80))
    for percent in range(101):
        stage = (
            "collect_data" if percent < 5 else "indicators" if percent < 10 else "simulate" if percent < 95 else "save"
        )
        lines.progress({"status": "running", "progress": float(percent), "current_step": stage})
    lines.log("warning", "[bold]not markup[/bold]")
    shown = out.getvalue()
    assert "\x1b" not in shown
    assert len(shown.splitlines()) <= 16
    assert "[bold]not markup[/bold]" in shown


def test_lines_tell_each_place_in_the_queue_once_and_why_a_run_waits_again() -> None:
    out = io.StringIO()
    lines = Lines(Console(file=out, width=80))
    waiting = {"status": "queued", "queue_position": 2, "eta_seconds": 42.0, "estimated_duration": 2.0}
    lines.status("queued", waiting)
    for left in (41.0, 40.0):
        lines.progress({**waiting, "eta_seconds": left, "waiting_for": []})
    lines.progress({**waiting, "queue_position": 1, "eta_seconds": 12.0})
    lines.progress({"status": "running", "progress": 63.0, "current_step": "simulate", "eta_seconds": 75.0})
    lines.lost()
    lines.lost()
    lines.status("queued", {"status": "queued", "reason": "worker_died"})
    lines.progress({"status": "running", "progress": 3.0, "current_step": "collect_data", "eta_seconds": 0.2})
    assert out.getvalue().splitlines() == [
        "queued: about 2 s, 2nd in the queue, starts in about 40 s",
        "queued: about 2 s, next in the queue, starts in about 10 s",
        " 63 %  simulating, 1 min 15 s left",
        "the server does not answer; trying again",
        "queued again: its worker died",
        "  3 %  collecting data",
    ]


def test_lines_tell_what_a_pending_run_waits_for_when_that_changes() -> None:
    out = io.StringIO()
    lines = Lines(Console(file=out, width=80))
    for message in ("no symbol A", "no symbol A", "no symbol B"):
        lines.progress({"status": "pending", "waiting_for": [{"message": message}]})
    assert out.getvalue().splitlines() == ["waiting for data: no symbol A", "waiting for data: no symbol B"]


@pytest.mark.parametrize("width", [40, 80, 120])
def test_the_live_bar_is_one_line_and_says_what_matters_first(width: int) -> None:
    out = io.StringIO()
    waiting = {"status": "queued", "queue_position": 3, "eta_seconds": 42.0, "estimated_duration": 2.0}
    running = {"status": "running", "progress": 70.0, "current_step": "simulate", "eta_seconds": 125.0}
    running |= {"bars_done": 120_000, "total_bars": 250_000}
    shown = []
    with Live(Console(file=out, width=width, force_terminal=True, color_system=None)) as live:
        for data in (waiting, waiting, running):
            live.progress(data)
            shown.append(text_of(live._bar.get_renderable(), width).rstrip("\n"))
    assert all("\n" not in text and len(text) <= width for text in shown)
    assert "queued, 3rd" in shown[0]
    if width >= 80:
        assert "starts in about 40 s" in shown[0]
        assert "70 % 2 min 05 s left, 120,000 of 250,000 bars" in shown[2]
    assert out.getvalue().count("takes about 2 s") == 1


def test_the_list_shows_how_far_a_run_is_and_when_one_was_deleted() -> None:
    rows = [{"backtest_id": "bt-1", "status": "running", "progress": 45.2, "name": "n", "strategy_type": "s"}]
    assert "running 45 %" in text_of(tables.runs_table(rows))
    deleted = [{**rows[0], "status": "failed", "deleted_at": "2026-01-02T03:04:05.678Z"}]
    assert "2026-01-02 03:04" in text_of(tables.runs_table(deleted, deleted=True))


def test_attempts_say_who_worked_how_long_and_how_it_ended() -> None:
    attempts = [
        {"attempt": 1, "worker": "host:1", "started_at": "2026-01-01T00:00:00Z", "ended_at": "2026-01-01T00:00:02.5Z",
         "outcome": "worker_died"},
        {"attempt": 2, "worker": "host:2", "started_at": "2026-01-01T00:00:03Z", "ended_at": None, "outcome": None},
    ]  # fmt: skip
    rows = [line.split() for line in text_of(tables.attempts_table(attempts)).splitlines()[2:]]
    assert rows[0] == ["1", "2026-01-01", "00:00:00", "2.5", "s", "host:1", "the", "worker", "died"]
    assert rows[1] == ["2", "2026-01-01", "00:00:03", "host:2", "goes", "on"]


def test_a_failed_run_names_the_line_of_the_strategy() -> None:
    error = {
        "code": "strategy_error",
        "message": "mine failed on 2023-01-02: ValueError: boom",
        "details": {"traceback": ["mine.py:3 in on_bar: x = [1]/0"]},
    }
    out = io.StringIO()
    backtest = {"status": "failed", "name": "x", "config": {"symbols": ["A"], "strategy_type": "mine"}, "error": error}
    show_result(Console(file=out, width=100), backtest, None)
    message, frame = (line for line in out.getvalue().splitlines() if "mine failed" in line or "on_bar" in line)
    assert message == "mine failed on 2023-01-02: ValueError: boom"
    assert frame == "  mine.py:3 in on_bar: x = [1]/0"
