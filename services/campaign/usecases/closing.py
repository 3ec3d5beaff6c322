"""The end of a campaign: nothing stays open, and the books balance."""

from uuid import UUID

from sqlalchemy import func, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.ledger import require_closed
from services.campaign.domain.lifecycle import next_status
from services.campaign.models import AudienceMember, Campaign, CampaignWave, Contact
from services.campaign.queries.ledger import read_books
from services.campaign.usecases.campaigns import lock_campaign
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
    if expire_open:
        await _close_all(session, principal, campaign_id)
    books = await read_books(session, campaign_id)
    require_closed(books)
    campaign.completed_at = clock.now()
    campaign.version += 1
    await session.flush()
    totals = books.totals()
    await emit(
        session,
        CampaignCompleted(campaign_id=campaign_id, completed_at=campaign.completed_at, ledger=totals),
    )
    await audit(
        session, principal, "complete_campaign", f"campaign/{campaign_id}", totals.model_dump(mode="json")
    )
    return campaign


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
    await audit(session, principal, "abort_campaign", f"campaign/{campaign_id}", {"reason": reason})
    return campaign


async def _close_all(session: AsyncSession, principal: Principal, campaign_id: UUID) -> None:
    now = clock.now()
    await _write_off_unreleased(session, campaign_id)
    await session.execute(
        update(CampaignWave)
        .where(CampaignWave.campaign_id == campaign_id, CampaignWave.released_at.is_(None))
        .values(released_at=now)
    )
    await expire_contacts(session, Contact.campaign_id == campaign_id, at=now, by=principal.id)


async def _write_off_unreleased(session: AsyncSession, campaign_id: UUID) -> None:
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
