"""Reads of coaching notes."""

from typing import Any
from uuid import UUID

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.models import CoachingNote, Task
from services.campaign.queries.tasks import OVERSEERS
from shared.auth import Principal
from shared.contracts.base import Page
from shared.contracts.campaign.coaching import CoachingNoteView
from shared.pagination import PageRequest, paginate


def select_notes() -> Any:
    return select(CoachingNote, Task.customer_id).join(Task, Task.id == CoachingNote.task_id)


async def list_notes(
    session: AsyncSession, principal: Principal, page: PageRequest, task_id: UUID | None, *, unread: bool
) -> Page[CoachingNoteView]:
    query = select_notes()
    if not principal.has(*OVERSEERS):
        query = query.where(CoachingNote.manager == principal.staff)
    if task_id is not None:
        query = query.where(CoachingNote.task_id == task_id)
    if unread:
        query = query.where(CoachingNote.acknowledged_at.is_(None))
    return await paginate(session, query, [CoachingNote.id.expression], page, _view, descending=True)


async def note_view(session: AsyncSession, note_id: UUID) -> CoachingNoteView:
    return _view((await session.execute(select_notes().where(CoachingNote.id == note_id))).one())


def _view(row: Row[Any]) -> CoachingNoteView:
    note: CoachingNote = row[0]
    stored = {name: getattr(note, name) for name in CoachingNoteView.model_fields if name != "customer_id"}
    return CoachingNoteView.model_validate({**stored, "customer_id": row.customer_id})
