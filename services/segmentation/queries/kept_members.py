"""Members as they are kept: a bitmap, and the changes since it was written."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from uuid import UUID

from pyroaring import BitMap
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.models import Membership
from shared.db import fetch

_LATER = """
SELECT kept.segment_id, delta.joined, delta."left"
FROM unnest(%(segments)b::uuid[], %(upto)b::bigint[]) AS kept(segment_id, upto)
JOIN membership_delta AS delta ON delta.segment_id = kept.segment_id AND delta.id > kept.upto
ORDER BY delta.id
"""


@dataclass(frozen=True)
class Kept:
    """Present members of one segment.

    `evaluated`: with those merged since, where that differs. `deltas`: how many were applied.
    """

    version: int
    members: BitMap
    evaluated: BitMap | None
    deltas: int = 0


async def kept_members(session: AsyncSession, segments: Collection[UUID] | None = None) -> dict[UUID, Kept]:
    """By segment id, of these segments or of all; a segment never evaluated has no entry."""
    if segments is not None and not segments:
        return {}
    statement = select(Membership)
    if segments is not None:
        statement = statement.where(Membership.segment_id.in_(list(segments)))
    # The bitmaps first: a pass that writes in between adds deltas, which are applied again without harm.
    stored = list(await session.scalars(statement.execution_options(populate_existing=True)))
    found = {
        each.segment_id: Kept(
            each.version,
            BitMap.deserialize(each.members),
            None if each.evaluated is None else BitMap.deserialize(each.evaluated),
        )
        for each in stored
    }
    columns = {"segments": [each.segment_id for each in stored], "upto": [each.upto for each in stored]}
    for segment_id, joined, left in await fetch(session, _LATER, columns):
        kept = found[segment_id]
        members = (kept.members | BitMap.deserialize(joined)) - BitMap.deserialize(left)
        found[segment_id] = replace(kept, members=members, deltas=kept.deltas + 1)
    return found
