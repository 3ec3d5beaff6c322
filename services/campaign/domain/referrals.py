"""A referral: its states, who may move it, and how the credit for it is shared."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal
from uuid import UUID

from shared.contracts.campaign.referrals import (
    CreditedAmounts,
    CreditSplit,
    ReferralNeed,
    ReferralState,
    ReferralVerb,
)
from shared.errors import Conflict, FieldError, Forbidden

Standing = Literal["maker", "receiver", "head"]
"""`head`: of the receiving branch, or above it. Of those who see a referral many are none of these."""

TRANSITIONS: Mapping[ReferralState, Mapping[ReferralVerb, ReferralState]] = {
    "made": {"assign": "made", "accept": "accepted", "reject": "rejected", "withdraw": "withdrawn"},
    "accepted": {"assign": "accepted", "win": "won", "lose": "lost"},
    "rejected": {},
    "lapsed": {},
    "withdrawn": {},
    "won": {},
    "lost": {},
}
OPEN: frozenset[ReferralState] = frozenset({"made", "accepted"})
_RECEIVING: frozenset[Standing] = frozenset({"receiver", "head"})
_WHO: Mapping[ReferralVerb, frozenset[Standing]] = {
    "assign": frozenset({"head"}),
    "accept": _RECEIVING,
    "reject": _RECEIVING,
    "win": _RECEIVING,
    "lose": _RECEIVING,
    "withdraw": frozenset({"maker"}),
}
_CENT = Decimal("0.01")
_ALL = Decimal(1)


@dataclass(frozen=True)
class Caller:
    """`belongs`: the receiving branch is the caller's organisation or below it. `oversees`: sees all that
    the organisation makes and receives.
    """

    id: str
    staff: str | None
    is_head: bool
    belongs: bool
    oversees: bool


@dataclass(frozen=True)
class Parties:
    """`addressed_to`: null for whoever of the branch takes it; `receiver`: who sees to it now."""

    made_by: str
    referrer: str
    addressed_to: str | None
    receiver: str | None


def standings(of: Parties, caller: Caller) -> frozenset[Standing]:
    """What the caller is to the referral. Who made it is nothing else, whatever their rank."""
    if caller.id == of.made_by or caller.staff == of.referrer:
        return frozenset({"maker"})
    if caller.staff is None or not caller.belongs:
        return frozenset()
    head: set[Standing] = {"head"} if caller.is_head else set()
    receiver: set[Standing] = {"receiver"} if of.receiver in {None, caller.staff} else set()
    return frozenset(head | receiver)


def may_know(of: Parties, caller: Caller) -> bool:
    """Whether the caller may be told what became of it: also who could have taken it and came second."""
    could_have = caller.belongs and of.addressed_to is None
    return caller.oversees or could_have or bool(standings(of, caller))


def state_at(state: ReferralState, due_at: datetime, now: datetime) -> ReferralState:
    """What was not answered in time has lapsed, also before the clock has come round to writing it."""
    return "lapsed" if state == "made" and due_at <= now else state


def verbs(state: ReferralState, standing: frozenset[Standing]) -> list[ReferralVerb]:
    return [verb for verb in TRANSITIONS[state] if _WHO[verb] & standing]


def next_state(state: ReferralState, verb: ReferralVerb) -> ReferralState:
    try:
        return TRANSITIONS[state][verb]
    except KeyError:
        legal = ", ".join(TRANSITIONS[state]) or "none"
        detail = f"a referral that is {state} cannot {verb}; legal now: {legal}"
        raise Conflict(detail, slug="illegal-transition") from None


def require_standing(verb: ReferralVerb, standing: frozenset[Standing]) -> None:
    if _WHO[verb] & standing:
        return
    if "maker" in standing:
        raise Forbidden("whoever made a referral does not answer it", slug="maker-is-receiver")
    who = " or ".join(sorted(_WHO[verb]))
    raise Forbidden(f"this is for its {who}", slug="not-your-referral")


def need_errors(need: ReferralNeed, customer_id: UUID, *, org: str, staff: str) -> list[FieldError]:
    """What the request says wrongly of itself, for somebody of `org` with this staff code."""
    errors: list[FieldError] = []
    if need.offer is None and need.category is None and not need.note.strip():
        errors.append(FieldError("/note", "is required without an offer and a category"))
    if need.credit is not None and need.credit.referrer + need.credit.receiver != _ALL:
        total = need.credit.referrer + need.credit.receiver
        errors.append(FieldError("/credit", f"the shares add up to {total}, not to 1"))
    if need.lead is not None and need.lead.core_customer_id == customer_id:
        errors.append(FieldError("/lead/core_customer_id", "is the customer"))
    if need.to.manager == staff:
        errors.append(FieldError("/to/manager", "is who refers"))
    if need.to.manager is None and need.to.org == org and need.to.line == need.from_line:
        errors.append(FieldError("/to", "is where it comes from: another line, branch or manager"))
    return errors


def split_of(need: ReferralNeed, referrer_share: Decimal) -> CreditSplit:
    """As asked for, or else as set."""
    return need.credit or CreditSplit(referrer=referrer_share, receiver=_ALL - referrer_share)


def credited(amount: Decimal, referrer_share: Decimal) -> CreditedAmounts:
    """The two parts are the whole, to the cent."""
    part = (amount * referrer_share).quantize(_CENT, ROUND_HALF_UP)
    return CreditedAmounts(referrer=part, receiver=amount - part)
