"""Contacts that will not be made any more."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.models import Contact, Task
from shared.contracts.events import ContactRecorded
from shared.outbox import emit


async def expire_contacts(session: AsyncSession, which: ColumnElement[bool], *, at: datetime, by: str) -> int:
    """Closes open contacts and their tasks as expired, and tells."""
    # Task before contact, as a manager's record locks them: the two wait for each other, never in a circle.
    await session.execute(
        select(Task.id)
        .join(Contact, Contact.id == Task.id)
        .where(which, Contact.state == "assigned")
        .order_by(Task.id)
        .with_for_update(of=Task)
    )
    rows = (
        await session.execute(
            update(Contact)
            .where(which, Contact.state == "assigned")
            .values(state="expired", closed_at=at, version=Contact.version + 1)
            .returning(
                Contact.id, Contact.campaign_id, Contact.customer_id, Contact.version, Contact.disposition
            )
        )
    ).all()
    if rows:
        await _close_tasks(session, [row.id for row in rows], at)
        await emit(session, *(_expired(row, at, by) for row in rows))
    return len(rows)


async def _close_tasks(session: AsyncSession, ids: list[UUID], at: datetime) -> None:
    await session.execute(
        update(Task)
        .where(Task.id.in_(ids))
        .values(state="expired", next_at=None, closed_at=at, version=Task.version + 1)
    )


def _expired(row: Row[*tuple[Any, ...]], at: datetime, by: str) -> ContactRecorded:
    return ContactRecorded(
        campaign_id=row.campaign_id,
        contact_id=row.id,
        customer_id=row.customer_id,
        version=row.version,
        state="expired",
        disposition=row.disposition,
        recorded_at=at,
        recorded_by=by,
    )


async def withdraw_customer(session: AsyncSession, customer_id: UUID, *, at: datetime, by: str) -> int:
    """A customer who may not be contacted any more has no open contact in any campaign."""
    return await expire_contacts(session, Contact.customer_id == customer_id, at=at, by=by)
