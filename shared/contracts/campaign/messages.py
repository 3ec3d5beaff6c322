"""Messages that channels carry: where each of a campaign stands."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from shared.contracts.base import Schema, Timestamp
from shared.contracts.campaign.vocabulary import MessageState


class MessageView(Schema):
    """Neither recipient nor text: both exist while the message is submitted, and not afterwards."""

    id: UUID = Field(description="Also the contact's, and what the provider knows it by")
    campaign_id: UUID
    customer_id: UUID
    arm: str
    channel: str
    state: MessageState
    due_at: Timestamp = Field(description="Of a planned message: not before")
    attempts: int = Field(description="Submissions to the provider so far")
    submitted_at: Timestamp | None
    reference: str | None = Field(description="The provider's name for it")
    detail: str | None = Field(description="What the provider said last")
    closed_at: Timestamp | None


class MessageCounts(Schema):
    """Of one channel in one campaign."""

    channel: str
    states: dict[MessageState, int]


class CampaignMessages(Schema):
    items: list[MessageCounts]


class ResolveMessage(Schema):
    """`POST /v1/messages/{id}:resolve`: what was found out about a message whose answer was lost."""

    outcome: Literal["delivered", "not_sent"]
