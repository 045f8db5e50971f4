"""What a person sees: numbers, the curve, and plain text where there is no terminal."""

import io

import pytest
from rich.console import Console

from backproof.cli import plot, tables
from backproof.cli.screen import Lines

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
            "collect_data" if percent < 30 else "indicators" if percent < 60 else "simulate" if percent < 90 else "save"
        )
        lines.progress({"status": "running", "progress": float(percent), "current_step": stage})
    lines.log("warning", "[bold]not markup[/bold]")
    shown = out.getvalue()
    assert "\x1b" not in shown
    assert len(shown.splitlines()) <= 16
    assert "[bold]not markup[/bold]" in shown
