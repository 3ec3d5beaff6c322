"""Risk assessments in a merged family: the latest speaks for the survivor, its own is kept beside.

The survivor's columns have the latest assessment of its whole family. What the survivor would say without the
merged is `own_risk`, so that taking a merge back also takes back what came in with it or after it.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from shared.db import fetch

# What stands there and is none of the merged's is the survivor's own: assessed, changed by hand or imported.
# The end of an assessment may be corrected by hand without making the assessment one's own.
_KEEP = """
INSERT INTO own_risk (customer_id, level, valid_until, assessed_at)
SELECT c.id, c.risk_level, c.risk_valid_until, c.risk_assessed_at FROM customer c
WHERE c.id = ANY(%(ids)b::uuid[]) AND NOT EXISTS (
  SELECT FROM customer m WHERE m.merged_into = c.id AND m.risk_assessed_at IS NOT NULL
    AND (m.risk_level, m.risk_assessed_at) IS NOT DISTINCT FROM (c.risk_level, c.risk_assessed_at))
ORDER BY c.id
ON CONFLICT (customer_id) DO UPDATE
SET level = EXCLUDED.level, valid_until = EXCLUDED.valid_until, assessed_at = EXCLUDED.assessed_at
"""

# Nobody changes a merged file by hand: what was kept first of an earlier survivor is its own still.
_KEEP_FIRST = """
INSERT INTO own_risk (customer_id, level, valid_until, assessed_at)
SELECT id, risk_level, risk_valid_until, risk_assessed_at FROM customer
WHERE id = ANY(%(ids)b::uuid[]) ORDER BY id
ON CONFLICT (customer_id) DO NOTHING
"""

_RAISE = """
UPDATE own_risk o SET level = a.level, valid_until = a.valid_until, assessed_at = a.at
FROM unnest(%(ids)b::uuid[], %(levels)b::text[], %(until)b::date[], %(at)b::timestamptz[])
  AS a(id, level, valid_until, at)
WHERE o.customer_id = a.id AND (o.assessed_at IS NULL
  OR (a.at, a.level, a.valid_until) > (o.assessed_at, o.level, o.valid_until))
"""

_CORRECT = """
UPDATE own_risk SET valid_until = %(until)s WHERE customer_id = %(id)s
"""

_REFRESH = """
UPDATE customer c SET (risk_level, risk_valid_until, risk_assessed_at) = (
  SELECT level, valid_until, assessed_at FROM (
    SELECT level, valid_until, assessed_at FROM own_risk WHERE customer_id = c.id
    UNION ALL
    SELECT risk_level, risk_valid_until, risk_assessed_at FROM customer m
    WHERE m.merged_into = c.id AND m.risk_assessed_at IS NOT NULL) AS told
  ORDER BY assessed_at DESC NULLS LAST, level DESC NULLS LAST, valid_until DESC NULLS LAST LIMIT 1)
WHERE c.id = ANY(%(ids)b::uuid[]) AND EXISTS (SELECT FROM own_risk WHERE customer_id = c.id)
"""

_FORGET = """
DELETE FROM own_risk o WHERE customer_id = ANY(%(ids)b::uuid[])
  AND NOT EXISTS (SELECT FROM customer m WHERE m.merged_into = o.customer_id)
"""


async def keep_own_risk(session: AsyncSession, survivors: Collection[UUID]) -> None:
    """Call before a merged customer's assessment may overwrite the survivor's."""
    if survivors:
        await fetch(session, _KEEP, {"ids": list(survivors)})


async def keep_earlier_survivors_risk(session: AsyncSession, stations: Collection[UUID]) -> None:
    """As `keep_own_risk`, for survivors that were themselves merged since."""
    if stations:
        await fetch(session, _KEEP_FIRST, {"ids": list(stations)})


async def raise_own_risk(session: AsyncSession, assessments: Mapping[str, Sequence[object]]) -> None:
    """Assessments of customers themselves (columns ids, levels, until, at), whatever their family says."""
    await fetch(session, _RAISE, assessments)


async def correct_own_end(session: AsyncSession, customer_id: UUID, until: date | None) -> None:
    """The end of the present assessment was changed by hand: it stays when merges are taken back."""
    await fetch(session, _CORRECT, {"id": customer_id, "until": until})


async def refresh_risk(session: AsyncSession, survivors: Collection[UUID]) -> None:
    """The latest of own and family's, after the family changed."""
    await fetch(session, _REFRESH, {"ids": list(survivors)})
    await fetch(session, _FORGET, {"ids": list(survivors)})
