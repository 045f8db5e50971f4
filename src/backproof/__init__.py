"""backproof: a backtest service, and its engine as a library.

`import backproof` is light; the engine (numpy, numba) is loaded when one of these names is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backproof.engine.bars import Bars
    from backproof.engine.context import Context
    from backproof.engine.decisions import Signals, Weights
    from backproof.engine.grid import GridTable, simulate_grid
    from backproof.engine.probe import Probes, probe, probe_amnesia, probe_lookahead
    from backproof.engine.result import Result
    from backproof.engine.simulation import simulate
    from backproof.engine.strategies import EventStrategy, Parameters, SignalStrategy, WeightStrategy

__all__ = [
    "Bars",
    "Context",
    "EventStrategy",
    "GridTable",
    "Parameters",
    "Probes",
    "Result",
    "SignalStrategy",
    "Signals",
    "WeightStrategy",
    "Weights",
    "__version__",
    "probe",
    "probe_amnesia",
    "probe_lookahead",
    "simulate",
    "simulate_grid",
]
__version__ = "0.1.0"

_HOMES = {
    "Bars": "backproof.engine.bars",
    "Context": "backproof.engine.context",
    "EventStrategy": "backproof.engine.strategies",
    "GridTable": "backproof.engine.grid",
    "Parameters": "backproof.engine.strategies",
    "Probes": "backproof.engine.probe",
    "Result": "backproof.engine.result",
    "SignalStrategy": "backproof.engine.strategies",
    "Signals": "backproof.engine.decisions",
    "WeightStrategy": "backproof.engine.strategies",
    "Weights": "backproof.engine.decisions",
    "probe": "backproof.engine.probe",
    "probe_amnesia": "backproof.engine.probe",
    "probe_lookahead": "backproof.engine.probe",
    "simulate": "backproof.engine.simulation",
    "simulate_grid": "backproof.engine.grid",
}


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'backproof' has no attribute {name!r}")
