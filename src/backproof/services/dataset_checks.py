"""What a backtest asks of its data and they cannot give, as field errors with the codes that the engine has for it."""

import datetime as dt
import difflib
from collections.abc import Iterable, Sequence

from backproof.domain.config import BacktestConfig
from backproof.errors import FieldError
from backproof.storage.lake import Series

# a run may ask for a start on a holiday or weekend before the first bar, and an end after the last one
CALENDAR_SLACK = dt.timedelta(days=7)
_NAMED = 5  # symbols in a message


def unknown_symbol(symbol: str, source: str, timeframe: str, known: Iterable[str]) -> str:
    """The sentence that says so, with the nearest name."""
    names = sorted(known)
    same = [name for name in names if name.upper() == symbol.upper()]
    near = same or difflib.get_close_matches(symbol.upper(), names, n=1, cutoff=0.6)
    hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(names[:10])}{', …' if len(names) > 10 else ''}"
    return f"{source} has no {timeframe} bars of {symbol!r}; {hint}"


def date_errors(config: BacktestConfig, source: str, traded: Sequence[Series]) -> list[FieldError]:
    """Dates outside the data, with the range that is there."""
    first, last = min(series.first for series in traded), max(series.last for series in traded)
    there = f"the bars of {source} for these symbols go from {first} to {last}"
    errors = []
    for name, date in (("start_date", config.start_date), ("end_date", config.end_date)):
        if date is not None and not first - CALENDAR_SLACK <= date <= last + CALENDAR_SLACK:
            errors.append(FieldError(f"/{name}", "outside_the_data", f"{date} is outside the data: {there}"))
    return errors


def close_only_errors(config: BacktestConfig, traded: Sequence[Series]) -> list[FieldError]:
    """What needs open, high and low, where the data have closes only."""
    lacking = [series.symbol for series in traded if series.close_only]
    if not lacking:
        return []
    errors = []
    if config.execution.fill == "next_open":
        data = f"the data of {_names(lacking)} is close-only"
        message = f"next_open needs open prices, and {data}: take next_close or same_close"
        errors.append(FieldError("/execution/fill", "no_open_prices", message))
    message = f"stops need open, high and low, and the data of {_names(lacking)} is close-only"
    return errors + [FieldError(f"/risk/{name}", "no_high_and_low", message) for name in config.risk.levels]


def raw_mode_errors(without_events: Sequence[str]) -> list[FieldError]:
    """without_events: symbols whose adjusted closes move, and no split or dividend says why."""
    if not without_events:
        return []
    message = (
        f"raw prices need their splits and dividends (split_ratio, dividend), and the data of {_names(without_events)} "
        "has adjusted closes only: use adjusted"
    )
    return [FieldError("/execution/price_mode", "no_events", message)]


def _names(symbols: Sequence[str]) -> str:
    return ", ".join(symbols[:_NAMED]) + (", …" if len(symbols) > _NAMED else "")
