"""What becomes of referrals."""

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import Field

from shared.contracts.base import Code, Currency, Key, Money, Number, OrgPath, Timestamp
from shared.contracts.events.envelope import EventData

_Line = Literal["corporate", "small_business", "personal"]


class _ReferralKeyed(EventData):
    referral_id: UUID
    customer_id: UUID
    version: int
    from_line: _Line
    from_org: OrgPath
    referrer: Code
    to_line: _Line
    to_org: OrgPath
    offer: Key | None
    category: str | None = Field(description="Product category")
    referrer_share: Number
    receiver_share: Number

    def partition_key(self) -> str:
        return str(self.referral_id)


class ReferralMade(_ReferralKeyed):
    """Somebody is asked to take a customer on."""

    SUBJECT: ClassVar[str] = "campaign.referral_made"
    to_manager: Code | None
    contact_id: UUID | None = Field(description="The contact in which the need was found")
    linked: bool = Field(description="A lead from the network of a core company")
    due_at: Timestamp
    made_at: Timestamp
    made_by: str


class ReferralAnswered(_ReferralKeyed):
    """Every state after `made`; the credit of what was won is `amount` by the shares."""

    SUBJECT: ClassVar[str] = "campaign.referral_answered"
    state: Literal["accepted", "rejected", "lapsed", "withdrawn", "won", "lost"]
    receiver: Code | None
    amount: Money | None = None
    currency: Currency | None = None
    answered_at: Timestamp
    answered_by: str
