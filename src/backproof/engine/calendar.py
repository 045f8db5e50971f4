"""Calendars: which day a bar belongs to, how many days a year has, and where weeks, months and quarters end."""

import datetime as dt
from dataclasses import dataclass
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from backproof.errors import DataError

Period = Literal["daily", "weekly", "monthly", "quarterly"]
IntArray = npt.NDArray[np.int64]
DateArray = npt.NDArray[np.datetime64]

EXCHANGE_DAYS, ALL_DAYS, WEEKS = 252.0, 365.0, 52.0
MINUTES = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60}  # of the intraday timeframes
_HOUR_US = 3_600_000_000


@dataclass(frozen=True, slots=True)
class Calendar:
    """Where a market is: its days are those of `zone`, and a year has `days_per_year` of them."""

    name: str
    zone: str
    days_per_year: float


_EXCHANGES = {
    "XNYS": "America/New_York",
    "XNAS": "America/New_York",
    "XTSE": "America/Toronto",
    "XLON": "Europe/London",
    "XPAR": "Europe/Paris",
    "XAMS": "Europe/Amsterdam",
    "XETR": "Europe/Berlin",
    "XSWX": "Europe/Zurich",
    "XKRX": "Asia/Seoul",
    "XTKS": "Asia/Tokyo",
    "XHKG": "Asia/Hong_Kong",
    "XSHG": "Asia/Shanghai",
    "XBOM": "Asia/Kolkata",
    "XASX": "Australia/Sydney",
}
CALENDARS = {name: Calendar(name, zone, EXCHANGE_DAYS) for name, zone in _EXCHANGES.items()} | {
    "24/7": Calendar("24/7", "UTC", ALL_DAYS)
}
DEFAULT_CALENDAR = "XNYS"


def find_calendar(name: str) -> Calendar:
    """A calendar by the code of its exchange (ISO 10383), or 24/7 for markets that never close."""
    calendar = CALENDARS.get(name)
    if calendar is None:
        raise DataError(f"there is no calendar {name!r}; there are {', '.join(CALENDARS)}", calendar=name)
    return calendar


def local_days(moments: DateArray, zone: str) -> DateArray:
    """The day on the market's clock of each moment: datetime64[D]. moments: UTC, increasing."""
    if zone == "UTC" or not len(moments):
        return moments.astype("datetime64[D]")
    microseconds = moments.astype("datetime64[us]").astype(np.int64)
    hours = microseconds // _HOUR_US  # clocks change on whole hours of UTC
    distinct, place = np.unique(hours, return_inverse=True)
    clock = ZoneInfo(zone)
    offsets = np.array([_offset(clock, int(hour)) for hour in distinct], dtype=np.int64)
    return (microseconds + offsets[place]).astype("datetime64[us]").astype("datetime64[D]")


def _offset(clock: ZoneInfo, hour: int) -> int:
    """Microseconds that the clock is ahead of UTC at an hour since 1970."""
    moment = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(hours=hour)
    ahead = moment.astimezone(clock).utcoffset()
    return 0 if ahead is None else ahead // dt.timedelta(microseconds=1)


def days_spanned(days: DateArray) -> int:
    """Calendar days from the first to the last of some days, 0 without any."""
    return int((days[-1] - days[0]).astype(np.int64)) if len(days) else 0


def last_of_each(days: DateArray) -> IntArray:
    """Index of the last bar of every day: [number of days], increasing."""
    changes = np.flatnonzero(days[1:] != days[:-1])
    return np.append(changes, len(days) - 1).astype(np.int64) if len(days) else changes.astype(np.int64)


def period_numbers(days: DateArray, period: Period) -> IntArray:
    """A number per day that is equal for days of one period. Weeks are ISO weeks, Monday to Sunday."""
    numbers: IntArray = days.astype("datetime64[D]").astype(np.int64)
    if period == "daily":
        return numbers
    if period == "weekly":
        return (numbers + 3) // 7  # 1970-01-01 was a Thursday
    months: IntArray = days.astype("datetime64[M]").astype(np.int64)
    return months if period == "monthly" else months // 3


def period_ends(days: DateArray, first: int, period: Period, also_first: bool = False) -> IntArray:
    """Bars from `first` on whose next bar lies in another period; the last bar is none, its period may go on.

    days:       of the calendar's bars up to the run's last one, never decreasing
    also_first: count bar `first` too
    """
    numbers = period_numbers(days[first:], period)
    ends = np.flatnonzero(numbers[1:] != numbers[:-1]) + first
    if also_first and len(numbers) and (not len(ends) or ends[0] != first):
        ends = np.concatenate([np.array([first], dtype=ends.dtype), ends])
    return ends.astype(np.int64)
