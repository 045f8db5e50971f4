"""What a strategy answers on given bars, in any of its forms, and the first answer in which two differ."""

import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from backproof.domain.config import BacktestConfig
from backproof.engine import layout as l
from backproof.engine.arrays import FloatArray, IntArray
from backproof.engine.bars import Bars, Panel, RunBars
from backproof.engine.context import Context
from backproof.engine.decisions import Decisions, Signals, Weights, checked
from backproof.engine.probe_data import bars_of
from backproof.engine.setup import run_of
from backproof.engine.simulation import Simulation
from backproof.engine.strategies import Strategy, check_config, configured, find_strategy
from backproof.engine.strategies.base import Form
from backproof.engine.strategies.failures import failure
from backproof.errors import BackproofError, StrategyError

Value: TypeAlias = str | float | None
Lines: TypeAlias = Mapping[str, Any]

ROUNDING = 1e-9  # of target weights: running sums depend on where they began

_SIZES = {l.PERCENT_EQUITY: "{:.12g} of equity", l.FIXED_SHARES: "{:.12g} shares", l.FIXED_CASH: "{:.12g} cash"}
_BITS = (
    (l.ENTER_LONG, "enter long"),
    (l.EXIT_LONG, "exit long"),
    (l.ENTER_SHORT, "enter short"),
    (l.EXIT_SHORT, "exit short"),
)


@dataclass(frozen=True, slots=True)
class Difference:
    """The first decision in which two answers differ.

    bar: on the calendar; symbol: its number; given, other: what was decided, None where a weight was left as it is
    """

    bar: int
    symbol: int
    given: Value
    other: Value


class Answer(Protocol):
    """What a strategy decided on some bars, and its indicators; bars are those of the calendar."""

    @property
    def lines(self) -> Lines:
        """Named arrays."""

    def decided(self, first: int) -> IntArray:
        """Bars from `first` on with a decision unlike the one before, increasing."""

    def shifted(self, bars: int) -> Any:
        """The same decisions as they would be numbered on a calendar that begins `bars` later."""

    def difference(self, other: Any, first: int, stop: int) -> Difference | None:
        """The first one in bars [first, stop)."""

    def distance(self, other: Any, first: int, stop: int) -> tuple[int, float]:
        """How many decisions of bars [first, stop) differ, and by how much at most (1 where that is no number)."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A strategy with its parameters, and the run it is looked at in."""

    config: BacktestConfig
    bars: Bars
    kind: type[Strategy]
    params: BaseModel
    run: RunBars
    form: Form
    warmup: int

    @classmethod
    def of(
        cls, config: Mapping[str, object] | BacktestConfig, bars: Bars, strategy: type[Strategy] | None
    ) -> "Subject":
        """Raises what `simulate` raises for a configuration, bars or strategy that cannot be run."""
        parsed = configured(config, strategy)
        params = check_config(parsed, strategy)
        kind = strategy or find_strategy(parsed.strategy_type)
        if kind is None:
            raise StrategyError("no strategy")
        run = run_of(parsed, bars, bars.panel(parsed.symbols))
        with failing(parsed):
            made = kind(params)
            return cls(parsed, bars, kind, params, run, made.form, int(made.warmup()))

    @property
    def by_bar(self) -> bool:
        return self.form == "events"

    def starting(self, first: int) -> "Subject":
        """The same with a run that starts on another calendar bar, the first one of its day."""
        start: dt.date = self.run.days[first].item()
        config = self.config.model_copy(update={"start_date": start})
        return replace(self, config=config, run=RunBars(self.run.panel, first, self.run.stop))

    def answer(self, run: RunBars, until: int | None = None, *, check: bool = False) -> Answer:
        """What the strategy decides on these bars. until: as far as needed; check: as strictly as a run would."""
        with failing(self.config):
            if self.by_bar:
                simulation = self.simulation(run.panel)
                simulation.advance(run.stop - run.first if until is None else until - run.first)
                return simulation.placed
            strategy: Any = self.kind(self.params)
            lines = strategy.indicators(run)
            if self.form == "signals":
                decisions = strategy.signals(run, lines)
                decisions = decisions if isinstance(decisions, Signals) else Signals(decisions)
            else:
                decisions = strategy.target_weights(run, lines)
            if check:
                checked(decisions, run, self.config)
            return answer_of(decisions, run, lines)

    def simulation(self, panel: Panel, *, forgetful: bool = False) -> "Recording":
        """A simulation over the panel whose strategy's orders are written down."""
        bars = bars_of(self.bars, panel)
        simulation = Recording(self.config, bars, strategy=self.kind, forgetful=forgetful)
        simulation.placed = Orders(panel.symbols)
        return simulation


@contextmanager
def failing(config: BacktestConfig) -> Iterator[None]:
    """Turns what a strategy raises inside into a StrategyError that says where."""
    try:
        yield
    except (BackproofError, MemoryError):
        raise
    except Exception as error:
        raise failure(config.strategy_type, error) from error


def answer_of(decisions: Decisions, run: RunBars, lines: Lines) -> Answer:
    """Raises StrategyError where there is nothing to compare: the wrong type or shape."""
    if isinstance(decisions, Signals):
        mask = np.asarray(decisions.mask)
        levels = None if decisions.levels is None else np.asarray(decisions.levels, dtype=np.float64)
        shape = (len(run.symbols), run.stop)
        if mask.shape != shape or (levels is not None and levels.shape != shape):
            raise StrategyError(f"signals must be {list(shape)} (symbols, bars)")
        return SignalAnswer(mask, levels, lines)
    if not isinstance(decisions, Weights):
        raise StrategyError(f"expected Signals or Weights, got {type(decisions).__name__}")
    at, values = np.asarray(decisions.at, dtype=np.int64), np.asarray(decisions.values, dtype=np.float64)
    if values.shape != (len(at), len(run.symbols)):
        raise StrategyError(f"target weights must be {[len(at), len(run.symbols)]} (decisions, symbols)")
    return WeightAnswer(at, values, lines)


@dataclass(frozen=True, slots=True)
class SignalAnswer:
    """mask, levels: [N, T], as `Signals` has them."""

    mask: npt.NDArray[Any]
    levels: FloatArray | None
    lines: Lines

    def decided(self, first: int) -> IntArray:
        mask = self.mask[:, first:]
        news = (mask[:, 1:] != mask[:, :-1]).any(axis=0)
        return np.flatnonzero(np.concatenate((mask[:, :1].any(axis=0), news))) + first

    def shifted(self, bars: int) -> "SignalAnswer":
        return SignalAnswer(self.mask[:, bars:], None if self.levels is None else self.levels[:, bars:], self.lines)

    def differing(self, other: "SignalAnswer", first: int, stop: int) -> npt.NDArray[np.bool_]:
        """bool [N, stop - first]"""
        ours, theirs = self.mask[:, first:stop], other.mask[:, first:stop]
        differs: npt.NDArray[np.bool_] = ours != theirs
        if self.levels is not None or other.levels is not None:
            waits = ((ours | theirs) & (l.LIMIT_ENTRY | l.STOP_ENTRY)) != 0
            differs = differs | (waits & ~_equal(self._prices(first, stop), other._prices(first, stop)))
        return differs

    def difference(self, other: "SignalAnswer", first: int, stop: int) -> Difference | None:
        differs = self.differing(other, first, stop)
        if not differs.any():
            return None
        bar = int(differs.any(axis=0).argmax())
        symbol = int(differs[:, bar].argmax())
        return Difference(first + bar, symbol, self._said(symbol, first + bar), other._said(symbol, first + bar))

    def distance(self, other: "SignalAnswer", first: int, stop: int) -> tuple[int, float]:
        count = int(self.differing(other, first, stop).any(axis=0).sum())
        return count, float(count > 0)

    def _prices(self, first: int, stop: int) -> FloatArray:
        return np.full((1, 1), np.nan) if self.levels is None else self.levels[:, first:stop]

    def _said(self, symbol: int, bar: int) -> str:
        level = np.nan if self.levels is None else float(self.levels[symbol, bar])
        return said(int(self.mask[symbol, bar]), level)


@dataclass(frozen=True, slots=True)
class WeightAnswer:
    """at: [R]; values: [R, N], as `Weights` has them."""

    at: IntArray
    values: FloatArray
    lines: Lines

    def decided(self, first: int) -> IntArray:
        return self.at[(self.at >= first) & ~np.isnan(self.values).all(axis=1)]

    def shifted(self, bars: int) -> "WeightAnswer":
        later = self.at >= bars
        return WeightAnswer(self.at[later] - bars, self.values[later], self.lines)

    def aligned(self, other: "WeightAnswer", first: int, stop: int) -> tuple[IntArray, FloatArray, FloatArray]:
        """Bars in [first, stop) on which one of them decides, and the weights of both: [R], [R, N], [R, N]."""
        ours = self.at[(self.at >= first) & (self.at < stop)]
        theirs = other.at[(other.at >= first) & (other.at < stop)]
        at = np.union1d(ours, theirs)
        return at, self._rows(at), other._rows(at)

    def difference(self, other: "WeightAnswer", first: int, stop: int) -> Difference | None:
        at, ours, theirs = self.aligned(other, first, stop)
        differs = ~_equal(ours, theirs)
        if not differs.any():
            return None
        row = int(differs.any(axis=1).argmax())
        symbol = int(differs[row].argmax())
        return Difference(int(at[row]), symbol, _weight(ours[row, symbol]), _weight(theirs[row, symbol]))

    def distance(self, other: "WeightAnswer", first: int, stop: int) -> tuple[int, float]:
        """Rounding is no difference."""
        _, ours, theirs = self.aligned(other, first, stop)
        apart = np.abs(ours - theirs)
        apart[np.isnan(ours) != np.isnan(theirs)] = 1.0
        apart[~(apart > ROUNDING)] = 0.0
        return int(apart.any(axis=1).sum()), float(apart.max(initial=0.0))

    def _rows(self, at: IntArray) -> FloatArray:
        """The weights on some bars, NaN where nothing is decided."""
        rows = np.full((len(at), self.values.shape[1]), np.nan)
        place = np.searchsorted(self.at, at)
        place[place == len(self.at)] = 0
        mine = self.at[place] == at if len(self.at) else np.zeros(len(at), dtype=np.bool_)
        rows[mine] = self.values[place[mine]]
        return rows


Placed: TypeAlias = dict[int, str]


class Orders:
    """The orders of a strategy that decides bar by bar, as they were placed."""

    def __init__(self, symbols: tuple[str, ...]) -> None:
        self._count = len(symbols)
        self._bars: list[tuple[int, tuple[bytes, ...]]] = []  # bytes: most bars are compared and never looked into
        self.lines: Lines = {}

    def record(self, context: Context) -> None:
        self._bars.append((context.bar, tuple(array.tobytes() for array in context.take())))

    def decided(self, first: int) -> IntArray:
        bars, before = [], None
        for bar, placed in self._bars:
            if placed != before and bar >= first:
                bars.append(bar)
            before = placed
        return np.array(bars, dtype=np.int64)

    def shifted(self, bars: int) -> "Orders":
        later = Orders(("",) * self._count)
        later.lines = self.lines
        later._bars = [(bar - bars, placed) for bar, placed in self._bars]
        return later

    def differing(self, other: "Orders", first: int, stop: int) -> list[int]:
        """Bars in [first, stop) with other orders, increasing."""
        ours, theirs = dict(self._bars), dict(other._bars)
        return [
            bar
            for bar in sorted(ours.keys() | theirs.keys())
            if first <= bar < stop
            and ours.get(bar) != theirs.get(bar)
            and self._looked_into(ours.get(bar)) != self._looked_into(theirs.get(bar))
        ]

    def difference(self, other: "Orders", first: int, stop: int) -> Difference | None:
        bars = self.differing(other, first, stop)
        if not bars:
            return None
        ours, theirs = (self._looked_into(dict(orders._bars).get(bars[0])) for orders in (self, other))
        symbol = min(n for n in ours.keys() | theirs.keys() if ours.get(n) != theirs.get(n))
        return Difference(bars[0], symbol, ours.get(symbol, "no order"), theirs.get(symbol, "no order"))

    def distance(self, other: "Orders", first: int, stop: int) -> tuple[int, float]:
        count = len(self.differing(other, first, stop))
        return count, float(count > 0)

    def _looked_into(self, placed: tuple[bytes, ...] | None) -> Placed:
        """In words, by symbol. What a bar does not order is left over from bars before, and not looked at."""
        if placed is None:
            return {}
        signals, levels, weights, asked_as, asked = (
            np.frombuffer(data, kind) for data, kind in zip(placed, ("u1", "f8", "f8", "i8", "f8"), strict=True)
        )
        found = {int(n): f"target {weights[n]:.12g}" for n in np.flatnonzero(~np.isnan(weights))}
        for n in np.flatnonzero(signals):
            size = _SIZES[int(asked_as[n]) - 1].format(asked[n]) if asked_as[n] else ""
            found[int(n)] = said(int(signals[n]), float(levels[n]), size)
        return found


class Recording(Simulation):
    """A simulation that writes the orders of its strategy down.

    renewed: calendar bars on which the strategy is what it would be in a run that is resumed there
    """

    placed: "Orders"
    renewed: frozenset[int] = frozenset()

    def prepare(self) -> None:
        super().prepare()
        if self.context is not None:
            self.placed.lines = self.context._lines

    def _look(self, context: Context) -> None:
        if context.bar in self.renewed:
            self._forget_all(context)
            if self._strategy is not None:
                with failing(self.config):
                    self._strategy.indicators(self.run)
        super()._look(context)
        if context.placed:
            self.placed.record(context)


def said(bits: int, level: float = np.nan, size: str = "") -> str:
    """Signal bits in words."""
    words = [word for bit, word in _BITS if bits & bit]
    if bits & (l.LIMIT_ENTRY | l.STOP_ENTRY):
        words.append(f"{'limit' if bits & l.LIMIT_ENTRY else 'stop'} {level:.12g}")
    if size:
        words.append(size)
    if bits & l.GTC_ENTRY:
        words.append("until cancelled")
    if bits & l.ADD_ENTRY:
        words.append("added")
    return ", ".join(words) or "no signal"


def changed_lines(given: Lines, other: Lines, first: int, stop: int) -> list[str]:
    """Names of the indicators that differ in bars [first, stop)."""
    pairs = _pairs(given, other, 0, first, stop)
    return [name for name, ours, theirs in pairs if not _equal(ours, theirs).all()]


def lines_apart(given: Lines, other: Lines, shift: int, first: int, stop: int) -> float:
    """The greatest difference of an indicator in bars [first, stop), as a fraction; `other` begins `shift` later."""
    largest = 0.0
    for _, one, another in _pairs(given, other, shift, first, stop):
        ours, theirs = one.astype(np.float64), another.astype(np.float64)  # conditions are lines too
        scale = np.maximum(np.abs(ours), np.abs(theirs))
        apart = np.abs(ours - theirs)[scale > 0.0] / scale[scale > 0.0]
        largest = max(largest, float(np.nanmax(apart, initial=0.0)))
        largest = 1.0 if (np.isnan(ours) != np.isnan(theirs)).any() else largest
    return largest


def _pairs(
    given: Lines, other: Lines, shift: int, first: int, stop: int
) -> Iterator[tuple[str, npt.NDArray[Any], npt.NDArray[Any]]]:
    """The indicators of both that are numbers per bar, in bars [first, stop)."""
    for name, ours in given.items():
        theirs = other.get(name)
        if not (isinstance(ours, np.ndarray) and isinstance(theirs, np.ndarray)):
            continue
        if not (ours.ndim and theirs.ndim and ours.dtype.kind in "fiub" and theirs.dtype.kind in "fiub"):
            continue
        a, b = ours[..., first:stop], theirs[..., first - shift : stop - shift]
        if a.shape == b.shape and a.shape[-1] == stop - first:
            yield str(name), a, b


def _weight(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _equal(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    same: npt.NDArray[np.bool_] = (a == b) | ((a != a) & (b != b))
    return same
