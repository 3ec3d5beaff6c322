"""Business events and campaign contacts of one customer, newest first."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from services.customer.domain.vault import Vault
from services.customer.queries.private import with_private
from shared.contracts.base import Page
from shared.contracts.customer import TimelineItem
from shared.db import fetch
from shared.errors import BadRequest, NotFound
from shared.pagination import PageRequest, encode_cursor

# Each branch reads at most one page of each member of the family from its own index before all are joined.
_PAGE = """
WITH family AS MATERIALIZED (
  SELECT id FROM customer WHERE id = %(customer)s
  UNION ALL SELECT id FROM customer WHERE merged_into = %(customer)s
), cursor AS (SELECT %(time)s::timestamptz AS t, %(kind)s::text COLLATE "C" AS k,
  %(n)s::text COLLATE "C" AS n)
SELECT time, kind, n, item::text FROM (
  (SELECT e.time, 'event' COLLATE "C" AS kind, to_char(e.seq, 'FM0000000000000000000') COLLATE "C" AS n,
     json_build_object(
      'id', e.source || '/' || e.event_id, 'time', e.time, 'kind', 'event', 'type', e.type,
      'source', e.source,
      'data', coalesce(e.data || e.private, e.data),
      'sealed', CASE WHEN e.sealed IS NOT NULL THEN json_build_array(
        e.customer_id, encode(k.wrapped_key, 'base64'), encode(e.sealed, 'base64')) END) AS item
   FROM cursor CROSS JOIN family f CROSS JOIN LATERAL (
     SELECT * FROM customer_event e WHERE e.customer_id = f.id AND (t IS NULL OR e.time <= t)
       AND (t IS NULL OR (e.time, 'event' COLLATE "C", to_char(e.seq, 'FM0000000000000000000') COLLATE "C")
                         < (t, cursor.k, cursor.n))
     ORDER BY e.time DESC, e.seq DESC LIMIT %(limit)s) e
   LEFT JOIN customer_key k ON k.customer_id = e.customer_id
   ORDER BY e.time DESC, e.seq DESC LIMIT %(limit)s)
  UNION ALL
  (SELECT c.recorded_at, 'contact' COLLATE "C",
     (c.contact_id || '/' || to_char(c.version, 'FM00000')) COLLATE "C",
     json_build_object(
      'id', c.contact_id || '/' || c.version, 'time', c.recorded_at, 'kind', 'contact', 'type', c.state,
      'source', 'campaign', 'data', json_strip_nulls(json_build_object(
        'campaign_id', c.campaign_id, 'disposition', c.disposition, 'offer', c.offer, 'by', c.recorded_by)))
   FROM customer_contact c, cursor
   WHERE c.customer_id IN (SELECT id FROM family) AND (t IS NULL OR c.recorded_at <= t)
     AND (t IS NULL OR (c.recorded_at, 'contact' COLLATE "C",
                        (c.contact_id || '/' || to_char(c.version, 'FM00000')) COLLATE "C")
                       < (t, k, cursor.n))
   ORDER BY c.recorded_at DESC, c.contact_id DESC, c.version DESC LIMIT %(limit)s)
) AS both_kinds
ORDER BY time DESC, kind DESC, n DESC LIMIT %(limit)s
"""

_EXISTS = "SELECT 1 FROM customer WHERE id = %(customer)s"


async def timeline(
    session: AsyncSession, vault: Vault, customer_id: UUID, page: PageRequest
) -> Page[TimelineItem]:
    """One page; 404 when the customer is not visible."""
    if not await fetch(session, _EXISTS, {"customer": customer_id}):
        raise NotFound("There is no such customer in your organisation")
    time, kind, n = _position(page.after())
    rows = await fetch(
        session,
        _PAGE,
        {"customer": customer_id, "time": time, "kind": kind, "n": n, "limit": page.limit + 1},
    )
    shown = rows[: page.limit]
    items = [TimelineItem.model_validate(with_private(vault, orjson.loads(row[3]))) for row in shown]
    more = len(rows) > page.limit
    return Page[TimelineItem](items=items, next_cursor=encode_cursor(shown[-1][:3]) if more else None)


def _position(after: Sequence[Any] | None) -> tuple[datetime | None, str | None, str | None]:
    match after:
        case None:
            return None, None, None
        case [datetime() as time, str() as kind, str() as n]:
            return time, kind, n
        case _:
            raise BadRequest("Pass `next_cursor` of the page before, unchanged")
