"""What customers contribute, month by month, as other services may know it."""

from datetime import date
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from shared.contracts.base import Code, Currency, Money, Number, Schema
from shared.contracts.events.customer import CustomerKeyed
from shared.contracts.events.envelope import BATCH_ITEMS


class MonthOfCustomer(Schema):
    """One customer's sums over all products. Those of a family are the sums of its homes', except that
    RAROC is Σ `net_income` / Σ `capital_years` and `potential` stands with whom it was calculated for.
    """

    customer_id: UUID
    ordinal: int
    home_id: UUID | None = Field(default=None, description="Calculated for this customer, merged since")
    home_ordinal: int | None = None
    products: Annotated[
        int,
        Field(
            ge=0, description="With figures; 0 and no potential: nothing is left of an earlier calculation"
        ),
    ]
    contribution: Annotated[
        Money, Field(description="After the charge for capital: the economic value added")
    ]
    income: Annotated[Money, Field(description="Margin and fees")]
    net_income: Annotated[Money, Field(description="Income − expected loss − operating cost")]
    capital_years: Annotated[Number, Field(description="Economic capital × days / days of a year")]
    raroc: Annotated[Number | None, Field(description="Net income / capital years; null without capital")] = (
        None
    )
    potential: Annotated[
        Money | None,
        Field(description="What the whole family lacks of its peers' income; null without enough peers"),
    ] = None


class ValuesCalculated(CustomerKeyed):
    """A part of one month's calculation. It replaces what an earlier run said of the same customers."""

    SUBJECT: ClassVar[str] = "customer.values_calculated"
    model: Code
    month: Annotated[date, Field(description="Its first day")]
    run_id: UUID
    edition: Annotated[int, Field(ge=1, description="Which calculation of the month; ignore older ones")]
    currency: Currency
    values: Annotated[list[MonthOfCustomer], Field(min_length=1, max_length=BATCH_ITEMS)]

    def _customer(self) -> UUID:
        return self.values[0].customer_id
