"""Children that live but do not answer: stopped, deadlocked or drowning. A restart is the only help for them."""

import socket
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from backproof.local import valkey
from backproof.local.probe import Probe

SILENT_SECONDS = 30.0
LOOK_SECONDS = 5.0


class SilenceWatch:
    """Asks everyone once in LOOK_SECONDS and remembers since when who has not answered."""

    def __init__(
        self, address: tuple[str, int], valkey_socket: Path | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._address = address
        self._valkey = valkey_socket
        self._clock = clock
        self._probe: Probe | None = None
        self._last_look = clock()
        self._since: dict[str, float] = {}

    def look(self, alive: Iterable[str], web: str, broker: str, workers: Iterable[str]) -> list[str]:
        """Those of `alive` that have been silent too long; empty when it is not yet time to look again."""
        now = self._clock()
        if now - self._last_look < LOOK_SECONDS:
            return []
        if now - self._last_look > LOOK_SECONDS * 3:
            self._since.clear()  # this process itself stood still or the machine slept: nobody is to blame
        self._last_look = now
        silent = {web} if not self._web_answers() else set()
        if self._valkey is not None:
            if valkey.answers(self._valkey):
                silent |= {name for name in workers if not valkey.exists(self._valkey, presence_key(name))}
            else:
                silent.add(broker)
        silent &= set(alive)
        self._since = {name: self._since.get(name, now) for name in silent}
        too_long = [name for name, since in self._since.items() if now - since > SILENT_SECONDS]
        for name in too_long:
            del self._since[name]
        return too_long

    def close(self) -> None:
        if self._probe is not None:
            self._probe.close()

    def _web_answers(self) -> bool:
        """Whether the question asked at the last look was answered; asks the next one."""
        answered = True
        if self._probe is not None:
            self._probe.step()
            answered = self._probe.answered
            if not self._probe.done and self._probe.age < SILENT_SECONDS / 2:
                return answered
            self._probe.close()
        self._probe = Probe(*self._address)
        self._probe.step()
        return answered


def presence_key(child: str) -> str:
    """Where the worker started as `child` says that it takes work (it renews the key, which expires without it)."""
    return f"backproof:worker:{child.removeprefix('worker-')}@{socket.gethostname()}"
