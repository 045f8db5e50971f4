"""Random rules: they print and parse back, and mean what a plain evaluator says, whatever the bars look like."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rules_oracle import Oracle, exact
from rules_worlds import VALUES, conditions, cut, market, numbers

from backproof.engine.bars import Bars, Memory, RunBars
from backproof.engine.rules import evaluate
from backproof.engine.rules.evaluate import Evaluation
from backproof.engine.rules.moments import Moments
from backproof.engine.rules.parser import parse
from backproof.engine.rules.program import Builder, Program
from backproof.engine.rules.rulebook import rulebook
from backproof.engine.rules.tree import Node, printed

slow = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=100)
seeds = st.integers(0, 2**32 - 1)
trees = st.one_of(conditions(3).map(lambda tree: (True, tree)), numbers(3).map(lambda tree: (False, tree)))


def bits(line: np.ndarray[Any, Any]) -> bytes:
    """Undefined is undefined, whatever the sign of its NaN."""
    return np.where(np.isnan(line), np.nan, line).tobytes()


def program_of(tree: Node, truth: bool) -> Program:
    builder = Builder(VALUES)
    (builder.add_condition if truth else builder.add_number)("it", tree)
    return builder.program()


def run_of(bars: Bars, memory: Memory | None = None) -> RunBars:
    panel = bars.panel(bars.symbols)
    return RunBars(panel, 0, len(panel.dates), memory)


def line_of(tree: Node, truth: bool, bars: Bars, memory: Memory | None = None) -> np.ndarray[Any, Any]:
    program = program_of(tree, truth)
    return Evaluation(program, run_of(bars, memory)).whole(program.outputs["it"])


@settings(deadline=None, max_examples=300, suppress_health_check=list(HealthCheck))
@given(st.one_of(conditions(4, held=True), numbers(4, held=True)))
def test_a_printed_tree_parses_to_the_same_tree(tree: Node) -> None:
    text = printed(tree)
    again = parse(text)
    assert again.tree == tree
    assert printed(tree) == text
    spaced = parse(" " + text.replace(" ", "\n ").replace("(", "( ").replace(",", " ,") + "\t")
    assert spaced.tree == tree


@settings(deadline=None, max_examples=200, suppress_health_check=list(HealthCheck))
@given(conditions(3), numbers(3))
def test_a_tree_that_was_made_right_is_found_right(condition: Node, number: Node) -> None:
    values = tuple((name, printed(tree)) for name, tree in VALUES.items())
    found = rulebook((("entry", printed(condition)), ("rank", printed(number))), values)
    assert {problem.code for problem in found.problems} <= {"too_much_work", "too_many_parts", "too_deep"}


@slow
@given(conditions(3), seeds)
def test_a_condition_is_what_the_plain_evaluator_says(tree: Node, seed: int) -> None:
    bars, own = market(seed)
    found = line_of(tree, True, bars)
    for n, columns in enumerate(own):
        oracle = Oracle(bars.symbols, own, VALUES)
        missing = np.ones(found.shape[1], dtype=bool)
        for i, at in enumerate(columns["at"]):
            missing[at] = False
            oracle.doubtful = False
            truth = oracle.at(tree, n, i) is True
            assert oracle.doubtful or bool(found[n, at]) == truth, (printed(tree), n, i)
        assert not found[n, missing].any()


@slow
@given(numbers(3), seeds)
def test_a_number_is_what_the_plain_evaluator_says(tree: Node, seed: int) -> None:
    bars, own = market(seed)
    found = line_of(tree, False, bars)
    assert not np.isinf(found).any()
    for n, columns in enumerate(own):
        oracle = Oracle(bars.symbols, own, VALUES)
        for i, at in enumerate(columns["at"]):
            oracle.doubtful = False
            number = oracle.number(tree, n, i)
            if oracle.doubtful:
                continue
            if exact(tree, VALUES):
                assert (math.isnan(found[n, at]) and number is None) or found[n, at] == number, (printed(tree), n, i)
            elif number is None or math.isnan(found[n, at]):
                assert (number is None and math.isnan(found[n, at])) or near_the_edge(tree), (printed(tree), n, i)
            else:
                close = math.isclose(found[n, at], number, rel_tol=1e-6, abs_tol=1e-4)
                assert close or near_the_edge(tree), (printed(tree), n, i, found[n, at], number)


def near_the_edge(tree: Node) -> bool:
    """Rounding decides about a root or a division by what is about zero."""
    return any(word in printed(tree) for word in ("sqrt", "/"))


@slow
@given(trees, seeds)
def test_what_comes_later_changes_no_bit(chosen: tuple[bool, Node], seed: int) -> None:
    truth, tree = chosen
    bars, _ = market(seed)
    whole = line_of(tree, truth, bars)
    for stop in (1, 9, 20, 35):
        part_bars = cut(bars, stop)
        part = line_of(tree, truth, part_bars)
        if "rank" in printed(tree) and part_bars.symbols != bars.symbols:
            continue
        rows = [bars.symbols.index(symbol) for symbol in part_bars.symbols]
        assert bits(part) == bits(whole[rows, : part.shape[1]])


@slow
@given(trees, seeds)
def test_blocks_and_memory_change_no_bit(chosen: tuple[bool, Node], seed: int) -> None:
    truth, tree = chosen
    bars, _ = market(seed)
    plain = line_of(tree, truth, bars)
    memory = Memory(10_000_000)
    for _ in range(2):  # the second time everything is remembered
        assert bits(line_of(tree, truth, bars, memory)) == bits(plain)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate, "_CELLS", 1)
        assert bits(line_of(tree, truth, bars)) == bits(plain)


@slow
@given(trees, seeds)
def test_moments_are_the_last_own_bars_of_the_whole_line(chosen: tuple[bool, Node], seed: int) -> None:
    truth, tree = chosen
    bars, own = market(seed)
    program = program_of(tree, truth)
    output = program.outputs["it"]
    at = np.array([0, 3, 17, 18, 30, 35], dtype=np.int64)
    at = at[at < len(bars.dates)]
    found = Moments(Evaluation(program, run_of(bars)), at).whole(output)
    whole = line_of(tree, truth, bars)
    for r, moment in enumerate(at):
        for n, columns in enumerate(own):
            before = [place for place in columns["at"] if place <= moment]
            expected = whole[n, before[-1]] if before else (False if truth else np.nan)
            assert found[r, n] == expected or (np.isnan(found[r, n]) and np.isnan(expected))


@slow
@given(conditions(2), numbers(2), seeds)
def test_equal_texts_are_computed_once(condition: Node, number: Node, seed: int) -> None:
    """The same sub-expression in two rules is one step, and one key over runs."""
    builder = Builder(VALUES)
    builder.add_condition("entry", condition)
    builder.add_condition("again", condition)
    builder.add_number("rank", number)
    program = builder.program()
    assert program.outputs["entry"] == program.outputs["again"]
    assert len(set(program.keys)) == len(program.keys)
    assert set(program_of(condition, True).keys) <= set(program.keys)
