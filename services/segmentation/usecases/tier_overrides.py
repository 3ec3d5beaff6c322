"""Tiers that people set: proposed with a reason, approved by somebody else, ended by themselves."""

from datetime import datetime, timedelta
from uuid import UUID

import numpy as np
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.domain.tiers import NONE, Moves, is_parked
from services.segmentation.models.tier import TierOverride, TierScheme
from services.segmentation.queries.erasures import erased_ordinals
from services.segmentation.queries.tier_columns import codes_of, parts_of, standing_of
from services.segmentation.store import families
from services.segmentation.store.scope import id_texts
from services.segmentation.store.store import Store
from services.segmentation.usecases.tier_lists import require_other_eyes
from services.segmentation.usecases.tier_moving import (
    day_of,
    lock_tiers,
    new_list,
    record,
    save_standing,
)
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.segmentation.tiers import OverrideState, TierCause, TierOverrideRequest
from shared.errors import Conflict, FieldError, NotFound, Unprocessable
from shared.ids import new_id

_LONGEST = timedelta(days=731)


async def propose_override(
    session: AsyncSession, principal: Principal, scheme: TierScheme, ordinal: int, wanted: TierOverrideRequest
) -> TierOverride:
    """Replaces an open proposal for the same customer. Raises `NotFound` for one just erased."""
    now, errors = clock.now(), []
    if wanted.tier not in (codes := codes_of(scheme.tiers["tiers"])):
        errors.append(FieldError("/tier", f"is none of {', '.join(codes)}"))
    if not now < wanted.until <= now + _LONGEST:
        errors.append(FieldError("/until", "must be in the future, at most two years ahead"))
    if errors:
        raise Unprocessable("The override cannot be proposed.", errors=errors)
    await lock_tiers(session)
    if ordinal in await erased_ordinals(session):
        raise NotFound("The customer was erased.")
    await session.execute(
        update(TierOverride)
        .where(
            TierOverride.scheme_id == scheme.id,
            TierOverride.ordinal == ordinal,
            TierOverride.state == OverrideState.proposed,
        )
        .values(state=OverrideState.superseded, ended_at=now)
    )
    override = TierOverride(
        id=new_id(),
        scheme_id=scheme.id,
        ordinal=ordinal,
        tier=wanted.tier,
        reason=wanted.reason,
        until=wanted.until,
        state=OverrideState.proposed,
        made_by=principal.id,
        made_at=now,
        comment="",
    )
    session.add(override)
    await session.flush()
    detail = {"scheme": scheme.key, "tier": wanted.tier, "until": wanted.until.isoformat()}
    audit(session, principal, "propose", f"tier-override/{override.id}", detail)
    return override


async def approve_override(
    session: AsyncSession,
    store: Store,
    principal: Principal,
    override: TierOverride,
    customer_id: UUID,
    comment: str,
) -> None:
    """The tier holds from now on. An override that was active gives way to this one."""
    _require_open(override)
    require_other_eyes(principal, override.made_by)
    now = clock.now()
    if override.until <= now:
        raise Conflict("The override would have ended already: propose it again.")
    await lock_tiers(session)
    scheme = await session.get_one(TierScheme, override.scheme_id)
    place = np.array([override.ordinal], dtype=np.uint32)
    standing = await standing_of(session, scheme.id, parts=parts_of(place))
    present = standing.at(place)
    if is_parked(present.tier)[0] or override.ordinal in (await _merged(store)):
        raise Conflict("The customer was merged into another one.")
    override.before = await _end_earlier(session, override, now) or {
        "tier": int(present.tier[0]),
        "since": int(present.since[0]),
        "direction": int(present.direction[0]),
    }
    override.state, override.comment = OverrideState.active, comment
    override.decided_by, override.decided_at = principal.id, now
    after = np.array([codes_of(scheme.tiers["tiers"]).index(override.tier)], dtype=np.int8)
    standing.put(place, after, day_of(now))
    await save_standing(session, scheme.id, standing, parts_of(place))
    moves = Moves(place, present.tier, after, np.array([np.nan]))
    entry = new_list(scheme, TierCause.override, override.made_by)
    entry.decided_by, entry.decided_at = principal.id, now
    await record(
        session, scheme, entry, moves.where(moves.before != after), {override.ordinal: str(customer_id)}, now
    )
    audit(session, principal, "approve", f"tier-override/{override.id}")


async def _merged(store: Store) -> set[int]:
    return set((await store.run(families.gone)).merged)


async def _end_earlier(session: AsyncSession, override: TierOverride, now: datetime) -> dict[str, int] | None:
    """What an active override for the same customer would have brought back."""
    earlier = await session.scalar(
        select(TierOverride)
        .where(
            TierOverride.scheme_id == override.scheme_id,
            TierOverride.ordinal == override.ordinal,
            TierOverride.state == OverrideState.active,
        )
        .with_for_update()
    )
    if earlier is None:
        return None
    earlier.state, earlier.ended_at = OverrideState.superseded, now
    await session.flush()
    return earlier.before


async def reject_override(
    session: AsyncSession, principal: Principal, override: TierOverride, comment: str
) -> None:
    _require_open(override)
    require_other_eyes(principal, override.made_by)
    override.state, override.comment = OverrideState.rejected, comment
    override.decided_by, override.decided_at = principal.id, clock.now()
    await session.flush()
    audit(session, principal, "reject", f"tier-override/{override.id}")


async def end_override(
    session: AsyncSession,
    store: Store,
    principal: Principal,
    override: TierOverride,
    state: OverrideState,
) -> None:
    """The tier from before comes back; the thresholds decide again at the next application."""
    if override.state != OverrideState.active:
        raise Conflict(f"The override is {override.state}: only an active one can be ended.")
    await lock_tiers(session)
    scheme = await session.get_one(TierScheme, override.scheme_id)
    now, before = clock.now(), override.before or {"tier": NONE, "since": 0, "direction": 0}
    place = np.array([override.ordinal], dtype=np.uint32)
    standing = await standing_of(session, scheme.id, parts=parts_of(place))
    present = standing.at(place)
    override.state, override.ended_at = state, now
    standing.tier[place], standing.since[place] = before["tier"], before["since"]
    standing.direction[place] = before["direction"]
    await save_standing(session, scheme.id, standing, parts_of(place))
    after = np.array([before["tier"]], dtype=np.int8)
    moves = Moves(place, present.tier, after, np.array([np.nan]))
    ids = await store.run(lambda cursor: id_texts(cursor, place))
    moves = moves.where((moves.before != after) & np.isin(place, list(ids)))
    await record(session, scheme, new_list(scheme, TierCause.override_ended, principal.id), moves, ids, now)
    audit(session, principal, str(state), f"tier-override/{override.id}")


def _require_open(override: TierOverride) -> None:
    if override.state != OverrideState.proposed:
        raise Conflict(f"The override is {override.state}: only a proposed one can be decided.")
