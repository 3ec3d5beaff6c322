"""All definitions a segment has had, and what each did to its members when it came into force."""

from typing import Any, cast

from pyroaring import BitMap
from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.models import MembershipDelta, Segment, SegmentVersion
from services.segmentation.queries.segments import definition_view
from shared.contracts.base import Page
from shared.contracts.segmentation.history import SegmentVersionView
from shared.pagination import PageRequest, paginate


async def version_page(
    session: AsyncSession, segment: Segment, page: PageRequest
) -> Page[SegmentVersionView]:
    """Newest first."""

    def show(row: Any) -> SegmentVersionView:
        version, evaluated_at, joined, left = row[:4]
        return SegmentVersionView(
            version=version.version,
            definition=definition_view(version),
            live=version.version == segment.live_version,
            created_by=version.created_by,
            created_at=version.created_at,
            evaluated_at=evaluated_at,
            joined=None if joined is None else len(BitMap.deserialize(joined)),
            left=None if left is None else len(BitMap.deserialize(left)),
        )

    statement = _with_first_change(segment)
    return await paginate(session, statement, [SegmentVersion.version], page, show, descending=True)


def _with_first_change(segment: Segment) -> Select[Any]:
    first = (
        select(MembershipDelta.version, func.min(MembershipDelta.id).label("id"))
        .where(MembershipDelta.segment_id == segment.id)
        .group_by(MembershipDelta.version)
        .subquery()
    )
    statement = (
        select(SegmentVersion, MembershipDelta.evaluated_at, MembershipDelta.joined, MembershipDelta.left)
        .outerjoin(first, first.c.version == SegmentVersion.version)
        .outerjoin(MembershipDelta, MembershipDelta.id == first.c.id)
        .where(SegmentVersion.segment_id == segment.id)
    )
    return cast("Select[Any]", statement)
