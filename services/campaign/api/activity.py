"""Activity targets and their attainment."""

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from services.campaign.api.access import ActivityReader, TaskDispatcher, TaskReader
from services.campaign.models import ActivityTarget
from services.campaign.queries import activity as queries
from services.campaign.queries.activity_units import UnitsWanted, read_units
from services.campaign.usecases import activity_targets as usecases
from shared import clock
from shared.contracts.base import Code, OrgPath, Page
from shared.contracts.campaign.activity_targets import (
    ActivityAttainment,
    ActivityPeriod,
    ActivityTargetPatch,
    ActivityTargetView,
    ActivityTargetWrite,
    ActivityUnit,
)
from shared.errors import BadRequest, FieldError
from shared.pagination import PageParams
from shared.web import IfMatch, Router, Session, problem_responses, set_etag

router = Router(tags=["activity"])

_YEARS = range(2000, 2201)


def _view(response: Response, target: ActivityTarget) -> ActivityTargetView:
    set_etag(response, target.version)
    return queries.target_view(target)


@router.post(
    "/activity-targets", status_code=201, summary="Set an activity target", responses=problem_responses(409)
)
async def set_target(
    session: Session, principal: TaskDispatcher, response: Response, body: ActivityTargetWrite
) -> ActivityTargetView:
    """Of a branch, or of one of its managers. 409 `target-exists`: one begins on that day."""
    return _view(response, await usecases.set_target(session, principal, body))


@router.get("/activity-targets", summary="List activity targets", responses=problem_responses(400))
async def list_targets(
    session: Session,
    principal: TaskReader,
    page: PageParams,
    org: Annotated[OrgPath | None, Query(description="This organisation and all below it")] = None,
    manager: Code | None = None,
) -> Page[ActivityTargetView]:
    """A manager sees their own; the latest to begin first."""
    return await queries.list_targets(session, principal, page, org, manager)


@router.get(
    "/activity-targets/{target_id}", summary="Read an activity target", responses=problem_responses(404)
)
async def get_target(
    session: Session, principal: TaskReader, response: Response, target_id: UUID
) -> ActivityTargetView:
    """With its version, for a change."""
    return _view(response, await queries.find_target(session, principal, target_id))


@router.patch(
    "/activity-targets/{target_id}",
    summary="Change an activity target",
    responses=problem_responses(404, 412, 428),
)
async def change_target(
    session: Session,
    principal: TaskDispatcher,
    response: Response,
    target_id: UUID,
    expected: IfMatch,
    body: ActivityTargetPatch,
) -> ActivityTargetView:
    """Also for the days it has held already; write one that begins later to leave them as they are."""
    return _view(response, await usecases.change_target(session, principal, target_id, expected, body))


@router.get("/activity-attainment", summary="Read what was done", responses=problem_responses(400))
async def get_attainment(
    session: Session,
    principal: TaskReader,
    period: ActivityPeriod = "day",
    on: Annotated[date | None, Query(description="A day of the period; default: today")] = None,
    org: Annotated[OrgPath | None, Query(description="Default: your organisation")] = None,
    manager: Annotated[Code | None, Query(description="For those who oversee others")] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="Managers")] = 200,
) -> ActivityAttainment:
    """Counted from attempts, visits and opportunities, beside the target that holds on the first day.

    The customers of an organisation are counted once, whoever spoke to them. An opportunity counts for whose
    it is now.
    """
    wanted = queries.ActivityWanted(period, _day(on), org or principal.org, manager, limit)
    return await queries.read_attainment(session, principal, wanted)


@router.get(
    "/activity-attainment/{unit}",
    summary="Read what all branches or managers did",
    responses=problem_responses(400),
)
async def get_attainment_of_units(
    session: Session,
    principal: ActivityReader,
    unit: ActivityUnit,
    period: ActivityPeriod = "month",
    on: Annotated[date | None, Query(description="A day of the period; default: today")] = None,
    org: Annotated[OrgPath | None, Query(description="Default: your organisation")] = None,
    depth: Annotated[
        int, Query(ge=1, le=7, description="Of branches: steps below head office; deeper counts there")
    ] = 2,
) -> ActivityAttainment:
    """Every branch at a depth with its own target, or every manager in each of the organisations whose
    customers were contacted: whoever did something or has a target, up to 10,000, by name.
    """
    return await read_units(session, UnitsWanted(period, _day(on), org or principal.org, unit, depth))


def _day(on: date | None) -> date:
    day = on or clock.today()
    if day.year not in _YEARS:
        raise BadRequest("Nothing was done then.", errors=[FieldError("/query/on", "is out of range")])
    return day
