"""The event log and the registry of event types as contracts."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.models import CustomerEvent, EventType
from shared.contracts.base import LocalText
from shared.contracts.customer import EventTypeView, EventView
from shared.errors import NotFound


def events_of(
    *,
    customer_id: UUID | None = None,
    source: str | None = None,
    event_id: str | None = None,
    kind: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Select[CustomerEvent]:
    """All given conditions together."""
    statement = select(CustomerEvent)
    if customer_id is not None:
        statement = statement.where(CustomerEvent.customer_id == customer_id)
    if source is not None:
        statement = statement.where(CustomerEvent.source == source)
    if event_id is not None:
        statement = statement.where(CustomerEvent.event_id == event_id)
    if kind is not None:
        statement = statement.where(CustomerEvent.type == kind)
    if since is not None:
        statement = statement.where(CustomerEvent.time >= since)
    if until is not None:
        statement = statement.where(CustomerEvent.time < until)
    return statement


def event_view(row: CustomerEvent) -> EventView:
    return EventView(
        source=row.source,
        id=row.event_id,
        type=row.type,
        customer_id=row.customer_id,
        time=row.time,
        recorded_at=row.recorded_at,
        data={**row.data, **(row.private or {})},
    )


async def event_type(session: AsyncSession, key: str) -> EventTypeView:
    row = await session.get(EventType, key)
    if row is None:
        raise NotFound("There is no such event type")
    return event_type_view(row)


def event_type_view(row: EventType) -> EventTypeView:
    return EventTypeView(
        type=row.type,
        name=LocalText(zh=row.name_zh, en=row.name_en),
        data_schema=row.data_schema,
        version=row.version,
        built_in=row.built_in,
    )
