"""Refused events as contracts."""

from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from services.customer.models import QuarantinedEvent
from shared.contracts.base import Page, ProblemItem
from shared.contracts.customer.intake import (
    QuarantineCount,
    QuarantinedEventView,
    QuarantineFilter,
    QuarantineSummary,
)
from shared.errors import NotFound
from shared.pagination import PageRequest, paginate

_MAX_GROUPS = 500


def refused_events(condition: QuarantineFilter, own: str | None, state: str | None = None) -> Select[Any]:
    """All conditions together; `own` is the only source a system may see."""
    table = QuarantinedEvent
    statement = select(table)
    conditions = {
        table.source: condition.source,
        table.type: condition.type,
        table.reason: condition.reason,
        table.state: state,
    }
    for column, wanted in conditions.items():
        if wanted is not None:
            statement = statement.where(column == wanted)
    if own is not None:
        statement = statement.where(table.source == own)
    if condition.since is not None:
        statement = statement.where(table.received_at >= condition.since)
    if condition.until is not None:
        statement = statement.where(table.received_at < condition.until)
    return statement


async def refused_event(session: AsyncSession, row_id: UUID, own: str | None) -> QuarantinedEvent:
    row = await session.get(QuarantinedEvent, row_id)
    if row is None or (own is not None and row.source != own):
        raise NotFound("There is no such refused event")
    return row


async def summary(session: AsyncSession, own: str | None) -> QuarantineSummary:
    """Open events by source, type and reason."""
    table = QuarantinedEvent
    keys = (table.source, table.type, table.reason)
    oldest: Any = func.min(table.received_at)
    statement = (
        select(*keys, func.count(), func.sum(table.seen), oldest)
        .where(table.state == "open")
        .group_by(*keys)
        .order_by(func.count().desc(), *keys)
    )
    if own is not None:
        statement = statement.where(table.source == own)
    groups = [
        QuarantineCount(source=source, type=kind, reason=reason, events=events, seen=seen, oldest=since)
        for source, kind, reason, events, seen, since in (await session.execute(statement)).all()
    ]
    return QuarantineSummary(events=sum(group.events for group in groups), groups=groups[:_MAX_GROUPS])


async def list_refused(
    session: AsyncSession, rows: Select[Any], page: PageRequest
) -> Page[QuarantinedEventView]:
    """One page of `rows` in order of arrival; what they contain stays in the database."""
    light = rows.options(defer(QuarantinedEvent.sealed, raiseload=True))
    kept = light.add_columns(QuarantinedEvent.sealed.is_not(None).label("kept"))
    return await paginate(
        session,
        kept,
        [QuarantinedEvent.id],
        page,
        lambda row: QuarantinedEventView(**fields_of(row[0], kept=row._mapping["kept"])),  # noqa: SLF001
    )


def fields_of(row: QuarantinedEvent, *, kept: bool) -> dict[str, Any]:
    """Of a QuarantinedEventView."""
    return {
        **{name: getattr(row, name) for name in _SAME},
        "errors": [ProblemItem(**error) for error in row.errors],
        "replayable": kept,
    }


_SAME = tuple(QuarantinedEventView.model_fields.keys() - {"errors", "replayable"})
