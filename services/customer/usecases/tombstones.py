"""Identities of people who asked not to be collected again, known by keyed hash only."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.domain.vault import Vault
from shared.db import fetch
from shared.errors import Conflict, FieldError

Pair = tuple[str, str]
"""Source and source id."""

_ANY = "SELECT 1 FROM erasure_tombstone LIMIT 1"
_FOUND = "SELECT identity_hash FROM erasure_tombstone WHERE identity_hash = ANY(%(hashes)b::bytea[])"
_BURY = """
INSERT INTO erasure_tombstone (identity_hash, erasure_id)
SELECT h, %(erasure)s FROM unnest(%(hashes)b::bytea[]) AS h ON CONFLICT DO NOTHING
"""


async def bury(session: AsyncSession, vault: Vault, erasure_id: UUID, pairs: Sequence[Pair]) -> None:
    hashes = [_hash(vault, pair) for pair in pairs]
    await fetch(session, _BURY, {"erasure": erasure_id, "hashes": hashes})


async def buried(session: AsyncSession, vault: Vault, pairs: Sequence[Pair]) -> set[Pair]:
    """Which of `pairs` must not be collected again. Costs one look while nobody ever asked for it."""
    if not pairs or not await fetch(session, _ANY):
        return set()
    by_hash = {_hash(vault, pair): pair for pair in pairs}
    rows = await fetch(session, _FOUND, {"hashes": list(by_hash)})
    return {by_hash[bytes(row[0])] for row in rows}


async def refuse_buried(session: AsyncSession, vault: Vault, pairs: Sequence[Pair]) -> None:
    """409 naming the identities."""
    found = await buried(session, vault, pairs)
    errors = [
        FieldError(f"/identities/{index}", "belongs to a person who asked not to be collected again")
        for index, pair in enumerate(pairs)
        if pair in found
    ]
    if errors:
        raise Conflict("The person was erased", errors=errors, slug="do-not-collect")


def _hash(vault: Vault, pair: Pair) -> bytes:
    return vault.keyed_hash("tombstone", "\0".join(pair).encode())
