"""The feature catalogue: what can be asked about a customer."""

from enum import StrEnum

from pydantic import Field

from shared.contracts.base import Key, LocalText, Schema


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


class FeatureView(Schema):
    key: Key
    name: LocalText
    type: FeatureType
    unit: str | None = Field(None, examples=["CNY", "day", "month"])
    expression: str = Field(description="What is computed, in SQL over the feature store's columns")
    lineage: list[str] = Field(
        description="Store tables and business event types it is made of",
        examples=[["event:transaction.posted"]],
    )
    freshness: Freshness
    missing: str = Field(description="What a customer without such facts has: `0`, `false` or `unknown`")
