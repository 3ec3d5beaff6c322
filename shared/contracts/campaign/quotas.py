"""How much of an offer may be sold, and how much of a budget is left."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from shared.contracts.base import Currency, Key, Money, Schema, Timestamp

Units = Annotated[int, Field(ge=0, le=100_000_000)]


class QuotaWrite(Schema):
    """`POST /v1/quotas`: the offer is sold at most so often from now on, whoever sells it."""

    offer: Key
    units: Units


class QuotaPatch(Schema):
    """More units bring back the contacts that exhaustion withdrew; fewer than are sold or reserved: 409."""

    units: Units


class QuotaView(Schema):
    offer: Key
    units: int
    reserved: int = Field(description="Contacts that have begun and are not recorded yet, one unit each")
    sold: int
    left: int = Field(description="What contacts that begin now may still reserve")
    exhausted_at: Timestamp | None = Field(description="When the last unit was sold")
    changed_at: Timestamp
    changed_by: str
    version: int


class BudgetView(Schema):
    """A campaign's budget. A contact reserves what its script is expected to cost, and spends what it did."""

    campaign_id: UUID
    amount: Money
    currency: Currency
    reserved: Money
    spent: Money
    left: Money
    exhausted_at: datetime | None = Field(description="When what was left paid for no contact any more")
