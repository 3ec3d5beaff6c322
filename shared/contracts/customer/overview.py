"""The 360° view and what it is made of."""

from datetime import date
from typing import Literal
from uuid import UUID

from pydantic import ConfigDict, Field, JsonValue

from shared.contracts.base import Code, Currency, Key, LocalText, Money, Number, Schema, Timestamp
from shared.contracts.customer.ownership import BranchShare
from shared.contracts.customer.profile import CustomerView
from shared.contracts.customer.vocabulary import Account, Month, ProductCategory
from shared.contracts.events import ContactOutcome, ContactState


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
    disposition: ContactOutcome | None
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


class ValueNow(Schema):
    """Contribution in the latest month calculated, over all products; negative when it costs more."""

    model: Code
    month: Month
    currency: Currency
    contribution: Money
    average_balance: Money


class InSegment(Schema):
    """A live segment the customer is in, as segmentation tells it."""

    model_config = ConfigDict(extra="ignore")

    segment_id: UUID
    key: Key
    name: LocalText
    since: Timestamp | None


class InTier(Schema):
    """Where the customer stands in one tier scheme, as segmentation tells it."""

    model_config = ConfigDict(extra="ignore")

    scheme_key: Key
    name: LocalText
    tier: Key
    tier_name: LocalText
    since: date


class Customer360(Schema):
    """``GET /v1/customers/{id}/360``: of a merged person, all its files together."""

    customer: CustomerView
    org_name: LocalText
    primary_manager_name: str | None
    backup_manager_name: str | None
    totals: list[CurrencyTotal]
    holdings: list[HoldingView]
    timeline: list[TimelineItem]
    contacts: list[ContactView]
    next_dates: list[NextDate]
    branches: list[BranchShare]
    value: ValueNow | None = Field(description="Null before the first run of a value model")
    quality_score: Number | None = Field(description="0 to 100; null before the first evaluation")
    relations: dict[str, int] = Field(description="Relations that hold today, by kind")
    open_tasks: int = Field(description="Contacts that campaigns assigned and that are not done")
    open_needs: int
    open_complaints: int
    last_contact_at: Timestamp | None
    segments: list[InSegment] | None = Field(
        description="With `include=segments`; null when not asked for, or when segmentation gave no answer"
    )
    tiers: list[InTier] | None = Field(
        None, description="With `include=tier`; null when not asked for, or when segmentation gave no answer"
    )
