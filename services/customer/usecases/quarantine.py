"""Refused events: kept with their reasons, closed when repaired, discarded or expired."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.domain.intake import Refused
from services.customer.domain.quarantine import KEPT, MAX_KEPT_BYTES, as_stored, claim_of, raw_of, reason_of
from services.customer.domain.vault import Vault
from shared import clock
from shared.auth import Principal
from shared.contracts.customer import SourceIdentity
from shared.db import fetch
from shared.ids import new_id
from shared.service import Runtime

_SWEEP_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Sender:
    """Who pushed: its organisation, and the only source it speaks for (null: an administrator, for any)."""

    org_path: str
    source: str | None

    @classmethod
    def of(cls, principal: Principal) -> "Sender":
        return cls(principal.org, principal.source)


@dataclass(frozen=True, slots=True)
class RefusedItem:
    """An event as it came and what is wrong with it; pointers begin at the event."""

    item: Any
    refused: Refused
    source: str | None = None
    """Of who sent it, when a batch is of several senders."""


@dataclass(frozen=True, slots=True)
class _Row:
    id: UUID
    source: str | None
    event_id: str | None
    type: str | None
    subject_hash: bytes | None
    content_hash: bytes
    sealed: bytes | None
    reason: str
    errors: str


_KEEP = """
INSERT INTO quarantined_event AS q (id, org_path, source, event_id, type, subject_hash, content_hash, sealed,
  reason, errors, seen, received_at, last_seen_at, expires_at)
SELECT id, %(org_path)s, source, event_id, type, subject_hash, content_hash, sealed, reason, errors::jsonb,
  seen, %(now)s, %(now)s, %(expires_at)s
FROM unnest(%(id)b::uuid[], %(source)b::text[], %(event_id)b::text[], %(type)b::text[],
            %(subject_hash)b::bytea[], %(content_hash)b::bytea[], %(sealed)b::bytea[], %(reason)b::text[],
            %(errors)b::text[], %(seen)b::int[])
  AS r(id, source, event_id, type, subject_hash, content_hash, sealed, reason, errors, seen)
ORDER BY content_hash
ON CONFLICT (content_hash, org_path) DO UPDATE
SET seen = q.seen + EXCLUDED.seen, last_seen_at = EXCLUDED.last_seen_at,
  reason = EXCLUDED.reason, errors = EXCLUDED.errors
"""


async def keep(session: AsyncSession, vault: Vault, sender: Sender, refused: Sequence[RefusedItem]) -> None:
    """Quarantine refused events. The same event again counts; its row keeps its state."""
    if not refused:
        return
    rows: dict[bytes, _Row] = {}
    seen: Counter[bytes] = Counter()
    for each in refused:
        row = _row(vault, sender, each)
        rows.setdefault(row.content_hash, row)
        seen[row.content_hash] += 1
    now = clock.now()
    columns = {name: [getattr(row, name) for row in rows.values()] for name in _Row.__slots__}
    times = {"now": now, "expires_at": now + KEPT}
    counts = {"seen": [seen[content] for content in rows]}
    await fetch(session, _KEEP, {**columns, **counts, **times, "org_path": sender.org_path})


def _row(vault: Vault, sender: Sender, each: RefusedItem) -> _Row:
    claim, raw = claim_of(each.item), raw_of(each.item)
    source = each.source or sender.source or claim.source
    row_id = new_id()
    identity = raw if raw is not None else repr((claim, each.refused.errors)).encode()
    return _Row(
        id=row_id,
        source=source,
        event_id=claim.event_id,
        type=claim.type,
        subject_hash=subject_hash(vault, source, claim.subject) if source and claim.subject else None,
        content_hash=vault.keyed_hash("quarantine", f"{source}\0".encode() + identity),
        sealed=None if raw is None or len(raw) > MAX_KEPT_BYTES else seal(vault, row_id, raw),
        reason=reason_of(each.refused),
        errors=orjson.dumps(as_stored(each.refused.errors)).decode(),
    )


def seal(vault: Vault, row_id: UUID, raw: bytes) -> bytes:
    return vault.seal_waiting("quarantine", str(row_id), raw)


def unseal(vault: Vault, row_id: UUID, sealed: bytes) -> bytes:
    return vault.open_waiting("quarantine", str(row_id), sealed)


def subject_hash(vault: Vault, source: str, subject: str) -> bytes:
    """Finds the refused events of an identity without telling the identity."""
    return vault.keyed_hash("quarantine subject", f"{source}\0{subject}".encode())


_ANY_OPEN = """
SELECT 1 FROM quarantined_event WHERE state = 'open' AND source = ANY(%(sources)b::text[]) LIMIT 1
"""
_SUPERSEDE = """
UPDATE quarantined_event q SET state = 'superseded', closed_at = %(now)s,
  closed_by = current_setting('huanying.actor', true)
FROM unnest(%(source)b::text[], %(event_id)b::text[]) AS i(source, event_id)
WHERE q.state = 'open' AND q.source = i.source AND q.event_id = i.event_id
"""


async def supersede(session: AsyncSession, keys: Sequence[tuple[str, str]]) -> None:
    """Close what was refused under these (source, id) before: the sender has repaired and sent it again."""
    sources = sorted({source for source, _event_id in keys})
    if not sources or not await fetch(session, _ANY_OPEN, {"sources": sources}):
        return
    columns = {"source": [key[0] for key in keys], "event_id": [key[1] for key in keys]}
    await fetch(session, _SUPERSEDE, {**columns, "now": clock.now()})


_FORGET = "DELETE FROM quarantined_event WHERE subject_hash = ANY(%(hashes)b::bytea[]) RETURNING 1"


async def forget_subjects(session: AsyncSession, vault: Vault, identities: Sequence[SourceIdentity]) -> int:
    """Delete the refused events of a person who is erased; how many there were."""
    hashes = [subject_hash(vault, identity.source, identity.source_id) for identity in identities]
    return len(await fetch(session, _FORGET, {"hashes": hashes}))


_SWEEP = """
DELETE FROM quarantined_event WHERE id IN (
  SELECT id FROM quarantined_event WHERE expires_at < %(now)s LIMIT 5000) RETURNING 1
"""


async def expire(session: AsyncSession, now: datetime) -> int:
    """Delete a batch of what was kept long enough; how many."""
    return len(await fetch(session, _SWEEP, {"now": now}))


async def sweep_quarantine(runtime: Runtime) -> None:
    """Endless work: delete expired events, hourly."""
    while True:
        async with runtime.db.transaction() as session:
            deleted = await expire(session, clock.now())
        if deleted == 0:
            await asyncio.sleep(_SWEEP_SECONDS)
