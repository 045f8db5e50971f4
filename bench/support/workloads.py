"""The rows' bars and configurations, in this product's terms."""

from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa

from backproof.engine.bars import Bars
from backproof.engine.frames import Series
from support import data

Config = dict[str, Any]


def bars_of(prices: data.Prices, calendar: str = "XNYS") -> Bars:
    """Through the same door as everyone's prices: a long frame."""
    count = len(prices.symbols)
    columns: dict[str, Any] = {
        "symbol": np.repeat(prices.symbols, len(prices.dates)),
        "timestamp": np.tile(prices.dates, count),
    }
    for name in ("open", "high", "low", "close"):
        columns[name] = getattr(prices, name).T.ravel()
    return Bars.from_frame(pa.table(columns), calendar=calendar)


@cache
def single() -> Bars:
    return bars_of(data.single())


@cache
def wide() -> Bars:
    return bars_of(data.wide())


@cache
def portfolio() -> Bars:
    return bars_of(data.portfolio())


@cache
def long() -> Bars:
    return bars_of(data.long(), "24/7")


def crowd(cells: int, symbols: int = 40) -> tuple[Bars, Config]:
    """`cells` bar-symbols of minutes. Made without a frame, which would hold a second copy of the largest ones."""
    bars = cells // symbols
    dates, ones = data.minutes(bars), np.ones(bars)
    series = []
    for number in range(symbols):
        prices = [np.ascontiguousarray(a[:, 0]) for a in data.ohlc(100 + number, bars, 1, 0.0005, 0.0, (20, 200))]
        series.append(Series(f"S{number:03}", dates, *prices, ones, None, close_only=False))
    config = sma([one.symbol for one in series], commission=data.FEE_MINUTES, timeframe="1m")
    return Bars(series, "24/7"), config


def sma(symbols: list[str], commission: float = data.FEE, **config: Any) -> Config:
    return {
        "name": "bench",
        "strategy_type": "sma_crossover",
        "parameters": {"fast": data.FAST, "slow": data.SLOW, "signal": "cross"},
        "symbols": symbols,
        "costs": {"commission_rate": commission},
        **config,
    }


def minutes(stops: bool) -> Config:
    risk = {"stop_loss": 0.005, "take_profit": 0.01, "trailing_stop": 0.007} if stops else {}
    return sma(["S000"], data.FEE_MINUTES, timeframe="1m", risk=risk)


def plain(strategy: str, symbols: list[str], **parameters: Any) -> Config:
    return {
        "name": "bench",
        "strategy_type": strategy,
        "parameters": parameters,
        "symbols": symbols,
        "costs": {"commission_rate": data.FEE},
    }
