"""A manager's task: its states, and what a recorded attempt does to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal
from zoneinfo import ZoneInfo

from shared.contracts.campaign import TaskRecord, TaskState
from shared.contracts.events import ContactState, Disposition
from shared.errors import Conflict, FieldError, Unprocessable

TaskVerb = Literal["accept", "start", "record", "return", "reassign"]
Effect = Literal["do_not_contact", "complaint"]

OPEN: frozenset[TaskState] = frozenset({"assigned", "accepted", "started", "call_back", "returned"})
_WORKABLE: frozenset[TaskState] = OPEN - {"returned"}
ALLOWED: Mapping[TaskVerb, frozenset[TaskState]] = {
    "accept": frozenset({"assigned"}),
    "start": frozenset({"assigned", "accepted", "call_back"}),
    "record": frozenset({"started"}),
    "return": _WORKABLE,
    "reassign": OPEN,
}
_OPEN_WITH_NEXT: frozenset[Disposition] = frozenset({"call_back", "interested", "no_answer"})
_EFFECTS: Mapping[Disposition, Effect] = {"do_not_contact": "do_not_contact", "complaint": "complaint"}


def verbs(state: TaskState) -> list[TaskVerb]:
    return [verb for verb, states in ALLOWED.items() if state in states]


def require_legal(state: TaskState, verb: TaskVerb) -> None:
    if state not in ALLOWED[verb]:
        legal = ", ".join(verbs(state)) or "none"
        raise Conflict(f"a task that is {state} cannot {verb}; legal now: {legal}", slug="illegal-transition")


@dataclass(frozen=True)
class Recorded:
    """What follows from one attempt."""

    state: TaskState
    next_at: datetime | None
    effect: Effect | None

    @property
    def closes(self) -> bool:
        return self.state == "done"

    @property
    def contact_state(self) -> ContactState:
        return "done" if self.closes else "call_back"


def record(attempt: TaskRecord, *, now: datetime, ends_on: date, zone: ZoneInfo, offer: str) -> Recorded:
    """Decides on one attempt. Unprocessable names every field that contradicts the disposition."""
    errors = [
        *_next_at_errors(attempt, now, ends_on, zone),
        *_outcome_errors(attempt, offer),
        *_referral_errors(attempt),
    ]
    if errors:
        raise Unprocessable("the record contradicts itself", errors=errors)
    stays_open = attempt.disposition in _OPEN_WITH_NEXT and attempt.next_at is not None
    return Recorded(
        state="call_back" if stays_open else "done",
        next_at=attempt.next_at if stays_open else None,
        effect=_EFFECTS.get(attempt.disposition),
    )


def _next_at_errors(attempt: TaskRecord, now: datetime, ends_on: date, zone: ZoneInfo) -> list[FieldError]:
    if attempt.next_at is None:
        missing = FieldError("/next_at", "is required with call_back")
        return [missing] if attempt.disposition == "call_back" else []
    if attempt.disposition not in _OPEN_WITH_NEXT:
        return [FieldError("/next_at", f"{attempt.disposition} closes the task")]
    if attempt.next_at <= now:
        return [FieldError("/next_at", "has passed")]
    if attempt.next_at.astimezone(zone).date() > ends_on:
        return [FieldError("/next_at", f"is after the campaign's end, {ends_on}")]
    return []


def _outcome_errors(attempt: TaskRecord, offer: str) -> list[FieldError]:
    if attempt.outcome is None:
        return []
    if attempt.disposition != "accepted":
        return [FieldError("/outcome", "only an accepted offer has an outcome")]
    if attempt.outcome.offer != offer:
        return [FieldError("/outcome/offer", f"this contact offers {offer}")]
    return []


def _referral_errors(attempt: TaskRecord) -> list[FieldError]:
    if (attempt.disposition == "referred") == (attempt.referral is not None):
        return []
    missing = attempt.referral is None
    return [FieldError("/referral", "is required with referred" if missing else "only referred makes one")]
