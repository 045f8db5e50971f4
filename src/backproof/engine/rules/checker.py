"""Whether texts mean something: names, types, windows, lags, and how much work they ask for. All mistakes at once."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from backproof.engine.rules.functions import FUNCTIONS, MOST_WINDOW, Function, Parameter
from backproof.engine.rules.grammar import FIELDS, HELD
from backproof.engine.rules.parser import Mistake
from backproof.engine.rules.problems import nearest, short
from backproof.engine.rules.tree import (
    CROSSINGS,
    Call,
    Chain,
    Comparison,
    Lag,
    Name,
    Negative,
    Node,
    Not,
    Number,
    printed_number,
)

Type = Literal["number", "condition", "unknown"]


class Meaning(NamedTuple):
    """What a piece of text is.

    kind:     unknown when something in it is wrong, so that one mistake is told once
    held:     it depends on bars_held
    constant: its value where that is written down: a number, a negative one, or a named value that is one
    """

    kind: Type
    held: bool = False
    constant: float | None = None


UNKNOWN = Meaning("unknown")
_OF_THE_NAME = ("unknown_function", "wrong_count")  # mistakes that are not about the whole call
_NUMBER, _CONDITION = Meaning("number"), Meaning("condition")


class Checker:
    """Checks trees that are at most so deep; values: what is known of the named ones."""

    def __init__(self, values: Mapping[str, Meaning], *, held: bool) -> None:
        """held: bars_held may be used."""
        self._values = values
        self._held = held
        self.mistakes: list[Mistake] = []

    def check(self, tree: Node, wanted: Type) -> Meaning:
        """wanted: unknown when both will do."""
        found = self._meaning(tree)
        if wanted != "unknown":
            self._need(wanted, tree, found)
        return found

    def _meaning(self, node: Node) -> Meaning:
        match node:
            case Number():
                return Meaning("number", constant=node.value)
            case Name():
                return self._name(node)
            case Call():
                return self._call(node)
            case Lag():
                return self._lag(node)
            case Negative():
                of = self._need("number", node.of)
                return Meaning("number", of.held, None if of.constant is None else -of.constant)
            case Not():
                return Meaning("condition", self._need("condition", node.of).held)
            case Chain():
                kind: Type = "condition" if node.operators[0] in ("and", "or") else "number"
                parts = [self._need(kind, part) for part in node.parts]
                return Meaning(kind, any(part.held for part in parts))
            case Comparison():
                left, right = self._need("number", node.left), self._need("number", node.right)
                held = left.held or right.held
                if held and node.operator in CROSSINGS:
                    self._held_has_no_past(node)
                return Meaning("condition", held)

    def _need(self, kind: Type, node: Node, found: Meaning | None = None) -> Meaning:
        """The meaning of a part, which has to be a number or a condition."""
        meaning = self._meaning(node) if found is None else found
        if meaning.kind not in (kind, "unknown"):
            if kind == "number":
                reason = "a number is needed here, and this is a condition"
            else:
                reason = "a condition is needed here, and this is a number: compare it with another"
            self._wrong(node, "wrong_type", reason)
        return meaning

    def _name(self, node: Name) -> Meaning:
        name = node.name
        if name in FIELDS:
            return _NUMBER
        if name == HELD:
            if not self._held:
                self._wrong(node, "misplaced_bars_held", "bars_held is known in exit and short_exit only")
                return UNKNOWN
            return Meaning("number", held=True)
        known = self._values.get(name)
        if known is None:
            if name in FUNCTIONS:
                reason = f"{name} is a function: write {FUNCTIONS[name].signature}"
                self._wrong(node, "unknown_name", reason)
            else:
                near = nearest(name, (*FIELDS, *self._values, HELD))
                self._wrong(node, "unknown_name", f"there is no price and no named value {short(name)}", near)
            return UNKNOWN
        if known.held and not self._held:
            reason = f"{name} uses bars_held, which is known in exit and short_exit only"
            self._wrong(node, "misplaced_bars_held", reason)
            return UNKNOWN
        return known

    def _lag(self, node: Lag) -> Meaning:
        of = self._meaning(node.of)
        if of.held:
            self._held_has_no_past(node.of)
        bars = self._fixed(node.bars, "bad_lag", "how many bars ago is a whole number or a named value")
        if bars is None:
            return UNKNOWN
        if bars < 0:
            reason = "a lag looks back, never forward: [1] is the bar before"
            self._wrong(node.bars, "future_lag", reason)
        elif not (bars.is_integer() and bars <= MOST_WINDOW):
            reason = f"a lag is a whole number of bars from 0 to {MOST_WINDOW:,}, not {printed_number(bars)}"
            self._wrong(node.bars, "bad_lag", reason)
        return Meaning(of.kind)

    def _call(self, node: Call) -> Meaning:
        function = FUNCTIONS.get(node.name)
        if function is None:
            near = nearest(node.name, FUNCTIONS)
            if node.name in FIELDS or node.name in self._values or node.name == HELD:
                reason = f"{node.name} is no function; what it was a bar ago is {node.name}[1]"
                self._wrong(node, "unknown_function", reason)
            else:
                self._wrong(node, "unknown_function", f"there is no function {short(node.name)}", near)
            for argument in node.arguments:
                self._meaning(argument)
            return UNKNOWN
        given, wanted = len(node.arguments), len(function.parameters)
        if given < wanted or (given > wanted and not function.many):
            number = f"{wanted} or more" if function.many else str(wanted)
            reason = f"{function.signature} takes {number} {'value' if number == '1' else 'values'}, not {given}"
            self._wrong(node, "wrong_count", reason)
            return UNKNOWN
        return self._arguments(node, function)

    def _arguments(self, node: Call, function: Function) -> Meaning:
        held = False
        fixed: list[float] = []
        for at, argument in enumerate(node.arguments):
            parameter = function.parameters[min(at, len(function.parameters) - 1)]
            if parameter.kind == "number":
                meaning = self._need("number", argument)
                if meaning.held and function.group != "arithmetic":
                    self._held_has_no_past(argument)
                held |= meaning.held
            elif (value := self._parameter(argument, parameter, function)) is not None:
                fixed.append(value)
        if function.name.startswith("macd") and len(fixed) == 3 and fixed[0] >= fixed[1]:
            reason = f"fast ({fixed[0]:g}) must be less than slow ({fixed[1]:g})"
            self._wrong(node.arguments[1], "bad_window", reason)
        if function.name == "sar" and len(fixed) == 2 and fixed[0] > fixed[1]:
            reason = f"acceleration ({fixed[0]:g}) must not be more than most ({fixed[1]:g})"
            self._wrong(node.arguments[1], "bad_constant", reason)
        return Meaning("number", held)

    def _parameter(self, argument: Node, parameter: Parameter, function: Function) -> float | None:
        """A window or a constant, None when it is wrong."""
        window = parameter.kind == "window"
        code = "bad_window" if window else "bad_constant"
        what = f"{parameter.name} of {function.name}"
        value = self._fixed(argument, code, f"{what} is {'a whole number' if window else 'a number'} or a named value")
        if value is None:
            return None
        if (window and not value.is_integer()) or not parameter.least <= value <= parameter.most:
            kind = "a whole number of bars" if window else "a number"
            limits = f"from {parameter.least:g} to {parameter.most:g}"
            self._wrong(argument, code, f"{what} is {kind} {limits}, not {printed_number(value)}")
            return None
        return value

    def _fixed(self, node: Node, code: str, what: str) -> float | None:
        """A number that is written down, or None and a mistake."""
        negative = isinstance(node, Negative)
        inner = node.of if isinstance(node, Negative) else node
        if isinstance(inner, Number):
            return -inner.value if negative else inner.value
        if isinstance(inner, Name) and inner.name not in FIELDS and inner.name != HELD:
            meaning = self._name(inner)
            if meaning.kind == "unknown":
                return None  # told already
            if meaning.constant is not None:
                return -meaning.constant if negative else meaning.constant
        self._wrong(node, code, f"{what}, not an expression")
        return None

    def _held_has_no_past(self, node: Node) -> None:
        reason = "bars_held belongs to the position of the moment: it has no earlier bars and cannot be crossed"
        self._wrong(node, "misplaced_bars_held", reason)

    def _wrong(self, node: Node, code: str, reason: str, suggestion: str | None = None) -> None:
        place = node.name_place if code in _OF_THE_NAME and isinstance(node, Call) else node.place
        self.mistakes.append(Mistake(place, code, reason, suggestion))
