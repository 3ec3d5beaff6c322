"""Campaigns with a trigger are opened, paused and closed, and moves that count are taken note of.

Taking note is part of storing the segment's change, and waits for nobody; deciding is the worker's, see
usecases/triggered.py.
"""

from uuid import UUID

from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.moves import Moves
from services.campaign.domain.triggers import MOVES
from services.campaign.models import Campaign, CampaignTrigger
from services.campaign.queries.campaigns import content_of
from services.campaign.queries.references import References
from shared import clock
from shared.contracts.campaign.triggers import Trigger
from shared.db import fetch

MOVED = "moved"
"""The notification by which the worker hears of new entries."""

# Either the change of a segment is stored first and is older than the opening, or it finds it opened.
_STORES = text("SELECT pg_advisory_xact_lock_shared(hashtext('huanying.triggers'))")
_OPENS = text("SELECT pg_advisory_xact_lock(hashtext('huanying.triggers'))")

_NOTE = """
INSERT INTO trigger_entry (campaign_id, customer_id, moved_at, due_at)
SELECT t.campaign_id, m.customer, m.at, %(now)s
FROM unnest(%(segment)b::uuid[], %(version)b::int[], %(customer)b::uuid[], %(joined)b::bool[],
  %(at)b::timestamptz[], %(cause)b::text[]) AS m(segment, version, customer, joined, at, cause)
JOIN campaign_trigger t ON t.segment_id = m.segment AND t.version = m.version
  AND (t.moves = 'enter') = m.joined AND t.opened_at <= m.at AND NOT m.at <@ t.closed
JOIN campaign c ON c.id = t.campaign_id
WHERE m.cause = ANY(%(causes)s) AND c.status IN ('launching', 'running', 'paused')
  AND c.ends_on >= (m.at AT TIME ZONE %(zone)s)::date
  AND NOT EXISTS (
    SELECT 1 FROM audience_member a WHERE a.campaign_id = t.campaign_id AND a.customer_id = m.customer)
  AND NOT EXISTS (SELECT 1 FROM erased_customer x WHERE x.id = m.customer)
ORDER BY t.campaign_id, m.customer, m.at
ON CONFLICT DO NOTHING RETURNING 1
"""


async def open_trigger(
    session: AsyncSession, campaign: Campaign, trigger: Trigger, found: References
) -> None:
    """From now on moves count; who moved before is left alone."""
    await session.execute(_OPENS)
    segment = found.segments[trigger.segment]
    session.add(
        CampaignTrigger(
            campaign_id=campaign.id,
            segment_id=segment.id,
            version=segment.version,
            moves=trigger.on,
            segments={key: str(each.id) for key, each in found.segments.items()},
            opened_at=clock.now(),
        )
    )
    await session.flush()


async def await_openings(session: AsyncSession) -> None:
    """Before a change of a segment is stored."""
    await session.execute(_STORES)


async def note_moves(session: AsyncSession, moves: Moves) -> None:
    """Entries for all campaigns that wait for such a move. A repetition changes nothing."""
    if MOVES.isdisjoint(moves.cause):
        return
    when = {"causes": sorted(MOVES), "zone": str(clock.ZONE), "now": clock.now()}
    if await fetch(session, _NOTE, {**moves.columns, **when}):
        await session.execute(select(func.pg_notify(MOVED, "")))


async def pause_trigger(session: AsyncSession, campaign: Campaign) -> None:
    """Moves go by from now on, if that is what the campaign does in a pause; otherwise they are held."""
    audience = content_of(campaign).audience
    if audience is not None and audience.trigger is not None and audience.trigger.on_pause == "drop":
        await _close(session, campaign.id, "+")


async def resume_trigger(session: AsyncSession, campaign: Campaign) -> None:
    await _close(session, campaign.id, "-")
    await session.execute(select(func.pg_notify(MOVED, "")))


async def _close(session: AsyncSession, campaign_id: UUID, sign: str) -> None:
    """With "+" for the time from now on, with "-" no longer."""
    from_now = func.tstzmultirange(func.tstzrange(clock.now(), None))
    await session.execute(
        update(CampaignTrigger)
        .where(CampaignTrigger.campaign_id == campaign_id)
        .values(closed=CampaignTrigger.closed.op(sign)(from_now))
    )
