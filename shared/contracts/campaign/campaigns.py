"""Campaigns as they are read, the verbs' bodies and the books."""

from datetime import date
from typing import Literal
from uuid import UUID

from pydantic import Field, JsonValue

from shared.contracts.base import (
    Code,
    Key,
    LocalText,
    Money,
    Note,
    Number,
    OrgPath,
    Schema,
    Share,
    Timestamp,
)
from shared.contracts.campaign.fixes import (
    CampaignContent,
    ContactChoice,
)
from shared.contracts.campaign.journeys import FIRST_STEP
from shared.contracts.campaign.simulation import ChannelNeed, ExpectedCost, ExpectedValue
from shared.contracts.campaign.triggers import TriggerEstimate, TriggerProgress
from shared.contracts.campaign.vocabulary import (
    CampaignStatus,
    CampaignVerb,
    LedgerState,
    LongText,
    ScriptRef,
    SuppressionReason,
)
from shared.contracts.events import ArmEffect, ContactOutcome, LedgerTotals


class EvaluationSummary(Schema):
    """The latest verdict of the evaluation service, as it announced it."""

    result_id: UUID
    verdict: Literal["ok", "withheld"]
    metric: Key
    effects: list[ArmEffect]
    matured: Share
    evaluated_at: Timestamp


class RecommendationView(Schema):
    recommendation_id: UUID
    action: Literal[
        "continue", "stop", "re_target", "re_script", "re_channel", "re_allocate", "extend", "test_next"
    ]
    outcome: Literal["act", "test_next", "no_evidence"]
    title: LocalText
    evidence: dict[str, JsonValue]
    issued_at: Timestamp


class ApprovalView(Schema):
    decision: Literal["approved", "rejected"]
    content_hash: str
    maker: str
    checker: str
    comment: str | None
    decided_at: Timestamp


class WaveView(Schema):
    wave: int
    due_at: Timestamp
    released_at: Timestamp | None
    members: int


class CampaignSummary(Schema):
    id: UUID
    key: Key
    name: LocalText
    status: CampaignStatus
    version: int
    strategy: Key | None = None
    owner: Code | None
    orgs: list[OrgPath]
    start: date | None
    end: date | None
    created_at: Timestamp
    launched_at: Timestamp | None
    completed_at: Timestamp | None


class CampaignView(CampaignContent):
    id: UUID
    key: Key
    optimisation: ContactChoice | None = Field(
        None, description="Who chose whom it contacts; null: the contact policy alone decides"
    )
    status: CampaignStatus
    version: int
    missing: list[str] = Field(description="Pointers of what `:submit` still asks for")
    verbs: list[CampaignVerb] = Field(description="What the state allows now")
    content_hash: str | None = Field(None, description="SHA-256 of what was submitted")
    strategy_version: int | None = Field(
        None, description="The version of its strategy it was submitted with, and keeps"
    )
    created_at: Timestamp
    created_by: str
    edited_by: str
    submitted_at: Timestamp | None = None
    submitted_by: str | None = None
    approved_at: Timestamp | None = None
    approved_by: str | None = None
    approvals: list[ApprovalView] = Field(default_factory=list)
    launched_at: Timestamp | None = None
    completed_at: Timestamp | None = None
    status_reason: str | None = None
    waves: list[WaveView] = Field(default_factory=list)
    evaluation: EvaluationSummary | None = None
    recommendation: RecommendationView | None = None


class ReviewView(Schema):
    """One evaluation or recommendation that arrived for the campaign."""

    kind: Literal["evaluation", "recommendation"]
    at: Timestamp
    evaluation: EvaluationSummary | None = None
    recommendation: RecommendationView | None = None


class CommentRequest(Schema):
    comment: Note | None = None


class ReasonRequest(Schema):
    reason: LongText


class PauseRequest(ReasonRequest):
    open_contacts: Literal["hold", "drop"] = Field(
        "hold", description="`drop`: contacts that have not begun are closed; journeys go on from there"
    )


class CompleteRequest(Schema):
    expire_open: bool = Field(False, description="Close tasks that are still open as expired")


class ManagerMinutes(Schema):
    needed: int = Field(description="Contacts times the expected minutes of their script")
    available: int = Field(
        description="Managers with contacts times daily minutes times weekdays of the schedule; "
        "public holidays are not taken off"
    )


class Simulation(Schema):
    """What `:launch` would do with the audience as it stands. Counts cover the caller's organisations."""

    audience: int
    eligible: int
    suppressed: dict[SuppressionReason, int]
    arms: dict[Key, int]
    hold_out: int
    managers: int
    manager_minutes: ManagerMinutes
    beyond_capacity: int = Field(
        0, description="Contacts that no day of their manager has room for; they would be due on the last one"
    )
    away: int = Field(0, description="Managers who are away for most of the days: others stand in for them")
    nobody_there: int = Field(
        0, description="Contacts all of whose managers are away: the branch head's to give to somebody"
    )
    channels: list[ChannelNeed] = Field(default_factory=list, description="Those that carry messages")
    cost: ExpectedCost | None = Field(
        None, description="Null where channels and budget count in different currencies"
    )
    expected_value: ExpectedValue | None = Field(
        None, description="Null where no optimisation chose the customers: nobody has said what to expect"
    )
    minimum_detectable_effect: float | None = Field(
        description="Smallest difference, in standard deviations of the primary metric, that the smallest "
        "arm against the hold-out shows with 80 % power at 5 %, two-sided; null without a hold-out, "
        "and where managers or branches are drawn: how alike their customers are is not known before"
    )
    trigger: TriggerEstimate | None = Field(
        None, description="With a trigger, the counts are of customers who moved lately, as an estimate"
    )


class AudienceMember(Schema):
    """One row of the frozen snapshot."""

    customer_id: UUID
    segment: Key
    branch: OrgPath
    wave: int
    state: LedgerState
    reason: SuppressionReason | None = None


class LedgerEntry(Schema):
    contact_id: UUID
    customer_id: UUID
    step: Key = Field(FIRST_STEP, description="Of the arm's journey")
    wave: int
    segment: Key
    branch: OrgPath
    state: LedgerState
    reason: SuppressionReason | None
    evidence: dict[str, JsonValue] | None = Field(None, description="The facts the refusal rests on")
    arm: Key | None
    propensity: float | None
    manager: Code | None
    offer: Key | None
    channel: Key | None
    script: ScriptRef | None
    disposition: ContactOutcome | None
    attempts: int
    minutes: Number
    cost: Money
    outcome_amount: Money | None
    version: int
    decided_at: Timestamp
    closed_at: Timestamp | None


class Tally(Schema):
    """Contacts of one branch or one arm."""

    key: str
    assigned: int
    open: int
    done: int
    expired: int
    accepted: int


class CampaignProgress(Schema):
    """The books as the caller may see them: a branch sees its own part."""

    ledger: LedgerTotals
    planned: int = Field(description="Audience members whose wave is not released yet")
    balanced: bool
    imbalances: list[str]
    minutes: Number
    cost: Money
    outcome_amount: Money
    arms: list[Tally]
    branches: list[Tally]
    trigger: TriggerProgress | None = Field(None, description="Of a campaign with a trigger, once launched")
