"""Who is away from a campaign's work, and who stands in."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from shared.contracts.campaign.absences import AbsenceState
from shared.errors import FieldError

LONGEST_DAYS = 3 * 366
"""Of an absence; and nobody's work is planned for longer."""


@dataclass(frozen=True)
class Away:
    """A manager's days away, both ends included. `org`: the branch in which the substitute stands in."""

    manager: str
    org: str
    starts_on: date
    ends_on: date
    substitute: str | None = None
    id: UUID | None = None

    def covers(self, day: date) -> bool:
        return self.starts_on <= day <= self.ends_on


@dataclass(frozen=True)
class StandIn:
    """Who works for an absent manager: `substitute` for customers of `org`; for others, and without one,
    whoever else looks after the customer. `absence`: with whose end the work goes back.
    """

    org: str | None = None
    substitute: str | None = None
    absence: UUID | None = None


def working_days(start: date, end: date, works: Callable[[date], bool]) -> list[date]:
    """Days that are worked from start to end, both included; every day where none is. At most the first
    `LONGEST_DAYS` are looked at.
    """
    length = min((end - start).days + 1, LONGEST_DAYS)
    days = [start + timedelta(days=offset) for offset in range(length)]
    return [day for day in days if works(day)] or days


def stand_ins(absences: Iterable[Away], days: Collection[date], share: float) -> Mapping[str, StandIn]:
    """Every manager who is away on more than `share` of `days`, with the substitute if that one is there.

    Who is away less keeps the customers: the work is due on the days on which they are there.
    """
    missed: dict[str, set[date]] = {}
    named: dict[str, Away] = {}
    for absence in absences:
        covered = {day for day in days if absence.covers(day)}
        missed.setdefault(absence.manager, set()).update(covered)
        longest = named.get(absence.manager)
        if longest is None or sum(map(longest.covers, days)) < len(covered):
            named[absence.manager] = absence
    away = {manager for manager, lost in missed.items() if len(lost) > share * len(days)}
    return {
        manager: StandIn(named[manager].org, named[manager].substitute, named[manager].id)
        if named[manager].substitute and named[manager].substitute not in away
        else StandIn(absence=named[manager].id)
        for manager in away
    }


def state_of(starts_on: date, ends_on: date, today: date, *, cancelled: bool) -> AbsenceState:
    if cancelled:
        return "cancelled"
    if today < starts_on:
        return "coming"
    return "now" if today <= ends_on else "over"


def period_errors(starts_on: date, ends_on: date, today: date) -> list[FieldError]:
    if ends_on < starts_on:
        return [FieldError("/ends_on", "is before the first day")]
    if ends_on < today:
        return [FieldError("/ends_on", "has passed")]
    if (ends_on - starts_on).days >= LONGEST_DAYS:
        return [FieldError("/ends_on", f"is {LONGEST_DAYS} days or more after the first")]
    return []
