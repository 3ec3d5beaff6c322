"""Stored members: bitmaps by segment, who joined when, what changed."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from pyroaring import BitMap
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.models import MembershipDelta, Segment
from services.segmentation.queries.kept_members import kept_members
from shared.contracts.segmentation import SegmentState

_DELTAS_AT_ONCE = 50


async def members_of(session: AsyncSession, segment_id: UUID) -> BitMap:
    """Empty before the first evaluation."""
    kept = (await kept_members(session, [segment_id])).get(segment_id)
    return kept.members if kept is not None else BitMap()


async def members_by_key(session: AsyncSession, keys: Iterable[str]) -> dict[str, BitMap]:
    """Present members of these live segments; a segment never evaluated has none."""
    wanted = set(keys)
    rows = await session.execute(
        select(Segment.key, Segment.id).where(Segment.key.in_(wanted), Segment.state == SegmentState.live)
    )
    ids: dict[str, UUID] = dict(rows.all())
    kept = await kept_members(session, ids.values())
    found = {key: kept[id_].members for key, id_ in ids.items() if id_ in kept}
    return {key: found.get(key, BitMap()) for key in wanted}


async def segments_containing(session: AsyncSession, ordinal: int) -> list[Segment]:
    """The live segments that the customer is in, by key."""
    segments = await session.scalars(
        select(Segment).where(Segment.state == SegmentState.live).order_by(Segment.key)
    )
    live = segments.all()
    kept = await kept_members(session, [segment.id for segment in live])
    return [segment for segment in live if segment.id in kept and ordinal in kept[segment.id].members]


async def any_member(session: AsyncSession, ordinals: BitMap) -> bool:
    """Whether one of these is kept as a member of any segment, present or waiting to come back."""
    kept = await kept_members(session)
    return any(
        ordinals.intersect(members)
        for each in kept.values()
        for members in (each.members, each.evaluated)
        if members is not None
    )


async def joined_at(
    session: AsyncSession, segment_id: UUID, ordinal: int, upto: datetime | None = None
) -> datetime | None:
    """When the customer last joined, by `upto`; newest changes are looked at first."""
    before: int | None = None
    while True:
        statement = (
            select(MembershipDelta.id, MembershipDelta.evaluated_at, MembershipDelta.joined)
            .where(MembershipDelta.segment_id == segment_id)
            .order_by(MembershipDelta.id.desc())
            .limit(_DELTAS_AT_ONCE)
        )
        if before is not None:
            statement = statement.where(MembershipDelta.id < before)
        if upto is not None:
            statement = statement.where(MembershipDelta.evaluated_at <= upto)
        rows = (await session.execute(statement)).all()
        for row in rows:
            if ordinal in BitMap.deserialize(row.joined):
                at: datetime = row.evaluated_at
                return at
        if len(rows) < _DELTAS_AT_ONCE:
            return None
        before = rows[-1].id
