"""Events of opportunities."""

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import Field

from shared.contracts.base import Code, Currency, Key, Money, OrgPath, Timestamp
from shared.contracts.events.envelope import EventData


class OpportunityMoved(EventData):
    """Opened, moved to another stage, won, lost or reopened. `version` is the opportunity's."""

    SUBJECT: ClassVar[str] = "campaign.opportunity_moved"
    opportunity_id: UUID
    customer_id: UUID
    version: int
    org: OrgPath
    manager: Code
    from_stage: Key | None = Field(None, description="null: it was opened")
    to_stage: Key = Field(description="A stage, `won` or `lost`")
    offer: Key | None = None
    product: Code | None = None
    rad: Literal["retain", "acquire", "develop"]
    source: Literal["task", "referral", "hand"]
    contact_id: UUID | None = None
    referral_id: UUID | None = None
    amount: Money
    currency: Currency
    won_amount: Money | None = None
    lost_reason: str | None = None
    moved_at: Timestamp
    moved_by: str

    def partition_key(self) -> str:
        return str(self.opportunity_id)
