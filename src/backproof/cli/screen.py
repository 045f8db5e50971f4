# ruff: noqa: ARG002 (the silent screen takes what the others show)
"""How a run looks while it goes on: a live bar on a terminal, plain lines into a file or pipe, nothing for scripts."""

import json
import sys
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TaskID, TextColumn
from rich.table import Column
from rich.text import Text

from backproof.cli import words

Plain = dict[str, Any]
STAGES = {
    "collect_data": "collecting data",
    "indicators": "computing indicators",
    "simulate": "simulating",
    "save": "saving the result",
}
LEVEL_STYLE = {"warning": "yellow", "error": "red", "debug": "dim"}


class Silent:
    """Shows nothing."""

    asks = False

    def __enter__(self) -> "Silent":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def step(self, text: str) -> None:
        """What is being waited for before the run exists."""

    def frame(self, frame: Plain) -> None:
        """One frame of the WebSocket, as it is; what it says is said by the others too."""

    def status(self, status: str, data: Plain) -> None:
        return

    def progress(self, data: Plain) -> None:
        return

    def log(self, level: str, message: str) -> None:
        return

    def lost(self) -> None:
        """The server does not answer just now."""


class JsonLines(Silent):
    """Every frame as one line of JSON; heartbeats are no news."""

    def frame(self, frame: Plain) -> None:
        if frame["type"] != "heartbeat":
            print_json_line(frame)


class Lines(Silent):
    """One line per thing that happens; readable in a log file."""

    asks = True

    def __init__(self, console: Console) -> None:
        self._console = console
        self._stage = ""
        self._tenth = 0
        self._waits_as: object = None
        self._is_lost = False
        self._step = ""

    def step(self, text: str) -> None:
        if text != self._step:
            self._step = text
            self._print(text)

    def status(self, status: str, data: Plain) -> None:
        self._is_lost = False
        if status == "queued" and (reason := data.get("reason")):
            self._stage, self._tenth, self._waits_as = "", 0, None
            self._print(words.queued_because(reason))
        elif status in ("queued", "pending"):
            self._wait(status, data)
        elif status == "cancelling":
            self._print("cancelling")

    def progress(self, data: Plain) -> None:
        self._is_lost = False
        status, percent = data.get("status"), float(data.get("progress") or 0.0)
        if status in ("queued", "pending"):
            self._wait(str(status), data)
        if status != "running":
            return
        stage = str(data.get("current_step") or self._stage)
        if stage != self._stage or int(percent) // 10 > self._tenth:
            self._stage, self._tenth = stage, int(percent) // 10
            eta = data.get("eta_seconds") or 0.0
            left = f", {words.span(eta)} left" if eta >= 1.0 else ""
            self._print(f"{percent:3.0f} %  {STAGES.get(stage, stage)}{left}")

    def log(self, level: str, message: str) -> None:
        self._print(f"       {'' if level == 'info' else level + ': '}{message}")

    def lost(self) -> None:
        if not self._is_lost:
            self._is_lost = True
            self._print("the server does not answer; trying again")

    def _wait(self, status: str, data: Plain) -> None:
        """Once for every place in the queue."""
        waits_as = (status, data.get("queue_position"), str(data.get("waiting_for") or ""))
        if waits_as == self._waits_as or (status == "queued" and data.get("queue_position") is None):
            return
        self._waits_as = waits_as
        self._print(f"queued: {words.expectation(data)}" if status == "queued" else words.missing(data))

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


class _Note(ProgressColumn):
    """The time that is left, then bars done: a narrow terminal cuts the end."""

    def render(self, task: Task) -> Text:
        return Text(str(task.fields.get("note") or ""), style="dim")


class Live(Silent):
    """A bar with stage, percent, bars and time left; log lines scroll above it."""

    asks = True

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            SpinnerColumn(finished_text=" "),
            TextColumn("{task.description}", justify="left"),
            BarColumn(bar_width=20),
            TextColumn("{task.percentage:3.0f} %"),
            _Note(table_column=Column(no_wrap=True, overflow="ellipsis")),
            console=console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task: TaskID | None = None
        self._said = ("", "")

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
        if status == "queued" and (reason := data.get("reason")):
            self._show("queued", 0.0)
            self.log("warning", words.queued_because(reason))
        elif status in ("queued", "pending"):
            self._wait(status, data)
        elif status == "cancelling":
            self._show("cancelling", None)

    def progress(self, data: Plain) -> None:
        status = str(data.get("status"))
        if status in ("queued", "pending"):
            self._wait(status, data)
        elif status == "running":
            stage = str(data.get("current_step") or "")
            done, total, eta = data.get("bars_done"), data.get("total_bars"), data.get("eta_seconds")
            parts = [f"{words.span(eta)} left"] if eta is not None and eta >= 0.5 else []
            parts += [f"{done:,} of {total:,} bars"] if done and total else []
            self._show(STAGES.get(stage, stage or "running"), float(data.get("progress") or 0.0), ", ".join(parts))

    def log(self, level: str, message: str) -> None:
        self._console.print(Text("  " + message, style=LEVEL_STYLE.get(level, "dim")))

    def lost(self) -> None:
        self._show("no answer, trying again", None)

    def _wait(self, status: str, data: Plain) -> None:
        """The estimate, or what is missing, once above the bar; the place in the queue beside it."""
        said = f"takes {words.duration(data)}" if words.duration(data) else ""
        if status == "pending":
            self._show("waiting for data", 0.0)
            said = words.missing(data)
        else:
            position, wait = data.get("queue_position") or 1, words.wait(data)
            when = "" if wait is None else f"starts in about {words.span(wait)}" if wait else "starts at once"
            self._show("queued" if position == 1 else f"queued, {words.ordinal(position)}", 0.0, when)
        if (status, said) != self._said and (status == "pending" or self._said[0] != status):
            self._said = (status, said)
            if said:
                self._console.print(Text("  " + said, style="yellow" if status == "pending" else "dim"), soft_wrap=True)

    def _show(self, text: str, percent: float | None, note: str = "") -> None:
        text = f"{text:<20}"
        if self._task is None:
            self._task = self._bar.add_task(text, total=100.0)
        if percent is None:
            self._bar.update(self._task, description=text, note=note)
        else:
            self._bar.update(self._task, description=text, completed=percent, note=note)


def screen_of(console: Console, as_json: bool) -> Silent:
    """What fits: live on a terminal, else lines; nothing between a script and its JSON."""
    return Live(console) if console.is_terminal else Silent() if as_json else Lines(console)


def print_json_line(value: object) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n")
    sys.stdout.flush()
