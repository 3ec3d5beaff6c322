"""The registry of event types."""

from typing import Annotated

from fastapi import Depends, Path, Response
from sqlalchemy import select

from services.customer.api.access import RegistryRead, RegistryWrite, optional_version
from services.customer.api.events import Kinds
from services.customer.models import EventType
from services.customer.queries import events as queries
from services.customer.usecases.event_kinds import put_event_type as put
from shared.audit import audit
from shared.contracts.base import Page
from shared.contracts.customer import EventTypeName, EventTypeView, EventTypeWrite
from shared.pagination import PageParams, paginate
from shared.web import Router, Session, problem_responses, set_etag

router = Router(tags=["events"])

TypePath = Annotated[EventTypeName, Path(description="Event type, like `transaction.posted`")]


@router.put("/event-types/{event_type}", responses=problem_responses(409, 412, 428))
async def put_event_type(
    session: Session,
    principal: RegistryWrite,
    kinds: Kinds,
    event_type: TypePath,
    body: EventTypeWrite,
    response: Response,
    expected: Annotated[int | None, Depends(optional_version)],
) -> EventTypeView:
    """Register a type of the bank's own, or replace it (If-Match). Built-in types cannot be changed.

    Only properties the schema declares, and does not mark `"personal": true`, leave the customer service.
    """
    row = await put(session, kinds, event_type, body, expected)
    await audit(session, principal, "put", f"event_type/{event_type}", {"version": row.version})
    set_etag(response, row.version)
    return queries.event_type_view(row)


@router.get("/event-types/{event_type}", responses=problem_responses(404))
async def get_event_type(
    session: Session, principal: RegistryRead, event_type: TypePath, response: Response
) -> EventTypeView:
    """One type with the JSON Schema of its data."""
    view = await queries.event_type(session, event_type)
    set_etag(response, view.version)
    return view


@router.get("/event-types", responses=problem_responses(400))
async def list_event_types(
    session: Session, principal: RegistryRead, page: PageParams
) -> Page[EventTypeView]:
    """All types, built-in and the bank's own."""
    return await paginate(
        session, select(EventType), [EventType.type], page, lambda row: queries.event_type_view(row[0])
    )
