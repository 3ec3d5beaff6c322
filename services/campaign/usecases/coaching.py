"""Notes of branch heads to managers: written, and acknowledged by whom they are for."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.notes import blot
from services.campaign.models import Attempt, CoachingNote, Contact, Task
from services.campaign.usecases.forgetting import hold_off_erasures, require_remembered
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.campaign.coaching import CoachingNoteWrite
from shared.errors import FieldError, Forbidden, NotFound, Unprocessable
from shared.ids import new_id
from shared.web import check_version


async def write_note(
    session: AsyncSession, principal: Principal, task_id: UUID, request: CoachingNoteWrite
) -> CoachingNote:
    """To whoever has the task now; it stays theirs, wherever the task goes."""
    await hold_off_erasures(session)
    task = await session.get(Task, task_id)
    if task is None:
        raise NotFound(f"no task {task_id}")
    await require_remembered(session, task.customer_id)
    await _require_attempt(session, task_id, request.attempt)
    note = CoachingNote(
        id=new_id(),
        task_id=task_id,
        attempt=request.attempt,
        manager=task.manager,
        text=blot(request.text) or "",
        created_at=clock.now(),
        created_by=principal.id,
        version=1,
    )
    session.add(note)
    await session.flush()
    detail = {"note": str(note.id), "manager": note.manager, "attempt": note.attempt}
    audit(session, principal, "write_coaching_note", f"task/{task_id}", detail, org_path=task.org_path)
    return note


async def _require_attempt(session: AsyncSession, task_id: UUID, attempt: int | None) -> None:
    if attempt is not None and await session.get(Attempt, (task_id, attempt)) is None:
        errors = [FieldError("/attempt", "there was no such attempt")]
        raise Unprocessable("the note speaks of no attempt", errors=errors)


async def acknowledge_note(session: AsyncSession, principal: Principal, note_id: UUID, version: int) -> None:
    """Doing again what was done changes nothing."""
    note = await session.scalar(select(CoachingNote).where(CoachingNote.id == note_id).with_for_update())
    if note is None:
        raise NotFound(f"no coaching note {note_id}")
    if note.manager != principal.staff:
        raise Forbidden("the note is for another manager")
    if note.acknowledged_at is not None:
        return
    check_version(note.version, version)
    note.acknowledged_at = clock.now()
    note.version += 1
    await session.flush()
    org = await session.scalar(select(Contact.org_path).where(Contact.id == note.task_id))
    detail = {"note": str(note_id)}
    audit(session, principal, "acknowledge_coaching_note", f"task/{note.task_id}", detail, org_path=org)
