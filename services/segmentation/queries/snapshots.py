"""Frozen members: found, listed, shown."""

from typing import Any, cast
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.models import Segment, SegmentSnapshot
from shared.contracts.segmentation.snapshots import SnapshotView
from shared.errors import NotFound


def snapshots_with_segment() -> Select[Any]:
    statement = select(SegmentSnapshot, Segment.key).join(Segment, Segment.id == SegmentSnapshot.segment_id)
    return cast("Select[Any]", statement)


async def find_snapshot(session: AsyncSession, snapshot_id: UUID) -> tuple[SegmentSnapshot, str]:
    """With the key of its segment. 404 also for snapshots of units the caller does not see."""
    row = (
        await session.execute(snapshots_with_segment().where(SegmentSnapshot.id == snapshot_id))
    ).one_or_none()
    if row is None:
        raise NotFound(f"There is no snapshot {snapshot_id} in your organisation.")
    return row[0], row[1]


def snapshot_row(row: Any) -> SnapshotView:
    snapshot, key = row[:2]
    return snapshot_view(snapshot, key)


def snapshot_view(snapshot: SegmentSnapshot, key: str) -> SnapshotView:
    return SnapshotView(
        id=snapshot.id,
        segment_id=snapshot.segment_id,
        key=key,
        version=snapshot.version,
        evaluated_at=snapshot.evaluated_at,
        org=snapshot.org_path,
        purpose=snapshot.purpose,
        size=snapshot.size,
        erased=snapshot.erased,
        digest=snapshot.digest,
        created_by=snapshot.created_by,
        created_at=snapshot.created_at,
    )
