"""Visits to customers."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from services.campaign.api.access import OpportunityWorker, ServiceSettings, TaskReader
from services.campaign.queries import visits as queries
from services.campaign.usecases import visits as usecases
from shared.contracts.base import Code, OrgPath, Page, Timestamp
from shared.contracts.campaign import ReasonRequest
from shared.contracts.campaign.account_plans import (
    VisitPatch,
    VisitRecord,
    VisitState,
    VisitView,
    VisitWrite,
)
from shared.pagination import PageParams
from shared.web import IfMatch, Router, Session, problem_responses, set_etag

router = Router(tags=["visits"])

_VERB = problem_responses(404, 409, 412, 428)


async def _view(session: Session, response: Response, visit_id: UUID) -> VisitView:
    view = await queries.get_visit(session, visit_id)
    set_etag(response, view.version)
    return view


@router.post("/visits", status_code=201, summary="Plan a visit")
async def plan_visit(
    session: Session,
    principal: OpportunityWorker,
    settings: ServiceSettings,
    response: Response,
    body: VisitWrite,
) -> VisitView:
    """It is yours. One that nobody had planned is planned at the time it was made, then recorded.

    422 `service-only` when the contact policy lets nobody contact the customer then, or the customer is held
    out, and the visit is not for service.
    """
    visit_id = await usecases.plan_visit(session, principal, settings, body)
    response.headers["Location"] = f"/v1/visits/{visit_id}"
    return await _view(session, response, visit_id)


@router.get("/visits", summary="List visits", responses=problem_responses(400))
async def list_visits(
    session: Session,
    _principal: TaskReader,
    page: PageParams,
    state: VisitState | None = None,
    customer_id: Annotated[UUID | None, Query(description="With all files merged into it")] = None,
    manager: Code | None = None,
    org: Annotated[OrgPath | None, Query(description="This organisation and all below it")] = None,
    since: Timestamp | None = None,
    until: Annotated[Timestamp | None, Query(description="Before this moment")] = None,
) -> Page[VisitView]:
    """Of your organisation, the latest first."""
    wanted = queries.VisitFilter(state, customer_id, manager, org, since, until)
    return await queries.list_visits(session, page, wanted)


@router.get("/visits/{visit_id}", summary="Read a visit", responses=problem_responses(404))
async def get_visit(
    session: Session, _principal: TaskReader, response: Response, visit_id: UUID
) -> VisitView:
    """Planned, made or called off."""
    return await _view(session, response, visit_id)


@router.patch("/visits/{visit_id}", summary="Change a planned visit", responses=_VERB)
async def edit_visit(
    session: Session,
    principal: OpportunityWorker,
    settings: ServiceSettings,
    response: Response,
    visit_id: UUID,
    expected: IfMatch,
    body: VisitPatch,
) -> VisitView:
    """When, what for and with whom; refused as planning is."""
    await usecases.edit_visit(session, principal, settings, visit_id, expected, body)
    return await _view(session, response, visit_id)


@router.post("/visits/{visit_id}:record", summary="Record a visit", responses=_VERB)
async def record_visit(
    session: Session,
    principal: OpportunityWorker,
    settings: ServiceSettings,
    response: Response,
    visit_id: UUID,
    expected: IfMatch,
    body: VisitRecord,
) -> VisitView:
    """It was made: what came of it, and what is next. It counts against the contact cap."""
    await usecases.record_visit(session, principal, settings, visit_id, expected, body)
    return await _view(session, response, visit_id)


@router.post("/visits/{visit_id}:cancel", summary="Call a visit off", responses=_VERB)
async def cancel_visit(
    session: Session,
    principal: OpportunityWorker,
    response: Response,
    visit_id: UUID,
    expected: IfMatch,
    body: ReasonRequest,
) -> VisitView:
    """With the reason, which stands as its result."""
    await usecases.cancel_visit(session, principal, visit_id, expected, body.reason)
    return await _view(session, response, visit_id)
