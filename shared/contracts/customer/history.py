"""What was known of a customer before: field by field, and balances of a date as then believed."""

from datetime import date
from uuid import UUID

from pydantic import JsonValue

from shared.contracts.base import Code, Currency, Money, Schema, Timestamp
from shared.contracts.customer.overview import CurrencyTotal
from shared.contracts.customer.vocabulary import Account, ProductCategory


class FieldChange(Schema):
    """One field of one version; ``before`` is null where the field had no value or the file began."""

    field: str
    before: JsonValue
    after: JsonValue
    at: Timestamp
    by: str | None
    """Principal that made the version; null where the first release did not record it."""
    reason: str | None
    version: int
    customer_id: UUID
    """The file the change was made in: of a merged person there are several."""


class HoldingOn(Schema):
    """One account as of a date: its last balance not after it."""

    customer_id: UUID
    account: Account
    product: Code
    category: ProductCategory
    balance: Money
    currency: Currency
    measured_on: date
    """Business date of the balance."""
    recorded_at: Timestamp | None
    """Since when the bank has believed it; null from before it kept track."""
    closed: bool


class HoldingsOn(Schema):
    """``GET /v1/customers/{id}/holdings``: ``known_at`` is null when everything known today counts."""

    as_of: date
    known_at: Timestamp | None
    totals: list[CurrencyTotal]
    items: list[HoldingOn]
