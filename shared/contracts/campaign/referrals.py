"""Referrals: a customer handed on to another line of business, branch or manager, with the credit for it."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from shared.contracts.base import Code, Currency, Key, Money, Number, OrgPath, Schema, Timestamp
from shared.contracts.campaign.catalogue import OfferView
from shared.contracts.customer.vocabulary import ProductCategory

BusinessLine = Literal["corporate", "small_business", "personal"]
ReferralState = Literal["made", "accepted", "rejected", "lapsed", "withdrawn", "won", "lost"]
ReferralVerb = Literal["assign", "accept", "reject", "win", "lose", "withdraw"]
ReferralSide = Literal["made", "received"]
LeadRole = Literal["supplier", "distributor", "employee", "executive", "subsidiary"]
Part = Annotated[Number, Field(ge=0, le=1, decimal_places=4)]
ReferralNote = Annotated[str, StringConstraints(max_length=2000, pattern=r"^[^\x00]*$")]
ReferralReason = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000, pattern=r"^[^\x00]*$")
]


class ReferralTarget(Schema):
    """Who is to take the customer on: a manager of a branch, or whoever of the branch takes it first."""

    line: BusinessLine
    org: OrgPath
    manager: Code | None = Field(None, description="Holds customers of the branch; null: any of its managers")


class CreditSplit(Schema):
    """Shares of what is won; together exactly 1."""

    referrer: Part
    receiver: Part


class LeadEvidence(Schema):
    """Linked marketing: the customer stands in this role to the core company, as who refers was told."""

    core_customer_id: UUID
    role: LeadRole


class ReferralNeed(Schema):
    """What a customer needs of whom. An offer, a category or a note: one of them at least."""

    from_line: BusinessLine = Field(description="The line of business of who refers")
    to: ReferralTarget
    offer: Key | None = None
    category: ProductCategory | None = None
    note: ReferralNote = Field("", description="No personal data: long numbers and addresses are blotted out")
    lead: LeadEvidence | None = None
    credit: CreditSplit | None = Field(None, description="null: as the bank has set it")


class ReferralWrite(ReferralNeed):
    """`POST /v1/referrals`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "customer_id": "0192f0c5-0000-7000-8000-000000000001",
                    "from_line": "corporate",
                    "to": {"line": "personal", "org": "hq.sh.pudong", "manager": "S0012"},
                    "category": "payroll",
                    "note": "120 employees, salaries paid by another bank",
                    "credit": {"referrer": "0.4", "receiver": "0.6"},
                }
            ]
        }
    )
    customer_id: UUID


class ReferralAssign(Schema):
    """Which manager of the receiving branch is to see to it."""

    manager: Code


class ReferralDecline(Schema):
    """Why it is rejected, or was lost."""

    reason: ReferralReason


class ReferralWin(Schema):
    amount: Annotated[Money, Field(ge=0)]
    currency: Currency = "CNY"


class CreditedAmounts(Schema):
    """What was won, by the shares: the referrer's part rounded to the cent, the rest the receiver's."""

    referrer: Money
    receiver: Money


class ReferralView(Schema):
    """`customer_id` is whose file to open: the survivor's, when the customer was merged since and the file
    is within your organisation. A referral opens no file and permits no contact.
    """

    id: UUID
    customer_id: UUID
    task_id: UUID | None = Field(description="The contact in which the need was found")
    state: ReferralState
    verbs: list[ReferralVerb] = Field(description="What you may do now")
    from_line: BusinessLine
    from_org: OrgPath
    referrer: Code
    to: ReferralTarget
    receiver: Code | None = Field(description="Who sees to it: addressed, assigned, accepted or taken over")
    taken_from: Code | None = Field(description="Who saw to it and left, until it is answered or assigned")
    offer: Key | None
    category: ProductCategory | None
    note: str | None = Field(description="null: blanked when the customer was erased")
    lead: LeadEvidence | None
    credit: CreditSplit
    due_at: Timestamp = Field(
        description="Until when to answer, and once accepted, to come to a result; in working hours"
    )
    overdue: bool
    made_at: Timestamp
    made_by: str
    answered_at: Timestamp | None = Field(description="Accepted, rejected, lapsed or withdrawn")
    answered_by: str | None
    closed_at: Timestamp | None = Field(description="Won or lost")
    closed_by: str | None
    reason: str | None = Field(description="Why rejected or lost")
    amount: Money | None
    currency: Currency | None
    credited: CreditedAmounts | None = Field(description="Of what was won")
    version: int


class Success(Schema):
    """What the customer has taken: in a contact, or after a referral."""

    kind: Literal["contact", "referral"]
    offer: Key | None
    category: ProductCategory | None
    at: Timestamp


class NextOffers(Schema):
    """Secondary marketing: what else suits a customer who has just said yes. Permits no contact."""

    customer_id: UUID
    after: list[Success] = Field(description="Newest first; without any, nothing is suggested")
    offers: list[OfferView] = Field(
        description="On sale, within the customer's valid rating, and not offered to the person before in"
        " any contact or referral of your organisation; the most valuable first"
    )
