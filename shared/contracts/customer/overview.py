"""The 360° view and what it is made of."""

from datetime import date
from typing import Literal
from uuid import UUID

from pydantic import JsonValue

from shared.contracts.base import Code, Currency, LocalText, Money, Schema, Timestamp
from shared.contracts.customer.profile import CustomerView
from shared.contracts.customer.vocabulary import Account, ProductCategory
from shared.contracts.events import ContactState, Disposition


class HoldingView(Schema):
    """One account of a customer with its latest balance."""

    account: Account
    product: Code
    product_name: LocalText | None
    category: ProductCategory | None
    balance: Money
    currency: Currency
    as_of: date
    opened_on: date | None
    matures_on: date | None
    closed_on: date | None


class TimelineItem(Schema):
    """A business event or a contact made by a campaign; newest first."""

    id: str
    time: Timestamp
    kind: Literal["event", "contact"]
    type: str
    source: str
    data: dict[str, JsonValue]


class ContactView(Schema):
    """The latest state of one contact with the customer (from campaign)."""

    contact_id: UUID
    campaign_id: UUID
    state: ContactState
    disposition: Disposition | None
    time: Timestamp


class NextDate(Schema):
    """Something that will happen to this customer."""

    kind: Literal["birthday", "maturity", "risk_expiry"]
    date: date
    subject: str


class CurrencyTotal(Schema):
    """Sums over open accounts; loan and card balances count as liabilities."""

    currency: Currency
    assets: Money
    liabilities: Money


class Customer360(Schema):
    """``GET /v1/customers/{id}/360``."""

    customer: CustomerView
    org_name: LocalText
    primary_manager_name: str | None
    backup_manager_name: str | None
    totals: list[CurrencyTotal]
    holdings: list[HoldingView]
    timeline: list[TimelineItem]
    contacts: list[ContactView]
    next_dates: list[NextDate]
