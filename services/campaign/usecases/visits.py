"""Visits to customers: planned, then made or called off by whose they are.

Whom the contact policy lets nobody contact, or who is held out, is visited for service only: a visit to sell
is not planned, and one that is planned is called off when the customer asks to be left alone. What was made
is recorded in any case, with the rule it went against in the audit trail, and counts against the cap.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.notes import blot
from services.campaign.models import Opportunity, Suppression, Visit
from services.campaign.queries.families import of_person
from services.campaign.queries.visit_rules import CHANNEL, sale_refused_by
from services.campaign.settings import CampaignSettings
from services.campaign.usecases.forgetting import hold_off_erasures
from services.campaign.usecases.opportunity_origins import manager_for, org_of_customer
from services.campaign.usecases.outside_contacts import count_contacts
from shared import clock
from shared.audit import audit
from shared.auth import Principal, Role
from shared.contracts.campaign import SuppressionReason
from shared.contracts.campaign.account_plans import VisitPatch, VisitRecord, VisitWrite
from shared.contracts.events import CustomersMerged
from shared.errors import Conflict, FieldError, Forbidden, NotFound, Unprocessable
from shared.ids import new_id
from shared.web import check_version

_MERGE = Principal(id="system:merge", roles=frozenset(), org="hq")


async def plan_visit(
    session: AsyncSession, principal: Principal, settings: CampaignSettings, request: VisitWrite
) -> UUID:
    """Also of one that has been made and nobody had planned: it is recorded next."""
    await hold_off_erasures(session)
    org = await org_of_customer(session, request.customer_id)
    manager = await manager_for(session, principal, org, None)
    if request.opportunity_id is not None:
        await _require_of_customer(session, request.opportunity_id, request.customer_id)
    if not request.for_service:
        await _require_sale_allowed(session, settings, request.customer_id, request.at)
    visit = Visit(
        id=new_id(),
        customer_id=request.customer_id,
        org_path=org,
        manager=manager,
        state="planned",
        at=request.at,
        for_service=request.for_service,
        purpose=blot(request.purpose),
        participants=_blotted(request.participants),
        opportunity_id=request.opportunity_id,
        created_at=clock.now(),
        created_by=principal.id,
        version=1,
    )
    session.add(visit)
    await session.flush()
    _audit(session, principal, "plan_visit", visit)
    return visit.id


async def _require_of_customer(session: AsyncSession, opportunity_id: UUID, customer_id: UUID) -> None:
    found = await session.scalar(
        select(Opportunity.id).where(
            Opportunity.id == opportunity_id, of_person(Opportunity.customer_id.expression, customer_id)
        )
    )
    if found is None:
        error = FieldError("/opportunity_id", "is no opportunity of this customer")
        raise Unprocessable("the visit cannot be so", errors=[error])


async def _require_sale_allowed(
    session: AsyncSession, settings: CampaignSettings, customer_id: UUID, at: datetime
) -> None:
    """What was made already is not undone by refusing to note it. Which rule it is managers are not told:
    who knew that a customer is held out could not treat everybody alike.
    """
    if at > clock.now() and await sale_refused_by(session, settings, customer_id, at):
        only = FieldError("/for_service", "the customer may then be visited for service only")
        raise Unprocessable("no visit to sell", slug="service-only", errors=[only])


async def edit_visit(
    session: AsyncSession,
    principal: Principal,
    settings: CampaignSettings,
    visit_id: UUID,
    version: int,
    patch: VisitPatch,
) -> None:
    visit = await _lock(session, principal, visit_id, version)
    changes = patch.model_dump(exclude_unset=True)
    lost = [FieldError(f"/{name}", "is required") for name, value in changes.items() if value is None]
    if lost:
        raise Unprocessable("a visit keeps what it must have", errors=lost)
    visit.at = patch.at or visit.at
    visit.purpose = blot(patch.purpose) or visit.purpose
    if patch.participants is not None:
        visit.participants = _blotted(patch.participants)
    if patch.for_service is not None:
        visit.for_service = patch.for_service
    if not visit.for_service and (patch.at is not None or patch.for_service is not None):
        await _require_sale_allowed(session, settings, visit.customer_id, visit.at)
    await _save(session, principal, "edit_visit", visit)


async def record_visit(
    session: AsyncSession,
    principal: Principal,
    settings: CampaignSettings,
    visit_id: UUID,
    version: int,
    request: VisitRecord,
) -> None:
    """It was made, not before it happened. It counts against the contact cap, by its own id once."""
    visit = await _lock(session, principal, visit_id, version)
    at = request.at or visit.at
    if at > clock.now():
        raise Unprocessable("the visit is to come", errors=[FieldError("/at", "has not come yet")])
    visit.state, visit.at, visit.minutes = "made", at, request.minutes
    if request.participants is not None:
        visit.participants = _blotted(request.participants)
    visit.result, visit.next_step = blot(request.result), blot(request.next_step)
    visit.next_on = request.next_on
    visit.closed_at, visit.closed_by = clock.now(), principal.id
    against = None if visit.for_service else await sale_refused_by(session, settings, visit.customer_id, at)
    await _save(session, principal, "record_visit", visit, against=against)
    await count_contacts(session, [(visit.id, visit.customer_id, at)])


async def cancel_visit(
    session: AsyncSession, principal: Principal, visit_id: UUID, version: int, reason: str
) -> None:
    visit = await _lock(session, principal, visit_id, version)
    visit.state, visit.result = "cancelled", blot(reason)
    visit.closed_at, visit.closed_by = clock.now(), principal.id
    await _save(session, principal, "cancel_visit", visit)


async def follow_merge(session: AsyncSession, event: CustomersMerged) -> None:
    """Who asked by one file to be left alone is, by all. Undoing the merge brings no visit back."""
    await call_off_sales(session, _MERGE, event.survivor.customer_id)


async def call_off_sales(session: AsyncSession, principal: Principal, customer_id: UUID) -> None:
    """Planned visits to sell at a time at which the person, by any file, is not to be contacted."""
    blocked = exists().where(
        of_person(Suppression.customer_id.expression, customer_id),
        or_(Suppression.channel.is_(None), Suppression.channel == CHANNEL),
        or_(Suppression.until.is_(None), Suppression.until > Visit.at),
    )
    planned = (
        select(Visit.id)
        .where(
            of_person(Visit.customer_id.expression, customer_id),
            Visit.state == "planned",
            ~Visit.for_service.expression,
            blocked,
        )
        .order_by(Visit.id)
        .with_for_update()
    )
    values = {"state": "cancelled", "closed_at": clock.now(), "closed_by": principal.id}
    done = await session.scalars(
        update(Visit)
        .where(Visit.id.in_(planned))
        .values(**values, version=Visit.version + 1)
        .returning(Visit.id)
        .execution_options(synchronize_session=False)
    )
    if called_off := len(done.all()):
        detail = {"visits": called_off}
        audit(session, principal, "call_off_visits", f"customer/{customer_id}", detail)


async def _lock(session: AsyncSession, principal: Principal, visit_id: UUID, version: int) -> Visit:
    """A planned visit at `version`, held until the transaction ends."""
    await hold_off_erasures(session)
    visit = await session.scalar(select(Visit).where(Visit.id == visit_id).with_for_update())
    if visit is None:
        raise NotFound(f"no visit {visit_id}")
    if visit.manager != principal.staff and not principal.has(Role.branch_head):
        raise Forbidden("the visit is another manager's")
    check_version(visit.version, version)
    if visit.state != "planned":
        raise Conflict(f"the visit is {visit.state}", slug="illegal-transition")
    return visit


def _blotted(names: list[str]) -> list[str]:
    return [blot(name) or name for name in names]


async def _save(
    session: AsyncSession,
    principal: Principal,
    action: str,
    visit: Visit,
    *,
    against: SuppressionReason | None = None,
) -> None:
    visit.version += 1
    await session.flush()
    _audit(session, principal, action, visit, against)


def _audit(
    session: AsyncSession,
    principal: Principal,
    action: str,
    visit: Visit,
    against: SuppressionReason | None = None,
) -> None:
    """`against`: the rule that a visit to sell went against."""
    detail = {"state": visit.state, "manager": visit.manager, **({"against": against} if against else {})}
    audit(session, principal, action, f"visit/{visit.id}", detail, org_path=visit.org_path)
