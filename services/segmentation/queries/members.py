"""Pages and exports of members, only within the caller's organisation."""

from collections.abc import AsyncIterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyroaring import BitMap
from starlette.concurrency import iterate_in_threadpool

from services.segmentation.store import reading
from services.segmentation.store.bitmaps import to_array
from services.segmentation.store.store import Store
from shared.contracts.base import Page
from shared.contracts.segmentation import MemberView
from shared.errors import BadRequest
from shared.pagination import PageRequest, encode_cursor


async def member_page(store: Store, members: BitMap, org: str, page: PageRequest) -> Page[MemberView]:
    """Members by ordinal; the cursor is the last ordinal shown."""
    after = page.after()
    rest = to_array(members)
    if after is not None:
        rest = rest[np.searchsorted(rest, page_integer(after, 0), side="right") :]
    rows = await store.run(lambda cursor: reading.members_in_scope(cursor, rest, org, page.limit + 1))
    items = [MemberView(customer_id=id_, org=unit) for _, id_, unit in rows[: page.limit]]
    more = len(rows) > page.limit
    return Page(items=items, next_cursor=encode_cursor([rows[page.limit - 1][0]]) if more else None)


async def member_batches(
    store: Store, ordinals: NDArray[np.uint32], org: str
) -> AsyncIterator[pa.RecordBatch]:
    with store.read() as cursor:
        async for batch in iterate_in_threadpool(reading.export_members(cursor, ordinals, org)):
            yield batch


def page_integer(values: list[object], index: int) -> int:
    """A part of a cursor that was an integer when we handed it out."""
    value = values[index] if index < len(values) else None
    if not isinstance(value, int):
        raise BadRequest("Pass `next_cursor` of the page before, unchanged, or leave the cursor out.")
    return value
