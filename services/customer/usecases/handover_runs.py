"""Executing handovers: on their day, chunk by chunk, resumable; undone the same way."""

import asyncio
from contextlib import suppress
from datetime import date
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.models import Handover, Staff
from services.customer.queries.handovers import progress_of
from services.customer.usecases.effects import touch
from services.customer.usecases.families import lock_families
from services.customer.usecases.handover import TASK, replan, start
from services.customer.usecases.ownership import name_cause
from services.customer.usecases.publishing import publish_customers
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.events import HandoverCompleted
from shared.db import fetch, give_reason
from shared.errors import Conflict, NotFound, ProblemError
from shared.jobs import CancelledJobError, JobRun, defer
from shared.outbox import emit
from shared.service import Runtime

logger = structlog.get_logger()

CHUNK = 500
"""Customers one transaction moves."""
_LOOK_SECONDS = 10.0

_DUE = """
SELECT customer_id FROM handover_item
WHERE handover_id = %(handover)s AND state = %(from_state)s ORDER BY customer_id LIMIT %(chunk)s
"""

# Only who is still with the owners the handover knows: somebody else's later decision stands.
_FORWARD = """
WITH fitting AS (
  SELECT i.* FROM handover_item i JOIN customer c ON c.id = i.customer_id
  WHERE i.handover_id = %(handover)s AND i.customer_id = ANY(%(ids)b::uuid[]) AND c.merged_into IS NULL
    AND (c.org_path, c.primary_manager, c.backup_manager)
      IS NOT DISTINCT FROM (i.before_org, i.before_primary, i.before_backup)
), moved AS (
  UPDATE customer c SET org_path = f.after_org, primary_manager = f.after_primary,
    backup_manager = f.after_backup
  FROM fitting f WHERE c.id = f.customer_id OR c.merged_into = f.customer_id RETURNING c.id
), marked AS (
  UPDATE handover_item i SET state = CASE WHEN f.customer_id IS NULL THEN 'left' ELSE 'done' END
  FROM unnest(%(ids)b::uuid[]) AS d(id) LEFT JOIN fitting f ON f.customer_id = d.id
  WHERE i.handover_id = %(handover)s AND i.customer_id = d.id RETURNING i.state
)
SELECT array(SELECT id FROM moved), (SELECT count(*) FROM marked WHERE state = 'left')
"""

_BACKWARD = """
WITH fitting AS (
  SELECT i.* FROM handover_item i JOIN customer c ON c.id = i.customer_id
  WHERE i.handover_id = %(handover)s AND i.customer_id = ANY(%(ids)b::uuid[]) AND c.merged_into IS NULL
    AND (c.org_path, c.primary_manager, c.backup_manager)
      IS NOT DISTINCT FROM (i.after_org, i.after_primary, i.after_backup)
), moved AS (
  UPDATE customer c SET org_path = f.before_org, primary_manager = f.before_primary,
    backup_manager = f.before_backup
  FROM fitting f WHERE c.id = f.customer_id OR c.merged_into = f.customer_id RETURNING c.id
), marked AS (
  UPDATE handover_item i SET state = CASE WHEN f.customer_id IS NULL THEN 'left' ELSE 'undone' END
  FROM unnest(%(ids)b::uuid[]) AS d(id) LEFT JOIN fitting f ON f.customer_id = d.id
  WHERE i.handover_id = %(handover)s AND i.customer_id = d.id RETURNING i.state
)
SELECT array(SELECT id FROM moved), (SELECT count(*) FROM marked WHERE state = 'left')
"""

_RECEIVED = """
SELECT staff, count(*) FROM (
  SELECT after_primary AS staff FROM handover_item
  WHERE handover_id = %(handover)s AND state = ANY(%(states)b::text[])
    AND after_primary IS DISTINCT FROM before_primary
  UNION ALL SELECT after_backup FROM handover_item
  WHERE handover_id = %(handover)s AND state = ANY(%(states)b::text[])
    AND after_backup IS DISTINCT FROM before_backup
) r GROUP BY staff ORDER BY staff
"""


async def cancel_handover(session: AsyncSession, principal: Principal, handover_id: UUID) -> Handover:
    """Before its day; 409 afterwards."""
    handover = await _locked(session, handover_id)
    if handover.state != "planned":
        raise Conflict(f"It is {handover.state}; only a planned handover can be cancelled")
    handover.state, handover.finished_at = "cancelled", clock.now()
    handover.version += 1
    await session.flush()
    audit(session, principal, "cancel_handover", f"handover/{handover_id}", org_path=handover.org_path)
    return handover


async def undo_handover(session: AsyncSession, principal: Principal, handover_id: UUID) -> Handover:
    """Give back what nobody reassigned since. 409 unless it is done and its staff is active."""
    handover = await _locked(session, handover_id)
    if handover.state != "done":
        raise Conflict(f"It is {handover.state}; only a handover that is done can be undone")
    staff = await session.get(Staff, handover.staff)
    if staff is None or not staff.active:
        raise Conflict(f"{handover.staff} is not active: nobody to give the customers back to")
    job = await defer(session, principal, TASK, {"handover_id": str(handover.id)})
    handover.state, handover.job_id, handover.finished_at = "undoing", job.id, None
    handover.version += 1
    await session.flush()
    audit(session, principal, "undo_handover", f"handover/{handover_id}", org_path=handover.org_path)
    return handover


async def run_handover(job: JobRun) -> dict[str, Any]:
    """The job. Started again after a crash it goes on with the customers not yet moved."""
    handover_id = UUID(job.args["handover_id"])
    async with job.runtime.db.transaction() as session:
        handover = await _locked(session, handover_id)
        state, actor, scope = handover.state, job.principal, _scope(handover)
    if state not in {"running", "undoing"}:
        return {"handover_id": str(handover_id), "state": state}
    moved = True
    while moved:
        async with job.runtime.db.transaction(scope, actor=actor) as session:
            moved, handover = await _move_chunk(session, handover_id)
        # Half a handover helps nobody: whoever wants it back undoes it when it is done.
        with suppress(CancelledJobError):
            counts = {"done": handover.done, "left": handover.left}
            await job.progress(progress_of(handover), state, counts)
    async with job.runtime.db.transaction(scope, actor=actor) as session:
        handover = await _finish(session, handover_id, actor)
    return {
        "handover_id": str(handover_id),
        "state": handover.state,
        "done": handover.done,
        "left": handover.left,
    }


async def start_due(runtime: Runtime) -> int:
    """Start every handover whose day has come; how many. What is not clean says why and waits."""
    async with runtime.db.transaction() as session:
        due = (await session.scalars(_due(clock.today()))).all()
    started = 0
    for handover_id in due:
        started += await _start_one(runtime, handover_id)
    return started


async def watch_handovers(runtime: Runtime) -> None:
    """Endless: the day of a handover comes while nobody asks."""
    while True:
        await start_due(runtime)
        await asyncio.sleep(_LOOK_SECONDS)


def _due(today: date) -> Any:
    return (
        select(Handover.id)
        .where(Handover.state == "planned", Handover.effective_on <= today)
        .order_by(Handover.effective_on, Handover.id)
    )


async def _start_one(runtime: Runtime, handover_id: UUID) -> bool:
    try:
        async with runtime.db.transaction() as session:
            scope = _scope(await _locked(session, handover_id))
        async with runtime.db.transaction(scope) as session:
            handover = await _locked(session, handover_id)
            if handover.state != "planned" or handover.effective_on > clock.today():
                return False
            await replan(session, handover)
            principal = Principal(id=handover.created_by, roles=frozenset(), org=handover.scope)
            await start(session, principal, handover)
    except ProblemError as error:
        await _note_why(runtime, handover_id, error.detail)
        return False
    return True


async def _note_why(runtime: Runtime, handover_id: UUID, why: str) -> None:
    logger.warning("handover_blocked", handover=str(handover_id), why=why)
    async with runtime.db.transaction() as session:
        await session.execute(
            update(Handover)
            .where(Handover.id == handover_id, Handover.state == "planned")
            .where(Handover.blocked.is_distinct_from(why))
            .values(blocked=why, version=Handover.version + 1)
        )


async def _move_chunk(session: AsyncSession, handover_id: UUID) -> tuple[bool, Handover]:
    """One transaction: up to 500 customers with all merged into them; false when none was left to do."""
    handover = await _locked(session, handover_id)
    undoing = handover.state == "undoing"
    parameters: dict[str, Any] = {
        "handover": handover_id,
        "from_state": "done" if undoing else "planned",
        "chunk": CHUNK,
    }
    ids = [row[0] for row in await fetch(session, _DUE, parameters)]
    if not ids:
        return False, handover
    await name_cause(session, "handover_undone" if undoing else "handover")
    await give_reason(session, handover.reason)
    await lock_families(session, ids, with_members=True)
    moved, left = (
        await fetch(session, _BACKWARD if undoing else _FORWARD, {"handover": handover_id, "ids": ids})
    )[0]
    await touch(session, moved)
    await publish_customers(session, moved)
    handover.done += -len(ids) if undoing else len(ids) - left
    handover.left += left
    handover.version += 1
    await session.flush()
    return True, handover


async def _finish(session: AsyncSession, handover_id: UUID, actor: str) -> Handover:
    handover = await _locked(session, handover_id)
    undone = handover.state == "undoing"
    handover.state = "undone" if undone else "done"
    handover.finished_at = clock.now()
    handover.version += 1
    states = ["undone"] if undone else ["done"]
    rows = await fetch(session, _RECEIVED, {"handover": handover_id, "states": states})
    await session.flush()
    event = HandoverCompleted(
        handover_id=handover_id,
        staff=handover.staff,
        customers=handover.customers - handover.left,
        receivers={row[0]: row[1] for row in rows},
        undone=undone,
        completed_at=clock.now(),
    )
    await emit(session, event)
    principal = Principal(id=actor, roles=frozenset(), org=handover.scope)
    detail = {"customers": event.customers, "left": handover.left}
    action = "handover_undone" if undone else "handover_completed"
    audit(session, principal, action, f"staff/{handover.staff}", detail, org_path=handover.org_path)
    return handover


async def _locked(session: AsyncSession, handover_id: UUID) -> Handover:
    handover = await session.get(Handover, handover_id, with_for_update=True, populate_existing=True)
    if handover is None:
        raise NotFound("There is no such handover in your organisation")
    return handover


def _scope(handover: Handover) -> str:
    return "*" if handover.scope == "hq" else handover.scope
