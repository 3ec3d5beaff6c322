"""Quotes: what a customer is offered, what it costs, and who must agree."""

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from shared.contracts.base import Code, Currency, Key, LocalText, Money, Number, Schema, Timestamp
from shared.contracts.campaign.price_lists import Price, PriceKind, PriceListRef, PriceRole

QuoteStatus = Literal["draft", "in_review", "approved", "rejected", "expired"]
QuoteVerb = Literal["edit", "submit", "approve", "reject"]
QuoteConcern = Literal["discount", "below_cost", "below_floor"]
Months = Annotated[int, Field(ge=1, le=360)]
PlainNote = Annotated[str, StringConstraints(max_length=2000, pattern=r"^[^\x00]*$")]


class QuoteLineWrite(Schema):
    product: Code
    volume: Annotated[
        Money,
        Field(
            gt=0, le=1_000_000_000_000, description="Balance of a loan or deposit; units a month of a service"
        ),
    ]
    price: Price | None = Field(None, description="null: the tariff, which is the bundle's or the list's")


Lines = Annotated[list[QuoteLineWrite], Field(min_length=1, max_length=20)]


class QuoteWrite(Schema):
    """`POST /v1/price-quotes`, and `:simulate` without saving. One line a product."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "customer_id": "0192f0c5-0000-7000-8000-000000000001",
                    "price_list": "corporate-2026",
                    "months": 12,
                    "lines": [
                        {"product": "LOAN-WC", "volume": "1000000.00", "price": "0.0415"},
                        {"product": "TRANSFER", "volume": "120.00"},
                    ],
                    "bundle": "settlement",
                }
            ]
        }
    )
    customer_id: UUID
    price_list: Key = Field(description="Its newest version prices the quote")
    months: Months
    lines: Lines
    bundle: Key | None = None
    note: PlainNote = ""


class QuotePatch(Schema):
    """Replaces what you name and prices anew by the newest version of the list; a submission is void."""

    months: Months | None = None
    lines: Lines | None = None
    bundle: Key | None = Field(None, description="null, when named: no bundle")
    note: PlainNote | None = None


class PriceFigures(Schema):
    """Amounts over the quote's months, each rounded to the cent, halves away from zero, before it is summed.

    Contribution = revenue − funding − expected loss − operating cost − capital charge, as it is measured.
    """

    revenue: Money = Field(description="Interest and fees; interest paid on deposits is negative")
    funding: Money = Field(description="Funds transfer cost; a deposit's credit is negative")
    expected_loss: Money
    operating_cost: Money
    capital: Money = Field(description="Economic capital, a stock")
    capital_charge: Money
    cost: Money = Field(
        description="Full cost: funding + expected loss + operating cost + capital charge; the least revenue"
        " that loses nothing"
    )
    contribution: Money = Field(description="Revenue − cost")
    discount: Money = Field(description="Revenue by the tariff − revenue; negative above the tariff")


class QuoteLine(PriceFigures):
    """`floor_price`: the price that just covers the line's cost, rounded to six places in the bank's favour;
    for a deposit the highest rate, and negative when it would have to be.
    """

    product: Code
    name: LocalText
    kind: PriceKind
    volume: Money
    price: Price
    tariff: Price = Field(description="Price of the bundle, else of the list")
    discount_share: Number | None = Field(
        description="Share off the tariff, six places; null where a tariff of nothing was undercut"
    )
    floor_price: Number
    break_even_volume: Number | None = Field(
        description="Volume from which the line contributes, rounded up to the cent; null: none within reach"
    )


class QuoteTotals(PriceFigures):
    """Sums of the lines, and of the bundle's fee, to the cent."""

    bundle_fee: Money = Field(description="The bundle's fixed fee over the months; part of the revenue")
    subsidy: Money = Field(description="What the measured contribution allows to give away")
    floor: Money = Field(description="Cost − subsidy: the least revenue without approval from above")
    raroc: Number | None = Field(
        description="(Revenue − funding − expected loss − operating cost) a year / capital; null without"
        " capital"
    )
    fixed: Money = Field(
        description="Contribution that does not depend on volume: bundle fee − account costs"
    )
    break_even_share: Number | None = Field(
        description="Share of the quoted volumes at which the quote breaks even, rounded up to four places;"
        " 0: at any; null: none within reach"
    )


class QuoteAlternative(QuoteTotals):
    """The same volumes at another tariff. `discount` is against the single list prices."""

    bundle: Key | None = Field(description="null: every product by itself, at list prices")
    name: LocalText | None


class MeasuredContribution(Schema):
    """What the customer (with all files merged into it) contributed, as last told by the value model."""

    months: int = Field(description="Months with figures among the twelve full months before this one")
    through: date | None = Field(description="First day of the newest of them")
    contribution: Money = Field(description="Their sum")
    committed: Money = Field(
        description="A year's worth of it that other submitted or approved quotes of the customer give away"
    )


class QuoteDecision(Schema):
    """Whether the seller may grant this alone, and if not, why and who may approve."""

    needs_approval: bool
    concerns: list[QuoteConcern]
    approvers: list[PriceRole] = Field(description="Roles whose authority covers it")


class PriceSimulation(Schema):
    """A priced quote. `alternatives` sells the same volumes one by one, and in every bundle they fill."""

    customer_id: UUID
    price_list: PriceListRef
    currency: Currency
    months: int
    bundle: Key | None
    lines: list[QuoteLine]
    total: QuoteTotals
    alternatives: list[QuoteAlternative]
    measured: MeasuredContribution | None = Field(description="null: the list names no value model")
    decision: QuoteDecision


class QuoteView(PriceSimulation):
    """A saved quote. Its figures are those of its last pricing and do not move with later facts."""

    id: UUID
    status: QuoteStatus
    verbs: list[QuoteVerb] = Field(description="What its state allows; roles and authority decide besides")
    version: int
    note: str
    valid_until: date | None = Field(description="Last day it can be approved and sold on; null as a draft")
    created_at: Timestamp
    created_by: str
    edited_by: str
    submitted_at: Timestamp | None
    submitted_by: str | None
    decided_at: Timestamp | None
    decided_by: str | None = Field(description="null on an approved quote: within its seller's authority")
    decision_comment: str | None


class QuoteSummary(Schema):
    id: UUID
    customer_id: UUID
    price_list: PriceListRef
    currency: Currency
    status: QuoteStatus
    revenue: Money
    cost: Money
    floor: Money
    needs_approval: bool
    valid_until: date | None
    created_at: Timestamp
    created_by: str
    submitted_by: str | None
    version: int
