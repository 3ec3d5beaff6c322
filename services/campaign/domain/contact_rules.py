"""A contact policy as it is applied: caps, cool-down, and the hours in which a contact may begin."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_SATURDAY = 5
_FARTHEST_DAYS = 800
DAY_MINUTES = 24 * 60


@dataclass(frozen=True)
class ContactRules:
    """`ref` names policy and version, as kept with every refusal."""

    ref: str
    cap: int
    cap_days: int
    cool_down_days: int = 0
    quiet: tuple[time, time] | None = None
    rest_on_weekends: bool = False
    rest_days: frozenset[date] = frozenset()

    def next_allowed(self, at: datetime, zone: ZoneInfo) -> datetime | None:
        """`at` itself when a contact may begin then, else the first moment after it; None if there is none
        within two years.
        """
        local = at.astimezone(zone)
        last = local.date() + timedelta(days=_FARTHEST_DAYS)
        while local.date() <= last:
            if self.rests(local.date()):
                local = _at(local.date() + timedelta(days=1), time(), zone)
            elif (end := self._quiet_until(local, zone)) is not None:
                local = end
            else:
                return local
        return None

    def rests(self, day: date) -> bool:
        return day in self.rest_days or (self.rest_on_weekends and day.weekday() >= _SATURDAY)

    def open_minutes(self, day: date, since: time = time.min) -> int:
        """Of the day from `since` on, those in which a contact may begin."""
        if self.rests(day):
            return 0
        begins = _minute(since)
        return sum(max(until - max(start, begins), 0) for start, until in self._open_spans())

    @property
    def minutes_a_day(self) -> int:
        """In which contacts may begin, of a day that is not rested."""
        return sum(until - start for start, until in self._open_spans())

    def _open_spans(self) -> list[tuple[int, int]]:
        if self.quiet is None:
            return [(0, DAY_MINUTES)]
        start, end = map(_minute, self.quiet)
        return [(0, start), (end, DAY_MINUTES)] if start < end else [(end, start)]

    def _quiet_until(self, local: datetime, zone: ZoneInfo) -> datetime | None:
        if self.quiet is None:
            return None
        start, end = self.quiet
        now, today = local.time(), local.date()
        if start < end:
            return _at(today, end, zone) if start <= now < end else None
        if now >= start:
            return _at(today + timedelta(days=1), end, zone)
        return _at(today, end, zone) if now < end else None


def _minute(at: time) -> int:
    return at.hour * 60 + at.minute


def _at(day: date, hour: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, hour, zone)
