"""The order of durable writes: with CHAOS_TRACE=1 a worker notes every fsync, rename and recorded file of a run in
`trace/<pid>` of the control directory, one line each: `fsync PATH`, `rename PATH TEMPORARY`, `record PATH`."""

import os
from collections.abc import Callable
from types import ModuleType
from typing import Any

import chaos_inject


def patches(role: str) -> dict[str, Callable[[ModuleType], None]]:
    if os.environ.get("CHAOS_TRACE") != "1" or role != "worker":
        return {}
    _trace_files()
    return {"backproof.storage.sqlite": _trace_records}


def _note(what: str, path: str) -> None:
    if "/lake/runs/" not in path:
        return
    directory = f"{chaos_inject.CONTROL}/trace"
    os.makedirs(directory, exist_ok=True)  # noqa: PTH103
    with open(f"{directory}/{os.getpid()}", "a") as file:  # noqa: PTH123
        file.write(f"{what} {path}\n")


def _trace_files() -> None:
    fsync, replace, rename = os.fsync, os.replace, os.rename

    def noted_fsync(descriptor: int) -> None:
        fsync(descriptor)
        _note("fsync", os.readlink(f"/proc/self/fd/{descriptor}"))  # noqa: PTH115

    def noted_replace(source: Any, target: Any, **more: Any) -> None:
        replace(source, target, **more)
        _note("rename", f"{os.fspath(target)} {os.fspath(source)}")

    def noted_rename(source: Any, target: Any, **more: Any) -> None:
        rename(source, target, **more)
        _note("rename", f"{os.fspath(target)} {os.fspath(source)}")

    os.fsync, os.replace, os.rename = noted_fsync, noted_replace, noted_rename


def _trace_records(module: ModuleType) -> None:
    original = module.SqliteRepository.update

    async def update(self: Any, model: Any, id: str, where: Any, change: Any) -> Any:
        for name in ("result", "checkpoint"):
            if (file := change.set.get(name)) is not None and model.__name__ == "Backtest":
                _note("record", f"/lake/{file.path}")
        return await original(self, model, id, where, change)

    module.SqliteRepository.update = update
