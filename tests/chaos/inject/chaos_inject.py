"""Named points: where a process looks whether it shall die now, and does.

A point is armed by a file `arm/<point>` in the control directory. Whoever reaches the point first takes the file, by
renaming it to `hit/<point>-<pid>-<ns>`, and does what it says (JSON; an empty file means kill):

    action       kill (SIGKILL) | stop (SIGSTOP) | delay (seconds) | errno (raises OSError)
    max_attempt  leave runs alone that were attempted more often than this
    run          leave other runs alone
"""

import functools
import importlib.abc
import importlib.machinery
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

CONTROL = os.environ.get("CHAOS_DIR", "")
role = ""
_COROUTINE = 0x80  # inspect.CO_COROUTINE, without importing inspect at every start


def _path(*parts: str) -> str:
    return "/".join((CONTROL, *parts))


def declare(point: str) -> None:
    """Say that this process has the point; what nobody declares is absent."""
    directory = _path("points", role)
    os.makedirs(directory, exist_ok=True)  # noqa: PTH103
    with open(f"{directory}/{point}", "w"):  # noqa: PTH123
        pass


def taken(point: str, **context: Any) -> dict[str, Any] | None:
    """What the process shall do here, if the point is armed for it; the caller has to do it."""
    arm = _path("arm", point)
    try:
        with open(arm) as file:  # noqa: PTH123
            order: dict[str, Any] = json.loads(file.read() or "{}")
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    known = {**_bound(), **context}
    if (known.get("attempt") or 0) > order.get("max_attempt", 1_000_000):
        return None
    if order.get("run") not in (None, known.get("run")):
        return None
    hit = _path("hit", f"{point}-{os.getpid()}-{time.time_ns()}")
    try:
        os.rename(arm, hit)  # noqa: PTH104 - one process gets it
    except FileNotFoundError:
        return None
    said = {"point": point, "pid": os.getpid(), "role": role, "wall": time.time(), "mono": time.monotonic(), **known}
    with open(hit + ".tmp", "w") as file:  # noqa: PTH123
        json.dump(said, file)
    os.replace(hit + ".tmp", hit + ".json")  # noqa: PTH105
    return order


def _bound() -> dict[str, Any]:
    """Run and attempt that the worker's log lines carry just now."""
    structlog = sys.modules.get("structlog")
    if structlog is None:
        return {}
    bound = structlog.contextvars.get_contextvars()
    return {"run": bound.get("backtest_id"), "attempt": bound.get("attempt")}


def reached(point: str, **context: Any) -> None:
    """The process is at the point, outside an event loop."""
    if (order := taken(point, **context)) is not None:
        _obey(order)
        if order.get("action") == "delay":
            time.sleep(order["seconds"])


async def reached_async(point: str, **context: Any) -> None:
    """The same on an event loop, which goes on during a delay."""
    import asyncio  # not at the start of every process

    if (order := taken(point, **context)) is not None:
        _obey(order)
        if order.get("action") == "delay":
            await asyncio.sleep(order["seconds"])


def _obey(order: dict[str, Any]) -> None:
    match order.get("action", "kill"):
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "errno":
            raise OSError(order["errno"], os.strerror(order["errno"]))


Hook = Callable[..., None]


def wrap(owner: Any, name: str, *, before: str | None = None, after: str | None = None) -> None:
    """Put points before and after a function or method that may be asynchronous."""
    original = getattr(owner, name)
    for point in (before, after):
        if point is not None:
            declare(point)
    if original.__code__.co_flags & _COROUTINE:

        @functools.wraps(original)
        async def asynchronous(*args: Any, **kwargs: Any) -> Any:
            if before is not None:
                await reached_async(before)
            result = await original(*args, **kwargs)
            if after is not None:
                await reached_async(after)
            return result

        setattr(owner, name, asynchronous)
        return

    @functools.wraps(original)
    def plain(*args: Any, **kwargs: Any) -> Any:
        if before is not None:
            reached(before)
        result = original(*args, **kwargs)
        if after is not None:
            reached(after)
        return result

    setattr(owner, name, plain)


class _Loader(importlib.abc.Loader):
    """The module's own loader, and then the patch."""

    def __init__(self, loader: Any, patch: Callable[[ModuleType], None]) -> None:
        self._loader = loader
        self._patch = patch

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        self._patch(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, patches: dict[str, Callable[[ModuleType], None]]) -> None:
        self._patches = patches

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        patch = self._patches.get(name)
        if patch is None:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, patch)
        return spec


def install(acts_as: str) -> None:
    """Patch the product's modules when they are imported, none before."""
    global role
    role = acts_as
    import chaos_clock
    import chaos_points
    import chaos_trace

    patches = chaos_points.patches(acts_as)
    for name, patch in [*chaos_clock.patches(acts_as).items(), *chaos_trace.patches(acts_as).items()]:
        patches[name] = _both(patches[name], patch) if name in patches else patch
    sys.meta_path.insert(0, _Finder(patches))


def _both(first: Callable[[ModuleType], None], second: Callable[[ModuleType], None]) -> Callable[[ModuleType], None]:
    def patch(module: ModuleType) -> None:
        first(module)
        second(module)

    return patch
