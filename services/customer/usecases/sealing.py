"""Private properties of events at rest: under the customer's key, or its identity's while it is awaited."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.domain.intake import Incoming
from services.customer.domain.vault import Vault
from shared.db import fetch
from shared.service import Runtime

_BATCH = 500
_REST_SECONDS = 3600.0


class SealedPart(NamedTuple):
    """Whose key it is under, and the ciphertext; both null when there is nothing private or no key."""

    customer_id: UUID | None
    sealed: bytes | None


_NOTHING = SealedPart(None, None)

_KEYS = """
SELECT DISTINCT s.source, s.source_id, s.customer_id, k.wrapped_key
FROM unnest(%(source)b::text[], %(source_id)b::text[]) AS i(source, source_id)
JOIN source_identity s USING (source, source_id) JOIN customer_key k ON k.customer_id = s.customer_id
"""


async def seal_for_customers(
    session: AsyncSession, vault: Vault, events: Sequence[Incoming]
) -> list[SealedPart]:
    """The private part of each event under the key of the customer its identity belongs to now."""
    private = [event for event in events if event.private_json]
    if not private:
        return [_NOTHING] * len(events)
    pairs = {"source": [e.source for e in private], "source_id": [e.source_id for e in private]}
    keys = {(row[0], row[1]): (row[2], row[3]) for row in await fetch(session, _KEYS, pairs)}
    return [_sealed(vault, event, keys) for event in events]


def _sealed(vault: Vault, event: Incoming, keys: Mapping[tuple[str, str], tuple[UUID, bytes]]) -> SealedPart:
    found = keys.get((event.source, event.source_id))
    if event.private_json is None or found is None:
        return _NOTHING
    customer_id, wrapped_key = found
    return SealedPart(customer_id, vault.seal_bytes(customer_id, wrapped_key, event.private_json))


def seal_to_wait(vault: Vault, event: Incoming) -> bytes | None:
    """The private part of an event whose customer has not arrived."""
    if event.private_json is None:
        return None
    return vault.seal_waiting(event.source, event.source_id, event.private_json)


_UNSEALED = """
SELECT e.seq, e.customer_id, k.wrapped_key, e.private::text
FROM customer_event e LEFT JOIN customer_key k ON k.customer_id = e.customer_id
WHERE e.private IS NOT NULL ORDER BY e.seq LIMIT %(limit)s FOR UPDATE OF e SKIP LOCKED
"""
_SEAL = """
UPDATE customer_event e SET sealed = s.sealed, private = NULL
FROM unnest(%(seq)b::bigint[], %(sealed)b::bytea[]) AS s(seq, sealed) WHERE e.seq = s.seq
"""
_UNSEALED_PARKED = """
SELECT source, event_id, source_id, private::text FROM parked_event
WHERE private IS NOT NULL ORDER BY source, event_id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
"""
_SEAL_PARKED = """
UPDATE parked_event p SET sealed = s.sealed, private = NULL
FROM unnest(%(source)b::text[], %(event_id)b::text[], %(sealed)b::bytea[]) AS s(source, event_id, sealed)
WHERE p.source = s.source AND p.event_id = s.event_id
"""


async def seal_what_is_open(session: AsyncSession, vault: Vault) -> int:
    """Seal one batch of rows an earlier release left readable; how many there were.

    What belonged to a customer whose key is gone is forgotten with the others of its data.
    """
    rows = await fetch(session, _UNSEALED, {"limit": _BATCH})
    if rows:
        sealed = [
            vault.seal_bytes(customer, key, _compact(private)) if key else None
            for _seq, customer, key, private in rows
        ]
        await fetch(session, _SEAL, {"seq": [row[0] for row in rows], "sealed": sealed})
    parked = await fetch(session, _UNSEALED_PARKED, {"limit": _BATCH})
    if parked:
        columns = {
            "source": [row[0] for row in parked],
            "event_id": [row[1] for row in parked],
            "sealed": [vault.seal_waiting(row[0], row[2], _compact(row[3])) for row in parked],
        }
        await fetch(session, _SEAL_PARKED, columns)
    return len(rows) + len(parked)


async def seal_old_events(runtime: Runtime) -> None:
    """Endless work: seal everything that is open, then look again every hour."""
    vault = runtime.resource(Vault)
    while True:
        async with runtime.db.transaction() as session:
            done = await seal_what_is_open(session, vault)
        if done == 0:
            await asyncio.sleep(_REST_SECONDS)


def _compact(private: str) -> bytes:
    return orjson.dumps(orjson.loads(private))
