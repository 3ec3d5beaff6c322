"""Visits to customers: planned, then made or called off by whose they are."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.notes import blot
from services.campaign.models import Opportunity, Visit
from services.campaign.queries.families import of_person
from services.campaign.usecases.forgetting import hold_off_erasures
from services.campaign.usecases.opportunity_origins import manager_for, org_of_customer
from shared import clock
from shared.audit import audit
from shared.auth import Principal, Role
from shared.contracts.campaign.account_plans import VisitPatch, VisitRecord, VisitWrite
from shared.errors import Conflict, FieldError, Forbidden, NotFound, Unprocessable
from shared.ids import new_id
from shared.web import check_version


async def plan_visit(session: AsyncSession, principal: Principal, request: VisitWrite) -> UUID:
    """Also of one that has been made and nobody had planned: it is recorded next."""
    await hold_off_erasures(session)
    org = await org_of_customer(session, request.customer_id)
    manager = await manager_for(session, principal, org, None)
    if request.opportunity_id is not None:
        await _require_of_customer(session, request.opportunity_id, request.customer_id)
    visit = Visit(
        id=new_id(),
        customer_id=request.customer_id,
        org_path=org,
        manager=manager,
        state="planned",
        at=request.at,
        purpose=blot(request.purpose),
        participants=_blotted(request.participants),
        opportunity_id=request.opportunity_id,
        created_at=clock.now(),
        created_by=principal.id,
        version=1,
    )
    session.add(visit)
    await session.flush()
    await _audit(session, principal, "plan_visit", visit)
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


async def edit_visit(
    session: AsyncSession, principal: Principal, visit_id: UUID, version: int, patch: VisitPatch
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
    await _save(session, principal, "edit_visit", visit)


async def record_visit(
    session: AsyncSession, principal: Principal, visit_id: UUID, version: int, request: VisitRecord
) -> None:
    """It was made, not before it happened."""
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
    await _save(session, principal, "record_visit", visit)


async def cancel_visit(
    session: AsyncSession, principal: Principal, visit_id: UUID, version: int, reason: str
) -> None:
    visit = await _lock(session, principal, visit_id, version)
    visit.state, visit.result = "cancelled", blot(reason)
    visit.closed_at, visit.closed_by = clock.now(), principal.id
    await _save(session, principal, "cancel_visit", visit)


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


async def _save(session: AsyncSession, principal: Principal, action: str, visit: Visit) -> None:
    visit.version += 1
    await session.flush()
    await _audit(session, principal, action, visit)


async def _audit(session: AsyncSession, principal: Principal, action: str, visit: Visit) -> None:
    detail = {"state": visit.state, "manager": visit.manager}
    await audit(session, principal, action, f"visit/{visit.id}", detail, org_path=visit.org_path)
