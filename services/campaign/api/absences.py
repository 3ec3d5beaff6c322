"""Absences of managers."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from services.campaign.api.access import AbsenceKeeper, TaskDispatcher, TaskReader
from services.campaign.queries import absences as queries
from services.campaign.usecases import absences as usecases
from shared.contracts.base import Code, Page
from shared.contracts.campaign.absences import (
    AbsencePatch,
    AbsenceReassign,
    AbsenceView,
    AbsenceWrite,
    ReassignedTasks,
)
from shared.pagination import PageParams
from shared.web import IfMatch, Router, Session, problem_responses, set_etag

router = Router(tags=["absences"])


@router.post("/absences", status_code=201, summary="Enter an absence", responses=problem_responses(409))
async def create_absence(
    session: Session, principal: AbsenceKeeper, response: Response, body: AbsenceWrite
) -> AbsenceView:
    """Waves that are released from now on give the work of whoever is away for most of it to the stand-in.

    Open tasks stay until the branch head moves them by `:reassign`.
    """
    absence = await usecases.create_absence(session, principal, body)
    response.headers["Location"] = f"/v1/absences/{absence.id}"
    set_etag(response, absence.version)
    return await queries.get_absence(session, principal, absence.id)


@router.get("/absences", summary="List absences", responses=problem_responses(400))
async def list_absences(
    session: Session,
    principal: TaskReader,
    page: PageParams,
    *,
    manager: Annotated[Code | None, Query(description="Only of this manager")] = None,
    to_come: Annotated[bool, Query(description="Only those of now and later")] = False,
) -> Page[AbsenceView]:
    """The latest first; a manager sees their own and those they stand in for, a head the branch's."""
    return await queries.list_absences(session, principal, page, manager, to_come=to_come)


@router.get("/absences/{absence_id}", summary="Read an absence", responses=problem_responses(404))
async def get_absence(
    session: Session, principal: TaskReader, response: Response, absence_id: UUID
) -> AbsenceView:
    """With what is due meanwhile and what was moved."""
    view = await queries.get_absence(session, principal, absence_id)
    set_etag(response, view.version)
    return view


@router.patch(
    "/absences/{absence_id}", summary="Change an absence", responses=problem_responses(404, 409, 412, 428)
)
async def change_absence(
    session: Session,
    principal: AbsenceKeeper,
    response: Response,
    absence_id: UUID,
    expected: IfMatch,
    body: AbsencePatch,
) -> AbsenceView:
    """Replaces the parts you name. What was moved already stays where it is."""
    absence = await usecases.change_absence(session, principal, absence_id, expected, body)
    set_etag(response, absence.version)
    return await queries.get_absence(session, principal, absence_id)


@router.post(
    "/absences/{absence_id}:cancel",
    summary="Take an absence back",
    responses=problem_responses(404, 409, 412, 428),
)
async def cancel_absence(
    session: Session, principal: AbsenceKeeper, response: Response, absence_id: UUID, expected: IfMatch
) -> AbsenceView:
    """Also when somebody is back sooner: moved tasks that nobody has touched go back at once."""
    absence = await usecases.cancel_absence(session, principal, absence_id, expected)
    set_etag(response, absence.version)
    return await queries.get_absence(session, principal, absence_id)


@router.post(
    "/absences/{absence_id}:reassign",
    summary="Move what is due meanwhile",
    responses=problem_responses(404, 409),
)
async def reassign_absent_tasks(
    session: Session, principal: TaskDispatcher, absence_id: UUID, body: AbsenceReassign
) -> ReassignedTasks:
    """To the substitute, or whoever else looks after each customer and is there on the day; else `returned`.

    `dry_run`, unless you say otherwise, counts and moves nothing. After the absence what nobody has touched
    goes back.
    """
    return await usecases.reassign_tasks(session, principal, absence_id, dry_run=body.dry_run)
