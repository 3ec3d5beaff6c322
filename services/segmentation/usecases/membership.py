"""Writing memberships: differences for the history, bitmaps from time to time, events for others."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args
from uuid import UUID

from pyroaring import BitMap
from sqlalchemy import Executable, delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.models import Membership, Segment, UnseenChange
from services.segmentation.queries.live_segments import LiveSegment
from services.segmentation.store.families import Gone
from shared.contracts.events import BATCH_ITEMS, SegmentUpdated
from shared.db import fetch
from shared.outbox import emit_all

Cause = Literal["events", "expiry", "profile", "edit", "full", "merge"]
CAUSES: tuple[Cause, ...] = get_args(Cause)
"""In the order they are written: of one segment each change goes on from the one before."""

_INSERT_DELTAS = """
INSERT INTO membership_delta (segment_id, version, run_id, cause, evaluated_at, size, joined, "left")
SELECT segment_id, version, %(run_id)s, cause, %(at)s, size, joined, leaving
FROM unnest(%(segment_id)b::uuid[], %(version)b::int[], %(cause)b::text[], %(size)b::int[],
  %(joined)b::bytea[], %(leaving)b::bytea[]) AS change(segment_id, version, cause, size, joined, leaving)
RETURNING segment_id, id
"""
_LOCK_LIVE = """
SELECT id, live_version FROM segment WHERE id = ANY(%(segments)b::uuid[]) AND state = 'live'
ORDER BY id FOR NO KEY UPDATE
"""
_MARK = """
UPDATE segment SET evaluated_version = done.version, evaluated_at = %(at)s, size = done.size
FROM unnest(%(segment_id)b::uuid[], %(version)b::int[], %(size)b::int[]) AS done(segment_id, version, size)
WHERE segment.id = done.segment_id
"""


@dataclass(frozen=True)
class Change:
    """The members of one segment before and after an evaluation of its live version."""

    segment: Segment | LiveSegment
    before: BitMap
    after: BitMap
    cause: Cause
    evaluated: BitMap | None = None
    """What the evaluation found, where `after` lacks those of it who have been merged since."""
    fold: bool = True
    """Write the whole bitmap; otherwise readers apply the difference to the one that is there."""

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
    cause: Cause,
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
    """Stores what changed and publishes it; returns the segments that did. `ids` knows all who moved.

    For segments that passes do not evaluate: the next pass looks at who moved, because of rules that refer
    to them.
    """
    current = await lock_live(session, [change.segment for change in changes])
    changes = [change for change in changes if change.segment.id in current]
    news = await write_changes(session, changes, ids, at, run_id)
    await mark_evaluated(session, changes, at)
    for change in news:
        if moved := change.before ^ change.after:
            session.add(UnseenChange(segment_id=change.segment.id, moved=moved.serialize()))
    await session.flush()
    return {change.segment.id for change in news}


async def lock_live(session: AsyncSession, segments: Sequence[Segment | LiveSegment]) -> set[UUID]:
    """Locks them: what was archived or published anew during the evaluation is left alone."""
    rows = await fetch(session, _LOCK_LIVE, {"segments": [segment.id for segment in segments]})
    current: dict[UUID, int | None] = dict(rows)
    return {segment.id for segment in segments if current.get(segment.id) == segment.live_version is not None}


async def write_changes(
    session: AsyncSession,
    changes: Sequence[Change],
    ids: Mapping[int, UUID],
    at: datetime,
    run_id: UUID,
) -> list[Change]:
    """Of locked segments; returns those with news."""
    news = [change for change in changes if change.is_news]
    if not news:
        return []
    rows = await fetch(session, _INSERT_DELTAS, {"run_id": run_id, "at": at, **_columns(news)})
    deltas: dict[UUID, int] = dict(rows)
    folded = [change for change in news if change.fold]
    if folded:
        await session.execute(
            _upsert(), [_membership(change, at, run_id, deltas[change.segment.id]) for change in folded]
        )
    await emit_all(session, (update for change in news for update in _updates(change, ids, at, run_id)))
    return news


async def mark_evaluated(session: AsyncSession, changes: Sequence[Change], at: datetime) -> None:
    """These segments are what their live version says at `at`."""
    columns = {
        "segment_id": [change.segment.id for change in changes],
        "version": [change.version for change in changes],
        "size": [len(change.after) for change in changes],
    }
    await fetch(session, _MARK, {"at": at, **columns})


async def forget_unseen(session: AsyncSession, seen: Sequence[int]) -> None:
    if seen:
        await session.execute(delete(UnseenChange).where(UnseenChange.id.in_(seen)))


def _columns(changes: Sequence[Change]) -> dict[str, list[object]]:
    return {
        "segment_id": [change.segment.id for change in changes],
        "version": [change.version for change in changes],
        "cause": [change.cause for change in changes],
        "size": [len(change.after) for change in changes],
        "joined": [change.joined.serialize() for change in changes],
        "leaving": [change.left.serialize() for change in changes],
    }


def _membership(change: Change, at: datetime, run_id: UUID, delta: int) -> dict[str, object]:
    return {
        "segment_id": change.segment.id,
        "version": change.version,
        "run_id": run_id,
        "evaluated_at": at,
        "members": change.after.serialize(),
        "evaluated": None if change.evaluated is None else change.evaluated.serialize(),
        "upto": delta,
    }


def _upsert() -> Executable:
    stored = insert(Membership)
    fields = ("version", "run_id", "evaluated_at", "members", "evaluated", "upto")
    return stored.on_conflict_do_update(
        index_elements=[Membership.segment_id],
        set_={name: stored.excluded[name] for name in fields},
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
