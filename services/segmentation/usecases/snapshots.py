"""Freezing members, so that a campaign keeps to those it was approved for."""

import hashlib
from collections.abc import Iterable, Sequence
from uuid import UUID

import duckdb
from pyroaring import BitMap
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.models import Segment, SegmentSnapshot
from services.segmentation.queries.kept_members import kept_members
from services.segmentation.store import reading
from services.segmentation.store.bitmaps import to_array
from services.segmentation.store.store import Store
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.segmentation.snapshots import SnapshotCreate
from shared.errors import Conflict
from shared.ids import new_id


async def freeze(
    session: AsyncSession, principal: Principal, store: Store, segment: Segment, wanted: SnapshotCreate
) -> SegmentSnapshot:
    """The members as last evaluated, of the caller's organisation. `Conflict` where there are none yet."""
    kept = (await kept_members(session, [segment.id])).get(segment.id)
    if kept is None or segment.evaluated_at is None:
        raise Conflict(f"The segment is {segment.state} and has no members that could be frozen.")
    members, digest = await store.run(lambda cursor: _known(cursor, kept.members, principal.org))
    snapshot = SegmentSnapshot(
        id=new_id(),
        segment_id=segment.id,
        version=kept.version,
        evaluated_at=segment.evaluated_at,
        org_path=principal.org,
        purpose=wanted.purpose,
        size=len(members),
        erased=0,
        digest=digest,
        members=members.serialize(),
        created_by=principal.id,
        created_at=clock.now(),
    )
    session.add(snapshot)
    await session.flush()
    detail = {"segment": segment.key, "size": snapshot.size, "digest": snapshot.digest}
    audit(session, principal, "freeze", f"snapshot/{snapshot.id}", detail)
    return snapshot


def _known(cursor: duckdb.DuckDBPyConnection, members: BitMap, org: str) -> tuple[BitMap, str]:
    rows = reading.members_in_scope(cursor, to_array(members), org, len(members))
    return BitMap(ordinal for ordinal, _, _ in rows), digest_of(id_ for _, id_, _ in rows)


def digest_of(ids: Iterable[UUID]) -> str:
    """SHA-256 over the ids as 16 bytes each, in ascending order; the same for the same customers."""
    found = hashlib.sha256()
    for each in sorted(id_.bytes for id_ in ids):
        found.update(each)
    return found.hexdigest()


async def forget_in_snapshots(session: AsyncSession, ordinals: Sequence[int]) -> None:
    """Takes the erased out of all snapshots; the digests stay as they were."""
    gone = BitMap(ordinals)
    for snapshot in await session.scalars(select(SegmentSnapshot).with_for_update()):
        members = BitMap.deserialize(snapshot.members)
        if members.intersect(gone):
            snapshot.erased += members.intersection_cardinality(gone)
            snapshot.members = (members - gone).serialize()
    await session.flush()
