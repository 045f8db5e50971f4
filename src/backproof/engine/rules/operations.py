"""Arithmetic and comparisons of arrays: what would be infinite is undefined, what is undefined is not true."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from backproof.engine.arrays import FloatArray

Array: TypeAlias = npt.NDArray[Any]
Value: TypeAlias = Array | float | bool | np.bool_ | np.float64
"""[rows, T], or one number or truth that is the same on every bar."""

_NUMBERS: dict[str, Callable[..., Value]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "negative": np.negative,
    "abs": np.abs,
    "min": np.minimum,
    "max": np.maximum,
    "sqrt": np.sqrt,
}
COMPARISONS: dict[str, Callable[..., Value]] = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": lambda a, b: np.logical_or(np.less(a, b), np.greater(a, b)),  # false where one is NaN
    "and": np.logical_and,
    "or": np.logical_or,
}


def elementary(operation: str, *inputs: Value) -> Value:
    """Arithmetic; what would be infinite is undefined. The processor says by itself when something was."""
    compute = _NUMBERS[operation]
    try:
        return compute(*inputs)
    except FloatingPointError:
        with np.errstate(all="ignore"):
            return finite(np.asarray(compute(*inputs)))


def finite(values: FloatArray) -> FloatArray:
    """Undefined where infinite."""
    return np.where(np.isinf(values), np.nan, values) if np.isinf(values).any() else values
