"""Customers whom several managers or branches contacted within days of each other."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.contracts.base import Page
from shared.contracts.customer.handover import ContactConflict, ContactOfConflict
from shared.db import fetch
from shared.errors import BadRequest
from shared.pagination import PageRequest, encode_cursor

# Who made a contact: the staff code, wherever it was recorded; a system's own contacts are nobody's. Staff
# of a branch the caller does not see counts, with its branch unknown: the conflict is just that.
# Two contacts conflict when they are at most `days` apart and of different staff.
_CONFLICTS = """
WITH made AS (
  SELECT coalesce(c.merged_into, c.id) AS customer_id, x.at, x.by, s.org_path AS org, x.channel
  FROM (
    SELECT customer_id, recorded_at AS at, substr(recorded_by, 6) AS by, 'campaign' AS channel
    FROM customer_contact WHERE recorded_at >= %(since)s AND state IN ('started', 'call_back', 'done')
      AND starts_with(recorded_by, 'user:')
    UNION ALL
    SELECT customer_id, at, staff, kind FROM interaction
    WHERE at >= %(since)s AND direction IS DISTINCT FROM 'in' AND staff IS NOT NULL
  ) x
  JOIN customer c ON c.id = x.customer_id LEFT JOIN staff s ON s.code = x.by
), conflicting AS (
  SELECT a.customer_id, a.at, a.by, a.org, a.channel FROM made a
  WHERE EXISTS (SELECT 1 FROM made b WHERE b.customer_id = a.customer_id AND b.by <> a.by
    AND b.at BETWEEN a.at - %(span)s::interval AND a.at + %(span)s::interval)
)
SELECT c.id, c.org_path, c.primary_manager, count(DISTINCT x.by), count(DISTINCT coalesce(x.org, '')),
  json_agg(json_build_object('at', x.at, 'by', x.by, 'org', x.org, 'channel', x.channel) ORDER BY x.at)
FROM conflicting x JOIN customer c ON c.id = x.customer_id
WHERE c.id > %(after)s AND (%(org)s::text IS NULL OR c.org_path = %(org)s
  OR starts_with(c.org_path, %(org)s || '.'))
GROUP BY c.id ORDER BY c.id LIMIT %(limit)s
"""

_FIRST = UUID(int=0)


async def contact_conflicts(
    session: AsyncSession, since: datetime, days: int, org: str | None, page: PageRequest
) -> Page[ContactConflict]:
    """By customer; of each the latest fifty contacts that conflict."""
    parameters = {
        "since": since,
        "span": timedelta(days=days),
        "org": org,
        "after": _position(page.after()),
        "limit": page.limit + 1,
    }
    rows = await fetch(session, _CONFLICTS, parameters)
    shown = rows[: page.limit]
    items = [
        ContactConflict(
            customer_id=row[0],
            org=row[1],
            primary_manager=row[2],
            managers=row[3],
            branches=row[4],
            contacts=[ContactOfConflict.model_validate(contact) for contact in row[5][-50:]],
        )
        for row in shown
    ]
    more = len(rows) > page.limit
    return Page[ContactConflict](items=items, next_cursor=encode_cursor([shown[-1][0]]) if more else None)


def _position(after: list[object] | None) -> UUID:
    match after:
        case None:
            return _FIRST
        case [UUID() as customer]:
            return customer
        case _:
            raise BadRequest("Pass `next_cursor` of the page before, unchanged")
