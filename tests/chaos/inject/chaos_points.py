"""Where the named points are. They hang on what every version of the product must do: compare-and-set writes to the
store, durable files, the event stream, the engine's stages; so they stay where they are when services are rewritten."""

import functools
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from chaos_inject import declare, reached, reached_async, wrap

FINAL = ("completed", "failed", "cancelled")
Patch = Callable[[ModuleType], None]


def patches(role: str) -> dict[str, Patch]:
    """What to do with which module once it is imported."""
    common: dict[str, Patch] = {
        "backproof.storage.sqlite": lambda module: _store(module.SqliteRepository, role),
        "backproof.storage.mongo.repository": lambda module: _store(module.MongoRepository, role),
    }
    if role != "worker":
        return common
    return {
        **common,
        "backproof.storage.files": _files,
        "backproof.storage.object_files": _objects,
        "backproof.storage.lake": _lake,
        "backproof.messaging.redis": _stream,
        "backproof.services.datasets": lambda m: wrap(m.DatasetService, "load", after="data-loaded"),
        "backproof.engine.simulation": _engine,
        "backproof.services.backtests.checkpoints": _checkpoints,
        "backproof.services.backtests.slots": lambda m: wrap(m.Slots, "give_up", before="slot-held"),
    }


def _store(repository: Any, role: str) -> None:
    _adding(repository, role)
    _updating(repository, role)


def _adding(repository: Any, role: str) -> None:
    original = repository.add

    async def add(self: Any, document: Any) -> bool:
        kind = type(document).__name__
        if role == "worker" and kind == "Execution":
            await reached_async("attempt-unrecorded", run=document.run_id, attempt=document.attempt)
        added: bool = await original(self, document)
        if role == "web" and kind == "Backtest" and added:
            await reached_async("submit-saved", run=document.id)
        return added

    repository.add = add
    for point in {"worker": ["attempt-unrecorded"], "web": ["submit-saved"]}.get(role, []):
        declare(point)


def _updating(repository: Any, role: str) -> None:
    original = repository.update

    async def update(self: Any, model: Any, id: str, where: Any, change: Any) -> Any:
        before, after = _points_of_update(role, model.__name__, change)
        if before is not None:
            await reached_async(before, run=id.partition(":")[0])
        changed = await original(self, model, id, where, change)
        if after is not None and changed is not None:
            await reached_async(after, run=id, attempt=changed.attempt)
        return changed

    repository.update = update
    points = {
        "worker": ["claim-before", "claim-written", "finish-before", "finish-written", "attempt-open"],
        "web": ["cancel-written"],
        "scheduler": ["requeue-before", "requeue-written"],
    }
    for point in points.get(role, []):
        declare(point)


def _points_of_update(role: str, model: str, change: Any) -> tuple[str | None, str | None]:
    """(before, after) of one compare-and-set."""
    if role == "worker" and model == "Execution" and "ended_at" in change.set:
        return "attempt-open", None
    if model != "Backtest":
        return None, None
    status = str(change.set.get("status", ""))
    if role == "worker":
        if status == "running":
            return "claim-before", "claim-written"
        if status in FINAL:
            return "finish-before", "finish-written"
        if any(str(event.type) == "checkpoint" for event in change.push.get("outbox", ())):
            return None, "checkpoint-recorded"
    if role == "web" and status in ("cancelled", "cancelling"):
        return None, "cancel-written"
    if role == "scheduler" and status == "queued":
        return "requeue-before", "requeue-written"
    return None, None


def _files(module: ModuleType) -> None:
    module.durable_write = _half_done(module.durable_write)
    _declare_writing()


def _objects(module: ModuleType) -> None:
    original = module.ObjectFiles.write

    def write_object(self: Any, *arguments: Any) -> Any:
        return _half_done(functools.partial(original, self))(*arguments)

    module.ObjectFiles.write = write_object
    _declare_writing()


def _half_done(original: Callable[..., Any]) -> Callable[..., Any]:
    """Points within and after the writing of a file."""

    def durable_write(
        directory: Any, name: Callable[[str], str], write: Callable[[Path], None], verify: Callable[[Path], None]
    ) -> Any:
        kind = name("0" * 64).partition(".")[0].partition("-")[0]
        if kind not in ("result", "checkpoint"):
            return original(directory, name, write, verify)

        def torn_write(path: Path) -> None:
            write(path)
            if kind == "result" and os.path.exists(f"{os.environ['CHAOS_DIR']}/arm/result-writing"):  # noqa: PTH110
                whole = path.read_bytes()
                os.truncate(path, len(whole) // 2)
                reached("result-writing")
                path.write_bytes(whole)  # somebody else was meant

        def verified(path: Path) -> None:
            verify(path)
            reached(f"{kind}-synced")

        written = original(directory, name, torn_write, verified)
        if kind == "result":
            reached("result-file")
        return written

    return durable_write


def _declare_writing() -> None:
    for point in ("result-writing", "result-synced", "result-file"):
        declare(point)


def _lake(module: ModuleType) -> None:
    for name in ("remove_other_attempts", "keep_only"):
        if hasattr(module.Lake, name):
            wrap(module.Lake, name, before="tidy-before")


def _stream(module: ModuleType) -> None:
    original = module.EventStream.publish

    async def publish(self: Any, run_id: str, events: Any) -> None:
        durable = any(str(event.type) in ("status_change", "log", "checkpoint", "notice") for event in events)
        if durable:
            await reached_async("relay-stored", run=run_id)
        await original(self, run_id, events)
        if durable:
            await reached_async("relay-published", run=run_id)

    module.EventStream.publish = publish
    declare("relay-stored")
    declare("relay-published")


def _engine(module: ModuleType) -> None:
    wrap(module.Simulation, "prepare", after="indicators-ready")
    original = module.Simulation.advance

    def advance(self: Any, stop: int) -> None:
        if 0 < self.position < self.total_bars:
            reached("simulating")
        original(self, stop)

    module.Simulation.advance = advance
    declare("simulating")


def _checkpoints(module: ModuleType) -> None:
    wrap(module.CheckpointService, "write", before="checkpoint-before", after="checkpoint-file")
    declare("checkpoint-synced")
    declare("checkpoint-recorded")
