"""Events of the customer service. Customers appear by id, never by name, number or address."""

from datetime import date
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import Field, JsonValue

from shared.contracts.base import Code, Currency, Money, OrgPath, Schema, Timestamp
from shared.contracts.events.envelope import BATCH_ITEMS, Channel, EventData
from shared.ids import partition_of


class CustomerState(Schema):
    """A customer as other services may know them: no name, no number, no address."""

    customer_id: UUID
    ordinal: Annotated[int, Field(ge=1, description="Dense number, stable for life; index of bitmaps")]
    version: Annotated[int, Field(ge=1, description="Grows with every change; ignore older ones")]
    kind: Literal["person", "company"]
    status: Literal["active", "closed", "merged", "erased"] = "active"
    merged_into: UUID | None = Field(default=None, description="The survivor, when `status` is merged")
    org: OrgPath
    primary_manager: Code | None = None
    backup_manager: Code | None = None
    gender: Literal["F", "M"] | None = None
    birth_date: date | None = None
    occupation: str | None = None
    industry: str | None = None
    risk_level: Literal["C1", "C2", "C3", "C4", "C5"] | None = None
    risk_valid_until: date | None = None
    customer_since: date | None = None
    consents: dict[Channel, bool] = Field(
        default_factory=dict, description="Marketing consent by channel; absent means not given"
    )


class CustomerKeyed(EventData):
    """Order is kept per partition of customers; an event is about customers of one partition only."""

    def _customer(self) -> UUID:
        raise NotImplementedError

    def partition_key(self) -> str:
        return str(partition_of(self._customer()))


class CustomersChanged(CustomerKeyed):
    SUBJECT: ClassVar[str] = "customer.customers_changed"
    customers: Annotated[list[CustomerState], Field(min_length=1, max_length=BATCH_ITEMS)]

    def _customer(self) -> UUID:
        return self.customers[0].customer_id


class RecordedEvent(Schema):
    """A business event that was accepted; `data` has passed its type's JSON Schema."""

    seq: Annotated[int, Field(description="Position in the customer service's event log")]
    event_id: Annotated[str, Field(description="The source's own id")]
    source: str
    type: str
    customer_id: UUID
    ordinal: int
    home_id: UUID | None = Field(default=None, description="Recorded for this customer, merged since")
    home_ordinal: int | None = None
    time: Timestamp
    data: dict[str, JsonValue]


class CustomerEventsRecorded(CustomerKeyed):
    SUBJECT: ClassVar[str] = "customer.events_recorded"
    events: Annotated[list[RecordedEvent], Field(min_length=1, max_length=BATCH_ITEMS)]

    def _customer(self) -> UUID:
        return self.events[0].customer_id


class HoldingState(Schema):
    """One account of one customer on one business date; the latest `as_of` is the present."""

    customer_id: UUID
    ordinal: int
    home_id: UUID | None = Field(default=None, description="Recorded for this customer, merged since")
    home_ordinal: int | None = None
    account: str
    product: Code
    category: str
    balance: Money
    currency: Currency = "CNY"
    as_of: date
    opened_on: date | None = None
    matures_on: date | None = None
    closed: bool = False


class HoldingsChanged(CustomerKeyed):
    SUBJECT: ClassVar[str] = "customer.holdings_changed"
    holdings: Annotated[list[HoldingState], Field(min_length=1, max_length=BATCH_ITEMS)]

    def _customer(self) -> UUID:
        return self.holdings[0].customer_id
