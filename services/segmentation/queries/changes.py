"""The log of who joined and who left, only within the caller's organisation."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from uuid import UUID

import numpy as np
from pyroaring import BitMap
from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.models import MembershipDelta
from services.segmentation.queries.members import page_integer
from services.segmentation.store import reading
from services.segmentation.store.bitmaps import to_array
from services.segmentation.store.store import Store
from shared.contracts.base import Page
from shared.contracts.segmentation import Cause, ChangeKind, ChangeView
from shared.pagination import PageRequest, encode_cursor

_DELTAS_AT_ONCE = 20


@dataclass(frozen=True)
class Wanted:
    """Which changes; `ordinal` is one customer's."""

    cause: Cause | None = None
    kind: ChangeKind | None = None
    since: datetime | None = None
    until: datetime | None = None
    ordinal: int | None = None

    def sides(self, delta: MembershipDelta) -> tuple[BitMap, BitMap]:
        """Who joined and who left, of those wanted."""
        joined, left = BitMap.deserialize(delta.joined), BitMap.deserialize(delta.left)
        if self.ordinal is not None:
            one = BitMap([self.ordinal])
            joined, left = joined & one, left & one
        if self.kind is ChangeKind.joined:
            left = BitMap()
        elif self.kind is ChangeKind.left:
            joined = BitMap()
        return joined, left


async def change_page(
    session: AsyncSession, store: Store, segment_id: UUID, org: str, page: PageRequest, wanted: Wanted
) -> Page[ChangeView]:
    """Newest evaluation first; within one, those who joined, then those who left."""
    after = page.after()
    delta_id, position = (page_integer(after, 0), page_integer(after, 1)) if after else (None, 0)
    items: list[ChangeView] = []
    while len(items) <= page.limit:
        deltas = list(await session.scalars(_deltas(segment_id, delta_id, wanted)))
        for delta in deltas:
            # The place counts from where the page before ended, in this evaluation only.
            skip = position if delta.id == delta_id else 0
            found = await _changes_of(store, delta, wanted, org, skip, page.limit + 1 - len(items))
            for place, change in found:
                if len(items) == page.limit:
                    return Page(items=items, next_cursor=encode_cursor([delta.id, place]))
                items.append(change)
        if len(deltas) < _DELTAS_AT_ONCE:
            break
        delta_id, position = deltas[-1].id - 1, 0
    return Page(items=items, next_cursor=None)


def _deltas(segment_id: UUID, upto: int | None, wanted: Wanted) -> Select[MembershipDelta]:
    statement = (
        select(MembershipDelta)
        .where(MembershipDelta.segment_id == segment_id)
        .order_by(MembershipDelta.id.desc())
        .limit(_DELTAS_AT_ONCE)
    )
    if upto is not None:
        statement = statement.where(MembershipDelta.id <= upto)
    if wanted.cause is not None:
        statement = statement.where(MembershipDelta.cause == wanted.cause)
    if wanted.since is not None:
        statement = statement.where(MembershipDelta.evaluated_at >= wanted.since)
    if wanted.until is not None:
        statement = statement.where(MembershipDelta.evaluated_at < wanted.until)
    return statement


async def _changes_of(
    store: Store, delta: MembershipDelta, wanted: Wanted, org: str, skip: int, limit: int
) -> list[tuple[int, ChangeView]]:
    """(place within the evaluation, change) from place `skip` on, at most `limit`, within `org`."""
    joined, left = map(to_array, wanted.sides(delta))
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
