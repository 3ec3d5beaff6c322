"""What was decided on, word for word: what has changed since can be shown to whoever decides next."""

from typing import Literal

from pydantic import Field

from shared.contracts.base import Schema, Timestamp
from shared.contracts.campaign.fixes import CampaignContent


class DecidedContent(Schema):
    decision: Literal["approved", "rejected"]
    checker: str
    decided_at: Timestamp
    content_hash: str = Field(description="SHA-256 of what was submitted")
    content: CampaignContent
