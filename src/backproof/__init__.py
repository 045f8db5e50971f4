"""backproof: a backtest service, and its engine as a library.

`import backproof` is light; the engine (numpy, numba) is loaded when one of these names is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backproof.engine.bars import Bars
    from backproof.engine.grid import GridTable, simulate_grid
    from backproof.engine.result import Result
    from backproof.engine.simulation import simulate

__all__ = ["Bars", "GridTable", "Result", "__version__", "simulate", "simulate_grid"]
__version__ = "0.1.0"

_HOMES = {
    "Bars": "backproof.engine.bars",
    "GridTable": "backproof.engine.grid",
    "Result": "backproof.engine.result",
    "simulate": "backproof.engine.simulation",
    "simulate_grid": "backproof.engine.grid",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'backproof' has no attribute {name!r}")
