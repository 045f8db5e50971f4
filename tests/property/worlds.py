"""Random markets and configurations: late listings, holes, delistings, every option the engine has."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

SIGNAL_KINDS = ("sma_crossover", "rsi_mean_reversion", "donchian_breakout", "scripted_signals")
WEIGHT_KINDS = ("buy_and_hold", "equal_weight", "momentum_top_n", "scripted_weights")


@dataclass(frozen=True)
class World:
    """bars: columns per symbol as in a conformance case; config: a configuration for them."""

    bars: dict[str, dict[str, list[Any]]]
    config: dict[str, Any]

    @property
    def run_dates(self) -> list[str]:
        dates = sorted({date for symbol in self.config["symbols"] for date in self.bars[symbol]["date"]})
        start = self.config.get("start_date")
        return [date for date in dates if start is None or date >= start]


def market(rng: np.random.Generator, symbols: list[str], count: int, holes: bool) -> dict[str, dict[str, list[Any]]]:
    """Random walks over weekdays; some symbols list late, end early or miss bars, some have dividends and splits."""
    day, dates = dt.date(2023, 11, 20), []
    while len(dates) < count:
        if day.weekday() < 5:
            dates.append(day.isoformat())
        day += dt.timedelta(days=1)
    bars = {}
    for number, symbol in enumerate(symbols):
        first = int(rng.integers(0, count // 3)) if holes and number and rng.random() < 0.4 else 0
        last = int(rng.integers(count // 2, count)) if holes and number and rng.random() < 0.3 else count
        keep = np.arange(first, last)
        if holes and rng.random() < 0.5:
            inner = rng.random(len(keep)) > 0.15
            inner[[0, -1]] = True
            keep = keep[inner]
        size = len(keep)
        close = 20.0 * np.exp(np.cumsum(rng.normal(0.0, 0.04, size)))
        open_ = close * np.exp(rng.normal(0.0, 0.02, size))
        high = np.maximum(open_, close) * (1.0 + 0.02 * rng.random(size))
        low = np.minimum(open_, close) * (1.0 - 0.02 * rng.random(size))
        columns: dict[str, list[Any]] = {"date": [dates[i] for i in keep]}
        columns |= {"open": open_.tolist(), "high": high.tolist(), "low": low.tolist(), "close": close.tolist()}
        if rng.random() < 0.3:
            dividend, ratio = np.zeros(size), np.ones(size)
            dividend[size // 2], ratio[size // 3] = 0.5, 2.0
            columns |= {"dividend": dividend.tolist(), "split_ratio": ratio.tolist()}
        elif rng.random() < 0.3:
            columns["adj_close"] = (close * np.linspace(0.5, 0.9, size)).tolist()
        bars[symbol] = columns
    return bars


@st.composite
def worlds(draw: st.DrawFn, kinds: tuple[str, ...] = SIGNAL_KINDS + WEIGHT_KINDS, holes: bool = True) -> World:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1), label="seed"))
    kind = draw(st.sampled_from(kinds), label="strategy")
    by_weight = kind in WEIGHT_KINDS
    long_only_kind = kind in ("buy_and_hold", "equal_weight", "momentum_top_n")
    symbols = ["B", "C", "A", "D"][: draw(st.integers(1, 4), label="symbols")]
    bars = market(rng, symbols, draw(st.integers(30, 70), label="bars"), holes)
    directions = ["long_only", "long_short"] if long_only_kind else ["long_only", "short_only", "long_short"]
    direction = draw(st.sampled_from(directions), label="direction")
    sizing: dict[str, Any] = draw(
        st.sampled_from(
            [
                {"type": "percent_equity", "value": None},
                {"type": "percent_equity", "value": 0.7},
                {"type": "percent_equity", "value": 1.5},
                {"type": "fixed_shares", "value": 30.0},
                {"type": "fixed_cash", "value": 3000.0},
            ]
        ),
        label="sizing",
    )
    config: dict[str, Any] = {
        "name": "random",
        "symbols": symbols,
        "initial_capital": 10000.0,
        "execution": {
            "fill": draw(st.sampled_from(["next_open", "next_close", "same_close"]), label="fill"),
            "fractional_shares": draw(st.booleans(), label="fractional"),
            "direction": direction,
            "max_leverage": draw(st.sampled_from([0.8, 1.0, 2.0]), label="leverage"),
            "sizing": sizing,
        },
        "costs": {
            "commission_rate": draw(st.sampled_from([0.0, 0.002, 0.05]), label="rate"),
            "commission_per_share": draw(st.sampled_from([0.0, 0.01]), label="per share"),
            "commission_fixed": draw(st.sampled_from([0.0, 2.5, 700.0]), label="fixed"),
            "commission_min": draw(st.sampled_from([0.0, 6.0, 40.0]), label="minimum"),
            "slippage_bps": draw(st.sampled_from([0.0, 7.0, 150.0]), label="slippage"),
        },
    }
    if draw(st.booleans(), label="start in the middle"):
        every = sorted({date for columns in bars.values() for date in columns["date"]})
        config["start_date"] = every[int(rng.integers(1, len(every) // 2))]
    world = World(bars, config)
    config["strategy_type"] = "scripted" if kind.startswith("scripted") else kind
    config["parameters"] = _parameters(rng, kind, direction, world)
    if by_weight:
        del config["execution"]["sizing"]
    return world


def _parameters(rng: np.random.Generator, kind: str, direction: str, world: World) -> dict[str, Any]:
    def pick(low: int, high: int) -> int:
        return int(rng.integers(low, high + 1))

    schedule = {
        "rebalance": str(rng.choice(["daily", "weekly", "monthly", "quarterly"])),
        "exposure": float(rng.choice([0.9, 1.0, 1.6])),
        "start": str(rng.choice(["schedule", "first_bar"])),
    }
    match kind:
        case "sma_crossover":
            return {"fast": pick(2, 5), "slow": pick(6, 12), "signal": str(rng.choice(["level", "cross"]))}
        case "rsi_mean_reversion":
            return {"period": pick(2, 6), "oversold": 40.0, "overbought": 60.0}
        case "donchian_breakout":
            return {"entry": pick(6, 9), "exit": pick(2, 5)}
        case "buy_and_hold":
            return {}
        case "equal_weight":
            return schedule
        case "momentum_top_n":
            return {**schedule, "lookback": pick(3, 9), "skip": pick(0, 2), "top": pick(1, 3)}
        case "scripted_signals":
            wishes = ["", "", "", "enter_long", "enter_short", "exit"]
            return {
                "signals": {
                    symbol: [str(rng.choice(wishes)) for _ in world.bars[symbol]["date"]]
                    for symbol in world.config["symbols"]
                }
            }
    low, high = {"long_only": (0.0, 0.9), "short_only": (-0.9, 0.0), "long_short": (-0.6, 0.6)}[direction]
    return {
        "weights": {
            symbol: [
                None if rng.random() < 0.7 else float(rng.choice([0.0, rng.uniform(low, high)]))
                for _ in world.run_dates
            ]
            for symbol in world.config["symbols"]
        }
    }
