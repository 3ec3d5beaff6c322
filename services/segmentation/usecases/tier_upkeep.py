"""What moves tiers without anybody asking: overrides that expire, customers merged and separated."""

import asyncio
from dataclasses import dataclass
from uuid import UUID

import duckdb
import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.domain.features import Catalogue
from services.segmentation.domain.rules.compiler import Moment
from services.segmentation.domain.tiers import NONE, Ladder, Moves, Standing, decide, is_parked, parked
from services.segmentation.models.tier import TierOverride, TierScheme
from services.segmentation.queries.feature_values import feature_values
from services.segmentation.queries.features import load_catalogue
from services.segmentation.queries.tier_columns import (
    ladder_of,
    parts_of,
    pinned,
    standing_of,
    was_applied,
)
from services.segmentation.store import families
from services.segmentation.store.bitmaps import to_array
from services.segmentation.store.scope import id_texts
from services.segmentation.store.store import Store, position
from services.segmentation.usecases.feed import STREAM
from services.segmentation.usecases.tier_moving import (
    day_of,
    lock_tiers,
    new_list,
    record,
    save_standing,
)
from services.segmentation.usecases.tier_overrides import end_override
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.segmentation.tiers import OverrideState, TierCause
from shared.db import SYSTEM
from shared.service import Runtime

EVERY_SECONDS = 1.0
_AT_ONCE = 500
_ITSELF = Principal(SYSTEM, frozenset(), "hq")
Ordinals = NDArray[np.uint32]


async def keep_tiers(runtime: Runtime) -> None:
    """The worker's endless task."""
    while True:
        await expire_overrides(runtime)
        await follow_merges(runtime)
        await asyncio.sleep(EVERY_SECONDS)


async def expire_overrides(runtime: Runtime) -> int:
    """Ends what has run out, each on the record."""
    due = (
        select(TierOverride)
        .where(TierOverride.state == OverrideState.active, TierOverride.until <= clock.now())
        .order_by(TierOverride.id)
        .limit(_AT_ONCE)
    )
    async with runtime.db.transaction() as session:
        if await session.scalar(due.with_only_columns(TierOverride.id).limit(1)) is None:
            return 0
        await lock_tiers(session)
        ended = (await session.scalars(due.with_for_update())).all()
        for override in ended:
            await end_override(session, runtime.resource(Store), _ITSELF, override, OverrideState.expired)
    return len(ended)


@dataclass(frozen=True)
class Regrouped:
    """What the store says of customers that merges touched: who they are now, by ascending ordinal."""

    applied: int
    merged: Ordinals
    active: Ordinals
    values: NDArray[np.float64]
    homes: Ordinals
    survivors: Ordinals
    ids: dict[int, str]


async def follow_merges(runtime: Runtime) -> None:
    """A merged customer's tier is put away, the survivor's follows from all it has now; and back again."""
    store = runtime.resource(Store)
    async with runtime.db.transaction() as session:
        schemes = (await session.scalars(select(TierScheme).order_by(TierScheme.id))).all()
        catalogue = await load_catalogue(session)
    for scheme in schemes:
        moment = Moment(clock.now(), clock.ZONE)
        found = await asyncio.to_thread(_regrouped, store, scheme.feature, scheme.settled, moment, catalogue)
        if found is None:
            continue
        async with runtime.db.transaction() as session:
            await lock_tiers(session)
            locked = await session.get_one(TierScheme, scheme.id, with_for_update=True)
            if locked.settled == scheme.settled:
                await _settle_merges(session, store, locked, found)


def _regrouped(
    store: Store, feature: str, since: int, moment: Moment, catalogue: Catalogue
) -> Regrouped | None:
    with store.read() as cursor:
        touched = families.regrouped_since(cursor, since)
        if not touched:
            return None
        gone = families.gone(cursor)
        active = to_array(touched - gone.merged - gone.erased)
        homes, survivors = _pointers(cursor, active)
        return Regrouped(
            applied=position(cursor, STREAM) or 0,
            merged=to_array(touched & gone.merged),
            active=active,
            values=feature_values(cursor, [feature], active, moment, catalogue)[:, 0],
            homes=homes,
            survivors=survivors,
            ids=id_texts(cursor, to_array(touched)),
        )


def _pointers(cursor: duckdb.DuckDBPyConnection, active: Ordinals) -> tuple[Ordinals, Ordinals]:
    rows = cursor.execute("SELECT home, survivor FROM alias WHERE survivor IS NOT NULL").fetchnumpy()
    mine = np.isin(rows["survivor"], active)
    return rows["home"][mine].astype(np.uint32), rows["survivor"][mine].astype(np.uint32)


async def _settle_merges(session: AsyncSession, store: Store, scheme: TierScheme, found: Regrouped) -> None:
    scheme.settled = found.applied
    await session.flush()
    if not await was_applied(session, scheme.id):
        return
    for override in await _overrides_of(session, scheme.id, found.merged):
        await end_override(session, store, _ITSELF, override, OverrideState.ended)
    everybody = np.concatenate([found.merged, found.active, found.homes])
    standing = await standing_of(session, scheme.id, parts=parts_of(everybody))
    held = await pinned(session, scheme.id)
    at = clock.now()
    moves = regroup(ladder_of(scheme.tiers["tiers"]), standing, found, held, day_of(at))
    known = np.isin(moves.ordinals, list(found.ids))
    await save_standing(session, scheme.id, standing, parts_of(everybody))
    if known.any():
        entry = new_list(scheme, TierCause.merge, SYSTEM)
        entry.evaluated_at = at
        await record(session, scheme, entry, moves.where(known), found.ids, at)
        detail = {"cause": "merge", **moves.counts()}
        audit(session, _ITSELF, "move", f"tier-scheme/{scheme.key}", detail)


def regroup(ladder: Ladder, standing: Standing, found: Regrouped, held: Ordinals, today: int) -> Moves:
    """Puts tiers away and takes them out again in `standing`; the moves this makes.

    The survivor starts from the best tier of its family and is decided anew, without a minimum stay. Who
    comes back from a merge starts from the tier that was put away.
    """
    leaving = found.merged[standing.tier[found.merged] >= 0]
    left = Moves(
        leaving,
        standing.tier[leaving],
        np.full(len(leaving), NONE, dtype=np.int8),
        np.full(len(leaving), np.nan),
    )
    standing.tier[leaving] = parked(standing.tier[leaving])
    free = ~np.isin(found.active, held)
    active, values = found.active[free], found.values[free]
    present = standing.at(active)
    shown = np.where(is_parked(present.tier), NONE, present.tier).astype(np.int8)
    best = np.where(is_parked(present.tier), parked(present.tier), present.tier).astype(np.int8)
    family = standing.tier[found.homes]
    family = np.where(is_parked(family), parked(family), family).astype(np.int8)
    inside = np.isin(found.survivors, active)
    np.maximum.at(best, np.searchsorted(active, found.survivors[inside]), family[inside])
    wanted, _ = decide(
        Ladder(ladder.upgrade, ladder.downgrade),
        Standing(best, present.since, present.direction),
        values,
        today,
    )
    standing.tier[active] = shown
    moves = Moves(active, shown, wanted, values).where(wanted != shown)
    standing.put(moves.ordinals, moves.after, today)
    both = np.argsort(np.concatenate([left.ordinals, moves.ordinals]), kind="stable")
    return Moves(
        *(
            np.concatenate([getattr(left, name), getattr(moves, name)])[both]
            for name in ("ordinals", "before", "after", "values")
        )
    )


async def _overrides_of(session: AsyncSession, scheme_id: UUID, ordinals: Ordinals) -> list[TierOverride]:
    found = await session.scalars(
        select(TierOverride)
        .where(
            TierOverride.scheme_id == scheme_id,
            TierOverride.state == OverrideState.active,
            TierOverride.ordinal.in_(ordinals.tolist()),
        )
        .order_by(TierOverride.id)
        .with_for_update()
    )
    return list(found)
