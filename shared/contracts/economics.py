"""What one unit of a metric is worth to the bank, by parts."""

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from shared.contracts.base import Number, Schema

Rate = Annotated[Number, Field(ge=-10, le=10, decimal_places=10, examples=["0.0145"])]
Cost = Annotated[Number, Field(ge=0, le=10, decimal_places=10)]


class Economics(Schema):
    """A unit is what the metric counts: one CNY of a sum, one event of a count, one customer of a proportion.

    Contribution of a unit = fee + exposure × days/365 × (margin − expected loss − capital charge) − operating
    cost, where the capital charge is risk weight × capital ratio × hurdle rate.
    """

    margin: Rate = Field(
        description="A year, per CNY of exposure, net of the funds transfer price: what customers pay less"
        " that price, or that price less what customers are paid for their funds; may be negative"
    )
    exposure: Number = Field(
        gt=0,
        le=1_000_000_000_000,
        decimal_places=2,
        default=Decimal(1),
        description="CNY outstanding per unit; 1 where the metric itself is in CNY",
    )
    days: int = Field(ge=1, le=3650, description="How long a unit stays on average", examples=[180])
    fee: Number = Field(
        default=Decimal(0), ge=0, le=1_000_000, decimal_places=10, description="Once per unit, in CNY"
    )
    expected_loss: Cost = Field(default=Decimal(0), description="PD × LGD a year, per CNY of exposure")
    risk_weight: Cost = Field(default=Decimal(0), description="Of the exposure", examples=["0.75"])
    capital_ratio: Cost = Field(default=Decimal(0), description="Capital held per risk-weighted CNY")
    hurdle: Cost = Field(default=Decimal(0), description="What capital has to earn a year")
    operating_cost: Number = Field(
        default=Decimal(0), ge=0, le=1_000_000, decimal_places=10, description="Once per unit, in CNY"
    )
