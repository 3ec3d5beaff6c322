"""Conversations the bank began with customers, outside of campaigns."""

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import Field

from shared.contracts.base import Schema, Timestamp
from shared.contracts.events.customer import CustomerKeyed
from shared.contracts.events.envelope import BATCH_ITEMS


class OutgoingInteraction(Schema):
    """A call, visit or message by somebody of the bank. `customer_id` is the file it was recorded for, merged
    since or not.
    """

    interaction_id: UUID
    customer_id: UUID
    at: Timestamp
    kind: Literal["call", "visit", "sms", "im", "branch"]


class CustomersContacted(CustomerKeyed):
    """Recorded by hand, told by a branch system or imported; what customers began is not among them."""

    SUBJECT: ClassVar[str] = "customer.customers_contacted"
    interactions: Annotated[list[OutgoingInteraction], Field(min_length=1, max_length=BATCH_ITEMS)]

    def _customer(self) -> UUID:
        return self.interactions[0].customer_id
