"""The content of the last decision on a campaign, as the audit log keeps it."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from shared.contracts.campaign import CampaignContent
from shared.contracts.campaign.decided import DecidedContent
from shared.db import AuditEntry
from shared.errors import NotFound

_DECISIONS = {"approve_campaign": "approved", "reject_campaign": "rejected"}


async def last_decided(session: AsyncSession, campaign_id: UUID) -> DecidedContent:
    """NotFound: nobody has decided, or before contents were kept."""
    entry = await session.scalar(
        select(AuditEntry)
        .where(AuditEntry.object == f"campaign/{campaign_id}", AuditEntry.action.in_(_DECISIONS))
        .order_by(AuditEntry.seq.desc())
        .limit(1)
    )
    if entry is None or "content" not in entry.detail:
        raise NotFound(f"no decided content is kept of campaign {campaign_id}")
    return DecidedContent.model_validate(
        {
            "decision": _DECISIONS[entry.action],
            "checker": entry.principal,
            "decided_at": entry.at,
            "content_hash": entry.detail["content_hash"],
            "content": CampaignContent.model_validate_json(entry.detail["content"]),
        }
    )
