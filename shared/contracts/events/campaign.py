"""Events of the campaign service."""

from datetime import date
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import Field

from shared.contracts.base import (
    Code,
    Key,
    LocalText,
    Money,
    Number,
    OrgPath,
    Schema,
    Share,
    Timestamp,
)
from shared.contracts.drawing import DrawnUnit
from shared.contracts.events.envelope import BATCH_ITEMS, ContactOutcome, ContactState, EventData
from shared.contracts.stopping import FixedStop, Margins, StopRule


class _CampaignKeyed(EventData):
    campaign_id: UUID

    def partition_key(self) -> str:
        return str(self.campaign_id)


class CampaignApproved(_CampaignKeyed):
    SUBJECT: ClassVar[str] = "campaign.campaign_approved"
    campaign_key: Key
    content_hash: str
    approved_by: str
    approved_at: Timestamp


class RegisteredArm(Schema):
    key: Key
    share: Share
    offer: Key
    channel: str
    script: str


class GlobalHoldOut(Schema):
    """Whom no campaign contacts: customers whose position is below `share`. A position is the first 53 bits
    of the SHA-256 of `salt:customer_id`, as a fraction.
    """

    share: Annotated[float, Field(ge=0, lt=1)]
    salt: str


class Registration(Schema):
    """What will be measured and how, frozen before the first contact."""

    primary_metric: Key
    guardrails: list[Key] = Field(default_factory=list)
    target: Money | None = None
    unit: DrawnUnit = "customer"
    arms: list[RegisteredArm]
    hold_out: Share
    salt: str
    recommendation_id: UUID | None = Field(
        None,
        exclude_if=lambda key: key is None,
        description="The recommendation of an evaluation that the campaign follows",
    )
    dimensions: list[str] = Field(default_factory=lambda: ["segment", "branch"])
    alpha: float = 0.05
    window_days: int = 30
    # Left out when there is none: what was registered before they could be set keeps its hash.
    stop: StopRule = Field(default_factory=FixedStop, exclude_if=lambda stop: stop.kind == "fixed")
    margins: Margins = Field(default_factory=dict, exclude_if=lambda margins: not margins)
    global_hold_out: GlobalHoldOut | None = Field(None, exclude_if=lambda held: held is None)


class CampaignLaunched(_CampaignKeyed):
    SUBJECT: ClassVar[str] = "campaign.campaign_launched"
    campaign_key: Key
    name: LocalText
    launched_at: Timestamp
    starts_on: date
    ends_on: date
    owner: Code
    orgs: list[OrgPath]
    segments: list[Key]
    registration: Registration


class AssignedContact(Schema):
    """One member of the audience after randomisation: in an arm, or held out (`arm` null)."""

    contact_id: UUID
    customer_id: UUID
    arm: Key | None
    propensity: Annotated[float, Field(gt=0, le=1, description="Probability of this assignment")]
    offer: Key | None = None
    channel: str | None = None
    script: str | None = None
    manager: Code | None = Field(
        None, description="Whose task it is; none of a message, and of who is held out"
    )
    primary_manager: Code | None = Field(
        None, description="Whose customer it was when decided, also of who is held out"
    )
    branch: OrgPath
    segment: Key
    step: Key = Field(
        "first", description="Other than `first`: one more contact of the customer, by the arm's journey"
    )


class ContactsAssigned(_CampaignKeyed):
    SUBJECT: ClassVar[str] = "campaign.contacts_assigned"
    wave: int = 1
    assigned_at: Timestamp
    contacts: Annotated[list[AssignedContact], Field(min_length=1, max_length=BATCH_ITEMS)]


class ContactRecorded(_CampaignKeyed):
    SUBJECT: ClassVar[str] = "campaign.contact_recorded"
    contact_id: UUID
    customer_id: UUID
    version: int
    state: ContactState
    disposition: ContactOutcome | None = None
    minutes: Number | None = None
    cost: Money | None = None
    offer: Key | None = None
    amount: Money | None = None
    recorded_at: Timestamp
    recorded_by: str


class CampaignPaused(_CampaignKeyed):
    SUBJECT: ClassVar[str] = "campaign.campaign_paused"
    at: Timestamp


class CampaignResumed(_CampaignKeyed):
    SUBJECT: ClassVar[str] = "campaign.campaign_resumed"
    at: Timestamp


class LedgerTotals(Schema):
    """The books of first contacts: audience = suppressed + held_out + assigned; assigned = open + done +
    expired.
    """

    audience: int
    suppressed: dict[str, int]
    held_out: int
    assigned: int
    open: int
    done: int
    expired: int
    dispositions: dict[str, int] = Field(default_factory=dict)
    follow_ups: int = Field(0, description="Further contacts that journeys made, in no other number here")


class QuotaExhausted(EventData):
    """The last unit of an offer is sold, or a campaign's budget pays for no further contact."""

    SUBJECT: ClassVar[str] = "campaign.quota_exhausted"
    resource: Literal["offer", "budget"]
    offer: Key | None = None
    campaign_id: UUID | None = None
    units: int | None = Field(None, description="Of the offer, all sold")
    amount: Money | None = Field(None, description="Of the budget")
    exhausted_at: Timestamp

    def partition_key(self) -> str:
        return self.offer or str(self.campaign_id)


class CampaignCompleted(_CampaignKeyed):
    SUBJECT: ClassVar[str] = "campaign.campaign_completed"
    completed_at: Timestamp
    ledger: LedgerTotals
