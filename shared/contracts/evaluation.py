"""Requests and responses of the evaluation service.

Numbers with a unit (means, differences, interval ends) travel as decimal strings; probabilities,
shares and test statistics as JSON numbers. `null` means "not computed" and a sibling `errors`
entry says why: it never means "no effect".
"""

from datetime import date
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from shared.contracts.base import (
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
from shared.contracts.events import RegisteredArm
from shared.contracts.metrics import Better

Probability = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Interval = Annotated[tuple[Number, Number], Field(description="Lower and upper end at level 1 − alpha")]
Dimension = Literal["segment", "branch"]


class Narrative(Schema):
    """A sentence or two for people, in Chinese and English."""

    zh: Note
    en: Note


class CampaignRegistration(Schema):
    """What was fixed at launch, before any outcome was known. Never changes."""

    campaign_id: UUID
    key: Key
    name: LocalText
    registered_at: Timestamp
    launched_at: Timestamp
    starts_on: date
    ends_on: date
    orgs: list[OrgPath]
    segments: list[Key]
    primary_metric: Key
    guardrails: list[Key]
    target: Money | None = Field(None, description="Incremental amount of the primary metric aimed at")
    arms: list[RegisteredArm]
    hold_out: Share
    dimensions: list[Dimension]
    alpha: Probability
    window_days: int
    unit: Literal["customer"] = "customer"
    content_hash: str = Field(description="SHA-256 of the registration as received")


class HealthCheck(Schema):
    check: str = Field(examples=["srm"])
    ok: bool
    p_value: Probability | None = None
    detail: str
    observed: dict[str, int] = Field(default_factory=dict)


class Health(Schema):
    verdict: Literal["ok", "withheld"]
    checks: list[HealthCheck]


class Relative(Schema):
    """Difference as a share of the hold-out's mean, by the delta method."""

    value: float
    ci: tuple[float, float]


class Cuped(Schema):
    theta: float
    correlation: float = Field(description="Of outcome and covariate, pooled within groups")
    variance_reduction: float = Field(description="Share of the outcome's variance removed")
    applied: bool = Field(description="False when the covariate explains too little to be worth it")


class ArmEffect(Schema):
    """One group against the hold-out, by intention to treat."""

    arm: str = Field(description="`all` pools the treated arms")
    n: int
    n_hold_out: int
    mean: Number
    mean_hold_out: Number
    difference: Number
    se: Number
    ci: Interval
    p_value: Probability
    method: Literal["welch", "welch+cuped", "newcombe"]
    relative: Relative | None = None
    cuped: Cuped | None = None


class EvaluationError(Schema):
    """Something that could not be computed, and why."""

    at: str = Field(description="What it concerns", examples=["primary/sms"])
    code: str = Field(examples=["too-few"])
    detail: str


class PrimaryEffect(Schema):
    metric: Key
    unit: Literal["customer"] = "customer"
    currency: Currency | None = None
    better: Better
    arms: list[ArmEffect]
    overall: ArmEffect | None = Field(None, description="All treated arms pooled, against the hold-out")


class GuardrailEffect(Schema):
    metric: Key
    better: Better
    overall: ArmEffect | None
    harmed: bool = Field(description="The interval lies wholly on the worse side")


class MoneyResult(Schema):
    """What the campaign changed in total: the effect per customer times the customers treated."""

    treated: int
    incremental: Number = Field(description="In units of the primary metric")
    ci: Interval
    currency: Currency | None
    incremental_contribution: Money | None = Field(
        None, description="Incremental × the metric's unit contribution"
    )
    contribution_ci: tuple[Money, Money] | None = None
    contact_cost: Money | None = Field(
        None, description="Sum of recorded contact costs; null when none was recorded"
    )
    minutes: Number = Field(description="Manager minutes recorded")
    contacts: int
    roi: float | None = Field(None, description="(contribution − cost) / cost, when both are known")


class BreakdownRow(Schema):
    """The effect inside one cell, treated arms pooled, against the hold-out of the same cell."""

    dimension: str = Field(examples=["segment"])
    values: dict[Dimension, str] = Field(examples=[{"segment": "affluent-50plus-active"}])
    n: int
    n_hold_out: int
    mean: Number | None = None
    mean_hold_out: Number | None = None
    difference: Number | None = None
    ci: Interval | None = None
    p_value: Probability | None = None
    q_value: Probability | None = Field(None, description="Benjamini–Hochberg over all cells of the answer")
    error: str | None = Field(None, description="Why there is no effect in this cell")


class Breakdown(Schema):
    campaign_id: UUID
    by: list[Dimension]
    metric: Key
    data_until: Timestamp
    rows: list[BreakdownRow]


class Method(Schema):
    name: str
    alpha: Probability
    population: str
    code_version: str
    input_hash: str = Field(description="SHA-256 of registration, metric definitions and cell moments")


class CampaignResult(Schema):
    """The result of one campaign as of one evaluation. Kept for ever; the newest is served."""

    id: UUID
    campaign_id: UUID
    registered_at: Timestamp
    evaluated_at: Timestamp
    data_until: Timestamp
    matured: Share = Field(description="Share of exposures whose outcome window has passed")
    exposures: int
    health: Health
    primary: PrimaryEffect | None = Field(description="Null while the verdict is withheld")
    guardrails: list[GuardrailEffect]
    money: MoneyResult | None
    breakdown: list[BreakdownRow]
    errors: list[EvaluationError]
    method: Method
    recommendation_id: UUID


class Action(StrEnum):
    CONTINUE = "continue"
    STOP = "stop"
    RE_TARGET = "re_target"
    EXTEND = "extend"


class Outcome(StrEnum):
    ACT = "act"
    TEST_NEXT = "test_next"
    NO_EVIDENCE = "no_evidence"


class RecommendationState(StrEnum):
    OPEN = "open"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"


class TargetCell(Schema):
    dimension: Dimension
    value: str
    n: int
    difference: Number
    ci: Interval
    q_value: Probability


class Evidence(Schema):
    """The numbers a recommendation rests on, and the rule that led to it."""

    rule: str = Field(examples=["effect-positive"])
    metric: Key
    n: int
    n_hold_out: int
    difference: Number | None = None
    ci: Interval | None = None
    p_value: Probability | None = None
    incremental: Number | None = None
    incremental_ci: Interval | None = None
    contact_cost: Money | None = None
    n_needed: int | None = Field(
        None, description="Customers per group to find an effect of the size seen with power 0.8"
    )


class EvaluateRequest(Schema):
    """An empty body evaluates as registered."""

    primary_metric: Key | None = Field(
        None, description="If given, must be the registered one: another cannot become primary afterwards"
    )


class Recommendation(Schema):
    id: UUID
    campaign_id: UUID
    campaign_key: Key
    campaign_name: LocalText
    result_id: UUID
    action: Action
    outcome: Outcome
    title: LocalText
    text: Narrative
    evidence: Evidence
    cells: list[TargetCell] = Field(description="Where to aim next; of a re-target only")
    state: RecommendationState
    issued_at: Timestamp
    decided_at: Timestamp | None = None
    decided_by: str | None = None
    note: str | None = None


class RecommendationDecision(Schema):
    note: Note = ""


class FunnelGroup(Schema):
    assigned: int
    contacted: int = Field(description="With whom a contact was made or attempted")
    responded: int = Field(description="Who showed interest, accepted or asked for a call back")
    converted: int = Field(description="With the conversion metric's outcome in the days observed")


class Funnel(Schema):
    """How far customers came, beside the hold-out who were left alone."""

    campaign_id: UUID
    as_of: Timestamp
    targeted: int = Field(description="The whole audience once the ledger is closed; before, those assigned")
    suppressed: dict[str, int] = Field(description="Reason → customers; known once the ledger is closed")
    treated: FunnelGroup
    hold_out: FunnelGroup
    arms: dict[str, FunnelGroup]


class SeriesPoint(Schema):
    day: int = Field(description="Days since assignment")
    treated: Number = Field(description="Mean so far per treated customer")
    hold_out: Number = Field(description="Mean so far per hold-out customer")
    difference: Number


class BoardEffect(Schema):
    verdict: Literal["ok", "withheld"]
    difference: Number | None = None
    ci: Interval | None = None
    p_value: Probability | None = None
    incremental: Number | None = None
    incremental_ci: Interval | None = None
    matured: Share
    evaluated_at: Timestamp


class BoardRecommendation(Schema):
    id: UUID
    action: Action
    outcome: Outcome
    state: RecommendationState
    title: LocalText


class BoardProgress(Schema):
    assigned: int
    hold_out: int
    contacted: int
    share: Share = Field(description="Contacted of assigned")
    minutes: Number
    contact_cost: Money | None


class BoardCampaign(Schema):
    campaign_id: UUID
    key: Key
    name: LocalText
    state: Literal["running", "paused", "completed"]
    orgs: list[OrgPath]
    starts_on: date
    ends_on: date
    primary_metric: Key
    metric_name: LocalText
    currency: Currency | None
    target: Money | None
    target_reached: float | None = Field(None, description="Incremental ÷ target")
    progress: BoardProgress
    effect: BoardEffect | None
    recommendation: BoardRecommendation | None


class BoardTotals(Schema):
    running: int
    completed: int
    customers_assigned: int
    customers_contacted: int
    incremental: Money | None = Field(
        None, description="Over results with a verdict whose metric is money in CNY"
    )
    open_recommendations: int


class StrategyBoard(Schema):
    as_of: Timestamp
    totals: BoardTotals
    campaigns: list[BoardCampaign]


class CampaignBoard(Schema):
    """Everything the one-campaign page draws, in one call."""

    campaign: BoardCampaign
    registration: CampaignRegistration
    funnel: Funnel
    series: list[SeriesPoint]
    result: CampaignResult | None
    recommendation: Recommendation | None


class FeedStatus(Schema):
    stream: str
    watermark: int = Field(description="Last sequence applied to this process's store")
    last_sequence: int
    lag: int


class FeedReport(Schema):
    streams: list[FeedStatus]
