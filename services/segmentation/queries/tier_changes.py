"""Up and down: the moves of lists, newest first, only of customers within the caller's organisation."""

from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Select, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.domain.tiers import NONE, Moves, crossed
from services.segmentation.models.tier import TierList, TierMoves, TierScheme
from services.segmentation.queries.tier_columns import PART, codes_of, ladder_of, unpacked_moves
from services.segmentation.store import reading
from services.segmentation.store.store import Store
from shared.contracts.base import Page
from shared.contracts.segmentation.tiers import Move, TierCause, TierChangeView, TierListState
from shared.errors import BadRequest
from shared.pagination import PageRequest, encode_cursor

_PARTS_AT_ONCE = 8


@dataclass(frozen=True)
class Wanted:
    """Without a list, only what took effect."""

    scheme_id: UUID | None = None
    list_id: UUID | None = None
    ordinal: int | None = None
    move: Move | None = None
    to_tier: str | None = None


async def change_page(
    session: AsyncSession, store: Store, wanted: Wanted, org: str, page: PageRequest
) -> Page[TierChangeView]:
    """By list, newest first, within one by ordinal; the cursor is the last list and ordinal shown."""
    after = _position(page)
    items: list[TierChangeView] = []
    last: tuple[UUID, int] | None = None
    parts = await session.stream(_parts(wanted, after))
    try:
        async for entry, key, stored in parts:
            moves = unpacked_moves(stored)
            start = after[1] + 1 if after and after[0] == entry.id else 0
            chosen = moves.where(_matching(moves, entry, wanted) & (moves.ordinals >= start))
            need = page.limit + 1 - len(items)
            known = await _in_scope(store, chosen.ordinals, org, need)
            for place in np.flatnonzero(np.isin(chosen.ordinals, list(known))):
                if len(items) == page.limit and last is not None:
                    return Page(items=items, next_cursor=encode_cursor(last))
                ordinal = int(chosen.ordinals[place])
                items.append(_view(entry, key, chosen, int(place), known[ordinal]))
                last = (entry.id, ordinal)
    finally:
        await parts.close()
    return Page(items=items, next_cursor=None)


def _parts(wanted: Wanted, after: tuple[UUID, int] | None) -> Select[Any]:
    """Lists with their moves, a few parts at a time: nobody knows how many it takes to fill a page."""
    statement = (
        select(TierList, TierScheme.key, TierMoves.moves)
        .join(TierScheme, TierScheme.id == TierList.scheme_id)
        .join(TierMoves, TierMoves.list_id == TierList.id)
        .order_by(TierList.id.desc(), TierMoves.part)
        .execution_options(yield_per=_PARTS_AT_ONCE)
    )
    if wanted.list_id is not None:
        statement = statement.where(TierList.id == wanted.list_id)
    else:
        statement = statement.where(TierList.state == TierListState.effective)
    if wanted.scheme_id is not None:
        statement = statement.where(TierList.scheme_id == wanted.scheme_id)
    if wanted.ordinal is not None:
        statement = statement.where(TierMoves.part == wanted.ordinal // PART)
    if after is not None:
        list_id, ordinal = after
        rest = and_(TierList.id == list_id, TierMoves.part >= ordinal // PART)
        statement = statement.where(or_(TierList.id < list_id, rest))
    return cast("Select[Any]", statement)


def _matching(moves: Moves, entry: TierList, wanted: Wanted) -> NDArray[np.bool_]:
    chosen = np.ones(len(moves), dtype=np.bool_)
    if wanted.ordinal is not None:
        chosen &= moves.ordinals == wanted.ordinal
    if wanted.move is not None:
        chosen &= _directions(moves) == str(wanted.move)
    if wanted.to_tier is not None:
        codes = codes_of(entry.rules["tiers"])
        chosen &= moves.after == (codes.index(wanted.to_tier) if wanted.to_tier in codes else NONE - 1)
    return chosen


def _directions(moves: Moves) -> NDArray[np.str_]:
    return np.select(
        [moves.before == NONE, moves.after == NONE, moves.after > moves.before],
        [str(Move.entered), str(Move.left), str(Move.up)],
        str(Move.down),
    )


async def _in_scope(
    store: Store, ordinals: NDArray[np.uint32], org: str, limit: int
) -> dict[int, tuple[UUID, str]]:
    if not len(ordinals):
        return {}
    rows = await store.run(lambda cursor: reading.members_in_scope(cursor, ordinals, org, limit))
    return {ordinal: (customer_id, unit) for ordinal, customer_id, unit in rows}


def _view(entry: TierList, key: str, moves: Moves, place: int, known: tuple[UUID, str]) -> TierChangeView:
    tiers = entry.rules["tiers"]
    codes, before, after = codes_of(tiers), int(moves.before[place]), int(moves.after[place])
    value = float(moves.values[place])
    return TierChangeView(
        customer_id=known[0],
        org=known[1],
        scheme_key=key,
        list_id=entry.id,
        cause=TierCause(entry.cause),
        move=Move(str(_directions(moves)[place])),
        from_tier=None if before == NONE else codes[before],
        to_tier=None if after == NONE else codes[after],
        value=None if np.isnan(value) else value,
        threshold=None if np.isnan(value) else crossed(ladder_of(tiers), before, after),
        at=entry.effective_at,
    )


def _position(page: PageRequest) -> tuple[UUID, int] | None:
    after = page.after()
    if after is None:
        return None
    match after:
        case [UUID() as list_id, int() as ordinal]:
            return list_id, ordinal
    raise BadRequest("Pass `next_cursor` of the page before, unchanged, or leave the cursor out.")
