"""Live segments beside each other, as their bitmaps have them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import duckdb
from pyroaring import BitMap
from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.domain.overlap import overlap
from services.segmentation.models import Segment
from services.segmentation.queries.kept_members import kept_members
from services.segmentation.store import reading
from shared.contracts.base import LocalText
from shared.contracts.segmentation import SegmentState
from shared.contracts.segmentation.comparisons import OverlapSegment, OverlapView
from shared.errors import FieldError, Unprocessable

_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True)
class Compared:
    """A live segment and its members."""

    segment: Segment
    members: BitMap


@dataclass(frozen=True)
class Scope:
    """Who is in the caller's organisation (`None`: everybody), and how many stand for themselves."""

    customers: BitMap | None
    of: int

    def within(self, members: BitMap) -> BitMap:
        return members if self.customers is None else members & self.customers


def scope_of(cursor: duckdb.DuckDBPyConnection, org: str) -> Scope:
    return Scope(reading.scope_of(cursor, org), reading.active_customers(cursor, org))


async def compared(session: AsyncSession, names: Sequence[str]) -> list[Compared]:
    """In the order named, with all their members. 422 for a segment that does not exist, is not live, or is
    named twice.
    """
    ids = {UUID(name): name for name in names if _ID.fullmatch(name)}
    rows = await session.scalars(
        select(Segment).where(or_(Segment.key.in_(names), Segment.id.in_(list(ids))))
    )
    segments = rows.all()
    kept = await kept_members(session, [segment.id for segment in segments])
    found: dict[str, Compared] = {}
    for segment in segments:
        members = kept[segment.id].members if segment.id in kept else BitMap()
        one = Compared(segment, members)
        found[segment.key] = one
        found[ids.get(segment.id, segment.key)] = one
    _refuse(names, found)
    return [found[name] for name in names]


def _refuse(names: Sequence[str], found: dict[str, Compared]) -> None:
    errors, seen = [], set()
    for index, name in enumerate(names):
        one = found.get(name)
        if one is None:
            errors.append(FieldError(f"/segments/{index}", "is no segment"))
        elif one.segment.state != SegmentState.live:
            errors.append(FieldError(f"/segments/{index}", f"is {one.segment.state}, not live"))
        elif one.segment.id in seen:
            errors.append(FieldError(f"/segments/{index}", "is named twice"))
        else:
            seen.add(one.segment.id)
    if errors:
        raise Unprocessable("Name live segments, each once", errors=errors)


def overlap_view(cursor: duckdb.DuckDBPyConnection, found: Sequence[Compared], org: str) -> OverlapView:
    """Within `org`."""
    scope = scope_of(cursor, org)
    members = [scope.within(each.members) for each in found]
    matrices = overlap(members, scope.of)
    return OverlapView(
        of=scope.of,
        segments=[
            OverlapSegment(
                segment_id=each.segment.id,
                key=each.segment.key,
                name=LocalText.model_validate(each.segment.name),
                size=len(inside),
            )
            for each, inside in zip(found, members, strict=True)
        ],
        counts=matrices.counts,
        jaccard=matrices.jaccard,
        lift=matrices.lift,
    )
