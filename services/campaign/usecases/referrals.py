"""Making referrals and answering them.

A referral hands on the customer and shares the credit. It makes no task: whether the customer may be
contacted is decided where contacts begin, whoever found the need.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain import referrals as rules
from services.campaign.domain.notes import blot
from services.campaign.models import Customer, Offer, Referral
from services.campaign.queries.families import of_person
from services.campaign.queries.referrals import caller_of, parties_of
from services.campaign.settings import CampaignSettings
from services.campaign.usecases.forgetting import hold_off_erasures
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.campaign.referrals import ReferralNeed, ReferralVerb, ReferralWin, ReferralWrite
from shared.contracts.events import ReferralAnswered, ReferralMade
from shared.errors import Conflict, FieldError, Forbidden, NotFound, Unprocessable
from shared.ids import new_id
from shared.outbox import emit
from shared.web import check_version

_NO_REFERRAL = {
    "merged": "is merged; refer the survivor",
    "erased": "is erased",
    "closed": "is closed",
}


async def make_referral(
    session: AsyncSession, principal: Principal, settings: CampaignSettings, request: ReferralWrite
) -> Referral:
    await hold_off_erasures(session)
    status = await session.scalar(select(Customer.status).where(Customer.id == request.customer_id))
    wrong = "is not a known customer" if status is None else _NO_REFERRAL.get(status)
    if wrong:
        errors = [FieldError("/customer_id", wrong)]
        raise Unprocessable("this customer cannot be referred", errors=errors)
    made = await _refer(session, principal, settings, request.customer_id, request)
    _audit(session, principal, made, "make_referral")
    return made


async def refer_from_task(
    session: AsyncSession,
    principal: Principal,
    settings: CampaignSettings,
    task_id: UUID,
    customer_id: UUID,
    need: ReferralNeed,
) -> None:
    """What was found in a contact, in the transaction that records it and holds off erasures."""
    made = await _refer(session, principal, settings, customer_id, need, task_id=task_id, at="/referral")
    _audit(session, principal, made, "make_referral")


async def is_referred_so(session: AsyncSession, task_id: UUID, need: ReferralNeed) -> bool:
    """Whether the contact's referral is the one that is asked for."""
    made = await session.scalar(select(Referral).where(Referral.task_id == task_id))
    asked = (need.to.line, need.to.org, need.to.manager, need.offer, need.category, blot(need.note))
    return made is not None and asked == (
        made.to_line,
        made.to_org,
        made.to_manager,
        made.offer,
        made.category,
        made.note,
    )


async def _refer(
    session: AsyncSession,
    principal: Principal,
    settings: CampaignSettings,
    customer_id: UUID,
    need: ReferralNeed,
    *,
    task_id: UUID | None = None,
    at: str = "",
) -> Referral:
    """`at` points to the need in the request."""
    staff = principal.staff
    if staff is None:
        raise Forbidden("referrals are between staff; this principal has no staff code")
    errors = [
        *rules.need_errors(need, customer_id, org=principal.org, staff=staff),
        *await _reference_errors(session, need),
    ]
    if errors:
        errors = [FieldError(at + error.pointer, error.detail) for error in errors]
        raise Unprocessable("the referral cannot be made so", errors=errors)
    await _require_none_open(session, customer_id, need)
    values = _row(principal, settings, need, staff)
    row = {"id": new_id(), "customer_id": customer_id, "task_id": task_id, **values}
    made: Referral | None = await session.scalar(
        insert(Referral).values(row).on_conflict_do_nothing().returning(Referral)
    )
    if made is None:
        raise _already_open()
    await emit(session, _made(made))
    return made


def _row(
    principal: Principal, settings: CampaignSettings, need: ReferralNeed, staff: str
) -> dict[str, object]:
    now, split = clock.now(), rules.split_of(need, settings.referral_referrer_share)
    return {
        "state": "made",
        "from_line": need.from_line,
        "org_path": principal.org,
        "referrer": staff,
        "to_line": need.to.line,
        "to_org": need.to.org,
        "to_manager": need.to.manager,
        "receiver": need.to.manager,
        "offer": need.offer,
        "category": need.category,
        "note": blot(need.note),
        "lead_core_id": need.lead.core_customer_id if need.lead else None,
        "lead_role": need.lead.role if need.lead else None,
        "referrer_share": split.referrer,
        "receiver_share": split.receiver,
        "due_at": settings.office_hours.after(now, settings.referral_answer_hours, clock.ZONE),
        "made_at": now,
        "made_by": principal.id,
    }


async def _reference_errors(session: AsyncSession, need: ReferralNeed) -> list[FieldError]:
    errors: list[FieldError] = []
    if need.offer is not None:
        offer = await session.get(Offer, need.offer)
        if offer is None:
            errors.append(FieldError("/offer", f"there is no offer {need.offer}"))
        elif offer.valid_until is not None and offer.valid_until < clock.today():
            errors.append(FieldError("/offer", f"was on sale until {offer.valid_until}"))
    if need.lead is not None:
        core = select(Customer.status).where(Customer.id == need.lead.core_customer_id)
        if await session.scalar(core) in {None, "erased"}:
            errors.append(FieldError("/lead/core_customer_id", "is not a known customer"))
    if not await session.scalar(select(func.org_has_customers(need.to.org))):
        errors.append(FieldError("/to/org", "has no customers"))
    elif need.to.manager is not None and not await _manages(session, need.to.org, need.to.manager):
        errors.append(FieldError("/to/manager", f"holds no customers of {need.to.org}"))
    return errors


async def _manages(session: AsyncSession, org: str, manager: str) -> bool:
    return bool(await session.scalar(select(func.manages_customers(org, manager))))


async def _require_none_open(session: AsyncSession, customer_id: UUID, need: ReferralNeed) -> None:
    """By any file of the person; of one file the database itself lets only one be open."""
    same = (
        of_person(Referral.customer_id.expression, customer_id),
        Referral.state.in_(rules.OPEN),
        Referral.to_line == need.to.line,
        Referral.to_org == need.to.org,
        Referral.to_manager.is_not_distinct_from(need.to.manager),
        Referral.offer.is_not_distinct_from(need.offer),
        Referral.category.is_not_distinct_from(need.category),
    )
    if await session.scalar(select(Referral.id).where(*same).limit(1)):
        raise _already_open()


def _already_open() -> Conflict:
    detail = "The customer was referred there for the same already, and that is still open"
    return Conflict(detail, slug="already-referred")


async def assign_referral(
    session: AsyncSession, principal: Principal, referral_id: UUID, version: int, manager: str
) -> Referral:
    """The head of the receiving branch says who sees to it."""
    referral = await _lock(session, principal, referral_id, version, "assign")
    wrong = (
        "made the referral"
        if manager == referral.referrer
        else None
        if await _manages(session, referral.to_org, manager)
        else f"holds no customers of {referral.to_org}"
    )
    if wrong:
        raise Unprocessable("the referral stays in its branch", errors=[FieldError("/manager", wrong)])
    referral.receiver, referral.taken_from = manager, None
    return await _save(session, principal, referral, "assign_referral")


async def accept_referral(
    session: AsyncSession, principal: Principal, settings: CampaignSettings, referral_id: UUID, version: int
) -> Referral:
    """Whoever it is for sees to it: the manager named, or else who accepts. A result is due from now on."""
    referral = await _lock(session, principal, referral_id, version, "accept")
    now = clock.now()
    referral.receiver, referral.taken_from = referral.receiver or principal.staff, None
    referral.due_at = settings.office_hours.after(now, settings.referral_result_hours, clock.ZONE)
    referral.answered_at, referral.answered_by = now, principal.id
    return await _answer(session, principal, referral, "accept", now)


async def reject_referral(
    session: AsyncSession, principal: Principal, referral_id: UUID, version: int, reason: str
) -> Referral:
    referral = await _lock(session, principal, referral_id, version, "reject")
    referral.receiver = referral.receiver or principal.staff
    referral.answered_at, referral.answered_by = clock.now(), principal.id
    referral.reason = blot(reason)
    return await _answer(session, principal, referral, "reject", referral.answered_at)


async def withdraw_referral(
    session: AsyncSession, principal: Principal, referral_id: UUID, version: int
) -> Referral:
    """Only before it is answered."""
    referral = await _lock(session, principal, referral_id, version, "withdraw")
    referral.answered_at, referral.answered_by = clock.now(), principal.id
    return await _answer(session, principal, referral, "withdraw", referral.answered_at)


async def win_referral(
    session: AsyncSession, principal: Principal, referral_id: UUID, version: int, request: ReferralWin
) -> Referral:
    referral = await _lock(session, principal, referral_id, version, "win")
    if referral.offer is not None:
        offer = await session.get_one(Offer, referral.offer)
        if offer.currency != request.currency:
            errors = [FieldError("/currency", f"{offer.key} is in {offer.currency}")]
            raise Unprocessable("the offer is in another currency", errors=errors)
    referral.closed_at, referral.closed_by = clock.now(), principal.id
    referral.amount, referral.currency = request.amount, request.currency
    return await _answer(session, principal, referral, "win", referral.closed_at)


async def lose_referral(
    session: AsyncSession, principal: Principal, referral_id: UUID, version: int, reason: str
) -> Referral:
    referral = await _lock(session, principal, referral_id, version, "lose")
    referral.closed_at, referral.closed_by = clock.now(), principal.id
    referral.reason = blot(reason)
    return await _answer(session, principal, referral, "lose", referral.closed_at)


async def _lock(
    session: AsyncSession, principal: Principal, referral_id: UUID, version: int, verb: ReferralVerb
) -> Referral:
    """The referral at `version`, held until the transaction ends, in a state that allows `verb` to this
    person. Who is late is told what became of it, rather than that there is a newer version or nothing.
    """
    await hold_off_erasures(session)
    referral = await session.scalar(select(Referral).where(Referral.id == referral_id).with_for_update())
    if referral is None:
        raise NotFound(f"no referral {referral_id}")
    parties, caller = parties_of(referral), caller_of(principal, referral)
    if not rules.may_know(parties, caller):
        raise NotFound(f"no referral {referral_id}")
    rules.next_state(rules.state_at(referral.state, referral.due_at, clock.now()), verb)
    rules.require_standing(verb, rules.standings(parties, caller))
    check_version(referral.version, version)
    return referral


async def _answer(
    session: AsyncSession, principal: Principal, referral: Referral, verb: ReferralVerb, at: datetime
) -> Referral:
    referral.state = rules.next_state(referral.state, verb)
    # The event carries the version that the row is about to have.
    await emit(session, answered(referral, referral.version + 1, at, principal.id))
    return await _save(session, principal, referral, f"{verb}_referral")


async def _save(session: AsyncSession, principal: Principal, referral: Referral, action: str) -> Referral:
    referral.version += 1
    await session.flush()
    _audit(session, principal, referral, action)
    return referral


def _audit(session: AsyncSession, principal: Principal, referral: Referral, action: str) -> None:
    detail = {
        "state": referral.state,
        "receiver": referral.receiver,
        "amount": None if referral.amount is None else str(referral.amount),
    }
    audit(session, principal, action, f"referral/{referral.id}", detail)


def _keyed(referral: Referral) -> dict[str, Any]:
    """What both events say of a referral."""
    same = ("customer_id", "from_line", "referrer", "to_line", "to_org", "offer", "category")
    shares = ("referrer_share", "receiver_share")
    return {
        "referral_id": referral.id,
        "from_org": referral.org_path,
        **{name: getattr(referral, name) for name in (*same, *shares)},
    }


def _made(referral: Referral) -> ReferralMade:
    return ReferralMade(
        **_keyed(referral),
        version=referral.version,
        to_manager=referral.to_manager,
        contact_id=referral.task_id,
        linked=referral.lead_role is not None,
        due_at=referral.due_at,
        made_at=referral.made_at,
        made_by=referral.made_by,
    )


def answered(referral: Referral, version: int, at: datetime, by: str) -> ReferralAnswered:
    """As the referral stands, at what version and since when."""
    told = ("state", "receiver", "amount", "currency")
    return ReferralAnswered(
        **_keyed(referral),
        **{name: getattr(referral, name) for name in told},
        version=version,
        answered_at=at,
        answered_by=by,
    )
