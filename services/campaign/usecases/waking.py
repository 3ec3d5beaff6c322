"""What wakes a customer's journey: the end of a contact, and moves in segments it looks at.

Waking is part of whatever happened and only sets a time; carrying on is the worker's, see
usecases/journeys.py.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.moves import Moves
from services.campaign.models import JourneyRun
from shared import clock
from shared.contracts.campaign.journeys import JourneyEnding
from shared.db import fetch

WOKEN = "woken"
"""The notification by which the worker hears of journeys to carry on."""

# Of a contact that was withdrawn until its reason passes the end is not known yet; of a second file of a
# person the journey is the first one's.
_BEGIN = """
INSERT INTO journey_run
  (contact_id, campaign_id, customer_id, arm, step, state, wake_at, current_id, entered_at, path)
SELECT c.id, c.campaign_id, coalesce(p.merged_into, c.customer_id), c.arm, a.journey_start, 'due', %(now)s,
  c.id, %(now)s, ARRAY[a.journey_start]
FROM contact c
JOIN campaign_arm a ON a.campaign_id = c.campaign_id AND a.key = c.arm AND a.step = c.step
JOIN campaign k ON k.id = c.campaign_id AND k.status IN ('launching', 'running', 'paused', 'draining')
  AND k.ends_on >= %(today)s
LEFT JOIN known_customer p ON p.id = c.customer_id
WHERE c.id = ANY(%(ids)b::uuid[]) AND a.journey_start IS NOT NULL AND c.state IN ('done', 'expired')
  AND (c.reason IS NULL OR c.reason NOT IN ('merged', 'erased'))
  AND NOT EXISTS (SELECT FROM withdrawal w WHERE w.contact_id = c.id)
ON CONFLICT DO NOTHING RETURNING 1
"""
# In the order of ids, as everywhere.
_OVER = """
UPDATE journey_run r SET wake_at = %(now)s FROM (
  SELECT r.contact_id FROM journey_run r JOIN contact c ON c.id = r.current_id
  WHERE r.current_id = ANY(%(ids)b::uuid[]) AND r.state = 'contacting' AND c.state IN ('done', 'expired')
    AND NOT EXISTS (SELECT FROM withdrawal w WHERE w.contact_id = c.id)
  ORDER BY r.contact_id FOR UPDATE OF r
) AS over WHERE r.contact_id = over.contact_id RETURNING 1
"""
# Whoever is not waiting is touched all the same: the worker, which may be about to let them wait, then sees
# the move or is seen.
_MOVED = """
UPDATE journey_run r SET wake_at = CASE r.state WHEN 'contacting' THEN r.wake_at ELSE %(now)s END FROM (
  SELECT r.contact_id FROM journey_run r
  WHERE r.state <> 'ended' AND r.customer_id = ANY(%(customer)b::uuid[]) AND EXISTS (
    SELECT FROM journey_segment s
    JOIN unnest(%(segment)b::uuid[], %(customer)b::uuid[]) AS m(segment_id, customer_id) USING (segment_id)
    WHERE s.campaign_id = r.campaign_id AND m.customer_id = r.customer_id)
  ORDER BY r.contact_id FOR UPDATE OF r
) AS moved WHERE r.contact_id = moved.contact_id RETURNING 1
"""


async def wake_after(session: AsyncSession, contacts: Sequence[UUID]) -> None:
    """These contacts are over: journeys that follow them begin or go on."""
    now = clock.now()
    begun = await fetch(session, _BEGIN, {"ids": list(contacts), "now": now, "today": clock.today()})
    woken = await fetch(session, _OVER, {"ids": list(contacts), "now": now})
    if begun or woken:
        await session.execute(select(func.pg_notify(WOKEN, "")))


async def wake_moved(session: AsyncSession, moves: Moves) -> None:
    """These customers moved into or out of segments."""
    columns = {name: moves.columns[name] for name in ("segment", "customer")}
    if await fetch(session, _MOVED, {**columns, "now": clock.now()}):
        await session.execute(select(func.pg_notify(WOKEN, "")))


async def lengthen_waits(session: AsyncSession, campaign_id: UUID, since: datetime) -> None:
    """By the time that the campaign was paused: nobody's wait runs out in a pause."""
    pause = clock.now() - since
    await _change(
        session,
        (JourneyRun.campaign_id == campaign_id) & (JourneyRun.state == "waiting"),
        wake_at=JourneyRun.wake_at + pause,
        deadline=JourneyRun.deadline + pause,
    )
    await session.execute(select(func.pg_notify(WOKEN, "")))


async def stop_journeys(
    session: AsyncSession, which: ColumnElement[bool], ending: JourneyEnding = "stopped"
) -> None:
    await _change(
        session,
        which & (JourneyRun.state != "ended"),
        state="ended",
        ending=ending,
        wake_at=None,
        deadline=None,
    )


async def _change(session: AsyncSession, which: ColumnElement[bool], **values: object) -> None:
    locked = (
        select(JourneyRun.contact_id)
        .where(which)
        .order_by(JourneyRun.contact_id)
        .with_for_update()
        .cte("locked")
    )
    await session.execute(
        update(JourneyRun)
        .where(JourneyRun.contact_id.in_(select(locked.c.contact_id)))
        .values(**values)
        .execution_options(synchronize_session=False)
    )
