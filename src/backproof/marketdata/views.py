"""Bars as a person looks at them: adjusted or raw, cut to some dates, thinned out, as JSON-plain rows."""

import datetime as dt
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from backproof.domain.clock import MarketClock
from backproof.marketdata.adjust import adjustment_factors, volume_factors

if TYPE_CHECKING:
    import pyarrow as pa

Array: TypeAlias = np.ndarray[Any, Any]

_PRICES = ("open", "high", "low", "close")


def rows_between(dates: Array, start: dt.date | None, end: dt.date | None, clock: MarketClock) -> tuple[int, int]:
    """Half-open range of rows whose day on the market's clock is between the two dates, both inclusive."""
    whole_days = dates.dtype == np.dtype("datetime64[D]")
    first, last = 0, len(dates)
    if start is not None:
        bound = np.datetime64(start, "D") if whole_days else _plain(clock.begin(start))
        first = int(np.searchsorted(dates, bound, side="left"))
    if end is not None:
        bound = np.datetime64(end, "D") if whole_days else _plain(clock.end(end))
        last = int(np.searchsorted(dates, bound, side="right"))
    return first, max(first, last)


def _plain(moment: dt.datetime) -> np.datetime64:
    return np.datetime64(moment.replace(tzinfo=None), "us")


def price_view(table: "pa.Table", adjusted: bool) -> tuple[Array, dict[str, Array]]:
    """Dates and columns of one symbol's table. Adjusted bars show no events: they are in the prices."""
    columns: dict[str, Array] = {name: table[name].to_numpy() for name in table.column_names[2:]}
    dates = table.column(1).to_numpy()
    adj_close = columns.pop("adj_close", None)
    if adj_close is not None and "close" not in columns:
        return dates, {"close": adj_close}
    dividend, split_ratio = columns.get("dividend"), columns.get("split_ratio")
    if not adjusted:
        return dates, columns
    factors = adjustment_factors(columns["close"], adj_close, dividend, split_ratio)
    shown = {name: columns[name] * factors for name in _PRICES if name in columns}
    if "volume" in columns:
        shown["volume"] = columns["volume"] * volume_factors(split_ratio, len(dates))
    return dates, shown


def downsampled(dates: Array, columns: dict[str, Array], points: int) -> tuple[Array, dict[str, Array]]:
    """Stretches of (nearly) equally many bars as one bar each: first open, highest high, lowest low, last close."""
    edges = np.linspace(0, len(dates), points + 1).astype(np.int64)
    how = {"high": np.maximum, "low": np.minimum, "split_ratio": np.multiply}
    starts, ends = edges[:-1], edges[1:] - 1
    reduced: dict[str, Array] = {}
    for name, values in columns.items():
        if name in ("open", "close"):
            reduced[name] = values[starts if name == "open" else ends]
        else:
            reduced[name] = how.get(name, np.add).reduceat(values, starts)
    return dates[starts], reduced


def json_rows(dates: Array, columns: dict[str, Array]) -> list[dict[str, Any]]:
    """A dict per bar; None for a number that JSON does not have."""
    days = dates.dtype == np.dtype("datetime64[D]")
    texts = np.datetime_as_string(dates, unit="D" if days else "s", timezone="naive" if days else "UTC").tolist()
    lists = [
        values.tolist() if np.isfinite(values).all() else [x if np.isfinite(x) else None for x in values.tolist()]
        for values in columns.values()
    ]
    names = ["date", *columns]
    return [dict(zip(names, row, strict=True)) for row in zip(texts, *lists, strict=True)]
