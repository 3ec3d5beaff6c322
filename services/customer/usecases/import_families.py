"""Imported rows of customers in a merged family.

A source's file says the same every night. For a survivor, what it said before the merge is no news: it must
not wash out what the merge brought in. For one who was merged, the row goes to its own file; the survivor's
consents follow.
"""

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.domain.matching import array_text, match_keys
from services.customer.domain.survivorship import RULES, same_form
from services.customer.domain.vault import FIELDS, Vault
from services.customer.usecases.import_reading import Chunk
from shared.db import fetch

_RISK = ("risk_level", "risk_valid_until")

_SURVIVORS = """
SELECT c.id, k.wrapped_key, c.pii, jsonb_build_object('gender', c.gender, 'birth_date', c.birth_date,
    'occupation', c.occupation, 'industry', c.industry, 'customer_since', c.customer_since,
    'risk_level', c.risk_level, 'risk_valid_until', c.risk_valid_until),
  CASE WHEN o.customer_id IS NOT NULL
    THEN jsonb_build_object('risk_level', o.level, 'risk_valid_until', o.valid_until) END,
  ARRAY(SELECT sealed FROM merge m WHERE m.survivor_id = c.id AND m.undone_at IS NULL ORDER BY m.id)
FROM customer c JOIN customer_key k ON k.customer_id = c.id LEFT JOIN own_risk o ON o.customer_id = c.id
WHERE c.id IN (SELECT survivor_id FROM merge
               WHERE survivor_id = ANY(%(ids)b::uuid[]) AND undone_at IS NULL)
"""

_HEADS = "SELECT merged_into FROM customer WHERE id = ANY(%(ids)b::uuid[]) AND merged_into IS NOT NULL"


async def keep_merged_in(
    session: AsyncSession, vault: Vault, chunk: Chunk, known: Mapping[int, UUID]
) -> Chunk:
    """The chunk with survivors' attributes as they are where the row only repeats what they were."""
    rows = await fetch(session, _SURVIVORS, {"ids": list(set(known.values()))}) if known else []
    survivors = {row[0]: row[1:] for row in rows}
    for position, customer_id in known.items():
        if customer_id in survivors:
            _keep(vault, chunk, position, customer_id, *survivors[customer_id])
    return chunk


async def heads_of(session: AsyncSession, customer_ids: Collection[UUID]) -> set[UUID]:
    """Whom these were merged into: their summary of consents is made of these."""
    return {row[0] for row in await fetch(session, _HEADS, {"ids": list(customer_ids)})}


def _keep(
    vault: Vault,
    chunk: Chunk,
    position: int,
    customer_id: UUID,
    wrapped_key: bytes,
    pii: bytes,
    plain: dict[str, str | None],
    own_risk: dict[str, str | None] | None,
    ledgers: list[bytes],
) -> None:
    present = {**vault.open(customer_id, wrapped_key, pii), **plain}
    own = own_values([orjson.loads(vault.open_bytes(customer_id, wrapped_key, one)) for one in ledgers])
    repeated = [name for name in own if _same(name, chunk.columns[name][position], own[name])]
    if own_risk is not None and all(chunk.columns[name][position] == own_risk[name] for name in _RISK):
        repeated += _RISK
    for name in repeated:
        _put(chunk.columns, name, position, present[name])
    if any(name in FIELDS for name in repeated):
        personal = {name: chunk.columns[name][position] for name in FIELDS}
        keys = match_keys(vault, personal)
        _put(chunk.made, "personal", position, personal)
        _put(chunk.made, "digest", position, vault.digest(personal))
        for name, value in keys._asdict().items():
            _put(chunk.made, name, position, array_text(value) if name == "name_grams" else value)


def own_values(ledgers: list[dict[str, dict[str, str | None]]]) -> dict[str, str | None]:
    """What merges in force changed, as it was before the first that did; `ledgers` in their order."""
    own: dict[str, str | None] = {}
    for ledger in ledgers:
        for name in RULES:
            before, after = ledger["before"].get(name), ledger["after"].get(name)
            if before != after:
                own.setdefault(name, before)
    return own


def _same(name: str, stated: str | None, own: str | None) -> bool:
    if stated is None or own is None:
        return stated == own
    return same_form(name, stated) == same_form(name, own)


def _put(columns: Any, name: str, position: int, value: object) -> None:
    changed = list(columns[name])
    changed[position] = value
    columns[name] = changed
