"""Suppressions, and why a customer was contacted or not."""

from typing import Literal
from uuid import UUID

from pydantic import Field, JsonValue

from shared.contracts.base import (
    Key,
    Note,
    Schema,
    Timestamp,
)
from shared.contracts.campaign.journeys import FIRST_STEP
from shared.contracts.campaign.vocabulary import LedgerState, SuppressionReason
from shared.contracts.events import Channel, ContactOutcome


class SuppressionWrite(Schema):
    customer_id: UUID
    kind: Literal["do_not_contact", "complaint"] = "do_not_contact"
    channel: Channel | None = Field(None, description="null: every channel")
    until: Timestamp | None = Field(None, description="null: for good")
    reason: Note | None = None


class SuppressionView(SuppressionWrite):
    id: UUID
    source: Literal["manual", "task"]
    created_at: Timestamp
    created_by: str


class RuleCheck(Schema):
    """One rule of the contact policy, applied to the customer as known now."""

    rule: SuppressionReason
    holds: bool = Field(description="True: the rule lets the contact pass")
    detail: dict[str, JsonValue]


class ContactDecision(Schema):
    campaign_id: UUID
    campaign_key: Key
    contact_id: UUID | None
    step: Key = Field(FIRST_STEP, description="Of the arm's journey")
    state: LedgerState
    reason: SuppressionReason | None
    evidence: dict[str, JsonValue] | None
    arm: Key | None
    wave: int
    disposition: ContactOutcome | None
    decided_at: Timestamp | None


class ContactDecisions(Schema):
    """Why a customer was contacted, held out or refused, and whether a contact would pass now."""

    customer_id: UUID
    contactable: bool
    checks: list[RuleCheck]
    decisions: list[ContactDecision]
    suppressions: list[SuppressionView]
