"""Arms as frozen at launch, and what their channels ask for."""

from uuid import UUID

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.fixes import TASK_CHANNEL, TASK_CONSENT
from services.campaign.models import CampaignArm, Channel, Contact, Segment
from shared.contracts.campaign import Scheme


def arm_of_contact() -> ColumnElement[bool]:
    """Joins to a contact what it offers and says."""
    return and_(
        CampaignArm.campaign_id == Contact.campaign_id,
        CampaignArm.key == Contact.arm,
        CampaignArm.step == Contact.step,
    )


async def consents_of(session: AsyncSession, scheme: Scheme) -> list[str]:
    """The consents a customer must have given to be in any of the arms."""
    channels = {arm.channel for arm in scheme.arms}
    found = await session.scalars(select(Channel.consent).where(Channel.key.in_(channels)))
    return sorted({*found, *([TASK_CONSENT] if TASK_CHANNEL in channels else [])})


async def exits_of(session: AsyncSession, scheme: Scheme) -> list[UUID]:
    """The segments whose members need no contact any more."""
    if not scheme.exit_segments:
        return []
    found = await session.scalars(select(Segment.id).where(Segment.key.in_(scheme.exit_segments)))
    return sorted(found)
