# ruff: noqa: ARG002 (the silent screen takes what the others show)
"""How a run looks while it goes on: a live bar on a terminal, plain lines into a file or pipe, nothing for scripts."""

from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TaskID, TextColumn
from rich.text import Text

Plain = dict[str, Any]
STAGES = {
    "collect_data": "collecting data",
    "indicators": "computing indicators",
    "simulate": "simulating",
    "save": "saving the result",
}
_LEVEL_STYLE = {"warning": "yellow", "error": "red", "debug": "dim"}


class Silent:
    """Shows nothing."""

    def __enter__(self) -> "Silent":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def step(self, text: str) -> None:
        """What is being waited for before the run exists."""

    def status(self, status: str, data: Plain) -> None:
        return

    def progress(self, data: Plain) -> None:
        return

    def log(self, level: str, message: str) -> None:
        return


class Lines(Silent):
    """One line per thing that happens; readable in a log file."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._stage = ""
        self._tenth = 0

    def step(self, text: str) -> None:
        self._print(text)

    def status(self, status: str, data: Plain) -> None:
        if status == "queued" and (position := data.get("queue_position") or 0) > 1:
            self._print(f"queued, {_waiting(position)}")
        elif status == "queued" and data.get("reason"):
            self._print(f"queued again: {data['reason']}")
        elif status == "cancelling":
            self._print("cancelling")

    def progress(self, data: Plain) -> None:
        percent = float(data.get("progress") or 0.0)
        if data.get("status") != "running":
            return
        stage = str(data.get("current_step") or self._stage)
        if stage != self._stage or int(percent) // 10 > self._tenth:
            self._stage, self._tenth = stage, int(percent) // 10
            self._print(f"{percent:3.0f} %  {STAGES.get(stage, stage)}")

    def log(self, level: str, message: str) -> None:
        self._print(f"       {'' if level == 'info' else level + ': '}{message}")

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


class _Eta(ProgressColumn):
    """Bars done, and the time that is left while there is something to tell."""

    def render(self, task: Task) -> Text:
        eta, bars, total = task.fields.get("eta"), task.fields.get("bars"), task.fields.get("bars_total")
        parts = [f"{bars:,} of {total:,} bars"] if bars and total else []
        if eta is not None and eta >= 0.5:
            parts.append(f"{_span(eta)} left")
        return Text("  ".join(parts), style="dim")


class Live(Silent):
    """A bar with stage, percent, bars and time left; log lines scroll above it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            SpinnerColumn(finished_text=" "),
            TextColumn("{task.description}", justify="left"),
            BarColumn(bar_width=32),
            TextColumn("{task.percentage:3.0f} %"),
            _Eta(),
            console=console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> "Live":
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def step(self, text: str) -> None:
        self._show(text, None)

    def status(self, status: str, data: Plain) -> None:
        if status == "queued":
            position = data.get("queue_position") or 0
            self._show(f"queued, {_waiting(position)}" if position > 1 else "queued", 0.0)
            if data.get("reason"):
                self.log("warning", f"queued again: {data['reason']}")
        elif status == "cancelling":
            self._show("cancelling", None)

    def progress(self, data: Plain) -> None:
        if data.get("status") == "running":
            stage = str(data.get("current_step") or "")
            self._show(
                STAGES.get(stage, stage or "running"),
                float(data.get("progress") or 0.0),
                eta=data.get("eta_seconds"),
                bars=data.get("bars_done"),
                bars_total=data.get("total_bars"),
            )

    def log(self, level: str, message: str) -> None:
        style = _LEVEL_STYLE.get(level, "")
        self._console.print(Text("  " + message, style=style or "dim"))

    def _show(self, text: str, percent: float | None, **fields: Any) -> None:
        text = f"{text:<20}"
        if self._task is None:
            self._task = self._bar.add_task(text, total=100.0)
        if percent is None:
            self._bar.update(self._task, description=text, **fields)
        else:
            self._bar.update(self._task, description=text, completed=percent, **fields)


def _waiting(position: int) -> str:
    return "1 run before it" if position == 2 else f"{position - 1} runs before it"


def _span(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return (
        f"{whole // 60} min {whole % 60:02d} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    )
