"""Deciding on those who moved, by the same decision as a wave.

A chunk is one transaction: entries out, members of the audience in, their lines, tasks and events. So a
worker that is killed leaves the entry or the decision, never both and never neither.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import DateTime, Uuid, any_, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.lifecycle import LIVE
from services.campaign.domain.plan import Plan, plan_of
from services.campaign.models import AudienceMember, Campaign, CampaignTrigger
from services.campaign.queries.campaigns import content_of
from services.campaign.queries.families import PERSON
from services.campaign.queries.triggers import moved_audience
from services.campaign.settings import CampaignSettings
from services.campaign.usecases.forgetting import hold_off_erasures
from services.campaign.usecases.release import await_other_decisions, decide_on
from shared import clock
from shared.db import Database, fetch

_WAVE = 1

_ENDED = """
DELETE FROM trigger_entry e USING campaign c
WHERE c.id = e.campaign_id AND (c.status NOT IN ('launching', 'running', 'paused') OR c.ends_on < %(today)s)
"""
_WAITING = """
SELECT DISTINCT e.campaign_id FROM trigger_entry e JOIN campaign c ON c.id = e.campaign_id
WHERE c.status IN ('launching', 'running') AND e.due_at <= %(now)s
  AND EXISTS (SELECT 1 FROM known_customer k WHERE k.id = e.customer_id)
ORDER BY e.campaign_id
"""
_GONE_BY = """
DELETE FROM trigger_entry e USING campaign_trigger t
WHERE t.campaign_id = %(campaign)s AND e.campaign_id = t.campaign_id AND e.moved_at <@ t.closed
"""
# Who is not known yet waits. Of a person with several files it is the survivor who is decided on (`PERSON`).
_DUE = f"""
SELECT e.customer_id, e.moved_at, person.id
FROM trigger_entry e JOIN known_customer c ON c.id = e.customer_id
JOIN known_customer person ON person.id = {PERSON.format("c")}
WHERE e.campaign_id = %(campaign)s AND e.due_at <= %(now)s
ORDER BY e.moved_at, e.customer_id LIMIT %(limit)s
"""  # noqa: S608 - constants
_THESE = """
unnest(%(customer)b::uuid[], %(moved_at)b::timestamptz[], %(person)b::uuid[])
  AS d(customer_id, moved_at, person)
WHERE e.campaign_id = %(campaign)s AND e.customer_id = d.customer_id AND e.moved_at = d.moved_at
"""
_DONE = f"""
DELETE FROM trigger_entry e USING {_THESE} AND (e.last_look OR EXISTS (
  SELECT 1 FROM audience_member a WHERE a.campaign_id = e.campaign_id AND a.customer_id = d.person))
RETURNING 1
"""  # noqa: S608 - constants
_ONCE_MORE = f"""
UPDATE trigger_entry e SET last_look = true, due_at = %(again)s FROM {_THESE}
"""  # noqa: S608 - constants


async def decide_triggered(database: Database, settings: CampaignSettings) -> int:
    """All entries that are due, of all running campaigns; returns the customers decided on.

    Campaigns take turns: one for which a crowd came does not keep the others waiting. Nor does one that
    fails, which is told when the others are done.
    """
    decided, more = 0, True
    failures: dict[UUID, Exception] = {}
    while more:
        more = False
        for campaign_id in await _waiting(database):
            if campaign_id in failures:
                continue
            try:
                async with database.transaction() as session:
                    count, left = await decide_entries(session, settings, campaign_id)
            except Exception as error:  # noqa: BLE001 - raised below
                failures[campaign_id] = error
            else:
                decided, more = decided + count, more or left
    if failures:
        raise ExceptionGroup("not decided on who moved", list(failures.values()))
    return decided


async def _waiting(database: Database) -> list[UUID]:
    """Campaigns with entries that are due; those of campaigns that have ended are gone."""
    async with database.transaction() as session:
        await fetch(session, _ENDED, {"today": clock.today()})
        return [row[0] for row in await fetch(session, _WAITING, {"now": clock.now()})]


async def decide_entries(
    session: AsyncSession, settings: CampaignSettings, campaign_id: UUID
) -> tuple[int, bool]:
    """The next entries of the campaign: customers decided on, and whether more may be due.

    Who is not in the audience may be so in a moment, because segments tell of one move one after another:
    they are looked for once more after `trigger_settle_seconds`.
    """
    await hold_off_erasures(session)
    campaign = (
        await session.execute(select(Campaign).where(Campaign.id == campaign_id).with_for_update())
    ).scalar_one()
    plan = plan_of(content_of(campaign))
    if campaign.status not in LIVE or plan.schedule.end < clock.today():
        return 0, False
    trigger = await session.get_one(CampaignTrigger, campaign_id)
    if trigger.closed:
        await fetch(session, _GONE_BY, {"campaign": campaign_id})
    now, limit = clock.now(), settings.launch_chunk
    due = await fetch(session, _DUE, {"campaign": campaign_id, "now": now, "limit": limit})
    if not due:
        return 0, False
    await await_other_decisions(session)
    entered = await _enter(session, trigger, plan, Moved.of(due))
    if entered:
        members = select(AudienceMember.customer_id, AudienceMember.wave, AudienceMember.segment).where(
            AudienceMember.campaign_id == campaign_id,
            AudienceMember.customer_id == any_(literal(entered, ARRAY(Uuid))),
        )
        await decide_on(session, settings, campaign_id, plan, members.subquery("members"), _WAVE, now)
    customers, moments, people = (list(column) for column in zip(*due, strict=True))
    these = {"campaign": campaign_id, "customer": customers, "moved_at": moments, "person": people}
    if len(await fetch(session, _DONE, these)) < len(due):
        again = now + timedelta(seconds=settings.trigger_settle_seconds)
        await fetch(session, _ONCE_MORE, {**these, "again": again})
    return len(entered), len(due) == limit


@dataclass(frozen=True)
class Moved:
    """People, and when each moved first of what is due."""

    people: list[UUID]
    moments: list[datetime]

    @classmethod
    def of(cls, due: Sequence[tuple[UUID, datetime, UUID]]) -> "Moved":
        first: dict[UUID, datetime] = {}
        for _, at, person in due:
            first.setdefault(person, at)
        return cls(list(first), list(first.values()))


async def _enter(session: AsyncSession, trigger: CampaignTrigger, plan: Plan, moved: Moved) -> list[UUID]:
    """Those of them who belong to the audience and are not in it yet become members, the first first."""
    campaign_id, wanted = trigger.campaign_id, plan.audience.trigger
    if wanted is None:
        raise RuntimeError(f"campaign {campaign_id} has no trigger")
    room = len(moved.people) if plan.audience.limit is None else plan.audience.limit - trigger.entered
    if room <= 0:
        return []
    given = func.unnest(
        literal(moved.people, ARRAY(Uuid)), literal(moved.moments, ARRAY(DateTime(timezone=True)))
    )
    moves = given.table_valued("person", "moved_at").render_derived(name="moves")
    segments = {key: UUID(segment) for key, segment in trigger.segments.items()}
    among = select(func.unnest(literal(moved.people, ARRAY(Uuid)), type_=Uuid))
    members = moved_audience(campaign_id, plan, wanted, segments, among).subquery("members")
    there = select(AudienceMember.customer_id).where(
        AudienceMember.campaign_id == campaign_id, AudienceMember.customer_id == members.c.customer_id
    )
    stored = insert(AudienceMember).from_select(
        ["campaign_id", "customer_id", "wave", "segment", "org_path", "moved_at"],
        select(
            literal(campaign_id),
            members.c.customer_id,
            members.c.wave,
            members.c.segment,
            members.c.org_path,
            moves.c.moved_at,
        )
        .join(moves, moves.c.person == members.c.customer_id)
        .where(~there.exists())
        .order_by(moves.c.moved_at, members.c.customer_id)
        .limit(room),
    )
    found = await session.scalars(stored.on_conflict_do_nothing().returning(AudienceMember.customer_id))
    entered = list(found.all())
    trigger.entered += len(entered)
    await session.flush()
    return entered
