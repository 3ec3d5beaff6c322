"""Optimisation of contacts across campaigns: what is asked, and what came out."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator

from shared.contracts.base import (
    Code,
    Currency,
    Key,
    Money,
    Name,
    OrgPath,
    Schema,
    Share,
    Timestamp,
)
from shared.contracts.campaign.vocabulary import CampaignStatus, LocalLongText, SuppressionReason

Count = Annotated[int, Field(ge=0, le=100_000_000)]
Minutes = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]
OptimisationState = Literal["queued", "running", "succeeded", "failed", "cancelled"]
LimitKind = Literal["manager_minutes", "channel_capacity", "quota_maximum", "quota_minimum", "budget"]
WhyNot = Literal[
    "no_value", "customer_limit", "manager_minutes", "channel_capacity", "quota_maximum", "budget"
]
Why = Literal["chosen"] | WhyNot | SuppressionReason


class SegmentResponse(Schema):
    segment: Key = Field(description="A published segment, such as that of a key tier")
    response_rate: Share


class CampaignTerms(Schema):
    """One campaign that competes for contacts, with what is expected and demanded of it."""

    campaign_id: UUID = Field(description="Complete, and not launched yet")
    response_rate: Share = Field(description="Share of contacts that accept, as the strategist expects it")
    by_segment: Annotated[list[SegmentResponse], Field(max_length=20)] = Field(
        default_factory=list, description="Rates for members of segments; the first that holds counts"
    )
    minimum: Count = Field(0, description="Customers it shall have at least")
    maximum: Count | None = Field(
        None, description="Customers it may have at most; its own budget limits it besides"
    )


class OptimisationWrite(Schema):
    """`POST /v1/optimisations`. A contact is worth what its offers are worth to the bank, by the share of
    each arm, times the response rate.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "December",
                    "campaigns": [
                        {
                            "campaign_id": "019aa0b2-7c00-7000-8000-000000000001",
                            "response_rate": 0.04,
                            "by_segment": [{"segment": "tier-private", "response_rate": 0.09}],
                            "minimum": 100,
                        },
                        {"campaign_id": "019aa0b2-7c00-7000-8000-000000000002", "response_rate": 0.02},
                    ],
                    "minutes_per_manager": 600,
                    "channel_capacity": {"manager_task": 5000},
                    "budget": "50000.00",
                }
            ]
        }
    )
    name: Name
    campaigns: Annotated[list[CampaignTerms], Field(min_length=1, max_length=32)]
    contacts_per_customer: Annotated[int, Field(ge=1, le=20)] | None = Field(
        None,
        description="Contacts a customer may have within the days of the contact cap, those they had "
        "counted; null: the cap itself, which also limits a larger number",
    )
    minutes_per_manager: Minutes = Field(description="Minutes each manager has for these campaigns")
    minutes: dict[Key, Minutes] = Field(
        default_factory=dict,
        max_length=20,
        description="Minutes of one contact by channel; the longest script of the campaign for others",
    )
    channel_capacity: dict[Key, Count] = Field(
        default_factory=dict, max_length=20, description="Contacts by channel; no limit for others"
    )
    budget: Annotated[Money, Field(ge=0)] | None = Field(
        None, description="For the managers' time over all campaigns"
    )

    @model_validator(mode="after")
    def _each_campaign_once(self) -> "OptimisationWrite":
        if len({terms.campaign_id for terms in self.campaigns}) < len(self.campaigns):
            message = "each campaign may be named once"
            raise ValueError(message)
        return self


class CampaignShare(Schema):
    """What one campaign gets."""

    campaign_id: UUID
    key: Key
    content_hash: str | None = Field(
        None, description="SHA-256 of the campaign's content when it was weighed; null in old runs"
    )
    audience: int
    contactable: int = Field(description="Of the audience, those whom the contact policy lets pass")
    contacts: int
    value: float
    minimum: int
    maximum: int | None = Field(description="The least of its declared maximum and what its budget pays for")
    missing: int = Field(description="Customers that could not be found to reach the minimum")


class ChannelShare(Schema):
    channel: Key
    contacts: int
    capacity: int | None


class ShadowPrice(Schema):
    """What one unit more of a limit would add to the value: money that the limit keeps away."""

    kind: LimitKind
    key: str | None = Field(description="The channel or campaign; null for the budget and managers' minutes")
    limit: float = Field(description="Of managers' minutes those of all managers together")
    used: float
    price: float = Field(
        description="Value of one contact, one minute or one unit of money more; of managers' minutes on "
        "average, see `managers`; of a minimum what one contact less would free"
    )
    sentence: LocalLongText


class OptimisationResult(Schema):
    """`bound` no plan can exceed; `gap` is what is at most missing to it, as a share of it."""

    customers: int
    options: int = Field(description="Pairs of customer and campaign that the contact policy lets pass")
    contacts: int
    value: float
    bound: float
    gap: float
    currency: Currency
    minutes: float
    cost: float
    campaigns: list[CampaignShare]
    channels: list[ChannelShare]
    prices: list[ShadowPrice] = Field(description="The limits that cost something, the dearest first")
    managers: int
    managers_full: int = Field(description="Managers whose minutes limit what they could earn")


class OptimisationSummary(Schema):
    id: UUID
    name: Name
    org: OrgPath
    state: OptimisationState
    created_at: Timestamp
    created_by: str
    finished_at: Timestamp | None


class BoundCampaign(Schema):
    campaign_id: UUID
    key: Key
    status: CampaignStatus


class OptimisationView(OptimisationSummary):
    request: OptimisationWrite
    job_id: UUID
    problem: str | None
    result: OptimisationResult | None
    bound: list[BoundCampaign] = Field(
        description="Campaigns that contact whom this run chose, and nobody else"
    )


class ChosenContact(Schema):
    customer_id: UUID
    campaign_id: UUID
    manager: Code
    branch: OrgPath
    value: float


class ManagerShare(Schema):
    manager: Code
    contacts: int
    minutes: float
    value: float
    price: float = Field(description="What one minute more of this manager would add to the value")


class OptionView(Schema):
    """Why a campaign contacts the customer or not."""

    campaign_id: UUID
    why: Why
    value: float | None = Field(None, description="Expected value; null where the contact policy refuses")


class CustomerOptions(Schema):
    """Campaigns whose audience the customer was in when the run was made."""

    customer_id: UUID
    options: list[OptionView]
