"""Campaigns by the days they run, with what every wave brings as far as it is known."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.calendar import days, overlaps
from services.campaign.domain.journeys import contacts_of
from services.campaign.models import Campaign
from services.campaign.queries.campaigns import content_of, select_visible
from services.campaign.queries.orgs import around
from shared import clock
from shared.auth import Principal
from shared.contracts.base import OrgPath
from shared.contracts.campaign.calendar import Calendar, CalendarCampaign, CalendarWave
from shared.db import fetch

MAX_CAMPAIGNS = 200
_NOT_SHOWN = ("aborted", "expired")

# Once launched: what was assigned, or the frozen audience less the hold-out, of the rows the session sees.
# Before: the days the schedule says, and no more contacts than the segments have members.
_WAVES = """
WITH shown AS (
  SELECT k.id, k.starts_on, k.launched_at, k.content -> 'audience' AS audience,
    1 - coalesce((k.content #>> '{scheme,hold_out}')::float8, 0) AS contacted,
    (k.content #>> '{schedule,waves}')::int AS waves,
    (k.content #>> '{schedule,wave_gap_minutes}')::int AS gap
  FROM campaign k WHERE k.id = ANY(%(ids)b::uuid[])
), frozen AS (
  SELECT s.id, w.wave, (w.due_at AT TIME ZONE %(zone)s)::date AS day, w.released_at IS NOT NULL AS released,
    s.contacted
  FROM shown s JOIN campaign_wave w ON w.campaign_id = s.id WHERE s.launched_at IS NOT NULL
    AND (w.due_at AT TIME ZONE %(zone)s)::date BETWEEN %(first)s AND %(last)s
), assigned AS (
  SELECT c.campaign_id, c.wave, count(*) AS contacts FROM contact c
  WHERE c.campaign_id IN (SELECT f.id FROM frozen f WHERE f.released) AND c.arm IS NOT NULL
    AND c.step = 'first'
  GROUP BY c.campaign_id, c.wave
), waiting AS (
  SELECT m.campaign_id, m.wave, count(*) AS members FROM audience_member m
  WHERE m.campaign_id IN (SELECT f.id FROM frozen f WHERE NOT f.released)
  GROUP BY m.campaign_id, m.wave
), planned AS (
  SELECT s.id, n AS wave, (s.starts_on + make_interval(mins => s.gap * (n - 1)))::date AS day, s.waves,
    s.contacted, s.audience
  FROM shown s CROSS JOIN LATERAL generate_series(1, s.waves) n WHERE s.launched_at IS NULL
)
SELECT f.id, f.wave, f.day,
  CASE WHEN f.released THEN coalesce(a.contacts, 0)
    ELSE round(coalesce(m.members, 0) * f.contacted)::int8 END,
  CASE WHEN f.released THEN 'ledger' ELSE 'audience' END
FROM frozen f
LEFT JOIN assigned a ON a.campaign_id = f.id AND a.wave = f.wave
LEFT JOIN waiting m ON m.campaign_id = f.id AND m.wave = f.wave
UNION ALL
SELECT p.id, p.wave, p.day, m.contacts, CASE WHEN m.contacts IS NULL THEN NULL ELSE 'segments' END
FROM planned p LEFT JOIN LATERAL (
  SELECT ceil(least(sum(g.size), (p.audience ->> 'limit')::int8) * p.contacted / p.waves)::int8 AS contacts
  FROM jsonb_array_elements_text(p.audience -> 'include') AS named(key)
  LEFT JOIN known_segment g ON g.key = named.key AND NOT g.archived
  HAVING count(*) = count(g.size)
) m ON true
WHERE p.day BETWEEN %(first)s AND %(last)s
ORDER BY 1, 2
"""


async def read_calendar(
    session: AsyncSession, principal: Principal, first: date, last: date, org: OrgPath | None
) -> Calendar:
    """Drafts too, as soon as they have a schedule; not what was aborted or never began."""
    query = (
        select_visible(principal)
        .where(Campaign.starts_on <= last, Campaign.ends_on >= first, Campaign.status.not_in(_NOT_SHOWN))
        .order_by(Campaign.starts_on, Campaign.id)
        .limit(MAX_CAMPAIGNS + 1)
    )
    if org is not None:
        query = query.where(_concerns(org))
    found = (await session.scalars(query)).all()
    shown = found[:MAX_CAMPAIGNS]
    waves = await _waves(session, [campaign.id for campaign in shown], first, last)
    campaigns = [_campaign(campaign, waves.get(campaign.id, [])) for campaign in shown]
    return Calendar(
        start=first,
        end=last,
        campaigns=campaigns,
        days=days(campaigns),
        overlaps=list(overlaps(campaigns)),
        more=len(found) > MAX_CAMPAIGNS,
    )


def _concerns(org: OrgPath) -> ColumnElement[bool]:
    """Campaigns of `org`, of what is below it and of what it is part of."""
    theirs = func.unnest(Campaign.orgs).column_valued("theirs")
    return select(1).where(around(theirs, org)).correlate(Campaign).exists()


async def _waves(
    session: AsyncSession, ids: Sequence[UUID], first: date, last: date
) -> Mapping[UUID, list[CalendarWave]]:
    rows = await fetch(
        session, _WAVES, {"ids": list(ids), "zone": str(clock.ZONE), "first": first, "last": last}
    )
    waves: dict[UUID, list[CalendarWave]] = defaultdict(list)
    for campaign_id, wave, day, contacts, source in rows:
        waves[campaign_id].append(CalendarWave(wave=wave, on=day, contacts=contacts, known_from=source))
    return waves


def _campaign(campaign: Campaign, waves: list[CalendarWave]) -> CalendarCampaign:
    content = content_of(campaign)
    return CalendarCampaign.model_validate(
        {
            **{name: getattr(campaign, name) for name in ("id", "key", "status", "strategy", "orgs")},
            "name": content.name,
            "start": campaign.starts_on,
            "end": campaign.ends_on,
            "channels": list(dict.fromkeys(arm.channel for _, _, arm in contacts_of(content.scheme)))
            if content.scheme
            else [],
            "segments": content.audience.include if content.audience else [],
            "waves": waves,
        }
    )
