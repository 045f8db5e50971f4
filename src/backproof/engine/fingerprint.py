"""Identity of a run: the same fingerprint means the same configuration, data, code and engine, hence result."""

import hashlib
import inspect
import json
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from backproof.domain.config import BacktestConfig
from backproof.engine.bars import Bars, RunBars, content_hash

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
def code_hash(kind: type) -> str:
    """SHA-256 of the file a strategy is written in; for a built-in also of the indicators and schedules it uses."""
    digest = hashlib.sha256()
    paths = [Path(inspect.getfile(kind))]
    if kind.__module__.startswith("backproof.engine."):
        used = ("indicators.py", "signals.py", "decisions.py", "calendar.py", "strategies/schedule.py")
        paths += [Path(__file__).parent / name for name in used]
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()


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


@cache
def versions() -> dict[str, str]:
    """Versions of what computes the numbers."""
    found = {}
    for name in ("backproof", "numpy", "numba", "TA-Lib"):
        try:
            found[name.lower()] = version(name)
        except PackageNotFoundError:
            found[name.lower()] = "unknown"
    return found
