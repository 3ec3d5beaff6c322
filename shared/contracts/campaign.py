"""Requests and responses of the campaign service. Customers appear by id only; names stay in customer."""

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, JsonValue, StringConstraints, model_validator

from shared.contracts.base import (
    Code,
    Currency,
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
from shared.contracts.events import ArmEffect, Channel, Disposition, LedgerTotals

ProductRisk = Literal["R1", "R2", "R3", "R4", "R5"]
LongText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]
ScriptRef = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,79}@[1-9][0-9]{0,5}$"),
    Field(description="A script at a version", examples=["wealth-50plus@3"]),
]
CampaignStatus = Literal[
    "draft",
    "in_review",
    "approved",
    "scheduled",
    "launching",
    "running",
    "paused",
    "completed",
    "aborted",
    "expired",
]
CampaignVerb = Literal[
    "edit", "submit", "approve", "reject", "launch", "pause", "resume", "abort", "complete"
]
SuppressionReason = Literal[
    "inactive",
    "moved",
    "do_not_contact",
    "consent",
    "suitability",
    "cap",
    "no_manager",
    "global_hold_out",
    "not_released",
]
LedgerState = Literal["planned", "suppressed", "held_out", "assigned", "done", "expired"]
TaskState = Literal["assigned", "accepted", "started", "call_back", "returned", "done", "expired"]


class LocalLongText(Schema):
    """What is said or shown, in Chinese and English."""

    zh: LongText
    en: LongText


# ── offers and scripts ────────────────────────────────────────────────────────────────────────────────────


class OfferTerms(Schema):
    text: LocalLongText
    rate: Number | None = Field(None, description="Annual rate as a decimal: 0.0285 is 2.85 %")
    minimum: Money | None = Field(None, description="Smallest amount of one acceptance")
    tenor_days: Annotated[int, Field(ge=1, le=36_500)] | None = None


class OfferWrite(Schema):
    """`POST /v1/offers`. An offer never changes once made: new terms are a new key."""

    key: Key
    name: LocalText
    product: Code
    risk: ProductRisk = Field(description="The higher of the issuer's and the bank's own rating")
    terms: OfferTerms
    value: Money = Field(description="What one acceptance is worth to the bank", examples=["860.00"])
    currency: Currency = "CNY"
    valid_until: date | None = None


class OfferView(OfferWrite):
    created_at: Timestamp
    created_by: str


class ScriptStep(Schema):
    key: Key
    text: LocalLongText


class ScriptWrite(Schema):
    """`POST /v1/scripts`: each post of a key makes its next version; a version never changes."""

    key: Key
    name: LocalText
    steps: Annotated[list[ScriptStep], Field(min_length=1, max_length=50)]
    minutes: Annotated[float, Field(gt=0, le=480, description="Expected length of one contact")] = 6.0

    @model_validator(mode="after")
    def _step_keys_differ(self) -> "ScriptWrite":
        if len({step.key for step in self.steps}) < len(self.steps):
            message = "step keys must differ"
            raise ValueError(message)
        return self


class ScriptView(ScriptWrite):
    version: int
    ref: ScriptRef
    created_at: Timestamp
    created_by: str


# ── the five fixes ────────────────────────────────────────────────────────────────────────────────────────


class Objective(Schema):
    """First fix: what shall change, by how much, without harming what."""

    primary_metric: Key
    target: Money | None = None
    guardrails: Annotated[list[Key], Field(max_length=20)] = Field(default_factory=list)
    key_tiers: Annotated[list[Key], Field(max_length=20)] = Field(default_factory=list)
    window_days: Annotated[int, Field(ge=1, le=365, description="Outcome window after assignment")] = 30


class Scenario(Schema):
    kind: Literal["life_cycle", "product", "event", "calendar"]
    detail: dict[str, JsonValue] = Field(default_factory=dict)


class Arm(Schema):
    key: Key
    share: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
    offer: Key
    channel: Key = Field(description="`manager_task` is available", examples=["manager_task"])
    script: ScriptRef


class Scheme(Schema):
    """Second fix: arms, shares and hold-out. The shares of all arms and the hold-out add up to 1."""

    scenario: Scenario
    arms: Annotated[list[Arm], Field(min_length=1, max_length=8)]
    hold_out: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]
    contact_policy: Key = "default"


class People(Schema):
    """Third fix: who owns it, who makes the contacts, in which organisations."""

    owner: Code
    assign: Literal["primary_manager"] = "primary_manager"
    use_backup: bool = True
    orgs: Annotated[list[OrgPath], Field(min_length=1, max_length=200)]


class Schedule(Schema):
    """Fourth fix. Waves split the audience by hash; wave k is released (k-1) gaps after the first."""

    start: date
    end: date
    waves: Annotated[int, Field(ge=1, le=52)] = 1
    wave_gap_minutes: Annotated[int, Field(ge=0, le=60 * 24 * 90)] = 0
    late_start: Literal["expire"] = Field(
        "expire", description="A campaign whose window has passed expires instead of starting"
    )


class Measure(Schema):
    org: OrgPath
    target: Money


class Responsibility(Schema):
    """Fifth fix: who answers for the result, and each branch's share of it."""

    accountable: Code
    measures: Annotated[list[Measure], Field(max_length=1000)] = Field(default_factory=list)


class Audience(Schema):
    include: Annotated[list[Key], Field(min_length=1, max_length=50)]
    exclude: Annotated[list[Key], Field(max_length=50)] = Field(default_factory=list)
    limit: Annotated[int, Field(ge=1, le=10_000_000)] | None = Field(
        None, description="At most so many, chosen by salted hash"
    )


class Budget(Schema):
    amount: Annotated[Money, Field(ge=0)]
    currency: Currency = "CNY"


class CampaignContent(Schema):
    """All that approval covers. A draft may lack fixes; `:submit` names every one that is missing."""

    name: LocalText
    strategy_id: UUID | None = Field(None, description="The strategy this campaign carries out")
    objective: Objective | None = None
    scheme: Scheme | None = None
    people: People | None = None
    schedule: Schedule | None = None
    responsibility: Responsibility | None = None
    audience: Audience | None = None
    budget: Budget | None = None


class CampaignWrite(CampaignContent):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "key": "2026q4-wealth-50plus",
                    "name": {"zh": "四季度财富客户", "en": "Wealth clients, fourth quarter"},
                    "objective": {"primary_metric": "net_inflow_30d", "target": "50000000.00"},
                    "scheme": {
                        "scenario": {"kind": "life_cycle", "detail": {}},
                        "arms": [
                            {
                                "key": "call",
                                "share": 0.9,
                                "offer": "wealth-steady-r2",
                                "channel": "manager_task",
                                "script": "wealth-50plus@3",
                            }
                        ],
                        "hold_out": 0.1,
                    },
                    "people": {"owner": "S0012", "orgs": ["hq.sh"]},
                    "schedule": {"start": "2026-12-01", "end": "2026-12-31"},
                    "responsibility": {"accountable": "S0001"},
                    "audience": {"include": ["affluent-50plus-active"], "exclude": ["open-complaint"]},
                    "budget": {"amount": "120000.00", "currency": "CNY"},
                }
            ]
        }
    )
    key: Key


class CampaignPatch(Schema):
    """Replaces the named parts whole; `null` empties a fix. Any edit voids review and approval."""

    name: LocalText | None = None
    strategy_id: UUID | None = None
    objective: Objective | None = None
    scheme: Scheme | None = None
    people: People | None = None
    schedule: Schedule | None = None
    responsibility: Responsibility | None = None
    audience: Audience | None = None
    budget: Budget | None = None


# ── campaigns ─────────────────────────────────────────────────────────────────────────────────────────────


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
    action: Literal["continue", "stop", "re_target", "extend", "test_next"]
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
    status: CampaignStatus
    version: int
    missing: list[str] = Field(description="Pointers of what `:submit` still asks for")
    verbs: list[CampaignVerb] = Field(description="What the state allows now")
    content_hash: str | None = Field(None, description="SHA-256 of what was submitted")
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
    minimum_detectable_effect: float | None = Field(
        description="Smallest difference, in standard deviations of the primary metric, that the smallest "
        "arm against the hold-out shows with 80 % power at 5 %, two-sided; null without a hold-out"
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
    disposition: Disposition | None
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


# ── tasks ─────────────────────────────────────────────────────────────────────────────────────────────────


class TaskView(Schema):
    """A contact to be made by a manager. Its id is the contact id of ledger and events."""

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
    version: int


class AttemptView(Schema):
    number: int
    disposition: Disposition
    minutes: Number
    note: str | None
    next_at: Timestamp | None
    outcome_amount: Money | None
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
    `no_answer` stay open with `next_at` and close without; the others close the task.
    """

    disposition: Disposition
    minutes: Annotated[Number, Field(ge=0, le=1440, decimal_places=2)]
    note: Note | None = Field(
        None, description="No personal data: long numbers and addresses are blotted out"
    )
    next_at: Timestamp | None = None
    outcome: Outcome | None = None


class TaskReassign(Schema):
    manager: Code
    reason: Note | None = None


# ── suppressions and decisions ────────────────────────────────────────────────────────────────────────────


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
    state: LedgerState
    reason: SuppressionReason | None
    evidence: dict[str, JsonValue] | None
    arm: Key | None
    wave: int
    disposition: Disposition | None
    decided_at: Timestamp | None


class ContactDecisions(Schema):
    """Why a customer was contacted, held out or refused, and whether a contact would pass now."""

    customer_id: UUID
    contactable: bool
    checks: list[RuleCheck]
    decisions: list[ContactDecision]
    suppressions: list[SuppressionView]
