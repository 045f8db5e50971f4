"""Rules evaluated the slow way: one bar of one symbol at a time, by recursion over the tree, in plain Python.

None is undefined. The functions are those of `plain_functions`; nothing of the product but its trees is used.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from plain_functions import PLAIN

from backproof.engine.rules.functions import FUNCTIONS
from backproof.engine.rules.tree import Call, Chain, Comparison, Lag, Name, Negative, Node, Not, Number, walk

Own = dict[str, list[float]]
"""Columns over a symbol's own bars, and "at": the calendar bar of each."""
PRICES = {name: Name(name) for name in ("open", "high", "low", "close", "volume")}
EXACT = {"highest", "lowest", "roc", "mom", "abs", "min", "max", "sqrt", "rank", "true_range"}
CLOSE = 1e-6  # numbers of other functions that differ by less may compare either way


def exact(node: Node, values: Mapping[str, Node]) -> bool:
    """Made of operations whose bits are those of plain Python."""
    for one, _ in walk(node):
        if isinstance(one, Call) and one.name not in EXACT:
            return False
        if isinstance(one, Name) and one.name in values and not exact(values[one.name], values):
            return False
    return True


@dataclass
class Oracle:
    """doubtful: cells [symbol, own bar] of the condition at hand that rounding may turn round."""

    symbols: Sequence[str]
    own: Sequence[Own]
    values: Mapping[str, Node]
    bars_held: float | None = None
    doubtful: bool = False
    _known: dict[tuple[int, int, int], tuple[float | bool | None, bool]] = field(default_factory=dict)

    def at(self, node: Node, n: int, i: int) -> float | bool | None:
        """The node at own bar i of symbol n."""
        if i < 0:
            return None
        key = (id(node), n, i)
        if key not in self._known:
            before, self.doubtful = self.doubtful, False
            found = self._at(node, n, i)
            self._known[key] = (found, self.doubtful)
            self.doubtful = before
        found, doubtful = self._known[key]
        self.doubtful |= doubtful
        return found

    def number(self, node: Node, n: int, i: int) -> float | None:
        found = self.at(node, n, i)
        return None if found is None or math.isnan(found) or math.isinf(found) else float(found)

    def _at(self, node: Node, n: int, i: int) -> float | bool | None:
        match node:
            case Number():
                return node.value
            case Name() if node.name == "bars_held":
                return self.bars_held
            case Name() if node.name in self.values:
                return self.at(self.values[node.name], n, i)
            case Name():
                return self.own[n][node.name][i]
            case Lag():
                return self.at(node.of, n, i - self.fixed(node.bars))
            case Negative():
                of = self.number(node.of, n, i)
                return None if of is None else -of
            case Not():
                truth = self.at(node.of, n, i)
                return None if truth is None else not truth
            case Chain() if node.operators[0] in ("and", "or"):
                decisive = node.operators[0] == "or"
                truths = [self.at(part, n, i) for part in node.parts]
                return decisive if decisive in truths else None if None in truths else not decisive
            case Chain():
                return self._sum(node, n, i)
            case Comparison():
                return self._compared(node, n, i)
            case Call():
                return self._call(node, n, i)
        raise TypeError(node)

    def _sum(self, node: Chain, n: int, i: int) -> float | None:
        now = self.number(node.parts[0], n, i)
        for operator, part in zip(node.operators, node.parts[1:], strict=True):
            other = self.number(part, n, i)
            if now is None or other is None or (operator == "/" and other == 0.0):
                return None
            now = {"+": now + other, "-": now - other, "*": now * other, "/": now / (other or 1.0)}[operator]
            if math.isinf(now):
                return None
        return now

    def _compared(self, node: Comparison, n: int, i: int) -> bool | None:
        a, b = self.number(node.left, n, i), self.number(node.right, n, i)
        if a is None or b is None:
            return None
        self._look_closely(node, a, b)
        if node.operator in ("crosses_above", "crosses_below"):
            c, d = self.number(node.left, n, i - 1), self.number(node.right, n, i - 1)
            if i == 0 or c is None or d is None:
                return None
            self._look_closely(node, c, d)
            return (a > b and c <= d) if node.operator == "crosses_above" else (a < b and c >= d)
        return {"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b, "==": a == b, "!=": a != b}[node.operator]

    def _look_closely(self, node: Comparison, a: float, b: float) -> None:
        if abs(a - b) <= CLOSE * max(1.0, abs(a), abs(b)) and not exact(node, self.values):
            self.doubtful = True

    def _call(self, node: Call, n: int, i: int) -> float | None:
        function = FUNCTIONS[node.name]
        inside = node.arguments if function.many else node.arguments[: function.numbers]
        here = [self.number(one, n, i) for one in inside]
        if any(one is None for one in here):
            return None
        match node.name:
            case "abs":
                return abs(float(here[0] or 0.0))
            case "min":
                return min(float(one or 0.0) for one in here)
            case "max":
                return max(float(one or 0.0) for one in here)
            case "sqrt":
                of = float(here[0] or 0.0)
                return math.sqrt(of) if of >= 0.0 else None
            case "rank":
                return self._rank(node.arguments[0], n, i)
        setting = [self.constant(one) for one in node.arguments[function.numbers :]]
        kinds = [parameter.kind for parameter in function.parameters[function.numbers :]]
        fixed = [int(v) if kind == "window" else v for v, kind in zip(setting, kinds, strict=True)]
        if node.name in ("roc", "mom"):
            now, then = here[0], self.number(inside[0], n, i - int(fixed[0]))
            if now is None or then is None or (node.name == "roc" and then == 0.0):
                return None
            value = now - then if node.name == "mom" else now / then - 1.0
            return None if math.isinf(value) else value
        nodes = (*inside, *(PRICES[name] for name in function.reads))
        rows = [[self.number(one, n, k) for one in nodes] for k in range(i + 1)]
        if None in rows[-1]:
            return None
        known = [row for row in rows if None not in row]
        columns = [list(column) for column in zip(*known, strict=True)]
        return PLAIN[node.name](*columns, *fixed)[-1]

    def _rank(self, of: Node, n: int, i: int) -> float | None:
        mine = self.number(of, n, i)
        at = self.own[n]["at"][i]
        if mine is None:
            return None
        place = 1
        for other, own in enumerate(self.own):
            if other == n or at not in own["at"]:
                continue
            theirs = self.number(of, other, own["at"].index(at))
            if theirs is None:
                continue
            if abs(theirs - mine) <= CLOSE * max(1.0, abs(mine)) and not exact(of, self.values):
                self.doubtful = True
            place += theirs > mine or (theirs == mine and self.symbols[other] < self.symbols[n])
        return float(place)

    def constant(self, node: Node) -> float:
        match node:
            case Number():
                return node.value
            case Negative():
                return -self.constant(node.of)
            case Name():
                return self.constant(self.values[node.name])
        raise TypeError(node)

    def fixed(self, node: Node) -> int:
        return int(self.constant(node))
