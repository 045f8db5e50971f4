"""The supervisor process: behind `backproof serve`, and started by `backproof run` when no server runs."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from backproof.errors import BackproofError

if TYPE_CHECKING:
    from backproof.local.stack import Stack
    from backproof.settings import Settings


def run_stack(
    settings: "Settings",
    say: Callable[[str], None],
    on_ready: Callable[["Stack"], None],
    while_used: bool = False,
) -> None:
    """Run until asked to stop. What is written is for its owner's eyes only."""
    from backproof.local.stack import Stack

    os.umask(0o077)
    Stack(settings, say, while_used).run(on_ready)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="backproof.cli.stackmain")
    parser.add_argument("--while-used", action="store_true")
    parser.add_argument("--port", type=int)
    given = parser.parse_args(arguments)
    from backproof.settings import load_settings

    def announce(stack: "Stack") -> None:
        print(json.dumps({"url": stack.url, "pid": os.getpid()}), flush=True)
        # Nobody reads these any more; what is to be said goes to the log.
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, 1)
        os.dup2(devnull, 2)
        os.close(devnull)

    try:
        run_stack(load_settings(web_port=given.port), lambda _line: None, announce, given.while_used)
    except BackproofError as error:
        print(f"error: {error.message}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
