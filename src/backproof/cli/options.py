"""Options that several commands share, and what is made of them."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backproof.errors import NotFound

if TYPE_CHECKING:
    from backproof.settings import Settings

DataDir = Annotated[
    Path | None, typer.Option("--data-dir", metavar="DIR", help="Directory of everything kept [env: DATA_DIR].")
]
Port = Annotated[int | None, typer.Option("--port", min=0, max=65535, help="Port of the server [env: WEB_PORT].")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts instead of text.")]
Full = Annotated[bool, typer.Option("--full", help="Also every other metric, and the deepest drawdowns.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="A backtest's id.")]
Ids = Annotated[list[str], typer.Argument(metavar="ID", help="Backtests' ids.")]


class PriorityName(StrEnum):
    """Which of one's own waiting backtests goes first."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


class Level(StrEnum):
    """How serious a log line is."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


Priority = Annotated[PriorityName, typer.Option(help="Which of your waiting backtests goes first.")]


def settings_of(data_dir: Path | None, port: int | None, **more: object) -> "Settings":
    from backproof.settings import load_settings

    return load_settings(data_dir=data_dir, web_port=port, **more)


def settings_of_a_follower(data_dir: Path | None, port: int | None) -> "Settings":
    """For commands that may start a stack: its port matters only if one was asked for, two at once must not fight."""
    return settings_of(data_dir, 0 if port is None else port)


def known_form(text: str) -> str:
    """The id as it goes into a path; anything else cannot be one."""
    if not text or not all(c.isascii() and (c.isalnum() or c in "-_") for c in text):
        raise NotFound(f"there is no backtest {text!r}")
    return text


def known_forms(texts: Sequence[str]) -> list[str]:
    """Each once, in order."""
    return [known_form(text) for text in dict.fromkeys(texts)]
