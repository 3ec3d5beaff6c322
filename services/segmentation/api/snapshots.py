"""Snapshots: the members of a segment as they were at one moment, for campaigns."""

from typing import Annotated
from uuid import UUID

from fastapi import Header, Path, Query, Response
from pyroaring import BitMap

from services.segmentation.api.access import FeatureStore, NamedSegment, Reader, Strategist
from services.segmentation.models import Segment, SegmentSnapshot
from services.segmentation.queries.members import member_batches, member_page
from services.segmentation.queries.snapshots import (
    find_snapshot,
    snapshot_row,
    snapshot_view,
    snapshots_with_segment,
)
from services.segmentation.store import reading
from services.segmentation.store.bitmaps import to_array
from services.segmentation.usecases import snapshots as usecase
from shared.columnar import ARROW, CSV, NDJSON, arrow_response
from shared.contracts.base import Key, Page
from shared.contracts.segmentation import MemberView
from shared.contracts.segmentation.snapshots import SnapshotCreate, SnapshotView
from shared.pagination import PageParams, paginate
from shared.web import Router, Session, problem_responses

router = Router(tags=["snapshots"])

SnapshotId = Annotated[UUID, Path(description="Id of the snapshot")]
_COLUMNAR = (ARROW, CSV, NDJSON)


@router.post("/segments/{segment}:snapshot", status_code=201, responses=problem_responses(404, 409))
async def create_snapshot(
    session: Session,
    principal: Strategist,
    store: FeatureStore,
    segment: NamedSegment,
    body: SnapshotCreate,
    response: Response,
) -> SnapshotView:
    """Freeze the present members within your organisation. Nothing changes a snapshot but an erasure."""
    snapshot = await usecase.freeze(session, principal, store, segment, body)
    response.headers["Location"] = f"/v1/snapshots/{snapshot.id}"
    return snapshot_view(snapshot, segment.key)


@router.get("/snapshots", responses=problem_responses(400))
async def list_snapshots(
    session: Session,
    principal: Reader,
    page: PageParams,
    segment: Annotated[Key | None, Query(description="Only of the segment with this key")] = None,
) -> Page[SnapshotView]:
    """Snapshots of your organisation, newest first."""
    statement = snapshots_with_segment()
    if segment is not None:
        statement = statement.where(Segment.key == segment)
    return await paginate(session, statement, [SegmentSnapshot.id], page, snapshot_row, descending=True)


@router.get("/snapshots/{snapshot_id}", responses=problem_responses(404))
async def get_snapshot(session: Session, principal: Reader, snapshot_id: SnapshotId) -> SnapshotView:
    """One snapshot."""
    return snapshot_view(*await find_snapshot(session, snapshot_id))


@router.get(
    "/snapshots/{snapshot_id}/members",
    response_model=Page[MemberView],
    responses={
        200: {"content": {media: {"schema": {"type": "string", "format": "binary"}} for media in _COLUMNAR}},
        **problem_responses(400, 404),
    },
)
async def list_snapshot_members(
    session: Session,
    principal: Reader,
    store: FeatureStore,
    snapshot_id: SnapshotId,
    page: PageParams,
    accept: Annotated[str | None, Header(description="Arrow, CSV or NDJSON: all members at once")] = None,
) -> Page[MemberView] | Response:
    """The frozen members within your organisation, by page; all where Arrow, CSV or NDJSON is accepted.

    Customers merged since stand under their own id; branch and manager are those of today.
    """
    snapshot, _ = await find_snapshot(session, snapshot_id)
    members = BitMap.deserialize(snapshot.members)
    if accept is not None and any(media in accept for media in _COLUMNAR):
        batches = member_batches(store, to_array(members), principal.org)
        return arrow_response(reading.MEMBER_EXPORT, batches, accept)
    return await member_page(store, members, principal.org, page)
