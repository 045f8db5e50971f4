"""`backproof serve`: the stack in the foreground, with a short word about where it is."""

import threading
import time
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from backproof import __version__
from backproof.cli.stackmain import run_stack

if TYPE_CHECKING:
    from backproof.local.stack import Stack
    from backproof.settings import Settings

SLOW_START_SECONDS = 5.0


def serve(settings: "Settings") -> None:
    began = time.monotonic()
    console = Console()
    console.print(Text(f"backproof {__version__} is starting …", style="dim"))
    first = Text("the first time, the engine is compiled, which takes half a minute or more", style="dim")
    slow = threading.Timer(SLOW_START_SECONDS, lambda: console.print(first, soft_wrap=True))
    slow.daemon = True
    slow.start()

    def ready(stack: "Stack") -> None:
        slow.cancel()
        rows = (
            ("web", stack.url),
            ("API", f"{stack.url}/docs"),
            ("data", str(settings.data_dir)),
            ("workers", f"{min(settings.worker_processes, settings.max_concurrent_backtests)} backtests at once"),
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

    try:
        run_stack(settings, say, ready)
    finally:
        slow.cancel()
    console.print(Text("stopped", style="dim"))
