"""The feature catalogue: what can be asked about a customer."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from shared.contracts.base import Key, LocalText, Note, Schema, Timestamp


class FeatureType(StrEnum):
    number = "number"
    integer = "integer"
    money = "money"
    text = "text"
    boolean = "boolean"
    date = "date"


class Freshness(StrEnum):
    """How soon a change shows. realtime: within a second of the facts. daily: as that, and when the
    business date changes. scheduled: depends on all customers, so at the next full evaluation.
    """

    realtime = "realtime"
    daily = "daily"
    scheduled = "scheduled"


FeatureKey = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,59}$"),
    Field(
        description="A name to write in rules: lower case letters, digits, '_'", examples=["salary_to_loan"]
    ),
]
Unit = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z%][A-Za-z0-9 /%]{0,19}$"),
    Field(examples=["CNY", "day", "month"]),
]
ExpressionText = Annotated[
    str,
    Field(
        min_length=1,
        max_length=2000,
        description="Arithmetic (+ - * /) over features, measures of events such as "
        "`sum_events('card.spent', amount, 30)`, `product_balance('code')` and numbers, with coalesce, "
        "nullif, greatest, least, abs and round. Unknown in, unknown out; a division by zero is unknown",
        examples=["round(salary_90d / nullif(loan_balance, 0), 2)"],
    ),
]


class FeatureView(Schema):
    key: Key
    name: LocalText
    description: Note = ""
    type: FeatureType
    unit: str | None = Field(None, examples=["CNY", "day", "month"])
    expression: str = Field(
        description="What is computed: SQL over the feature store, or a user's expression"
    )
    lineage: list[str] = Field(
        description="Store tables, business event types and features it is made of",
        examples=[["event:transaction.posted"]],
    )
    freshness: Freshness
    missing: str = Field(description="What a customer without such facts has: `0`, `false` or `unknown`")
    built_in: bool = True
    archived: bool = False
    revision: int | None = Field(None, description="For `If-Match`; none of built-in ones")
    created_by: str | None = None
    updated_at: Timestamp | None = None


class FeatureDetail(FeatureView):
    used_by: list[str] = Field(
        description="What would change with it: features, models, segments, tier schemes and GE matrices by "
        "key, target profiles and insights by id; archived ones not",
        examples=[["model:rfm-retail", "segment:affluent-50plus"]],
    )


class FeatureCreate(Schema):
    key: FeatureKey
    name: LocalText
    description: Note = ""
    unit: Unit | None = None
    expression: ExpressionText


class FeaturePatch(Schema):
    """A new expression is refused while something uses the feature: define another one beside it."""

    name: LocalText | None = None
    description: Note | None = None
    unit: Unit | None = None
    expression: ExpressionText | None = None


class FeatureTrial(Schema):
    """An expression to try on the customers of the caller's scope before it is kept."""

    expression: ExpressionText


class FeatureTrialView(Schema):
    expression: str = Field(description="Canonical text")
    lineage: list[str]
    freshness: Freshness
    of: int = Field(description="Active customers in the caller's scope")
    known: int = Field(description="Those for whom it has a value")
    mean: float | None
    minimum: float | None
    median: float | None
    maximum: float | None
