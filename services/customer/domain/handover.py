"""Who takes over from whom: every customer keeps an active manager A and an active manager B. No I/O."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Held:
    """A customer in the portfolio of who hands over, who is its primary or its backup manager."""

    customer_id: UUID
    org: str
    primary: str | None
    backup: str | None
    kind: str = "person"
    categories: frozenset[str] = frozenset()
    assets: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Person:
    """A member of staff. `load`: customers as primary and as backup together."""

    code: str
    org: str
    active: bool = True
    manager: bool = True
    load: int = 0


@dataclass(frozen=True, slots=True)
class Filter:
    """Which customers somebody takes; empty takes all."""

    kind: str | None = None
    categories: frozenset[str] = frozenset()
    orgs: tuple[str, ...] = ()
    min_assets: Decimal | None = None
    max_assets: Decimal | None = None

    def takes(self, one: Held) -> bool:
        return (
            self.kind in {None, one.kind}
            and (not self.categories or not self.categories.isdisjoint(one.categories))
            and (not self.orgs or any(covers(org, one.org) for org in self.orgs))
            and (self.min_assets is None or one.assets >= self.min_assets)
            and (self.max_assets is None or one.assets < self.max_assets)
        )


@dataclass(frozen=True, slots=True)
class Taker:
    """A receiver; `weight` relative to the others."""

    staff: str
    weight: Decimal = Decimal(1)
    filter: Filter | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """New managers named for one customer; none keeps who is there, unless it is who hands over."""

    primary: str | None = None
    backup: str | None = None


@dataclass(frozen=True, slots=True)
class Strategy:
    name: str
    takers: tuple[Taker, ...] = ()
    choices: Mapping[UUID, Choice] = field(default_factory=dict)
    keep_in_branch: bool = True


@dataclass(frozen=True, slots=True)
class Move:
    """The owners of a customer after the handover."""

    held: Held
    org: str
    primary: str | None
    backup: str | None


@dataclass(slots=True)
class Planned:
    """One move for every customer, and why some may not happen."""

    moves: list[Move] = field(default_factory=list)
    violations: list[tuple[UUID, str]] = field(default_factory=list)


def covers(above: str, org: str) -> bool:
    """Whether the unit `above` is `org` or contains it."""
    return org == above or org.startswith(above + ".")


def plan(leaver: str, portfolio: Iterable[Held], staff: Mapping[str, Person], strategy: Strategy) -> Planned:
    """The new owners of every customer of `leaver`; the same arguments give the same plan."""
    planner = _Planner(leaver, staff, strategy)
    planned = Planned()
    for one in sorted(portfolio, key=lambda held: held.customer_id):
        move = planner.move(one)
        planned.moves.append(move)
        planned.violations += [(one.customer_id, why) for why in continuity(move, leaver, staff)]
    return planned


def continuity(move: Move, leaver: str, staff: Mapping[str, Person]) -> list[str]:
    """What is wrong with the owners after `move`: nothing when both are there, active, apart and in reach."""
    wrong = []
    for role, code in (("primary", move.primary), ("backup", move.backup)):
        person = staff.get(code) if code else None
        if code is None:
            wrong.append(f"has no {role} manager")
        elif code == leaver:
            wrong.append(f"keeps {code} as {role} manager")
        elif person is None or not person.active:
            wrong.append(f"the {role} manager {code} is not active staff you can see")
        elif not covers(person.org, move.org):
            wrong.append(f"the {role} manager {code} of {person.org} does not cover {move.org}")
    if move.primary is not None and move.primary == move.backup:
        wrong.append("primary and backup manager are the same")
    return wrong


class _Planner:
    """Keeps count of who got how much while it goes through the customers."""

    def __init__(self, leaver: str, staff: Mapping[str, Person], strategy: Strategy) -> None:
        self._leaver, self._staff, self._strategy = leaver, staff, strategy
        self._load = {code: person.load for code, person in staff.items()}
        self._taken = dict.fromkeys((taker.staff for taker in strategy.takers), 0)
        self._colleagues: dict[str, list[Person]] = {}

    def move(self, one: Held) -> Move:
        choice = self._strategy.choices.get(one.customer_id)
        if choice is not None:
            return self._counted(
                Move(
                    one,
                    one.org,
                    choice.primary or self._staying(one.primary),
                    choice.backup or self._staying(one.backup),
                )
            )
        if self._strategy.name == "backup_takes_over":
            return self._counted(self._backup_takes_over(one))
        if self._strategy.name == "receivers":
            return self._counted(self._received(one))
        return Move(one, one.org, self._staying(one.primary), self._staying(one.backup))

    def _backup_takes_over(self, one: Held) -> Move:
        primary = self._usable(one.backup if one.primary == self._leaver else one.primary, one.org)
        primary = primary or self._colleague(one.org, ())
        return Move(one, one.org, primary, self._colleague(one.org, (primary,)))

    def _received(self, one: Held) -> Move:
        as_primary = one.primary == self._leaver
        other = one.backup if as_primary else one.primary
        taker = self._taker(one, other)
        if taker is None:
            return Move(one, one.org, self._staying(one.primary), self._staying(one.backup))
        home = self._staff[taker].org
        org = one.org if covers(home, one.org) else home
        kept = self._usable(other, org) or self._colleague(org, (taker,))
        return Move(one, org, taker, kept) if as_primary else Move(one, org, kept, taker)

    def _taker(self, one: Held, other: str | None) -> str | None:
        fitting = [taker for taker in self._strategy.takers if self._fits(taker, one, other)]
        fitting = [taker for taker in fitting if taker.filter] or fitting
        if not fitting:
            return None
        best = max(fitting, key=lambda taker: taker.weight / (self._taken[taker.staff] + 1))
        self._taken[best.staff] += 1
        return best.staff

    def _fits(self, taker: Taker, one: Held, other: str | None) -> bool:
        person = self._staff.get(taker.staff)
        return (
            person is not None
            and taker.staff != other
            and (taker.filter is None or taker.filter.takes(one))
            and (not self._strategy.keep_in_branch or covers(person.org, one.org))
        )

    def _colleague(self, org: str, without: Sequence[str | None]) -> str | None:
        """The nearest manager who covers `org`, of those the one with the least to do."""
        if org not in self._colleagues:
            self._colleagues[org] = [
                person
                for person in self._staff.values()
                if person.active
                and person.manager
                and person.code != self._leaver
                and covers(person.org, org)
            ]
        fitting = [person for person in self._colleagues[org] if person.code not in without]
        if not fitting:
            return None
        return min(fitting, key=lambda p: (-p.org.count("."), self._load[p.code], p.code)).code

    def _usable(self, code: str | None, org: str) -> str | None:
        person = self._staff.get(code) if code else None
        fits = person is not None and person.active and code != self._leaver and covers(person.org, org)
        return code if fits else None

    def _staying(self, code: str | None) -> str | None:
        return None if code == self._leaver else code

    def _counted(self, move: Move) -> Move:
        for before, after in ((move.held.primary, move.primary), (move.held.backup, move.backup)):
            if after != before:
                for code, change in ((before, -1), (after, 1)):
                    if code is not None and code in self._load:
                        self._load[code] += change
        return move
