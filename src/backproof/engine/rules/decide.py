"""What a strategy made of rules decides: signals, target weights, or orders at the close of one bar."""

from typing import TYPE_CHECKING, Any

import numpy as np

from backproof.engine.arrays import FloatArray, IntArray, MaskArray
from backproof.engine.bars import RunBars
from backproof.engine.decisions import Signals, Weights
from backproof.engine.layout import (
    ENTER_LONG,
    ENTER_SHORT,
    EXIT_LONG,
    EXIT_SHORT,
    GTC_ENTRY,
    LIMIT_ENTRY,
    STOP_ENTRY,
)
from backproof.engine.rules.evaluate import Block, Evaluation
from backproof.engine.rules.holding import Part, leaves, while_holding
from backproof.engine.rules.moments import Moments
from backproof.engine.rules.operations import Value
from backproof.engine.rules.program import Program
from backproof.engine.strategies.schedule import strongest
from backproof.errors import FieldError, InvalidInput

if TYPE_CHECKING:
    from backproof.engine.context import Context

BITS = {"entry": ENTER_LONG, "exit": EXIT_LONG, "short_entry": ENTER_SHORT, "short_exit": EXIT_SHORT}
_ENTRIES = ENTER_LONG | ENTER_SHORT
_OF_AN_ENTRY = LIMIT_ENTRY | STOP_ENTRY | GTC_ENTRY
_SIGNALS, _LEVEL = "signals", "level"  # names of lines


def signals(program: Program, waits: int, bars: RunBars) -> Signals:
    """waits: bits of LIMIT_ENTRY, STOP_ENTRY and GTC_ENTRY that every entry has"""
    require_volume(program, bars)
    names = tuple(program.outputs)
    mask = np.empty((len(bars.panel.series), bars.stop), dtype=np.uint8)
    levels = np.empty(mask.shape) if "price" in names else None
    for block, values in Evaluation(program, bars).blocks(*program.outputs.values()):
        found = dict(zip(names, values, strict=True))
        _fill(block, found, waits, mask[block.rows], None if levels is None else levels[block.rows])
    return Signals(mask, levels)


def _fill(block: Block, found: dict[str, Value], waits: int, mask: MaskArray, levels: FloatArray | None) -> None:
    reachable = None
    if levels is not None:
        levels[:] = block.line(found.pop("price"))
        reachable = levels > 0.0  # an entry that waits for no price is none
    begun = False
    for name, value in found.items():
        condition, bits = block.line(value), BITS[name]
        if bits & _ENTRIES:
            bits |= waits
            if reachable is not None:
                condition = condition & reachable
        if begun:
            mask |= condition.view(np.uint8) * np.uint8(bits)
        else:
            begun = True
            np.multiply(condition.view(np.uint8), np.uint8(bits), out=mask)


def weights(program: Program, top: int, exposure: float, at: IntArray, bars: RunBars) -> Weights:
    """exposure / top in each of the `top` greatest ranks among the listed symbols whose entry, if any, is true.

    at: calendar bars on which the schedule asks; those before any rank is defined are left out
    """
    require_volume(program, bars)
    moments = Moments(Evaluation(program, bars), at)
    scores = np.where(bars.listed(at), moments.whole(program.outputs["rank"]), np.nan)
    some = np.isfinite(scores).any(axis=1)
    if "entry" in program.outputs:
        scores = np.where(moments.whole(program.outputs["entry"]), scores, np.nan)
    chosen = strongest(scores[some], bars.symbols, top)
    return Weights(at[some], np.where(chosen, exposure / top, 0.0))


class Orders:
    """The orders of rules that depend on bars_held, at the close of each bar."""

    def __init__(self, program: Program) -> None:
        self._program = program
        held = {name: output for name, output in program.outputs.items() if program.steps[output].held}
        self._leaves = frozenset[int]().union(*(leaves(program, output) for output in held.values()))
        self._exits: dict[str, Part] = {name: while_holding(program, output) for name, output in held.items()}
        self._has_levels = "price" in program.outputs

    def lines(self, waits: int, bars: RunBars) -> dict[str, Any]:
        """What `place` looks up: signals as far as they do not depend on bars_held, and what the others are made of."""
        decided = signals(self._program, waits, bars)
        evaluation = Evaluation(self._program, bars)
        found: dict[str, Any] = {_name(i): evaluation.whole(i) for i in sorted(self._leaves)}
        found[_SIGNALS] = decided.mask
        if decided.levels is not None:
            found[_LEVEL] = decided.levels
        return found

    def place(self, ctx: "Context") -> None:
        for n in range(len(ctx.symbols)):
            bits = int(ctx.value(_SIGNALS, n))
            held = ctx.position(n)
            if held:
                bits = self._while_holding(bits, held > 0.0, n, ctx)
            if bits:
                ctx.order(n, bits, ctx.value(_LEVEL, n) if self._has_levels else np.nan)

    def _while_holding(self, bits: int, long: bool, n: int, ctx: "Context") -> int:
        name, leave, enter = ("exit", EXIT_LONG, ENTER_LONG) if long else ("short_exit", EXIT_SHORT, ENTER_SHORT)
        rule, count = self._exits.get(name), float(ctx.bars_held(n))
        if not bits & leave and rule is not None and rule(lambda step: ctx.value(_name(step), n), count):
            bits |= leave
        if bits & leave and bits & enter:  # an entry while holding is ignored, so it does not keep from leaving
            bits = leave if long else bits & ~enter
            if not bits & _ENTRIES:
                bits &= ~_OF_AN_ENTRY
        return bits


def _name(step: int) -> str:
    return f"step {step}"


# ---- volume -----------------------------------------------------------------------------------------------------


def require_volume(program: Program, bars: RunBars) -> None:
    """InvalidInput where a rule reads volume that the data do not have."""
    if "volume" not in program.prices:
        return
    without = [one.symbol for one in bars.panel.series if one.volume is None or bool(np.isnan(one.volume).all())]
    if not without:
        return
    reads = [name for name, output in program.outputs.items() if _reads_volume(program, output)]
    message = f"it reads volume, and the bars of {', '.join(without[:5])} have none"
    pointers = ["/parameters/entry_order/price" if name == "price" else f"/parameters/{name}" for name in reads]
    raise InvalidInput([FieldError(pointer, "no_volume", message) for pointer in pointers])


def _reads_volume(program: Program, output: int) -> bool:
    return any(program.steps[i].setting == ("volume",) for i in program.needed(frozenset({output})))
