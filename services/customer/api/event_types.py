"""The registry of event types."""

from typing import Annotated

from fastapi import Depends, Path, Response
from sqlalchemy import select

from services.customer.api.access import CatalogueWrite, RegistryRead, optional_version
from services.customer.api.events import Kinds
from services.customer.models import EventType
from services.customer.queries import events as queries
from services.customer.usecases.event_kinds import check_event_type as check
from services.customer.usecases.event_kinds import put_event_type as put
from shared.audit import audit
from shared.contracts.base import Page
from shared.contracts.customer import EventTypeName, EventTypeView, EventTypeWrite
from shared.contracts.customer.intake import EventTypeCheck, EventTypeCheckRequest, EventTypeVersionView
from shared.pagination import PageParams, paginate
from shared.web import Router, Session, problem_responses, set_etag

router = Router(tags=["events"])

TypePath = Annotated[EventTypeName, Path(description="Event type, like `transaction.posted`")]


@router.put("/event-types/{event_type}", responses=problem_responses(409, 412, 428))
async def put_event_type(
    session: Session,
    principal: CatalogueWrite,
    kinds: Kinds,
    event_type: TypePath,
    body: EventTypeWrite,
    response: Response,
    expected: Annotated[int | None, Depends(optional_version)],
) -> EventTypeView:
    """Register a type of the bank's own, or give it a new version (If-Match); built-in ones are fixed.

    A new version accepts every event the one before accepted, unless `compatibility` is `none`.
    Only properties the schema declares, and does not mark `"personal": true`, leave the customer service.
    """
    row = await put(session, kinds, event_type, body, expected, principal.id)
    detail = {"version": row.version, "compatibility": row.compatibility}
    audit(session, principal, "put", f"event_type/{event_type}", detail)
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


@router.post("/event-types/{event_type}:check", responses=problem_responses(404))
async def check_event_type(
    session: Session, principal: RegistryRead, event_type: TypePath, body: EventTypeCheckRequest
) -> EventTypeCheck:
    """Would this schema be taken as the next version? Changes nothing."""
    return await check(session, event_type, body.data_schema)


@router.get("/event-types/{event_type}/versions", responses=problem_responses(400, 404))
async def list_event_type_versions(
    session: Session, principal: RegistryRead, event_type: TypePath, page: PageParams
) -> Page[EventTypeVersionView]:
    """Every schema the type has had, newest first."""
    return await queries.event_type_versions(session, event_type, page)


@router.get("/event-types/{event_type}/versions/{version}", responses=problem_responses(404))
async def get_event_type_version(
    session: Session,
    principal: RegistryRead,
    event_type: TypePath,
    version: Annotated[int, Path(ge=1, le=999_999_999, description="Number of the version")],
) -> EventTypeVersionView:
    """One version; events that name it in `dataschema` are read by it."""
    return await queries.event_type_version(session, event_type, version)


@router.get("/event-types", responses=problem_responses(400))
async def list_event_types(
    session: Session, principal: RegistryRead, page: PageParams
) -> Page[EventTypeView]:
    """All types, built-in and the bank's own."""
    return await paginate(
        session, select(EventType), [EventType.type], page, lambda row: queries.event_type_view(row[0])
    )
