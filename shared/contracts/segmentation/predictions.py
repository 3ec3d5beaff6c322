"""What models that predict are asked for, and what they say of how good they are."""

from typing import Annotated, Literal

from pydantic import Field, JsonValue, StringConstraints

from shared.contracts.base import Code, Key, LocalText, Schema, Share
from shared.contracts.segmentation.clusters import StabilityLevel

EventType = Annotated[
    str, StringConstraints(pattern=r"^[a-z][a-z0-9_.-]{0,79}$"), Field(examples=["product.opened"])
]
Features = Annotated[
    list[Key],
    Field(
        min_length=1,
        max_length=40,
        description="Built in or defined by people, but only of what is known of earlier moments: events, "
        "balances, contributions, and dates fixed for life",
    ),
]
Horizon = Annotated[
    int,
    Field(
        ge=7,
        le=365,
        description="Days h. Learnt from customers as they were 2h ago and what became of them until h ago, "
        "validated on those of h ago and what became of them until now, told of today's",
    ),
]
Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]
Sample = Annotated[int, Field(ge=200, le=200_000, description="At most so many customers are learnt from")]
Positive = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]

_CHURN_FEATURES = (
    "aum",
    "aum_change_90d",
    "aum_trend",
    "deposit_balance",
    "wealth_share",
    "product_count",
    "maturing_30d",
    "loan_balance",
    "txn_count_30d",
    "txn_count_90d",
    "txn_trend",
    "net_inflow_30d",
    "outflow_ratio_30d",
    "last_txn_days",
    "login_count_30d",
    "last_login_days",
    "card_spend_90d",
    "salary_flag",
    "contact_count_90d",
    "complaint_count_180d",
    "tenure_months",
    "age",
)


class ChurnDefinition(Schema):
    """Who counts as lost: assets fell by `fall` or more, with at most `most_activity` events, within the
    horizon. Asked of customers with at least `least_assets` at its beginning.
    """

    horizon_days: Horizon = 90
    fall: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 0.5
    activity: Annotated[list[EventType], Field(min_length=1, max_length=20)] = Field(
        ["transaction.posted", "card.spent", "login"], description="Types of the events that count"
    )
    most_activity: Annotated[int, Field(ge=0, le=10_000)] = 1
    least_assets: Positive = 1_000.0


class ChurnParameters(ChurnDefinition):
    """Warned is who belongs to the `top_share` with the highest risk and has at least `least_probability`."""

    features: Features = Field(list(_CHURN_FEATURES))
    top_share: Annotated[float, Field(gt=0, le=0.5, allow_inf_nan=False)] = 0.05
    least_probability: Share = 0.1
    seed: Seed = 0
    sample: Sample = 100_000


class PropensityParameters(Schema):
    """Whether an event of type `event` (of one `product`) happens within the horizon."""

    event: EventType
    product: Code | None = None
    only_new: bool = Field(
        False, description="Ask only customers to whom it had not happened within one horizon before"
    )
    horizon_days: Horizon = 30
    features: Features = Field(list(_CHURN_FEATURES))
    top_share: Annotated[
        float, Field(gt=0, le=0.5, allow_inf_nan=False, description="Reasons are given for these")
    ] = 0.05
    seed: Seed = 0
    sample: Sample = 100_000


class ClvParameters(Schema):
    """What a customer is worth in the next `months`, discounted.

    `contribution`: Σ of survival · monthly contribution · discount; survival by a churn model of its own.
    `purchases`: purchases expected by BG/NBD, each worth what Gamma–Gamma expects, times the margin. A
    purchase is a day with at least one of the `events`.
    """

    method: Literal["contribution", "purchases"]
    months: Annotated[int, Field(ge=1, le=120)] = 36
    yearly_rate: Share = 0.08
    averaged_over: Annotated[
        int, Field(ge=1, le=12, description="contribution: newest months whose mean is carried forward")
    ] = 3
    churn: ChurnDefinition = Field(ChurnDefinition(), description="contribution: what ends it")
    features: Features = Field(list(_CHURN_FEATURES), description="contribution: what survival is told from")
    events: Annotated[list[EventType], Field(min_length=1, max_length=10)] = Field(
        ["card.spent"], description="purchases: what counts as one; each has an amount"
    )
    margin: Annotated[
        float,
        Field(gt=0, le=1, allow_inf_nan=False, description="purchases: share of it that the bank keeps"),
    ] = 0.01
    seed: Seed = 0
    sample: Sample = 100_000


class CalibrationBin(Schema):
    predicted: Share = Field(description="Mean predicted probability")
    observed: Share = Field(description="Share to whom it happened")
    customers: int


class ValidationView(Schema):
    """How the model did on customers of a later moment than it was fitted on."""

    learnt_at: str = Field(description="RFC 3339: the moment whose customers it was fitted on")
    validated_at: str = Field(description="RFC 3339: the later moment it was tried on")
    customers: int
    outcomes: int
    base_rate: Share
    auc: Share
    pr_auc: Share
    lift: float = Field(description="In the tenth with the highest scores, against the mean")
    brier: float
    brier_reference: float = Field(description="Of saying the mean of these customers for everybody")
    gains: list[Share] = Field(description="Share of all outcomes in the first 10 %, 20 % … 100 % by score")
    calibration: list[CalibrationBin]


class Population(Schema):
    """Whether today's customers resemble those learnt from: below 0.1 they do, above 0.25 they do not."""

    feature: Key = Field(description="`score` for the score itself")
    name: LocalText
    psi: float
    level: StabilityLevel


class PredictionReport(Schema):
    validation: ValidationView
    stability: list[Population]
    importance: list[dict[str, JsonValue]] = Field(
        description="Features by mean strength of their contributions among the customers with reasons"
    )
