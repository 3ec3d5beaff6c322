"""What the channels of a scheme's arms ask for."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.campaign.domain.fixes import TASK_CHANNEL, TASK_CONSENT
from services.campaign.models import Channel
from shared.contracts.campaign import Scheme


async def consents_of(session: AsyncSession, scheme: Scheme) -> list[str]:
    """The consents a customer must have given to be in any of the arms."""
    channels = {arm.channel for arm in scheme.arms}
    found = await session.scalars(select(Channel.consent).where(Channel.key.in_(channels)))
    return sorted({*found, *([TASK_CONSENT] if TASK_CHANNEL in channels else [])})
