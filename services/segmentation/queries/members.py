"""Pages and exports of members, only within the caller's organisation."""

from collections.abc import AsyncIterator
from functools import partial
from uuid import UUID

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyroaring import BitMap
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.concurrency import iterate_in_threadpool

from services.segmentation.models import MembershipDelta
from services.segmentation.store import reading
from services.segmentation.store.bitmaps import to_array
from services.segmentation.store.store import Store
from shared.contracts.base import Page
from shared.contracts.segmentation import Cause, ChangeKind, ChangeView, MemberView
from shared.errors import BadRequest
from shared.pagination import PageRequest, encode_cursor

_DELTAS_AT_ONCE = 20


async def member_page(store: Store, members: BitMap, org: str, page: PageRequest) -> Page[MemberView]:
    """Members by ordinal; the cursor is the last ordinal shown."""
    after = page.after()
    rest = to_array(members)
    if after is not None:
        rest = rest[np.searchsorted(rest, _integer(after, 0), side="right") :]
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


async def change_page(
    session: AsyncSession, store: Store, segment_id: UUID, org: str, page: PageRequest
) -> Page[ChangeView]:
    """Enter and exit log, newest evaluation first; within one, those who joined, then those who left."""
    after = page.after()
    delta_id, position = (_integer(after, 0), _integer(after, 1)) if after else (None, 0)
    items: list[ChangeView] = []
    while len(items) <= page.limit:
        deltas = await _deltas(session, segment_id, delta_id)
        for delta in deltas:
            found = await _changes_of(store, delta, org, position, page.limit + 1 - len(items))
            for place, change in found:
                if len(items) == page.limit:
                    return Page(items=items, next_cursor=encode_cursor([delta.id, place]))
                items.append(change)
            position = 0
        if len(deltas) < _DELTAS_AT_ONCE:
            break
        delta_id = deltas[-1].id - 1
    return Page(items=items, next_cursor=None)


async def _deltas(session: AsyncSession, segment_id: UUID, upto: int | None) -> list[MembershipDelta]:
    statement = (
        select(MembershipDelta)
        .where(MembershipDelta.segment_id == segment_id)
        .order_by(MembershipDelta.id.desc())
        .limit(_DELTAS_AT_ONCE)
    )
    if upto is not None:
        statement = statement.where(MembershipDelta.id <= upto)
    return list(await session.scalars(statement))


async def _changes_of(
    store: Store, delta: MembershipDelta, org: str, skip: int, limit: int
) -> list[tuple[int, ChangeView]]:
    """(place within the delta, change) from place `skip` on, at most `limit`, within `org`."""
    joined = to_array(BitMap.deserialize(delta.joined))
    left = to_array(BitMap.deserialize(delta.left))
    found: list[tuple[int, ChangeView]] = []
    for kind, ordinals, offset in (
        (ChangeKind.joined, joined, 0),
        (ChangeKind.left, left, len(joined)),
    ):
        rest = ordinals[max(0, skip - offset) :]
        if not len(rest) or len(found) >= limit:
            continue
        page = partial(reading.members_in_scope, ordinals=rest, org=org, limit=limit - len(found))
        rows = await store.run(page)
        for ordinal, id_, _ in rows:
            place = offset + int(np.searchsorted(ordinals, ordinal))
            found.append((place, _change(delta, kind, id_)))
    return found


def _change(delta: MembershipDelta, kind: ChangeKind, customer_id: UUID) -> ChangeView:
    return ChangeView(
        customer_id=customer_id,
        change=kind,
        at=delta.evaluated_at,
        version=delta.version,
        cause=Cause(delta.cause),
        run_id=delta.run_id,
    )


def _integer(values: list[object], index: int) -> int:
    value = values[index] if index < len(values) else None
    if not isinstance(value, int):
        raise BadRequest("Pass `next_cursor` of the page before, unchanged, or leave the cursor out.")
    return value
