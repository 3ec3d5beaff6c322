"""Members as they were: the present ones, with what changed since taken back.

Customers are told by their ordinals then: one who has been merged since stands for itself, as it did.
"""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any
from uuid import UUID

from pyroaring import BitMap
from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.models import MembershipDelta, Segment
from services.segmentation.queries.kept_members import kept_members
from shared.contracts.segmentation import SegmentState

_AT_ONCE = 500


async def members_at(session: AsyncSession, segment: Segment, at: datetime) -> BitMap:
    """Nobody before the first evaluation and after the segment was archived."""
    if segment.state == SegmentState.archived and at >= segment.updated_at:
        return BitMap()
    members = await last_members(session, segment)
    async for change in changes_after(session, segment.id, at):
        members -= BitMap.deserialize(change.joined)
        members |= BitMap.deserialize(change.left)
    return members


async def last_members(session: AsyncSession, segment: Segment) -> BitMap:
    """Where all changes lead to: the present members, or of a segment without any what its log adds up to."""
    kept = (await kept_members(session, [segment.id])).get(segment.id)
    if kept is not None:
        return kept.members
    members = BitMap()
    log = await session.execute(
        select(MembershipDelta.joined, MembershipDelta.left)
        .where(MembershipDelta.segment_id == segment.id)
        .order_by(MembershipDelta.id)
    )
    for joined, left in log:
        members |= BitMap.deserialize(joined)
        members -= BitMap.deserialize(left)
    return members


async def changes_after(
    session: AsyncSession, segment_id: UUID, at: datetime
) -> AsyncIterator[Row[int, datetime, bytes, bytes]]:
    """(id, evaluated_at, joined, left) of evaluations later than `at`, newest first."""
    statement = (
        select(MembershipDelta.id, MembershipDelta.evaluated_at, MembershipDelta.joined, MembershipDelta.left)
        .where(MembershipDelta.segment_id == segment_id, MembershipDelta.evaluated_at > at)
        .order_by(MembershipDelta.id.desc())
        .limit(_AT_ONCE)
    )
    before: int | None = None
    while True:
        page = statement if before is None else statement.where(MembershipDelta.id < before)
        rows = (await session.execute(page)).all()
        for row in rows:
            yield row
        if len(rows) < _AT_ONCE:
            return
        before = rows[-1].id


async def segments_containing_at(session: AsyncSession, ordinal: int, at: datetime) -> list[Segment]:
    """The segments the customer was in, by key, also those archived since."""
    segments = (await session.scalars(select(Segment).order_by(Segment.key))).all()
    kept = await kept_members(session)
    found: list[Segment] = []
    for segment in segments:
        if segment.id in kept:
            inside = await _was_inside(session, segment.id, kept[segment.id].members, ordinal, at)
        else:
            inside = ordinal in await members_at(session, segment, at)
        if inside:
            found.append(segment)
    return found


async def _was_inside(
    session: AsyncSession, segment_id: UUID, members: BitMap, ordinal: int, at: datetime
) -> bool:
    inside = ordinal in members
    async for change in changes_after(session, segment_id, at):
        if ordinal in BitMap.deserialize(change.joined):
            inside = False
        elif ordinal in BitMap.deserialize(change.left):
            inside = True
    return inside


async def version_at(session: AsyncSession, segment_id: UUID, at: datetime) -> int | None:
    """Whose members the segment had then."""
    found: Any = await session.scalar(
        select(MembershipDelta.version)
        .where(MembershipDelta.segment_id == segment_id, MembershipDelta.evaluated_at <= at)
        .order_by(MembershipDelta.id.desc())
        .limit(1)
    )
    return None if found is None else int(found)
