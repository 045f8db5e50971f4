"""Periods of a run's calendar: which bar is the last of its week, month or quarter."""

from typing import Literal

import numpy as np
import numpy.typing as npt

Period = Literal["daily", "weekly", "monthly", "quarterly"]
IntArray = npt.NDArray[np.int64]


def period_numbers(dates: npt.NDArray[np.datetime64], period: Period) -> IntArray:
    """A number per date that is equal for dates of one period. Weeks are ISO weeks, Monday to Sunday."""
    days: IntArray = dates.astype("datetime64[D]").astype(np.int64)
    if period == "daily":
        return days
    if period == "weekly":
        return (days + 3) // 7  # 1970-01-01 was a Thursday
    months: IntArray = dates.astype("datetime64[M]").astype(np.int64)
    return months if period == "monthly" else months // 3


def period_ends(dates: npt.NDArray[np.datetime64], first: int, period: Period, also_first: bool = False) -> IntArray:
    """Bars from `first` on whose next bar lies in another period; the last bar is none, its period may go on.

    dates:      calendar up to the run's last bar, increasing
    also_first: count bar `first` too
    """
    numbers = period_numbers(dates[first:], period)
    ends = np.flatnonzero(numbers[1:] != numbers[:-1]) + first
    if also_first and len(numbers) and (not len(ends) or ends[0] != first):
        ends = np.concatenate([np.array([first], dtype=ends.dtype), ends])
    return ends.astype(np.int64)
