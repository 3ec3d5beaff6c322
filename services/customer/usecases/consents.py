"""The customer's word on being contacted: into the ledger, into the present, to the other services."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared import clock
from shared.contracts.events import ConsentChanged
from shared.db import fetch
from shared.outbox import emit_facts

MARKETING = "marketing"


class Word(NamedTuple):
    """What a customer said about one channel and purpose. `changed_at` is when, not when it was recorded."""

    customer_id: UUID
    channel: str
    granted: bool
    changed_at: object
    source: str
    purpose: str = MARKETING
    valid_until: date | None = None
    proof_kind: str | None = None
    proof_hash: str | None = None
    proof_reference: bytes | None = None
    """Sealed under the customer's key."""


class Told(NamedTuple):
    """A customer, channel and purpose whose present word is another than before."""

    customer_id: UUID
    channel: str
    purpose: str


# Every word enters the ledger; the latest is the present. At the same instant a refusal outweighs a consent
# and a shorter consent a longer one, so the order and the number of arrivals do not matter.
_SAY = """
WITH said AS (
  SELECT * FROM unnest(%(customer_id)b::uuid[], %(channel)b::text[], %(granted)b::boolean[],
      %(changed_at)b::timestamptz[], %(source)b::text[], %(purpose)b::text[], %(valid_until)b::date[],
      %(proof_kind)b::text[], %(proof_hash)b::text[], %(proof_reference)b::bytea[])
    AS s(customer_id, channel, granted, changed_at, source, purpose, valid_until, proof_kind, proof_hash,
         proof_reference)
), entered AS (
  INSERT INTO consent_entry (customer_id, channel, granted, changed_at, source, purpose, valid_until,
    proof_kind, proof_hash, proof_reference, recorded_at)
  SELECT customer_id, channel, granted, changed_at, source, purpose, coalesce(valid_until, '9999-12-31'),
    proof_kind, proof_hash, proof_reference, %(now)s
  FROM said ORDER BY customer_id, channel, purpose
  ON CONFLICT DO NOTHING
), latest AS (
  SELECT DISTINCT ON (customer_id, channel, purpose) * FROM said
  ORDER BY customer_id, channel, purpose, changed_at DESC, granted, source DESC, valid_until
)
INSERT INTO consent AS c (customer_id, channel, purpose, granted, changed_at, source, valid_until)
SELECT customer_id, channel, purpose, granted, changed_at, source, valid_until FROM latest
ON CONFLICT (customer_id, channel, purpose) DO UPDATE
SET granted = EXCLUDED.granted, changed_at = EXCLUDED.changed_at, source = EXCLUDED.source,
  valid_until = EXCLUDED.valid_until, expired = false
WHERE (EXCLUDED.changed_at, NOT EXCLUDED.granted, EXCLUDED.source, coalesce(c.valid_until, '9999-12-31'))
    > (c.changed_at, NOT c.granted, c.source, coalesce(EXCLUDED.valid_until, '9999-12-31'))
RETURNING customer_id, channel, purpose
"""

# A merged person is asked once: the latest word given in any of the files counts.
_PRESENT = """
SELECT p.id, json_build_object('customer_id', p.id, 'channel', k.channel, 'purpose', k.purpose,
    'granted', k.granted AND coalesce(k.valid_until >= %(today)s, true), 'changed_at', k.changed_at,
    'valid_until', k.valid_until)::text
FROM (SELECT DISTINCT coalesce(c.merged_into, c.id) AS id, t.channel, t.purpose
      FROM unnest(%(ids)b::uuid[], %(channels)b::text[], %(purposes)b::text[]) AS t(id, channel, purpose)
      JOIN customer c ON c.id = t.id) p
CROSS JOIN LATERAL (
  SELECT * FROM consent k
  WHERE k.channel = p.channel AND k.purpose = p.purpose AND k.customer_id = ANY(ARRAY(
    SELECT p.id UNION ALL SELECT f.id FROM customer f WHERE f.merged_into = p.id))
  ORDER BY k.changed_at DESC, k.granted, k.source DESC LIMIT 1) k
ORDER BY p.id, k.channel, k.purpose
"""

_ENDED = """
SELECT DISTINCT customer_id FROM (
  SELECT customer_id FROM consent WHERE granted AND NOT expired AND valid_until < %(today)s LIMIT %(limit)s) e
"""

_EXPIRE = """
UPDATE consent SET expired = true
WHERE customer_id = ANY(%(ids)b::uuid[]) AND granted AND NOT expired AND valid_until < %(today)s
RETURNING customer_id, channel, purpose
"""


async def change_consents(
    session: AsyncSession, rows: Iterable[Sequence[Any]], *, announce: bool = True
) -> set[UUID]:
    """Record words (as `Word`, its first five fields at least); whose present word changed.

    `announce` publishes ConsentChanged; the first consents of a new customer travel with the customer itself.
    """
    words = [Word(*row) for row in rows]
    if not words:
        return set()
    columns = dict(zip(Word._fields, map(list, zip(*words, strict=True)), strict=True))
    told = [Told(*row) for row in await fetch(session, _SAY, {**columns, "now": clock.now()})]
    if announce:
        await announce_consents(session, told)
    return {one.customer_id for one in told}


async def announce_consents(session: AsyncSession, told: Sequence[Told]) -> None:
    """What these customers allow now, as ConsentChanged, in the name of the person's present file."""
    if told:
        parameters = {
            "ids": [one.customer_id for one in told],
            "channels": [one.channel for one in told],
            "purposes": [one.purpose for one in told],
            "today": clock.today(),
        }
        rows = await fetch(session, _PRESENT, parameters)
        await emit_facts(session, ConsentChanged, "consents", ((row[0], row[1].encode()) for row in rows))


async def with_ended_consents(session: AsyncSession, limit: int) -> list[UUID]:
    """Whose consents have their last day behind them and are not marked yet, of at most `limit` consents."""
    rows = await fetch(session, _ENDED, {"today": clock.today(), "limit": limit})
    return [row[0] for row in rows]


async def end_consents(session: AsyncSession, customer_ids: Sequence[UUID]) -> list[Told]:
    """Mark the consents of these customers, who are locked, whose last day is over; which they were."""
    rows = await fetch(session, _EXPIRE, {"today": clock.today(), "ids": list(customer_ids)})
    return [Told(*row) for row in rows]
