"""A program on a few bars only: what portfolios are chosen by on the days they are chosen.

Arithmetic and lags of prices are computed there and nowhere else; functions and ranks are made whole and looked up.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from backproof.engine.arrays import FloatArray, IntArray
from backproof.engine.rules.evaluate import Block, Evaluation
from backproof.engine.rules.operations import COMPARISONS, Array, Value, elementary
from backproof.engine.rules.program import ELEMENTARY


class Moments:
    """Values on each symbol's last own bar by each of some calendar bars.

    at: int64 [R], increasing
    """

    def __init__(self, evaluation: Evaluation, at: IntArray) -> None:
        self._evaluation, self._at = evaluation, at
        bars = evaluation.bars
        self._all = Block(bars, slice(0, len(bars.symbols)))
        self._shape = (len(bars.symbols), len(at))
        self._made: dict[tuple[int, int], Value] = {}
        self._places: dict[int, tuple[IntArray, npt.NDArray[np.bool_]]] = {}

    def whole(self, step: int) -> Array:
        """[R, N]: a number, NaN where undefined, or a condition, false where not true."""
        nothing: Any = False if self._evaluation.program.steps[step].is_truth else np.nan
        with np.errstate(over="raise", divide="raise", invalid="ignore", under="ignore"):
            value = self._value(step, 0)
        _, known = self._place(0)
        return np.where(known, np.broadcast_to(value, self._shape), nothing).T

    def _value(self, i: int, ago: int) -> Value:
        """Step i, so many own bars before."""
        made = self._made.get((i, ago))
        if made is None:
            made = self._made[(i, ago)] = self._make(i, ago)
        return made

    def _make(self, i: int, ago: int) -> Value:
        step = self._evaluation.program.steps[i]
        match step.operation:
            case "price":
                return self._at_place(self._all.price(str(step.setting[0])), ago)
            case "number":
                value = float(step.setting[0])
                return value if not ago else np.where(self._place(ago)[1], value, np.nan)
            case "held":
                return float("nan")
            case "ago" | "truth_ago":
                return self._value(step.inputs[0], ago + int(step.setting[0]))
        if step.operation in ELEMENTARY:
            return elementary(step.operation, *(self._value(one, ago) for one in step.inputs))
        if step.is_truth:
            return COMPARISONS[step.operation](*(self._value(one, ago) for one in step.inputs))
        return self._at_place(self._evaluation.whole(i), ago)

    def _at_place(self, values: FloatArray, ago: int) -> FloatArray:
        place, known = self._place(ago)
        found = values[:, place] if place.ndim == 1 else np.take_along_axis(values, place, axis=1)
        return found if known.all() else np.where(known, found, np.nan)

    def _place(self, ago: int) -> tuple[IntArray, npt.NDArray[np.bool_]]:
        """Calendar bars to look at, [R] when they are the same for all symbols, else [N, R]; and where there is one."""
        found = self._places.get(ago)
        if found is None:
            found = self._places[ago] = self._find_place(ago)
        return found

    def _find_place(self, ago: int) -> tuple[IntArray, npt.NDArray[np.bool_]]:
        if self._all.whole:
            place = self._at - ago
            return np.maximum(place, 0), place >= 0
        places = np.zeros(self._shape, dtype=np.int64)
        known = np.zeros(self._shape, dtype=np.bool_)
        for n, own in enumerate(self._all.own):
            if isinstance(own, slice):
                place = np.minimum(self._at, own.stop - 1) - ago
                known[n] = place >= own.start
                places[n] = np.maximum(place, own.start)
            else:
                index = np.searchsorted(own, self._at, side="right") - 1 - ago
                known[n] = index >= 0
                places[n] = own[np.maximum(index, 0)]
        return places, known
