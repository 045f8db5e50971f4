"""What a strategy raised, as an error that says where in its own code."""

import os
import sys
import sysconfig
import traceback
from pathlib import Path
from types import TracebackType

from backproof.errors import StrategyError

_PRODUCT = str(Path(__file__).resolve().parents[2]) + os.sep
_STANDARD = sysconfig.get_path("stdlib") + os.sep
_LIBRARIES = frozenset({"numpy", "numba", "pandas", "polars", "pyarrow", "pydantic", "scipy", "sklearn", "talib"})
MOST_FRAMES = 6
MOST_TEXT = 500


def failure(name: str, error: BaseException, when: str = "") -> StrategyError:
    """details: strategy, exception (its class) and traceback, the strategy's own frames, the innermost last."""
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return StrategyError(
        f"{name} failed{when}: {said[:MOST_TEXT]}",
        strategy=name,
        exception=type(error).__name__,
        traceback=list(own_frames(error.__traceback__)),
    )


def own_frames(trace: TracebackType | None) -> list[str]:
    """`file.py:12 in on_bar: x = 1 / 0`, without the frames of this product that lead there and of libraries."""
    frames = traceback.extract_tb(trace)
    own = [frame for frame in frames if not _is_elsewhere(frame.filename)] or frames[-1:]
    return [
        f"{_short(frame.filename)}:{frame.lineno} in {frame.name}" + (f": {frame.line[:120]}" if frame.line else "")
        for frame in own[-MOST_FRAMES:]
    ]


def _is_elsewhere(file: str) -> bool:
    return (file.startswith((_PRODUCT, _STANDARD)) and "site-packages" not in file) or bool(
        _LIBRARIES.intersection(Path(file).parts)
    )


def _short(file: str) -> str:
    """The path below the directory it is imported from: where a machine keeps its files is nobody's business."""
    path = Path(file)
    roots = [root for root in sys.path if root and path.is_relative_to(root)]
    return path.relative_to(max(roots, key=len)).as_posix() if roots else path.name
