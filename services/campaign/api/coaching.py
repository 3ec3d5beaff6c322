"""What branch heads tell managers of their contacts."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from services.campaign.api.access import TaskDispatcher, TaskReader, TaskWorker
from services.campaign.queries import coaching as queries
from services.campaign.usecases import coaching as usecases
from shared.contracts.base import Page
from shared.contracts.campaign.coaching import CoachingNoteView, CoachingNoteWrite
from shared.pagination import PageParams
from shared.web import IfMatch, Router, Session, problem_responses, set_etag

router = Router(tags=["coaching"])


@router.post(
    "/tasks/{task_id}/coaching-notes",
    status_code=201,
    summary="Write a coaching note",
    responses=problem_responses(404, 409),
)
async def create_note(
    session: Session, principal: TaskDispatcher, response: Response, task_id: UUID, body: CoachingNoteWrite
) -> CoachingNoteView:
    """To the manager who has the task, of it or of one attempt. It goes when the customer is erased."""
    note = await usecases.write_note(session, principal, task_id, body)
    set_etag(response, note.version)
    return await queries.note_view(session, note.id)


@router.get("/coaching-notes", summary="List coaching notes", responses=problem_responses(400))
async def list_notes(
    session: Session,
    principal: TaskReader,
    page: PageParams,
    *,
    task_id: UUID | None = None,
    unread: Annotated[bool, Query(description="Only those that are not acknowledged")] = False,
) -> Page[CoachingNoteView]:
    """The latest first; a manager sees those for them, a head the branch's."""
    return await queries.list_notes(session, principal, page, task_id, unread=unread)


@router.post(
    "/coaching-notes/{note_id}:acknowledge",
    summary="Acknowledge a coaching note",
    responses=problem_responses(404, 412, 428),
)
async def acknowledge_note(
    session: Session, principal: TaskWorker, response: Response, note_id: UUID, expected: IfMatch
) -> CoachingNoteView:
    """By the manager it is for."""
    await usecases.acknowledge_note(session, principal, note_id, expected)
    view = await queries.note_view(session, note_id)
    set_etag(response, view.version)
    return view
