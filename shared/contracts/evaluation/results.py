"""What was registered of a campaign, and what it changed."""

from datetime import date
from typing import Literal
from uuid import UUID

from pydantic import Field

from shared.contracts.base import Currency, Key, LocalText, Money, Number, OrgPath, Schema, Share, Timestamp
from shared.contracts.drawing import DrawnUnit
from shared.contracts.evaluation.effects import (
    ArmEffect,
    BreakdownBy,
    Cuped,
    Dimension,
    EffectMethod,
    Interval,
    Narrative,
    Probability,
)
from shared.contracts.evaluation.heterogeneity import DimensionHeterogeneity, ShrunkEffect
from shared.contracts.evaluation.scripts import ScriptEffects
from shared.contracts.evaluation.windows import WindowEffect
from shared.contracts.events import RegisteredArm
from shared.contracts.metrics import Better
from shared.contracts.stopping import FixedStop, Margins, StopRule


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
    unit: DrawnUnit = Field("customer", description="What was drawn by lot, and is counted as evidence")
    stop: StopRule = Field(default_factory=FixedStop)
    margins: Margins = Field(default_factory=dict)
    content_hash: str = Field(description="SHA-256 of the registration as received")


class HealthCheck(Schema):
    check: str = Field(examples=["srm"])
    ok: bool
    p_value: Probability | None = None
    detail: str = Field(description="What was found, in English")
    finding: Narrative | None = Field(
        None, description="`detail` in both languages; null in results of earlier versions"
    )
    observed: dict[str, int] = Field(default_factory=dict)
    withholds: bool = Field(True, description="False: for information, whatever it finds")
    reading: Narrative | None = Field(None, description="Why it matters, and what to do where it is not ok")


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
    post_stratified: ArmEffect | None = Field(
        None,
        description="The same once more, within segments and branches: close to `overall`, which decides."
        " Null for ratios and quantiles, and where managers or branches were drawn",
    )


class GuardrailEffect(Schema):
    metric: Key
    better: Better
    overall: ArmEffect | None
    harmed: bool = Field(description="By the method: harm is shown, or more than the margin not ruled out")
    method: Literal["harm", "non_inferiority"] = Field(
        "harm",
        description="`harm`: the interval lies wholly on the worse side. `non_inferiority`, where a margin"
        " was registered: the interval reaches beyond the margin on the worse side",
    )
    margin: Number | None = Field(None, description="By how much it may get worse, as registered")


class MoneyPart(Schema):
    """One part of the contribution over all treated, in CNY; what it costs is negative."""

    metric: Key = Field(description="The primary metric, or one that it cannibalises")
    part: Literal["margin", "fee", "expected_loss", "capital", "operating_cost", "contribution"]
    amount: Money


class MoneyResult(Schema):
    """What the campaign changed in total: the effect per customer times the customers treated."""

    treated: int
    incremental: Number = Field(description="In units of the primary metric")
    ci: Interval
    currency: Currency | None
    incremental_contribution: Money | None = Field(
        None,
        description="Incremental × what a unit contributes, net of the funds transfer price, expected loss"
        " and capital, and of what changed in the metrics it cannibalises",
    )
    contribution_ci: tuple[Money, Money] | None = None
    parts: list[MoneyPart] = Field(default_factory=list, description="What the contribution is the sum of")
    contact_cost: Money | None = Field(
        None, description="Sum of recorded contact costs; null when none was recorded"
    )
    net: Money | None = Field(None, description="Contribution less contact cost, as far as it was recorded")
    net_ci: tuple[Money, Money] | None = None
    minutes: Number = Field(description="Manager minutes recorded")
    contacts: int
    roi: float | None = Field(None, description="(contribution − cost) / cost, when both are known")
    payback_days: int | None = Field(
        None,
        description="When the contribution, coming in evenly over the life of a unit, has paid for the"
        " contacts; null when it never does, and without `economics` that say how long a unit stays",
    )


class BreakdownRow(Schema):
    """The effect inside one cell, treated arms pooled, against the hold-out of the same cell. The hold-out
    has no script and no channel: that of a cell by one is everybody held out who is alike in the other
    dimensions.
    """

    dimension: str = Field(examples=["segment"])
    values: dict[BreakdownBy, str] = Field(
        description="`(none)`: the customer had no tier or no manager when assigned, or nobody said",
        examples=[{"segment": "affluent-50plus-active"}],
    )
    n: int
    n_hold_out: int
    mean: Number | None = None
    mean_hold_out: Number | None = None
    difference: Number | None = None
    ci: Interval | None = None
    p_value: Probability | None = None
    q_value: Probability | None = Field(
        None, description="Benjamini–Hochberg over all cells, also those that `top` leaves out"
    )
    se: Number | None = None
    method: EffectMethod | None = None
    cuped: Cuped | None = None
    shrunk: ShrunkEffect | None = Field(
        None, description="Of a single dimension, where effects can be pooled"
    )
    error: str | None = Field(None, description="Why there is no effect in this cell")
    error_code: str | None = Field(None, examples=["too-few"])


class Breakdown(Schema):
    campaign_id: UUID
    by: list[BreakdownBy]
    metric: Key
    data_until: Timestamp
    cells: int = Field(description="How many the dimensions make; `rows` are fewer where `top` is")
    rows: list[BreakdownRow]
    heterogeneity: DimensionHeterogeneity | None = Field(
        None, description="Of all cells of a single dimension"
    )
    not_pooled: str | None = Field(
        None, description="Why neither heterogeneity nor shrunk effects are given for a single dimension"
    )


class Stopping(Schema):
    """Whether the primary effect may be read now, by the rule that was registered."""

    rule: Literal["fixed", "always_valid", "group_sequential"]
    final: bool = Field(description="Every outcome window has passed: the last look")
    information: Share = Field(
        description="Customers whose outcome window has passed, of those planned for or assigned"
    )
    look: int | None = Field(None, description="Of a planned look, its number from 1; null between looks")
    bound: float | None = Field(None, description="What |z| has to exceed to be read now")
    z: float | None = Field(None, description="Difference over its standard error")
    ci: Interval | None = Field(
        None,
        description="The interval that decides, by the rule; null where no bound is given at this moment",
    )
    crossed: bool = Field(description="Zero is left out by this look, or was by an earlier planned one")
    readable: bool = Field(description="`final` or `crossed`: a conclusion may be drawn")


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
    stopping: Stopping | None = Field(
        None, description="Null while the verdict is withheld, and of results of earlier versions"
    )
    breakdown: list[BreakdownRow]
    scripts: ScriptEffects | None = Field(
        None,
        description="By version of script; null while the split is not what was declared or no window has"
        " passed",
    )
    windows: list[WindowEffect] = Field(
        default_factory=list,
        description="Where the primary metric declares further windows: the effect in each, shortest first;"
        " empty while the verdict is withheld",
    )
    errors: list[EvaluationError]
    method: Method
    recommendation_id: UUID


class EvaluateRequest(Schema):
    """An empty body evaluates as registered."""

    primary_metric: Key | None = Field(
        None, description="If given, must be the registered one: another cannot become primary afterwards"
    )
