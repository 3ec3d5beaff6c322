"""Tier schemes, lists and overrides as rows; where customers stand."""

from collections.abc import Mapping, Sequence
from datetime import date
from functools import partial
from typing import Any, cast
from uuid import UUID

import duckdb
import numpy as np
import pyarrow as pa
from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.segmentation.domain.tiers import Standing
from services.segmentation.models.tier import TierList, TierOverride, TierScheme, TierStanding
from services.segmentation.queries.tier_columns import PART, codes_of, standing_of, unpacked
from services.segmentation.store.scope import active_by_ordinal
from services.segmentation.store.store import Store
from shared.contracts.base import LocalText, Page
from shared.contracts.segmentation.tiers import (
    HeldTier,
    Move,
    OrgTiers,
    OverrideState,
    Tier,
    TierCause,
    TierCounts,
    TierKind,
    TierListState,
    TierListView,
    TierOverrideView,
    TierSchemeView,
)
from shared.errors import BadRequest, NotFound
from shared.pagination import PageRequest, encode_cursor

_AT_ONCE = 500

_COUNTS = """
SELECT array_to_string(list_slice(string_split(org, '.'), 1, $depth), '.') AS unit, tier, count(*)
FROM standing JOIN customer USING (ordinal)
WHERE merged_into IS NULL AND (org = $org OR starts_with(org, $org || '.'))
GROUP BY ALL ORDER BY ALL
"""


async def find_scheme(session: AsyncSession, reference: str, *, for_update: bool = False) -> TierScheme:
    """By id or by key."""
    try:
        condition = TierScheme.id == UUID(reference)
    except ValueError:
        condition = TierScheme.key == reference
    statement = select(TierScheme).where(condition)
    scheme = await session.scalar(statement.with_for_update() if for_update else statement)
    if scheme is None:
        raise NotFound(f"There is no tier scheme '{reference}'.")
    return scheme


def scheme_view(scheme: TierScheme) -> TierSchemeView:
    return TierSchemeView(
        id=scheme.id,
        key=scheme.key,
        name=LocalText.model_validate(scheme.name),
        description=scheme.description,
        kind=TierKind(scheme.kind),
        feature=scheme.feature,
        tiers=[Tier.model_validate(tier) for tier in scheme.tiers["tiers"]],
        minimum_stay_days=scheme.minimum_stay_days,
        revision=scheme.revision,
        created_at=scheme.created_at,
        updated_at=scheme.updated_at,
    )


async def find_list(session: AsyncSession, list_id: UUID, *, for_update: bool = False) -> TierList:
    entry = await session.get(TierList, list_id, with_for_update=for_update or None)
    if entry is None:
        raise NotFound(f"There is no tier list {list_id}.")
    return entry


def lists_with_scheme() -> Select[Any]:
    statement = select(TierList, TierScheme.key).join(TierScheme, TierScheme.id == TierList.scheme_id)
    return cast("Select[Any]", statement)


def list_row(row: Any) -> TierListView:
    entry, key = row[:2]
    return list_view(entry, key)


def list_view(entry: TierList, scheme_key: str) -> TierListView:
    counts = entry.counts
    return TierListView(
        id=entry.id,
        scheme_id=entry.scheme_id,
        scheme_key=scheme_key,
        cause=TierCause(entry.cause),
        state=TierListState(entry.state),
        evaluated_at=entry.evaluated_at,
        customers=counts.get("customers"),
        counts={Move(name): count for name, count in counts.get("moves", {}).items()},
        held=counts.get("held"),
        pinned=counts.get("pinned"),
        note=entry.note,
        made_by=entry.made_by,
        made_at=entry.made_at,
        decided_by=entry.decided_by,
        decided_at=entry.decided_at,
        comment=entry.comment,
        effective_at=entry.effective_at,
        problem=entry.problem,
        job_id=entry.job_id,
    )


async def show_list(session: AsyncSession, entry: TierList) -> TierListView:
    return list_view(entry, (await session.get_one(TierScheme, entry.scheme_id)).key)


async def find_override(
    session: AsyncSession, store: Store, override_id: UUID, org: str
) -> tuple[TierOverride, UUID]:
    """An override and its customer, within `org`; locked."""
    override = await session.get(TierOverride, override_id, with_for_update=True)
    if override is not None:
        place = np.array([override.ordinal])
        known = await store.run(lambda cursor: active_by_ordinal(cursor, place, org))
        if override.ordinal in known:
            return override, known[override.ordinal].customer_id
    raise NotFound(f"There is no tier override {override_id} in your organisation.")


async def show_override(session: AsyncSession, override: TierOverride, customer_id: UUID) -> TierOverrideView:
    scheme = await session.get_one(TierScheme, override.scheme_id)
    return override_view(override, scheme.key, customer_id)


def override_view(override: TierOverride, scheme_key: str, customer_id: UUID) -> TierOverrideView:
    return TierOverrideView(
        id=override.id,
        customer_id=customer_id,
        scheme_key=scheme_key,
        tier=override.tier,
        reason=override.reason,
        until=override.until,
        state=OverrideState(override.state),
        made_by=override.made_by,
        made_at=override.made_at,
        decided_by=override.decided_by,
        decided_at=override.decided_at,
        comment=override.comment,
        ended_at=override.ended_at,
    )


async def override_page(
    session: AsyncSession,
    store: Store,
    org: str,
    scheme_id: UUID | None,
    state: OverrideState | None,
    page: PageRequest,
) -> Page[TierOverrideView]:
    """Newest first, of customers within `org`; of one scheme or in one state only where given."""
    before = _behind(page)
    items: list[TierOverrideView] = []
    while True:
        statement = (
            select(TierOverride, TierScheme.key)
            .join(TierScheme, TierScheme.id == TierOverride.scheme_id)
            .order_by(TierOverride.id.desc())
            .limit(_AT_ONCE)
        )
        if scheme_id is not None:
            statement = statement.where(TierOverride.scheme_id == scheme_id)
        if state is not None:
            statement = statement.where(TierOverride.state == state)
        if before is not None:
            statement = statement.where(TierOverride.id < before)
        rows = (await session.execute(statement)).all()
        places = np.array([override.ordinal for override, _ in rows], dtype=np.int32)
        known = await store.run(partial(active_by_ordinal, ordinals=places, org=org))
        for override, key in rows:
            if override.ordinal not in known:
                continue
            if len(items) == page.limit:
                return Page(items=items, next_cursor=encode_cursor([items[-1].id]))
            items.append(override_view(override, key, known[override.ordinal].customer_id))
        if len(rows) < _AT_ONCE:
            return Page(items=items, next_cursor=None)
        before = rows[-1][0].id


def _behind(page: PageRequest) -> UUID | None:
    match page.after():
        case None:
            return None
        case [UUID() as override_id]:
            return override_id
    raise BadRequest("Pass `next_cursor` of the page before, unchanged, or leave the cursor out.")


async def held_tiers(session: AsyncSession, ordinal: int) -> list[HeldTier]:
    """Where one customer stands in every scheme."""
    rows = await session.execute(
        select(TierScheme, TierStanding.standing)
        .join(TierStanding, TierStanding.scheme_id == TierScheme.id)
        .where(TierStanding.part == ordinal // PART)
        .order_by(TierScheme.key)
    )
    until = await _overridden(session, ordinal)
    found = []
    for scheme, stored in rows:
        standing = unpacked(stored).at(np.array([ordinal % PART]))
        rank = int(standing.tier[0])
        if rank >= 0:
            found.append(_held(scheme, rank, int(standing.since[0]), until))
    return found


def _held(scheme: TierScheme, rank: int, since: int, until: Mapping[UUID, Any]) -> HeldTier:
    tier = scheme.tiers["tiers"][rank]
    return HeldTier(
        scheme_id=scheme.id,
        scheme_key=scheme.key,
        name=LocalText.model_validate(scheme.name),
        kind=TierKind(scheme.kind),
        tier=tier["code"],
        tier_name=LocalText.model_validate(tier["name"]),
        rank=rank,
        since=date.fromordinal(date(1970, 1, 1).toordinal() + since),
        override_until=until.get(scheme.id),
    )


async def _overridden(session: AsyncSession, ordinal: int) -> dict[UUID, Any]:
    rows = await session.execute(
        select(TierOverride.scheme_id, TierOverride.until).where(
            TierOverride.ordinal == ordinal, TierOverride.state == OverrideState.active
        )
    )
    return {row.scheme_id: row.until for row in rows}


async def tier_counts(
    session: AsyncSession, store: Store, scheme: TierScheme, org: str, levels: int
) -> TierCounts:
    """Customers by tier below `org`, by the units `levels` below it."""
    standing = await standing_of(session, scheme.id)
    depth = org.count(".") + 1 + levels
    rows = await store.run(lambda cursor: _count(cursor, standing, org, depth))
    codes = codes_of(scheme.tiers["tiers"])
    units: dict[str, dict[str, int]] = {}
    for unit, tier, count in rows:
        units.setdefault(unit, dict.fromkeys(codes, 0))[codes[tier]] += count
    total = {code: sum(unit[code] for unit in units.values()) for code in codes}
    return TierCounts(
        scheme_id=scheme.id,
        tiers=total,
        orgs=[OrgTiers(org=unit, tiers=tiers) for unit, tiers in units.items()],
    )


def _count(
    cursor: duckdb.DuckDBPyConnection, standing: Standing, org: str, depth: int
) -> Sequence[tuple[str, int, int]]:
    held = np.flatnonzero(standing.tier >= 0).astype(np.int32)
    cursor.register("standing", pa.table({"ordinal": pa.array(held), "tier": pa.array(standing.tier[held])}))
    return cursor.execute(_COUNTS, {"org": org, "depth": depth}).fetchall()
