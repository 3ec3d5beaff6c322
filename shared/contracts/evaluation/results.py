"""What was registered of a campaign, and what it changed."""

from datetime import date
from typing import Literal
from uuid import UUID

from pydantic import Field

from shared.contracts.base import Currency, Key, LocalText, Money, Number, OrgPath, Schema, Share, Timestamp
from shared.contracts.evaluation.effects import ArmEffect, BreakdownBy, Dimension, Interval, Probability
from shared.contracts.evaluation.scripts import ScriptEffects
from shared.contracts.events import RegisteredArm
from shared.contracts.metrics import Better


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
    """The effect inside one cell, treated arms pooled, against the hold-out of the same cell. The hold-out
    has no script: that of a cell by script is everybody held out who is alike in the other dimensions.
    """

    dimension: str = Field(examples=["segment"])
    values: dict[BreakdownBy, str] = Field(examples=[{"segment": "affluent-50plus-active"}])
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
    by: list[BreakdownBy]
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
    scripts: ScriptEffects | None = Field(
        None,
        description="By version of script; null while the split is not what was declared or no window has"
        " passed",
    )
    errors: list[EvaluationError]
    method: Method
    recommendation_id: UUID


class EvaluateRequest(Schema):
    """An empty body evaluates as registered."""

    primary_metric: Key | None = Field(
        None, description="If given, must be the registered one: another cannot become primary afterwards"
    )
