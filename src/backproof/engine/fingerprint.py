"""Identity of a run: the same fingerprint means the same configuration, data, code and engine, hence result."""

import hashlib
import inspect
import json
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from backproof import __version__
from backproof.domain.config import BacktestConfig
from backproof.engine.bars import Bars, RunBars, content_hash
from backproof.engine.strategies import plugin_of
from backproof.engine.strategies.source_files import code_of

if TYPE_CHECKING:
    from backproof.engine.strategies import Strategy

ENGINE_SEMANTICS = 2
"""Raised whenever any output of the engine changes for the same input."""


def canonical_config(config: BacktestConfig, params: BaseModel | None) -> dict[str, Any]:
    """The configuration as JSON with every default filled in, also the strategy's; without what names or tags it."""
    document = config.model_dump(mode="json", exclude={"name", "tags"})
    if params is not None:
        document["parameters"] = params.model_dump(mode="json")
    return document


def config_hash(document: dict[str, Any]) -> str:
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def array_hash(*arrays: npt.NDArray[Any]) -> str:
    """SHA-256 over the arrays' shapes and little-endian bytes."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.shape}{array.dtype.kind}".encode())
        digest.update(np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


@cache
def code_hash(kind: "type[Strategy]") -> str:
    """SHA-256 of the code that a strategy is written in.

    Of a built-in its file, and the indicators and schedules it uses (of `rules` the whole language); of a strategy of
    another package all files of that package and, if it is a plug-in, the version of its distribution; else of its
    file.
    """
    digest = hashlib.sha256()
    if kind.__module__.startswith("backproof.engine."):
        used = ("indicators.py", "signals.py", "decisions.py", "calendar.py", "strategies/schedule.py")
        engine = Path(__file__).parent
        language = sorted((*engine.glob("rules/*.py"), *engine.glob("strategies/rules_*.py")))
        language = language if kind.name == "rules" else []
        for path in (Path(inspect.getfile(kind)), *(engine / name for name in used), *language):
            digest.update(path.read_bytes())
        return digest.hexdigest()
    if (plugin := plugin_of(kind)) is not None:
        digest.update(f"{plugin.source.distribution} {plugin.source.version}\n".encode())
        digest.update(plugin.code)
        return digest.hexdigest()
    return hashlib.sha256(code_of(kind)).hexdigest()


def identify(
    config: BacktestConfig, params: BaseModel | None, strategy: "type[Strategy] | None", bars: Bars, run: RunBars
) -> dict[str, str]:
    """Hashes of a run's parts, and their fingerprint."""
    parts: dict[str, str] = {
        "config": config_hash(canonical_config(config, params)),
        "data": content_hash(bars, run, config.benchmark),
        "code": code_hash(strategy) if strategy else "given decisions",
    }
    document = {
        "config": parts["config"],
        "data": parts["data"],
        "strategy_code": parts["code"],
        "strategy": strategy.name if strategy else config.strategy_type,
        "strategy_version": strategy.version if strategy else "",
        "engine_semantics": ENGINE_SEMANTICS,
    }
    return {**parts, "fingerprint": config_hash(document)}


def plugin_versions(kind: "type[Strategy] | None") -> dict[str, str] | None:
    """The distribution that a strategy is a plug-in of and its version; None for any other strategy."""
    plugin = plugin_of(kind) if kind is not None else None
    return None if plugin is None else {"distribution": plugin.source.distribution, "version": plugin.source.version}


@cache
def versions() -> dict[str, str]:
    """Versions of what computes the numbers."""
    found = {"backproof": __version__, "python": platform.python_version()}
    for name in ("numpy", "numba", "TA-Lib"):
        try:
            found[name.lower()] = version(name)
        except PackageNotFoundError:
            found[name.lower()] = "unknown"
    return found
