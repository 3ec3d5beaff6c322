"""Writing memberships: the new bitmap, the difference for the history, the events for others."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from pyroaring import BitMap
from sqlalchemy import insert as plain_insert
from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.models import Membership, MembershipDelta, Segment
from services.segmentation.store.families import Gone
from shared.contracts.events import BATCH_ITEMS, SegmentUpdated
from shared.contracts.segmentation import SegmentState
from shared.outbox import emit


@dataclass(frozen=True)
class Change:
    """The members of one segment before and after an evaluation of its live version."""

    segment: Segment
    before: BitMap
    after: BitMap
    cause: Literal["events", "edit", "full", "merge"]
    evaluated: BitMap | None = None
    """What the evaluation found, where `after` lacks those of it who have been merged since."""

    @property
    def joined(self) -> BitMap:
        return self.after - self.before

    @property
    def left(self) -> BitMap:
        return self.before - self.after

    @property
    def version(self) -> int:
        return self.segment.live_version or self.segment.version

    @property
    def is_news(self) -> bool:
        """Members moved, or this version is evaluated for the first time."""
        return self.after != self.before or self.segment.evaluated_version != self.version


def settled(
    segment: Segment,
    before: BitMap,
    evaluated: BitMap,
    gone: Gone,
    cause: Literal["full", "merge"],
) -> Change:
    """From `before` to the evaluated members less those who belong to no segment any more."""
    kept = evaluated - gone.erased
    after = kept - gone.merged
    return Change(segment, before, after, cause, kept if kept != after else None)


async def save_changes(
    session: AsyncSession,
    changes: Sequence[Change],
    ids: Mapping[int, UUID],
    at: datetime,
    run_id: UUID,
) -> set[UUID]:
    """Stores what changed and publishes it; returns the segments that did. `ids` knows all who moved."""
    current = await _still_live(session, changes)
    changes = [change for change in changes if (change.segment.id, change.version) in current]
    news = [change for change in changes if change.is_news]
    for change in news:
        await _store_members(session, change, at, run_id)
        await emit(session, *_updates(change, ids, at, run_id))
    for change in changes:
        await session.execute(
            update(Segment)
            .where(Segment.id == change.segment.id)
            .values(evaluated_version=change.version, evaluated_at=at, size=len(change.after))
        )
    return {change.segment.id for change in news}


async def _still_live(session: AsyncSession, changes: Sequence[Change]) -> set[tuple[UUID, int]]:
    """Locks the segments: what was archived or published anew during the evaluation is left alone."""
    rows = await session.execute(
        select(Segment.id, Segment.live_version)
        .where(Segment.id.in_([change.segment.id for change in changes]), Segment.state == SegmentState.live)
        .order_by(Segment.id)
        .with_for_update()
    )
    return {(id_, version) for id_, version in rows if version is not None}


async def _store_members(session: AsyncSession, change: Change, at: datetime, run_id: UUID) -> None:
    values = {
        "segment_id": change.segment.id,
        "version": change.version,
        "run_id": run_id,
        "evaluated_at": at,
    }
    evaluated = None if change.evaluated is None else change.evaluated.serialize()
    current = insert(Membership).values(**values, members=change.after.serialize(), evaluated=evaluated)
    await session.execute(
        current.on_conflict_do_update(
            index_elements=[Membership.segment_id],
            set_={
                name: current.excluded[name]
                for name in ("version", "run_id", "evaluated_at", "members", "evaluated")
            },
        )
    )
    await session.execute(
        plain_insert(MembershipDelta).values(
            **values,
            cause=change.cause,
            size=len(change.after),
            joined=change.joined.serialize(),
            left=change.left.serialize(),
        )
    )


def _updates(change: Change, ids: Mapping[int, UUID], at: datetime, run_id: UUID) -> Iterator[SegmentUpdated]:
    """One event, or the parts of one change when many customers moved."""
    joined = [ids[ordinal] for ordinal in change.joined]
    left = [ids[ordinal] for ordinal in change.left]
    parts = max(1, -(-len(joined) // BATCH_ITEMS), -(-len(left) // BATCH_ITEMS))
    for part in range(parts):
        window = slice(part * BATCH_ITEMS, (part + 1) * BATCH_ITEMS)
        yield SegmentUpdated(
            segment_id=change.segment.id,
            key=change.segment.key,
            version=change.version,
            run_id=run_id,
            cause=change.cause,
            evaluated_at=at,
            size=len(change.after),
            joined=joined[window],
            left=left[window],
            part=part + 1,
            parts=parts,
        )
