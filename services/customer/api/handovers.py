"""Handing over a portfolio; who looks after what; contact conflicts."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Response

from services.customer.api.access import CodePath, CustomerRead, HeadRead, OwnershipChange
from services.customer.api.customers import VaultOfProcess
from services.customer.models import Handover
from services.customer.queries import handovers as queries
from services.customer.queries.conflicts import contact_conflicts
from services.customer.queries.portfolio import portfolio
from services.customer.usecases.handover import order_handover
from services.customer.usecases.handover_runs import cancel_handover, undo_handover
from shared import clock
from shared.contracts.base import Code, OrgPath, Page, Timestamp
from shared.contracts.customer.handover import (
    ContactConflict,
    HandoverDetail,
    HandoverOrdered,
    HandoverRequest,
    HandoverState,
    HandoverView,
    ItemState,
    Portfolio,
)
from shared.errors import FieldError, Unprocessable
from shared.pagination import PageParams, paginate
from shared.web import Router, Session, problem_responses, set_etag

router = Router(tags=["ownership"])

HandoverId = Annotated[UUID, Path(description="Id of the handover")]
_LONGEST = timedelta(days=366)


@router.post(
    "/staff/{code}:handover",
    status_code=202,
    responses={
        200: {"model": HandoverOrdered, "description": "Dry run: what it would come to"},
        **problem_responses(404, 409),
    },
)
async def hand_over_staff(
    session: Session, principal: OwnershipChange, code: CodePath, body: HandoverRequest, response: Response
) -> HandoverOrdered:
    """Plan the handover of everything this member of staff looks after; ordered unless `dry_run`.

    409 unless every customer keeps an active primary and an active backup manager who cover its branch. It is
    executed on its day, today's at once; then the plan is made anew, for customers that came meanwhile.
    """
    outlook, handover = await order_handover(session, principal, code, body)
    if handover is None:
        response.status_code = 200
        return HandoverOrdered(outlook=outlook, handover=None)
    response.headers["Location"] = f"/v1/handovers/{handover.id}"
    return HandoverOrdered(outlook=outlook, handover=queries.handover_view(handover))


@router.get("/handovers", responses=problem_responses(400))
async def list_handovers(
    session: Session,
    principal: CustomerRead,
    page: PageParams,
    staff: Annotated[Code | None, Query(description="Who hands over")] = None,
    state: Annotated[HandoverState | None, Query(description="In this state only")] = None,
) -> Page[HandoverView]:
    """Handovers of your organisation's staff, latest first."""
    return await paginate(
        session,
        queries.handovers(staff, state),
        [Handover.id],
        page,
        lambda row: queries.handover_view(row[0]),
        descending=True,
    )


@router.get("/handovers/{handover_id}", responses=problem_responses(400, 404))
async def get_handover(
    session: Session,
    principal: CustomerRead,
    handover_id: HandoverId,
    page: PageParams,
    response: Response,
    item_state: Annotated[
        ItemState | None, Query(description="Its customers in this state; `left` were reassigned by others")
    ] = None,
) -> HandoverDetail:
    """State and progress of a handover with a page of its customers."""
    view = await queries.handover_detail(session, handover_id, item_state, page)
    set_etag(response, view.version)
    return view


@router.post("/handovers/{handover_id}:cancel", responses=problem_responses(404, 409))
async def cancel_planned_handover(
    session: Session, principal: OwnershipChange, handover_id: HandoverId
) -> HandoverView:
    """Before its day."""
    return queries.handover_view(await cancel_handover(session, principal, handover_id))


@router.post("/handovers/{handover_id}:undo", status_code=202, responses=problem_responses(404, 409))
async def undo_finished_handover(
    session: Session, principal: OwnershipChange, handover_id: HandoverId
) -> HandoverView:
    """Give every customer back to whom it was taken from, except those somebody reassigned since."""
    return queries.handover_view(await undo_handover(session, principal, handover_id))


@router.get("/staff/{code}/portfolio", responses=problem_responses(400, 404))
async def get_staff_portfolio(
    session: Session,
    principal: CustomerRead,
    vault: VaultOfProcess,
    code: CodePath,
    page: PageParams,
    maturing_within: Annotated[int, Query(ge=1, le=366, description="Days to look ahead")] = 30,
) -> Portfolio:
    """Counts and totals of what this member of staff looks after, with a page of the customers."""
    return await portfolio(session, vault, code, clock.today(), days=maturing_within, page=page)


@router.get("/contact-conflicts", responses=problem_responses(400))
async def list_contact_conflicts(
    session: Session,
    principal: HeadRead,
    page: PageParams,
    since: Annotated[
        Timestamp | None, Query(description="Contacts from then on; 30 days ago by default, a year at most")
    ] = None,
    days: Annotated[int, Query(ge=1, le=90, description="How close together contacts conflict")] = 7,
    org: Annotated[OrgPath | None, Query(description="Customers of this unit and those below it")] = None,
) -> Page[ContactConflict]:
    """Customers contacted by several managers or branches within days: who, when and by which channel."""
    now = clock.now()
    begin = now - timedelta(days=30) if since is None else since
    if begin < now - _LONGEST:
        raise Unprocessable(
            "The report reaches back a year", errors=[FieldError("/query/since", "is too long ago")]
        )
    return await contact_conflicts(session, begin, days, org, page)
