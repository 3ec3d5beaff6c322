"""Moving tiers: the standing, the record of the moves, and the events, in the caller's transaction."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from uuid import UUID

import numpy as np
import orjson
from sqlalchemy import delete, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.domain.tiers import NONE, Moves, Standing
from services.segmentation.models.tier import (
    TierList,
    TierMoves,
    TierOverride,
    TierScheme,
    TierStanding,
)
from services.segmentation.queries.tier_columns import (
    PART,
    codes_of,
    packed,
    packed_moves,
    parts_of,
    standing_of,
    unpacked_moves,
)
from shared import clock
from shared.contracts.events import BATCH_ITEMS
from shared.contracts.events.tier import TierChanged
from shared.contracts.segmentation.tiers import TierCause, TierListState
from shared.ids import new_id
from shared.outbox import emit_json

_AT_ONCE = 100
_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('segmentation.tiers'))")


async def lock_tiers(session: AsyncSession) -> None:
    """Until the transaction ends nobody else moves or forgets tiers. Taken before rows of lists and overrides
    are locked: whoever waits for it holding one would wait for who waits for that.
    """
    await session.execute(_LOCK)


def day_of(at: datetime) -> int:
    """The business date in days since 1970-01-01."""
    return int(np.datetime64(at.astimezone(clock.ZONE).date(), "D").astype(np.int64))


def new_list(scheme: TierScheme, cause: TierCause, by: str, note: str = "") -> TierList:
    return TierList(
        id=new_id(),
        scheme_id=scheme.id,
        cause=cause,
        state=TierListState.computing,
        rules={
            "feature": scheme.feature,
            "minimum_stay_days": scheme.minimum_stay_days,
            "tiers": scheme.tiers["tiers"],
        },
        counts={},
        note=note,
        made_by=by,
        made_at=clock.now(),
        comment="",
    )


async def save_standing(
    session: AsyncSession, scheme_id: UUID, standing: Standing, parts: Sequence[int]
) -> None:
    for part in parts:
        statement = insert(TierStanding).values(
            scheme_id=scheme_id, part=part, standing=packed(standing, part)
        )
        await session.execute(
            statement.on_conflict_do_update(
                index_elements=[TierStanding.scheme_id, TierStanding.part],
                set_={"standing": statement.excluded.standing},
            )
        )


async def save_moves(session: AsyncSession, list_id: UUID, moves: Moves) -> None:
    """Replaces the moves of this list."""
    await session.execute(delete(TierMoves).where(TierMoves.list_id == list_id))
    for part in parts_of(moves.ordinals):
        inside = moves.where(moves.ordinals // PART == part)
        session.add(TierMoves(list_id=list_id, part=part, moves=packed_moves(inside)))
    await session.flush()


async def record(
    session: AsyncSession,
    scheme: TierScheme,
    entry: TierList,
    moves: Moves,
    ids: Mapping[int, str],
    at: datetime,
) -> None:
    """The list took effect with these moves: kept as history and told to others. `ids` knows all of them."""
    entry.state, entry.effective_at = TierListState.effective, at
    entry.counts = {**entry.counts, "moves": moves.counts()}
    session.add(entry)
    await session.flush()
    await save_moves(session, entry.id, moves)
    events = _events(scheme, entry, moves, ids, at)
    while some := list(islice(events, _AT_ONCE)):
        await emit_json(session, TierChanged, some)


def _events(
    scheme: TierScheme, entry: TierList, moves: Moves, ids: Mapping[int, str], at: datetime
) -> Iterator[tuple[str, bytes]]:
    """Key and finished JSON of each `TierChanged`: a first application tells of a million customers."""
    codes = codes_of(entry.rules["tiers"])
    pairs = moves.before.astype(np.int16) * 256 + moves.after
    for pair in np.unique(pairs):
        alike = moves.where(pairs == pair)
        before, after = int(alike.before[0]), int(alike.after[0])
        common = {
            "scheme_id": scheme.id,
            "scheme_key": scheme.key,
            "kind": scheme.kind,
            "list_id": entry.id,
            "cause": entry.cause,
            "from_tier": None if before == NONE else codes[before],
            "to_tier": None if after == NONE else codes[after],
            "effective_at": at,
        }
        customers = [ids[ordinal] for ordinal in alike.ordinals.tolist()]
        for start in range(0, len(customers), BATCH_ITEMS):
            some = customers[start : start + BATCH_ITEMS]
            yield scheme.key, orjson.dumps({**common, "customers": some})


async def forget_tiers(session: AsyncSession, ordinals: Sequence[int]) -> None:
    """Removes erased customers from standings, from every list, present and past, and from overrides."""
    await lock_tiers(session)
    gone = np.array(sorted(ordinals), dtype=np.uint32)
    parts = parts_of(gone)
    stored = await session.scalars(
        select(TierStanding.scheme_id).where(TierStanding.part.in_(parts)).distinct()
    )
    for scheme_id in stored.all():
        standing = await standing_of(session, scheme_id, parts=parts)
        standing.tier[gone] = NONE
        standing.since[gone] = standing.direction[gone] = 0
        await save_standing(session, scheme_id, standing, parts)
    for row in (await session.scalars(select(TierMoves).where(TierMoves.part.in_(parts)))).all():
        moves = unpacked_moves(row.moves)
        kept = ~np.isin(moves.ordinals, gone)
        if not kept.all():
            row.moves = packed_moves(moves.where(kept))
    await session.execute(delete(TierOverride).where(TierOverride.ordinal.in_(gone.tolist())))
    await session.flush()
