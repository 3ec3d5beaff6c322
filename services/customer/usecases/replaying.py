"""Refused events tried again, or given up for good."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Select, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.domain.quarantine import as_stored, item_of, reason_of
from services.customer.domain.vault import Vault
from services.customer.models import QuarantinedEvent
from services.customer.queries.quarantine import refused_events
from services.customer.usecases.event_kinds import EventKinds
from services.customer.usecases.intake import CONFLICT, OUTSIDE, take
from services.customer.usecases.quarantine import unseal
from shared import clock
from shared.auth import Principal
from shared.contracts.customer.intake import QuarantineFilter, QuarantineReplay, QuarantineSelection
from shared.db import fetch
from shared.errors import FieldError, Unprocessable
from shared.jobs import JobRun

TASK = "replay_quarantine"
AT_ONCE = 1_000
_BATCH = 500

_STATES = {"accepted": "replayed", "duplicate": "replayed", "parked": "replayed"}

_CLOSE = """
UPDATE quarantined_event q SET state = r.state, closed_at = %(now)s,
  closed_by = current_setting('huanying.actor', true)
FROM unnest(%(id)b::uuid[], %(state)b::text[]) AS r(id, state) WHERE q.id = r.id
"""
_STILL_REFUSED = """
UPDATE quarantined_event q SET reason = r.reason, errors = r.errors::jsonb
FROM unnest(%(id)b::uuid[], %(reason)b::text[], %(errors)b::text[]) AS r(id, reason, errors)
WHERE q.id = r.id
"""


def selected(selection: QuarantineSelection, own: str | None) -> Select[Any]:
    """The open events a selection names; 422 unless it names them in exactly one way."""
    if (selection.ids is None) == (selection.filter is None):
        raise Unprocessable(
            "Name events by ids or by a filter", errors=[FieldError("/ids", "give this or /filter, not both")]
        )
    statement = refused_events(selection.filter or QuarantineFilter(), own, "open")
    if selection.ids is not None:
        statement = statement.where(QuarantinedEvent.id.in_(selection.ids))
    return statement


async def count(session: AsyncSession, rows: Select[Any]) -> int:
    return await session.scalar(select(func.count()).select_from(rows.subquery())) or 0


async def replay(
    session: AsyncSession, vault: Vault, kinds: EventKinds, rows: Select[Any], limit: int
) -> tuple[QuarantineReplay, UUID | None]:
    """Take at most `limit` of `rows`, oldest first; what became of them, and the last one."""
    statement = rows.order_by(QuarantinedEvent.id).limit(limit).with_for_update(skip_locked=True)
    found = list(await session.scalars(statement))
    counts = dict.fromkeys(QuarantineReplay.model_fields, 0) | {"selected": len(found)}
    for row, status in zip(found, await _taken(session, vault, kinds, found), strict=True):
        del row
        counts[status] += 1
    return QuarantineReplay(**counts), found[-1].id if found else None


async def _taken(
    session: AsyncSession, vault: Vault, kinds: EventKinds, rows: Sequence[QuarantinedEvent]
) -> list[str]:
    """accepted, duplicate, parked, superseded or refused: of each row, which is brought up to date."""
    now = clock.now()
    opened = [(row, item_of(unseal(vault, row.id, row.sealed))) for row in rows if row.sealed is not None]
    own = [(row, item) for row, item in opened if not _of_another_source(row, item)]
    statuses: dict[UUID, str] = {}
    still: dict[UUID, tuple[str, tuple[FieldError, ...]]] = {}
    if own:
        taken = await take(session, vault, kinds, [item for _row, item in own], verbose=True)
        for answer in taken.result.items:
            kind = answer.problem.type if answer.problem else None
            status = "superseded" if kind == CONFLICT else answer.status
            statuses[own[answer.index][0].id] = status
            if kind == OUTSIDE:
                errors = (FieldError("/subject", "belongs to a customer of another organisation"),)
                still[own[answer.index][0].id] = ("subject", errors)
        for each in taken.refused:
            still[own[each.refused.index][0].id] = (reason_of(each.refused), each.refused.errors)
    closed = {row_id: _STATES.get(status, status) for row_id, status in statuses.items()}
    closed = {row_id: state for row_id, state in closed.items() if state != "rejected"}
    await fetch(session, _CLOSE, {"id": list(closed), "state": list(closed.values()), "now": now})
    await _tell(session, still)
    return [_shown(statuses.get(row.id, "rejected")) for row in rows]


def _shown(status: str) -> str:
    return "refused" if status == "rejected" else status


def _of_another_source(row: QuarantinedEvent, item: Any) -> bool:
    """Kept for one sender, it is taken as that sender's only."""
    return row.source is not None and isinstance(item, dict) and item.get("source") != row.source


async def _tell(session: AsyncSession, still: dict[UUID, tuple[str, tuple[FieldError, ...]]]) -> None:
    if still:
        columns = {
            "id": list(still),
            "reason": [reason for reason, _errors in still.values()],
            "errors": [orjson.dumps(as_stored(errors)).decode() for _reason, errors in still.values()],
        }
        await fetch(session, _STILL_REFUSED, columns)


async def discard(session: AsyncSession, rows: Select[Any], by: str, because: str) -> int:
    """Close `rows` for good; how many."""
    wanted = rows.with_only_columns(QuarantinedEvent.id)
    statement = (
        update(QuarantinedEvent)
        .where(QuarantinedEvent.id.in_(wanted))
        .values(state="discarded", closed_at=clock.now(), closed_by=by, closed_because=because)
        .execution_options(synchronize_session=False)
        .returning(QuarantinedEvent.id)
    )
    return len((await session.execute(statement)).all())


def job_arguments(selection: QuarantineSelection, principal: Principal, size: int) -> dict[str, Any]:
    return {
        "filter": (selection.filter or QuarantineFilter()).model_dump(mode="json"),
        "source": principal.source,
        "scope": principal.scope,
        "size": size,
    }


async def replay_many(job: JobRun) -> dict[str, Any]:
    """The job: batch by batch in order, each in its own transaction; a repeated run finds what is left."""
    condition = QuarantineFilter.model_validate(job.args["filter"])
    vault, kinds = job.runtime.resource(Vault), job.runtime.resource(EventKinds)
    totals = dict.fromkeys(QuarantineReplay.model_fields, 0)
    last: UUID | None = None
    while True:
        rows = refused_events(condition, job.args["source"], "open")
        if last is not None:
            rows = rows.where(QuarantinedEvent.id > last)
        async with job.runtime.db.transaction(job.args["scope"], actor=job.principal) as session:
            result, last = await replay(session, vault, kinds, rows, _BATCH)
        if last is None:
            return totals
        totals = {name: total + getattr(result, name) for name, total in totals.items()}
        await job.progress(totals["selected"] / max(1, job.args["size"]), counts=totals)
