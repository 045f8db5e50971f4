"""All texts of one strategy together: read, checked and made into one program, or every mistake in them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from graphlib import CycleError, TopologicalSorter
from typing import TypeAlias

from backproof.domain.config import pointer_of
from backproof.engine.rules.checker import UNKNOWN, Checker, Meaning, Type
from backproof.engine.rules.functions import FUNCTIONS
from backproof.engine.rules.grammar import RESERVED
from backproof.engine.rules.parser import GREATEST_NUMBER, MOST_CHARACTERS, MOST_DEPTH, Mistake, Parsed, parse
from backproof.engine.rules.problems import Problem
from backproof.engine.rules.program import Builder, Program
from backproof.engine.rules.tree import Name, Negative, Node, Number, printed, printed_number, walk

MOST_NODES = 500  # of all texts together
MOST_WORK = 20_000  # cost of a program, about so many nanoseconds a bar of one symbol
MOST_VALUES = 50

TYPES: dict[str, Type] = {
    **dict.fromkeys(("entry", "exit", "short_entry", "short_exit"), "condition"),
    **dict.fromkeys(("price", "rank"), "number"),
}
_HOLDING = ("exit", "short_exit")
_POINTERS = {"price": "/entry_order/price"}
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII)

Texts: TypeAlias = tuple[tuple[str, str], ...]
Values: TypeAlias = tuple[tuple[str, str | float], ...]


@dataclass(frozen=True)
class Rulebook:
    """What texts and named values came to.

    problems: every mistake, in the order of the texts; then there is no program
    trees:    of the texts and, by "values.NAME", of the named values
    held:     texts that depend on bars_held
    """

    problems: tuple[Problem, ...]
    program: Program
    trees: Mapping[str, Node]
    held: frozenset[str] = frozenset()
    unused: tuple[str, ...] = ()

    @cached_property
    def canonical(self) -> dict[str, str]:
        """Every text in its canonical form."""
        return {name: printed(tree) for name, tree in self.trees.items()}


def rulebook(texts: Texts, values: Values = ()) -> Rulebook:
    """Read and check; remembered, so that a strategy that runs many times is read once.

    texts: by the name of the parameter (a key of TYPES); values: numbers and texts by name
    """
    if any(isinstance(text, str) and len(text) > MOST_CHARACTERS for _, text in (*texts, *values)):
        return _Reader(texts, values).read()  # nothing to remember
    return _remembered(texts, values)


@lru_cache(maxsize=512)
def _remembered(texts: Texts, values: Values) -> Rulebook:
    return _Reader(texts, values).read()


@dataclass
class _Text:
    name: str
    pointer: str
    text: str
    parsed: Parsed
    mistakes: list[Mistake] = field(default_factory=list)


class _Reader:
    def __init__(self, texts: Texts, values: Values) -> None:
        self._texts = {name: self._parsed(name, _POINTERS.get(name, f"/{name}"), text) for name, text in texts}
        self._values = {name: self._parsed(name, pointer_of(("values", name)), value) for name, value in values}
        self._meanings: dict[str, Meaning] = {}
        self._depths: dict[str, int] = {}

    @staticmethod
    def _parsed(name: str, pointer: str, value: str | float) -> _Text:
        if isinstance(value, str):
            parsed = parse(value)
            return _Text(name, pointer, value, parsed, list(parsed.mistakes))
        text = printed_number(float(value))
        if abs(value) > GREATEST_NUMBER:
            mistake = Mistake((0, len(text)), "number_too_great", f"a number is at most {GREATEST_NUMBER:g}")
            return _Text(name, pointer, text, Parsed(None, ()), [mistake])
        tree: Node = Number(abs(float(value)))
        return _Text(name, pointer, text, Parsed(Negative(tree) if value < 0 else tree, (), 1, 1))

    def read(self) -> Rulebook:
        every = [*self._values.values(), *self._texts.values()]
        self._count(every)
        for name in self._in_order():
            self._check_value(name)
        held = frozenset(name for name, text in self._texts.items() if self._check(text, name).held)
        problems = self._problems(every)
        program = Program((), {})
        trees: dict[str, Node] = {}
        if not problems:
            program, trees = self._program()
            if program.cost > MOST_WORK:
                problems = [self._too_much(program.cost)]
        used = {name for text in every for name in text.parsed.names}
        unused = tuple(name for name in self._values if name not in used)
        return Rulebook(tuple(problems), program, trees, held, unused)

    def _program(self) -> tuple[Program, dict[str, Node]]:
        values = {name: value.parsed.tree for name, value in self._values.items() if value.parsed.tree is not None}
        texts = {name: text.parsed.tree for name, text in self._texts.items() if text.parsed.tree is not None}
        builder = Builder(values)
        for name, tree in texts.items():
            add = builder.add_condition if TYPES[name] == "condition" else builder.add_number
            add(name, tree)
        return builder.program(), texts | {f"values.{name}": tree for name, tree in values.items()}

    # ---- checks ---------------------------------------------------------------------------------------------------

    def _count(self, every: list[_Text]) -> None:
        """Nodes of all the texts; the first text that is too much says so, and none is looked at further."""
        total = 0
        for text in every:
            total += text.parsed.nodes
            if total > MOST_NODES:
                reason = f"all rules and named values together have at most {MOST_NODES} parts"
                text.mistakes.append(Mistake((0, len(text.text)), "too_many_parts", reason))
                for one in every:
                    one.parsed = Parsed(None, ())
                return

    def _in_order(self) -> list[str]:
        """The named values, each after those it refers to."""
        graph = {name: set(value.parsed.names & self._values.keys()) for name, value in self._values.items()}
        while True:
            try:
                return list(TopologicalSorter(graph).static_order())
            except CycleError as error:
                loop: list[str] = error.args[1][:-1][::-1]
                start = loop.index(min(loop))
                loop = loop[start:] + loop[:start]
                value = self._values[loop[0]]
                path = " -> ".join((*loop, loop[0]))
                place = self._place_of(value, loop[1] if len(loop) > 1 else loop[0])
                value.mistakes.append(Mistake(place, "circular_value", f"named values go round in a circle: {path}"))
                for name in loop:
                    self._values[name].parsed = Parsed(None, ())
                    graph[name] = set()

    @staticmethod
    def _place_of(value: _Text, name: str) -> tuple[int, int]:
        tree = value.parsed.tree
        nodes = () if tree is None else walk(tree)
        return next((node.place for node, _ in nodes if isinstance(node, Name) and node.name == name), (0, 0))

    def _check_value(self, name: str) -> None:
        value = self._values[name]
        whole = (0, len(value.text))
        if name in RESERVED or name in FUNCTIONS:
            value.mistakes.append(Mistake(whole, "reserved_name", f"{name} is a word of the language already"))
        elif not _NAME.fullmatch(name):
            reason = "a named value is called by lower-case letters, digits and _, a letter first, at most 32"
            value.mistakes.append(Mistake(whole, "bad_name", reason))
        self._meanings[name] = self._check(value, None)

    def _check(self, text: _Text, name: str | None) -> Meaning:
        """name: of a parameter, None for a named value."""
        tree = text.parsed.tree
        if tree is None or not self._fits(text, tree, name):
            return UNKNOWN
        checker = Checker(self._meanings, held=name is None or name in _HOLDING)
        found = checker.check(tree, "unknown" if name is None else TYPES[name])
        text.mistakes += checker.mistakes
        return UNKNOWN if checker.mistakes else found

    def _fits(self, text: _Text, tree: Node, name: str | None) -> bool:
        """Not too deep, what it refers to put in."""
        deepest = text.parsed.depth
        for node, depth in walk(tree) if text.parsed.names & self._values.keys() else ():
            inner = self._depths.get(node.name, 1) - 1 if isinstance(node, Name) else 0
            deepest = max(deepest, depth + inner)
            if deepest > MOST_DEPTH:
                reason = f"a rule is nested at most {MOST_DEPTH} levels deep, named values put in"
                text.mistakes.append(Mistake(node.place, "too_deep", reason))
                return False
        if name is None:
            self._depths[text.name] = deepest
        return True

    # ---- mistakes -------------------------------------------------------------------------------------------------

    @staticmethod
    def _problems(every: list[_Text]) -> list[Problem]:
        return [
            Problem.at(text.pointer, text.text, mistake.place, mistake.code, mistake.reason, mistake.suggestion)
            for text in every
            for mistake in sorted(text.mistakes)
        ]

    def _too_much(self, cost: int) -> Problem:
        """Told at the longest text, which has most to do with it."""
        text = max(self._texts.values(), key=lambda one: one.parsed.nodes)
        reason = f"the rules ask for {cost:,} units of work a bar, and the limit is {MOST_WORK:,}"
        return Problem.at(text.pointer, text.text, (0, len(text.text)), "too_much_work", reason)
