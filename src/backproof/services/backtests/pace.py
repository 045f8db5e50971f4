"""How fast a simulation goes, and so how long it will still take."""

from typing import NamedTuple


class _Mark(NamedTuple):
    at: float
    bar: int


class Pace:
    """Times are of the monotonic clock, in seconds; bars are those simulated so far."""

    def __init__(self) -> None:
        self._first: _Mark | None = None
        self._last: _Mark | None = None

    def passed(self, bar: int, at: float) -> None:
        """A chunk has ended. The first one counts for nothing: it loads and warms what the others find."""
        self._last = _Mark(at, bar)
        self._first = self._first or self._last

    def seconds_left(self, total_bars: int, now: float) -> float | None:
        """None until there is a second chunk to measure."""
        if self._first is None or self._last is None or self._last.bar == self._first.bar:
            return None
        per_bar = (self._last.at - self._first.at) / (self._last.bar - self._first.bar)
        return max(0.0, per_bar * (total_bars - self._last.bar) - (now - self._last.at))
