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
from services.segmentation.models import Segment
from services.segmentation.queries.past_members import changes_after, last_members
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
    segments = await session.scalars(
        select(Segment).where(Segment.key.in_(keys), Segment.state != SegmentState.archived)
    )
    found = {segment.key: segment for segment in segments}
    if missing := sorted(set(keys) - found.keys()):
        raise Conflict(f"The rule refers to '{missing[0]}', which is not in use any more: change the rule.")
    past: list[dict[str, BitMap]] = [{} for _ in instants]
    newest_first = sorted(range(len(instants)), key=lambda each: instants[each], reverse=True)
    for key, segment in found.items():
        members = BitMap(await last_members(session, segment))
        waiting = list(newest_first)
        async for change in changes_after(session, segment.id, min(instants)):
            while instants[waiting[0]] >= change.evaluated_at:
                past[waiting.pop(0)][key] = BitMap(members)
            members -= BitMap.deserialize(change.joined)
            members |= BitMap.deserialize(change.left)
        for index in waiting:
            past[index][key] = BitMap(members)
    return past
