"""Exit rules that ask for bars_held: what depends on it is evaluated bar by bar, while a position is held."""

import math
import operator
from collections.abc import Callable
from typing import TypeAlias

from backproof.engine.rules.program import Program

Look: TypeAlias = Callable[[int], float]
"""The value of a step at the bar at hand, NaN where undefined; conditions are 0 or 1."""
Part: TypeAlias = Callable[[Look, float], float]


def leaves(program: Program, output: int) -> frozenset[int]:
    """Steps that do not depend on bars_held and are used by those of `output` that do."""
    steps = program.steps
    held = [i for i in program.needed(frozenset({output})) if steps[i].held]
    return frozenset(i for step in held for i in steps[step].inputs if not steps[i].held)


def while_holding(program: Program, output: int) -> Part:
    """The condition as a function of what the other steps are at a bar and of bars_held."""
    parts: dict[int, Part] = {}
    for i in program.needed(frozenset({output})):
        step = program.steps[i]
        if not step.held:
            parts[i] = _looked_up(i)
        elif step.operation == "held":
            parts[i] = lambda _, bars: bars
        elif len(step.inputs) == 1:
            parts[i] = _of_one(_ONE[step.operation], parts[step.inputs[0]])
        else:
            parts[i] = _of_two(_TWO[step.operation], *(parts[one] for one in step.inputs))
    return parts[output]


def _looked_up(i: int) -> Part:
    return lambda look, _: look(i)


def _of_one(compute: Callable[[float], float], of: Part) -> Part:
    return lambda look, bars: compute(of(look, bars))


def _of_two(compute: Callable[[float, float], float], left: Part, right: Part) -> Part:
    return lambda look, bars: compute(left(look, bars), right(look, bars))


def _finite(compute: Callable[[float, float], float]) -> Callable[[float, float], float]:
    def computed(a: float, b: float) -> float:
        value = compute(a, b)
        return math.nan if math.isinf(value) else value

    return computed


def _divided(a: float, b: float) -> float:
    return math.nan if b == 0.0 else a / b


def _least(a: float, b: float) -> float:
    return math.nan if math.isnan(a) or math.isnan(b) else min(a, b)


def _greatest(a: float, b: float) -> float:
    return math.nan if math.isnan(a) or math.isnan(b) else max(a, b)


_ONE: dict[str, Callable[[float], float]] = {
    "negative": operator.neg,
    "abs": abs,
    "sqrt": lambda a: math.sqrt(a) if a >= 0.0 else math.nan,
}
_TWO: dict[str, Callable[[float, float], float]] = {
    "+": _finite(operator.add),
    "-": _finite(operator.sub),
    "*": _finite(operator.mul),
    "/": _finite(_divided),
    "min": _least,
    "max": _greatest,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": lambda a, b: a < b or a > b,
    "and": lambda a, b: bool(a) and bool(b),
    "or": lambda a, b: bool(a) or bool(b),
}
