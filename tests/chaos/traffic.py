"""Traffic: keeps several runs in flight while something else breaks the stack."""

import contextlib
import random
import sqlite3
import threading
from collections.abc import Iterator
from typing import Self

from chaos.recorder import Client, NotAccepted, Recorder
from chaos.viewers import Viewers
from chaos.world import World

LOOK_SECONDS = 0.1


class Traffic:
    """in_flight: runs that are not final, at any time; watched: the share of them that has a viewer, and one of two
    viewers leaves and comes back. Ends by itself when it could not submit: see `problem`."""

    def __init__(
        self,
        world: World,
        recorder: Recorder,
        rng: random.Random,
        *,
        label: str,
        kinds: tuple[str, ...] = ("long", "slow"),
        in_flight: int = 4,
        watched: float = 0.5,
        patience: float = 45.0,
    ) -> None:
        self.world = world
        self.recorder = recorder
        self.client = Client(world.url, recorder, label)
        self.viewers = Viewers(world.url, recorder, random.Random(rng.random()))
        self.ids: list[str] = []
        self.problem: str | None = None
        self._open: list[str] = []
        self._rng = random.Random(rng.random())
        self._kinds = kinds
        self._in_flight = in_flight
        self._watched = watched
        self._patience = patience
        self._stopping = threading.Event()
        self._pausing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="traffic", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.viewers.close()
        self.client.close()

    def stop(self) -> None:
        """Submit nothing more."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(90)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Nothing new meanwhile: the queue runs empty."""
        self._pausing.set()
        try:
            yield
        finally:
            self._pausing.clear()

    def settle(self) -> list[str]:
        """Stop, and wait until every run is final, told, and seen by its viewers; those that do not get there."""
        self.stop()
        waiting = self.world.store.settled(self.ids, self._patience)
        self.viewers.wait(self._patience)
        return waiting

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._open = self.world.store.unfinished(self._open)
                while len(self._open) < self._in_flight and not (self._stopping.is_set() or self._pausing.is_set()):
                    self._submit()
            except (NotAccepted, sqlite3.Error) as error:
                self.problem = str(error)
                self.recorder.note("traffic", problem=str(error))
                self._stopping.wait(1.0)
            self._stopping.wait(LOOK_SECONDS)

    def _submit(self) -> None:
        run_id = self.client.submit(self._rng.choice(self._kinds))
        self.ids.append(run_id)
        self._open.append(run_id)
        if self._rng.random() < self._watched:
            self.viewers.watch(run_id, leaves=self._rng.random() < 0.5)
