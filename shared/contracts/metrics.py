"""Metric definitions: what counts as an outcome, as data."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from shared.contracts.base import Code, Currency, Key, LocalText, Number, Schema, Timestamp
from shared.contracts.economics import Economics

EventType = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)*$", max_length=80)]
EventField = Literal["direction", "channel", "product", "currency", "granted"]
Days = Annotated[int, Field(ge=1, le=365)]


class MetricKind(StrEnum):
    SUM = "sum"
    COUNT = "count"
    PROPORTION = "proportion"
    RATIO = "ratio"
    QUANTILE = "quantile"
    BALANCE = "balance"
    RETENTION = "retention"


class Better(StrEnum):
    HIGHER = "higher"
    LOWER = "lower"


class EventSource(Schema):
    """Customer events that count towards a metric, and with which sign."""

    type: EventType = Field(examples=["transaction.posted"])
    sign: Literal[1, -1] = 1
    where: dict[EventField, str] = Field(
        default_factory=dict, description="Equality conditions on the event's own fields"
    )
    counts: Literal["amount", "one"] | None = Field(
        None,
        description="What an event counts for. By default its amount, and one in a count, a proportion and"
        " the denominator of a ratio",
    )


class BalanceSource(Schema):
    """Balances of a customer's accounts by business date; a customer without an account has 0."""

    categories: list[str] = Field(
        default_factory=list,
        max_length=20,
        description="Product categories that count; all but debts (`loan`, `card`) when empty",
        examples=[["demand", "time_deposit"]],
    )
    products: list[Code] = Field(default_factory=list, max_length=50, description="Only these, when given")
    currency: Currency = "CNY"
    inflow_days: Days = Field(
        30, description="Of a retention: what came in within so many days after assignment"
    )


class MetricSource(Schema):
    """Where a metric's outcome comes from: customer events and balances only.

    Results of a contact are not a source: a customer who was left alone can have none, so the
    comparison with the hold-out would favour the campaign whatever it did.
    """

    events: list[EventSource] = Field(
        default_factory=list, max_length=20, description="What counts; of a retention, what came in"
    )
    denominator: list[EventSource] = Field(
        default_factory=list, max_length=20, description="Of a ratio: what it is divided by"
    )
    balance: BalanceSource | None = Field(None, description="Of a balance and a retention")


class Winsorise(Schema):
    """Outcomes beyond these quantiles of everybody, treated and held out together, count as the quantile."""

    lower: float = Field(0.0, ge=0, lt=0.5, allow_inf_nan=False)
    upper: float = Field(ge=0.5, le=1, allow_inf_nan=False, examples=[0.99])


class MetricCreate(Schema):
    key: Key = Field(examples=["salary_in_60d"])
    name: LocalText
    kind: MetricKind = Field(
        description="`sum` of amounts, `count` of events, `proportion` of customers with any event, `ratio`"
        " of the sums of two kinds of events, `quantile` of customers' sums, `balance`: what customers hold"
        " when the window ends less what they held at assignment, `retention`: the share of what came in that"
        " is still there when the window ends"
    )
    window_days: Days = Field(description="Days after assignment that count", examples=[30])
    source: MetricSource
    better: Better = Better.HIGHER
    currency: Currency | None = Field(
        None, description="Of a sum, a balance or a quantile of sums; null where the unit is not money"
    )
    covariate: bool = Field(
        False,
        description="Reduce variance (CUPED) by the same quantity over the window before assignment; of a"
        " balance, by the balance at assignment",
    )
    unit_contribution: Number | None = Field(
        None,
        ge=0,
        le=1_000_000,
        decimal_places=10,
        description="Contribution to the bank of one unit of this metric, in CNY; without it no return",
        examples=["0.0145"],
    )
    economics: Economics | None = Field(
        None, description="What one unit contributes by parts, in place of `unit_contribution`"
    )
    cannibalises: list[Key] = Field(
        default_factory=list,
        max_length=5,
        description="Metrics of other products that this one may take from: what changes in them is valued"
        " and counted too. Sums, counts, proportions and balances with a unit contribution or economics",
    )
    windows: list[Days] = Field(
        default_factory=list,
        max_length=5,
        description="Further windows in days: results tell the effect in each, with the share of exposures"
        " that have lived through it",
        examples=[[60, 90]],
    )
    quantile: float | None = Field(
        None,
        gt=0,
        lt=1,
        allow_inf_nan=False,
        description="Which quantile, of that kind. Quantiles do not add up from cells: there is one for each"
        " arm and for all, and no breakdown",
        examples=[0.5],
    )
    winsorise: Winsorise | None = Field(None, description="Of a sum, a count or a balance")


class Metric(MetricCreate):
    built_in: bool
    created_at: Timestamp | None = Field(None, description="Null for built-in metrics")
