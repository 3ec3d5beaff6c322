"""Storing usable events: recorded with their customer, parked without, told apart from repetitions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.domain.intake import Incoming
from services.customer.domain.vault import Vault
from services.customer.usecases.effects import apply_effects
from services.customer.usecases.publishing import publish_events
from services.customer.usecases.sealing import seal_for_customers, seal_to_wait
from services.customer.usecases.tombstones import buried
from shared.db import fetch


class Recorded(NamedTuple):
    """An event that became part of the log, with the customer it came for and whom that was merged into."""

    event: Incoming
    seq: int
    customer_id: UUID
    ordinal: int
    survivor_id: UUID | None
    survivor_ordinal: int | None


@dataclass(slots=True)
class Outcome:
    """What became of a batch."""

    recorded: list[Recorded] = field(default_factory=list)
    duplicate: list[Incoming] = field(default_factory=list)
    conflict: list[Incoming] = field(default_factory=list)
    forgotten: list[Incoming] = field(default_factory=list)
    """Their person was erased and asked not to be collected again."""
    outside: list[Incoming] = field(default_factory=list)
    """Their customer exists, beyond the caller's organisation."""
    parked: list[Incoming] = field(default_factory=list)


# Both halves come back and are matched here: joining them, the planner may compare each with each.
# Inserted in the order of the unique key: two requests with the same events wait in line, not in a ring.
_INSERT = """
WITH found AS MATERIALIZED (
  SELECT i.*, s.customer_id, s.ordinal, m.merged_into
  FROM unnest(%(source)b::text[], %(event_id)b::text[], %(type)b::text[], %(source_id)b::text[],
              %(time)b::timestamptz[], %(data)b::text[], %(content_hash)b::bytea[],
              %(schema_version)b::int[], %(sealed_for)b::uuid[], %(sealed)b::bytea[])
    AS i(source, event_id, type, source_id, time, data, content_hash, schema_version, sealed_for, sealed)
  JOIN source_identity s USING (source, source_id)
  LEFT JOIN customer m ON m.id = s.customer_id AND m.merged_into IS NOT NULL
  WHERE i.sealed_for IS NULL OR i.sealed_for = s.customer_id
), stored AS (
  INSERT INTO customer_event (source, event_id, type, customer_id, time, data, content_hash,
                              schema_version, sealed)
  SELECT source, event_id, type, customer_id, time, data::jsonb, content_hash, schema_version, sealed
  FROM found ORDER BY source, event_id
  ON CONFLICT (source, event_id) DO NOTHING
  RETURNING seq, source, event_id
)
SELECT source, event_id, NULL::bigint, customer_id, ordinal, merged_into,
  (SELECT v.ordinal FROM customer v WHERE v.id = merged_into) FROM found
UNION ALL SELECT source, event_id, seq, NULL, NULL, NULL, NULL FROM stored
"""

_SEEN = """
SELECT source, event_id, content_hash
FROM unnest(%(source)b::text[], %(event_id)b::text[]) AS i(source, event_id)
JOIN customer_event USING (source, event_id)
UNION ALL
SELECT source, event_id, content_hash
FROM unnest(%(source)b::text[], %(event_id)b::text[]) AS i(source, event_id)
JOIN parked_event USING (source, event_id)
"""

_PARK = """
INSERT INTO parked_event (source, event_id, source_id, type, time, data, content_hash, schema_version,
                          sealed)
SELECT i.source, i.event_id, i.source_id, i.type, i.time, i.data::jsonb, i.content_hash, i.schema_version,
  i.sealed
FROM unnest(%(source)b::text[], %(event_id)b::text[], %(type)b::text[], %(source_id)b::text[],
            %(time)b::timestamptz[], %(data)b::text[], %(content_hash)b::bytea[], %(schema_version)b::int[],
            %(sealed)b::bytea[])
  AS i(source, event_id, type, source_id, time, data, content_hash, schema_version, sealed)
ORDER BY i.source, i.event_id
ON CONFLICT (source, event_id) DO NOTHING
RETURNING source, event_id
"""

_TAKE_PARKED = """
DELETE FROM parked_event p USING source_identity s
WHERE s.customer_id = ANY(%(customers)b::uuid[]) AND p.source = s.source AND p.source_id = s.source_id
RETURNING p.source, p.event_id, p.type, p.source_id, p.time, p.data::text, p.private::text, p.sealed,
  p.content_hash, p.schema_version
"""

_TAKEN = "SELECT source, source_id FROM taken_identities(%(sources)b::text[], %(source_ids)b::text[])"
_LOCK_PARKING = "SELECT pg_advisory_xact_lock(hashtextextended('huanying.parking ' || %(source)s, 0))"
_LOCK_ARRIVAL = "SELECT pg_advisory_xact_lock_shared(hashtextextended('huanying.parking ' || %(source)s, 0))"


async def record(session: AsyncSession, vault: Vault, events: Sequence[Incoming]) -> Outcome:
    """Store, apply and publish `events` (ids unique within them); all in the caller's transaction."""
    outcome = Outcome()
    left = await _insert(session, vault, events, outcome)
    left = await _tell_repetitions(session, left, outcome)
    if left:
        await _park(session, vault, left, outcome)
    await apply_effects(session, [(r.event, r.customer_id) for r in outcome.recorded])
    await publish_events(session, ((r.survivor_id or r.customer_id, _fact(r)) for r in outcome.recorded))
    return outcome


async def announce_arrivals(session: AsyncSession, sources: Iterable[str]) -> None:
    """Call before identities are inserted: whoever parks an event meanwhile waits and then finds them."""
    for source in sorted(set(sources)):
        await fetch(session, _LOCK_ARRIVAL, {"source": source})


async def apply_parked(session: AsyncSession, vault: Vault, customer_ids: Sequence[UUID]) -> int:
    """Record the events that waited for these customers, oldest first; how many there were."""
    rows = await fetch(session, _TAKE_PARKED, {"customers": list(customer_ids)})
    events = [_unparked(vault, index, *row) for index, row in enumerate(rows)]
    if events:
        await record(session, vault, sorted(events, key=lambda event: (event.time, event.event_id)))
    return len(events)


def _unparked(
    vault: Vault,
    index: int,
    source: str,
    event_id: str,
    kind: str,
    source_id: str,
    time: datetime,
    public: str,
    private: str | None,
    sealed: bytes | None,
    content_hash: bytes,
    schema_version: int | None,
) -> Incoming:
    opened = vault.open_waiting(source, source_id, sealed) if sealed else (private or "").encode()
    return Incoming(
        index=index,
        source=source,
        event_id=event_id,
        type=kind,
        source_id=source_id,
        time=time,
        data=orjson.loads(public) | (orjson.loads(opened) if opened else {}),
        public_json=public.encode(),
        private_json=opened or None,
        content_hash=content_hash,
        schema_version=schema_version,
    )


async def _insert(
    session: AsyncSession, vault: Vault, events: Sequence[Incoming], outcome: Outcome
) -> list[Incoming]:
    """Store those whose customer is known and whose id is new; answers the others."""
    parts = await seal_for_customers(session, vault, events)
    sealed = {"sealed_for": [part.customer_id for part in parts], "sealed": [part.sealed for part in parts]}
    rows = await fetch(session, _INSERT, _columns(events) | sealed)
    owners = {(row[0], row[1]): row[3:] for row in rows if row[2] is None}
    stored = {(row[0], row[1]): row[2] for row in rows if row[2] is not None}
    left = []
    for event in events:
        key = (event.source, event.event_id)
        seq = stored.get(key)
        if seq is None:
            left.append(event)
        else:
            outcome.recorded.append(Recorded(event, seq, *owners[key]))
    return left


async def _tell_repetitions(
    session: AsyncSession, events: Sequence[Incoming], outcome: Outcome
) -> list[Incoming]:
    """Sort out ids that were seen before; answers those that were not."""
    if not events:
        return []
    keys = {"source": [e.source for e in events], "event_id": [e.event_id for e in events]}
    seen = {(row[0], row[1]): row[2] for row in await fetch(session, _SEEN, keys)}
    left = []
    for event in events:
        content_hash = seen.get((event.source, event.event_id))
        if content_hash is None:
            left.append(event)
        elif content_hash == event.content_hash:
            outcome.duplicate.append(event)
        else:
            outcome.conflict.append(event)
    return left


async def _park(session: AsyncSession, vault: Vault, events: Sequence[Incoming], outcome: Outcome) -> None:
    """Keep events of unknown customers; under the lock a customer cannot arrive unnoticed."""
    for source in sorted({event.source for event in events}):
        await fetch(session, _LOCK_PARKING, {"source": source})
    left = await _insert(session, vault, events, outcome)
    left = await _set_outside_apart(session, left, outcome)
    left = await _set_forgotten_apart(session, vault, left, outcome)
    if not left:
        return
    sealed: dict[str, list[object]] = {"sealed": [seal_to_wait(vault, event) for event in left]}
    parked = {(row[0], row[1]) for row in await fetch(session, _PARK, _columns(left) | sealed)}
    outcome.parked += [event for event in left if (event.source, event.event_id) in parked]
    late = [event for event in left if (event.source, event.event_id) not in parked]
    outcome.conflict += await _tell_repetitions(session, late, outcome)


async def _set_outside_apart(
    session: AsyncSession, events: Sequence[Incoming], outcome: Outcome
) -> list[Incoming]:
    pairs = {"sources": [e.source for e in events], "source_ids": [e.source_id for e in events]}
    taken = {(row[0], row[1]) for row in await fetch(session, _TAKEN, pairs)} if events else set()
    outcome.outside += [event for event in events if (event.source, event.source_id) in taken]
    return [event for event in events if (event.source, event.source_id) not in taken]


async def _set_forgotten_apart(
    session: AsyncSession, vault: Vault, events: Sequence[Incoming], outcome: Outcome
) -> list[Incoming]:
    found = await buried(session, vault, [(event.source, event.source_id) for event in events])
    outcome.forgotten += [event for event in events if (event.source, event.source_id) in found]
    return [event for event in events if (event.source, event.source_id) not in found]


def _columns(events: Sequence[Incoming]) -> dict[str, list[object]]:
    return {
        "source": [e.source for e in events],
        "event_id": [e.event_id for e in events],
        "type": [e.type for e in events],
        "source_id": [e.source_id for e in events],
        "time": [e.time for e in events],
        "data": [e.public_json.decode() for e in events],
        "content_hash": [e.content_hash for e in events],
        "schema_version": [e.schema_version for e in events],
    }


def _fact(recorded: Recorded) -> bytes:
    """The RecordedEvent as JSON: the survivor's, with the home beside it when that is another."""
    event = recorded.event
    home = {"home_id": recorded.customer_id, "home_ordinal": recorded.ordinal}
    return orjson.dumps(
        {
            "seq": recorded.seq,
            "event_id": event.event_id,
            "source": event.source,
            "type": event.type,
            "customer_id": recorded.survivor_id or recorded.customer_id,
            "ordinal": recorded.survivor_ordinal or recorded.ordinal,
            **(home if recorded.survivor_id else {}),
            "time": event.time,
            "data": orjson.Fragment(event.public_json),
        }
    )
