"""Reads of referrals: by who made them, who is to see to them, the heads of both branches, and auditors."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, and_, false, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.referrals import (
    OPEN,
    Caller,
    Parties,
    credited,
    standings,
    state_at,
    verbs,
)
from services.campaign.models import Customer, Referral
from services.campaign.queries.families import of_family
from shared import clock
from shared.auth import Principal, Role
from shared.contracts.base import Page
from shared.contracts.campaign.referrals import (
    BusinessLine,
    CreditSplit,
    LeadEvidence,
    ReferralSide,
    ReferralState,
    ReferralTarget,
    ReferralView,
)
from shared.errors import NotFound
from shared.pagination import PageRequest, paginate

_OVERSEERS = (Role.branch_head, Role.auditor)
"""They see what their organisation makes and receives; a manager sees their own."""


@dataclass(frozen=True)
class ReferralFilter:
    side: ReferralSide | None
    states: list[ReferralState]
    customer_id: UUID | None = None
    line: BusinessLine | None = None
    overdue: bool | None = None


def visible_to(principal: Principal) -> ColumnElement[bool]:
    """Besides row-level security, which shows the two branches theirs."""
    return true() if principal.has(*_OVERSEERS) else or_(_made_by(principal), _for(principal))


def _made_by(principal: Principal) -> ColumnElement[bool]:
    own = Referral.made_by == principal.id
    return own if principal.staff is None else or_(own, Referral.referrer == principal.staff)


def _for(principal: Principal) -> ColumnElement[bool]:
    """Theirs to see to: named, or to whoever of their branch takes it. Who is not of the staff gets none."""
    if principal.staff is None:
        return false()
    mine = and_(func.in_org_scope(Referral.to_org), Referral.receiver.is_(None))
    return or_(Referral.receiver == principal.staff, mine)


async def list_referrals(
    session: AsyncSession, principal: Principal, page: PageRequest, wanted: ReferralFilter
) -> Page[ReferralView]:
    return await paginate(
        session,
        _narrowed(_select().where(visible_to(principal)), principal, wanted),
        [Referral.made_at.expression, Referral.id.expression],
        page,
        lambda row: _view(principal, row),
        descending=True,
    )


def _narrowed(query: Select[Any], principal: Principal, wanted: ReferralFilter) -> Select[Any]:
    head = principal.has(*_OVERSEERS)
    if wanted.side == "made":
        query = query.where(func.in_org_scope(Referral.org_path) if head else _made_by(principal))
    elif wanted.side == "received":
        query = query.where(func.in_org_scope(Referral.to_org) if head else _for(principal))
    if wanted.states:
        query = query.where(Referral.state.in_(wanted.states))
    if wanted.customer_id is not None:
        query = query.where(of_family(Referral.customer_id.expression, wanted.customer_id))
    if wanted.line is not None:
        query = query.where(or_(Referral.from_line == wanted.line, Referral.to_line == wanted.line))
    if wanted.overdue is not None:
        late = and_(Referral.state.in_(OPEN), Referral.due_at <= clock.now())
        query = query.where(late if wanted.overdue else ~late)
    return query


async def get_referral(session: AsyncSession, principal: Principal, referral_id: UUID) -> ReferralView:
    row = (
        await session.execute(_select().where(Referral.id == referral_id, visible_to(principal)))
    ).one_or_none()
    if row is None:
        raise NotFound(f"no referral {referral_id}")
    return _view(principal, row)


def _select() -> Any:
    """Rows of referral and survivor, who is known to the branch that has the customer."""
    return select(Referral, Customer.merged_into.label("survivor")).outerjoin(
        Customer, Customer.id == Referral.customer_id
    )


def parties_of(referral: Referral) -> Parties:
    return Parties(referral.made_by, referral.referrer, referral.to_manager, referral.receiver)


def caller_of(principal: Principal, referral: Referral) -> Caller:
    return Caller(
        id=principal.id,
        staff=principal.staff,
        is_head=principal.has(Role.branch_head),
        belongs=principal.covers(referral.to_org),
        oversees=principal.has(*_OVERSEERS),
    )


def _view(principal: Principal, row: Row[Any]) -> ReferralView:
    referral: Referral = row[0]
    now = clock.now()
    standing = standings(parties_of(referral), caller_of(principal, referral))
    stored = ReferralView.model_fields.keys() & Referral.__table__.columns.keys()
    works = principal.has(Role.manager, Role.branch_head)
    return ReferralView.model_validate(
        {
            **{name: getattr(referral, name) for name in stored},
            "customer_id": row.survivor or referral.customer_id,
            "from_org": referral.org_path,
            "to": ReferralTarget(line=referral.to_line, org=referral.to_org, manager=referral.to_manager),
            "verbs": verbs(state_at(referral.state, referral.due_at, now), standing) if works else [],
            "lead": _lead(referral),
            "credit": CreditSplit(referrer=referral.referrer_share, receiver=referral.receiver_share),
            "overdue": referral.state in OPEN and referral.due_at <= now,
            "credited": None
            if referral.amount is None
            else credited(referral.amount, referral.referrer_share),
        }
    )


def _lead(referral: Referral) -> LeadEvidence | None:
    if referral.lead_core_id is None or referral.lead_role is None:
        return None
    return LeadEvidence(core_customer_id=referral.lead_core_id, role=referral.lead_role)
