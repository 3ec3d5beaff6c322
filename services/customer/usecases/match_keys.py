"""Match keys of customers from before there were any: made in the background."""

import asyncio

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.domain.matching import MATCH_VERSION, array_text, match_keys
from services.customer.domain.vault import Vault
from shared.db import fetch
from shared.service import Runtime

logger = structlog.get_logger()

_BATCH = 1_000
_REST_SECONDS = 3600.0

_WAITING = """
SELECT c.id, k.wrapped_key, c.pii FROM customer c JOIN customer_key k ON k.customer_id = c.id
WHERE c.match_version IS NULL
ORDER BY c.id LIMIT %(limit)s FOR NO KEY UPDATE OF c SKIP LOCKED
"""

_FILL = """
UPDATE customer c SET id_hash = i.id_hash, phone_hash = i.phone_hash, name_key = i.name_key,
  name_grams = i.name_grams::bigint[], match_version = %(version)s
FROM unnest(%(id)b::uuid[], %(id_hash)b::bytea[], %(phone_hash)b::bytea[], %(name_key)b::bigint[],
            %(name_grams)b::text[]) AS i(id, id_hash, phone_hash, name_key, name_grams)
WHERE c.id = i.id
"""


async def fill_match_keys(runtime: Runtime) -> None:
    """Endless: a thousand customers a transaction until none is left, then a look every hour."""
    vault = runtime.resource(Vault)
    while True:
        total = 0
        while filled := await _fill_some(runtime, vault):
            total += filled
        if total:
            logger.info("match_keys_filled", customers=total)
        await asyncio.sleep(_REST_SECONDS)


async def _fill_some(runtime: Runtime, vault: Vault) -> int:
    async with runtime.db.transaction() as session:
        return await fill_batch(session, vault, _BATCH)


async def fill_batch(session: AsyncSession, vault: Vault, limit: int) -> int:
    """Make the keys of at most `limit` customers that lack them; of how many."""
    rows = await fetch(session, _WAITING, {"limit": limit})
    keys = [match_keys(vault, vault.open(*row)) for row in rows]
    if rows:
        parameters = {
            "id": [row[0] for row in rows],
            "id_hash": [one.id_hash for one in keys],
            "phone_hash": [one.phone_hash for one in keys],
            "name_key": [one.name_key for one in keys],
            "name_grams": [array_text(one.name_grams) for one in keys],
            "version": MATCH_VERSION,
        }
        await fetch(session, _FILL, parameters)
    return len(rows)
