"""Stored members: bitmaps by segment, who joined when, what changed."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from pyroaring import BitMap
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.models import Membership, MembershipDelta, Segment
from shared.contracts.segmentation import SegmentState

_DELTAS_AT_ONCE = 50


async def members_of(session: AsyncSession, segment_id: UUID) -> BitMap:
    """Empty before the first evaluation."""
    stored = await session.scalar(select(Membership.members).where(Membership.segment_id == segment_id))
    return BitMap.deserialize(stored) if stored is not None else BitMap()


async def members_by_key(session: AsyncSession, keys: Iterable[str]) -> dict[str, BitMap]:
    """Stored members of these live segments; a segment never evaluated has none."""
    wanted = set(keys)
    rows = await session.execute(
        select(Segment.key, Membership.members)
        .join(Membership, Membership.segment_id == Segment.id)
        .where(Segment.key.in_(wanted), Segment.state == SegmentState.live)
    )
    found = {key: BitMap.deserialize(members) for key, members in rows}
    return {key: found.get(key, BitMap()) for key in wanted}


async def segments_containing(session: AsyncSession, ordinal: int) -> list[Segment]:
    """The live segments that the customer is in, by key."""
    rows = await session.execute(
        select(Segment, Membership.members)
        .join(Membership, Membership.segment_id == Segment.id)
        .where(Segment.state == SegmentState.live)
        .order_by(Segment.key)
    )
    return [segment for segment, members in rows if ordinal in BitMap.deserialize(members)]


async def any_member(session: AsyncSession, ordinals: BitMap) -> bool:
    """Whether one of these is kept as a member of any segment, present or waiting to come back."""
    rows = await session.execute(select(Membership.members, Membership.evaluated))
    return any(
        ordinals.intersect(BitMap.deserialize(kept)) for row in rows for kept in row if kept is not None
    )


async def joined_at(session: AsyncSession, segment_id: UUID, ordinal: int) -> datetime | None:
    """When the customer last joined; newest changes are looked at first."""
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
        rows = (await session.execute(statement)).all()
        for row in rows:
            if ordinal in BitMap.deserialize(row.joined):
                at: datetime = row.evaluated_at
                return at
        if len(rows) < _DELTAS_AT_ONCE:
            return None
        before = rows[-1].id
