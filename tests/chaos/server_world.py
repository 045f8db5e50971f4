"""ServerWorld: the service on servers (tests/servers/fleet.py), to be broken as a local stack is.

Everything dies but the stores: those of the tests keep what they have in memory. A worker here is a host: its parent
and its pool processes go together, and it stays away as long as `away` says.
"""

import contextlib
import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

import servers
from chaos.files import Objects
from chaos.server_store import ServerStore
from chaos.world import World
from servers import fleet

NAMES = {"web": fleet.WEBS[0], "runs": fleet.WORKERS[0], "valkey": fleet.REDIS}


class ServerWorld(World):
    """See World. `servers.stores` have to run."""

    reserve = len(fleet.WORKERS)

    def __init__(self, directory: Path, *, settings: Mapping[str, str] | None = None, source: Path | None = None):
        super().__init__(directory, settings=settings, source=source)
        self._places = servers.settings_for(self.data)
        self._store = ServerStore(self._places["MONGODB_URL"])
        self.store = self._store
        self.files = Objects(self._places["STORAGE_URL"])

    def environment(self) -> dict[str, str]:
        return {**super().environment(), **self._places, fleet.PASSWORD: self.canary}

    def serving(self) -> list[str]:
        return servers.command("servers.fleet", "--data-dir", str(self.data))

    def end(self) -> None:
        super().end()
        self._store.close()

    def pid(self, name: str) -> int:
        """Of web, runs, scheduler or valkey (one of each kind), or by the name that the fleet gives."""
        try:
            _, pids = fleet.read(self.data)
        except FileNotFoundError:
            return 0
        pid = pids.get(NAMES.get(name, name), 0)
        with contextlib.suppress(psutil.NoSuchProcess):
            if pid and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                return pid
        return 0

    def pool(self) -> list[int]:
        return [child for name in fleet.WORKERS for child in self._children_of(self.pid(name))]

    def pool_of(self, name: str) -> list[int]:
        return self._children_of(self.pid(name))

    def redis_url(self) -> str:
        return fleet.read(self.data)[0]

    def kill_host(self, name: str) -> None:
        """All processes of a host, at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.wait_pid(name), signal.SIGKILL)

    @contextlib.contextmanager
    def away(self, name: str) -> Iterator[None]:
        """Nobody starts it again meanwhile."""
        mark = self.data / "down" / name
        mark.touch()
        try:
            yield
        finally:
            mark.unlink()
