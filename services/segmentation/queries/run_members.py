"""Which groups of a run each customer is in, within the caller's organisation."""

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import numpy as np
import pyarrow as pa
from pyroaring import BitMap
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.concurrency import iterate_in_threadpool

from services.segmentation.models import ModelCluster
from services.segmentation.queries.scores import rows_of, split_group
from services.segmentation.store import reading
from services.segmentation.store.bitmaps import to_array
from services.segmentation.store.store import Store
from shared.contracts.base import Page
from shared.contracts.segmentation import RunMember
from shared.errors import BadRequest
from shared.pagination import PageRequest, encode_cursor

RUN_EXPORT = reading.MEMBER_EXPORT.append(pa.field("cluster", pa.int32()))


async def run_member_page(
    session: AsyncSession,
    store: Store,
    run_id: UUID,
    clusters: Sequence[ModelCluster],
    org: str,
    page: PageRequest,
) -> Page[RunMember]:
    """By ordinal; the cursor is the last ordinal shown."""
    members = [(each.cluster, BitMap.deserialize(each.members)) for each in clusters]
    rest = to_array(BitMap.union(BitMap(), *(bitmap for _, bitmap in members)))
    after = page.after()
    if after is not None:
        if not isinstance(after[0], int):
            raise BadRequest("Pass `next_cursor` of the page before, unchanged, or leave the cursor out.")
        rest = rest[np.searchsorted(rest, after[0], side="right") :]
    rows = await store.run(lambda cursor: reading.members_in_scope(cursor, rest, org, page.limit + 1))
    told = await rows_of(session, run_id, [ordinal for ordinal, _, _ in rows])
    items = []
    for ordinal, id_, _ in rows[: page.limit]:
        numbers = [number for number, bitmap in members if ordinal in bitmap]
        _, scores = split_group(told.get(ordinal, {}))
        items.append(RunMember(customer_id=id_, cluster=numbers[0], clusters=numbers, scores=scores))
    more = len(rows) > page.limit
    return Page(items=items, next_cursor=encode_cursor([rows[page.limit - 1][0]]) if more else None)


async def run_member_batches(
    store: Store, clusters: Sequence[ModelCluster], org: str
) -> AsyncIterator[pa.RecordBatch]:
    """One group after another; who is in several comes once for each."""
    with store.read() as cursor:
        for each in clusters:
            ordinals = to_array(BitMap.deserialize(each.members))
            async for batch in iterate_in_threadpool(reading.export_members(cursor, ordinals, org)):
                label = pa.array(np.full(len(batch), each.cluster, dtype=np.int32))
                yield pa.RecordBatch.from_arrays([*batch.columns, label], schema=RUN_EXPORT)
