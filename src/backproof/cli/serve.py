"""`backproof serve`: the stack in the foreground, with a short word about where it is."""

import time
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from backproof import __version__
from backproof.cli.stackmain import run_stack

if TYPE_CHECKING:
    from backproof.local.stack import Stack
    from backproof.settings import Settings


def serve(settings: "Settings") -> None:
    began = time.monotonic()
    console = Console()
    console.print(Text(f"backproof {__version__} is starting …", style="dim"))

    def ready(stack: "Stack") -> None:
        rows = (
            ("API", f"{stack.url}/docs"),
            ("data", str(settings.data_dir)),
            ("workers", f"{settings.worker_concurrency} backtests at once"),
            ("stop", "Ctrl-C"),
        )
        console.print(
            Text.assemble(
                ("ready", "bold green"), f" in {time.monotonic() - began:.1f} s at ", (stack.url, "bold cyan")
            ),
            soft_wrap=True,
        )
        for name, value in rows:
            console.print(Text.assemble((f"  {name:<8} ", "dim"), value), soft_wrap=True)

    def say(line: str) -> None:
        console.print(Text(f"{time.strftime('%H:%M:%S')} {line}", style="yellow"), soft_wrap=True)

    run_stack(settings, say, ready)
    console.print(Text("stopped", style="dim"))
