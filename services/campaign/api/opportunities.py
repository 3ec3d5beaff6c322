"""Opportunities, their stages and the funnel."""

from datetime import date, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from services.campaign.api.access import BankPlanner, OpportunityWorker, TaskDispatcher, TaskReader
from services.campaign.models import Opportunity
from services.campaign.queries import opportunities as queries
from services.campaign.queries.opportunity_funnel import FunnelWanted, read_funnel
from services.campaign.queries.rad_states import rad_state
from services.campaign.usecases import opportunities as usecases
from services.campaign.usecases.opportunity_stages import write_stages
from shared import clock
from shared.contracts.base import Code, Currency, Key, OrgPath, Page
from shared.contracts.campaign.opportunities import (
    AssignRequest,
    FunnelBy,
    FunnelView,
    LoseRequest,
    MoveRequest,
    OpportunityDetail,
    OpportunityPatch,
    OpportunityStatus,
    OpportunityView,
    OpportunityWrite,
    Rad,
    RadState,
    StageList,
    StageListWrite,
    WinRequest,
)
from shared.errors import BadRequest, FieldError
from shared.pagination import PageParams
from shared.web import IfMatch, Router, Session, problem_responses, set_etag

router = Router(tags=["opportunities"])

_VERB = problem_responses(404, 409, 412, 428)
_PERIOD_DAYS = 365
_LONGEST_DAYS = 366 * 5
_LAST_YEAR = 9000
ManagerFilter = Annotated[Code | None, Query(description="For those who oversee others: one manager's")]
OrgFilter = Annotated[OrgPath | None, Query(description="This organisation and all below it")]


async def _view(session: Session, response: Response, row: Opportunity) -> OpportunityView:
    set_etag(response, row.version)
    return await queries.view_of_opportunity(session, row)


@router.post("/opportunity-stages", status_code=201, summary="Write the next list of stages")
async def create_stages(session: Session, principal: BankPlanner, body: StageListWrite) -> StageList:
    """Head office only. It holds at once for the whole bank.

    409 `stage-in-use`: a stage where open opportunities stand cannot go.
    """
    return await write_stages(session, principal, body)


@router.get("/opportunity-stages", summary="List the lists of stages", responses=problem_responses(400))
async def list_stages(session: Session, _principal: TaskReader, page: PageParams) -> Page[StageList]:
    """Newest first; empty while the built-in list holds."""
    return await queries.list_stages(session, page)


@router.get("/opportunity-stages/current", summary="Read the stages that hold")
async def current_stages(session: Session, _principal: TaskReader) -> StageList:
    """In their order."""
    return await queries.newest_stages(session)


@router.post(
    "/opportunities", status_code=201, summary="Open an opportunity", responses=problem_responses(409)
)
async def open_opportunity(
    session: Session, principal: OpportunityWorker, response: Response, body: OpportunityWrite
) -> OpportunityView:
    """By hand, or from a contact that was accepted or met interest; from each contact one.

    409 `opportunity-exists`: there is one from this contact.
    """
    row = await usecases.open_opportunity(session, principal, body)
    response.headers["Location"] = f"/v1/opportunities/{row.id}"
    return await _view(session, response, row)


@router.get("/opportunities", summary="List opportunities", responses=problem_responses(400))
async def list_opportunities(
    session: Session,
    principal: TaskReader,
    page: PageParams,
    status: Annotated[list[OpportunityStatus] | None, Query(description="Any of these")] = None,
    stage: Annotated[list[Key] | None, Query(description="Any of these")] = None,
    customer_id: Annotated[UUID | None, Query(description="With all files merged into it")] = None,
    manager: ManagerFilter = None,
    org: OrgFilter = None,
    offer: Key | None = None,
    rad: Rad | None = None,
    close_before: Annotated[date | None, Query(description="Expected to close before")] = None,
    action_before: Annotated[date | None, Query(description="Next action due before")] = None,
) -> Page[OpportunityView]:
    """A manager sees their own, whoever oversees others the organisation's; the first to close first."""
    wanted = queries.OpportunityFilter(
        status or [], stage or [], customer_id, manager, org, offer, rad, close_before, action_before
    )
    return await queries.list_opportunities(session, principal, page, wanted)


@router.get("/opportunities/funnel", summary="Read the funnel", responses=problem_responses(400))
async def get_funnel(
    session: Session,
    principal: TaskReader,
    by: Annotated[FunnelBy, Query(description="One funnel for each of these")] = "all",
    currency: Annotated[Currency, Query(description="Nothing is converted: of this currency only")] = "CNY",
    opened_from: Annotated[date | None, Query(description="Default: a year ago")] = None,
    opened_until: Annotated[date | None, Query(description="Last day; default: today")] = None,
    org: OrgFilter = None,
    manager: ManagerFilter = None,
    offer: Key | None = None,
    rad: Rad | None = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="Groups")] = 100,
) -> FunnelView:
    """What stands in each stage now, and how the opportunities opened in the period came through."""
    until = opened_until or clock.today()
    since = opened_from or until - timedelta(days=_PERIOD_DAYS)
    if since > until or (until - since).days > _LONGEST_DAYS or until.year > _LAST_YEAR:
        raise BadRequest(
            "The period begins before it ends and lasts at most five years.",
            errors=[FieldError("/query/opened_from", "makes no period with opened_until")],
        )
    wanted = FunnelWanted(by, currency, since, until, org, manager, offer, rad, limit)
    return await read_funnel(session, principal, wanted)


@router.get(
    "/opportunities/{opportunity_id}", summary="Read an opportunity", responses=problem_responses(404)
)
async def get_opportunity(
    session: Session, principal: TaskReader, response: Response, opportunity_id: UUID
) -> OpportunityDetail:
    """With every move it made."""
    found = await queries.get_opportunity(session, principal, opportunity_id)
    set_etag(response, found.version)
    return found


@router.patch("/opportunities/{opportunity_id}", summary="Edit an opportunity", responses=_VERB)
async def edit_opportunity(
    session: Session,
    principal: OpportunityWorker,
    response: Response,
    opportunity_id: UUID,
    expected: IfMatch,
    body: OpportunityPatch,
) -> OpportunityView:
    """Of an open one: what it is about, its value, its next action."""
    row = await usecases.edit_opportunity(session, principal, opportunity_id, expected, body)
    return await _view(session, response, row)


@router.post("/opportunities/{opportunity_id}:move", summary="Move to another stage", responses=_VERB)
async def move_opportunity(
    session: Session,
    principal: OpportunityWorker,
    response: Response,
    opportunity_id: UUID,
    expected: IfMatch,
    body: MoveRequest,
) -> OpportunityView:
    """Forward or back; the history keeps it."""
    row = await usecases.move_opportunity(session, principal, opportunity_id, expected, body.stage)
    return await _view(session, response, row)


@router.post("/opportunities/{opportunity_id}:win", summary="Win an opportunity", responses=_VERB)
async def win_opportunity(
    session: Session,
    principal: OpportunityWorker,
    response: Response,
    opportunity_id: UUID,
    expected: IfMatch,
    body: WinRequest,
) -> OpportunityView:
    """With the amount it came to."""
    row = await usecases.win_opportunity(session, principal, opportunity_id, expected, body.amount)
    return await _view(session, response, row)


@router.post("/opportunities/{opportunity_id}:lose", summary="Lose an opportunity", responses=_VERB)
async def lose_opportunity(
    session: Session,
    principal: OpportunityWorker,
    response: Response,
    opportunity_id: UUID,
    expected: IfMatch,
    body: LoseRequest,
) -> OpportunityView:
    """With the reason."""
    row = await usecases.lose_opportunity(session, principal, opportunity_id, expected, body)
    return await _view(session, response, row)


@router.post("/opportunities/{opportunity_id}:reopen", summary="Reopen an opportunity", responses=_VERB)
async def reopen_opportunity(
    session: Session,
    principal: OpportunityWorker,
    response: Response,
    opportunity_id: UUID,
    expected: IfMatch,
    body: MoveRequest,
) -> OpportunityView:
    """In a stage of the list as it is now; its outcome is taken back, its history stays."""
    row = await usecases.reopen_opportunity(session, principal, opportunity_id, expected, body.stage)
    return await _view(session, response, row)


@router.post("/opportunities/{opportunity_id}:assign", summary="Assign an opportunity", responses=_VERB)
async def assign_opportunity(
    session: Session,
    principal: TaskDispatcher,
    response: Response,
    opportunity_id: UUID,
    expected: IfMatch,
    body: AssignRequest,
) -> OpportunityView:
    """To a manager who holds customers of the branch."""
    row = await usecases.assign_opportunity(session, principal, opportunity_id, expected, body.manager)
    return await _view(session, response, row)


@router.get(
    "/customers/{customer_id}/rad", summary="Read a customer's state", responses=problem_responses(404)
)
async def get_rad(session: Session, _principal: TaskReader, customer_id: UUID) -> RadState:
    """To acquire, to develop or to retain, by what was measured of the customer."""
    return await rad_state(session, customer_id)
