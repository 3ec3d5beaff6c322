"""What is offered."""

from datetime import date
from typing import Annotated

from pydantic import Field

from shared.contracts.base import (
    Code,
    Currency,
    Key,
    LocalText,
    Money,
    Number,
    Schema,
    Timestamp,
)
from shared.contracts.campaign.vocabulary import (
    LocalLongText,
    ProductRisk,
)


class OfferTerms(Schema):
    text: LocalLongText
    rate: Number | None = Field(None, description="Annual rate as a decimal: 0.0285 is 2.85 %")
    minimum: Money | None = Field(None, description="Smallest amount of one acceptance")
    tenor_days: Annotated[int, Field(ge=1, le=36_500)] | None = None


class OfferWrite(Schema):
    """`POST /v1/offers`. An offer never changes once made: new terms are a new key."""

    key: Key
    name: LocalText
    product: Code
    risk: ProductRisk = Field(description="The higher of the issuer's and the bank's own rating")
    terms: OfferTerms
    value: Money = Field(description="What one acceptance is worth to the bank", examples=["860.00"])
    currency: Currency = "CNY"
    valid_until: date | None = None


class OfferView(OfferWrite):
    created_at: Timestamp
    created_by: str
