"""Hours in which a branch works: what is due in so many of them is due when they have passed."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_SATURDAY = 5


@dataclass(frozen=True)
class OfficeHours:
    """Monday to Friday; `closed_on` are holidays, `open_on` the weekends worked in their stead."""

    opens: time
    closes: time
    closed_on: frozenset[date] = frozenset()
    open_on: frozenset[date] = frozenset()

    def after(self, start: datetime, hours: int, zone: ZoneInfo) -> datetime:
        """The moment at which `hours` of working time have passed since `start`."""
        left = timedelta(hours=hours)
        day = start.astimezone(zone).date()
        while True:
            begins = max(start, datetime.combine(day, self.opens, zone))
            ends = datetime.combine(day, self.closes, zone)
            if self.works(day) and begins < ends:
                if left <= ends - begins:
                    return begins + left
                left -= ends - begins
            day += timedelta(days=1)

    def works(self, day: date) -> bool:
        return day in self.open_on or (day.weekday() < _SATURDAY and day not in self.closed_on)
