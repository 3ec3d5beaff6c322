"""Who may be contacted when, written down a second time: in plain Python, from the rules and not from the code.

Nothing of `services` is asked here. The oracle is told what happens in the bank, and says of each contact that
is actually made, at its moment, which rules forbid it.
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from shared.contracts.events import CustomerState

ZONE = ZoneInfo("Asia/Shanghai")
GLOBAL_HOLD_OUT = 0.02
_SLACK = timedelta(minutes=1)
"""Moments are read before and after: what lies so close to the end of a time is not judged."""


def place(salt: str, customer: UUID) -> float:
    """In [0, 1): the first 53 bits of a salted hash."""
    return (int.from_bytes(sha256(f"{salt}:{customer}".encode()).digest()[:8], "big") >> 11) / 2.0**53


@dataclass(frozen=True)
class Rules:
    """A contact policy's newest version."""

    cap: int
    days: int
    cool_down: int
    quiet: tuple[time, time] | None
    weekends: bool
    rest_days: frozenset[date]

    def body(self, key: str) -> dict[str, Any]:
        quiet = {"start": str(self.quiet[0]), "end": str(self.quiet[1])} if self.quiet else None
        return {
            "key": key,
            "name": {"zh": "任意", "en": "Any"},
            "cap": {"contacts": self.cap, "days": self.days},
            "cool_down_days": self.cool_down,
            "quiet_hours": quiet,
            "rest_on_weekends": self.weekends,
            "rest_days": sorted(str(day) for day in self.rest_days),
        }

    def rest(self, at: datetime) -> bool:
        local = at.astimezone(ZONE)
        if local.date() in self.rest_days or (self.weekends and local.isoweekday() > 5):
            return True
        if self.quiet is None:
            return False
        start, end = self.quiet
        hour = local.time()
        return start <= hour < end if start < end else hour >= start or hour < end


@dataclass(frozen=True)
class Way:
    """An arm: what it asks of the customer, and how dangerous its offer is."""

    key: str
    share: float
    consent: str
    risk: int


@dataclass
class Plan:
    id: UUID
    hold_out: float
    ways: list[Way]
    org: str
    ends_on: date
    status: str = "running"
    held: set[UUID] = field(default_factory=set)
    """Whom the ledger holds out."""

    def way(self, customer: UUID) -> Way | None:
        """Of the hash; None: held out."""
        at, upper = place(f"arm/{self.id}", customer), self.hold_out
        if at < upper:
            return None
        for way in self.ways:
            upper += way.share
            if at < upper:
                return way
        return self.ways[-1]


@dataclass(frozen=True)
class Line:
    """A contact that may be made."""

    id: UUID
    customer: UUID
    plan: Plan
    arm: str


@dataclass
class Oracle:
    rules: Rules
    files: dict[UUID, CustomerState] = field(default_factory=dict)
    suppressed: list[tuple[UUID, str | None, datetime | None]] = field(default_factory=list)
    made: dict[UUID, tuple[Line, datetime]] = field(default_factory=dict)
    """Each contact once, at the last time it was tried."""
    by_hand: list[tuple[UUID, datetime]] = field(default_factory=list)
    refused: list[tuple[UUID, datetime]] = field(default_factory=list)
    joined: dict[UUID, datetime] = field(default_factory=dict)
    """By the file that was merged: since when the bank knows."""

    def person(self, customer: UUID) -> UUID:
        return self.files[customer].merged_into or customer

    def contacted(self, line: Line, at: datetime) -> None:
        self.made[line.id] = (line, at)

    def forbids(self, line: Line, before: datetime, after: datetime) -> set[str]:
        """The rules by which nobody may make this contact at any moment between the two."""
        return self._forbids(line, before) & self._forbids(line, after)

    def must_be_left_alone(self, customer: UUID, at: datetime, channel: str) -> bool:
        """Whoever asked for it, by any file; whoever is never contacted; whoever is no customer any more."""
        person = self.person(customer)
        return (
            self._told(person, at, channel)
            or place("global-hold-out", person) < GLOBAL_HOLD_OUT
            or self.files[person].status != "active"
        )

    def _told(self, person: UUID, at: datetime, channel: str) -> bool:
        return any(
            self.person(one) == person and which in {None, channel} and (until is None or until > at + _SLACK)
            for one, which, until in self.suppressed
        )

    def _forbids(self, line: Line, at: datetime) -> set[str]:
        person = self.person(line.customer)
        way = line.plan.way(line.customer)
        state, today = self.files[person], at.astimezone(ZONE).date()
        wrong = {
            "campaign": line.plan.status != "running" or today > line.plan.ends_on,
            "hold-out": way is None or way.key != line.arm or person in line.plan.held,
            "global hold-out": place("global-hold-out", person) < GLOBAL_HOLD_OUT,
            "twice": self._twice(line),
            "inactive": state.status != "active",
            "moved": state.org != line.plan.org and not state.org.startswith(line.plan.org + "."),
            "cap": self._recent(line, at) >= self.rules.cap,
            "cool-down": any(
                self.person(one) == person and then > at - timedelta(days=self.rules.cool_down) + _SLACK
                for one, then in self.refused
            ),
            "rest": self.rules.rest(at),
        }
        found = {name for name, holds in wrong.items() if holds}
        return found if way is None else found | self._personal(person, state, way, at)

    def _personal(self, person: UUID, state: CustomerState, way: Way, at: datetime) -> set[str]:
        level = int(state.risk_level[1]) if state.risk_level else 0
        valid = state.risk_valid_until or date.min
        wrong = {
            "do not contact": self._told(person, at, way.consent),
            "consent": not state.consents.get(way.consent),
            "suitability": level < way.risk or valid < at.astimezone(ZONE).date(),
        }
        return {name for name, holds in wrong.items() if holds}

    def _twice(self, line: Line) -> bool:
        """By another line of the campaign; where both had begun before the bank knew, one of them goes on."""
        return any(
            other.plan is line.plan and (line.id not in self.made or then > self._known_since(line, other))
            for other, then in self._others(line)
        )

    def _known_since(self, one: Line, other: Line) -> datetime:
        known = [self.joined[each.customer] for each in (one, other) if each.customer in self.joined]
        return max(known, default=datetime.min.replace(tzinfo=UTC))

    def _others(self, line: Line) -> list[tuple[Line, datetime]]:
        """Contacts of the person that were made, but for this one."""
        person = self.person(line.customer)
        return [
            (other, then)
            for other, then in self.made.values()
            if other.id != line.id and self.person(other.customer) == person
        ]

    def _recent(self, line: Line, at: datetime) -> int:
        since = at - timedelta(days=self.rules.days) + _SLACK
        person = self.person(line.customer)
        hands = [then for one, then in self.by_hand if self.person(one) == person]
        return sum(then > since for then in [*hands, *(then for _, then in self._others(line))])
