"""Release of a wave: decide on every member, write the ledger, give managers their tasks.

What is decided follows from the frozen audience, the hash of each customer and the moment of release (set
once), so a run that was killed and repeated writes the same ledger.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

import orjson
from sqlalchemy import Row, Select, Subquery, case, literal, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.absences import working_days
from services.campaign.domain.lifecycle import LIVE
from services.campaign.domain.plan import Plan, plan_of
from services.campaign.domain.suitability import required_rating
from services.campaign.models import Campaign, CampaignWave, Contact, Message
from services.campaign.queries.absences import away_from
from services.campaign.queries.arms import consents_of, exits_of
from services.campaign.queries.assigned import assigned_contacts
from services.campaign.queries.audience import frozen_audience, last_of_next, undecided
from services.campaign.queries.campaigns import content_of
from services.campaign.queries.catalogue import offers_by_key
from services.campaign.queries.contact_policies import rules_of
from services.campaign.queries.lines import decisions
from services.campaign.queries.policy import Policy, facts, policy_of
from services.campaign.queries.timetable import timetable_of
from services.campaign.settings import CampaignSettings
from services.campaign.usecases.absences import hold_absences
from services.campaign.usecases.assignment import count_days_anew, open_tasks
from services.campaign.usecases.forgetting import hold_off_erasures
from shared import clock
from shared.contracts.campaign.journeys import FIRST_STEP
from shared.contracts.events import ContactsAssigned
from shared.db import Database
from shared.outbox import emit_json

_CHUNK_TIMEOUT_MS = 120_000
# Tables grow faster than their statistics: a chunk that read one of them whole would do so for every chunk.
_BY_INDEX = text("SET LOCAL enable_seqscan = off")
_LEDGER_COLUMNS = (
    "id",
    "customer_id",
    "wave",
    "segment",
    "org_path",
    "state",
    "reason",
    "evidence",
    "arm",
    "propensity",
    "manager",
    "campaign_id",
    "decided_at",
    "step",
)

AnyRow: TypeAlias = Row[*tuple[Any, ...]]
Report = Callable[[float, str], Awaitable[None]]


async def release_wave(
    database: Database, settings: CampaignSettings, campaign_id: UUID, wave: int, report: Report
) -> int:
    """Chunk after chunk until the wave is out or the campaign no longer runs; returns members decided now."""
    decided = 0
    while True:
        async with database.transaction(statement_timeout_ms=_CHUNK_TIMEOUT_MS) as session:
            chunk = await release_chunk(session, settings, campaign_id, wave)
        decided += chunk.decided
        if chunk.last:
            return decided
        await report(min(decided / max(chunk.members, 1), 0.99), f"wave {wave}")


@dataclass(frozen=True)
class Chunk:
    decided: int
    members: int
    """Of the whole wave."""
    last: bool


async def release_chunk(
    session: AsyncSession, settings: CampaignSettings, campaign_id: UUID, wave: int
) -> Chunk:
    """Decides on the next members of the wave in the order of their ids. The campaign's row is held, so
    pausing or aborting waits for the chunk and the next chunk sees it.
    """
    await hold_off_erasures(session)
    campaign = (
        await session.execute(select(Campaign).where(Campaign.id == campaign_id).with_for_update())
    ).scalar_one()
    schedule = await session.get_one(CampaignWave, (campaign_id, wave))
    if campaign.status not in LIVE or schedule.released_at is not None:
        return Chunk(0, schedule.members, last=True)
    await await_other_decisions(session)
    if schedule.decided_as_of is None:
        schedule.decided_as_of = clock.now()
        await count_days_anew(session)
    plan = plan_of(content_of(campaign))
    await session.execute(_BY_INDEX)
    after = schedule.decided_upto
    upto = await session.scalar(last_of_next(campaign_id, wave, after, settings.launch_chunk))
    members = undecided(frozen_audience(campaign_id, wave, after, upto), campaign_id).subquery("members")
    decided = await decide_on(session, settings, campaign_id, plan, members, wave, schedule.decided_as_of)
    schedule.decided_upto = upto
    if upto is None:
        schedule.released_at = clock.now()
    await session.flush()
    return Chunk(decided, schedule.members, last=upto is None)


async def await_other_decisions(session: AsyncSession) -> None:
    """Two campaigns that release at once must see each other's contacts, or both would pass the cap."""
    await session.execute(text("SELECT pg_advisory_xact_lock(hashtext('huanying.contact-cap'))"))


async def decide_on(
    session: AsyncSession,
    settings: CampaignSettings,
    campaign_id: UUID,
    plan: Plan,
    members: Subquery,
    wave: int,
    as_of: datetime,
) -> int:
    """Lines of the ledger and tasks for `members` (customer_id, wave, segment) who have no line yet, told to
    everybody; returns how many. The caller holds the campaign, and `await_other_decisions`.
    """
    await hold_absences(session)
    policy = await release_policy(session, settings, plan, as_of)
    decision = decisions(facts(members, campaign_id, policy), campaign_id, policy, plan.cut)
    return await write_lines(session, settings, decision, campaign_id, plan, policy, wave)


async def release_policy(
    session: AsyncSession, settings: CampaignSettings, plan: Plan, as_of: datetime
) -> Policy:
    offers = await offers_by_key(session, {arm.offer for arm in plan.scheme.arms})
    rules = await rules_of(session, settings, plan.scheme.contact_policy, as_of)
    today, end = as_of.astimezone(clock.ZONE).date(), plan.schedule.end
    start = min(max(today, plan.schedule.start), end)
    days = working_days(start, end, lambda day: settings.office_hours.works(day) and not rules.rests(day))
    return policy_of(
        settings,
        rules,
        as_of=as_of,
        today=today,
        required_rating=required_rating(offer.risk for offer in offers.values()),
        use_backup=plan.people.use_backup,
        consents=await consents_of(session, plan.scheme),
        task_arms=plan.task_arms,
        orgs=plan.people.orgs,
        optimisation=plan.optimisation,
        days=days,
        stand_ins=await away_from(session, days, settings.absent_share),
        exits=await exits_of(session, plan.scheme),
        unit=plan.scheme.unit,
    )


async def write_lines(
    session: AsyncSession,
    settings: CampaignSettings,
    decision: Select[Any],
    campaign_id: UUID,
    plan: Plan,
    policy: Policy,
    wave: int,
    step: str = FIRST_STEP,
) -> int:
    """Ledger lines, tasks and messages of what was decided, told to everybody; how many lines. A further
    contact that is there already is left alone. The caller holds the campaign, and `await_other_decisions`.
    """
    rows = await _write(session, settings, decision, campaign_id, plan, policy, step)
    about = {"campaign_id": campaign_id, "wave": wave, "assigned_at": policy.as_of}
    told = (orjson.Fragment(f"[{row.contacts}]") for row in rows if row.contacts is not None)
    messages = ((str(campaign_id), orjson.dumps({**about, "contacts": contacts})) for contacts in told)
    await emit_json(session, ContactsAssigned, messages)
    return sum(row.lines for row in rows)


async def _write(
    session: AsyncSession,
    settings: CampaignSettings,
    decision: Select[Any],
    campaign_id: UUID,
    plan: Plan,
    policy: Policy,
    step: str,
) -> list[AnyRow]:
    """In one statement."""
    lines = insert(Contact).from_select(
        _LEDGER_COLUMNS, decision.add_columns(literal(campaign_id), literal(policy.as_of), literal(step))
    )
    if step != FIRST_STEP:
        # Two files of a person may be at the same step.
        lines = lines.on_conflict_do_nothing()
    decided = lines.returning(
        Contact.id,
        Contact.customer_id,
        Contact.segment,
        Contact.org_path,
        Contact.state,
        Contact.arm,
        Contact.propensity,
        Contact.manager,
    ).cte("decided")
    by = await timetable_of(session, settings, plan, policy.days) if plan.task_arms else None
    opened = open_tasks(decided, campaign_id, plan, policy, by) if by else []
    channels = {arm.key: arm.channel for arm in plan.scheme.arms if arm.key not in plan.task_arms}
    query = assigned_contacts(decided, plan, step).add_cte(*opened)
    if not channels:
        return list(await session.execute(query))
    planned = (
        insert(Message)
        .from_select(
            ["id", "campaign_id", "customer_id", "arm", "channel", "state", "planned_at", "due_at"],
            select(
                decided.c.id,
                literal(campaign_id),
                decided.c.customer_id,
                decided.c.arm,
                case(channels, value=decided.c.arm),
                literal("planned"),
                literal(policy.as_of),
                literal(policy.as_of),
            ).where(decided.c.state == "assigned", decided.c.arm.in_(list(channels))),
        )
        .cte("planned")
    )
    return list(await session.execute(query.add_cte(planned)))
