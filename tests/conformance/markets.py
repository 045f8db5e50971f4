"""Small markets written as lists of prices, and configurations with everything else at its default."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

from harness import bars_of, simulate_given

from backproof.engine.result import Result

Columns = dict[str, list[Any]]


def days(count: int, start: str = "2024-01-02") -> list[str]:
    """`count` weekdays from `start` on."""
    day, result = dt.date.fromisoformat(start), []
    while len(result) < count:
        if day.weekday() < 5:
            result.append(day.isoformat())
        day += dt.timedelta(days=1)
    return result


def prices(closes: Sequence[float], opens: Sequence[float] | None = None, dates: list[str] | None = None) -> Columns:
    """Columns of one symbol; the open is the close where not given, high and low enclose both."""
    opens = list(closes) if opens is None else list(opens)
    return {
        "date": dates or days(len(closes)),
        "open": opens,
        "high": [max(pair) for pair in zip(opens, closes, strict=True)],
        "low": [min(pair) for pair in zip(opens, closes, strict=True)],
        "close": list(closes),
    }


def without(columns: Columns, *bars: int) -> Columns:
    """The same symbol without some of its bars."""
    return {name: [value for i, value in enumerate(values) if i not in bars] for name, values in columns.items()}


def run(market: dict[str, Columns], strategy: str, parameters: dict[str, Any] | None = None, **config: Any) -> Result:
    given = {
        "name": "test",
        "strategy_type": strategy,
        "parameters": parameters or {},
        "symbols": [symbol for symbol in market if symbol != config.get("benchmark")],
        "initial_capital": 1000.0,
        **config,
    }
    return simulate_given(given, bars_of(market))


def run_signals(market: dict[str, Columns], signals: dict[str, list[str]], **config: Any) -> Result:
    """Decisions at the close of each of the symbol's own bars: "", enter_long, enter_short, exit."""
    padded = {
        symbol: [*signals.get(symbol, []), *[""] * (len(columns["date"]) - len(signals.get(symbol, [])))]
        for symbol, columns in market.items()
    }
    return run(market, "scripted", {"signals": padded}, **config)


def run_weights(market: dict[str, Columns], weights: dict[str, list[float | None]], **config: Any) -> Result:
    """Weights decided at each bar of the run, None = leave."""
    count = len({date for columns in market.values() for date in columns["date"]})
    padded = {symbol: [*given, *[None] * (count - len(given))] for symbol, given in weights.items()}
    return run(market, "scripted", {"weights": padded}, **config)


def fills(result: Result) -> list[tuple[int, str, str, float, float]]:
    """(bar, symbol, side, shares, price) of every fill, rounded to 9 decimals."""
    return [
        (int(f["bar"]), str(f["symbol"]), str(f["side"]), round(float(f["shares"]), 9), round(float(f["price"]), 9))
        for f in result.fills
    ]


def codes(result: Result) -> set[str]:
    return {notice.code for notice in result.notices}
