"""Viewers: WebSockets that follow runs to their end, through every break, and keep what they were shown."""

import asyncio
import json
import random
import threading
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from chaos.recorder import Recorder
from chaos.store import FINAL

DURABLE = ("status_change", "log", "notice", "checkpoint")
LEAVE_SECONDS = (0.3, 3.0)  # a viewer that leaves and comes back does so after a time between these


class Viewers:
    """All on one thread with an event loop of its own."""

    def __init__(self, url: str, recorder: Recorder, rng: random.Random) -> None:
        self._url = url.replace("http", "ws", 1)
        self._recorder = recorder
        self._rng = rng
        self._count = 0
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="viewers", daemon=True)
        self._thread.start()

    def watch(self, run_id: str, *, leaves: bool = False) -> None:
        """Follow a run to its end. leaves: this viewer also drops its connection now and then."""
        self._count += 1
        name = f"viewer-{self._count}"
        self._recorder.note("viewer", viewer=name, run=run_id)
        asyncio.run_coroutine_threadsafe(self._begin(name, self._follow(name, run_id, leaves)), self._loop).result()

    def wait(self, seconds: float) -> int:
        """Until all have seen the end of their runs; how many have not."""
        deadline = time.monotonic() + seconds
        while (waiting := sum(not task.done() for task in self._tasks.values())) and time.monotonic() < deadline:
            time.sleep(0.02)
        return waiting

    def close(self) -> None:
        async def cancel() -> None:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

        asyncio.run_coroutine_threadsafe(cancel(), self._loop).result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _begin(self, name: str, following: Coroutine[Any, Any, None]) -> None:
        self._tasks = {known: task for known, task in self._tasks.items() if not task.done()}
        self._tasks[name] = asyncio.create_task(following)

    async def _follow(self, name: str, run_id: str, leaves: bool) -> None:
        at = _Cursor()
        while not at.ended:
            try:
                await self._one_connection(name, run_id, at, leaves)
            except (OSError, WebSocketException, TimeoutError) as error:
                self._recorder.note("viewer_lost", viewer=name, run=run_id, error=f"{type(error).__name__}: {error}")
                await asyncio.sleep(0.1)

    async def _one_connection(self, name: str, run_id: str, at: "_Cursor", leaves: bool) -> None:
        patience = self._rng.uniform(*LEAVE_SECONDS) if leaves else None
        address = f"{self._url}/ws/backtest/{run_id}?after={at.seq}"
        async with connect(address, compression=None, open_timeout=10, proxy=None) as socket:
            try:
                async with asyncio.timeout(patience):
                    async for message in socket:
                        self._seen(name, run_id, at, json.loads(message))
                        if at.ended:
                            return
            except TimeoutError:
                return  # what has arrived by now, the end perhaps, it has not read
        # the server ends a socket that has shown the end of its run, also to one who had seen it before a break
        at.ended = socket.close_code == 1000 and socket.close_reason == "final"

    def _seen(self, name: str, run_id: str, at: "_Cursor", frame: dict[str, Any]) -> None:
        status = (frame["data"] or {}).get("status")
        self._recorder.note("frame", viewer=name, run=run_id, type=frame["type"], seq=frame["seq"], status=status)
        if frame["type"] in DURABLE:
            at.seq = frame["seq"]
            at.ended = frame["type"] == "status_change" and status in FINAL


@dataclass(slots=True)
class _Cursor:
    """What a viewer knows between two connections: the last durable event, whether it was the end."""

    seq: int = 0
    ended: bool = False
