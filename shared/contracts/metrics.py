"""Metric definitions: what counts as an outcome, as data."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from shared.contracts.base import Currency, Key, LocalText, Number, Schema, Timestamp

EventType = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)*$", max_length=80)]
EventField = Literal["direction", "channel", "product", "currency", "granted"]


class MetricKind(StrEnum):
    SUM = "sum"
    COUNT = "count"
    PROPORTION = "proportion"


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


class MetricSource(Schema):
    """Where a metric's outcome comes from: customer events only.

    Results of a contact are not a source: a customer who was left alone can have none, so the
    comparison with the hold-out would favour the campaign whatever it did.
    """

    events: list[EventSource] = Field(min_length=1, max_length=20)


class MetricCreate(Schema):
    key: Key = Field(examples=["salary_in_60d"])
    name: LocalText
    kind: MetricKind = Field(
        description="sum of `amount`, count of events, or proportion of customers with any"
    )
    window_days: int = Field(ge=1, le=365, description="Days after assignment that count", examples=[30])
    source: MetricSource
    better: Better = Better.HIGHER
    currency: Currency | None = Field(None, description="Of a sum; null for counts and proportions")
    covariate: bool = Field(
        False,
        description="Use the same quantity over the window before assignment to reduce variance (CUPED)",
    )
    unit_contribution: Number | None = Field(
        None,
        ge=0,
        le=1_000_000,
        decimal_places=10,
        description="Contribution to the bank of one unit of this metric, in CNY; without it no return",
        examples=["0.0145"],
    )


class Metric(MetricCreate):
    built_in: bool
    created_at: Timestamp | None = Field(None, description="Null for built-in metrics")
