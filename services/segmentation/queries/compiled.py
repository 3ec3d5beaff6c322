"""Compiled rules as relations to add up over in the engine, and whom rules referred to in the past."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime

import duckdb
import numpy as np
import pyarrow as pa
from pyroaring import BitMap
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.domain.rules.compiler import Query
from services.segmentation.models import Membership, MembershipDelta, Segment
from services.segmentation.store.bitmaps import to_array
from shared.contracts.segmentation import SegmentState
from shared.errors import Conflict


def register_references(
    cursor: duckdb.DuckDBPyConnection, query: Query, members: Callable[[str], BitMap]
) -> None:
    """Puts the members of the segments that the query refers to where it looks for them."""
    for key, relation in query.references.items():
        ordinals = pa.array(to_array(members(key)).astype(np.int32))
        cursor.register(relation, pa.table({"ordinal": ordinals}))


async def members_back(
    session: AsyncSession, keys: Collection[str], instants: Sequence[datetime]
) -> list[dict[str, BitMap]]:
    """The members of these segments at each instant: the present ones, with later changes taken back.

    Raises `Conflict` where one of the segments is not in use any more.
    """
    rows = await session.execute(
        select(Segment.key, Segment.id, Membership.members)
        .outerjoin(Membership, Membership.segment_id == Segment.id)
        .where(Segment.key.in_(keys), Segment.state != SegmentState.archived)
    )
    found = {key: (id_, BitMap.deserialize(stored) if stored else BitMap()) for key, id_, stored in rows}
    if missing := sorted(set(keys) - found.keys()):
        raise Conflict(f"The rule refers to '{missing[0]}', which is not in use any more: change the rule.")
    past: list[dict[str, BitMap]] = [{} for _ in instants]
    for key, (id_, present) in found.items():
        deltas = await session.execute(
            select(MembershipDelta.evaluated_at, MembershipDelta.joined, MembershipDelta.left)
            .where(MembershipDelta.segment_id == id_, MembershipDelta.evaluated_at > min(instants))
            .order_by(MembershipDelta.id.desc())
        )
        changes = deltas.all()
        taken_back = 0
        members = BitMap(present)
        for index in sorted(range(len(instants)), key=lambda each: instants[each], reverse=True):
            while taken_back < len(changes) and changes[taken_back].evaluated_at > instants[index]:
                members -= BitMap.deserialize(changes[taken_back].joined)
                members |= BitMap.deserialize(changes[taken_back].left)
                taken_back += 1
            past[index][key] = BitMap(members)
    return past
