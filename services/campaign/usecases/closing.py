"""The end of a campaign: nothing stays open, and the books balance."""

from uuid import UUID

from sqlalchemy import func, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.ledger import Books, left_open, require_closed
from services.campaign.domain.lifecycle import next_status
from services.campaign.models import AudienceMember, Campaign, CampaignWave, Contact, JourneyRun
from services.campaign.queries.ledger import read_books
from services.campaign.usecases.campaigns import lock_campaign
from services.campaign.usecases.waking import stop_journeys
from services.campaign.usecases.withdrawal import expire_contacts
from shared import clock
from shared.audit import audit
from shared.auth import Principal
from shared.contracts.events import CampaignCompleted
from shared.outbox import emit


async def complete_campaign(
    session: AsyncSession, principal: Principal, campaign_id: UUID, *, expire_open: bool
) -> Campaign:
    """Refused with the imbalance while contacts are open or undecided, unless they are to expire."""
    campaign = await lock_campaign(session, principal, campaign_id)
    campaign.status = next_status(campaign.status, "complete")
    # Before contacts are closed: no journey follows them any more.
    await session.flush()
    if expire_open:
        await _close_all(session, principal, campaign_id)
    books = await read_books(session, campaign_id)
    require_closed(books)
    await _complete(session, principal, campaign, books)
    return campaign


async def complete_drained(session: AsyncSession, principal: Principal, campaign: Campaign) -> bool:
    """Whether the books of a campaign in which nothing is under way balance, and it is completed thereby."""
    books = await read_books(session, campaign.id)
    if left_open(books):
        return False
    campaign.status = next_status(campaign.status, "complete")
    await _complete(session, principal, campaign, books)
    return True


async def _complete(session: AsyncSession, principal: Principal, campaign: Campaign, books: Books) -> None:
    campaign.completed_at = clock.now()
    campaign.version += 1
    await session.flush()
    totals = books.totals()
    await emit(
        session,
        CampaignCompleted(campaign_id=campaign.id, completed_at=campaign.completed_at, ledger=totals),
    )
    audit(session, principal, "complete_campaign", f"campaign/{campaign.id}", totals.model_dump(mode="json"))


async def abort_campaign(
    session: AsyncSession, principal: Principal, campaign_id: UUID, reason: str
) -> Campaign:
    """Stops at once: open contacts expire, members not released yet are written off."""
    campaign = await lock_campaign(session, principal, campaign_id)
    campaign.status = next_status(campaign.status, "abort")
    campaign.status_reason = reason
    campaign.version += 1
    await session.flush()
    if campaign.launched_at is not None:
        await _close_all(session, principal, campaign_id)
    audit(session, principal, "abort_campaign", f"campaign/{campaign_id}", {"reason": reason})
    return campaign


async def _close_all(session: AsyncSession, principal: Principal, campaign_id: UUID) -> None:
    await write_off_unreleased(session, campaign_id)
    await stop_journeys(session, JourneyRun.campaign_id == campaign_id)
    await expire_contacts(session, Contact.campaign_id == campaign_id, at=clock.now(), by=principal.id)


async def write_off_unreleased(session: AsyncSession, campaign_id: UUID) -> None:
    """Members whose wave is still to come will not be contacted."""
    await session.execute(
        update(CampaignWave)
        .where(CampaignWave.campaign_id == campaign_id, CampaignWave.released_at.is_(None))
        .values(released_at=clock.now())
    )
    decided = select(Contact.id).where(
        Contact.campaign_id == campaign_id, Contact.customer_id == AudienceMember.customer_id
    )
    await session.execute(
        insert(Contact).from_select(
            [
                "id",
                "campaign_id",
                "customer_id",
                "wave",
                "segment",
                "org_path",
                "state",
                "reason",
                "decided_at",
            ],
            select(
                func.contact_key(campaign_id, AudienceMember.wave, AudienceMember.customer_id),
                literal(campaign_id),
                AudienceMember.customer_id,
                AudienceMember.wave,
                AudienceMember.segment,
                AudienceMember.org_path,
                literal("suppressed"),
                literal("not_released"),
                literal(clock.now()),
            ).where(AudienceMember.campaign_id == campaign_id, ~decided.exists()),
        )
    )
