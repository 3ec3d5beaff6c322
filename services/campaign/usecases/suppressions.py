"""Customers who are not to be contacted: entered by hand, or said to a manager."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.models import Customer, Suppression
from services.campaign.queries.suppressions import suppression_view
from services.campaign.settings import CampaignSettings
from services.campaign.usecases.forgetting import hold_off_erasures
from services.campaign.usecases.visits import call_off_sales
from services.campaign.usecases.withdrawal import withdraw_customer
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.campaign import SuppressionView, SuppressionWrite
from shared.errors import FieldError, Unprocessable
from shared.ids import new_id


async def suppress(session: AsyncSession, principal: Principal, request: SuppressionWrite) -> SuppressionView:
    """Takes effect at once: open contacts of the customer expire, those by the channel if one is meant."""
    await hold_off_erasures(session)
    status = await session.scalar(select(Customer.status).where(Customer.id == request.customer_id))
    if status in {None, "erased"}:
        raise Unprocessable(
            "the customer is not known here", errors=[FieldError("/customer_id", "is not a known customer")]
        )
    now = clock.now()
    if request.until is not None and request.until <= now:
        raise Unprocessable("it has no effect", errors=[FieldError("/until", "has passed")])
    entry = Suppression(
        id=new_id(), **request.model_dump(), source="manual", created_at=now, created_by=principal.id
    )
    session.add(entry)
    await session.flush()
    await withdraw_customer(session, request.customer_id, at=now, by=principal.id, channel=request.channel)
    await call_off_sales(session, principal, request.customer_id)
    audit(session, principal, "suppress_customer", f"customer/{request.customer_id}")
    return suppression_view(entry)


async def suppress_from_task(
    session: AsyncSession,
    principal: Principal,
    settings: CampaignSettings,
    *,
    contact_id: UUID,
    customer_id: UUID,
    kind: str,
) -> None:
    """What a customer told a manager: no contact for good, or a cool-down after a complaint."""
    now = clock.now()
    until = now + timedelta(days=settings.complaint_cool_down_days) if kind == "complaint" else None
    await session.execute(
        insert(Suppression)
        .values(
            id=new_id(),
            customer_id=customer_id,
            kind=kind,
            until=until,
            source="task",
            contact_id=contact_id,
            created_at=now,
            created_by=principal.id,
        )
        .on_conflict_do_nothing(index_elements=["contact_id"])
    )
    await withdraw_customer(session, customer_id, at=now, by=principal.id)
    await call_off_sales(session, principal, customer_id)
