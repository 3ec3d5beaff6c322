"""How an effect is told: a difference against another group, with its interval.

Numbers with a unit (means, differences, interval ends) travel as decimal strings; probabilities,
shares and test statistics as JSON numbers. `null` means "not computed" and a sibling `errors`
entry says why: it never means "no effect".
"""

from typing import Annotated, Literal

from pydantic import Field

from shared.contracts.base import Note, Number, Schema

Probability = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Interval = Annotated[tuple[Number, Number], Field(description="Lower and upper end at level 1 − alpha")]
Dimension = Literal["segment", "tier", "channel", "script", "branch", "manager"]
BreakdownBy = Dimension
EffectMethod = Literal[
    "welch",
    "welch+cuped",
    "newcombe",
    "delta",
    "order-statistics",
    "post-stratified",
    "post-stratified+cuped",
    "cr2",
    "cr2+cuped",
    "cluster-means",
    "cluster-means+cuped",
]


class Narrative(Schema):
    """A sentence or two for people, in Chinese and English."""

    zh: Note
    en: Note


class Relative(Schema):
    """Difference as a share of the hold-out's mean, by the delta method."""

    value: float
    ci: tuple[float, float]


class Cuped(Schema):
    theta: float
    correlation: float = Field(description="Of outcome and covariate, pooled within groups")
    variance_reduction: float = Field(description="Share of the outcome's variance removed")
    applied: bool = Field(description="False when the covariate explains too little to be worth it")


class Clustering(Schema):
    """What the interval counts where managers or branches were drawn by lot."""

    clusters: int = Field(description="Managers or branches of the group")
    clusters_hold_out: int
    df: float = Field(description="Degrees of freedom (Bell–McCaffrey)")
    icc: float | None = Field(
        description="Intraclass correlation: how alike customers of one are; null when none has two"
    )
    design_effect: float | None = Field(description="By how much that multiplies the variance")


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
    method: EffectMethod
    relative: Relative | None = None
    cuped: Cuped | None = None
    clustering: Clustering | None = Field(None, description="Null where customers were drawn")
    always_valid_ci: Interval | None = Field(
        None, description="Holds at all evaluations together; null without a standard error"
    )
    always_valid_p: Probability | None = None
