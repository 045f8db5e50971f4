"""ProbeService: the engine's probes of a described backtest, in a process of their own that can be ended.

The web process never loads the engine, a probe must not wait behind hours of backtests, and a strategy that runs for
ever or eats memory must take nobody with it: so each probe is a child process (docs/decisions/0010).
"""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import structlog

from backproof.domain.config import BacktestConfig
from backproof.errors import BackproofError, DataError, FieldError, InvalidInput, NotFound, QueueFull, StrategyError
from backproof.services.backtests.checking import checked
from backproof.services.backtests.limits import MemoryLimit
from backproof.services.datasets import DatasetService
from backproof.storage.opening import Location

log = structlog.get_logger(__name__)

CHILD = "backproof.tasks.probe"
AT_ONCE = 2
MOST_WAITING = 16
SECONDS = 60.0
_LAST_WORDS = 2_000  # characters
_KINDS: tuple[type[BackproofError], ...] = (DataError, StrategyError, NotFound)


class ProbeService:
    def __init__(self, datasets: DatasetService, location: Location, default_source: str, memory: MemoryLimit) -> None:
        self._datasets = datasets
        self._location = location
        self._default_source = default_source
        self._memory = memory
        self._free = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def probe(self, given: Mapping[str, object]) -> dict[str, Any]:
        """Both probes of the strategy in this configuration, as `engine.probe.Probes.to_dict` has them.

        Raises what submitting the backtest would raise, StrategyError for a strategy that fails or does not come back,
        and QueueFull.
        """
        config, _ = await checked(self._datasets, given)
        if self._waiting >= MOST_WAITING:
            raise QueueFull(f"{self._waiting} probes are waiting, which is the limit", retry_after=5)
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1
        try:
            return await self._in_a_child(config)
        finally:
            self._free.release()

    async def _in_a_child(self, config: BacktestConfig) -> dict[str, Any]:
        request = {
            "config": config.model_dump(mode="json"),
            "lake": asdict(self._location),
            "default_source": self._default_source,
            "memory_bytes": self._memory.bytes,
        }
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", CHILD),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        try:
            async with asyncio.timeout(SECONDS):
                answer, said = await _ask(child, json.dumps(request).encode() + b"\n")
        except TimeoutError:
            name = config.strategy_type
            raise StrategyError(f"the probe of {name} took longer than {SECONDS:g} seconds", strategy=name) from None
        finally:
            if child.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    child.kill()
                await child.wait()
        return self._understood(config, answer, child.returncode, said)

    def _understood(self, config: BacktestConfig, answer: bytes, code: int | None, said: bytes) -> dict[str, Any]:
        name, words = config.strategy_type, said.decode(errors="replace")[-_LAST_WORDS:]
        try:
            document = json.loads(answer)
        except ValueError:
            log.warning("probe_process_failed", strategy=name, exit_code=code, said=words)
            message = f"the probe of {name} ended without an answer (exit code {code})"
            raise StrategyError(message, strategy=name, exit_code=code) from None
        if (error := document.get("error")) is None:
            report: dict[str, Any] = document["report"]
            return report
        if fields := error["errors"]:
            raise InvalidInput([FieldError(**field) for field in fields])
        if error["code"] == "out_of_memory":
            raise StrategyError(f"the probe of {name} needs more memory: {self._memory.text}", strategy=name)
        kind = next((kind for kind in _KINDS if kind.code == error["code"]), None)
        if kind is None:
            log.error("probe_failed", strategy=name, code=error["code"], reason=error["message"], said=words)
            raise BackproofError(error["message"])
        raise kind(error["message"], **error["details"])


async def _ask(child: asyncio.subprocess.Process, request: bytes) -> tuple[bytes, bytes]:
    """Its answer and what else it said. Its standard input stays open: it ends itself when this process is gone."""
    if child.stdin is None or child.stdout is None or child.stderr is None:
        raise BackproofError("the probe's process has no pipes")
    with contextlib.suppress(ConnectionError):
        child.stdin.write(request)
        await child.stdin.drain()
    answer, said = await asyncio.gather(child.stdout.read(), _tail(child.stderr))
    await child.wait()
    return answer, said


async def _tail(stream: asyncio.StreamReader) -> bytes:
    """The end of all it says, however much that is."""
    kept = b""
    while chunk := await stream.read(65_536):
        kept = (kept + chunk)[-_LAST_WORDS:]
    return kept


async def probe_here(datasets: DatasetService, config: BacktestConfig, seed: int = 0) -> dict[str, Any]:
    """Both probes in this process: for the command line and for the child."""
    from backproof.engine.bars import Bars
    from backproof.engine.probe import probe

    loaded = await datasets.load(config)
    bars = Bars.from_frame(loaded.table, calendar=loaded.calendar)
    return probe(config, bars, seed=seed).to_dict()
