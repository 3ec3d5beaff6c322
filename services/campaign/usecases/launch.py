"""Launch: freeze the audience, then release it wave by wave.

Each step is one transaction and leaves a state from which the next run goes on.
"""

from collections.abc import Awaitable, Callable
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import Integer, func, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.approval import require_same_content
from services.campaign.domain.journeys import contacts_of, segments_of
from services.campaign.domain.lifecycle import next_status
from services.campaign.domain.plan import Plan, plan_of
from services.campaign.models import (
    AudienceMember,
    Campaign,
    CampaignArm,
    CampaignBudget,
    CampaignWave,
    JourneySegment,
    Task,
)
from services.campaign.queries.audience import live_audience
from services.campaign.queries.campaigns import content_of
from services.campaign.queries.references import References, load_references, require_usable, unusable
from services.campaign.queries.strategies import kept_version
from services.campaign.settings import CampaignSettings
from services.campaign.usecases.campaigns import lock_campaign, void_approval
from services.campaign.usecases.release import release_wave
from services.campaign.usecases.triggers import open_trigger
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.base import JobView
from shared.contracts.campaign.journeys import FIRST_STEP
from shared.contracts.events import CampaignLaunched
from shared.db import Database
from shared.errors import Conflict
from shared.jobs import defer
from shared.outbox import emit

LAUNCH_TASK = "launch-campaign"
_FREEZE_TIMEOUT_MS = 600_000

Report = Callable[[float, str], Awaitable[None]]


async def request_launch(session: AsyncSession, principal: Principal, campaign_id: UUID) -> JobView:
    """Starts the launch, or schedules it when the first day is still to come."""
    campaign = await lock_campaign(session, principal, campaign_id)
    plan = plan_of(content_of(campaign))
    early = plan.schedule.start > clock.today() and campaign.status == "approved"
    status = next_status(campaign.status, "schedule" if early else "launch")
    if plan.schedule.end < clock.today():
        raise Conflict(f"its window ended on {plan.schedule.end}", slug="window-passed")
    found = await load_references(session, content_of(campaign))
    if campaign.launched_at is None:
        approved = found.hash(campaign.key, content_of(campaign), kept_version(campaign))
        require_same_content(campaign.approved_hash, approved)
        require_usable(content_of(campaign), found)
    campaign.status = status
    campaign.version += 1
    job = await defer(session, principal, LAUNCH_TASK, {"campaign_id": str(campaign.id)})
    audit(session, principal, "launch_campaign", f"campaign/{campaign.id}", {"status": status})
    return job


async def launch(
    database: Database, settings: CampaignSettings, campaign_id: UUID, report: Report
) -> dict[str, JsonValue]:
    """Carries a requested launch through, from wherever an earlier run ended."""
    async with database.transaction(statement_timeout_ms=_FREEZE_TIMEOUT_MS) as session:
        campaign = await _locked(session, campaign_id)
        if campaign.status == "launching" and campaign.launched_at is None:
            await freeze(session, settings, campaign)
        status, fed = campaign.status, _is_fed(campaign)
    if status != "launching":
        return {"status": status, "audience": 0}
    audience = 0 if fed else await release_wave(database, settings, campaign_id, 1, report)
    async with database.transaction() as session:
        campaign = await _locked(session, campaign_id)
        if campaign.status == "launching":
            campaign.status = next_status(campaign.status, "started")
            campaign.version += 1
        return {
            "status": campaign.status,
            "audience": audience,
            "beyond_capacity": await _beyond_capacity(session, campaign_id),
        }


def _is_fed(campaign: Campaign) -> bool:
    """By a trigger: there is nobody yet to be released."""
    audience = content_of(campaign).audience
    return audience is not None and audience.trigger is not None


async def _beyond_capacity(session: AsyncSession, campaign_id: UUID) -> int:
    found = await session.scalar(
        select(func.count()).where(Task.campaign_id == campaign_id, Task.beyond_capacity)
    )
    return found or 0


async def _locked(session: AsyncSession, campaign_id: UUID) -> Campaign:
    return (
        await session.execute(select(Campaign).where(Campaign.id == campaign_id).with_for_update())
    ).scalar_one()


async def freeze(session: AsyncSession, settings: CampaignSettings, campaign: Campaign) -> None:
    """Writes down who is in the audience and in which wave, or opens the campaign to those a trigger brings;
    the arms, the budget, and the registration.

    Content that changed since its approval (a segment's new version, a script that was retired) sends the
    campaign back to draft.
    """
    content = content_of(campaign)
    found = await load_references(session, content)
    current = found.hash(campaign.key, content, kept_version(campaign))
    if current != campaign.approved_hash or unusable(content, found):
        campaign.status = next_status(campaign.status, "void")
        void_approval(campaign)
        campaign.status_reason = "offers, texts or segments changed after approval"
        campaign.version += 1
        return
    plan = plan_of(content)
    campaign.launched_at = clock.now()
    campaign.version += 1
    await session.flush()
    await _insert_arms(session, campaign.id, plan)
    await _insert_journey_segments(session, campaign.id, plan, found)
    if plan.audience.trigger is None:
        await _insert_audience(session, campaign.id, plan, found.segment_ids())
        await _insert_waves(session, campaign, plan)
    else:
        await open_trigger(session, campaign, plan.audience.trigger, found)
    if content.budget is not None:
        contacts = [arm for _, _, arm in contacts_of(plan.scheme)]
        least = min(found.cost(arm, settings.manager_cost_per_minute) for arm in contacts)
        session.add(
            CampaignBudget(
                campaign_id=campaign.id,
                amount=content.budget.amount,
                currency=content.budget.currency,
                least_cost=least,
            )
        )
    await emit(session, _launched(campaign, plan, settings.global_hold_out))


async def _insert_audience(
    session: AsyncSession, campaign_id: UUID, plan: Plan, segments: dict[str, UUID]
) -> None:
    members = live_audience(
        campaign_id, plan.audience, segments, plan.people.orgs, plan.schedule.waves
    ).subquery("members")
    await session.execute(
        insert(AudienceMember).from_select(
            ["campaign_id", "customer_id", "wave", "segment", "org_path"],
            select(
                literal(campaign_id),
                members.c.customer_id,
                members.c.wave,
                members.c.segment,
                members.c.org_path,
            ),
        )
    )


async def _insert_arms(session: AsyncSession, campaign_id: UUID, plan: Plan) -> None:
    arms = [
        arm.model_dump(include={"key", "share", "offer", "channel", "script"})
        | {"campaign_id": campaign_id, "step": step, "materials": arm.materials}
        | {"journey_start": arm.journey.steps[0].key if arm.journey and step == FIRST_STEP else None}
        for _, step, arm in contacts_of(plan.scheme)
    ]
    await session.execute(insert(CampaignArm), arms)


async def _insert_journey_segments(
    session: AsyncSession, campaign_id: UUID, plan: Plan, found: References
) -> None:
    keys = {key for _, key in segments_of(plan.scheme)}
    if keys:
        ids = found.segment_ids()
        rows = [{"campaign_id": campaign_id, "key": key, "segment_id": ids[key]} for key in sorted(keys)]
        await session.execute(insert(JourneySegment), rows)


async def _insert_waves(session: AsyncSession, campaign: Campaign, plan: Plan) -> None:
    if campaign.launched_at is None:
        raise RuntimeError("waves follow the launch")
    counts = await session.execute(
        select(AudienceMember.wave, func.count().cast(Integer))
        .where(AudienceMember.campaign_id == campaign.id)
        .group_by(AudienceMember.wave)
    )
    members = {wave: count for wave, count in counts}  # noqa: C416 - rows are not pairs to mypy
    waves = [
        {
            "campaign_id": campaign.id,
            "wave": wave,
            "members": members.get(wave, 0),
            "due_at": plan.wave_due(wave, campaign.launched_at),
        }
        for wave in range(1, plan.schedule.waves + 1)
    ]
    await session.execute(insert(CampaignWave), waves)


def _launched(campaign: Campaign, plan: Plan, held_out_globally: float) -> CampaignLaunched:
    return CampaignLaunched(
        campaign_id=campaign.id,
        campaign_key=campaign.key,
        name=content_of(campaign).name,
        launched_at=campaign.launched_at or clock.now(),
        starts_on=plan.schedule.start,
        ends_on=plan.schedule.end,
        owner=plan.people.owner,
        orgs=plan.people.orgs,
        segments=plan.audience.include,
        registration=plan.registration(campaign.id, held_out_globally),
    )


_SYSTEM = Principal(id="system:campaign", roles=frozenset(), org="hq", name="campaign")


async def start_and_expire(session: AsyncSession) -> None:
    """Scheduled campaigns whose day has come are launched; those whose window passed unlaunched expire."""
    today = clock.today()
    await session.execute(
        update(Campaign)
        .where(Campaign.status.in_(("approved", "scheduled")), Campaign.ends_on < today)
        .values(
            status="expired", status_reason="its window passed before launch", version=Campaign.version + 1
        )
    )
    due = await session.scalars(
        update(Campaign)
        .where(Campaign.status == "scheduled", Campaign.starts_on <= today)
        .values(status="launching", version=Campaign.version + 1)
        .returning(Campaign.id)
    )
    for campaign_id in due.all():
        await defer(session, _SYSTEM, LAUNCH_TASK, {"campaign_id": str(campaign_id)})


async def release_due_waves(database: Database, settings: CampaignSettings) -> None:
    """Later waves of running campaigns, once their time has come."""
    async with database.transaction() as session:
        due = (
            await session.execute(
                select(CampaignWave.campaign_id, CampaignWave.wave)
                .join(Campaign, Campaign.id == CampaignWave.campaign_id)
                .where(
                    Campaign.status == "running",
                    CampaignWave.released_at.is_(None),
                    CampaignWave.due_at <= clock.now(),
                )
                .order_by(CampaignWave.due_at, CampaignWave.campaign_id, CampaignWave.wave)
            )
        ).all()
    for campaign_id, wave in due:
        await release_wave(database, settings, campaign_id, wave, _silent)


async def _silent(_fraction: float, _step: str) -> None:
    """Nobody watches a wave that is released by the clock."""
