"""The way out: nobody new is contacted, what is under way goes on to its end, and the campaign completes by
itself.
"""

from uuid import UUID

import structlog
from sqlalchemy import exists, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from services.campaign.domain.lifecycle import next_status
from services.campaign.models import Campaign, Contact, JourneyRun, Message, Task
from services.campaign.usecases.campaigns import lock_campaign
from services.campaign.usecases.closing import complete_drained, write_off_unreleased
from services.campaign.usecases.waking import stop_journeys
from services.campaign.usecases.withdrawal import expire_contacts
from shared import clock
from shared.audit import audit
from shared.auth import Principal

logger = structlog.get_logger(__name__)
_SYSTEM = Principal(id="system:campaign", roles=frozenset(), org="hq", name="campaign")


async def drain_campaign(session: AsyncSession, principal: Principal, campaign_id: UUID) -> Campaign:
    """Nobody new is contacted; what has begun goes on."""
    campaign = await lock_campaign(session, principal, campaign_id)
    await _drain(session, principal, campaign, reason=None)
    return campaign


async def _drain(session: AsyncSession, principal: Principal, campaign: Campaign, reason: str | None) -> None:
    campaign.status = next_status(campaign.status, "drain")
    campaign.status_reason, campaign.paused_at = reason, None
    campaign.version += 1
    await session.flush()
    await write_off_unreleased(session, campaign.id)
    audit(session, principal, "drain_campaign", f"campaign/{campaign.id}", {"reason": reason})


async def follow_draining(session: AsyncSession) -> None:
    """What the clock does: campaigns drain after their last day, and complete once nothing is under way."""
    over = await session.scalars(
        select(Campaign)
        .where(Campaign.status.in_(("running", "paused")), Campaign.ends_on < clock.today())
        .order_by(Campaign.id)
        .with_for_update(skip_locked=True)
    )
    for campaign in over.all():
        await _drain(session, _SYSTEM, campaign, reason="its last day has passed")
    draining = await session.scalars(
        select(Campaign)
        .where(Campaign.status == "draining")
        .order_by(Campaign.id)
        .with_for_update(skip_locked=True)
    )
    for campaign in draining.all():
        if campaign.ends_on is not None and campaign.ends_on < clock.today():
            await _stop_what_would_begin(session, campaign.id)
        if await _is_under_way(session, campaign.id):
            continue
        if not await complete_drained(session, _SYSTEM, campaign):
            logger.error("drained_campaign_does_not_balance", campaign=campaign.key)


async def _stop_what_would_begin(session: AsyncSession, campaign_id: UUID) -> None:
    """After the last day nothing is sent or begun and no journey goes on; what managers have begun they may
    still record.
    """
    task = aliased(Task)
    begun = exists().where(task.id == Contact.id, task.state == "started")
    await stop_journeys(session, JourneyRun.campaign_id == campaign_id)
    await expire_contacts(
        session, (Contact.campaign_id == campaign_id) & ~begun, at=clock.now(), by=_SYSTEM.id
    )


async def _is_under_way(session: AsyncSession, campaign_id: UUID) -> bool:
    tasks = exists().where(Task.campaign_id == campaign_id, Task.state.not_in(("done", "expired")))
    messages = exists().where(
        Message.campaign_id == campaign_id, Message.state.in_(("planned", "claimed", "submitting"))
    )
    journeys = exists().where(JourneyRun.campaign_id == campaign_id, JourneyRun.state != "ended")
    return bool(await session.scalar(select(or_(tasks, messages, journeys))))
