"""Running a program over bars, some symbols at a time so that everything in between stays in the cache.

A value exists on a symbol's own bars: lags count them, functions see nothing else, and of what they are made of they
leave out what is undefined. Numbers are float64, NaN where undefined and never infinite; conditions are bool.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, lru_cache, partial
from typing import Any, TypeAlias

import numpy as np

from backproof.engine.arrays import FloatArray
from backproof.engine.bars import RunBars
from backproof.engine.rules.compute import COMPUTED, FAMILIES, LINES, MEMBERS, ranks
from backproof.engine.rules.functions import FUNCTIONS
from backproof.engine.rules.operations import COMPARISONS, Array, Value, elementary, finite
from backproof.engine.rules.program import COMPARING, ELEMENTARY, TRUTHS, Program, Setting, Step

Take: TypeAlias = Callable[["Block", dict[int, "Value"]], "Value"]

_CELLS = 32_768  # of a block


class Block:
    """Some symbols of a run.

    own:   where each has bars
    whole: every one has a bar on every date
    """

    def __init__(self, bars: RunBars, rows: slice) -> None:
        self.bars, self.rows = bars, rows
        self.shape = (rows.stop - rows.start, bars.stop)
        self.own = [bars.own(n) for n in range(rows.start, rows.stop)]
        self._families: dict[Any, Sequence[FloatArray]] = {}
        everything = slice(0, bars.stop)
        self.whole = all(isinstance(own, slice) and own == everything for own in self.own)

    def price(self, name: str) -> FloatArray:
        if name == "volume":
            return self._volume
        values: FloatArray = getattr(self.bars.panel.adjusted, name)
        return values[self.rows, : self.shape[1]]

    @cached_property
    def _volume(self) -> FloatArray:
        result = np.full(self.shape, np.nan)
        for row, own in enumerate(self.own):
            volume = self.bars.panel.series[self.rows.start + row].volume
            if volume is not None:
                mine = result[row, own]
                result[row, own] = volume[: len(mine)]
        return result

    def line(self, value: Value) -> Array:
        """The value on every own bar."""
        if isinstance(value, np.ndarray) and value.ndim == 2:
            return value
        truth = isinstance(value, bool | np.bool_)
        if self.whole:
            return np.full(self.shape, value)
        result = np.full(self.shape, False if truth else np.nan)
        for row, own in enumerate(self.own):
            result[row, own] = value
        return result

    def ago(self, value: Value, bars: int) -> Array:
        """What the value was so many own bars before; undefined, or not true, before the first."""
        line = self.line(value)
        nothing: Any = False if line.dtype == np.bool_ else np.nan
        if self.whole:
            result = np.empty_like(line)
            result[:, :bars] = nothing
            result[:, bars:] = line[:, : max(self.shape[1] - bars, 0)]
            return result
        result = np.full_like(line, nothing)
        for row, own in enumerate(self.own):
            if isinstance(own, slice):
                if own.start + bars < own.stop:
                    result[row, own.start + bars : own.stop] = line[row, own.start : own.stop - bars]
            else:
                result[row, own[bars:]] = line[row, own[: max(len(own) - bars, 0)]]
        return result

    def function(self, step: Step, lookback: int, inputs: list[Array], *, prices: bool) -> FloatArray:
        """A function of each symbol's own values. prices: they are all defined"""
        if step.operation in LINES:
            return self._lines(LINES[step.operation], 1, step.setting, lookback, inputs, prices=prices)[0]
        family, which = MEMBERS[step.operation]
        key = (family, step.inputs, step.setting)
        made = self._families.get(key)
        if made is None:
            made = self._lines(*FAMILIES[family], step.setting, lookback, inputs, prices=prices)
            self._families[key] = made
        return made[which]

    def _lines(
        self,
        compute: Callable[..., Any],
        count: int,
        setting: Setting,
        lookback: int,
        inputs: list[Array],
        *,
        prices: bool,
    ) -> Sequence[FloatArray]:
        """So many lines [rows, T]."""
        if prices and self.whole and len(self.own) == 1 and self.shape[1] > lookback:  # nothing to copy
            computed = compute(*[line[0] for line in inputs], *setting)
            return [line[np.newaxis] for line in (computed if count > 1 else (computed,))]
        result: FloatArray = np.empty((count, *self.shape))
        if not self.whole:
            result.fill(np.nan)
        for row, own in enumerate(self.own):
            mine = [line[row, own] for line in inputs]
            if not prices:
                undefined = np.logical_or.reduce([np.isnan(line) for line in mine])
                if undefined.any():  # as if those were not there: TA-Lib would be wrong for ever after one of them
                    kept = np.flatnonzero(~undefined)
                    mine = [line[kept] for line in mine]
                    result[:, row, own] = np.nan
                    own = np.arange(own.start, own.stop)[kept] if isinstance(own, slice) else own[kept]  # noqa: PLW2901
            if len(mine[0]) <= lookback:
                result[:, row, own] = np.nan
                continue
            computed = compute(*mine, *setting)
            for number, line in enumerate(computed if count > 1 else (computed,)):
                result[number, row, own] = line if prices else finite(line)
        return list(result)


class Plan:
    """Which steps to take for the wanted ones when some are known, and what may be forgotten on the way."""

    def __init__(self, program: Program, wanted: frozenset[int], known: frozenset[int] = frozenset()) -> None:
        self.steps = program.needed(wanted, known)
        self.whole = tuple(i for i in self.steps if i not in known and program.steps[i].operation == "rank")
        self.functions = tuple(i for i in self.steps if i not in known and program.steps[i].operation in COMPUTED)
        dead = _last_uses(program, self.steps, wanted)
        self.way = [(i, _taken(program, i), gone) for i, gone in zip(self.steps, dead, strict=True)]
        self.arithmetic = any(program.steps[i].operation in ELEMENTARY for i in self.steps if i not in known)

    def follow(self, block: Block, known: dict[int, Array]) -> dict[int, Value]:
        values: dict[int, Value] = {}
        for i, take, gone in self.way:
            values[i] = known[i][block.rows] if i in known else take(block, values)
            for old in gone:
                del values[old]
        return values


@lru_cache(maxsize=512)
def _plan(program: Program, wanted: frozenset[int]) -> Plan:
    return Plan(program, wanted)


class Evaluation:
    """One program over one run. What other symbols or other runs share is made whole, the rest block by block."""

    def __init__(self, program: Program, bars: RunBars) -> None:
        self.program, self.bars = program, bars
        self._known: dict[int, Array] = {}

    def blocks(self, *wanted: int) -> Iterator[tuple[Block, list[Value]]]:
        """The wanted steps for some symbols after others."""
        plan = _plan(self.program, frozenset(wanted))
        if plan.whole or (self.bars.memory is not None and plan.functions) or self._known:
            self._prepare(plan)
            plan = Plan(self.program, frozenset(wanted), frozenset(self._known))
        return self._follow(plan, wanted)

    def whole(self, wanted: int) -> Array:
        """One step, [N, T]."""
        known = self._known.get(wanted)
        return self._gathered(wanted, self.blocks(wanted)) if known is None else known

    def _follow(self, plan: Plan, wanted: tuple[int, ...]) -> Iterator[tuple[Block, list[Value]]]:
        count, bars = len(self.bars.panel.series), self.bars.stop
        size = max(1, _CELLS // max(bars, 1))
        for start in range(0, count, size):
            block = Block(self.bars, slice(start, min(start + size, count)))
            if plan.arithmetic:
                with np.errstate(over="raise", divide="raise", invalid="ignore", under="ignore"):
                    values = plan.follow(block, self._known)
            else:
                values = plan.follow(block, self._known)
            yield block, [values[i] for i in wanted]

    def _gathered(self, i: int, blocks: Iterator[tuple[Block, list[Value]]]) -> Array:
        kind = np.bool_ if self.program.steps[i].is_truth else np.float64
        result: Array = np.empty((len(self.bars.panel.series), self.bars.stop), dtype=kind)
        for block, (value,) in blocks:
            result[block.rows] = block.line(value)
        return result

    def _prepare(self, plan: Plan) -> None:
        """Make whole what needs every symbol, and what is remembered for other runs."""
        memory = self.bars.memory
        for i in sorted((*plan.whole, *(() if memory is None else plan.functions))):
            if i not in self._known:
                key = ("rules", self.program.keys[i])
                self._known[i] = (
                    self._made_whole(i) if memory is None else memory.get(key, partial(self._made_whole, i))
                )

    def _made_whole(self, i: int) -> Array:
        """A rank or a function, when all such that it is made of are known."""
        step = self.program.steps[i]
        if step.operation == "rank":
            return ranks(self.whole(step.inputs[0]), self.bars.symbols)
        return self._gathered(i, self._follow(Plan(self.program, frozenset({i}), frozenset(self._known)), (i,)))


def _taken(program: Program, i: int) -> Take:
    """How a step is taken: a function of the block and of the values before."""
    step = program.steps[i]
    operation, inputs = step.operation, step.inputs
    if operation in ELEMENTARY:
        return lambda block, values: elementary(operation, *[values[one] for one in inputs])  # noqa: ARG005
    match operation:
        case "price":
            name = str(step.setting[0])
            return lambda block, values: block.price(name)  # noqa: ARG005
        case "number":
            number = float(step.setting[0])
            return lambda block, values: number  # noqa: ARG005
        case "held":  # nobody holds anything: see `holding`
            return lambda block, values: np.nan  # noqa: ARG005
        case "ago" | "truth_ago":
            of, bars = inputs[0], int(step.setting[0])
            return lambda block, values: block.ago(values[of], bars)
        case "rank":
            return _never
    if operation in TRUTHS:
        (left, right), compare = inputs, COMPARISONS[operation]
        if operation in COMPARING:  # of two constants too it is true on own bars only
            return lambda block, values: block.line(compare(values[left], values[right]))
        return lambda block, values: compare(values[left], values[right])  # noqa: ARG005
    made_of = [program.steps[one] for one in inputs]
    prices = all(one.operation == "price" and one.setting != ("volume",) for one in made_of)
    lookback = FUNCTIONS[operation].lookback(*step.setting)
    return lambda block, values: block.function(
        step, lookback, [block.line(values[one]) for one in inputs], prices=prices
    )


def _never(_: Block, __: dict[int, Value]) -> Value:
    raise AssertionError("ranks are made of all symbols at once")


def _last_uses(program: Program, steps: tuple[int, ...], wanted: frozenset[int]) -> list[tuple[int, ...]]:
    """After each step, those that nothing will ask for any more."""
    last: dict[int, int] = {}
    present = set(steps)
    for place, i in enumerate(steps):
        for used in (i, *program.steps[i].inputs):
            if used in present:
                last[used] = place
    dead: list[list[int]] = [[] for _ in steps]
    for i, place in last.items():
        if i not in wanted:
            dead[place].append(i)
    return [tuple(one) for one in dead]
