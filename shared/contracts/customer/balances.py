"""Accounts over time: balances by day, and what matures soon."""

from datetime import date
from uuid import UUID

from pydantic import Field

from shared.contracts.base import Code, Currency, LocalText, Money, OrgPath, Schema, Timestamp
from shared.contracts.customer.vocabulary import Account, ProductCategory


class BalanceDay(Schema):
    """The balance at the end of one business date; it holds until the next date told."""

    as_of: date
    balance: Money
    measured_at: Timestamp
    home_id: UUID = Field(description="The file it was told for; another than the customer after a merge")


class MaturingHolding(Schema):
    """An open account that ends soon."""

    customer_id: UUID
    org: OrgPath
    primary_manager: Code | None
    account: Account
    product: Code
    product_name: LocalText
    category: ProductCategory
    balance: Money
    currency: Currency
    matures_on: date
    days_left: int
