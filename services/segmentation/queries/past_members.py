"""Members as they were: the present ones, with what changed since taken back.

Customers are told by their ordinals then: one who has been merged since stands for itself, as it did.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from pyroaring import BitMap
from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.models import MembershipDelta, Segment
from services.segmentation.queries.kept_members import kept_members
from shared.contracts.segmentation import SegmentState
from shared.db import fetch
from shared.errors import Conflict

_AT_ONCE = 500
_NEWEST = 2**63 - 1
_CHANGES = """
SELECT id, segment_id, evaluated_at > %(at)s, joined, "left" FROM membership_delta
WHERE segment_id = ANY(%(segments)b::uuid[]) AND id < %(before)s
  AND (evaluated_at > %(at)s OR segment_id <> ALL(%(kept)b::uuid[]))
ORDER BY id DESC LIMIT %(most)s
"""
"""Newest first: what came later; of segments whose members are not kept any more, all there is."""


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


async def members_back(
    session: AsyncSession, keys: Collection[str], instants: Sequence[datetime]
) -> list[dict[str, BitMap]]:
    """The members of these segments at each instant: the present ones, with later changes taken back.

    Raises `Conflict` where one of the segments is not in use any more.
    """
    segments = await session.scalars(
        select(Segment).where(Segment.key.in_(keys), Segment.state != SegmentState.archived)
    )
    found = {segment.key: segment for segment in segments}
    if missing := sorted(set(keys) - found.keys()):
        raise Conflict(f"The rule refers to '{missing[0]}', which is not in use any more: change the rule.")
    past: list[dict[str, BitMap]] = [{} for _ in instants]
    newest_first = sorted(range(len(instants)), key=lambda each: instants[each], reverse=True)
    for key, segment in found.items():
        members = BitMap(await last_members(session, segment))
        waiting = list(newest_first)
        async for change in changes_after(session, segment.id, min(instants)):
            while instants[waiting[0]] >= change.evaluated_at:
                past[waiting.pop(0)][key] = BitMap(members)
            members -= BitMap.deserialize(change.joined)
            members |= BitMap.deserialize(change.left)
        for index in waiting:
            past[index][key] = BitMap(members)
    return past


async def segments_containing_at(session: AsyncSession, ordinal: int, at: datetime) -> list[Segment]:
    """The segments the customer was in, by key, also those archived since."""
    still = (Segment.state != SegmentState.archived) | (Segment.updated_at > at)
    segments = (await session.scalars(select(Segment).where(still).order_by(Segment.key))).all()
    kept = await kept_members(session, [segment.id for segment in segments])
    inside = {
        segment.id: ordinal in kept[segment.id].members if segment.id in kept else None
        for segment in segments
    }
    wanted = {"segments": list(inside), "kept": list(kept), "at": at, "most": _AT_ONCE}
    before = _NEWEST
    while True:
        changes = await fetch(session, _CHANGES, {**wanted, "before": before})
        await asyncio.to_thread(_take_back, changes, ordinal, inside)
        if len(changes) < _AT_ONCE:
            break
        before = changes[-1][0]
    return [segment for segment in segments if inside[segment.id]]


def _take_back(changes: Sequence[tuple[Any, ...]], ordinal: int, inside: dict[UUID, bool | None]) -> None:
    """`inside`: by segment, `None` while nothing is known but what the log says."""
    for _, segment_id, later, joined, left in changes:
        if not later and inside[segment_id] is not None:
            continue
        if ordinal in BitMap.deserialize(joined):
            inside[segment_id] = not later
        elif ordinal in BitMap.deserialize(left):
            inside[segment_id] = later


async def version_at(session: AsyncSession, segment_id: UUID, at: datetime) -> int | None:
    """Whose members the segment had then."""
    found: Any = await session.scalar(
        select(MembershipDelta.version)
        .where(MembershipDelta.segment_id == segment_id, MembershipDelta.evaluated_at <= at)
        .order_by(MembershipDelta.id.desc())
        .limit(1)
    )
    return None if found is None else int(found)
