"""Which cluster of a run each customer is in, within the caller's organisation."""

from collections.abc import AsyncIterator, Sequence

import numpy as np
import pyarrow as pa
from pyroaring import BitMap
from starlette.concurrency import iterate_in_threadpool

from services.segmentation.models import ModelCluster
from services.segmentation.store import reading
from services.segmentation.store.bitmaps import to_array
from services.segmentation.store.store import Store
from shared.contracts.base import Page
from shared.contracts.segmentation import RunMember
from shared.errors import BadRequest
from shared.pagination import PageRequest, encode_cursor

RUN_EXPORT = reading.MEMBER_EXPORT.append(pa.field("cluster", pa.int32()))


async def run_member_page(
    store: Store, clusters: Sequence[ModelCluster], org: str, page: PageRequest
) -> Page[RunMember]:
    """By ordinal; the cursor is the last ordinal shown."""
    members = [(each.cluster, BitMap.deserialize(each.members)) for each in clusters]
    everyone = BitMap()
    for _, bitmap in members:
        everyone |= bitmap
    rest = to_array(everyone)
    after = page.after()
    if after is not None:
        if not isinstance(after[0], int):
            raise BadRequest("Pass `next_cursor` of the page before, unchanged, or leave the cursor out.")
        rest = rest[np.searchsorted(rest, after[0], side="right") :]
    rows = await store.run(lambda cursor: reading.members_in_scope(cursor, rest, org, page.limit + 1))
    items = [
        RunMember(customer_id=id_, cluster=next(number for number, bitmap in members if ordinal in bitmap))
        for ordinal, id_, _ in rows[: page.limit]
    ]
    more = len(rows) > page.limit
    return Page(items=items, next_cursor=encode_cursor([rows[page.limit - 1][0]]) if more else None)


async def run_member_batches(
    store: Store, clusters: Sequence[ModelCluster], org: str
) -> AsyncIterator[pa.RecordBatch]:
    """One cluster after another."""
    with store.read() as cursor:
        for each in clusters:
            ordinals = to_array(BitMap.deserialize(each.members))
            async for batch in iterate_in_threadpool(reading.export_members(cursor, ordinals, org)):
                label = pa.array(np.full(len(batch), each.cluster, dtype=np.int32))
                yield pa.RecordBatch.from_arrays([*batch.columns, label], schema=RUN_EXPORT)
