"""A market's own days, where its bars are stamped in UTC."""

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class MarketClock:
    """Whose days the bars of a data source have.

    calendar: code of the exchange (ISO 10383), or 24/7
    zone:     name of its time zone in the tz database
    """

    calendar: str
    zone: str

    def begin(self, day: dt.date) -> dt.datetime:
        """The moment, in UTC, at which the day begins."""
        try:
            return dt.datetime.combine(day, dt.time(), ZoneInfo(self.zone)).astimezone(dt.UTC)
        except OverflowError:  # the first day of time itself, east of Greenwich
            return dt.datetime.min.replace(tzinfo=dt.UTC)

    def end(self, day: dt.date) -> dt.datetime:
        """The day's last microsecond, in UTC."""
        try:
            return self.begin(day + dt.timedelta(days=1)) - dt.timedelta(microseconds=1)
        except OverflowError:
            return dt.datetime.max.replace(tzinfo=dt.UTC)

    def day_of(self, moment: dt.datetime) -> dt.date:
        """The day on this clock. moment: aware."""
        return moment.astimezone(ZoneInfo(self.zone)).date()


NEW_YORK = MarketClock("XNYS", "America/New_York")  # where nothing else is said
