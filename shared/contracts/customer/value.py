"""Value (contribution): the bank's model of it, its monthly runs, and what they found."""

from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from shared.contracts.base import Code, Currency, LocalText, Money, Number, OrgPath, Schema, Timestamp
from shared.contracts.customer.vocabulary import EventTypeName, Month, ProductCategory, RiskLevel

Rate = Annotated[Number, Field(ge=-1, le=1, decimal_places=8)]
Fraction = Annotated[Number, Field(ge=0, le=1, decimal_places=8)]
Tariff = Annotated[Number, Field(ge=-100_000, le=100_000, decimal_places=8)]
FieldName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
BalanceSide = Literal["asset", "liability", "service"]
PeerTrait = Literal["kind", "org_level", "aum_band", "risk_level", "industry", "occupation", "gender"]
ValueRunState = Literal["queued", "running", "current", "superseded", "failed", "cancelled"]


class ForProducts(Schema):
    """Which products a term is for: one product, a category, or, without either, all others."""

    product: Code | None = None
    category: ProductCategory | None = None

    @model_validator(mode="after")
    def one_of_both(self) -> Self:
        if self.product is not None and self.category is not None:
            raise ValueError("give product or category, not both")
        return self


class CurvePoint(Schema):
    """The internal price of money for a term."""

    days: Annotated[int, Field(ge=1, le=36_500)]
    rate: Rate


class FundingTerm(ForProducts):
    """What a balance earns a year: `margin`, or the curve at `tenor_days` against `customer_rate`.

    The bank's assets earn customer rate − funds transfer price, its liabilities the opposite; `service` is
    for balances that are not on the bank's books (wealth plans, funds): they earn their margin.
    """

    side: BalanceSide
    margin: Rate | None = None
    customer_rate: Rate | None = None
    tenor_days: Annotated[int, Field(ge=1, le=36_500)] | None = None
    day_count: Literal[360, 365] = 365

    @model_validator(mode="after")
    def one_source(self) -> Self:
        priced = (self.customer_rate is not None, self.tenor_days is not None)
        if (self.margin is not None) == any(priced) or any(priced) != all(priced):
            raise ValueError("give either margin, or customer_rate with tenor_days")
        if self.side == "service" and self.margin is None:
            raise ValueError("a service has a margin")
        return self


class EventRate(Schema):
    """An amount for each event: `fixed` + `rate` × the number in `field`.

    Booked to the product the event names, else to that of the account it names, else to `book_to`.
    """

    event_type: EventTypeName
    product: Code | None = Field(None, description="Only events of this product")
    field: FieldName | None = None
    rate: Tariff = Decimal(1)
    fixed: Tariff = Decimal(0)
    book_to: Code


class LossTerm(ForProducts):
    """Expected loss a year: probability of default × loss given default, by the customer's risk level."""

    band: RiskLevel | None = Field(None, description="Null: every other risk level, and none")
    pd: Fraction
    lgd: Fraction


class AccountCost(ForProducts):
    """What keeping one account costs a month."""

    monthly: Annotated[Money, Field(ge=0, le=1_000_000)]


class CapitalTerm(ForProducts):
    risk_weight: Annotated[Number, Field(ge=0, le=Decimal("12.5"), decimal_places=6)]


class ConversionRate(Schema):
    """One unit of `currency` in the model's currency, in one month."""

    month: Month
    currency: Currency
    rate: Annotated[Number, Field(gt=0, le=1_000_000, decimal_places=8)]


def _usual_peers() -> list[PeerTrait]:
    return ["kind", "org_level", "aum_band"]


class PeerGroups(Schema):
    """Who is compared with whom: customers equal in all these traits."""

    by: Annotated[list[PeerTrait], Field(max_length=7)] = Field(default_factory=_usual_peers)
    aum_bands: Annotated[list[Annotated[Money, Field(gt=0)]], Field(max_length=12)] = Field(
        default_factory=lambda: [Decimal(50_000), Decimal(300_000), Decimal(1_000_000), Decimal(6_000_000)],
        description="Lower bounds of the bands above the first, ascending",
    )
    minimum: Annotated[int, Field(ge=1, le=100_000)] = Field(
        20, description="A smaller group is no benchmark"
    )

    @model_validator(mode="after")
    def ascending(self) -> Self:
        if any(low >= high for low, high in pairwise(self.aum_bands)):
            raise ValueError("aum_bands must ascend")
        if len(set(self.by)) < len(self.by):
            raise ValueError("by names a trait twice")
        return self


class ValueModelWrite(Schema):
    """``PUT /v1/value-models/{code}``. The most specific term counts: product, category, all others.

    Without a funding term a product earns the margin of the catalogue. Annual rates count by days:
    margins by their term's day count, losses and the hurdle by the model's.
    """

    name: LocalText
    currency: Currency = "CNY"
    day_count: Literal[360, 365] = 365
    curve: Annotated[list[CurvePoint], Field(max_length=100)] = Field(default_factory=list)
    funding: Annotated[list[FundingTerm], Field(max_length=500)] = Field(default_factory=list)
    fees: Annotated[list[EventRate], Field(max_length=200)] = Field(default_factory=list)
    losses: Annotated[list[LossTerm], Field(max_length=1000)] = Field(default_factory=list)
    account_costs: Annotated[list[AccountCost], Field(max_length=500)] = Field(default_factory=list)
    event_costs: Annotated[list[EventRate], Field(max_length=200)] = Field(default_factory=list)
    capital: Annotated[list[CapitalTerm], Field(max_length=500)] = Field(default_factory=list)
    capital_ratio: Fraction = Decimal(0)
    hurdle: Fraction = Decimal(0)
    rates: Annotated[list[ConversionRate], Field(max_length=5000)] = Field(default_factory=list)
    peers: PeerGroups = Field(default_factory=PeerGroups)
    schedule: bool = Field(False, description="Run for the month past on the first working day of each month")

    @model_validator(mode="after")
    def consistent(self) -> Self:
        days = [point.days for point in self.curve]
        if any(low >= high for low, high in pairwise(days)):
            raise ValueError("curve must ascend by days")
        if not self.curve and any(term.tenor_days for term in self.funding):
            raise ValueError("curve is needed by a funding term with tenor_days")
        for name in ("funding", "losses", "account_costs", "capital"):
            keys = [(t.product, t.category, getattr(t, "band", None)) for t in getattr(self, name)]
            if len(set(keys)) < len(keys):
                raise ValueError(f"{name} has two terms for the same products")
        pairs = [(rate.month, rate.currency) for rate in self.rates]
        if len(set(pairs)) < len(pairs):
            raise ValueError("rates has two rates for one month and currency")
        return self


class ValueModelView(ValueModelWrite):
    code: Code
    version: int
    changed_at: Timestamp
    changed_by: str


class ValueRunWrite(Schema):
    """``POST /v1/value-models/{code}:run``: a month that has begun; the present one counts to date."""

    month: Month
    reason: Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00-\x1f]*$")] | None = Field(
        None, description="Why; needed when the month was calculated before"
    )


class ValueFigures(Schema):
    """Sums in the model's currency; every row they sum is rounded to the cent, halves away from zero."""

    average_balance: Money = Field(description="A stock: of several months that of the last")
    ftp_margin: Money
    fees: Money
    expected_loss: Money
    operating_cost: Money
    capital: Money = Field(description="Economic capital; a stock as `average_balance`")
    capital_charge: Money
    contribution: Money = Field(
        description="Margin + fees − expected loss − operating cost − capital charge, which is EVA"
    )


class ValueTotals(ValueFigures):
    raroc: Number | None = Field(
        description="(Margin + fees − expected loss − operating cost) a year / economic capital, to compare"
        " with the hurdle; null without capital"
    )


class ValueRunView(Schema):
    """One calculation of one month. `totals` are those of the organisations you see."""

    id: UUID
    model: Code
    model_version: int
    month: Month
    through: str = Field(description="Last day that counts", examples=["2026-10-31"])
    state: ValueRunState
    reason: str | None
    requested_by: str
    job_id: UUID | None
    watermark: dict[str, str | int | None] = Field(
        description="Last event in the log and latest balance measured when it began"
    )
    counts: dict[str, int]
    totals: ValueTotals | None
    replaces: UUID | None
    created_at: Timestamp
    finished_at: Timestamp | None


class OrgDifference(Schema):
    """What a recalculation changed for one branch: this run − the other."""

    org: OrgPath
    before: ValueFigures
    after: ValueFigures
    difference: ValueFigures


class SupersededFigures(Schema):
    """A customer's product as an older run had it, where the run after it differs; zeros: it had none."""

    customer_id: UUID
    product: Code
    figures: ValueFigures


class ValueRunDiff(Schema):
    run: UUID
    against: UUID
    orgs: list[OrgDifference]
    total: ValueFigures


class MonthValue(ValueTotals):
    month: Month
    run_id: UUID


class ProductValue(ValueTotals):
    product: Code
    category: ProductCategory


class CategoryValue(ValueTotals):
    category: ProductCategory


class OrgValue(ValueTotals):
    org: OrgPath


class Rank(Schema):
    """Place by contribution in the last month among the customers of the branch; 1 is the best."""

    org: OrgPath
    place: int
    of: int


class CategoryPotential(Schema):
    """Income (margin + fees) of the last month against the 75th percentile of the peers."""

    category: ProductCategory
    own: Money
    benchmark: Money
    potential: Money


class Potential(Schema):
    peer_group: str = Field(description="The traits the peers share", examples=["person/subbranch/2"])
    peers: int
    categories: list[CategoryPotential]
    total: Money


class CustomerCrossSell(Schema):
    """Categories with an account or income in the last month, of those the catalogue sells."""

    products: int
    categories: int
    of_categories: int


class CustomerValueView(Schema):
    """``GET /v1/customers/{id}/value``: the customer with all files merged into it. Empty before a run."""

    customer_id: UUID
    model: Code
    currency: Currency
    total: ValueTotals
    months: list[MonthValue]
    products: list[ProductValue]
    rank: Rank | None
    potential: Potential | None
    cross_sell: CustomerCrossSell | None


class ValueOfMember(ValueTotals):
    customer_id: UUID
    depth: int = Field(description="0 is the customer itself, 1 its subsidiaries, and so on")


class GroupValueView(Schema):
    """``GET /v1/customers/{id}/value/group``: the customer and the subsidiaries you see, each once."""

    customer_id: UUID
    model: Code
    currency: Currency
    total: ValueTotals
    members: list[ValueOfMember]


class CrossSell(Schema):
    """Customers with a value row in the last month; `ratio` is the share of two categories or more."""

    customers: int
    categories_per_customer: Number | None
    ratio: Number | None


class OrgValueView(Schema):
    """``GET /v1/orgs/{code}/value``: co-managing branches have their share of each customer."""

    org: OrgPath
    model: Code
    currency: Currency
    total: ValueTotals
    months: list[MonthValue]
    categories: list[CategoryValue]
    units: list[OrgValue] = Field(description="The units right below, and what is booked on this one")
    cross_sell: CrossSell | None


class StaffValueView(Schema):
    """``GET /v1/staff/{code}/value``: customers of whom this is the primary manager."""

    staff: Code
    model: Code
    currency: Currency
    total: ValueTotals
    months: list[MonthValue]
    categories: list[CategoryValue]
    cross_sell: CrossSell | None


class RankedCustomer(ValueTotals):
    customer_id: UUID
    org: OrgPath
    primary_manager: Code | None
