"""Around a strategy's own code: what it prints goes to the run's log, and whatever it raises is an error of the run."""

import asyncio
import contextlib
import contextvars
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, TextIO, TypeVar

from backproof.engine.strategies.failures import failure

T = TypeVar("T")

MAX_LINES = 500
MAX_LINE = 1_000  # characters
_TOO_MUCH = f"the strategy printed more than {MAX_LINES} lines; the others were dropped"

_printing: "contextvars.ContextVar[Output | None]" = contextvars.ContextVar("strategy_output", default=None)


class Output:
    """Lines that one run's strategy has printed and nobody has taken yet. For any number of threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: list[str] = []
        self._open = ""
        self._count = 0

    def write(self, text: str) -> None:
        with self._lock:
            if self._count > MAX_LINES:
                return
            *whole, self._open = (self._open + text).split("\n")
            self._open = self._open[: MAX_LINE + 1]
            for line in whole:
                self._add(line)

    def take(self) -> list[str]:
        with self._lock:
            lines, self._lines = self._lines, []
            return lines

    def end(self) -> None:
        """What was printed without an end of line is a line too."""
        with self._lock:
            if self._open:
                self._add(self._open)
                self._open = ""

    def _add(self, line: str) -> None:
        if not line.strip():
            return
        self._count += 1
        if self._count <= MAX_LINES:
            self._lines.append(shortened(line))
        elif self._count == MAX_LINES + 1:
            self._lines.append(_TOO_MUCH)


def shortened(line: str) -> str:
    """No longer than a log line may be: thousands of them are kept in Redis."""
    return line if len(line) <= MAX_LINE else line[:MAX_LINE] + " …"


class _Router:
    """A standard stream that gives to an Output what is written where one is in force, and all else to the stream."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        output = _printing.get()
        if output is None:
            return self._stream.write(text)
        output.write(str(text))
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def routed() -> Iterator[None]:
    """While this lasts, `called` can tell a strategy's printing from that of the rest of the process."""
    before = sys.stdout, sys.stderr
    ours: Any = _Router(sys.stdout), _Router(sys.stderr)
    sys.stdout, sys.stderr = ours
    try:
        yield
    finally:
        for name, router, stream in zip(("stdout", "stderr"), ours, before, strict=True):
            if getattr(sys, name) is router:  # else somebody has put another one over it
                setattr(sys, name, stream)


async def called(output: Output, name: str, function: Callable[..., T], *arguments: Any) -> T:
    """Run in a thread what runs a strategy's code. name: the strategy's, for what is not even an Exception."""

    def run() -> T:
        _printing.set(output)  # in the thread's own copy of the context
        try:
            return function(*arguments)
        except (SystemExit, KeyboardInterrupt, GeneratorExit, StopIteration) as error:
            # these would end the event loop, or never arrive
            raise failure(name, error) from error
        finally:
            output.end()

    return await asyncio.to_thread(run)
