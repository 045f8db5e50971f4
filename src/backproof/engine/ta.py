"""TA-Lib's functions by name, as they are: `ta.SMA(values, 20)`.

Where pandas or polars is installed TA-Lib wraps them to look for data frames, which takes as long as a short average.
"""

import inspect
from types import SimpleNamespace
from typing import Any

import talib

_NAMES: list[str] = talib.get_functions()  # type: ignore[no-untyped-call]
ta: Any = SimpleNamespace(**{name: inspect.unwrap(getattr(talib, name)) for name in _NAMES})
MEAN = talib.MA_Type.SMA  # type: ignore[attr-defined]
