"""Tasks of managers."""

from datetime import date
from typing import Annotated
from uuid import UUID

from pydantic import Field

from shared.contracts.base import (
    Code,
    Key,
    LocalText,
    Money,
    Note,
    Number,
    OrgPath,
    Schema,
    Timestamp,
)
from shared.contracts.campaign.catalogue import (
    OfferView,
)
from shared.contracts.campaign.referrals import ReferralNeed
from shared.contracts.campaign.scripts import PathStep
from shared.contracts.campaign.vocabulary import (
    ScriptRef,
    SuppressionReason,
    TaskState,
)
from shared.contracts.events import Disposition
from shared.contracts.events.stewardship import OwnershipCause


class TaskView(Schema):
    """A contact to be made by a manager. Its id is the contact id of ledger and events.

    `customer_id` is whose file to open: the survivor's, when the customer was merged since.
    """

    id: UUID
    campaign_id: UUID
    campaign_key: Key
    campaign_name: LocalText
    customer_id: UUID
    org: OrgPath
    manager: Code
    state: TaskState
    arm: Key
    offer: Key
    script: ScriptRef
    due_on: date
    next_at: Timestamp | None
    attempts: int
    disposition: Disposition | None
    assigned_at: Timestamp
    closed_at: Timestamp | None
    taken_from: Code | None = Field(
        None, description="Whose task it was before the customer's owners changed; null when it did not move"
    )
    taken_because: OwnershipCause | None = Field(None, description="What changed the owners")
    taken_at: Timestamp | None = None
    beyond_capacity: bool = Field(
        False, description="No day until the campaign's end had room for it when it was planned"
    )
    escalated_at: Timestamp | None = Field(
        None, description="When it had been overdue for as long as its campaign lets it"
    )
    reason: SuppressionReason | None = Field(
        None, description="Why the contact was withdrawn or, when it was to begin, refused"
    )
    version: int


class AttemptView(Schema):
    number: int
    disposition: Disposition
    minutes: Number
    note: str | None
    next_at: Timestamp | None
    outcome_amount: Money | None
    path: list[PathStep] | None = Field(None, description="The way through the script, where it was told")
    recorded_at: Timestamp
    recorded_by: str


class TaskDetail(TaskView):
    offer_detail: OfferView
    history: list[AttemptView]


class Outcome(Schema):
    offer: Key
    amount: Annotated[Money, Field(ge=0)]


class TaskRecord(Schema):
    """Result of one attempt. `call_back` needs `next_at` and keeps the task open; `interested` and
    `no_answer` stay open with `next_at` and close without; the others close the task. `referred` needs
    `referral`, which is made with it.
    """

    disposition: Disposition
    minutes: Annotated[Number, Field(ge=0, le=1440, decimal_places=2)]
    note: Note | None = Field(
        None, description="No personal data: long numbers and addresses are blotted out"
    )
    next_at: Timestamp | None = None
    outcome: Outcome | None = None
    path: Annotated[list[PathStep], Field(min_length=1, max_length=100)] | None = Field(
        None, description="The way taken through the script, from its first step"
    )
    referral: ReferralNeed | None = Field(None, description="What the customer needs of somebody else")


class TaskReassign(Schema):
    manager: Code
    reason: Note | None = None
