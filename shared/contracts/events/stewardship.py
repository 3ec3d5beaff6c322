"""Whose customer it is, and what it allows."""

from datetime import date
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import Field

from shared.contracts.base import Code, OrgPath, Schema, Timestamp
from shared.contracts.events.customer import CustomerKeyed
from shared.contracts.events.envelope import BATCH_ITEMS, Channel, EventData

ConsentPurpose = Literal["marketing", "service", "analytics", "sharing"]


class ConsentState(Schema):
    """What the customer allows on one channel for one purpose; the latest `changed_at` counts."""

    customer_id: UUID
    channel: Channel
    purpose: ConsentPurpose
    granted: bool
    changed_at: Timestamp
    valid_until: date | None = None


class ConsentChanged(CustomerKeyed):
    SUBJECT: ClassVar[str] = "customer.consent_changed"
    consents: Annotated[list[ConsentState], Field(min_length=1, max_length=BATCH_ITEMS)]

    def _customer(self) -> UUID:
        return self.consents[0].customer_id


class Owners(Schema):
    """The branch that leads the customer and its managers A and B."""

    org: OrgPath
    primary_manager: Code | None = None
    backup_manager: Code | None = None


OwnershipCause = Literal["assignment", "handover", "handover_undone", "import", "merge"]


class OwnershipChange(Schema):
    customer_id: UUID
    before: Owners
    after: Owners
    effective_on: date
    cause: OwnershipCause


class OwnershipChanged(CustomerKeyed):
    SUBJECT: ClassVar[str] = "customer.ownership_changed"
    changes: Annotated[list[OwnershipChange], Field(min_length=1, max_length=BATCH_ITEMS)]

    def _customer(self) -> UUID:
        return self.changes[0].customer_id


class HandoverCompleted(EventData):
    """Everything a member of staff looked after has new managers; `undone` when it was given back."""

    SUBJECT: ClassVar[str] = "customer.handover_completed"
    handover_id: UUID
    staff: Code
    customers: int
    receivers: dict[Code, int] = Field(description="Customers each receiver took over")
    undone: bool = False
    completed_at: Timestamp

    def partition_key(self) -> str:
        return self.staff
