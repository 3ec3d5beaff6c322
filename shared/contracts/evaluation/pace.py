"""How fast a campaign uses up what it was given: contacts, money and sales by day."""

from datetime import date
from uuid import UUID

from pydantic import Field

from shared.contracts.base import Key, Money, Number, Schema, Timestamp


class DayPace(Schema):
    day: date = Field(description="Where the bank is")
    contacts: int
    cost: Money
    sold: dict[Key, int] = Field(description="Contacts that ended in acceptance, by the arm's offer")


class Rate(Schema):
    """Mean use of a day over the last whole days, with its 95 % interval (Student's t over days)."""

    per_day: Number
    low: Number
    high: Number


class Pace(Schema):
    """Of the reader's branches. Days without a contact are there with zeros."""

    campaign_id: UUID
    as_of: Timestamp
    days: list[DayPace]
    rate_days: int = Field(
        description="Whole days that the rates rest on; with fewer than three there are none"
    )
    cost_rate: Rate | None
    sold_rates: dict[Key, Rate]
