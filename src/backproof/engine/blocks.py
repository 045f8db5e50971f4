"""Blocks of a grid: signal strategies that share bars are decided one by one and simulated in one compiled call."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from backproof.domain.config import BacktestConfig
from backproof.engine import layout as l
from backproof.engine.arrays import Actions, FloatArray, IntArray, Market, MaskArray
from backproof.engine.bars import Bars, Memory, Panel, RunBars
from backproof.engine.calendar import days_spanned, last_of_each
from backproof.engine.decisions import Signals, checked_mask
from backproof.engine.rows import ROW_SIZE, WORK_ROWS, simulate_rows
from backproof.engine.scale import Scale
from backproof.engine.setup import Rules, market_of, run_of
from backproof.engine.strategies import Strategy
from backproof.engine.strategies.failures import failure
from backproof.errors import BackproofError, StrategyError

_BLOCK_BYTES = 4_000_000  # of signals decided before they are simulated
_BLOCK_ROWS = 2_048

Room = dict[str, Any]


@dataclass(frozen=True, eq=False)
class World:
    """Bars that runs share: W groups of N symbols, each traded by itself.

    market: arrays [W, N, T]; firsts, ended: int64 [W, N]; actions.first: [W, N + 1]
    ends: bars whose values give returns (the last of each day of intraday bars), empty for all
    """

    run: RunBars
    market: Market
    firsts: IntArray
    ended: IntArray
    actions: Actions
    ends: IntArray

    @classmethod
    def of(cls, config: BacktestConfig, bars: Bars, memory: Memory, *, by_day: bool, apart: bool) -> "World":
        """The bars of a configuration.

        memory: for their indicators; by_day: returns are those of days; apart: each symbol is a group of its own
        """
        panel = bars.panel(config.symbols)
        run = run_of(config, bars, panel)
        market, actions = market_of(config, panel)
        count = len(config.symbols)
        groups, size = (count, 1) if apart else (1, count)
        first = np.column_stack([actions.first[:-1], actions.first[1:]]) if apart else actions.first.reshape(1, -1)
        days = run.days[run.first :]
        return cls(
            run=RunBars(panel, run.first, run.stop, memory),
            market=Market(*(prices.reshape(groups, size, -1) for prices in market)),
            firsts=panel.firsts.reshape(groups, size),
            ended=run.ended.reshape(groups, size),
            actions=Actions(np.ascontiguousarray(first), actions.bars, actions.values),
            ends=last_of_each(days) if by_day else np.zeros(0, dtype=np.int64),
        )

    @property
    def groups(self) -> int:
        return len(self.firsts)

    @property
    def bars(self) -> int:
        return self.run.stop - self.run.first

    @property
    def points(self) -> int:
        """Values whose returns count."""
        return len(self.ends) or self.bars

    @property
    def calendar_days(self) -> int:
        return days_spanned(self.run.days[self.run.first :])

    def jobs_per_block(self, threads: int, jobs: int) -> int:
        """So many that a block's signals stay small, and that no thread is idle."""
        cells = self.firsts.size * self.run.stop
        most = min(_BLOCK_BYTES // cells, _BLOCK_ROWS // self.groups, -(-jobs // threads))
        return max(1, most)


def alone_on(panel: Panel, n: int) -> bool:
    """Symbol n has a bar on every date of the panel, so that running it alone is running its row."""
    return bool(panel.counts[n] == len(panel.dates))


class Job(NamedTuple):
    """One strategy with its settings; rows: where its numbers go, one for each group of the world."""

    rows: list[int]
    strategy: Strategy
    rules: Rules
    scale: Scale
    capital: float


def run_block(world: World, jobs: list[Job], rows: FloatArray, room: Room) -> None:
    """Decide and simulate; room: this thread's working arrays, kept from block to block."""
    run, groups, symbols = world.run, world.groups, world.firsts.shape[1]
    count = len(jobs) * groups
    signals = np.empty((count, symbols, run.stop), dtype=np.uint8)
    by_job = signals.reshape(len(jobs), groups * symbols, run.stop)
    for i, job in enumerate(jobs):
        by_job[i] = _decide(job.strategy, run)
    numbers = np.repeat([job.rules.numbers for job in jobs], groups, axis=0)
    choices = np.repeat([job.rules.choices for job in jobs], groups, axis=0)
    capital = np.repeat([job.capital for job in jobs], groups)
    risk_free = np.repeat([job.scale.risk_free for job in jobs], groups)
    _make_room(room, symbols, world.bars)
    worlds = np.tile(np.arange(groups), len(jobs))
    out = np.empty((count, ROW_SIZE))
    done = 0
    while done < count:
        done = simulate_rows(
            signals,
            worlds,
            *world.market,
            world.firsts,
            world.ended,
            run.panel.gaps,
            *world.actions,
            numbers,
            choices,
            capital,
            risk_free,
            world.ends,
            run.first,
            world.bars,
            room["state"],
            room["orders"],
            room["account"],
            room["counters"],
            room["keys"],
            room["values"],
            room["plan"],
            room["scratch"],
            room["work"],
            room["levels"],
            room["weights_at"],
            out,
            done,
        )
        if done < count:  # the ledger was too small for one row
            room.update(_ledger(2 * len(room["keys"])))
    rows[[row for job in jobs for row in job.rows]] = out


def _decide(strategy: Strategy, run: RunBars) -> MaskArray:
    name, shape = strategy.name, (len(run.symbols), run.stop)
    try:
        given = strategy.signals(run, strategy.indicators(run))  # type: ignore[attr-defined]
    except (BackproofError, MemoryError):
        raise
    except Exception as error:
        raise failure(name, error, f" with {strategy.p!r}") from error
    if isinstance(given, Signals) and given.levels is not None:
        raise StrategyError(f"{name}: signals with prices need a class that says `waits = True`", strategy=name)
    return checked_mask(given.mask if isinstance(given, Signals) else given, name, shape)


def _make_room(room: Room, symbols: int, bars: int) -> None:
    if room.get("shape") == (symbols, bars):
        return
    room.update(
        shape=(symbols, bars),
        state=np.empty((l.STATE_ROWS, symbols)),
        orders=np.empty((l.ORDER_ROWS, symbols), dtype=np.int64),
        account=np.empty(l.ACCOUNT_SIZE),
        counters=np.empty(l.COUNTER_SIZE, dtype=np.int64),
        plan=np.empty((l.PLAN_ROWS, symbols), dtype=np.int64),
        scratch=np.empty((l.SCRATCH_ROWS, symbols)),
        work=np.empty((WORK_ROWS, bars)),
        levels=np.zeros((1, 1)),
        weights_at=np.zeros(0, dtype=np.int64),
    )
    room.update(_ledger(256 + 2 * l.RECORDS_PER_BAR * symbols))


def _ledger(rows: int) -> Room:
    return {"keys": np.empty((rows, l.KEY_COLUMNS), dtype=np.int64), "values": np.empty((rows, l.VALUE_COLUMNS))}
