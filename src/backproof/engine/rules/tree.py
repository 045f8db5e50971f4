"""The tree of a rule, and its text: printed with one space here and there and no needless parentheses, it parses to
the same tree again. So two texts that differ in layout alone have one canonical text.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from backproof.engine.rules.problems import Place

_NOWHERE: Place = (0, 0)


@dataclass(frozen=True, slots=True)
class Number:
    """A number >= 0; a negative one is Negative of it."""

    value: float
    place: Place = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Name:
    """A price, the volume, bars_held, or a named value."""

    name: str
    place: Place = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Call:
    name: str
    arguments: tuple["Node", ...]
    place: Place = field(default=_NOWHERE, compare=False)

    @property
    def name_place(self) -> Place:
        return (self.place[0], self.place[0] + len(self.name))


@dataclass(frozen=True, slots=True)
class Lag:
    """What `of` was, `bars` own bars ago."""

    of: "Node"
    bars: "Node"
    place: Place = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Negative:
    of: "Node"
    place: Place = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Not:
    of: "Node"
    place: Place = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Chain:
    """Parts joined by operators of one level, from left to right: and | or | + and - | * and /."""

    operators: tuple[str, ...]
    parts: tuple["Node", ...]
    place: Place = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Comparison:
    operator: str
    left: "Node"
    right: "Node"
    place: Place = field(default=_NOWHERE, compare=False)


Node: TypeAlias = Number | Name | Call | Lag | Negative | Not | Chain | Comparison

COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")
CROSSINGS = ("crosses_above", "crosses_below")
_LEVELS = {"or": 1, "and": 2, "+": 5, "-": 5, "*": 6, "/": 6}
_NOT, _COMPARISON, _NEGATIVE, _LAG, _ATOM = 3, 4, 7, 8, 9  # the greater, the tighter


def chain(operators: tuple[str, ...], parts: tuple[Node, ...], place: Place = _NOWHERE) -> Chain:
    """A Chain in its one form: (a + b) + c is a + b + c, and (a and (b and c)) is a and b and c."""
    level = _LEVELS[operators[0]]
    first = parts[0]
    if isinstance(first, Chain) and _LEVELS[first.operators[0]] == level:
        operators, parts = first.operators + operators, first.parts + parts[1:]
    if level <= _LEVELS["and"] and any(isinstance(part, Chain) and level_of(part) == level for part in parts):
        flat: list[Node] = []
        for part in parts:
            flat.extend(part.parts if isinstance(part, Chain) and level_of(part) == level else (part,))
        parts, operators = tuple(flat), (operators[0],) * (len(flat) - 1)
    return Chain(operators, parts, place)


def level_of(node: Node) -> int:
    """How tightly the node's outermost operator binds."""
    match node:
        case Chain():
            return _LEVELS[node.operators[0]]
        case Comparison():
            return _COMPARISON
        case Not():
            return _NOT
        case Negative():
            return _NEGATIVE
        case Lag():
            return _LAG
    return _ATOM


def children(node: Node) -> tuple[Node, ...]:
    match node:
        case Call():
            return node.arguments
        case Lag():
            return (node.of, node.bars)
        case Negative() | Not():
            return (node.of,)
        case Chain():
            return node.parts
        case Comparison():
            return (node.left, node.right)
    return ()


def walk(node: Node) -> Iterator[tuple[Node, int]]:
    """Every node with its depth, the root's is 1; without recursion, so that nothing is too deep for it."""
    waiting = [(node, 1)]
    while waiting:
        node, depth = waiting.pop()
        yield node, depth
        waiting += [(child, depth + 1) for child in children(node)]


def printed(node: Node) -> str:
    """The canonical text."""
    match node:
        case Number():
            return printed_number(node.value)
        case Name():
            return node.name
        case Call():
            return f"{node.name}({', '.join(map(printed, node.arguments))})"
        case Lag():
            return f"{_within(node.of, _LAG)}[{printed(node.bars)}]"
        case Negative():
            return f"-{_within(node.of, _NEGATIVE)}"
        case Not():
            return f"not {_within(node.of, _NOT)}"
        case Comparison():
            return f"{_within(node.left, _COMPARISON + 1)} {node.operator} {_within(node.right, _COMPARISON + 1)}"
        case Chain():
            level = level_of(node)
            texts = [_within(part, level + 1) for part in node.parts]
            rest = (f" {operator} {text}" for operator, text in zip(node.operators, texts[1:], strict=True))
            return texts[0] + "".join(rest)


def printed_number(value: float) -> str:
    return str(int(value)) if value.is_integer() else repr(value)


def _within(node: Node, level: int) -> str:
    """The text, in parentheses where the surrounding operator would tear it apart."""
    text = printed(node)
    return text if level_of(node) >= level else f"({text})"
