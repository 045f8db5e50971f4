"""Markets written bar by bar, where highs and lows matter."""

from typing import Any

from markets import Columns, days

from backproof.engine.result import Result

Candle = tuple[float, float, float, float]  # open, high, low, close


def candles(*bars: Candle, dates: list[str] | None = None, **more: list[Any]) -> Columns:
    """Columns of one symbol; more: split_ratio, dividend, adj_close."""
    opens, highs, lows, closes = (list(column) for column in zip(*bars, strict=True))
    return {"date": dates or days(len(bars)), "open": opens, "high": highs, "low": lows, "close": closes, **more}


def still(price: float) -> Candle:
    return (price, price, price, price)


def stories(result: Result) -> list[tuple[int, str, float, str, str]]:
    """(bar, side, price, reason, when in the bar) of every fill, the price rounded to 9 decimals."""
    return [
        (int(f["bar"]), str(f["side"]), round(float(f["price"]), 9), str(f["reason"]), str(f["at"]))
        for f in result.fills
    ]
