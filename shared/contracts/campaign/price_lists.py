"""Price lists: what products are sold for and cost, and who may grant what."""

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from shared.contracts.base import Code, Currency, Key, LocalText, Money, Number, Schema, Timestamp
from shared.contracts.customer.value import Fraction, Rate

PriceKind = Literal["loan", "deposit", "fee"]
PriceRole = Literal["manager", "branch_head", "strategist", "approver"]
PriceReach = Literal["cost", "floor", "any"]
PriceListState = Literal["in_review", "approved", "rejected"]
PricePart = Literal["list", "product", "bundle", "bundle_price", "authority"]
PriceListRef = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,79}@[1-9][0-9]{0,5}$"),
    Field(description="A price list at a version", examples=["corporate-2026@2"]),
]
Price = Annotated[
    Number,
    Field(
        ge=0,
        le=1_000_000,
        decimal_places=6,
        description="Annual rate of a loan or deposit (0.0435 is 4.35 %); amount per unit of a service",
        examples=["0.0435"],
    ),
]


class PriceTerms(Schema):
    """What one product is sold for and costs. Rates are annual; a month counts as a twelfth of a year."""

    product: Code
    name: LocalText
    kind: PriceKind
    list_price: Price
    funding_rate: Rate = Field(
        Decimal(0), description="Funds transfer price: charged for a loan, credited for a deposit"
    )
    pd: Fraction = Field(Decimal(0), description="Probability of default a year")
    lgd: Fraction = Field(Decimal(0), description="Loss given default")
    exposure: Fraction = Field(Decimal(1), description="Exposure at default as a share of the volume")
    risk_weight: Annotated[Number, Field(ge=0, le=Decimal("12.5"), decimal_places=6)] = Decimal(0)
    account_cost: Annotated[Money, Field(ge=0, le=1_000_000)] = Field(
        Decimal(0), description="Operating cost of the account a month"
    )
    unit_cost: Annotated[Number, Field(ge=0, le=1_000_000, decimal_places=6)] = Field(
        Decimal(0), description="Operating cost of one unit of a service"
    )

    @model_validator(mode="after")
    def fits_its_kind(self) -> Self:
        if self.kind != "fee" and self.list_price > 1:
            raise ValueError("list_price of a loan or deposit is a rate, at most 1")
        if self.kind == "fee" and (self.funding_rate or self.risk_weight or self.pd * self.lgd):
            raise ValueError("a service has no funding, loss or capital")
        if self.kind == "deposit" and (self.risk_weight or self.pd * self.lgd):
            raise ValueError("a deposit has no loss or capital")
        if self.kind != "fee" and self.unit_cost:
            raise ValueError("unit_cost is for services")
        return self


class BundlePrice(Schema):
    product: Code
    price: Price


class Bundle(Schema):
    """Products sold together at prices of their own, for a fixed monthly fee or none."""

    key: Key
    name: LocalText
    prices: Annotated[list[BundlePrice], Field(min_length=1, max_length=20)]
    monthly_fee: Annotated[Money, Field(ge=0, le=1_000_000)] = Decimal(0)


class DiscountAuthority(Schema):
    """What one role may grant by itself or approve for others.

    `reach` is how far down it may approve: to full cost, to the floor, or any price. No role goes below cost
    without a second person.
    """

    role: PriceRole
    discount: Fraction = Field(description="Largest share off the tariff on any line", examples=["0.05"])
    reach: PriceReach = "cost"


class PriceListWrite(Schema):
    """`POST /v1/price-lists`: each post of a key makes its next version; a version never changes."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "key": "corporate-2026",
                    "name": {"zh": "对公价目 2026", "en": "Corporate prices 2026"},
                    "capital_ratio": "0.105",
                    "hurdle": "0.12",
                    "value_model": "standard",
                    "subsidy_share": "0.3",
                    "products": [
                        {
                            "product": "LOAN-WC",
                            "name": {"zh": "流动资金贷款", "en": "Working capital loan"},
                            "kind": "loan",
                            "list_price": "0.0435",
                            "funding_rate": "0.021",
                            "pd": "0.012",
                            "lgd": "0.45",
                            "risk_weight": "0.75",
                            "account_cost": "150.00",
                        },
                        {
                            "product": "TRANSFER",
                            "name": {"zh": "汇款", "en": "Transfer"},
                            "kind": "fee",
                            "list_price": "5",
                            "unit_cost": "1.2",
                        },
                    ],
                    "bundles": [
                        {
                            "key": "settlement",
                            "name": {"zh": "结算套餐", "en": "Settlement package"},
                            "prices": [{"product": "TRANSFER", "price": "2.5"}],
                            "monthly_fee": "200.00",
                        }
                    ],
                    "authority": [
                        {"role": "manager", "discount": "0.05"},
                        {"role": "branch_head", "discount": "0.15", "reach": "floor"},
                        {"role": "approver", "discount": "1", "reach": "any"},
                    ],
                }
            ]
        }
    )
    key: Key
    name: LocalText
    currency: Currency = "CNY"
    capital_ratio: Fraction = Field(Decimal(0), description="Economic capital per risk-weighted exposure")
    hurdle: Fraction = Field(Decimal(0), description="What a year of capital must earn")
    value_model: Code | None = Field(
        None, description="Value model whose measured contribution may subsidise a quote; null: none may"
    )
    subsidy_share: Fraction = Field(
        Decimal(0), description="Share of the measured contribution that quotes may give away"
    )
    quote_days: Annotated[int, Field(ge=1, le=365)] = Field(
        30, description="Days a quote stays good, counted from its submission"
    )
    products: Annotated[list[PriceTerms], Field(min_length=1, max_length=500)]
    bundles: Annotated[list[Bundle], Field(max_length=50)] = Field(default_factory=list)
    authority: Annotated[list[DiscountAuthority], Field(max_length=4)] = Field(default_factory=list)

    @model_validator(mode="after")
    def consistent(self) -> Self:
        kinds = {terms.product: terms.kind for terms in self.products}
        if len(kinds) < len(self.products):
            raise ValueError("products has two terms for one product")
        if len({bundle.key for bundle in self.bundles}) < len(self.bundles):
            raise ValueError("bundles has two of one key")
        if len({level.role for level in self.authority}) < len(self.authority):
            raise ValueError("authority has two levels for one role")
        for bundle in self.bundles:
            named = [line.product for line in bundle.prices]
            if len(set(named)) < len(named) or not kinds.keys() >= set(named):
                raise ValueError(f"bundle {bundle.key} names a product twice or one without terms")
            if any(kinds[line.product] != "fee" and line.price > 1 for line in bundle.prices):
                raise ValueError(f"bundle {bundle.key} has a rate above 1")
        return self


class PriceListView(PriceListWrite):
    version: int
    ref: PriceListRef
    created_at: Timestamp
    created_by: str
    state: PriceListState = Field(description="Quotes are priced by the newest that is approved")
    decided_at: Timestamp | None = None
    decided_by: str | None = Field(None, description="Never who wrote it")
    comment: str | None = Field(None, description="Of whoever decided")


class PreviewedTerms(Schema):
    """One product, a year of the volume that is shown; prices as rates or amounts a unit, as in the list."""

    product: Code
    name: LocalText
    kind: PriceKind
    volume: Money
    list_price: Number
    before: Number | None = Field(description="In the list in force; null where it was not sold")
    floor_price: Number = Field(description="The price that just covers its cost; of a deposit the highest")


class PriceChange(Schema):
    """One term that differs. Of a part that is new or gone only what it does not leave at its default."""

    part: PricePart
    key: str = Field(
        description="Product, package or role; package/product for a package price; of the list itself empty"
    )
    term: str = Field(examples=["list_price"])
    before: str | None
    after: str | None


class PriceListPreview(Schema):
    ref: PriceListRef = Field(description="The version it would become, or is")
    base: PriceListRef | None = Field(description="The list in force that it is compared with")
    products: list[PreviewedTerms]
    dropped: list[Code] = Field(description="Products of the list in force that it sells no more")
    changes: list[PriceChange] = Field(description="All that it changes")
