"""What managers have to do, and how much they can."""

from typing import Annotated

from fastapi import Path, Response

from services.campaign.api.access import ServiceSettings, TaskDispatcher, TaskReader
from services.campaign.queries import workload as queries
from services.campaign.usecases.capacity import set_capacity
from shared.contracts.base import Code, Page
from shared.contracts.campaign.workload import CapacityView, CapacityWrite, Workload
from shared.pagination import PageParams
from shared.web import IfMatch, Router, Session, problem_responses, set_etag

router = Router(tags=["workload"])

Manager = Annotated[Code, Path(description="Staff code")]


@router.get("/workload", summary="List open work by manager", responses=problem_responses(400))
async def list_workload(
    session: Session, principal: TaskReader, settings: ServiceSettings, page: PageParams
) -> Page[Workload]:
    """Of your organisation, in the order of staff codes; a manager sees their own."""
    return await queries.list_workload(session, principal, settings, page)


@router.get("/managers/{manager}/capacity", summary="Read a manager's capacity")
async def get_capacity(
    session: Session, principal: TaskReader, settings: ServiceSettings, response: Response, manager: Manager
) -> CapacityView:
    """What the settings say, unless the branch head has said otherwise."""
    view = await queries.get_capacity(session, settings, manager)
    set_etag(response, view.version)
    return view


@router.put(
    "/managers/{manager}/capacity",
    summary="Set a manager's capacity",
    responses=problem_responses(404, 409, 412, 428),
)
async def put_capacity(
    session: Session,
    principal: TaskDispatcher,
    settings: ServiceSettings,
    response: Response,
    manager: Manager,
    expected: IfMatch,
    body: CapacityWrite,
) -> CapacityView:
    """Campaigns plan with it from their next wave on. The first one is set with the ETag `v0`."""
    await set_capacity(session, principal, manager, expected, body.minutes_per_day)
    view = await queries.get_capacity(session, settings, manager)
    set_etag(response, view.version)
    return view
