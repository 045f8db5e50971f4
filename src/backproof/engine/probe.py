"""Probes: does a strategy know prices it cannot know yet, and does it need more history than it says?

Look-ahead: the prices after some bar t are changed, and every decision up to t must stay what it was, bit by bit.
Amnesia: history before the run is taken away, and what a strategy that decides bar by bar keeps outside its state.
A probe looks at some bars and some changes: it finds, it does not prove. A strategy is trusted code.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from backproof.domain.config import BacktestConfig
from backproof.engine import probe_data
from backproof.engine.arrays import IntArray
from backproof.engine.bars import Bars, RunBars
from backproof.engine.calendar import period_numbers
from backproof.engine.probe_answers import Answer, Difference, Recording, Subject, Value, changed_lines, lines_apart
from backproof.engine.probe_data import PRICE_CHANGES, Change, Futures, shortened
from backproof.engine.strategies import Strategy
from backproof.errors import BackproofError, InvalidInput, StrategyError

Verdict = Literal["clean", "looks ahead"]
AmnesiaVerdict = Literal["clean", "remembers", "forgets", "not measured"]

_SPREAD = (8, 24)  # bars over the run, and as many on which something new is decided: least, most
_SPREAD_CELLS = 400_000  # bars x symbols of all of them together
_SPREAD_BY_BAR = 3
_LAST = (1, 2, 3, 4, 7)  # bars before the run's end
_ENDS = 3  # runs that end earlier
_RESUMED = 64  # bars on which a run is resumed, where not on every one
_HISTORIES = 10  # lengths of history tried at most, each twice the one before (four times, bar by bar)
_SOME_HISTORY = 16  # where a strategy needs none
_MUCH_HISTORY = (8, 256)  # times the warm-up, and bars at least: where the run itself has too little before it
_MOST_FAILURES = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """A decision that changed when only later prices did (`resumed`: when the run was interrupted).

    change: what was done to the bars after t; t: bar of the run (from 0) up to which prices stayed as they are
    bar:    the first bar with another decision, of the run, from 0; date: its own
    given, changed: what was decided with the real prices and with the changed ones; None: the weight was left as it is
    """

    change: Change | Literal["resumed"]
    t: int
    t_date: str
    bar: int
    date: str
    symbol: str
    given: Value
    changed: Value


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """What the look-ahead probe saw.

    finding:     the difference on the earliest bar, of those from changed prices if there are any; None: there is none
    bars_ahead:  how far ahead of its decision it reads, at least
    comparisons: changed futures whose decisions were compared with the given ones
    cuts:        the bars t of the run that were tried
    indicators:  names of the strategy's indicators that changed too
    notes:       what else a reader should know, one sentence each
    """

    strategy: str
    version: str
    form: str
    verdict: Verdict
    finding: Finding | None
    bars_ahead: int | None
    comparisons: int
    cuts: tuple[int, ...]
    indicators: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def clean(self) -> bool:
        return self.verdict == "clean"

    def to_dict(self) -> dict[str, Any]:
        """JSON-plain."""
        return _plain_fields(self)


@dataclass(frozen=True, slots=True)
class HistoryCheck:
    """What a shorter history changed.

    history:   each symbol's own bars before the run
    decisions: how many bars of the run had other decisions; largest: by how much at most (1 where it is no number)
    indicator: by how much an indicator differed at most, as a fraction of it
    """

    history: int
    decisions: int
    largest: float
    indicator: float

    @property
    def agrees(self) -> bool:
        return not self.decisions


@dataclass(frozen=True, slots=True)
class AmnesiaReport:
    """What the amnesia probe saw.

    verdict:  clean: `warmup` bars of history give the decisions that all of it gives · remembers: it depends on more
              history, as averages without end do by nature · forgets: a resumed run would decide otherwise, because
              the strategy keeps something outside ctx.state · not measured: the bars are too few
    warmup:   bars the strategy says it needs; enough: the least history tried from which decisions agree, None when
              only all of it gives them; available: bars there are before `start`
    start:    date from which decisions were compared
    checks:   per length of history
    lost:     the first bar that a resumed run decides otherwise
    """

    strategy: str
    version: str
    form: str
    verdict: AmnesiaVerdict
    warmup: int
    enough: int | None
    available: int
    start: str | None
    bars: int
    checks: tuple[HistoryCheck, ...]
    lost: Finding | None
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON-plain."""
        return _plain_fields(self)


@dataclass(frozen=True, slots=True)
class Probes:
    """Both probes of one strategy."""

    lookahead: ProbeReport
    amnesia: AmnesiaReport

    @property
    def passed(self) -> bool:
        """It neither looks ahead nor loses what it must keep. (To remember history is no fault.)"""
        return self.lookahead.clean and self.amnesia.verdict != "forgets"

    def to_dict(self) -> dict[str, Any]:
        """JSON-plain."""
        return {"passed": self.passed, "lookahead": self.lookahead.to_dict(), "amnesia": self.amnesia.to_dict()}


Config: TypeAlias = Mapping[str, object] | BacktestConfig


def probe(config: Config, bars: Bars, *, strategy: type[Strategy] | None = None, seed: int = 0) -> Probes:
    """Both probes. config, bars, strategy: as for `simulate`, which also says what is raised."""
    lookahead = probe_lookahead(config, bars, strategy=strategy, seed=seed)
    return Probes(lookahead, probe_amnesia(config, bars, strategy=strategy))


# ---- look-ahead -----------------------------------------------------------------------------------------------


def probe_lookahead(
    config: Config,
    bars: Bars,
    *,
    strategy: type[Strategy] | None = None,
    cuts: Sequence[int] | None = None,
    seed: int = 0,
) -> ProbeReport:
    """Whether decisions change when only later prices do.

    cuts: bars t of the run, from 0, after which prices are cut off, replaced by noise of the symbol's own scale and by
          its mirror image, or reversed, with the dates kept; without it some over the whole run, the bars of decisions,
          the first and the last ones. Also the run itself is ended early, at ends of weeks and months, which shows
          decisions that depend on its length or its last date.
    seed: of the noise; equal seeds give equal reports

    Raises what `simulate` raises, and StrategyError for a strategy that answers on none of the changed bars.
    """
    subject = Subject.of(config, bars, strategy)
    run = subject.run
    given = _given(subject)
    last = len(run.panel.dates) - 2  # after it nothing can be changed
    tried = _default_cuts(subject, given.decided(run.first), last) if cuts is None else _given_cuts(cuts, run, last)
    look = _Look(subject, given, Futures(run.panel, seed))
    for i, t in enumerate(tried):
        for change in _changes(subject, i):
            if change != "reversed" or t < last:  # one bar is its own reverse
                look.at(change, t)
    for t in _ends(run) if cuts is None else []:
        look.at("run ends", t)
    return look.report(tuple(t - run.first for t in tried))


class _Look:
    """The comparisons so far."""

    def __init__(self, subject: Subject, given: Answer, futures: Futures) -> None:
        self._subject = subject
        self._given = given
        self._futures = futures
        self._comparisons = 0
        self._found: list[tuple[Change, int, Difference]] = []
        self._lines: dict[str, None] = {}
        self._failures: dict[str, str] = {}

    def at(self, change: Change, t: int) -> None:
        """Change what comes after calendar bar t and compare the decisions up to it."""
        run = self._subject.run
        panel = self._futures.changed(change, t)
        changed = RunBars(panel, run.first, min(run.stop, len(panel.dates)))
        try:
            answer = self._subject.answer(changed, t + 1)
        except BackproofError as error:
            self._failures.setdefault(change, error.message)
            return
        self._comparisons += 1
        if (difference := self._given.difference(answer, run.first, t + 1)) is not None:
            self._found.append((change, t, difference))
        for name in changed_lines(self._given.lines, answer.lines, run.first, t + 1):
            self._lines[name] = None

    def report(self, cuts: tuple[int, ...]) -> ProbeReport:
        subject = self._subject
        if not cuts:
            raise InvalidInput.at("", "too_few_bars", "a probe needs a run with a bar after its first one")
        if not self._comparisons:
            name, reason = subject.config.strategy_type, next(iter(self._failures.values()))
            raise StrategyError(f"{name} answers on none of the changed bars: {reason}", strategy=name)
        # a run that ends earlier moves what looks at the end; prices show where it is in the run itself
        first = min(self._found, key=lambda found: (found[0] == "run ends", found[2].bar, found[1]), default=None)
        return ProbeReport(
            strategy=subject.kind.name,
            version=subject.kind.version,
            form=subject.form,
            verdict="clean" if first is None else "looks ahead",
            finding=None if first is None else _finding(subject.run, *first),
            bars_ahead=max((t + 1 - found.bar for _, t, found in self._found), default=None),
            comparisons=self._comparisons,
            cuts=cuts,
            indicators=tuple(self._lines),
            notes=tuple(self._notes()),
        )

    def _notes(self) -> list[str]:
        notes = []
        if self._lines and not self._found:
            names = ", ".join(self._lines)
            notes.append(f"indicators change with later prices, though no decision did: {names}")
        if self._found and all(change == "run ends" for change, _, _ in self._found):
            notes.append("decisions depend on when the run ends: on its last date or its number of bars, not on prices")
        failed = list(self._failures.items())[:_MOST_FAILURES]
        notes += [f"no answer where later prices were changed ({change}): {message}" for change, message in failed]
        return notes


def _finding(run: RunBars, change: Change | Literal["resumed"], t: int, difference: Difference) -> Finding:
    return Finding(
        change=change,
        t=t - run.first,
        t_date=str(run.panel.dates[t]),
        bar=difference.bar - run.first,
        date=str(run.panel.dates[difference.bar]),
        symbol=run.symbols[difference.symbol],
        given=difference.given,
        changed=difference.other,
    )


def _given(subject: Subject) -> Answer:
    """What it decides on the real prices, checked as a run would check it, and again."""
    run, name = subject.run, subject.config.strategy_type
    copy = probe_data.same(run.panel)
    given = subject.answer(RunBars(copy, run.first, run.stop), check=True)
    for ours, theirs in zip(run.panel.adjusted, copy.adjusted, strict=True):
        if not np.array_equal(ours, theirs, equal_nan=True):
            raise StrategyError(f"{name} changes the prices it is given", strategy=name)
    again = subject.answer(RunBars(copy, run.first, run.stop))
    if (difference := given.difference(again, run.first, run.stop)) is not None:
        symbol, date = run.symbols[difference.symbol], str(run.panel.dates[difference.bar])
        message = f"{name} decides otherwise when it is asked again: {symbol} on {date}: {difference.given}, then "
        raise StrategyError(f"{message}{difference.other}", strategy=name, symbol=symbol, date=date)
    return given


def _given_cuts(cuts: Sequence[int], run: RunBars, last: int) -> list[int]:
    total = min(run.stop, last + 1) - run.first
    for i, t in enumerate(cuts):
        if not 0 <= t < total:
            raise InvalidInput.at(f"/cuts/{i}", "outside_run", f"a cut is a bar of the run, 0 to {total - 1}")
    return sorted({run.first + int(t) for t in cuts})


def _changes(subject: Subject, i: int) -> tuple[Change, ...]:
    """What to try at the i-th cut: everything, but of strategies that decide bar by bar every simulation counts."""
    return ("noise", "mirrored noise", ("cut", "reversed")[i % 2]) if subject.by_bar else PRICE_CHANGES


def _spread(subject: Subject) -> int:
    if subject.by_bar:
        return _SPREAD_BY_BAR
    least, most = _SPREAD
    return max(least, min(most, _SPREAD_CELLS // (len(subject.run.symbols) * subject.run.stop)))


def _default_cuts(subject: Subject, decided: IntArray, last: int) -> list[int]:
    """Calendar bars: the first and last ones, some over the run, and some on which something new is decided."""
    first, stop, spread = subject.run.first, subject.run.stop, _spread(subject)
    bars = {first, first + 1, *(stop - back for back in (_LAST[:3] if subject.by_bar else _LAST))}
    bars |= {int(t) for t in np.linspace(first, stop - 2, spread + 2)[1:-1]}
    if len(decided):
        bars |= {int(decided[0]) - 1, int(decided[0]), int(decided[0]) + 1}
        bars |= {int(decided[i]) for i in np.linspace(0, len(decided) - 1, spread).astype(np.int64)}
    return sorted(t for t in bars if first <= t <= min(stop - 1, last))


def _ends(run: RunBars) -> list[int]:
    """Calendar bars after which the run is ended early: ends of a quarter and a week at once, if there are any.

    A schedule knows the calendar: it must not look different because its last month was cut in two.
    """
    days = run.days[run.first :]
    weeks, months = period_numbers(days, "weekly"), period_numbers(days, "monthly")
    week = weeks[1:] != weeks[:-1]
    month = months[1:] != months[:-1]
    quarter = months[1:] // 3 != months[:-1] // 3
    for ends in (quarter & week, month & week, month, week, np.ones(len(week), dtype=np.bool_)):
        found = np.flatnonzero(ends[:-1])  # the bar after t is there, and another one that can be taken away
        if len(found):
            picked = np.unique(found[np.linspace(0, len(found) - 1, _ENDS).astype(np.int64)])
            return [int(t) + run.first for t in picked]
    return []


# ---- amnesia --------------------------------------------------------------------------------------------------


def probe_amnesia(config: Config, bars: Bars, *, strategy: type[Strategy] | None = None) -> AmnesiaReport:
    """Whether decisions depend on more history than the strategy says it needs, and on what a resumed run has lost.

    The run is decided with the last `warmup` bars before it, twice as many, and so on up to all. Where there is too
    little history before the run, decisions are compared from a later bar on.
    """
    subject = Subject.of(config, bars, strategy)
    run, warmup = subject.run, subject.warmup
    lost = _lost(subject) if subject.by_bar else None
    first = _compared_from(run, warmup)
    checks: list[HistoryCheck] = []
    notes: list[str] = []
    if first is not None:
        later = subject.starting(first)
        whole = later.answer(RunBars(probe_data.same(run.panel), first, run.stop))
        for history in _histories(warmup, first, 4 if subject.by_bar else 2):
            short = shortened(run.panel, first, run.stop, max(history, int(subject.by_bar)))
            try:
                answer = later.answer(short.run)
            except BackproofError as error:
                notes.append(f"no answer with {history} bars of history: {error.message}")
                continue
            count, largest = whole.shifted(short.skipped).distance(answer, short.run.first, short.run.stop)
            apart = lines_apart(whole.lines, answer.lines, short.skipped, first, run.stop)
            checks.append(HistoryCheck(history, count, largest, apart))
    enough = _enough(checks)
    verdict: AmnesiaVerdict
    if lost is not None:
        verdict = "forgets"
    elif not checks:
        verdict = "not measured"
    else:
        verdict = "clean" if enough is not None and enough <= warmup else "remembers"
    return AmnesiaReport(
        strategy=subject.kind.name,
        version=subject.kind.version,
        form=subject.form,
        verdict=verdict,
        warmup=warmup,
        enough=enough,
        available=0 if first is None else first,
        start=None if first is None else str(run.panel.dates[first]),
        bars=0 if first is None else run.stop - first,
        checks=tuple(checks),
        lost=lost,
        notes=tuple(notes),
    )


def _compared_from(run: RunBars, warmup: int) -> int | None:
    """Calendar bar; None when there is no room for some history and some decisions."""
    room = max(2 * warmup, _SOME_HISTORY)
    much = max(_MUCH_HISTORY[0] * warmup, _MUCH_HISTORY[1])
    first = run.first if run.first >= room else max(run.first, min(much, (run.first + run.stop) // 2))
    if not warmup < first < run.stop - 1:
        return None
    day = int(np.searchsorted(run.days, run.days[first]))  # a run starts with a day
    return day if day > warmup else None


def _histories(warmup: int, available: int, factor: int) -> list[int]:
    """Own bars before the run: warmup, then `factor` times as many again and again, below all there are."""
    lengths, length = [warmup], max(factor * warmup, _SOME_HISTORY)
    while length < available and len(lengths) < _HISTORIES:
        lengths.append(length)
        length *= factor
    return lengths


def _enough(checks: list[HistoryCheck]) -> int | None:
    """The least history from which on all agree."""
    enough = None
    for check in reversed(checks):
        if not check.agrees:
            break
        enough = check.history
    return enough


def _lost(subject: Subject) -> Finding | None:
    """What it decides otherwise when it is made anew on every bar, or when another run comes between."""
    run = subject.run
    interrupted = _simulation(subject)
    interrupted.advance(interrupted.total_bars // 2)
    whole = _simulation(subject)
    whole.advance(whole.total_bars)
    interrupted.advance(interrupted.total_bars)
    for other in (_resumed(subject, whole), interrupted):
        if isinstance(other, Finding):
            return other
        if (difference := whole.placed.difference(other.placed, run.first, run.stop)) is not None:
            return _finding(run, "resumed", difference.bar, difference)
    return None


def _resumed(subject: Subject, whole: Recording) -> Recording | Finding:
    """A run whose strategy is made anew on every bar; where that fails, because its indicators prepare it, on some."""
    run = subject.run
    anew = _simulation(subject, forgetful=True)
    try:
        anew.advance(anew.total_bars)
        return anew
    except StrategyError:
        anew = _simulation(subject)
    anew.renewed = frozenset(np.linspace(run.first, run.stop - 1, _RESUMED).astype(np.int64).tolist())
    try:
        anew.advance(anew.total_bars)
    except StrategyError as error:
        bar = run.first + anew.position - 1
        given = whole.placed.difference(anew.placed, bar, bar + 1)
        difference = Difference(bar, given.symbol if given else 0, given.given if given else "no order", error.message)
        return _finding(run, "resumed", bar, difference)
    return anew


def _simulation(subject: Subject, *, forgetful: bool = False) -> Recording:
    return subject.simulation(probe_data.same(subject.run.panel), forgetful=forgetful)


def _plain_fields(report: "ProbeReport | AmnesiaReport") -> dict[str, Any]:
    fields: dict[str, Any] = _plain(asdict(report))
    return fields


def _plain(value: Any) -> Any:
    """asdict's answer with numbers that JSON has."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
