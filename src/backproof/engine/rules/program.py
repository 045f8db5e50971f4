"""The program of a set of rules: a list of steps, each made of earlier ones, equal sub-expressions once.

Conditions are three-valued (true, false, undefined), yet every step is a plain array of truths, false where not true:
`not` is pushed down to the comparisons, so that "x is false" becomes a condition of its own. A comparison is undefined,
neither true nor false, where one of its sides is; `a and b` is true when both are and false when one is false; `a or b`
is true when one is and false when both are false.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from backproof.engine.rules.functions import BY_LAGS, FUNCTIONS
from backproof.engine.rules.grammar import FIELDS, HELD
from backproof.engine.rules.tree import COMPARISONS, Call, Chain, Comparison, Lag, Name, Negative, Node, Not, Number

Setting: TypeAlias = tuple[str | float | int, ...]

ELEMENTARY = frozenset({"+", "-", "*", "/", "negative", "abs", "min", "max", "sqrt"})
COMPARING = frozenset(COMPARISONS)
TRUTHS = COMPARING | {"and", "or", "truth_ago"}
_SAME = {"bb_middle": "sma"}
_OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}


@dataclass(frozen=True, slots=True)
class Step:
    """One value of every bar.

    operation: a name of ELEMENTARY or TRUTHS; number, price, held; ago and truth_ago; rank; or another function
    inputs:    numbers of the steps it is made of
    setting:   the number, the price's name, the bars ago, or a function's windows and constants
    lookback:  own bars before it can be defined
    held:      it depends on bars_held
    """

    operation: str
    inputs: tuple[int, ...]
    setting: Setting
    lookback: int
    held: bool

    @property
    def is_truth(self) -> bool:
        return self.operation in TRUTHS


@dataclass(frozen=True, eq=False)
class Program:
    """steps: inputs before what is made of them; outputs: numbers of the steps that are asked for, by name"""

    steps: tuple[Step, ...]
    outputs: Mapping[str, int]

    @cached_property
    def keys(self) -> tuple[bytes, ...]:
        """Names of the steps, for other programs too: equal keys are equal arrays over the same bars."""
        keys: list[bytes] = []
        for step in self.steps:
            digest = hashlib.sha256(repr((step.operation, step.setting)).encode())
            for i in step.inputs:
                digest.update(keys[i])
            keys.append(digest.digest())
        return tuple(keys)

    @cached_property
    def cost(self) -> int:
        """About so many nanoseconds a bar of one symbol, at worst."""
        return sum(_cost(step) for step in self.steps)

    @cached_property
    def warmup(self) -> int:
        """Own bars before everything is defined."""
        return max((self.steps[output].lookback for output in self.outputs.values()), default=0)

    @cached_property
    def functions(self) -> tuple[str, ...]:
        """Names of the functions that are computed."""
        return tuple(sorted({step.operation for step in self.steps} & FUNCTIONS.keys()))

    @cached_property
    def prices(self) -> frozenset[str]:
        """Names of the prices, and volume, that are read."""
        named = {str(step.setting[0]) for step in self.steps if step.operation == "price"}
        return frozenset(named.union(*(FUNCTIONS[name].reads for name in self.functions)))

    def needed(self, wanted: frozenset[int], known: frozenset[int] = frozenset()) -> tuple[int, ...]:
        """Numbers of the steps that make the wanted ones, in order, without those that are known."""
        found: set[int] = set()
        waiting = list(wanted)
        while waiting:
            step = waiting.pop()
            if step not in found:
                found.add(step)
                if step not in known:
                    waiting.extend(self.steps[step].inputs)
        return tuple(sorted(found))


def _cost(step: Step) -> int:
    function = FUNCTIONS.get(step.operation)
    return 1 if function is None else function.cost(*step.setting)


class Builder:
    """Makes one Program of checked trees; values: the trees of the named ones."""

    def __init__(self, values: Mapping[str, Node]) -> None:
        self._values = values
        self._steps: list[Step] = []
        self._places: dict[tuple[str, tuple[int, ...], Setting], int] = {}
        self._named: dict[tuple[str, bool | None], int] = {}
        self._outputs: dict[str, int] = {}

    def add_number(self, name: str, tree: Node) -> None:
        self._outputs[name] = self._number(tree)

    def add_condition(self, name: str, tree: Node) -> None:
        self._outputs[name] = self._condition(tree, True)

    def program(self) -> Program:
        return Program(tuple(self._steps), dict(self._outputs))

    def _step(self, operation: str, *inputs: int, setting: Setting = ()) -> int:
        place = (operation, inputs, setting)
        known = self._places.get(place)
        if known is None:
            made = [self._steps[i] for i in inputs]
            lookback = max((step.lookback for step in made), default=0) + _lookback(operation, setting)
            held = operation == "held" or any(step.held for step in made)
            self._steps.append(Step(operation, inputs, setting, lookback, held))
            known = self._places[place] = len(self._steps) - 1
        return known

    # ---- numbers ------------------------------------------------------------------------------------------------

    def _number(self, node: Node) -> int:
        match node:
            case Number():
                return self._step("number", setting=(node.value,))
            case Name() if node.name in FIELDS:
                return self._step("price", setting=(node.name,))
            case Name() if node.name == HELD:
                return self._step("held")
            case Name():
                return self._value(node.name, None)
            case Negative():
                return self._step("negative", self._number(node.of))
            case Lag():
                return self._ago("ago", self._number(node.of), self._fixed(node.bars))
            case Chain():
                made = self._number(node.parts[0])
                for operator, part in zip(node.operators, node.parts[1:], strict=True):
                    made = self._step(operator, made, self._number(part))
                return made
            case Call():
                return self._call(node)
        raise TypeError(f"{type(node).__name__} is no number")

    def _call(self, node: Call) -> int:
        function = FUNCTIONS[node.name]
        if function.many:
            made = self._number(node.arguments[0])
            for argument in node.arguments[1:]:
                made = self._step(node.name, made, self._number(argument))
            return made
        inputs = [self._number(argument) for argument in node.arguments[: function.numbers]]
        fixed = [self._fixed(argument) for argument in node.arguments[function.numbers :]]
        if node.name in BY_LAGS:
            before = self._ago("ago", inputs[0], fixed[0])
            if node.name == "mom":
                return self._step("-", inputs[0], before)
            return self._step("-", self._step("/", inputs[0], before), self._step("number", setting=(1.0,)))
        wanted = [parameter.kind for parameter in function.parameters[function.numbers :]]
        setting = tuple(int(v) if kind == "window" else v for v, kind in zip(fixed, wanted, strict=True))
        name = _SAME.get(node.name, node.name)
        inputs += [self._step("price", setting=(name,)) for name in function.reads]
        return self._step(name, *inputs, setting=setting)

    def _ago(self, operation: str, of: int, bars: float) -> int:
        """A lag; lags of lags are one."""
        step = self._steps[of]
        if step.operation == operation:
            of, bars = step.inputs[0], bars + float(step.setting[0])
        return of if bars == 0.0 else self._step(operation, of, setting=(int(bars),))

    def _fixed(self, node: Node) -> float:
        match node:
            case Number():
                return node.value
            case Negative():
                return -self._fixed(node.of)
            case Name():
                return self._fixed(self._values[node.name])
        raise TypeError(f"{type(node).__name__} is not written down")

    def _value(self, name: str, wanted: bool | None) -> int:
        """A named value; wanted: the condition that it is true, or false; None: the number"""
        known = self._named.get((name, wanted))
        if known is None:
            tree = self._values[name]
            known = self._number(tree) if wanted is None else self._condition(tree, wanted)
            self._named[(name, wanted)] = known
        return known

    # ---- conditions -----------------------------------------------------------------------------------------------

    def _condition(self, node: Node, wanted: bool) -> int:
        """The step that is true where the node is true (wanted), or where it is false."""
        match node:
            case Not():
                return self._condition(node.of, not wanted)
            case Name():
                return self._value(node.name, wanted)
            case Lag():
                return self._ago("truth_ago", self._condition(node.of, wanted), self._fixed(node.bars))
            case Chain():
                both = (node.operators[0] == "and") is wanted
                made = self._condition(node.parts[0], wanted)
                for part in node.parts[1:]:
                    made = self._step("and" if both else "or", made, self._condition(part, wanted))
                return made
            case Comparison():
                left, right = self._number(node.left), self._number(node.right)
                if node.operator in _OPPOSITE:
                    return self._step(node.operator if wanted else _OPPOSITE[node.operator], left, right)
                if node.operator == "crosses_below":
                    left, right = right, left
                return self._crossing(left, right, wanted)
        raise TypeError(f"{type(node).__name__} is no condition")

    def _crossing(self, left: int, right: int, wanted: bool) -> int:
        """left > right now and left <= right a bar ago; false where both bars are known and that is not so."""
        above, below = self._step(">", left, right), self._step("<=", left, right)
        was_below = self._ago("truth_ago", below, 1.0)
        if wanted:
            return self._step("and", above, was_below)
        was_above = self._ago("truth_ago", above, 1.0)
        known_before = self._step("or", was_above, was_below)
        return self._step("or", self._step("and", below, known_before), self._step("and", above, was_above))


def _lookback(operation: str, setting: Setting) -> int:
    if operation in ("ago", "truth_ago"):
        return int(setting[0])
    function = FUNCTIONS.get(operation)
    return 0 if function is None else function.lookback(*setting)
