"""The books of one campaign: every member of the audience is accounted for, exactly once."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.contracts.campaign import LedgerState, SuppressionReason
from shared.contracts.events import LedgerTotals
from shared.errors import Conflict

TRANSITIONS: Mapping[LedgerState, frozenset[LedgerState]] = {
    "planned": frozenset({"suppressed", "held_out", "assigned"}),
    "assigned": frozenset({"done", "expired"}),
    "suppressed": frozenset(),
    "held_out": frozenset(),
    "done": frozenset(),
    "expired": frozenset(),
}
"""`planned` is a member of the frozen audience whose wave is not released: it has no row in the ledger.
A contact withdrawn for a reason that may pass is `expired` and may open again: see usecases/withdrawal.py.
"""

TERMINAL: frozenset[LedgerState] = frozenset(state for state, after in TRANSITIONS.items() if not after)


def move(state: LedgerState, to: LedgerState) -> LedgerState:
    if to not in TRANSITIONS[state]:
        raise Conflict(f"a contact that is {state} cannot become {to}", slug="illegal-transition")
    return to


@dataclass(frozen=True)
class Books:
    """Counts as read from audience and ledger; `states` has no entry for `planned`."""

    audience: int
    states: Mapping[LedgerState, int]
    suppressed: Mapping[SuppressionReason, int] = field(default_factory=dict)
    dispositions: Mapping[str, int] = field(default_factory=dict)
    open_work: int = 0
    """Tasks and messages that are not closed."""
    follow_ups: Mapping[LedgerState, int] = field(default_factory=dict)
    """Further contacts, made by journeys; in no other number."""
    journeys: int = 0
    """That have not ended."""

    def count(self, state: LedgerState) -> int:
        return self.states.get(state, 0)

    @property
    def assigned(self) -> int:
        return self.count("assigned") + self.count("done") + self.count("expired")

    @property
    def planned(self) -> int:
        return self.audience - self.count("suppressed") - self.count("held_out") - self.assigned

    @property
    def open_contacts(self) -> int:
        return self.count("assigned") + self.follow_ups.get("assigned", 0)

    def totals(self) -> LedgerTotals:
        return LedgerTotals(
            audience=self.audience,
            suppressed={str(reason): count for reason, count in self.suppressed.items()},
            held_out=self.count("held_out"),
            assigned=self.assigned,
            open=self.count("assigned"),
            done=self.count("done"),
            expired=self.count("expired"),
            dispositions=dict(self.dispositions),
            follow_ups=sum(self.follow_ups.values()),
        )


def imbalances(books: Books) -> list[str]:
    """What does not add up, in words; empty when the books balance. Open contacts are no imbalance."""
    found = []
    if books.planned != 0:
        found.append(f"{books.planned} of {books.audience} members of the audience are not decided")
    if sum(books.suppressed.values()) != books.count("suppressed"):
        found.append(
            f"{books.count('suppressed')} suppressed, but the reasons add up to "
            f"{sum(books.suppressed.values())}"
        )
    if books.open_work != books.open_contacts:
        found.append(f"{books.open_contacts} open contacts, but {books.open_work} open tasks and messages")
    if sum(books.dispositions.values()) != books.count("done"):
        found.append(
            f"{books.count('done')} done, but the dispositions add up to {sum(books.dispositions.values())}"
        )
    return found


def left_open(books: Books) -> list[str]:
    """What keeps a campaign from completing: what does not add up, and what is open."""
    found = imbalances(books)
    if books.open_contacts:
        found.append(f"{books.open_contacts} contacts are still open")
    if books.journeys:
        found.append(f"{books.journeys} customers are still on their journey")
    return found


def require_closed(books: Books) -> None:
    """A campaign completes only when nothing is open and everything adds up."""
    found = left_open(books)
    if found:
        raise Conflict("the ledger does not balance: " + "; ".join(found), slug="ledger-imbalance")
