"""Random markets for the library of strategies, and what its tests compute themselves: in plain Python, bar by bar."""

import datetime as dt
import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from harness import bars_of
from markets import Columns, days

from backproof.domain.config import BacktestConfig, parse_config
from backproof.engine.decisions import Signals, Weights
from backproof.engine.simulation import Simulation

Market = dict[str, Columns]


def columns(dates: list[str], seed: int, drift: float = 0.0, scale: float = 0.03, ticks: bool = False) -> Columns:
    """A random walk. ticks: prices are multiples of a quarter, so that values meet exactly."""
    rng = np.random.default_rng(seed)
    closes = 50.0 * np.exp(np.cumsum(rng.normal(drift, scale, len(dates))))
    opens = closes * np.exp(rng.normal(0.0, scale / 3, len(dates)))
    highs = np.maximum(opens, closes) * np.exp(np.abs(rng.normal(0.0, scale / 3, len(dates))))
    lows = np.minimum(opens, closes) * np.exp(-np.abs(rng.normal(0.0, scale / 3, len(dates))))
    prices = {"open": opens, "high": highs, "low": lows, "close": closes}
    if ticks:
        prices = {name: np.maximum(np.round(values * 4.0), 1.0) / 4.0 for name, values in prices.items()}
    return {"date": dates, **{name: values.tolist() for name, values in prices.items()}}


def kept(given: Columns, keep: Callable[[int], bool]) -> Columns:
    """Only some of its bars."""
    return {name: [value for i, value in enumerate(values) if keep(i)] for name, values in given.items()}


def random_market(seed: int, count: int = 150, ticks: bool = False, start: str = "2024-01-02") -> Market:
    """B is whole, A has holes, D is listed late, C ends early and has holes."""
    rng = np.random.default_rng(1000 + seed)
    dates = days(count, start)
    holes = {symbol: set(rng.choice(np.arange(1, count - 1), count // 8, replace=False)) for symbol in "AC"}
    late, early = count // 4, count - count // 6
    whole = {
        symbol: columns(dates, 10 * seed + n, 0.001 * n, 0.015 + 0.01 * n, ticks) for n, symbol in enumerate("BACD")
    }
    return {
        "B": whole["B"],
        "A": kept(whole["A"], lambda i: i not in holes["A"]),
        "C": kept(whole["C"], lambda i: i < early and i not in holes["C"]),
        "D": kept(whole["D"], lambda i: i >= late),
    }


def config_of(strategy: str, market: Market, parameters: dict[str, Any] | None = None, **more: Any) -> BacktestConfig:
    if strategy == "pairs_spread":
        more = {"execution": {"direction": "long_short"}, **more}
    given = {"name": "x", "strategy_type": strategy, "symbols": list(market), "parameters": parameters or {}, **more}
    return parse_config(given)


def decide(market: Market, strategy: str, parameters: dict[str, Any] | None = None, **more: Any) -> Any:
    """What the strategy decides for the market: Signals or Weights."""
    simulation = Simulation(config_of(strategy, market, parameters, **more), bars_of(market))
    simulation.prepare()
    return simulation.decisions


def bits(market: Market, strategy: str, parameters: dict[str, Any], **more: Any) -> np.ndarray:
    decided = decide(market, strategy, parameters, **more)
    assert isinstance(decided, Signals)
    return decided.mask


def weights(market: Market, strategy: str, parameters: dict[str, Any], **more: Any) -> dict[int, dict[str, float]]:
    decided = decide(market, strategy, parameters, **more)
    assert isinstance(decided, Weights)
    rows = zip(decided.at.tolist(), decided.values.tolist(), strict=True)
    return {at: dict(zip(market, row, strict=True)) for at, row in rows}


@dataclass(frozen=True)
class Own:
    """One symbol's own bars: where on the calendar, and their prices."""

    bars: list[int]
    open: list[float]
    high: list[float]
    low: list[float]
    close: list[float]

    def last(self, t: int) -> int:
        """Number of its last own bar by calendar bar t, -1 before the first."""
        return sum(bar <= t for bar in self.bars) - 1

    def volatility(self, i: int, lookback: int) -> float | None:
        """Sample deviation of the `lookback` returns up to own bar i."""
        if i < lookback:
            return None
        return statistics.stdev(self.close[j] / self.close[j - 1] - 1.0 for j in range(i - lookback + 1, i + 1))

    def growth(self, i: int, lookback: int) -> float | None:
        return self.close[i] / self.close[i - lookback] - 1.0 if i >= lookback else None


@dataclass(frozen=True)
class Plain:
    """A market in plain Python."""

    dates: list[str]
    own: dict[str, Own]

    @classmethod
    def of(cls, market: Market) -> "Plain":
        dates = sorted({date for one in market.values() for date in one["date"]})
        place = {date: t for t, date in enumerate(dates)}
        return cls(
            dates,
            {
                symbol: Own([place[date] for date in one["date"]], one["open"], one["high"], one["low"], one["close"])
                for symbol, one in market.items()
            },
        )

    def listed(self, t: int) -> list[str]:
        """Symbols that have had their first bar and have not ended."""
        end = len(self.dates) - 1
        return [s for s, one in self.own.items() if one.bars[0] <= t and (one.bars[-1] == end or t < one.bars[-1])]

    def period_ends(self, rebalance: str) -> list[int]:
        """Bars whose next bar lies in another period."""

        def period(date: str) -> Any:
            day = dt.date.fromisoformat(date)
            return {
                "daily": day,
                "weekly": tuple(day.isocalendar())[:2],
                "monthly": (day.year, day.month),
                "quarterly": (day.year, (day.month - 1) // 3),
            }[rebalance]

        return [t for t in range(len(self.dates) - 1) if period(self.dates[t]) != period(self.dates[t + 1])]

    def scores(self, t: int, score: Callable[[Own, int], float | None]) -> dict[str, float]:
        """A number of each listed symbol at its last own bar, where it has one."""
        found = {s: score(self.own[s], self.own[s].last(t)) for s in self.listed(t)}
        return {s: value for s, value in found.items() if value is not None}


def best(scores: dict[str, float], top: int) -> list[str]:
    """The symbols with the greatest scores, of equals the first by name."""
    return sorted(scores, key=lambda s: (-scores[s], s))[:top]


# --- indicators


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def sma(values: list[float], period: int) -> list[float]:
    return [mean(values[i - period + 1 : i + 1]) if i >= period - 1 else math.nan for i in range(len(values))]


def ema(values: list[float], period: int) -> list[float]:
    line = [math.nan] * len(values)
    for i in range(period - 1, len(values)):
        if i == period - 1:
            line[i] = mean(values[:period])
        else:
            line[i] = line[i - 1] + (values[i] - line[i - 1]) * 2.0 / (period + 1)
    return line


def true_range(own: Own, i: int) -> float:
    before = own.close[i - 1]
    return max(own.high[i] - own.low[i], abs(own.high[i] - before), abs(own.low[i] - before))


def atr(own: Own, period: int) -> list[float]:
    """Wilder's, seeded by the plain mean of the first `period` ranges."""
    line = [math.nan] * len(own.close)
    for i in range(period, len(line)):
        if i == period:
            line[i] = mean([true_range(own, j) for j in range(1, period + 1)])
        else:
            line[i] = (line[i - 1] * (period - 1) + true_range(own, i)) / period
    return line


def rsi(values: list[float], period: int) -> list[float]:
    """Wilder's, seeded by the plain mean of the first `period` moves."""
    line, up, down = [math.nan] * len(values), 0.0, 0.0
    for i in range(1, len(values)):
        gain, loss = max(values[i] - values[i - 1], 0.0), max(values[i - 1] - values[i], 0.0)
        if i <= period:
            up, down = up + gain / period, down + loss / period
        else:
            up, down = (up * (period - 1) + gain) / period, (down * (period - 1) + loss) / period
        if i >= period:
            line[i] = 100.0 * up / (up + down) if up + down else 0.0
    return line
