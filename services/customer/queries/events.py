"""The event log and the registry of event types as contracts."""

from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Row, Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.domain.vault import Vault
from services.customer.models import CustomerEvent, CustomerKey, EventType, EventTypeVersion
from services.customer.queries.customers import family_of
from services.customer.queries.private import opened_private
from shared.contracts.base import LocalText, Page
from shared.contracts.customer import EventTypeView, EventView
from shared.contracts.customer.intake import EventTypeVersionView
from shared.errors import NotFound
from shared.pagination import PageRequest, paginate


def events_of(
    *,
    customer_id: UUID | None = None,
    source: str | None = None,
    event_id: str | None = None,
    kind: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Select[Any]:
    """All given conditions together: the event and its customer's wrapped key, null when erased."""
    statement = select(CustomerEvent, CustomerKey.wrapped_key).outerjoin(
        CustomerKey, CustomerKey.customer_id == CustomerEvent.customer_id
    )
    if customer_id is not None:
        statement = statement.where(CustomerEvent.customer_id.in_(family_of(customer_id)))
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
    return cast("Select[Any]", statement)  # of two columns, which `paginate` does not ask about


def event_view(vault: Vault, found: Row[Any]) -> EventView:
    """Of a row of `events_of`."""
    row: CustomerEvent = found[0]
    wrapped_key: bytes | None = found._mapping[CustomerKey.wrapped_key]  # noqa: SLF001 - SQLAlchemy's own name
    private = row.private or opened_private(vault, row.customer_id, wrapped_key, row.sealed)
    return EventView(
        source=row.source,
        id=row.event_id,
        type=row.type,
        customer_id=row.customer_id,
        time=row.time,
        recorded_at=row.recorded_at,
        schema_version=row.schema_version,
        data={**row.data, **private},
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
        compatibility="none" if row.compatibility == "none" else "backward",
    )


async def event_type_versions(
    session: AsyncSession, key: str, page: PageRequest
) -> Page[EventTypeVersionView]:
    """All schemas the type has had, newest first."""
    await event_type(session, key)
    statement = select(EventTypeVersion).where(EventTypeVersion.type == key)
    return await paginate(
        session, statement, [EventTypeVersion.version], page, lambda row: _version(row[0]), descending=True
    )


async def event_type_version(session: AsyncSession, key: str, version: int) -> EventTypeVersionView:
    row = await session.get(EventTypeVersion, (key, version))
    if row is None:
        raise NotFound("There is no such version of this event type")
    return _version(row)


def _version(row: EventTypeVersion) -> EventTypeVersionView:
    return EventTypeVersionView(
        type=row.type,
        version=row.version,
        data_schema=row.data_schema,
        registered_at=row.registered_at,
        registered_by=row.registered_by,
    )
